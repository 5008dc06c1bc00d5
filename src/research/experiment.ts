import { dirname, join } from 'node:path';
import type * as z from 'zod';
import { picoFromUsd, type Pico } from '../budget/money.ts';
import { EngineError } from '../engine/engine-error.ts';
import { readConfig, readState } from '../engine/read.ts';
import type { RunConfig } from '../run/config.ts';
import { issueWords } from '../run/issue-words.ts';
import { jsonOrNull } from '../run/json.ts';
import type { Limits } from '../run/limits.ts';
import { messageOf } from '../run/message.ts';
import type { RunState } from '../run/state.ts';
import { isKeyLimit, type StopReason } from '../run/stop-reason.ts';
import type { Disk } from '../runlog/disk.ts';
import { runFolder, sixDigits } from '../runlog/folder.ts';
import type { LogEnd } from '../runlog/reader.ts';
import { figuresOf, type RunFigures } from './compare.ts';
import { Claim, type ExperimentFolder, experimentFolder, ExperimentRecord } from './experiment-folder.ts';
import { type PlannedTrial, trialOrder } from './trial-order.ts';

/** An experiment as its folder has it now. The logs of the runs are the truth; this is a projection of them. */
export interface Experiment {
  readonly folder: ExperimentFolder;
  readonly record: ExperimentRecord;
  /** By their numbers, from 1. */
  readonly claims: readonly Claim[];
  /** In the order in which they are taken. */
  readonly trials: readonly Trial[];
}

export interface Trial extends PlannedTrial {
  /** The last one of this trial; null: nobody has taken it. */
  readonly claim: Claim | null;
  /** Its run folder, which may not be there yet; null: nobody has taken it. */
  readonly directory: string | null;
  readonly progress: TrialProgress;
}

export type TrialProgress =
  /** Nobody has taken it. */
  | { readonly state: 'waiting' }
  /** It was taken, and there is no log yet. */
  | { readonly state: 'claimed' }
  /** Its run is in progress, or was interrupted: who owns the run folder knows. */
  | { readonly state: 'open'; readonly run: TrialRun }
  /** `isResult`: by what its variant does, and not by the server or the machine. */
  | { readonly state: 'ended'; readonly run: TrialRun; readonly reason: StopReason; readonly isResult: boolean }
  /** Its log cannot be read. */
  | { readonly state: 'unreadable'; readonly why: string };

/** Of a run what an experiment needs: the states of hundreds of runs would not fit into memory. */
export interface TrialRun {
  readonly config: RunConfig;
  /** As they are now. */
  readonly limits: Limits;
  /** How many owners the run has had. */
  readonly epoch: number;
  readonly stopReason: StopReason | null;
  /** Whether its end is a result of its variant. */
  readonly isResult: boolean;
  /** Settled and held. */
  readonly spent: Pico;
  readonly figures: RunFigures;
  /** The last event of its log, and the hash of its chain there. */
  readonly end: LogEnd;
}

/** More than 20 variants of prompts of the largest size. */
const MOST_RECORD_BYTES = 16 * 1024 * 1024;
const MOST_CLAIM_BYTES = 256 * 1024;
const CLAIM_NAME = /^\d{6}\.json$/;

/** The experiment folders below a folder, the newest first. None where it is not there. */
export async function listExperiments(disk: Disk, experimentsDirectory: string): Promise<string[]> {
  const names = await disk.list(experimentsDirectory).catch(() => [] as string[]);
  const folders = names
    .filter((name) => /^\d{8}T\d{6}Z-/.test(name))
    .sort()
    .reverse()
    .map((name) => join(experimentsDirectory, name));
  const are = await Promise.all(folders.map((path) => isExperiment(disk, path)));
  return folders.filter((_, index) => are[index]);
}

export async function isExperiment(disk: Disk, directory: string): Promise<boolean> {
  return disk.exists(experimentFolder(directory).record).catch(() => false);
}

