import { messageOf } from '../run/message.ts';
import { RunLost, StopRun } from '../run/ports.ts';
import type { RunState } from '../run/state.ts';
import { type Ending, isStoppedByPerson } from '../run/stop.ts';
import type { StopReason } from '../run/stop-reason.ts';

/** How a run ends by what ended its loop. Null where somebody else goes on with the run. */
export function endingOf(error: unknown, trace: (message: string) => void): Ending | null {
  if (error instanceof StopRun)
    return { reason: error.reason, detail: error.message, error: error.error, limit: error.limit };
  if (error instanceof RunLost) {
    if (error.reason === 'not_owner') return null;
    const reason = error.code === 'ENOSPC' || error.code === 'EDQUOT' ? 'disk_full' : 'error';
    return { reason, detail: error.message, error: { class: error.code ?? 'log_failed', message: error.message } };
  }
  trace(error instanceof Error ? (error.stack ?? error.message) : String(error));
  const message = `An unexpected error ended the run: ${messageOf(error)}`;
  return { reason: 'error', detail: message, error: { class: 'internal', message } };
}

/** Ends after which one more request is right: the run was not stopped, and nothing is broken. */
const ANSWERABLE: ReadonlySet<StopReason> = new Set([
  'objective_complete',
  'queue_empty',
  'max_iterations',
  'max_cost',
  'max_requests',
  'max_tokens',
  'stalled',
  'stopped_at_review',
]);

/** A run that waits for a person spends nothing until then, nor does one that a person stopped. */
export function closesWithAnswer(state: RunState, { reason }: Ending, stopped: AbortSignal): boolean {
  return ANSWERABLE.has(reason) && state.review === null && !isStoppedByPerson(state) && !stopped.aborted;
}
