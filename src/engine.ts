import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ClassicStrategy } from './agents/classic.ts';
import type { StrategyParts } from './agents/context.ts';
import { GuardedStrategy } from './agents/guarded.ts';
import { promptRecords } from './agents/prompts.ts';
import { synthesisEarmark, synthesize } from './agents/synthesis.ts';
import { TemplateError } from './agents/template.ts';
import { encodingFor } from './budget/encoding.ts';
import { picoFromUsd, usdFromPico } from './budget/money.ts';
import { includedRates, type PriceOverride, priceOf } from './budget/prices.ts';
import { Tokenizer } from './budget/tokens.ts';
import { RunMemory } from './memory/run-memory.ts';
import { OpenAiModel } from './models/openai.ts';
import type { Channel } from './notify/channel.ts';
import { Outbox } from './notify/outbox.ts';
import { Watchdog, type WatchdogSettings } from './notify/watchdog.ts';
import type { Forecast } from './research/forecast.ts';
import { Caller } from './run/call.ts';
import { FORMAT_VERSION, RunConfig } from './run/config.ts';
import type { EventDraft, RunEvent } from './run/events.ts';
import { type LimitName, limitProblem } from './run/limits.ts';
import { runLoop } from './run/loop.ts';
import {
  type Clock,
  type KeyLedger,
  type LanguageModel,
  type Random,
  RunLost,
  StopRun,
  type Tokens,
} from './run/ports.ts';
import { classicRetry } from './run/retry.ts';
import type { RunSettings } from './run/settings.ts';
import { type Call, fold, initialState, type RunState, type Task } from './run/state.ts';
import { Steering } from './run/steer.ts';
import { type Ending, endingEvents, endingNotice } from './run/stop.ts';
import type { StopReason } from './run/stop-reason.ts';
import { saveCheckpoint } from './runlog/checkpoint.ts';
import { type Disk, ForeignFile } from './runlog/disk.ts';
import { writeExitFiles } from './runlog/exit-files.ts';
import { MOST_CONFIG_BYTES, type RunFolder, runFolder, runFolderName } from './runlog/folder.ts';
import { OwnedElsewhere, type OwnerIdentity, Ownership, type ProcessTable } from './runlog/owner.ts';
import { type LogEnd, readLog } from './runlog/reader.ts';
import { keepReserve } from './runlog/reserve.ts';
import { LogWriter } from './runlog/writer.ts';
import type { Egress } from './safety/egress.ts';
import { OriginError, parseOrigin } from './safety/origin.ts';
import type { Redactor } from './safety/redaction.ts';
import type { OutputWriter } from './tools/output.ts';
import type { WorkspaceReader } from './tools/workspace.ts';

/** What both front ends hand in: the world outside a run. */
export interface Host {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly identity: OwnerIdentity;
  readonly processes: ProcessTable;
  readonly egress: Egress;
  readonly redactor: Redactor;
  readonly channels: readonly Channel[];
  /** What tells somebody when the thread of the run is blocked; none: nobody is told. */
  readonly watchdog?: WatchdogSettings;
  /** The spending ledger of the key for an origin, where the key has a limit of its own. */
  readonly ledgerFor?: (origin: string) => KeyLedger | null;
  /** The API key for an origin, or null. Asked before every request. */
  readonly keyFor: (origin: string) => Promise<string | null>;
  /** Where the token ranks of the build are. */
  readonly distDirectory: string;
  readonly environment: () => Promise<RunConfig['environment']>;
  /** The model of a run whose provider is `vscode-lm`; none: such a run cannot be worked on here. */
  readonly languageModel?: (config: RunConfig) => Promise<LanguageModel>;
  /** What a rehearsal reads. */
  readonly workspace: WorkspaceReader;
  /** Whether a person may answer reviews and resume pauses here, or answer reviews only. */
  readonly attended: boolean | 'reviews';
  /** Approves every review at once, as the person asked. */
  readonly skipReviews?: boolean;
  /** What happened that a person may want to look up; never anything secret. */
  readonly trace: (message: string) => void;
}

