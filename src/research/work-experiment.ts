import { join } from 'node:path';
import { picoFromUsd, usdFromPico } from '../budget/money.ts';
import { EngineError, onDisk } from '../engine/engine-error.ts';
import type { Host } from '../engine/host.ts';
import { readConfig } from '../engine/read.ts';
import { resumeRun } from '../engine/resume.ts';
import type { Session } from '../engine/session.ts';
import { makeRunFolder } from '../engine/start.ts';
import type { RunConfig } from '../run/config.ts';
import { isKeyLimit, type StopReason } from '../run/stop-reason.ts';
import { runFolder } from '../runlog/folder.ts';
import { highestOwner, isOwned } from '../runlog/owner-file.ts';
import { nextClaim, putClaim } from './claims.ts';
import { EndedRuns, type Experiment, isResult, placeOf, readExperiment, type Trial } from './experiment.ts';
import type { Claim } from './experiment-folder.ts';
import { isConfiguredAs, trialConfig } from './trial-config.ts';

/** Why a worker ended. */
export type WorkerStop =
  /** Every trial has a result. */
  | 'completed'
  /** The next trial does not fit into what is left of `max_total_cost_usd`. */
  | 'max_cost'
  | 'stopped_by_user'
  /** Nothing more can be sent from here now. */
  | 'waiting_for_key'
  | 'disk_full'
  | 'key_limit'
  /** Trials ended without a result, one after another or at last. */
  | 'error';

export interface WorkerParts {
  readonly host: Host;
  /** How many trials at once. */
  readonly parallel: number;
  /** A run is in progress, for whoever shows its metrics. */
  readonly began: (session: Session) => void;
  readonly told: (news: TrialNews, experiment: Experiment) => void;
  /** Slows a rehearsal down, milliseconds a request. */
  readonly paceMs?: number;
}

/** A trial that ended here, or could not be worked on. */
export interface TrialNews {
  readonly trial: Trial;
  readonly reason: StopReason | null;
  readonly isResult: boolean;
  readonly iterations: number;
  readonly costUsd: number;
  /** What went wrong, where the reason does not say it. */
  readonly problem: string | null;
}

/** How soon a worker without work looks again. */
const LOOK_MS = 1000;
/** Whoever took a trial has this long to own its run folder: it is about to. */
const ABOUT_TO_MS = 3000;
/** So many trials in a row without a result are no accident. */
const MOST_FAILURES = 3;

type Step = { readonly trial: Trial; readonly claim: Claim } | 'wait' | 'over';

/**
 * Takes the trials of an experiment, one after another or several at once, until none is left. Any number of workers may do so
 * in one folder, on any machines: a claim gives a trial to one of them, the ownership of its run folder holds it.
 */
export class ExperimentWorker {
  private readonly directory: string;
  private readonly parts: WorkerParts;
  private readonly known = new EndedRuns();
  private before: Experiment | null = null;
  private readonly sessions = new Set<Session>();
  private readonly working = new Set<string>();
  /** Trials that had ended without a result when this worker began, with their epochs: each is tried once more. */
  private again: ReadonlyMap<string, number> = new Map();
  /** Trials that were found taken and not owned, and when. */
  private readonly unowned = new Map<string, number>();
  /** Trials that cannot be worked on here. */
  private readonly broken = new Set<string>();
  private environment: RunConfig['environment'] | null = null;
  private choosing: Promise<unknown> = Promise.resolve();
  private failures = 0;
  /** The next trial does not fit. */
  private isShort = false;
  private ends: WorkerStop | null = null;
  private readonly stopping = new AbortController();
  private readonly stopped = new Promise<null>((resolve) => {
    this.stopping.signal.addEventListener('abort', () => resolve(null), { once: true });
  });

  constructor(directory: string, parts: WorkerParts) {
    this.directory = directory;
    this.parts = parts;
  }

  /** Throws EngineError where the folder cannot be read or written. */
  async work(): Promise<WorkerStop> {
    const { folder, trials } = await this.read();
    if (await this.parts.host.disk.exists(folder.imported))
      throw new EngineError('imported', (translated) => [
        translated('{0} came from an archive: the experiment can be looked at, not worked on.', folder.path),
      ]);
    this.again = new Map(
      trials.flatMap((trial) =>
        trial.progress.state === 'ended' && !trial.progress.isResult
          ? [[placeOf(trial), trial.progress.run.epoch] as const]
          : [],
      ),
    );
    const taken = await Promise.allSettled(Array.from({ length: this.parts.parallel }, () => this.takeTrials()));
    const failed = taken.find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
    return this.ends ?? this.ending(await this.read());
  }

