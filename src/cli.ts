import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { KeyLedgerFile } from './budget/key-ledger.ts';
import { MAX_USD, MAX_USD_PER_MILLION, picoFromUsd } from './budget/money.ts';
import { EngineError } from './engine/engine-error.ts';
import type { Host, Outcome } from './engine/host.ts';
import type { Session } from './engine/session.ts';
import { forecastRun, startRun } from './engine/start.ts';
import { SlackWebhook } from './notify/slack.ts';
import type { LimitName } from './run/limits.ts';
import { messageOf } from './run/message.ts';
import { checkSettings, DEFAULTS, type RunSettings } from './run/settings.ts';
import { ArchiveError } from './research/archive.ts';
import { environmentSnapshot, variableSnapshot } from './research/environment.ts';
import { nodeDisk } from './runlog/disk.ts';
import { runFolder } from './runlog/folder.ts';
import { processTable, thisProcess } from './runlog/machine.ts';
import { isOwned } from './runlog/owner.ts';
import { Egress } from './safety/egress.ts';
import { isLoopback, KeyError, needsKey, OriginError, parseApiKey, parseOrigin } from './safety/origin.ts';
import { RedactionError, Redactor } from './safety/redaction.ts';
import { systemClock } from './run/clock.ts';
import { fitted } from './terminal/columns.ts';
import { snakeCase } from './terminal/json.ts';
import { type FlagName, FLAGS, helpText, Options, UsageError } from './terminal/options.ts';
import { Progress } from './terminal/progress.ts';
import { printable } from './safety/text.ts';
import { FolderWorkspace } from './tools/workspace.ts';

/** The composition root for the terminal. Its contract: exit codes, flags, the last line of stdout with --json. */

declare const BABYAGI_VERSION: string;

const OK = 0;
const FAILED = 1;
const MISCONFIGURED = 2;
const WAITS = 3;

/** The longest sentence that is shown, characters: it may quote what stands in a foreign run folder. */
const SENTENCE = 2000;

const REHEARSAL_LIMITS = { max_iterations: 10, max_cost_usd: 1 } as const;

/** Goes before everything that is said: a sentence may quote what somebody put into the wrong place. */
const redactor = new Redactor();

async function main(): Promise<number> {
  registerSecrets(process.env);
  const options = Options.parse(process.argv.slice(2), process.env);
  registerSecrets(options.variables);
  if (options.isSet('version')) return say(BABYAGI_VERSION);
  if (options.isSet('help') || options.command === '') return say(helpText());
  switch (options.command) {
    case 'run':
      return start(options, 'openai');
    case 'rehearse':
      return start(options, 'rehearsal');
    case 'resume':
      return resume(options);
    case 'forecast':
      return forecast(options);
    case 'verify':
      return verify(options);
    case 'explain':
      return explain(options);
    case 'export':
      return exportRun(options);
    case 'import':
      return importRun(options);
    default:
      throw new UsageError([`There is no command ${JSON.stringify(options.command)}: see --help.`]);
  }
}

async function start(options: Options, provider: 'openai' | 'rehearsal'): Promise<number> {
  // All that is wrong is said at once.
  const check = new Check();
  const settings = check.of(() => settingsOf(options, provider));
  const baseUrl = options.text('base-url') ?? DEFAULTS.baseUrl;
  const origin = check.of(() => originOf(baseUrl));
  const key = check.of(() => {
    const found = keyOf(options);
    if (provider === 'openai' && found === null && origin !== undefined && needsKey(baseUrl))
      throw new UsageError([`There is no API key for ${origin}: set OPENAI_API_KEY.`]);
    return found;
  });
  const prices = check.of(() => pricesOf(options, options.text('model') ?? DEFAULTS.model, baseUrl));
  const promptOverrides = check.of(() => promptsOf(options));
  const parts = check.of(() => hostPartsOf(options));
  if (!settings || !origin || key === undefined || !prices || !promptOverrides || !parts) throw check.error();
  const host = hostOf(options, parts, { key, keyOrigin: origin, allow: [baseUrl] });
  const runsDirectory = resolve(options.text('runs-dir') ?? '.babyagi/runs');
  const session = await startRun(
    settings,
    {
      runsDirectory,
      provider,
      prices,
      promptOverrides,
      snapshot: snapshotOf(options),
    },
    host,
  );
  return follow(session, options);
}

