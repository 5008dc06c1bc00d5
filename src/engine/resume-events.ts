import { usdFromPico } from '../budget/money.ts';
import type { EventDraft } from '../run/events.ts';
import { firstTask } from '../run/first-task.ts';
import type { LimitName } from '../run/limits.ts';
import { raisedTo, usedWithout } from '../run/raise.ts';
import type { RunState } from '../run/state.ts';

export interface ResumeOptions {
  /** New values of limits, also of such as the run has not got; one that is not above the old value changes nothing. */
  readonly raise: Readonly<Partial<Record<LimitName, number>>>;
  /** The same by amounts to add: to the limit, or to what is used where the run has none. */
  readonly add?: Readonly<Partial<Record<LimitName, number>>>;
  /** A person says that the pending review is approved. */
  readonly approveReview?: boolean;
  /** A person says that no task is blocked any more. */
  readonly unblockTasks?: boolean;
  /** A person asked for it; false where a window picks up what it ran before. */
  readonly byPerson: boolean;
  /** Leaves a run alone that has ended meanwhile, in an epoch after this one (0: in any): `has_ended`. */
  readonly unlessEndedAfter?: number;
  readonly paceMs?: number;
}

/** The limits that are to be raised, with their new values. */
export function raisesOf(state: RunState, { raise, add = {} }: ResumeOptions): [LimitName, number][] {
  const added = (Object.entries(add) as [LimitName, number][]).map(([limit, more]): [LimitName, number] => [
    limit,
    (state.limits[limit] ?? usedWithout(state, limit) ?? 0) + more,
  ]);
  return [...(Object.entries(raise) as [LimitName, number][]), ...added];
}

/** What a new owner says first: calls of unknown outcome are held, limits raised, and a person's go-ahead noted. */
export function resumeEvents(state: RunState, options: ResumeOptions): EventDraft[] {
  const events: EventDraft[] = [];
  for (const call of state.calls.values()) {
    if (call.status !== 'reserved') continue;
    events.push({
      type: 'call.held',
      call_id: call.id,
      agent: call.agent,
      task_id: call.taskId,
      iteration: call.iteration,
      model: call.model,
      attempt: call.attempt,
      input_tokens: null,
      cached_tokens: null,
      output_tokens: null,
      latency_ms: null,
      cost_usd: usdFromPico(call.reserved),
      system_fingerprint: null,
      error: { class: 'interrupted_by_crash', message: 'The process ended before the outcome was known.' },
    });
  }
  for (const [limit, to] of raisesOf(state, options)) {
    const raised = raisedTo(state, limit, to);
    if (raised !== null) events.push(raised);
  }
  for (const { id, state: how } of options.unblockTasks ? state.tasks.values() : []) {
    if (how === 'blocked') events.push({ type: 'task.unblocked', task_id: id, by: 'user' });
  }
  if (options.byPerson) events.push({ type: 'run.resumed', by: 'user' });
  if (options.approveReview && state.review) {
    const { id, digest } = state.review;
    events.push({ type: 'review.decided', review_id: id, digest, decision: 'approve', by: 'user', via: 'resume' });
  }
  if (state.tasks.size === 0) {
    // The first owner died between opening the log and putting in the first task.
    events.push(firstTask(state.config));
  }
  return events;
}