  /** Ends the runs under way; another worker, or this one later, goes on with them. */
  stop(by: 'person' | 'signal'): void {
    this.ends = 'stopped_by_user';
    this.stopping.abort();
    for (const session of this.sessions) session.stop(by);
  }

  /** Lets go of the runs under way without ending them, as when a window closes: another worker goes on with them. */
  async letGo(): Promise<void> {
    this.ends = 'stopped_by_user';
    this.isLettingGo = true;
    this.stopping.abort();
    await Promise.all([...this.sessions].map((session) => session.abandon()));
  }
  private isLettingGo = false;

  private async takeTrials(): Promise<void> {
    try {
      while (this.ends === null) {
        const step = await this.alone(() => this.next());
        if (step === 'over') return;
        if (step === 'wait') await this.pause();
        else await this.run(step.trial, step.claim);
      }
    } catch (error) {
      // Nothing more is begun; what is under way was admitted, and ends as it would have.
      this.ends ??= 'error';
      throw error;
    }
  }

  /** Trials are chosen one at a time: what is being begun here is known. */
  private async alone(choose: () => Promise<Step>): Promise<Step> {
    const chosen = this.choosing.then(choose);
    this.choosing = chosen.catch(() => {});
    return chosen;
  }

  private async next(): Promise<Step> {
    while (this.ends === null) {
      const experiment = await this.read();
      const others = experiment.trials.filter((trial) => isOpen(trial) && this.isAble(trial));
      for (const trial of others) {
        if (trial.claim !== null && (await this.isLeft(trial))) return this.begin(trial, trial.claim);
      }
      const wanted = this.wanted(experiment);
      if (wanted === undefined) {
        if (others.length === 0 && this.working.size === 0) return 'over';
        return (await this.silent(others)) ?? 'wait';
      }
      const claim = nextClaim(experiment, wanted, Date.now(), await this.here());
      if (claim === null) {
        // What is under way may cost less than it may.
        this.isShort = others.length === 0 && this.working.size === 0;
        if (this.isShort) return 'over';
        return (await this.silent(others)) ?? 'wait';
      }
      const { disk } = this.parts.host;
      if (await onDisk(experiment.folder.claims, () => putClaim(disk, experiment.folder, claim)))
        return this.begin({ ...wanted, directory: join(experiment.folder.runs, claim.run) }, claim);
    }
    return 'over';
  }

  /** The first trial that ended without a result before this worker began; else the first that nobody has taken. */
  private wanted({ trials }: Experiment): Trial | undefined {
    const failed = trials.find(
      (trial) =>
        trial.progress.state === 'ended' &&
        !trial.progress.isResult &&
        this.again.get(placeOf(trial)) === trial.progress.run.epoch &&
        this.isAble(trial),
    );
    return failed ?? trials.find(({ progress }) => progress.state === 'waiting');
  }

  /** Neither under way here, nor found to be impossible. */
  private isAble(trial: Trial): boolean {
    const place = placeOf(trial);
    return !this.working.has(place) && !this.broken.has(place);
  }

  private begin(trial: Trial, claim: Claim): Step {
    this.working.add(placeOf(trial));
    return { trial, claim };
  }

  /** Whether whoever took the trial is certainly gone. */
  private async isLeft(trial: Trial): Promise<boolean> {
    const { disk, identity, processes } = this.parts.host;
    const place = placeOf(trial);
    if (trial.directory === null) return false;
    const folder = runFolder(trial.directory);
    if ((await highestOwner(disk, folder).catch(() => 0)) > 0) {
      this.unowned.delete(place);
      return !(await isOwned(disk, folder, identity, processes));
    }
    const since = this.unowned.get(place) ?? performance.now();
    this.unowned.set(place, since);
    return performance.now() - since >= ABOUT_TO_MS;
  }

  /** A trial of somebody else, to see whether that one still lives: who does says so within seconds. */
  private async silent(others: readonly Trial[]): Promise<Step | null> {
    const able = others.filter((trial) => !this.unowned.has(placeOf(trial)));
    const trial = able[this.looks++ % Math.max(able.length, 1)];
    return trial?.claim ? this.begin(trial, trial.claim) : null;
  }
  private looks = 0;

