import { createHash } from 'node:crypto';
import type { StrategyParts } from '../agents/context.ts';
import { synthesize } from '../agents/synthesis.ts';
import { usdFromPico } from '../budget/money.ts';
import { RunMemory } from '../memory/run-memory.ts';
import { Outbox } from '../notify/outbox.ts';
import { Watchdog } from '../notify/watchdog.ts';
import type { EventDraft, RunEvent } from '../run/events.ts';
import { runLoop } from '../run/loop.ts';
import { messageOf } from '../run/message.ts';
import { kindOfEnd, type NoticeKind } from '../run/notice.ts';
import { type LanguageModel, RunLost, type Tokens } from '../run/ports.ts';
import type { Call, RunState, Task } from '../run/state.ts';
import { Steering } from '../run/steer.ts';
import { type Ending, endingEvents, endingNotice } from '../run/stop.ts';
import type { Strategy } from '../run/strategy.ts';
import type * as exitFilesModule from '../runlog/exit-files.ts';
import type { RunFolder } from '../runlog/folder.ts';
import type { Ownership } from '../runlog/owner.ts';
import type { LogEnd } from '../runlog/reader.ts';
import { redactDraft } from '../runlog/redact-draft.ts';
import { LogWriter } from '../runlog/writer.ts';
import type { OutputWriter } from '../tools/output.ts';
import { assemble } from './assembly.ts';
import { closesWithAnswer, endingOf } from './ending.ts';
import type { Host, Outcome } from './host.ts';
import { modelFor } from './model.ts';
import { owning } from './owning.ts';
import { tokensFor } from './run-tokens.ts';

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
  private readonly strategy: Strategy;
  private outcome: Promise<Outcome> | null = null;
  private output: OutputWriter | null = null;
  /** Loaded after the first answer: not before the first request, nor at the end, when an update may have removed it. */
  private exitFiles: Promise<typeof exitFilesModule> | null = null;

  private constructor(host: Host, folder: RunFolder, log: LogWriter, model: LanguageModel, tokens: Tokens) {
    this.host = host;
    this.folder = folder;
    this.log = log;
    this.steering = new Steering(log);
    const { clock, random } = host;
    const { state } = log;
    const memory = new RunMemory(state);
    log.observe((event) => memory.apply(event));
    const stopLooking = log.subscribe(({ type }) => {
      if (type !== 'call.settled') return;
      stopLooking();
      this.loadExitFiles().catch(() => undefined);
    });
    this.outbox = new Outbox(log, host.channels, clock, random);
    const { provider, base_url } = state.config.model;
    const ledger = provider === 'openai' ? (host.ledgerFor?.(new URL(base_url).origin) ?? null) : null;
    const callerParts = { log, model, tokens, clock, random, signal: this.stopping.signal, ledger };
    ({ parts: this.parts, strategy: this.strategy } = assemble(callerParts, memory));
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
    this.log.append(...first, ...this.beginning());
    this.outcome ??= this.run();
  }

  /**
   * Ends the run at once, whatever it is doing; it can be resumed. A pending review is answered by it, but for a stop by
   * `signal`: the system ends a process, and no person has looked.
   */
  stop(by: 'person' | 'signal' = 'person'): void {
    this.stopping.abort();
    if (by === 'signal') return;
    try {
      this.steering.stop();
    } catch (error) {
      // A log that takes nothing more ends the run, too.
      if (!(error instanceof RunLost)) throw error;
    }
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
    const patienceMs = this.abandoned ? 0 : this.stopping.signal.aborted ? 500 : 5000;
    // Side by side: a run that waits for its channels is not one that goes on past its time.
    await Promise.all([this.outbox.close(patienceMs), watchdog?.stop(patienceMs)]);
    await this.log.close();
    const { state } = this;
    const { left } = this.outbox;
    if (left > 0 && !this.abandoned)
      this.host.trace(`Notices that did not go out in time: ${left}. They do when the run is resumed.`);
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

  private beginning(): ReturnType<Outbox['notice']> {
    const { iteration, epoch, limits } = this.state;
    return epoch === 1
      ? this.noticeOf('started', `The run begins, with an iteration limit of ${limits.max_iterations}.`)
      : this.noticeOf('resumed', `The run goes on after iteration ${iteration} of ${limits.max_iterations}.`);
  }

  /** Whoever runs several must see which one it is. */
  private noticeOf(kind: NoticeKind, text: string): ReturnType<Outbox['notice']> {
    return this.outbox.notice(kind, `BabyAGI: ${text} Objective: ${this.state.config.objective}`);
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
    const { host, log, strategy, folder } = this;
    try {
      return await runLoop({
        log,
        strategy,
        clock: host.clock,
        signal: this.stopping.signal,
        attended: host.attended,
        skipReviews: host.skipReviews ?? false,
        noticeOf: (kind, text) => this.noticeOf(kind, text),
        keepFiles: (task, result) => this.keepFiles(task, result),
        saveCheckpoint: async (iteration) => {
          const { saveCheckpoint } = await import('../runlog/checkpoint.ts');
          await saveCheckpoint(host.disk, folder, log, iteration, host.trace);
        },
      });
    } catch (error) {
      return endingOf(error, host.trace);
    }
  }

  /** The sandbox is made for the first file; most runs have none. */
  private async keepFiles(task: Task, result: Call): Promise<void> {
    if (!result.answer?.includes('file:')) return;
    const { OutputWriter, outputSandbox } = await import('../tools/output.ts');
    this.output ??= new OutputWriter(this.log, outputSandbox(this.state, this.folder.output, process.platform));
    await this.output.keep(task, result);
  }

  /** The answer, the last events, and the files that every exit leaves. Gives the ending, which the disk may yet change. */
  private async finish(wanted: Ending): Promise<Ending | null> {
    const { host, folder } = this;
    const trace = (error: unknown) => host.trace(`The end of the run could not be written: ${messageOf(error)}`);
    let ending: Ending | null = wanted;
    let logged = true;
    try {
      if (closesWithAnswer(this.state, wanted, this.stopping.signal)) await synthesize(this.parts);
      await this.logEnd(wanted);
    } catch (error) {
      ending = host.redactor.redactJson(endingOf(error, host.trace));
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
    await this.loadExitFiles()
      .then(({ writeExitFiles }) => writeExitFiles(host.disk, folder, this.state, logged ? null : ending))
      .catch(trace);
    return ending;
  }

  private loadExitFiles(): Promise<typeof exitFilesModule> {
    return (this.exitFiles ??= import('../runlog/exit-files.ts'));
  }

  private async logEnd(ending: Ending): Promise<void> {
    const { log, outbox } = this;
    log.append(
      ...endingEvents(log.state, ending, log.activeMs()),
      ...outbox.notice(kindOfEnd(ending.reason, log.state.review !== null), endingNotice(log.state, ending)),
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
      const { readState } = await import('./read.ts');
      this.log = await owning(folder, host, async (ownership) => {
        const { state, end } = await readState(disk, folder, log.state.config);
        return log.successor(ownership, state, end);
      });
      this.outbox = new Outbox(this.log, host.channels, clock, host.random);
    }
    await this.logEnd(ending);
  }
}
