import { formatUsd, MAX_USD, picoFromUsd, usdFromPico } from '../budget/money.ts';
import { isIncluded } from '../run/cost-words.ts';
import type { RunState } from '../run/state.ts';
import { type End, explainStop, isKeyLimit, isOnlyBlocked, STOP_REASONS, type StopReason } from '../run/stop-reason.ts';
import { printable } from '../safety/text.ts';
import { l10n } from './panel-l10n.ts';

/**
 * How a run stands, as a list shows it. `interrupted`: nobody is at it and it has not ended; `elsewhere`: another process
 * is at it; `review_elsewhere`: there it waits for a review.
 */
export type RunStatus = 'running' | 'paused' | 'review' | 'ended' | 'interrupted' | 'elsewhere' | 'review_elsewhere';

/** The few figures of a run that a list shows; all that is known of it until somebody looks closer. */
export interface RunBrief {
  readonly runId: string;
  readonly objective: string;
  /** UTC ISO 8601. */
  readonly startedAt: string;
  readonly rehearsal: boolean;
  /** Somebody else accounts for the requests: there is no amount to show. */
  readonly included: boolean;
  /** It came from an archive: it can be looked at, not resumed. */
  readonly imported: boolean;
  readonly status: RunStatus;
  readonly stopReason: StopReason | null;
  /** It ended as blocked tasks were all that was left. */
  readonly onlyBlocked: boolean;
  /** What that means and what to do next, for people: `The iteration limit was reached.` */
  readonly stopWords: ReturnType<typeof explainStop> | null;
  /** The daily limit of its key ended it, and none of its own. */
  readonly byKeyLimit: boolean;
  readonly iterations: number;
  readonly maxIterations: number;
  /** Settled and held, US dollars. */
  readonly spentUsd: number;
  readonly capUsd: number;
  /** Milliseconds; null where only the log would tell. */
  readonly activeMs: number | null;
}

/** `elapsedMs` is the active time by the run's own clock, where it is in progress here. */
export function briefOfState(state: RunState, live: boolean, elapsedMs?: number): RunBrief {
  const { config, limits, money } = state;
  return {
    runId: config.run_id,
    objective: config.objective,
    startedAt: state.startedAt,
    rehearsal: config.model.provider === 'rehearsal',
    included: isIncluded(config),
    imported: false,
    status: statusOf(state, live),
    stopReason: state.end?.reason ?? null,
    onlyBlocked: isOnlyBlocked(state.end),
    stopWords: state.end && explainStop(state.end, state.review !== null, l10n.t),
    byKeyLimit: isKeyLimit(state.end),
    iterations: state.iteration,
    maxIterations: limits.max_iterations,
    spentUsd: usdFromPico(money.settled + money.held),
    capUsd: limits.max_cost_usd,
    activeMs: elapsedMs ?? state.earlierMs + state.epochMs,
  };
}

function statusOf({ status }: RunState, live: boolean): RunStatus {
  switch (status) {
    case 'ended':
      return 'ended';
    case 'created':
    case 'running':
      return live ? 'running' : 'interrupted';
    case 'paused':
    case 'review':
      return live ? status : 'interrupted';
    default:
      return status satisfies never;
  }
}

/** From config.json and, where the run ended once, summary.json, both parsed but not checked. Null: not a run. */
export function briefOfFiles(config: unknown, summary: unknown, owned: boolean, imported = false): RunBrief | null {
  const runId = textAt(config, 'run_id');
  const objective = textAt(config, 'objective');
  if (runId === null || objective === null) return null;
  const stopReason = STOP_REASONS.find((reason) => reason === textAt(summary, 'stop_reason')) ?? null;
  const ended = stopReason !== null && textAt(summary, 'run_id') === runId;
  const end = ended && !owned ? endIn(summary, stopReason) : null;
  return {
    runId,
    objective,
    startedAt: textAt(config, 'created_at') ?? '',
    rehearsal: textAt(config, 'model', 'provider') === 'rehearsal',
    included: textAt(config, 'model', 'provider') === 'vscode-lm',
    imported,
    status: owned ? 'elsewhere' : ended ? 'ended' : 'interrupted',
    stopReason: end && end.reason,
    onlyBlocked: isOnlyBlocked(end),
    stopWords: end && stopWordsIn(summary, end),
    byKeyLimit: isKeyLimit(end),
    iterations: numberAt(summary, 'iterations', 'done') ?? 0,
    maxIterations: numberAt(summary, 'iterations', 'limit') ?? numberAt(config, 'limits', 'max_iterations') ?? 0,
    spentUsd: (numberAt(summary, 'cost', 'settled_usd') ?? 0) + (numberAt(summary, 'cost', 'held_usd') ?? 0),
    capUsd: numberAt(summary, 'cost', 'limit_usd') ?? numberAt(config, 'limits', 'max_cost_usd') ?? 0,
    activeMs: numberAt(summary, 'active_ms'),
  };
}

/** `$0.0123 of $1.00`, or `cost included`. */
export function spentWords(brief: RunBrief): string {
  if (brief.included) return l10n.t('cost included');
  return l10n.t('{0} of {1}', dollars(brief.spentUsd), dollars(brief.capUsd));
}

/** An amount from a file of the workspace may be anything. */
function dollars(usd: number): string {
  try {
    return formatUsd(picoFromUsd(usd));
  } catch {
    return `$${usd}`;
  }
}

function endIn(summary: unknown, reason: StopReason): End {
  const errorClass = textAt(summary, 'error', 'class');
  const limit = textAt(summary, 'limit_reached', 'limit');
  const value = amountAt(summary, 'limit_reached', 'value');
  const spent = amountAt(summary, 'limit_reached', 'spent');
  return {
    reason,
    error: errorClass === null ? null : { class: errorClass },
    limit: limit === null || value === null || spent === null ? null : { limit, value, spent },
    at: textAt(summary, 'ended_at') ?? '',
  };
}

/** As the summary says it, which also knows whether a review waits; in the language of the window where they are our words. */
function stopWordsIn(summary: unknown, end: End): ReturnType<typeof explainStop> {
  const meaning = textAt(summary, 'meaning');
  const next = textAt(summary, 'next');
  const ours = [false, true].find((waits) => explainStop(end, waits).meaning === meaning);
  const words = explainStop(end, ours ?? false, l10n.t);
  if (ours !== undefined) return words;
  return { meaning: printable(meaning ?? words.meaning, 300), next: printable(next ?? words.next, 300) };
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce((inner, name) => {
    return typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[name] : undefined;
  }, value);
}

function textAt(value: unknown, ...path: string[]): string | null {
  const found = at(value, path);
  return typeof found === 'string' ? found : null;
}

function numberAt(value: unknown, ...path: string[]): number | null {
  const found = at(value, path);
  return typeof found === 'number' ? found : null;
}

function amountAt(value: unknown, ...path: string[]): number | null {
  const found = numberAt(value, ...path);
  return found !== null && found >= 0 && found <= MAX_USD ? found : null;
}