async function resume(options: Options): Promise<number> {
  const directory = folderOperand(options);
  const [{ readRunConfig }, { resumeRun }] = await Promise.all([
    import('./engine/read.ts'),
    import('./engine/resume.ts'),
  ]);
  const { provider, base_url } = (await readRunConfig(nodeDisk, directory)).model;
  const check = new Check();
  const keyOrigin = check.of(() => originOf(options.text('base-url') ?? DEFAULTS.baseUrl));
  const add: Partial<Record<LimitName, number>> = {};
  for (const [flag, limit] of [
    ['add-iterations', 'max_iterations'],
    ['add-cost-usd', 'max_cost_usd'],
    ['add-requests', 'max_requests'],
    ['add-tokens', 'max_tokens'],
    ['add-minutes', 'max_wall_time_minutes'],
  ] as const) {
    check.of(() => {
      const value = options.number(flag);
      if (value === undefined) return;
      if (typeof value !== 'number' || value <= 0)
        throw new UsageError([`--${flag} ${JSON.stringify(value)} is not valid: give a number above 0.`]);
      add[limit] = value;
    });
  }
  const key = check.of(() => keyOf(options));
  const parts = check.of(() => hostPartsOf(options));
  if (!keyOrigin || key === undefined || !parts || check.failed) throw check.error();
  const runOrigin = provider === 'openai' ? originOf(base_url) : keyOrigin;
  if (runOrigin !== keyOrigin && !isLoopback(new URL(base_url).hostname)) {
    throw new UsageError([
      `This run sends its requests, and so the API key, to ${base_url}. If that is right, say so with --base-url ${base_url}.`,
    ]);
  }
  if (key !== null && runOrigin !== keyOrigin) {
    process.stderr.write(
      `The API key is for ${keyOrigin}, so ${runOrigin} is asked without it. If it needs the key, say so with --base-url ${base_url}.\n`,
    );
  }
  const host = hostOf(options, parts, { key, keyOrigin, allow: provider === 'openai' ? [base_url] : [] });
  const session = await resumeRun(
    directory,
    {
      raise: {},
      add,
      byPerson: true,
      approveReview: options.isSet('approve-review') || options.isSet('skip-reviews'),
      unblockTasks: options.isSet('unblock-tasks'),
    },
    host,
  );
  return follow(session, options);
}

async function verify(options: Options): Promise<number> {
  const { verifyRun } = await import('./runlog/verify.ts');
  const directory = folderOperand(options);
  const result = redactor.redactJson(await verifyRun(nodeDisk, directory));
  if (options.isSet('json')) return say(JSON.stringify(snakeCase(result)), result.ok ? OK : FAILED);
  for (const check of result.checks)
    say(`${check.ok ? 'ok  ' : 'BAD '} ${check.name}: ${printable(check.detail, SENTENCE)}`);
  for (const note of result.notes) say(`note ${printable(note, SENTENCE)}`);
  return say(
    result.ok
      ? `${result.events} events, all in order.`
      : `Not in order: ${printable(result.firstProblem ?? '', SENTENCE)}`,
    result.ok ? OK : FAILED,
  );
}

/** A command of its own: the first request of a run does not wait for it. */
async function forecast(options: Options): Promise<number> {
  const { forecastSentence } = await import('./research/forecast.ts');
  const check = new Check();
  const settings = check.of(() => settingsOf(options, 'openai'));
  const baseUrl = options.text('base-url') ?? DEFAULTS.baseUrl;
  const prices = check.of(() => pricesOf(options, options.text('model') ?? DEFAULTS.model, baseUrl));
  const promptOverrides = check.of(() => promptsOf(options));
  if (!settings || !prices || !promptOverrides) throw check.error();
  const host = {
    clock: systemClock,
    redactor,
    distDirectory: __dirname,
    workspace: new FolderWorkspace(process.cwd()),
  };
  const foreseen = await forecastRun(settings, { provider: 'openai', prices, promptOverrides }, host, interruption());
  if (options.isSet('json')) return say(JSON.stringify(snakeCase(foreseen)));
  const { model, rehearsedIterations, answerTokens, priceSource, priceAsOf } = foreseen.basis;
  say(forecastSentence(foreseen));
  return say(
    `From ${rehearsedIterations} rehearsed iterations, results of ${answerTokens} tokens, and the price of ${model} (${priceSource}, ${priceAsOf}).`,
  );
}

