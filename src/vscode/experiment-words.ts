import { formatUsd, picoFromUsd } from '../budget/money.ts';
import type { Limits } from '../run/limits.ts';
import { printable } from '../safety/text.ts';
import type { ExperimentBrief, ExperimentStatus, TrialBrief, VariantBrief } from './experiment-brief.ts';
import { l10n } from './panel-l10n.ts';
import { stopLabel } from './stop-label.ts';

export function experimentStatusWords(status: ExperimentStatus): string {
  switch (status) {
    case 'working':
      return l10n.t('running');
    case 'elsewhere':
      return l10n.t('in progress in another process');
    case 'incomplete':
      return l10n.t('not finished');
    case 'short':
      return l10n.t('cost cap reached');
    case 'completed':
      return l10n.t('complete');
    case 'imported':
      return l10n.t('imported');
    default:
      return status satisfies never;
  }
}

export function trialStatusWords({ status, reason }: Pick<TrialBrief, 'status' | 'reason'>): string {
  switch (status) {
    case 'waiting':
      return l10n.t('waiting');
    case 'claimed':
      return l10n.t('begins');
    case 'running':
      return l10n.t('running');
    case 'elsewhere':
      return l10n.t('in progress in another process');
    case 'interrupted':
      return l10n.t('interrupted');
    case 'result':
      return reason === null ? l10n.t('ended') : stopLabel(reason);
    case 'no_result':
      return l10n.t('no result: {0}', reason === null ? l10n.t('ended') : stopLabel(reason));
    case 'unreadable':
      return l10n.t('cannot be read');
    default:
      return status satisfies never;
  }
}

/** `3/10 · $0.034 of $1.00 · running`: what matters most comes first, as the rest may not fit. */
export function experimentDescription(brief: ExperimentBrief): string {
  const { status, rehearsal } = brief;
  return [
    resultsOf(brief.variants),
    l10n.t('{0} of {1}', dollars(brief.spentUsd), dollars(brief.totalUsd)),
    ...(status === 'completed' ? [] : [experimentStatusWords(status)]),
    ...(rehearsal ? [l10n.t('rehearsal')] : []),
  ].join(' · ');
}

export function variantDescription(variant: VariantBrief, isBaseline: boolean): string {
  const cost = variant.trials.reduce((sum, { spentUsd }) => sum + spentUsd, 0);
  return [resultsOf([variant]), dollars(cost), ...(isBaseline ? [l10n.t('baseline')] : [])].join(' · ');
}

/** `live`: what its run has done by now, where that is known better than from its log. */
export function trialDescription(
  trial: TrialBrief,
  { max_iterations }: Limits,
  live: Pick<TrialBrief, 'iterations' | 'spentUsd'> = trial,
): string {
  const { status } = trial;
  const words = trialStatusWords(trial);
  const figures = [`${live.iterations}/${max_iterations}`, dollars(live.spentUsd)];
  const seed = l10n.t('seed {0}', trial.seed);
  if (status === 'waiting' || status === 'claimed' || status === 'unreadable') return [words, seed].join(' · ');
  // What matters most comes first, as the rest may not fit: figures, but where it has no result.
  return [...(status === 'result' || status === 'running' ? [...figures, words] : [words, ...figures]), seed].join(
    ' · ',
  );
}

/** What a screen reader says of an experiment. */
export function spokenExperiment(brief: ExperimentBrief): string {
  const { results, trials } = countsOf(brief.variants);
  return l10n.t(
    'Experiment {0}, {1}. {2} of {3} trials have a result, {4} of {5} spent',
    printable(brief.name, 120),
    experimentStatusWords(brief.status),
    results,
    trials,
    dollars(brief.spentUsd),
    dollars(brief.totalUsd),
  );
}

/** What the file says of a variant alone, such as `strategy: classic`; a sentence where that is nothing. */
export function differenceWords({ settings }: Pick<VariantBrief, 'settings'>): string {
  const parts = Object.entries(settings).map(([name, value]) => `${name}: ${printable(textOf(value), 80)}`);
  return parts.length === 0 ? l10n.t('as all variants are') : parts.join(', ');
}

/** `10 iterations, $0.50, 480 min` */
export function capWords({ max_iterations, max_cost_usd, max_wall_time_minutes, ...other }: Limits): string {
  return [
    l10n.t('{0} iterations', max_iterations),
    dollars(max_cost_usd),
    ...(other.max_requests === undefined ? [] : [l10n.t('{0} requests', other.max_requests)]),
    ...(other.max_tokens === undefined ? [] : [l10n.t('{0} tokens', other.max_tokens)]),
    l10n.t('{0} min', max_wall_time_minutes),
  ].join(', ');
}

export function countsOf(variants: readonly VariantBrief[]): { results: number; trials: number } {
  const all = variants.flatMap(({ trials }) => trials);
  return { results: all.filter(({ status }) => status === 'result').length, trials: all.length };
}

export function dollars(usd: number): string {
  return formatUsd(picoFromUsd(usd));
}

function resultsOf(variants: readonly VariantBrief[]): string {
  const { results, trials } = countsOf(variants);
  return l10n.t('{0}/{1}', results, trials);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