export interface StartOptions {
  readonly runsDirectory: string;
  /** With `vscode-lm` the settings' base URL is `vscode:lm/<vendor>/<family>`, and there are no embeddings. */
  readonly provider: 'openai' | 'rehearsal' | 'vscode-lm';
  readonly prices: { readonly overrides: readonly PriceOverride[]; readonly freeOrigins: readonly string[] };
  readonly promptOverrides: ReadonlyMap<string, { text: string; file: string }>;
  /** Non-secret settings as they were, for the config snapshot. */
  readonly snapshot: Readonly<Record<string, unknown>>;
  /** Slows a rehearsal down so that a person can watch, milliseconds a request. */
  readonly paceMs?: number;
}

export interface ResumeOptions {
  /** New values of limits; one that is not above the old value changes nothing. */
  readonly raise: Readonly<Partial<Record<LimitName, number>>>;
  /** The same by amounts to add. */
  readonly add?: Readonly<Partial<Record<LimitName, number>>>;
  /** A person says that the pending review is approved. */
  readonly approveReview?: boolean;
  /** A person asked for it; false where a window picks up what it ran before. */
  readonly byPerson: boolean;
  readonly paceMs?: number;
}

/** Why a run cannot start or go on. Each problem is one sentence that says what to do. */
export class EngineError extends Error {
  readonly reason:
    | 'configuration'
    | 'not_a_run'
    | 'damaged'
    | 'newer_version'
    | 'imported'
    | 'owned_elsewhere'
    | 'disk';
  readonly problems: readonly string[];
  constructor(reason: EngineError['reason'], problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'EngineError';
    this.reason = reason;
    this.problems = problems;
  }
}

export interface Outcome {
  readonly runId: string;
  readonly runDirectory: string;
  readonly stopReason: StopReason;
  readonly detail: string;
  readonly iterations: number;
  readonly costUsd: number;
}

/** Starts a new run; resolves once its folder and first events are on disk. */
export async function startRun(settings: RunSettings, options: StartOptions, host: Host): Promise<Session> {
  const { disk } = host;
  const config = host.redactor.redactJson(await snapshotConfig(settings, options, host));
  const name = runFolderName(Date.parse(config.created_at), config.objective, config.run_id);
  const folder = runFolder(join(options.runsDirectory, name));
  const bytes = `${JSON.stringify(config, null, 2)}\n`;
  return onDisk(options.runsDirectory, async () => {
    await disk.makeDirectory(folder.log);
    await disk.replace(join(folder.path, '.gitignore'), '*\n');
    await disk.replace(folder.config, bytes);
    await keepReserve(disk, folder);
    return owning(folder, host, async (ownership) => {
      const session = await Session.open(host, folder, bytes, initialState(config), null, ownership, options.paceMs);
      session.begin([
        {
          type: 'task.created',
          task_id: 't1',
          label: '1',
          text: config.initial_task,
          by: 'initial',
          parent_task_id: null,
          before: null,
          iteration: 0,
        },
      ]);
      return session;
    });
  });
}

/** Takes a run folder up where its log ends. Throws EngineError where it cannot go on; then nothing was changed. */
export async function resumeRun(directory: string, options: ResumeOptions, host: Host): Promise<Session> {
  const { disk } = host;
  const folder = runFolder(directory);
  const { config, bytes } = await readConfig(disk, folder);
  checkServer(config, host);
  return onDisk(directory, async () => {
    if (await disk.exists(folder.imported))
      throw new EngineError('imported', [`${directory} came from an archive: the run can be looked at, not resumed.`]);
    return owning(folder, host, async (ownership) => {
      const { state, end } = await readState(disk, folder, config);
      const raises = raisesOf(state, options);
      const problems = raises.flatMap(([limit, to]) => limitProblem(limit, to) ?? []);
      if (problems.length > 0) throw new EngineError('configuration', problems);
      await keepReserve(disk, folder);
      const session = await Session.open(host, folder, bytes, state, end, ownership, options.paceMs);
      session.begin(resumeEvents(session.state, options));
      return session;
    });
  });
}

/** Takes the run over, and lets go of it where the work with it fails. */
async function owning<T>(folder: RunFolder, host: Host, work: (ownership: Ownership) => Promise<T>): Promise<T> {
  const ownership = await Ownership.acquire(host.disk, folder, host.identity, host.processes, host.clock);
  // From here on: reading a long log may take a while.
  ownership.startBeating();
  try {
    return await work(ownership);
  } catch (error) {
    await ownership.release();
    throw error;
  }
}