  private async run(trial: Trial, claim: Claim): Promise<void> {
    try {
      const session = await this.unlessStopped(this.open(trial, claim));
      if (session === null) return;
      this.sessions.add(session);
      this.parts.began(session);
      await session.done;
      this.sessions.delete(session);
      await this.ended(trial, session);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      // Somebody else has it, or has had it: what comes of it is read from its log.
      if (error.reason === 'owned_elsewhere' || error.reason === 'has_ended') return;
      this.broken.add(placeOf(trial));
      this.failures += 1;
      await this.tell({ trial, reason: null, isResult: false, iterations: 0, costUsd: 0, problem: error.message });
      if (this.failures >= MOST_FAILURES) this.ends ??= 'error';
    } finally {
      this.working.delete(placeOf(trial));
    }
  }

  /** Goes on with no run but what was admitted: its folder may have been written by anybody meanwhile. */
  private async open({ progress }: Trial, claim: Claim): Promise<Session> {
    const { host } = this.parts;
    const { folder, record, claims } = await this.read();
    // The first of its claims made the run.
    const config = trialConfig(record, claims.find(({ run }) => run === claim.run) ?? claim);
    const path = join(folder.runs, claim.run);
    await onDisk(path, async () => {
      if (!(await host.disk.exists(runFolder(path).config))) await makeRunFolder(config, folder.runs, host);
    });
    const { config: made } = await readConfig(host.disk, runFolder(path));
    if (!isConfiguredAs(host.redactor.redactJson(config), made))
      throw new EngineError('damaged', (translated) => [
        translated('The run in {0} is not configured as its experiment says: it is left alone.', path),
      ]);
    const cap = ('run' in progress ? progress.run.limits : config.limits).max_cost_usd;
    if (picoFromUsd(cap) > picoFromUsd(claim.max_cost_usd))
      throw new EngineError('damaged', (translated) => [
        translated(
          'The run in {0} may cost {1} US dollars, and {2} were admitted: it is left alone.',
          path,
          cap,
          claim.max_cost_usd,
        ),
      ]);
    const { paceMs } = this.parts;
    const options = {
      raise: {},
      byPerson: claim.resumes !== null,
      unlessEndedAfter: claim.resumes?.after_epoch ?? 0,
      ...(paceMs !== undefined && { paceMs }),
    };
    return resumeRun(path, options, host);
  }

  private async unlessStopped(opening: Promise<Session>): Promise<Session | null> {
    const session = await Promise.race([opening, this.stopped]);
    // One that is opened too late ends at once, as the others do.
    if (session === null)
      void opening.then((late) => (this.isLettingGo ? late.abandon() : late.stop('signal'))).catch(() => {});
    return session;
  }

  private async ended(trial: Trial, { state }: Session): Promise<void> {
    const { end } = state;
    // Another worker went on with it.
    if (end === null) return;
    const good = isResult(state);
    await this.tell({
      trial,
      reason: end.reason,
      isResult: good,
      iterations: state.iteration,
      costUsd: usdFromPico(state.money.settled + state.money.held),
      problem: end.error?.class ?? null,
    });
    this.failures = good ? 0 : this.failures + 1;
    if (good) return;
    if (end.reason === 'waiting_for_key' || end.reason === 'disk_full') this.ends ??= end.reason;
    else if (isKeyLimit(end)) this.ends ??= 'key_limit';
    else if (this.failures >= MOST_FAILURES) this.ends ??= 'error';
  }

  private async tell(news: TrialNews): Promise<void> {
    this.parts.told(news, await this.read());
  }

  private ending({ trials }: Experiment): WorkerStop {
    if (trials.every(({ progress }) => progress.state === 'ended' && progress.isResult)) return 'completed';
    return this.isShort ? 'max_cost' : 'error';
  }

  private async here(): Promise<RunConfig['environment']> {
    return (this.environment ??= await this.parts.host.environment());
  }

  private async read(): Promise<Experiment> {
    const { disk } = this.parts.host;
    return (this.before = await readExperiment(disk, this.directory, this.known, this.before));
  }

  private async pause(): Promise<void> {
    await this.parts.host.clock.sleep(LOOK_MS, this.stopping.signal).catch(() => {});
  }
}

function isOpen({ progress }: Trial): boolean {
  return progress.state === 'claimed' || progress.state === 'open';
}