async function explain(options: Options): Promise<number> {
  const { explainRun, explanationLines } = await import('./research/explain.ts');
  const directory = folderOperand(options);
  const folder = runFolder(directory);
  const { readRun } = await import('./engine/read.ts');
  const state = await readRun(nodeDisk, directory);
  const [owned, imported] = await Promise.all([
    isOwned(nodeDisk, folder, thisProcess(), processTable),
    nodeDisk.exists(folder.imported),
  ]);
  const explanation = redactor.redactJson(
    explainRun(state, { directory: options.operands[0] ?? directory, owned, imported }),
  );
  if (options.isSet('json')) return say(JSON.stringify(snakeCase(explanation)));
  for (const line of explanationLines(explanation)) say(printable(line, SENTENCE));
  return OK;
}

async function exportRun(options: Options): Promise<number> {
  const { archiveName, exportArchive } = await import('./research/export-archive.ts');
  const [folder, file] = options.operands;
  if (folder === undefined || options.operands.length > 2)
    throw new UsageError(['export takes a run folder and, if you like, the name of the zip.']);
  const directory = resolve(folder);
  const target = resolve(file ?? `${await archiveName(directory)}.zip`);
  const made = await exportArchive(directory, target, {
    signal: interruption(),
    progress: progressOf(`Writing ${target}`),
  });
  const { bytes, sha256, files, leftOut } = made;
  if (options.isSet('json'))
    return say(JSON.stringify({ archive: made.file, bytes, sha256, files, left_out: leftOut }));
  for (const one of leftOut) say(printable(`left out ${one}`, SENTENCE));
  return say(`${made.file}\n${files} files, ${bytes} bytes, sha256 ${sha256}`);
}

async function importRun(options: Options): Promise<number> {
  const { importArchive } = await import('./research/import-archive.ts');
  const [file] = options.operands;
  if (file === undefined || options.operands.length > 1) throw new UsageError(['import takes one zip.']);
  const runsDirectory = resolve(options.text('runs-dir') ?? '.babyagi/runs');
  const { runDirectory, files, sha256 } = await importArchive(resolve(file), runsDirectory, {
    now: Date.now,
    signal: interruption(),
    progress: progressOf(`Reading ${resolve(file)}`),
  });
  if (options.isSet('json')) return say(JSON.stringify({ run_dir: runDirectory, files, sha256 }));
  return say(
    `${runDirectory}\n${files} files. The run can be looked at, not resumed. To check it: node dist/cli.js verify ${runDirectory}`,
  );
}

/** Aborted when somebody presses Ctrl+C or ends the process. */
function interruption(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopping.abort());
  return stopping.signal;
}

/** Draws the share that is done, on a terminal only, and takes it away at the end. */
function progressOf(what: string): (share: number) => void {
  const { stderr } = process;
  let drawn = -1;
  return (share) => {
    const percent = Math.floor(share * 100);
    if (!stderr.isTTY || percent === drawn) return;
    drawn = percent;
    stderr.write(
      percent === 100
        ? '\r\u001b[2K'
        : `\r\u001b[2K${fitted(what, Math.max(10, (stderr.columns || 80) - 7))} ${percent} %`,
    );
  };
}

/** Shows a run until it ends, lets Ctrl+C end it, and asks for reviews where there is somebody to ask. */
async function follow(session: Session, options: Options): Promise<number> {
  const json = options.isSet('json');
  const stream = json ? process.stderr : process.stdout;
  const progress = new Progress(
    {
      isTTY: stream.isTTY,
      get columns() {
        return stream.columns || 80;
      },
      write: (text) => stream.write(text),
    },
    session.state,
    () => session.log.activeMs(),
  );
  progress.print(`Run ${session.state.config.run_id} in ${session.folder.path}`);
  if (session.state.config.model.provider === 'rehearsal') {
    progress.print(
      'Rehearsal: a built-in program answers, no language model. Costs are what the chosen model would cost; nothing is spent.',
    );
  }
  // What takes the question away again: its answer, also by the policy, and the end of the run.
  let over = new AbortController();
  session.subscribe((event) => {
    progress.show(event);
    if (event.type === 'review.requested') answerReview();
    if (event.type === 'review.decided') {
      over.abort();
      progress.resume();
    }
  });
  const answerReview = () => {
    if (!process.stdin.isTTY || options.isSet('skip-reviews')) return;
    progress.pause();
    over = new AbortController();
    const { signal } = over;
    void import('./terminal/review.ts')
      .then(({ askReview }) =>
        askReview(session.state, session.steering, { input: process.stdin, output: stream }, signal),
      )
      .then((how) => how === 'left' && session.stop());
  };
  if (session.state.review) answerReview();
  stopOnSignals(session);
  const outcome = await session.done;
  over.abort();
  progress.close();
  report(outcome, json, stream);
  return exitCodeOf(outcome, session);
}

