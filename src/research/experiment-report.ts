import { usdFromPico } from '../budget/money.ts';
import { BUILD } from '../run/version.ts';
import { differencesOf, type Comparison, type RunFigures } from './compare.ts';
import { pausing } from '../runlog/pause.ts';
import { type Experiment, spentBy, type Trial } from './experiment.ts';
import { type Metric, METRICS } from './metrics-of-runs.ts';
import {
  bootstrapInterval,
  cliffsDelta,
  describe,
  type Description,
  holm,
  type Interval,
  mean,
  signFlip,
  sizeOf,
} from './statistics.ts';

/** report.json: what an experiment has shown by now. Made of its folder alone, so that the same folder gives the same bytes. */
export interface ExperimentReport {
  readonly format_version: 1;
  /** The program that reckoned it. */
  readonly version: string;
  readonly experiment_id: string;
  readonly name: string;
  readonly hypothesis: string | null;
  readonly created_at: string;
  readonly file_sha256: string;
  readonly max_total_cost_usd: number;
  /** Settled and held, of all runs, also of those without a result. */
  readonly cost_usd: number;
  readonly trials: {
    readonly planned: number;
    readonly with_result: number;
    /** Ended for a reason of the server, the machine or a person. */
    readonly without_result: number;
    readonly not_ended: number;
    readonly not_started: number;
    readonly unreadable: number;
  };
  /** What the variants were started with, where it differs: places in config.json, and the value of each variant. */
  readonly differences: Comparison['differences'];
  readonly variants: readonly VariantReport[];
  readonly comparisons: readonly MetricComparison[];
  readonly runs: readonly RunReport[];
}

interface VariantReport {
  readonly name: string;
  readonly is_baseline: boolean;
  readonly trials_with_result: number;
  /** Of all its trials that have ended. */
  readonly stop_reasons: Readonly<Record<string, number>>;
  readonly metrics: Readonly<Record<string, Description | null>>;
}

/** A variant against the baseline, trial by trial: differences are variant less baseline. */
export interface MetricComparison {
  readonly variant: string;
  readonly metric: string;
  /** Trials of which both runs have a value. */
  readonly pairs: number;
  readonly mean_difference: number | null;
  readonly interval: Interval | null;
  readonly p: number | null;
  readonly p_is_exact: boolean | null;
  /** The smallest p that so many pairs can give. */
  readonly smallest_p: number | null;
  /** Adjusted for all tests of the report. */
  readonly p_holm: number | null;
  readonly cliffs_delta: number | null;
  readonly size: ReturnType<typeof sizeOf> | null;
}

interface RunReport {
  readonly place: number;
  readonly variant: string;
  readonly trial: number;
  readonly seed: number;
  readonly state: Trial['progress']['state'];
  readonly is_result: boolean;
  readonly run: string | null;
  readonly run_id: string | null;
  readonly stop_reason: string | null;
  /** How often its worker was stopped or died, and another one went on. */
  readonly interruptions: number;
  /** The last event of the log, and the hash of its chain there. */
  readonly events: number;
  readonly chain_hash: string | null;
  readonly figures: RunFigures | null;
}

/** Lets the event loop turn between the metrics. */
export async function experimentReport(experiment: Experiment): Promise<ExperimentReport> {
  const { record, trials } = experiment;
  const { spec } = record;
  const runs = trials.map(runReport);
  const [baseline, ...others] = spec.variants.map(({ name }) => name);
  const count = (is: (run: RunReport) => boolean) => runs.filter(is).length;
  const pause = pausing();
  const variants: VariantReport[] = [];
  for (const { name } of spec.variants)
    variants.push(await variantReport(name, name === baseline, runs, spec.seed, pause));
  const comparisons: Omit<MetricComparison, 'p_holm'>[] = [];
  for (const name of others) {
    for (const metric of METRICS) {
      comparisons.push(comparisonOf(metric, name, baseline ?? '', runs, spec.seed));
      await pause();
    }
  }
  return rounded({
    format_version: 1,
    version: BUILD,
    experiment_id: record.experiment_id,
    name: spec.name,
    hypothesis: spec.hypothesis ?? null,
    created_at: record.created_at,
    file_sha256: record.file.sha256,
    max_total_cost_usd: spec.max_total_cost_usd,
    cost_usd: usdFromPico(spentBy(trials)),
    trials: {
      planned: runs.length,
      with_result: count(({ is_result }) => is_result),
      without_result: count(({ state, is_result }) => state === 'ended' && !is_result),
      not_ended: count(({ state }) => state === 'open' || state === 'claimed'),
      not_started: count(({ state }) => state === 'waiting'),
      unreadable: count(({ state }) => state === 'unreadable'),
    },
    differences: differencesOf(record.variants.map(({ config }) => config)),
    variants,
    comparisons: adjusted(comparisons),
    runs,
  });
}