/**
 * What a run with these settings would cost: rehearsed in memory, nothing is sent and nothing written. Throws EngineError
 * where startRun would, and the reason of the signal where that is aborted.
 */
export async function forecastRun(
  settings: RunSettings,
  options: Pick<StartOptions, 'provider' | 'prices' | 'promptOverrides'>,
  host: Pick<Host, 'clock' | 'redactor' | 'distDirectory' | 'workspace'>,
  signal: AbortSignal,
): Promise<Forecast> {
  const nowhere = {
    extension_version: '',
    vscode_version: null,
    node_version: '',
    platform: '',
    packages: {},
    git: null,
  };
  const environment = () => Promise.resolve(nowhere);
  const config = await snapshotConfig(settings, { ...options, snapshot: {} }, { ...host, environment });
  const { forecast } = await import('./research/forecast.ts');
  return forecast(config, { tokens: tokensFor(config, host.distDirectory), workspace: host.workspace, signal });
}

/** What a run was started with, without reading its log. Throws EngineError. */
export async function readRunConfig(disk: Disk, directory: string): Promise<RunConfig> {
  return (await readConfig(disk, runFolder(directory))).config;
}

/** The configuration and state of a run folder, for looking. Throws EngineError. */
export async function readRun(disk: Disk, directory: string): Promise<RunState> {
  const folder = runFolder(directory);
  const { config } = await readConfig(disk, folder);
  return (await readState(disk, folder, config)).state;
}

/** A run in progress in this process. */
export class Session {
  readonly folder: RunFolder;
  /** Another one at the very end of a run whose log could not be written any more. */
  log: LogWriter;
  readonly steering: Steering;
  private readonly host: Host;
  private outbox: Outbox;
  private readonly stopping = new AbortController();
  private readonly parts: StrategyParts;
  private outcome: Promise<Outcome> | null = null;
  private output: OutputWriter | null = null;

  private constructor(host: Host, folder: RunFolder, log: LogWriter, model: LanguageModel, tokens: Tokens) {
    this.host = host;
    this.folder = folder;
    this.log = log;
    this.steering = new Steering(log);
    const { clock, random } = host;
    const { state } = log;
    const memory = new RunMemory(state);
    log.observe((event) => memory.apply(event));
    this.outbox = new Outbox(log, host.channels, clock, random);
    const { provider, base_url } = state.config.model;
    const ledger = provider === 'openai' ? (host.ledgerFor?.(new URL(base_url).origin) ?? null) : null;
    const caller = new Caller({ log, model, tokens, clock, random, signal: this.stopping.signal, ledger });
    if (state.config.strategy === 'classic') caller.retry = classicRetry;
    this.parts = { state, caller, memory, tokens, record: (draft) => log.append(draft) };
    caller.earmark = synthesisEarmark(state.config, picoFromUsd(state.limits.max_cost_usd));
  }

  static async open(
    host: Host,
    folder: RunFolder,
    configBytes: string,
    state: RunState,
    end: LogEnd | null,
    ownership: Ownership,
    paceMs = 0,
  ): Promise<Session> {
    const { disk, clock, identity, redactor } = host;
    const configSha256 = createHash('sha256').update(configBytes).digest('hex');
    const redact = (draft: EventDraft): EventDraft => redactDraft(redactor, draft);
    const tokens = tokensFor(state.config, host.distDirectory);
    const model = await modelFor(state.config, host, tokens, paceMs);
    const log = await LogWriter.open({ disk, folder, clock, ownership, identity, redact, state, end, configSha256 });
    return new Session(host, folder, log, model, tokens);
  }

  get state(): RunState {
    return this.log.state;
  }

  /** Resolves when the run has ended and its files are written. */
  get done(): Promise<Outcome> {
    if (!this.outcome) throw new Error('the session has not begun');
    return this.outcome;
  }

  subscribe(listener: (event: RunEvent) => void): () => void {
    return this.log.subscribe(listener);
  }

  begin(first: readonly EventDraft[]): void {
    this.log.append(...first);
    this.outcome ??= this.run();
  }

  /** Ends the run at once, whatever it is doing; it can be resumed. */
  stop(): void {
    this.stopping.abort();
  }