function stopOnSignals(session: Session): void {
  let asked = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // Asked twice: leave at once. The log is good at any byte, and the run can be resumed.
      if (asked) process.exit(130);
      asked = true;
      session.stop();
    });
  }
}

function report(outcome: Outcome, json: boolean, stream: NodeJS.WriteStream): void {
  // The detail may quote a server.
  stream.write(`Ended: ${outcome.stopReason}. ${printable(outcome.detail, SENTENCE)}\n`);
  stream.write(`Summary: ${join(outcome.runDirectory, 'summary.md')}\n`);
  if (!json) return;
  const { runId, runDirectory, stopReason, iterations, costUsd } = outcome;
  say(JSON.stringify({ run_id: runId, run_dir: runDirectory, stop_reason: stopReason, iterations, cost_usd: costUsd }));
}

function exitCodeOf(outcome: Outcome, session: Session): number {
  switch (outcome.stopReason) {
    case 'error':
    case 'disk_full':
      return FAILED;
    case 'waiting_for_key':
    case 'quarantined':
      return WAITS;
    case 'stopped_at_review':
      return session.state.review ? WAITS : OK;
    case 'objective_complete':
    case 'queue_empty':
    case 'max_iterations':
    case 'max_cost':
    case 'max_requests':
    case 'max_tokens':
    case 'max_wall_time':
    case 'stopped_by_user':
    case 'stalled':
      return OK;
  }
}

function settingsOf(options: Options, provider: 'openai' | 'rehearsal'): RunSettings {
  const rehearsed =
    provider === 'rehearsal' ? REHEARSAL_LIMITS : { max_iterations: undefined, max_cost_usd: undefined };
  const embedding = options.text('embedding-model');
  const checked = checkSettings({
    objective:
      options.operands.length > 0
        ? options.operands.join(' ')
        : options.variables['BABYAGI_OBJECTIVE'] || options.variables['OBJECTIVE'],
    acceptanceCriteria: options.texts('accept'),
    initialTask: options.text('first-task'),
    strategy: options.text('strategy'),
    model: options.text('model'),
    embeddingModel: embedding === 'none' ? null : embedding,
    baseUrl: options.text('base-url'),
    temperature: options.number('temperature'),
    seed: options.number('seed'),
    max_iterations: options.number('max-iterations') ?? rehearsed.max_iterations,
    max_cost_usd: options.number('max-cost-usd') ?? rehearsed.max_cost_usd,
    max_requests: options.number('max-requests'),
    max_tokens: options.number('max-tokens'),
    max_wall_time_minutes: options.number('max-wall-time'),
    task_timeout_seconds: options.number('task-timeout'),
    checkpointEvery: options.number('checkpoint-every'),
    reviewEvery: options.number('review-every'),
    reviewEveryUsd: options.number('review-every-usd'),
    reviewFirstUse: options.isSet('review-first-use'),
    sleepSeconds: options.number('sleep-interval'),
    synthesis: !options.isSet('no-answer'),
  });
  if ('problems' in checked) throw new UsageError(checked.problems);
  return checked.settings;
}

function pricesOf(options: Options, model: string, baseUrl: string) {
  const check = new Check();
  const input = check.of(() => numberFrom(options, 'price-input', 0, MAX_USD_PER_MILLION));
  const output = check.of(() => numberFrom(options, 'price-output', 0, MAX_USD_PER_MILLION));
  if (check.failed) throw check.error();
  const free = options.isSet('free-server') && URL.canParse(baseUrl) ? [new URL(baseUrl).origin] : [];
  if (input === undefined && output === undefined) return { overrides: [], freeOrigins: free };
  if (input === undefined || output === undefined) {
    throw new UsageError([
      '--price-input and --price-output belong together: give both in US dollars per million tokens.',
    ]);
  }
  // An embedding model that has no list price is booked at the same prompt price.
  return { overrides: [model, '*'].map((name) => ({ model: name, input, output })), freeOrigins: free };
}