/** The experiment that a run folder is a trial of; null: none. */
export async function experimentOf(disk: Disk, runDirectory: string): Promise<string | null> {
  const runs = dirname(runDirectory);
  const directory = dirname(runs);
  return runs === experimentFolder(directory).runs && (await isExperiment(disk, directory)) ? directory : null;
}

/**
 * Throws EngineError where the folder is no experiment, or not one that this version can read. `known` and `before`, the same
 * experiment as it was read before, spare whoever looks again and again most of the reading.
 */
export async function readExperiment(
  disk: Disk,
  directory: string,
  known = new EndedRuns(),
  before: Experiment | null = null,
): Promise<Experiment> {
  const folder = experimentFolder(directory);
  const record = before?.record ?? (await readRecord(disk, folder));
  const order = trialOrder(record.spec);
  const claims = await readClaims(disk, folder, before?.claims);
  const foreign = firstForeign(claims, order);
  if (foreign)
    throw damaged(folder, (translated) =>
      translated('{0} does not go with the claims before it', `claims/${sixDigits(foreign.number)}.json`),
    );
  const last = new Map(claims.map((claim) => [placeOf(claim), claim]));
  const trials: Trial[] = [];
  for (const planned of order) {
    const claim = last.get(placeOf(planned)) ?? null;
    const runDirectory = claim && join(folder.runs, claim.run);
    const progress = claim === null ? WAITING : await progressOf(disk, folder, claim, known);
    trials.push({ ...planned, claim, directory: runDirectory, progress });
  }
  return { folder, record, claims, trials };
}

export async function readRecord(disk: Disk, folder: ExperimentFolder): Promise<ExperimentRecord> {
  const content = await disk.read(folder.record, MOST_RECORD_BYTES).then(String, () => {
    throw new EngineError('not_an_experiment', (translated) => [
      translated('{0} is not an experiment folder: it has no experiment.json that can be read.', folder.path),
    ]);
  });
  return parsed(folder.record, content, ExperimentRecord);
}

/** Throws EngineError where one is damaged or missing: then it is not known what may still be spent. */
async function readClaims(disk: Disk, folder: ExperimentFolder, before: readonly Claim[] = []): Promise<Claim[]> {
  const names = (await disk.list(folder.claims).catch(() => [] as string[])).filter((name) => CLAIM_NAME.test(name));
  const claims: Claim[] = [];
  for (const [index, name] of names.sort().entries()) {
    const file = join(folder.claims, name);
    if (name !== `${sixDigits(index + 1)}.json`)
      throw damaged(folder, (translated) => translated('{0} is missing', `claims/${sixDigits(index + 1)}.json`));
    const claim = before[index] ?? parsed(file, await claimText(disk, folder, file), Claim);
    if (claim.number !== index + 1)
      throw damaged(folder, (translated) => translated('{0} has another number', `claims/${name}`));
    claims.push(claim);
  }
  return claims;
}

/** New trials are taken in their order, each once; one that is taken again is the same run. The first claim that is otherwise. */
function firstForeign(claims: readonly Claim[], order: readonly PlannedTrial[]): Claim | null {
  const begun = new Map<string, Claim>();
  const runs = new Set<string>();
  for (const claim of claims) {
    const place = placeOf(claim);
    if (claim.resumes !== null) {
      const first = begun.get(place);
      if (first?.run !== claim.run || first.run_id !== claim.run_id) return claim;
      continue;
    }
    const planned = order[begun.size];
    if (planned === undefined || placeOf(planned) !== place || runs.has(claim.run)) return claim;
    begun.set(place, claim);
    runs.add(claim.run);
  }
  return null;
}

/** Ends by the server, the machine or a person: they say nothing of the variant. `worker` goes on with such a run. */
const NO_RESULT: ReadonlySet<StopReason> = new Set([
  'error',
  'waiting_for_key',
  'stopped_by_user',
  'stopped_at_review',
  'disk_full',
  'quarantined',
]);