  /** Lets go of the run without ending it, as when the window closes: the next owner goes on where the log ends. */
  async abandon(): Promise<void> {
    this.abandoned = true;
    this.stopping.abort();
    await this.done;
  }
  private abandoned = false;

  private async run(): Promise<Outcome> {
    const watchdog = this.watch();
    // What a server said may repeat the key: this goes to screens and files.
    let ending = this.host.redactor.redactJson(await this.untilEnd());
    if (ending !== null && !this.abandoned) ending = await this.finish(ending);
    // Who stopped the run knows, and does not wait for a channel that hangs.
    await this.outbox.close(this.abandoned ? 0 : this.stopping.signal.aborted ? 500 : 5000);
    await this.log.close();
    watchdog?.stop();
    const { state } = this;
    const reason = ending?.reason ?? 'error';
    return {
      runId: state.config.run_id,
      runDirectory: this.folder.path,
      stopReason: reason,
      detail: ending?.error?.message ?? ending?.detail ?? 'Another process goes on with this run.',
      iterations: state.iteration,
      costUsd: usdFromPico(state.money.settled + state.money.held),
    };
  }

  /** A run without a watchdog is better than none. */
  private watch(): Watchdog | null {
    const { host, log, folder } = this;
    if (host.watchdog === undefined) return null;
    try {
      return new Watchdog(host.watchdog, {
        distDirectory: host.distDirectory,
        runDirectory: folder.path,
        runId: log.config.run_id,
        objective: log.config.objective,
        remainingMs: () => this.state.limits.max_wall_time_minutes * 60_000 - this.log.activeMs(),
        trace: host.trace,
      });
    } catch (error) {
      host.trace(`The watchdog could not be started: ${messageOf(error)}`);
      return null;
    }
  }

  /** Null where somebody else goes on with the run. */
  private async untilEnd(): Promise<Ending | null> {
    const { host, log, parts, folder } = this;
    const { state } = log;
    const strategy = state.config.strategy === 'classic' ? new ClassicStrategy(parts) : new GuardedStrategy(parts);
    try {
      return await runLoop({
        log,
        strategy,
        clock: host.clock,
        signal: this.stopping.signal,
        attended: host.attended,
        skipReviews: host.skipReviews ?? false,
        noticeOf: (kind, text) => this.outbox.notice(kind, text),
        keepFiles: (task, result) => this.keepFiles(task, result),
        saveCheckpoint: (iteration) => saveCheckpoint(host.disk, folder, log, iteration, host.trace),
      });
    } catch (error) {
      return this.endingOf(error);
    }
  }

  /** Null where somebody else goes on with the run. */
  private endingOf(error: unknown): Ending | null {
    if (error instanceof StopRun) return { reason: error.reason, detail: error.message, error: error.error };
    if (error instanceof RunLost) {
      if (error.reason === 'not_owner') return null;
      const reason = error.code === 'ENOSPC' || error.code === 'EDQUOT' ? 'disk_full' : 'error';
      return { reason, detail: error.message, error: { class: error.code ?? 'log_failed', message: error.message } };
    }
    this.host.trace(error instanceof Error ? (error.stack ?? error.message) : String(error));
    const message = `An unexpected error ended the run: ${messageOf(error)}`;
    return { reason: 'error', detail: message, error: { class: 'internal', message } };
  }

  /** The sandbox is made for the first file; most runs have none. */
  private async keepFiles(task: Task, result: Call): Promise<void> {
    if (!result.answer?.includes('file:')) return;
    const { OutputWriter } = await import('./tools/output.ts');
    this.output ??= new OutputWriter(this.log, this.folder.output, process.platform);
    await this.output.keep(task, result);
  }

  /** The answer, the last events, and the files that every exit leaves. Gives the ending, which the disk may yet change. */
  private async finish(wanted: Ending): Promise<Ending | null> {
    const { host, folder } = this;
    const trace = (error: unknown) => host.trace(`The end of the run could not be written: ${messageOf(error)}`);
    let ending: Ending | null = wanted;
    let logged = true;
    try {
      if (ANSWERABLE.has(wanted.reason) && !this.stopping.signal.aborted) {
        const { limits, money } = this.state;
        await synthesize(this.parts, picoFromUsd(limits.max_cost_usd) - money.settled - money.held - money.reserved);
      }
      await this.logEnd(wanted);
    } catch (error) {
      ending = host.redactor.redactJson(this.endingOf(error));
      // Who took the run over also writes its files.
      if (ending === null) return null;
      logged = await this.logEndElsewhere(ending).then(
        () => true,
        (failure: unknown) => {
          trace(failure);
          return false;
        },
      );
    }
    await host.disk.remove(folder.reserve).catch(trace);
    await writeExitFiles(host.disk, folder, this.state, logged ? null : ending).catch(trace);
    return ending;
  }