function runReport({ variant, trial, seed, claim, progress }: Trial, index: number): RunReport {
  const run = 'run' in progress ? progress.run : null;
  const isOver = progress.state === 'ended';
  return {
    place: index + 1,
    variant,
    trial,
    seed,
    state: progress.state,
    is_result: isOver && progress.isResult,
    run: claim?.run ?? null,
    run_id: claim?.run_id ?? null,
    stop_reason: isOver ? progress.reason : null,
    interruptions: Math.max(0, (run?.epoch ?? 1) - 1),
    events: run?.end.seq ?? 0,
    chain_hash: run?.end.hash ?? null,
    figures: run && run.figures,
  };
}

async function variantReport(
  name: string,
  isBaseline: boolean,
  all: readonly RunReport[],
  seed: number,
  pause: ReturnType<typeof pausing>,
): Promise<VariantReport> {
  const metrics: Record<string, Description | null> = {};
  for (const { name: metric, of } of METRICS) {
    metrics[metric] = describe([...valuesOf(name, of, all).values()], seed, name, metric);
    await pause();
  }
  const runs = all.filter(({ variant }) => variant === name);
  const reasons = runs.flatMap(({ stop_reason }) => stop_reason ?? []).sort();
  return {
    name,
    is_baseline: isBaseline,
    trials_with_result: runs.filter(({ is_result }) => is_result).length,
    stop_reasons: Object.fromEntries(
      [...new Set(reasons)].map((reason) => [reason, reasons.filter((each) => each === reason).length]),
    ),
    metrics,
  };
}

/** By trial, of the runs with a result. */
function valuesOf(
  name: string,
  of: (figures: RunFigures) => number | null,
  runs: readonly RunReport[],
): Map<number, number> {
  const own = runs.filter(({ variant, is_result }) => variant === name && is_result);
  return new Map(
    own.flatMap(({ trial, figures }) => {
      const value = figures && of(figures);
      return value === null ? [] : [[trial, value] as const];
    }),
  );
}

function comparisonOf(
  { name, of }: Metric,
  variant: string,
  baseline: string,
  runs: readonly RunReport[],
  seed: number,
): Omit<MetricComparison, 'p_holm'> {
  const [ours, theirs] = [valuesOf(variant, of, runs), valuesOf(baseline, of, runs)];
  const differences = [...ours].flatMap(([trial, value]) => {
    const other = theirs.get(trial);
    return other === undefined ? [] : [value - other];
  });
  const flipped = signFlip(differences, seed, variant, name);
  const delta = cliffsDelta([...ours.values()], [...theirs.values()]);
  return {
    variant,
    metric: name,
    pairs: differences.length,
    mean_difference: differences.length === 0 ? null : mean(differences),
    interval: bootstrapInterval(differences, seed, variant, name, 'difference'),
    p: flipped?.p ?? null,
    p_is_exact: flipped?.exact ?? null,
    smallest_p: flipped?.smallest ?? null,
    cliffs_delta: delta,
    // Of one run each it is always as large as it can be.
    size: delta === null || ours.size < 2 || theirs.size < 2 ? null : sizeOf(delta),
  };
}

function adjusted(comparisons: readonly Omit<MetricComparison, 'p_holm'>[]): MetricComparison[] {
  const tested = comparisons.filter(({ p }) => p !== null);
  const values = holm(tested.map(({ p }) => p ?? 1));
  const byTest = new Map(tested.map((test, index) => [test, values[index] ?? 1]));
  return comparisons.map((comparison) => ({ ...comparison, p_holm: byTest.get(comparison) ?? null }));
}

/** Twelve digits: what is behind them is the rounding of sums. */
function rounded<T>(value: T): T;
function rounded(value: unknown): unknown {
  if (typeof value === 'number') return Number(value.toPrecision(12));
  if (Array.isArray(value)) return value.map((item) => rounded(item as unknown));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, rounded(item as unknown)]));
}