/** Collects what is wrong in independent parts of the configuration. */
class Check {
  private readonly problems: string[] = [];

  get failed(): boolean {
    return this.problems.length > 0;
  }

  /** What the work gives; undefined where it throws UsageError, whose problems are kept. */
  of<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      this.problems.push(...error.problems);
      return undefined;
    }
  }

  error(): UsageError {
    return new UsageError(this.problems);
  }
}

/** What of a host the options may get wrong. */
function hostPartsOf(options: Options) {
  const check = new Check();
  const webhook = check.of(() => webhookOf(options));
  const perDay = check.of(() => numberFrom(options, 'max-key-usd-per-day', 0.000001, MAX_USD));
  const watchdogSeconds = check.of(() => numberFrom(options, 'watchdog-interval', 0.5, 86_400) ?? 60);
  if (webhook === undefined || watchdogSeconds === undefined || check.failed) throw check.error();
  return { webhook, perDay, watchdogSeconds };
}

interface KeyBinding {
  readonly key: string | null;
  /** The only origin that the key may reach. */
  readonly keyOrigin: string;
  readonly allow: readonly string[];
}

function hostOf(
  options: Options,
  { webhook, perDay, watchdogSeconds }: ReturnType<typeof hostPartsOf>,
  { key, keyOrigin, allow }: KeyBinding,
): Host {
  // The addresses were given by the person at this terminal, so they may be on their own network.
  const egress = new Egress({ allowedOrigins: [], privateOrigins: [...allow, ...(webhook ? [webhook] : [])] });
  const workspace = process.cwd();
  const keyFor = (origin: string) => Promise.resolve(origin === keyOrigin ? key : null);
  return {
    clock: systemClock,
    random: Math.random,
    disk: nodeDisk,
    identity: thisProcess(),
    processes: processTable,
    egress,
    redactor,
    channels: webhook ? [new SlackWebhook(webhook, egress)] : [],
    watchdog: {
      limitMs: 1000 * watchdogSeconds,
      webhook: webhook ? { url: webhook, allowPrivate: true } : null,
    },
    keyFor,
    ...(perDay === undefined
      ? {}
      : {
          ledgerFor: (origin) =>
            new KeyLedgerFile({
              directory: stateDirectory(options),
              key: () => keyFor(origin),
              limitPerDay: picoFromUsd(perDay),
              now: Date.now,
            }),
        }),
    distDirectory: __dirname,
    environment: () =>
      environmentSnapshot({
        distDirectory: __dirname,
        extensionVersion: BABYAGI_VERSION,
        vscodeVersion: null,
        workspace,
      }),
    workspace: new FolderWorkspace(workspace),
    // Nothing in a terminal resumes a pause.
    attended: process.stdin.isTTY ? 'reviews' : false,
    skipReviews: options.isSet('skip-reviews'),
    trace: (message) => {
      const lines = redactor.redact(message).split('\n');
      process.stderr.write(lines.map((line) => `${printable(line, SENTENCE)}\n`).join(''));
    },
  };
}

function numberFrom(options: Options, name: FlagName, least: number, most: number): number | undefined {
  const value = options.number(name);
  if (value === undefined || (typeof value === 'number' && value >= least && value <= most)) return value;
  throw new UsageError([`--${name} ${JSON.stringify(value)} is not valid: give a number from ${least} to ${most}.`]);
}

/** Where this machine keeps what all runs share, outside of every workspace (XDG Base Directory Specification). */
function stateDirectory({ variables }: Options): string {
  const { XDG_STATE_HOME, LOCALAPPDATA } = variables;
  if (process.platform === 'win32' && LOCALAPPDATA) return join(LOCALAPPDATA, 'babyagi');
  return join(
    XDG_STATE_HOME && isAbsolute(XDG_STATE_HOME) ? XDG_STATE_HOME : join(homedir(), '.local', 'state'),
    'babyagi',
  );
}

