import { formatUsd, picoFromUsd, usdFromPico } from '../budget/money.ts';
import { INCLUDED, isIncluded } from '../run/cost-words.ts';
import type { RunState } from '../run/state.ts';
import { explainStop, ONLY_BLOCKED, STOP_REASONS, type StopReason } from '../run/stop-reason.ts';
import { printable } from '../safety/text.ts';

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
    onlyBlocked: state.end?.error?.class === ONLY_BLOCKED,
    stopWords: state.end && explainStop(state.end.reason, state.end.error, state.review !== null),
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
  return {
    runId,
    objective,
    startedAt: textAt(config, 'created_at') ?? '',
    rehearsal: textAt(config, 'model', 'provider') === 'rehearsal',
    included: textAt(config, 'model', 'provider') === 'vscode-lm',
    imported,
    status: owned ? 'elsewhere' : ended ? 'ended' : 'interrupted',
    stopReason: ended && !owned ? stopReason : null,
    onlyBlocked: ended && !owned && textAt(summary, 'error', 'class') === ONLY_BLOCKED,
    stopWords: ended && !owned ? stopWordsIn(summary, stopReason) : null,
    iterations: numberAt(summary, 'iterations', 'done') ?? 0,
    maxIterations: numberAt(summary, 'iterations', 'limit') ?? numberAt(config, 'limits', 'max_iterations') ?? 0,
    spentUsd: (numberAt(summary, 'cost', 'settled_usd') ?? 0) + (numberAt(summary, 'cost', 'held_usd') ?? 0),
    capUsd: numberAt(summary, 'cost', 'limit_usd') ?? numberAt(config, 'limits', 'max_cost_usd') ?? 0,
    activeMs: numberAt(summary, 'active_ms'),
  };
}

/** `$0.0123 of $1.00`, or `cost included`. */
export function spentWords(brief: RunBrief): string {
  if (brief.included) return `cost ${INCLUDED}`;
  return `${dollars(brief.spentUsd)} of ${dollars(brief.capUsd)}`;
}

/** An amount from a file of the workspace may be anything. */
function dollars(usd: number): string {
  try {
    return formatUsd(picoFromUsd(usd));
  } catch {
    return `$${usd}`;
  }
}

/** As the summary says it, which knows the error and whether a review waits; else as the reason alone tells. */
function stopWordsIn(summary: unknown, reason: StopReason): ReturnType<typeof explainStop> {
  const { meaning, next } = explainStop(reason);
  const said = (name: string, otherwise: string) => printable(textAt(summary, name) ?? otherwise, 300);
  return { meaning: said('meaning', meaning), next: said('next', next) };
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
