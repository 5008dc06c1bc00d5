import type { EventDraft } from './events.ts';
import type { Clock, RunLog } from './ports.ts';
import { StepFailed, StopRun } from './ports.ts';
import { firstReady, ONLY_BLOCKED_WAIT } from './queue.ts';
import { dueReview, firstUseReview, reviewPlace } from './review.ts';
import type { Call, Task } from './state.ts';
import { ONLY_BLOCKED } from './stop-reason.ts';
import type { Strategy } from './strategy.ts';

export interface LoopParts {
  readonly log: RunLog;
  readonly strategy: Strategy;
  readonly clock: Clock;
  /** Aborted when a person stops the run. */
  readonly signal: AbortSignal;
  /** Whether somebody may be there to answer a review and to resume a pause, or a review only. */
  readonly attended: boolean | 'reviews';
  readonly skipReviews: boolean;
  /** Queues a notice in the same batch as what it tells. */
  readonly noticeOf: (kind: 'review' | 'paused' | 'continued', text: string) => Parameters<RunLog['append']>;
  /** Writes the files that a result hands over. */
  readonly keepFiles: (task: Task, result: Call) => Promise<void>;
  /** Saves the state as a file; a cache, so a failure is not the run's. */
  readonly saveCheckpoint: (iteration: number) => Promise<void>;
}

/** Failed tasks, or unusable replies, in a row before the run pauses. */
const MAX_STRIKES = 3;

/** The BabyAGI loop. Ends by throwing StopRun, with the reason, and in no other regular way. */
export async function runLoop(parts: LoopParts): Promise<never> {
  const { log, strategy, clock, signal } = parts;
  for (;;) {
    await gate(parts);
    const { task, iteration } = await takeFirstReady(parts);
    try {
      if (task.state === 'running') {
        const result = await strategy.execute(task, iteration);
        await askFor(parts, firstUseReview(log.state, task, result));
        await parts.keepFiles(task, result);
        log.append(
          { type: 'task.completed', task_id: task.id, iteration, call_id: result.id },
          { type: 'memory.stored', memory_id: strategy.memoryId(task), task_id: task.id, call_id: result.id },
        );
      }
      const result = log.state.calls.get(task.resultCallId ?? '');
      const changes = result ? await strategy.plan(task, result, iteration) : [];
      log.append(...changes, { type: 'iteration.completed', iteration, task_id: task.id });
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      log.append(failureOf(parts, task, iteration, error), {
        type: 'iteration.completed',
        iteration,
        task_id: task.id,
      });
    }
    if (iteration % log.state.config.loop.checkpoint_every === 0) await parts.saveCheckpoint(iteration);
    await clock.sleep(Math.min(log.state.config.loop.sleep_seconds * 1000, timeLeftMs(log)), signal);
  }
}

/** A task that could not be done has failed; one that was done keeps its result, and the list stays as it was. */
function failureOf({ log }: LoopParts, task: Task, iteration: number, error: StepFailed): EventDraft {
  if (task.state === 'done') {
    return {
      type: 'reply.rejected',
      call_id: null,
      agent: 'planning',
      why: error.message,
      strike: log.state.strikes + 1,
    };
  }
  return { type: 'task.failed', task_id: task.id, iteration, error: { class: error.reason, message: error.message } };
}

/** The checks at the top of each iteration, in this order: stop asked, limits, health, review due, pause. */
async function gate(parts: LoopParts): Promise<void> {
  const { log } = parts;
  const { state } = log;
  stopIfAsked(parts);
  if (state.current === null && state.judged?.complete === true) {
    throw new StopRun('objective_complete', 'Every acceptance criterion is met.');
  }
  if (state.current === null && state.iteration >= state.limits.max_iterations) {
    throw new StopRun('max_iterations', `Iterations done: ${state.iteration} of ${state.limits.max_iterations}.`);
  }
  if (timeLeftMs(log) <= 0) {
    throw new StopRun('max_wall_time', `The limit of ${state.limits.max_wall_time_minutes} minutes was reached.`);
  }
  if (state.strikes >= MAX_STRIKES || state.failuresInARow >= MAX_STRIKES) await pauseStalled(parts);
  await askFor(parts, dueReview(state));
  await untilResumed(parts);
  stopIfAsked(parts);
}

async function takeFirstReady(parts: LoopParts): Promise<{ task: Task; iteration: number }> {
  const { log, strategy } = parts;
  const { state } = log;
  if (state.current === null) {
    const next = firstReady(state);
    if (next === undefined) {
      if (await strategy.judge(state.iteration))
        throw new StopRun('objective_complete', 'Every acceptance criterion is met.');
      if (state.pending.length === 0)
        throw new StopRun('queue_empty', `No task is left. Iterations done: ${state.iteration}.`);
      return onlyBlocked(parts);
    }
    log.append({ type: 'task.started', task_id: next, iteration: state.iteration + 1 });
  }
  const task = state.current && state.tasks.get(state.current.taskId);
  if (!state.current || !task) throw new Error('the task in hand is not in the task list');
  return { task, iteration: state.current.iteration };
}

/** With a person there the run waits for a task that is ready, once; else it ends. */
async function onlyBlocked(parts: LoopParts): Promise<{ task: Task; iteration: number }> {
  const { iteration, pending } = parts.log.state;
  if (parts.attended !== true) {
    const left = pending.length === 1 ? '1 blocked task is left' : `${pending.length} blocked tasks are left`;
    const message = `After ${iteration} iterations ${left}, and no other one.`;
    throw new StopRun('queue_empty', message, { class: ONLY_BLOCKED, message });
  }
  parts.log.append(
    { type: 'run.paused', by: 'loop', why: ONLY_BLOCKED_WAIT },
    ...parts.noticeOf('paused', ONLY_BLOCKED_WAIT),
  );
  await untilResumed(parts);
  parts.log.append(...parts.noticeOf('continued', GOES_ON));
  return takeFirstReady({ ...parts, attended: false });
}

