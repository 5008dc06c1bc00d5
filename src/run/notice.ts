import { ONLY_BLOCKED_WAIT } from './queue.ts';
import type { StopReason } from './stop-reason.ts';

/** What people are told of, who are not looking. A channel takes some of these. */
export const NOTICE_KINDS = [
  /** The run begins; somebody took it up again. */
  'started',
  'resumed',
  /** It waits for a checkpoint review; it paused by itself; it goes on after either. */
  'review',
  'paused',
  'continued',
  /** It ended: as it should or as a person wished, by a limit, or by what is to be mended. */
  'ended',
  'limit',
  'failed',
  /** It lives. */
  'heartbeat',
  /** The watchdog: its process is blocked; it goes on past its time limit; either is over. */
  'hang',
  'overdue',
  'recovered',
] as const;

export type NoticeKind = (typeof NOTICE_KINDS)[number];

/** Which kind of end this is. One that leaves a review open is a review that waits. */
export function kindOfEnd(reason: StopReason, reviewWaits: boolean): NoticeKind {
  switch (reason) {
    case 'objective_complete':
    case 'queue_empty':
    case 'stopped_by_user':
      return 'ended';
    case 'stopped_at_review':
      return reviewWaits ? 'review' : 'ended';
    case 'max_iterations':
    case 'max_cost':
    case 'max_requests':
    case 'max_tokens':
    case 'max_wall_time':
      return 'limit';
    case 'stalled':
    case 'waiting_for_key':
    case 'disk_full':
    case 'quarantined':
    case 'error':
      return 'failed';
  }
}

/** In one word why there is something to tell, where there is: the stop reason, that of the review, or of the pause. */
export function reasonNow({ status, end, review, pausedWhy }: Standing): string | null {
  if (end) return end.reason;
  if (review) return review.reason;
  if (status !== 'paused') return null;
  return pausedWhy === ONLY_BLOCKED_WAIT ? 'only_blocked' : 'stalled';
}

/** Of the state of a run: what keeps it from going on, if anything does. */
interface Standing {
  readonly status: string;
  readonly end: { readonly reason: string } | null;
  readonly review: { readonly reason: string } | null;
  readonly pausedWhy: string | null;
}
