import { formatUsd, MAX_USD, picoFromUsd } from '../budget/money.ts';
import type { LimitName } from './limits.ts';
import { inEnglish, known, type Translate } from './translate.ts';

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

/** A limit that ended a run, as `limit.reached` has it. */
export interface ReachedLimit {
  readonly limit: string;
  readonly value: number;
  readonly spent: number;
}

/** What of the end of a run says why. */
export interface End {
  readonly reason: StopReason;
  readonly error?: { readonly class: string } | null;
  readonly limit?: ReachedLimit | null;
  /** UTC ISO 8601. */
  readonly at?: string;
}

/** Whether the run ended by the daily limit of its key, and by none of its own. */
export function isKeyLimit(end: Pick<End, 'error'> | null): boolean {
  return end?.error?.class === KEY_LIMIT;
}

/** Whether nothing but blocked tasks was left. */
export function isOnlyBlocked(end: Pick<End, 'error'> | null): boolean {
  return end?.error?.class === ONLY_BLOCKED;
}

/** What a person is told: what the reason means, and what to do next. `waits` where a review is not decided yet. */
export function explainStop(
  end: End,
  waits = false,
  translated: Translate = inEnglish,
): { meaning: string; next: string } {
  switch (end.reason) {
    case 'objective_complete':
      return { meaning: translated('The acceptance criteria are met.'), next: translated('Read the answer.') };
    case 'queue_empty':
      if (isOnlyBlocked(end))
        return {
          meaning: translated('Only blocked tasks were left.'),
          next: translated('Read the answer, or resume the run and unblock them.'),
        };
      return {
        meaning: translated('No task was left to do.'),
        next: translated('Read the answer, or start a run with a wider objective.'),
      };
    case 'max_iterations':
      return {
        meaning: translated('The iteration limit was reached.'),
        next: translated('Continue with more iterations, or read the answer.'),
      };
    case 'max_cost':
      if (isKeyLimit(end)) return byKey(end, translated);
      return {
        meaning: translated('The next request did not fit into what was left of the cost limit.'),
        next: translated('Continue with a higher cost limit, or read the answer.'),
      };
    case 'max_requests':
      return {
        meaning: translated('The limit of requests was reached.'),
        next: translated('Continue with more requests, or read the answer.'),
      };
    case 'max_tokens':
      return {
        meaning: translated('The next request did not fit into what was left of the token limit.'),
        next: translated('Continue with more tokens, or read the answer.'),
      };
    case 'max_wall_time':
      return {
        meaning: translated('The time limit was reached.'),
        next: translated('Continue with more time, or read the answer.'),
      };
    case 'stopped_by_user':
      return { meaning: translated('A person stopped the run.'), next: translated('Resume it whenever you like.') };
    case 'stopped_at_review':
      if (waits) {
        return {
          meaning: translated('The run waits for a person at a checkpoint review.'),
          next: translated('Approve the checkpoint review, which the run waits for, or look at it in VS Code.'),
        };
      }
      return {
        meaning: translated('The run was ended at a checkpoint review.'),
        next: translated('Read the answer, or resume the run.'),
      };
    case 'stalled':
      return {
        meaning: translated('The loop made no progress: tasks or replies failed several times in a row.'),
        next: translated(
          'Look at the last errors in the summary, then edit the tasks or choose another model and resume.',
        ),
      };
    case 'waiting_for_key':
      return { meaning: translated('No API key could be read.'), next: translated('Set the API key, then resume.') };
    case 'disk_full':
      return {
        meaning: translated('The disk is full, so nothing more was sent.'),
        next: translated('Free some space, then resume.'),
      };
    case 'quarantined':
      return {
        meaning: translated('One step was interrupted three times, so it is not tried again by itself.'),
        next: translated('Find out in the log what interrupted it; resuming allows three more attempts.'),
      };
    case 'error':
      return {
        meaning: translated('An error ended the run.'),
        next: translated('See the error, mend its cause, then resume.'),
      };
  }
}

/**
 * What else is worth a sentence about an end, behind its meaning. In English that of the log; in another language the
 * figures, and only what went wrong as the log says it.
 */
export function endDetail(
  { reason, error, limit, detail }: End & { readonly detail: string },
  translated: Translate,
): string {
  if (translated === inEnglish) return detail;
  switch (reason) {
    case 'max_cost':
      if (!limit || isKeyLimit({ error: error ?? null })) return '';
      return translated('{0} of {1} is spent.', usd(limit.spent), usd(limit.value));
    case 'max_requests':
    case 'max_tokens':
      return limit ? translated('{0} of {1} are used.', limit.spent, limit.value) : '';
    case 'max_wall_time':
      return limit ? translated('It is {0} minutes.', limit.value) : '';
    case 'max_iterations':
    case 'objective_complete':
    case 'queue_empty':
    case 'stopped_by_user':
    case 'stopped_at_review':
    case 'quarantined':
      return '';
    case 'stalled':
    case 'waiting_for_key':
    case 'disk_full':
    case 'error':
      return known(detail, translated);
  }
}

/** A log may hold any number. */
function usd(amount: number): string {
  return formatUsd(picoFromUsd(Math.min(Math.max(amount, 0), MAX_USD)));
}

function byKey({ limit, at }: End, translated: Translate): { meaning: string; next: string } {
  return {
    meaning: limit
      ? translated(
          'The daily limit of the API key was reached: {0} of {1} is spent or reserved today by the runs that share it.',
          usd(limit.spent),
          usd(limit.value),
        )
      : translated('The next request did not fit into what was left of the daily limit of the API key.'),
    next: translated(
      'Resume after {0} UTC, when that limit begins anew, or raise it first (the setting babyagi.maxKeyUsdPerDay, in a terminal --max-key-usd-per-day). The cost limit of the run was not reached.',
      midnightAfter(at),
    ),
  };
}

/** `2026-05-18 00:00`, or `00:00` where the day is not known. */
function midnightAfter(at: string | undefined): string {
  const day = new Date(at ?? Number.NaN);
  if (Number.isNaN(day.getTime())) return '00:00';
  day.setUTCHours(24, 0, 0, 0);
  return day.toISOString().slice(0, 16).replace('T', ' ');
}