  private async logEnd(ending: Ending): Promise<void> {
    const { log, outbox } = this;
    log.append(
      ...endingEvents(log.state, ending, log.activeMs()),
      ...outbox.notice('ended', endingNotice(log.state, ending)),
    );
    await log.barrier();
  }

  /** Where the log cannot be written any more, the end goes into a new segment. */
  private async logEndElsewhere(ending: Ending): Promise<void> {
    const { host, folder, log } = this;
    const { disk, clock } = host;
    if (log.lost) {
      await this.outbox.close(0);
      // What was kept back for this makes room on a full disk.
      await disk.remove(folder.reserve);
      await log.close();
      this.log = await owning(folder, host, async (ownership) => {
        const { state, end } = await readState(disk, folder, log.state.config);
        return log.successor(ownership, state, end);
      });
      this.outbox = new Outbox(this.log, host.channels, clock, host.random);
    }
    await this.logEnd(ending);
  }
}

/** Ends after which one more request is right: the run was not stopped, and nothing is broken. */
const ANSWERABLE: ReadonlySet<StopReason> = new Set([
  'objective_complete',
  'queue_empty',
  'max_iterations',
  'max_cost',
  'stalled',
  'stopped_at_review',
]);

async function snapshotConfig(
  settings: RunSettings,
  options: Omit<StartOptions, 'runsDirectory'>,
  host: Pick<Host, 'clock' | 'redactor' | 'environment'>,
): Promise<RunConfig> {
  const rehearsal = options.provider === 'rehearsal';
  const [prices, environment] = await Promise.all([pricesFor(settings, options, host.clock), host.environment()]);
  const { objective, strategy, limits } = settings;
  return {
    format_version: FORMAT_VERSION,
    run_id: randomUUID(),
    created_at: new Date(host.clock.now()).toISOString(),
    objective,
    acceptance_criteria: [...settings.acceptanceCriteria],
    initial_task: settings.initialTask,
    strategy,
    model: {
      provider: options.provider,
      base_url: rehearsal ? 'local:rehearsal' : settings.baseUrl,
      requested: settings.model,
      pin: /\d{4}-?\d{2}-?\d{2}$/.test(settings.model) ? settings.model : null,
    },
    embedding:
      settings.embeddingModel === null || options.provider === 'vscode-lm'
        ? null
        : { model: settings.embeddingModel, dimensions: settings.embeddingDimensions },
    parameters: {
      temperature: settings.temperature,
      top_p: 1,
      seed: settings.seed,
      max_completion_tokens: 2000,
      min_completion_tokens: 64,
    },
    limits,
    loop: {
      checkpoint_every: settings.checkpointEvery,
      review_every: settings.reviewEvery,
      unattended_review: settings.unattendedReview,
      max_new_tasks_per_iteration: settings.maxNewTasks,
      max_pending_tasks: 10_000,
      recall_results: 5,
      recall_tokens: settings.recallTokens,
      duplicate_similarity: 0.92,
      sleep_seconds: settings.sleepSeconds,
      synthesis: settings.synthesis,
    },
    prompts: promptsFor(settings, options, host.redactor),
    prices,
    settings: { ...options.snapshot },
    environment,
  };
}

function promptsFor(
  settings: RunSettings,
  options: Pick<StartOptions, 'promptOverrides'>,
  redactor: Redactor,
): RunConfig['prompts'] {
  // Redacted first: the sha256 is that of the text on record.
  const overrides = new Map(
    [...options.promptOverrides].map(([name, { text, file }]) => [name, { text: redactor.redact(text), file }]),
  );
  try {
    return promptRecords(settings.strategy, overrides);
  } catch (error) {
    if (error instanceof TemplateError)
      throw new EngineError('configuration', [`A prompt file cannot be used: ${error.message}`]);
    throw error;
  }
}