/** Waits while the run is paused. A wait for a task that is ready ends with the first one, or where none is left. */
async function untilResumed(parts: LoopParts): Promise<void> {
  const { state } = parts.log;
  while (state.status === 'paused') {
    const waitsOn = state.pending.length > 0 && firstReady(state) === undefined;
    if (state.pausedWhy === ONLY_BLOCKED_WAIT && !waitsOn) parts.log.append({ type: 'run.resumed', by: 'loop' });
    else await changed(parts);
  }
}

/** Nobody is served by a loop that fails again and again: with a person there it pauses, else it ends. */
async function pauseStalled(parts: LoopParts): Promise<void> {
  const { state } = parts.log;
  const what = state.failuresInARow >= MAX_STRIKES ? 'tasks failed' : 'planning replies were unusable';
  const why = `${MAX_STRIKES} ${what} in a row.`;
  if (parts.attended !== true) throw new StopRun('stalled', why);
  if (state.status !== 'paused')
    parts.log.append({ type: 'run.paused', by: 'loop', why }, ...parts.noticeOf('paused', why));
  while (state.status === 'paused') await changed(parts);
  parts.log.append(...parts.noticeOf('continued', GOES_ON));
}

const GOES_ON = 'The run goes on.';

/** Requests the review, if there is one, and waits until none is pending. Throws StopRun where the answer is to stop. */
async function askFor(parts: LoopParts, request: ReturnType<typeof dueReview>): Promise<void> {
  const { log } = parts;
  const { state } = log;
  const waits = isWaitedFor(parts);
  if (request) {
    const text = `Iteration ${state.iteration}: the run waits for a checkpoint review (${request.why}).`;
    log.append(request, ...(waits ? parts.noticeOf('review', text) : []));
  }
  const waited = waits && state.review !== null;
  while (state.review) await answered(parts);
  // Also where the process died between the answer and the end.
  if (state.stopAtReview) throw stoppedAtReview();
  if (waited) log.append(...parts.noticeOf('continued', GOES_ON));
}

function stoppedAtReview(): StopRun {
  return new StopRun('stopped_at_review', 'The answer to the review was to end the run.');
}

const SKIP = { action: 'continue', after_minutes: 0 } as const;

function reviewPolicy({ log, skipReviews }: LoopParts) {
  return skipReviews ? SKIP : log.state.config.loop.unattended_review;
}

/** Whether a review waits at all: else it is decided at once, or ends the run, whose notice says so. */
function isWaitedFor(parts: LoopParts): boolean {
  const { action, after_minutes: minutes } = reviewPolicy(parts);
  return action === 'wait' ? parts.attended !== false : minutes > 0;
}

/** Waits until the pending review is decided, by a person or by the policy for unattended ones. */
async function answered(parts: LoopParts): Promise<void> {
  const { log } = parts;
  const { review } = log.state;
  if (!review) return;
  const policy = reviewPolicy(parts);
  const left = review.sinceMs + policy.after_minutes * 60_000 - log.activeMs();
  if (policy.action !== 'wait' && left <= 0) {
    const decision = policy.action === 'continue' ? 'approve' : 'stop';
    log.append({
      type: 'review.decided',
      review_id: review.id,
      digest: review.digest,
      decision,
      by: 'policy',
      via: parts.skipReviews ? 'skipped as asked' : 'unattended policy',
    });
  } else if (policy.action === 'wait' && !parts.attended) {
    throw new StopRun('stopped_at_review', `Waiting for a person to review ${reviewPlace(review)} (${review.why}).`);
  } else {
    await changed(parts, policy.action === 'wait' ? Number.POSITIVE_INFINITY : left);
  }
}

/** Timers above 2^31 ms fire at once, and none counts while the machine sleeps: look again at least this often. */
const LONGEST_WAIT_MS = 1000;

/** Resolves on the next event, or after a while. Throws StopRun as soon as a stop is asked. */
async function changed(parts: LoopParts, atMostMs = Number.POSITIVE_INFINITY): Promise<void> {
  const waiting = new AbortController();
  const wake = () => waiting.abort();
  const unsubscribe = parts.log.subscribe(wake);
  parts.signal.addEventListener('abort', wake, { once: true });
  // A stop between two waits is told to nobody.
  if (parts.signal.aborted) wake();
  try {
    await parts.clock.sleep(Math.max(1, Math.min(atMostMs, LONGEST_WAIT_MS)), waiting.signal);
  } finally {
    unsubscribe();
    parts.signal.removeEventListener('abort', wake);
  }
  stopIfAsked(parts);
  if (timeLeftMs(parts.log) <= 0) {
    throw new StopRun(
      'max_wall_time',
      `The limit of ${parts.log.state.limits.max_wall_time_minutes} minutes was reached.`,
    );
  }
}

function timeLeftMs(log: RunLog): number {
  return log.state.limits.max_wall_time_minutes * 60_000 - log.activeMs();
}

function stopIfAsked({ log, signal }: LoopParts): void {
  if (!signal.aborted) return;
  // Who stops a run that waits for a review has answered it.
  throw log.state.stopAtReview ? stoppedAtReview() : new StopRun('stopped_by_user', 'A person stopped the run.');
}
