import { usdFromPico } from '../budget/money.ts';
import { progressWords } from './cost-words.ts';
import type { ErrorRecord, EventDraft } from './events.ts';
import type { LimitName } from './limits.ts';
import { callsMade, type RunState } from './state.ts';
import { explainStop, LIMIT_OF, type ReachedLimit, type StopReason } from './stop-reason.ts';

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
  const limit = LIMIT_OF[reason];
  const value = limit && state.limits[limit];
  return limit === undefined || value === undefined ? null : { limit, value, spent: spentOf(state, limit, activeMs) };
}

function spentOf(state: RunState, limit: LimitName, activeMs: number): number {
  const { money, tokens, iteration } = state;
  switch (limit) {
    case 'max_iterations':
      return iteration;
    case 'max_cost_usd':
      return usdFromPico(money.settled + money.held);
    case 'max_requests':
      return callsMade(state);
    case 'max_tokens':
      return tokens.settled + tokens.held;
    case 'max_wall_time_minutes':
    case 'task_timeout_seconds':
      return Math.round(activeMs / 600) / 100;
  }
}

/** Whether a person answered a review with a stop that has not ended the run yet. */
export function isStoppedByPerson({ stopAtReview, reviews }: RunState): boolean {
  return stopAtReview && reviews.at(-1)?.by === 'user';
}

/** What is sent to people who are not looking. */
export function endingNotice(state: RunState, ending: Ending): string {
  const { meaning, next } = explainStop({ ...ending, at: state.updatedAt }, state.review !== null);
  return `BabyAGI run ended: ${ending.reason}. ${meaning} ${ending.detail} ${progressWords(state)}. Next: ${next} Objective: ${state.config.objective}`;
}
