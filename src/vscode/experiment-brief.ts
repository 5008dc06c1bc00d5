import { picoFromUsd, usdFromPico } from '../budget/money.ts';
import { committed, type Experiment, spentBy, type Trial } from '../research/experiment.ts';
import type { VariantSettings } from '../research/experiment-file.ts';
import type { Limits } from '../run/limits.ts';
import type { StopReason } from '../run/stop-reason.ts';

/**
 * How an experiment stands, as a list shows it. `working`: in this window; `elsewhere`: in another process; `incomplete`:
 * trials are left, and nobody is at them; `short`: the next one does not fit into the cap of the whole.
 */
export type ExperimentStatus = 'working' | 'elsewhere' | 'incomplete' | 'short' | 'completed' | 'imported';

/** `claimed`: taken, and about to begin; `running`: in this window; `no_result`: it ended, and says nothing of its variant. */
export type TrialStatus =
  | 'waiting'
  | 'claimed'
  | 'running'
  | 'elsewhere'
  | 'interrupted'
  | 'result'
  | 'no_result'
  | 'unreadable';

export interface TrialBrief {
  readonly trial: number;
  readonly seed: number;
  readonly status: TrialStatus;
  /** Of its run, and the folder of that; null: nobody has taken it. */
  readonly runId: string | null;
  readonly directory: string | null;
  readonly reason: StopReason | null;
  readonly iterations: number;
  /** Settled and held, US dollars. */
  readonly spentUsd: number;
  /** Why its log cannot be read. */
  readonly problem: string | null;
}

export interface VariantBrief {
  readonly name: string;
  /** What the file says of it alone. */
  readonly settings: VariantSettings;
  readonly limits: Limits;
  readonly model: string;
  /** In the order of their numbers. */
  readonly trials: readonly TrialBrief[];
}

/** The figures of an experiment that the view shows. */
export interface ExperimentBrief {
  readonly id: string;
  readonly name: string;
  readonly hypothesis: string | null;
  readonly objective: string;
  readonly rehearsal: boolean;
  readonly status: ExperimentStatus;
  readonly spentUsd: number;
  readonly totalUsd: number;
  /** The first one is the baseline. */
  readonly variants: readonly VariantBrief[];
}

/** Who is at it, which the folder does not say. */
export interface AtWork {
  /** A worker of this window is. */
  readonly here: boolean;
  readonly imported: boolean;
  readonly isOwned: (runDirectory: string) => Promise<boolean>;
  /** The run is in progress in this window. */
  readonly isOwn: (runId: string) => boolean;
}

export async function experimentBrief(experiment: Experiment, at: AtWork): Promise<ExperimentBrief> {
  const { record, trials } = experiment;
  const { spec } = record;
  const briefs = new Map<Trial, TrialBrief>();
  for (const trial of trials) briefs.set(trial, await trialBrief(trial, at));
  return {
    id: record.experiment_id,
    name: spec.name,
    hypothesis: spec.hypothesis ?? null,
    objective: spec.objective,
    rehearsal: record.provider === 'rehearsal',
    status: statusOf(experiment, [...briefs.values()], at),
    spentUsd: usdFromPico(spentBy(trials)),
    totalUsd: spec.max_total_cost_usd,
    variants: spec.variants.flatMap(({ name, settings }) => {
      const config = record.variants.find((variant) => variant.name === name)?.config;
      if (config === undefined) return [];
      const own = [...briefs].filter(([trial]) => trial.variant === name).map(([, brief]) => brief);
      return {
        name,
        settings,
        limits: config.limits,
        model: config.model.requested,
        trials: own.sort((one, other) => one.trial - other.trial),
      };
    }),
  };
}

async function trialBrief({ trial, seed, claim, directory, progress }: Trial, at: AtWork): Promise<TrialBrief> {
  const run = 'run' in progress ? progress.run : null;
  return {
    trial,
    seed,
    status: await trialStatus(progress, claim?.run_id ?? '', directory ?? '', at),
    runId: claim?.run_id ?? null,
    directory,
    reason: progress.state === 'ended' ? progress.reason : null,
    iterations: run?.figures.iterations ?? 0,
    spentUsd: run === null ? 0 : usdFromPico(run.spent),
    problem: progress.state === 'unreadable' ? progress.why : null,
  };
}

async function trialStatus(
  progress: Trial['progress'],
  runId: string,
  directory: string,
  { here, isOwn, isOwned }: AtWork,
): Promise<TrialStatus> {
  switch (progress.state) {
    case 'waiting':
    case 'unreadable':
      return progress.state;
    case 'ended':
      return progress.isResult ? 'result' : 'no_result';
    case 'open':
    case 'claimed':
      if (isOwn(runId)) return 'running';
      if (await isOwned(directory)) return 'elsewhere';
      return here ? 'claimed' : 'interrupted';
    default:
      return progress satisfies never;
  }
}

function statusOf(
  { record, trials }: Experiment,
  briefs: readonly TrialBrief[],
  { here, imported }: AtWork,
): ExperimentStatus {
  const some = (status: TrialStatus) => briefs.some((brief) => brief.status === status);
  if (imported) return 'imported';
  if (here) return 'working';
  if (some('elsewhere')) return 'elsewhere';
  if (briefs.every(({ status }) => status === 'result')) return 'completed';
  const next = trials.find(({ progress }) => progress.state === 'waiting');
  const cap = record.variants.find(({ name }) => name === next?.variant)?.config.limits.max_cost_usd;
  if (cap === undefined || some('interrupted') || some('no_result')) return 'incomplete';
  const all = trials.reduce((sum, trial) => sum + committed(trial), picoFromUsd(cap));
  return all > picoFromUsd(record.spec.max_total_cost_usd) ? 'short' : 'incomplete';
}
