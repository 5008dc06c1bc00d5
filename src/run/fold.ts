import type { RunConfig } from './config.ts';
import type { RunEvent, RunEventOf } from './events.ts';
import { callOf, count, reserve, settle, unsettled } from './fold-calls.ts';
import { FoldError } from './fold-error.ts';
import { createTask, replaceTasks, taskOf } from './fold-tasks.ts';
import { limitProblem } from './limits.ts';
import { reasonNow } from './notice.ts';
import { permuted } from './queue.ts';
import { raiseProblem } from './raise.ts';
import { emptyTally, initialState, type Notice, type RunState } from './state.ts';

export function fold(config: RunConfig, events: Iterable<RunEvent>): RunState {
  const state = initialState(config);
  for (const event of events) apply(state, event);
  return state;
}

/** Brings the state forward by one event, in place. Throws FoldError where the event does not fit. */
export function apply(state: RunState, event: RunEvent): void {
  if (event.seq !== state.lastSeq + 1) throw new FoldError(event, 'it follows event {0}', state.lastSeq);
  applyBody(state, event);
  state.lastSeq = event.seq;
  if (event.epoch !== state.epoch) state.segments.push({ number: event.epoch, firstSeq: event.seq });
  state.epoch = event.epoch;
  state.epochMs = event.mono_ms;
  state.updatedAt = event.ts;
}

function applyBody(state: RunState, event: RunEvent): void {
  switch (event.type) {
    case 'run.created':
      state.startedAt = event.ts;
      return;
    case 'epoch.opened':
      state.version = event.version ?? null;
      state.earlierMs += state.epochMs;
      if (state.review) {
        state.status = 'review';
        state.review = { ...state.review, sinceMs: state.earlierMs - waitedMs(state, state.review, event) };
      } else if (state.status !== 'paused') state.status = 'running';
      state.leftQuarantine = state.end?.reason === 'quarantined';
      state.end = null;
      return;
    case 'run.paused':
      if (state.status !== 'review') state.status = 'paused';
      state.pausedWhy = event.why;
      return;
    case 'run.resumed':
      if (state.status === 'paused') state.status = 'running';
      state.pausedWhy = null;
      // The loop only ends its own wait.
      if (event.by === 'loop') return;
      state.strikes = 0;
      state.failuresInARow = 0;
      state.judged = null;
      state.stopAtReview = false;
      if (state.leftQuarantine) state.interruptionsForgivenAt = event.seq;
      return;
    case 'run.ended':
      state.status = 'ended';
      state.stopAtReview = false;
      state.end = {
        reason: event.stop_reason,
        error: event.error,
        detail: event.detail,
        limit: state.reached,
        at: event.ts,
      };
      state.reached = null;
      return;

    case 'call.reserved':
      reserve(state, event);
      return;
    case 'call.settled':
      settle(state, event);
      return;
    case 'call.held':
    case 'call.released':
      unsettled(state, event);
      return;
    case 'model.adapted':
      state.adaptations.add(event.feature);
      return;

    case 'task.created':
      createTask(state, event);
      return;
    case 'task.started': {
      const task = taskOf(state, event, event.task_id, 'pending');
      task.state = 'running';
      task.iteration = event.iteration;
      state.pending.splice(state.pending.indexOf(task.id), 1);
      state.current = {
        iteration: event.iteration,
        taskId: task.id,
        since: event.ts,
        sinceMs: state.earlierMs + event.mono_ms,
      };
      return;
    }
    case 'task.completed': {
      const task = taskOf(state, event, event.task_id, 'running');
      task.state = 'done';
      task.resultCallId = callOf(state, event, event.call_id).id;
      state.failuresInARow = 0;
      return;
    }
    case 'task.failed': {
      const task = taskOf(state, event, event.task_id, 'running');
      task.state = 'failed';
      task.error = event.error;
      state.failuresInARow += 1;
      return;
    }
    case 'task.edited':
      taskOf(state, event, event.task_id, 'pending', 'blocked').text = event.text;
      // The vector was that of the old text.
      state.vectors.delete(`task/${event.task_id}`);
      return;
    case 'task.removed': {
      const task = taskOf(state, event, event.task_id, 'pending', 'blocked');
      task.state = 'removed';
      task.removedWhy = event.why;
      state.pending.splice(state.pending.indexOf(task.id), 1);
      return;
    }
    case 'task.blocked': {
      const task = taskOf(state, event, event.task_id, 'pending');
      task.state = 'blocked';
      task.blockedWhy = event.why ?? null;
      return;
    }
    case 'task.unblocked': {
      const task = taskOf(state, event, event.task_id, 'blocked');
      task.state = 'pending';
      task.blockedWhy = null;
      return;
    }
    case 'task.suppressed':
      state.suppressed.push(event);
      state.taskCounter += 1;
      state.tally.suppressed += 1;
      return;
    case 'tasks.prioritized':
      state.pending = permuted(state.pending, event.order);
      return;
    case 'tasks.replaced':
      replaceTasks(state, event);
      return;
    case 'reply.rejected':
      state.strikes = event.strike;
      state.tally.rejected = true;
      return;

    case 'memory.stored':
      // Deleting first keeps the entries in the order of their last writing.
      state.memory.delete(event.memory_id);
      state.memory.set(event.memory_id, {
        id: event.memory_id,
        taskId: event.task_id,
        callId: callOf(state, event, event.call_id).id,
      });
      return;
    case 'iteration.completed':
      completeIteration(state, event);
      return;
    case 'checkpoint.saved':
      state.checkpointAt = event.iteration;
      return;
    case 'objective.judged':
      state.judged = event;
      return;
    case 'guidance.given':
      state.guidance.push(event.text);
      return;

    case 'review.requested':
      state.review = {
        id: event.review_id,
        digest: event.digest,
        iteration: event.iteration,
        since: event.ts,
        sinceMs: state.earlierMs + event.mono_ms,
        reason: event.reason ?? 'iterations',
        why: event.why,
        firstUse: event.first_use ?? null,
      };
      state.status = 'review';
      return;
    case 'review.decided':
      if (state.review?.id !== event.review_id)
        throw new FoldError(event, 'review {0} is not pending', event.review_id);
      state.reviewedAt = state.review.iteration;
      state.current &&= withoutWait(state, state.current, state.review, event);
      state.reviewedSpend = state.money.settled + state.money.held;
      if (event.decision === 'stop') state.stopAtReview = true;
      else if (state.review.firstUse) state.approvedTools.add(state.review.firstUse.tool);
      state.review = null;
      state.status = state.pausedWhy === null ? 'running' : 'paused';
      state.reviews.push(event);
      return;
    case 'limit.reached':
      state.reached = { limit: event.limit, value: event.value, spent: event.spent };
      return;
    case 'limit.raised':
      if (limitProblem(event.limit, event.to) !== null)
        throw new FoldError(event, '{0} is no value for {1}', event.to, event.limit);
      setLimit(state, event);
      return;
    case 'limit.added':
      if (state.limits[event.limit] !== undefined) throw new FoldError(event, 'the run has {0} already', event.limit);
      if (raiseProblem(state, event.limit, event.to) !== null)
        throw new FoldError(event, '{0} is no value for {1}', event.to, event.limit);
      setLimit(state, event);
      return;

    case 'notice.queued':
      state.notices.set(event.notice_id, {
        id: event.notice_id,
        kind: event.kind,
        text: event.text,
        queuedAt: event.ts,
        reason: reasonNow(state),
        iteration: state.iteration,
        money: { ...state.money },
        maxCostUsd: state.limits.max_cost_usd,
        channels: event.channels ?? null,
        outcomes: new Map(),
        status: 'queued',
        error: null,
      });
      return;
    case 'notice.sent':
      delivered(state.notices.get(event.notice_id), event.channel, 'sent');
      count(state.origins, event.origin);
      return;
    case 'notice.failed': {
      const notice = state.notices.get(event.notice_id);
      if (notice) notice.error = event.error;
      if (event.final) delivered(notice, event.channel, 'failed');
      return;
    }
    case 'traces.started':
      count(state.origins, event.origin);
      return;
    case 'file.intended':
      state.fileHashes.set(event.name, (state.fileHashes.get(event.name) ?? new Set()).add(event.sha256));
      return;
    case 'file.refused':
      state.refusedFiles.push(event);
      return;
    case 'file.written':
      state.files.set(event.name, event);
      return;
    default:
      event satisfies never;
  }
}