async function pricesFor(
  settings: RunSettings,
  options: Pick<StartOptions, 'provider' | 'prices'>,
  clock: Clock,
): Promise<RunConfig['prices']> {
  const { model, embeddingModel, baseUrl } = settings;
  if (options.provider === 'vscode-lm') return { chat: includedRates(new Date(clock.now())), embedding: null };
  const question = { baseUrl, ...options.prices, at: new Date(clock.now()) };
  const chat = await priceOf({ ...question, model, kind: 'chat' });
  const embedding =
    embeddingModel === null ? null : await priceOf({ ...question, model: embeddingModel, kind: 'embedding' });
  const { origin } = new URL(baseUrl);
  const problems = [
    ...(typeof chat === 'string' ? [priceProblem(model, origin, chat)] : []),
    ...(typeof embedding === 'string' ? [priceProblem(embeddingModel ?? '', origin, embedding)] : []),
  ];
  if (typeof chat === 'string' || typeof embedding === 'string') throw new EngineError('configuration', problems);
  return { chat, embedding };
}

function priceProblem(model: string, origin: string, why: 'unknown' | 'has_fees'): string {
  return why === 'unknown'
    ? `The price of the model ${model} at ${origin} is not known: give its price, or declare the server free of charge.`
    : `The model ${model} at ${origin} costs more than its tokens, such as a fee for each request, and that cannot be counted: choose another model, or give prices for its tokens that cover it.`;
}

