import type { LimitName } from './limits.ts';

/** Why a run ended. Every run ends with exactly one of these. */
export const STOP_REASONS = [
  'objective_complete',
  'queue_empty',
  'max_iterations',
  'max_cost',
  'max_requests',
  'max_tokens',
  'max_wall_time',
  'stopped_by_user',
  'stopped_at_review',
  'stalled',
  'waiting_for_key',
  'disk_full',
  'quarantined',
  'error',
] as const;

export type StopReason = (typeof STOP_REASONS)[number];

/** The limit that a reason names. */
export const LIMIT_OF: Readonly<Partial<Record<StopReason, LimitName>>> = {
  max_iterations: 'max_iterations',
  max_cost: 'max_cost_usd',
  max_requests: 'max_requests',
  max_tokens: 'max_tokens',
  max_wall_time: 'max_wall_time_minutes',
};

/** The class of the error with which a run ends by `max_cost` though its own cost limit would have allowed more. */
export const KEY_LIMIT = 'key_limit';

/** The class of the error with which a run ends by `queue_empty` though blocked tasks are left. */
export const ONLY_BLOCKED = 'only_blocked';

/**
 * What a person is told: what the reason means, and what to do next. `error` is that of the end, if it has one; `waits` where a
 * review is not decided yet.
 */
export function explainStop(
  reason: StopReason,
  error: { readonly class: string } | null = null,
  waits = false,
): { meaning: string; next: string } {
  switch (reason) {
    case 'objective_complete':
      return { meaning: 'The acceptance criteria are met.', next: 'Read the answer.' };
    case 'queue_empty':
      if (error?.class === ONLY_BLOCKED)
        return {
          meaning: 'Only blocked tasks were left.',
          next: 'Read the answer, or resume the run and unblock them.',
        };
      return { meaning: 'No task was left to do.', next: 'Read the answer, or start a run with a wider objective.' };
    case 'max_iterations':
      return {
        meaning: 'The iteration limit was reached.',
        next: 'Continue with more iterations, or read the answer.',
      };
    case 'max_cost':
      if (error?.class === KEY_LIMIT)
        return {
          meaning: 'The next request did not fit into what was left of the daily limit of the API key.',
          next: 'Resume after midnight UTC, when that limit begins anew, or raise it first; the cost limit of the run was not reached.',
        };
      return {
        meaning: 'The next request did not fit into what was left of the cost limit.',
        next: 'Continue with a higher cost limit, or read the answer.',
      };
    case 'max_requests':
      return {
        meaning: 'The limit of requests was reached.',
        next: 'Continue with more requests, or read the answer.',
      };
    case 'max_tokens':
      return {
        meaning: 'The next request did not fit into what was left of the token limit.',
        next: 'Continue with more tokens, or read the answer.',
      };
    case 'max_wall_time':
      return { meaning: 'The time limit was reached.', next: 'Continue with more time, or read the answer.' };
    case 'stopped_by_user':
      return { meaning: 'A person stopped the run.', next: 'Resume it whenever you like.' };
    case 'stopped_at_review':
      if (waits) {
        return {
          meaning: 'The run waits for a person at a checkpoint review.',
          next: 'Approve the checkpoint review, which the run waits for, or look at it in VS Code.',
        };
      }
      return { meaning: 'The run was ended at a checkpoint review.', next: 'Read the answer, or resume the run.' };
    case 'stalled':
      return {
        meaning: 'The loop made no progress: tasks or replies failed several times in a row.',
        next: 'Look at the last errors in the summary, then edit the tasks or choose another model and resume.',
      };
    case 'waiting_for_key':
      return { meaning: 'No API key could be read.', next: 'Set the API key, then resume.' };
    case 'disk_full':
      return { meaning: 'The disk is full, so nothing more was sent.', next: 'Free some space, then resume.' };
    case 'quarantined':
      return {
        meaning: 'One step was interrupted three times, so it is not tried again by itself.',
        next: 'Find out in the log what interrupted it; resuming allows three more attempts.',
      };
    case 'error':
      return { meaning: 'An error ended the run.', next: 'See the error, mend its cause, then resume.' };
  }
}