/** The address is a secret, so a refusal says only what is wrong with it. */
function webhookOf(options: Options): string | null {
  const url = options.variables['BABYAGI_WEBHOOK_URL']?.trim();
  if (!url) return null;
  try {
    parseOrigin(url, { allowPrivate: true });
    return url;
  } catch (error) {
    if (!(error instanceof OriginError)) throw error;
    const why =
      error.reason === 'invalid_url'
        ? 'it is not a complete URL. Write it like https://hooks.slack.com/services/….'
        : error.message;
    throw new UsageError([`BABYAGI_WEBHOOK_URL cannot be used: ${why}`]);
  }
}

/** As they were given: also one that cannot be used is a secret. */
function registerSecrets(variables: Options['variables']): void {
  for (const [variable, name] of [
    ['OPENAI_API_KEY', 'api_key'],
    ['BABYAGI_WEBHOOK_URL', 'webhook'],
  ] as const) {
    try {
      redactor.register(variables[variable] ?? '', name);
    } catch (error) {
      if (!(error instanceof RedactionError)) throw error;
    }
  }
}

function keyOf(options: Options): string | null {
  const text = options.variables['OPENAI_API_KEY'];
  if (text === undefined || text.trim() === '') return null;
  try {
    return parseApiKey(text);
  } catch (error) {
    if (error instanceof KeyError) throw new UsageError([`OPENAI_API_KEY cannot be used: ${error.message}`]);
    throw error;
  }
}

function originOf(baseUrl: string): string {
  try {
    return parseOrigin(baseUrl, { allowPrivate: true }).text;
  } catch (error) {
    if (error instanceof OriginError) throw new UsageError([`The base URL cannot be used: ${error.message}`]);
    throw error;
  }
}

/** `<agent>.md` files that replace built-in prompts. Only the usual folder may be missing. */
function promptsOf(options: Options): Map<string, { text: string; file: string }> {
  const named = options.text('prompts-dir');
  const directory = resolve(named ?? '.babyagi/prompts');
  try {
    if (named === undefined && !existsSync(directory)) return new Map();
    const names = readdirSync(directory).filter((name) => name.endsWith('.md'));
    return new Map(
      names.map((name) => [basename(name, '.md'), { text: readFileSync(join(directory, name), 'utf8'), file: name }]),
    );
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new UsageError([
      `The prompt files in ${directory} cannot be read (${code}): mend it, or name another --prompts-dir.`,
    ]);
  }
}

function snapshotOf(options: Options): Record<string, unknown> {
  const flags = Object.keys(FLAGS) as (keyof typeof FLAGS)[];
  const given = flags.flatMap((name) =>
    options.text(name) === undefined ? [] : [[name, options.text(name)] as const],
  );
  return { flags: Object.fromEntries(given), variables: variableSnapshot(options.variables) };
}

function folderOperand(options: Options): string {
  const [folder] = options.operands;
  if (folder === undefined || options.operands.length > 1)
    throw new UsageError([`${options.command} takes one run folder.`]);
  return resolve(folder);
}

function say(text: string, code: number = OK): number {
  process.stdout.write(`${text}\n`);
  return code;
}

/** What goes wrong anywhere, also where nobody waits for it: in sentences, without secrets, without a stack. */
function fail(error: unknown): void {
  if (error instanceof Error && error.name === 'AbortError') {
    process.stderr.write('Stopped; nothing was left behind.\n');
    process.exit(FAILED);
  }
  const known = error instanceof UsageError || error instanceof EngineError || error instanceof ArchiveError;
  const misused = error instanceof UsageError || (error instanceof EngineError && error.reason === 'configuration');
  const sentences = known ? error.problems : [`An unexpected error: ${messageOf(error)}`];
  process.stderr.write(sentences.map((sentence) => `${printable(redactor.redact(sentence), SENTENCE)}\n`).join(''));
  process.exit(misused ? MISCONFIGURED : FAILED);
}

process.on('uncaughtException', fail);
// Where nobody reads any more, as behind `| head` or in a closed window, a run goes on: it is in its files.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
main().then((code) => {
  process.exitCode = code;
  // Idle keep-alive sockets and timers must not hold the terminal.
  process.stdout.write('', () => process.exit(code));
}, fail);