async function readConfig(disk: Disk, folder: RunFolder): Promise<{ config: RunConfig; bytes: string }> {
  const bytes = await disk.read(folder.config, MOST_CONFIG_BYTES).then(String, (error: unknown) => {
    const why = error instanceof ForeignFile ? ` ${error.message}` : '';
    throw new EngineError('not_a_run', [
      `${folder.path} is not a run folder: it has no config.json that can be read.${why}`,
    ]);
  });
  const parsed = RunConfig.safeParse(jsonOrNull(bytes));
  if (parsed.success) return { config: parsed.data, bytes };
  const [issue] = parsed.error.issues;
  throw new EngineError('damaged', [
    `${folder.config} is not a valid run configuration: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
  ]);
}

/** A folder may come from anywhere, and so may the address in it. */
function checkServer(
  { model: { provider, base_url } }: RunConfig,
  { languageModel }: Pick<Host, 'languageModel'>,
): void {
  if (provider === 'rehearsal') return;
  if (provider === 'vscode-lm') {
    if (languageModel === undefined) throw modelElsewhere();
    return;
  }
  try {
    parseOrigin(base_url, { allowPrivate: true });
  } catch (error) {
    if (error instanceof OriginError)
      throw new EngineError('damaged', [`The server of this run cannot be used: ${error.message}`]);
    throw error;
  }
}

async function readState(
  disk: Disk,
  folder: RunFolder,
  config: RunConfig,
): Promise<{ state: RunState; end: LogEnd | null }> {
  const log = await readLog(disk, folder).catch((error: unknown) => {
    throw new EngineError(error instanceof ForeignFile ? 'damaged' : 'disk', [
      `The log below ${folder.log} cannot be read: ${messageOf(error)}`,
    ]);
  });
  if (log.damage) {
    const { segment, offset, what } = log.damage;
    throw new EngineError('damaged', [
      `The log is damaged in segment ${segment} at byte ${offset}: ${what}. The run can be looked at, not resumed.`,
    ]);
  }
  const events: RunEvent[] = [];
  for (const event of log.events) {
    if (event.type === 'unknown') {
      throw new EngineError('newer_version', [
        `Event ${event.seq} was written by a newer version: install that one to resume the run.`,
      ]);
    }
    events.push(event);
  }
  try {
    return { state: fold(config, events), end: log.end.seq === 0 ? null : log.end };
  } catch (error) {
    throw new EngineError('damaged', [
      `The log contradicts itself. ${messageOf(error)} The run can be looked at, not resumed.`,
    ]);
  }
}

/** The limits that are to be raised, with their new values. */
function raisesOf(state: RunState, { raise, add = {} }: ResumeOptions): [LimitName, number][] {
  const added = Object.entries(add).map(([limit, more]) => [limit, state.limits[limit as LimitName] + more]);
  return [...Object.entries(raise), ...added] as [LimitName, number][];
}

/** What a new owner says first: calls of unknown outcome are held, limits raised, and a person's go-ahead noted. */
export function resumeEvents(state: RunState, options: ResumeOptions): EventDraft[] {
  const events: EventDraft[] = [];
  for (const call of state.calls.values()) {
    if (call.status !== 'reserved') continue;
    events.push({
      type: 'call.held',
      call_id: call.id,
      agent: call.agent,
      task_id: call.taskId,
      iteration: call.iteration,
      model: call.model,
      attempt: call.attempt,
      input_tokens: null,
      cached_tokens: null,
      output_tokens: null,
      latency_ms: null,
      cost_usd: usdFromPico(call.reserved),
      system_fingerprint: null,
      error: { class: 'interrupted_by_crash', message: 'The process ended before the outcome was known.' },
    });
  }
  for (const [limit, to] of raisesOf(state, options)) {
    const from = state.limits[limit];
    if (to > from) events.push({ type: 'limit.raised', limit, from, to, by: 'user' });
  }
  if (options.byPerson) events.push({ type: 'run.resumed', by: 'user' });
  if (options.approveReview && state.review) {
    const { id, digest } = state.review;
    events.push({ type: 'review.decided', review_id: id, digest, decision: 'approve', by: 'user', via: 'resume' });
  }
  if (state.tasks.size === 0) {
    // The first owner died between opening the log and putting in the first task.
    events.push({
      type: 'task.created',
      task_id: 't1',
      label: '1',
      text: state.config.initial_task,
      by: 'initial',
      parent_task_id: null,
      before: null,
      iteration: 0,
    });
  }
  return events;
}

/** Vectors are numbers: nothing to redact, and the bulk of the bytes. */
function redactDraft(redactor: Redactor, draft: EventDraft): EventDraft {
  if (draft.type !== 'call.settled' || draft.vectors === undefined) return redactor.redactJson(draft);
  const { vectors, ...rest } = draft;
  return { ...redactor.redactJson(rest), vectors };
}

function tokensFor(config: RunConfig, distDirectory: string): Tokens {
  const { name, exact } = encodingFor(config.model.requested);
  let loading: Promise<void> | null = null;
  let tokenizer: Tokenizer | null = null;
  const load = async () => {
    tokenizer = await Tokenizer.load(distDirectory, name);
  };
  const loaded = (): Tokenizer => {
    if (tokenizer === null) throw new Error('the token tables were used before they were read');
    return tokenizer;
  };
  return {
    exact,
    get loaded() {
      return tokenizer !== null;
    },
    ready: () => (loading ??= load()),
    count: (text) => loaded().count(text),
    excerpt: (text, tokens) => loaded().middleOut(text, tokens, ' […] '),
    head: (text, tokens) => loaded().head(text, tokens),
  };
}

function modelElsewhere(): EngineError {
  return new EngineError('configuration', [
    'This run asks a language model of VS Code: resume it there, with BabyAGI: Resume.',
  ]);
}

async function modelFor(config: RunConfig, host: Host, tokens: Tokens, paceMs: number): Promise<LanguageModel> {
  if (config.model.provider === 'rehearsal') {
    const { RehearsalModel } = await import('./models/rehearsal.ts');
    return new RehearsalModel({
      workspace: host.workspace,
      tokens,
      clock: host.clock,
      paceMs,
      modelName: config.model.requested,
    });
  }
  if (config.model.provider === 'vscode-lm') {
    if (host.languageModel === undefined) throw modelElsewhere();
    return host.languageModel(config);
  }
  return new OpenAiModel({
    baseUrl: config.model.base_url,
    model: config.model.requested,
    embedding: config.embedding,
    key: host.keyFor,
    egress: host.egress,
    redact: (text) => host.redactor.redact(text),
  });
}

/** Turns the disk's errors and a living owner into sentences. */
async function onDisk<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof OwnedElsewhere) throw new EngineError('owned_elsewhere', [error.message]);
    if (error instanceof RunLost || error instanceof ForeignFile)
      throw new EngineError('disk', [`${where}: ${error.message}`]);
    if (error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error) {
      throw new EngineError('disk', [
        `The run folder cannot be written below ${where} (${error.code}): choose another folder, or mend its permissions.`,
      ]);
    }
    throw error;
  }
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