function setLimit(state: RunState, event: RunState['raises'][number]): void {
  state.limits = { ...state.limits, [event.limit]: event.to };
  state.raises.push(event);
}

/**
 * How long the review has waited when a new owner takes the run up, milliseconds. By the wall clock, as no other one ran
 * without an owner; from now on where the run had ended: then nobody was asked any more.
 */
function waitedMs(
  { end, earlierMs }: RunState,
  review: NonNullable<RunState['review']>,
  event: RunEventOf<'epoch.opened'>,
): number {
  if (end) return 0;
  return Math.max(earlierMs - review.sinceMs, Date.parse(event.ts) - Date.parse(review.since));
}

/** The task in hand did not take the time in which a person was waited for. */
function withoutWait(
  { earlierMs }: RunState,
  current: NonNullable<RunState['current']>,
  review: NonNullable<RunState['review']>,
  event: RunEventOf<'review.decided'>,
): NonNullable<RunState['current']> {
  const waitedMs = earlierMs + event.mono_ms - Math.max(review.sinceMs, current.sinceMs);
  return { ...current, sinceMs: current.sinceMs + waitedMs };
}

/** A notice is queued until every channel that it is for is done with it. */
function delivered(notice: Notice | undefined, channel: string, outcome: 'sent' | 'failed'): void {
  if (!notice) return;
  notice.outcomes.set(channel, outcome);
  const outcomes = (notice.channels ?? [channel]).map((name) => notice.outcomes.get(name));
  if (outcomes.includes(undefined)) return;
  notice.status = outcomes.includes('failed') ? 'failed' : 'sent';
}

function completeIteration(state: RunState, event: RunEventOf<'iteration.completed'>): void {
  const { tally } = state;
  if (!tally.rejected) state.strikes = 0;
  state.iterations.push({
    iteration: event.iteration,
    taskId: event.task_id,
    failed: state.tasks.get(event.task_id)?.state === 'failed',
    ...tally,
    queue: state.pending.length,
    tookMs: state.earlierMs + event.mono_ms - (state.current?.sinceMs ?? state.earlierMs + event.mono_ms),
    since: state.current?.since ?? event.ts,
    at: event.ts,
  });
  Object.assign(tally, emptyTally());
  state.iteration = event.iteration;
  state.current = null;
}
