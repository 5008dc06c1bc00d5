import { formatUsd, usdFromPico } from '../budget/money.ts';
import { spentOfLimit } from './cost-words.ts';
import type { ErrorRecord, EventDraft } from './events.ts';
import type { RunState } from './state.ts';
import { explainStop, type ReachedLimit, type StopReason } from './stop-reason.ts';

/** How a run ended, as the loop or its surroundings say it. */
export interface Ending {
  readonly reason: StopReason;
  readonly detail: string;
  readonly error: ErrorRecord | null;
  /** Where it is none of the run's own. */
  readonly limit?: ReachedLimit | null;
}

/** The last events of a run: which limit, if one; then the end. */
export function endingEvents(state: RunState, ending: Ending, activeMs: number): EventDraft[] {
  const limit = ending.limit ?? limitOf(state, ending.reason, activeMs);
  const end: EventDraft = { type: 'run.ended', stop_reason: ending.reason, error: ending.error, detail: ending.detail };
  return limit ? [{ type: 'limit.reached', ...limit }, end] : [end];
}

function limitOf(state: RunState, reason: StopReason, activeMs: number): ReachedLimit | null {
  const { limits, money } = state;
  switch (reason) {
    case 'max_iterations':
      return { limit: 'max_iterations', value: limits.max_iterations, spent: state.iteration };
    case 'max_cost':
      return { limit: 'max_cost_usd', value: limits.max_cost_usd, spent: usdFromPico(money.settled + money.held) };
    case 'max_wall_time':
      return {
        limit: 'max_wall_time_minutes',
        value: limits.max_wall_time_minutes,
        spent: Math.round(activeMs / 600) / 100,
      };
    default:
      return null;
  }
}

/** Whether a person answered a review with a stop that has not ended the run yet. */
export function isStoppedByPerson({ stopAtReview, reviews }: RunState): boolean {
  return stopAtReview && reviews.at(-1)?.by === 'user';
}

/** What is sent to people who are not looking. */
export function endingNotice(state: RunState, ending: Ending): string {
  const { meaning, next } = explainStop({ ...ending, at: state.updatedAt }, state.review !== null);
  const spent = spentOfLimit(state, state.money.settled);
  const held = state.money.held > 0n ? `, ${formatUsd(state.money.held)} held` : '';
  return `BabyAGI run ended: ${ending.reason}. ${meaning} ${ending.detail} ${state.iteration} iterations, ${spent}${held}. Next: ${next} Objective: ${state.config.objective}`;
}