/** Whether the end of a run is a result of its variant. The daily limit of a key is none. */
export function isResult({ end }: Pick<RunState, 'end'>): boolean {
  return end !== null && !NO_RESULT.has(end.reason) && !isKeyLimit(end);
}

/** The most that the run of a trial may cost in the end, as its log and its claim say. */
export function committed({ claim, progress }: Pick<Trial, 'claim' | 'progress'>): Pico {
  if (claim === null) return 0n;
  const claimed = picoFromUsd(claim.max_cost_usd);
  if (progress.state === 'ended') return progress.run.spent;
  if (progress.state !== 'open') return claimed;
  const cap = picoFromUsd(progress.run.limits.max_cost_usd);
  return cap > claimed ? cap : claimed;
}

/** What the experiment has cost by now. */
export function spentBy(trials: readonly Trial[]): Pico {
  return trials.reduce((sum, { progress }) => sum + ('run' in progress ? progress.run.spent : 0n), 0n);
}

/** Runs that have ended, so that whoever looks again and again need not read them again. */
export class EndedRuns {
  private readonly runs = new Map<string, { readonly segments: number; readonly run: TrialRun }>();

  async read(disk: Disk, directory: string): Promise<TrialRun | null> {
    const folder = runFolder(directory);
    // Whoever goes on with a run opens a segment.
    const segments = (await disk.list(folder.log).catch(() => [] as string[])).length;
    if (segments === 0) return null;
    const known = this.runs.get(directory);
    if (known?.segments === segments) return known.run;
    const { config } = await readConfig(disk, folder);
    const { state, end } = await readState(disk, folder, config);
    if (end === null) return null;
    const stopReason = state.status === 'ended' ? (state.end?.reason ?? null) : null;
    const run: TrialRun = {
      config,
      limits: { ...state.limits },
      epoch: state.epoch,
      stopReason,
      isResult: stopReason !== null && isResult(state),
      spent: state.money.settled + state.money.held,
      figures: figuresOf(state),
      end,
    };
    if (stopReason !== null) this.runs.set(directory, { segments, run });
    return run;
  }
}

const WAITING: TrialProgress = { state: 'waiting' };

/** Which trial of which variant it is. */
export function placeOf({ variant, trial }: Pick<PlannedTrial, 'variant' | 'trial'>): string {
  return `${trial} ${variant}`;
}

async function progressOf(
  disk: Disk,
  { runs }: ExperimentFolder,
  claim: Claim,
  known: EndedRuns,
): Promise<TrialProgress> {
  try {
    const run = await known.read(disk, join(runs, claim.run));
    if (run === null) return { state: 'claimed' };
    const { stopReason: reason, isResult: is } = run;
    // An end that was there when the trial was taken once more does not count any more.
    return reason !== null && run.epoch > (claim.resumes?.after_epoch ?? 0)
      ? { state: 'ended', run, reason, isResult: is }
      : { state: 'open', run };
  } catch (error) {
    return { state: 'unreadable', why: messageOf(error) };
  }
}

async function claimText(disk: Disk, folder: ExperimentFolder, file: string): Promise<string> {
  return disk.read(file, MOST_CLAIM_BYTES).then(String, () => {
    throw damaged(folder, (translated) => translated('{0} cannot be read', file));
  });
}

function parsed<T>(file: string, content: string, schema: z.ZodType<T>): T {
  const value = schema.safeParse(jsonOrNull(content), { reportInput: true });
  if (value.success) return value.data;
  const { error } = value;
  throw new EngineError('damaged', (translated) => [
    translated('{0} is not what an experiment writes there: {1}.', file, issueWords(error, translated)),
  ]);
}

function damaged(folder: ExperimentFolder, what: EngineError['words']): EngineError {
  return new EngineError('damaged', (translated) => [
    translated('The experiment in {0} is damaged: {1}.', folder.path, what(translated)),
  ]);
}
