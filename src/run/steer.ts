import { reviewDigest } from './review.ts';
import { LIMIT_WORDS, type LimitName } from './limits.ts';
import type { RunLog } from './ports.ts';
import { raisedTo, raiseProblem } from './raise.ts';
import { known, TranslatableError, type Words } from './translate.ts';

/** What a person may do to a run in progress. Each is an event, or a refusal with a reason; nothing else changes a run. */
export type SteerErrorReason =
  | 'no_such_task'
  | 'task_not_waiting'
  | 'bad_text'
  | 'bad_limit'
  | 'no_guidance'
  | 'no_review'
  | 'review_changed'
  | 'run_ended';

export class SteerError extends TranslatableError {
  readonly reason: SteerErrorReason;
  constructor(reason: SteerErrorReason, words: Words) {
    super(words);
    this.name = 'SteerError';
    this.reason = reason;
  }
}

const MAX_TASK_LENGTH = 4000;

export class Steering {
  private readonly log: RunLog;

  constructor(log: RunLog) {
    this.log = log;
  }

  pause(why = 'A person paused the run.'): void {
    this.assertOpen();
    if (this.log.state.pausedWhy === null) this.log.append({ type: 'run.paused', by: 'user', why });
  }

  resume(): void {
    this.assertOpen();
    if (this.log.state.pausedWhy !== null) this.log.append({ type: 'run.resumed', by: 'user' });
  }

  addTask(text: string, before: string | null = null): string {
    this.assertOpen();
    const { state } = this.log;
    const id = `u${[...state.tasks.values()].filter((task) => task.createdBy === 'user').length + 1}`;
    this.log.append({
      type: 'task.created',
      task_id: id,
      text: taskText(text),
      by: 'user',
      parent_task_id: null,
      before,
      iteration: state.iteration,
    });
    return id;
  }

  editTask(id: string, text: string): void {
    this.assertWaiting(id);
    this.log.append({ type: 'task.edited', task_id: id, text: taskText(text), by: 'user' });
  }

  removeTask(id: string): void {
    this.assertWaiting(id);
    this.log.append({ type: 'task.removed', task_id: id, by: 'user', why: 'removed by a person' });
  }

  /** Holds a waiting task back until it is unblocked; `why` may be empty. */
  blockTask(id: string, why: string): void {
    this.assertWaiting(id);
    if (this.log.state.tasks.get(id)?.state === 'blocked') return;
    const reason = why.trim() === '' ? {} : { why: taskText(why) };
    this.log.append({ type: 'task.blocked', task_id: id, by: 'user', ...reason });
  }

  unblockTask(id: string): void {
    this.assertWaiting(id);
    if (this.log.state.tasks.get(id)?.state === 'blocked')
      this.log.append({ type: 'task.unblocked', task_id: id, by: 'user' });
  }

  /** Moves a waiting task in front of another, or to the end. */
  moveTask(id: string, before: string | null): void {
    this.assertWaiting(id);
    const { pending } = this.log.state;
    const rest = pending.filter((other) => other !== id);
    const at = before === null ? rest.length : rest.indexOf(before);
    if (at < 0)
      throw new SteerError('no_such_task', (translated) => translated('There is no waiting task {0}.', before ?? ''));
    const from = pending.indexOf(id);
    const moved = [...rest.slice(0, at), id, ...rest.slice(at)];
    // Only the stretch between the old and the new place changes.
    const order = moved.slice(Math.min(from, at), Math.max(from, at) + 1);
    this.log.append({ type: 'tasks.prioritized', order, by: 'user', call_id: null });
  }

  /** Raises a limit, or adds one that the run was started without. */
  raiseLimit(limit: LimitName, to: number): void {
    this.assertOpen();
    const { state } = this.log;
    if (raiseProblem(state, limit, to) !== null)
      throw new SteerError('bad_limit', (translated) => raiseProblem(state, limit, to, translated) ?? '');
    const from = state.limits[limit];
    if (from !== undefined && to < from)
      throw new SteerError('bad_limit', (translated) =>
        translated('The {0} is {1}: it can only be raised.', known(LIMIT_WORDS[limit].name, translated), from),
      );
    const raised = raisedTo(state, limit, to);
    if (raised !== null) this.log.append(raised);
  }

  guide(text: string): void {
    this.assertOpen();
    // The prompts of the original have no place for it; that it is recorded and never read would help nobody.
    if (this.log.state.config.strategy === 'classic') {
      throw new SteerError('no_guidance', (translated) =>
        translated('The classic loop takes no guidance: its prompts have no place for it. Add or edit a task instead.'),
      );
    }
    this.log.append({ type: 'guidance.given', text: taskText(text), by: 'user' });
  }

  /** Decides the pending review, for exactly the state whose digest was shown. */
  decideReview(decision: 'approve' | 'stop', shownDigest: string, via: string): void {
    this.assertOpen();
    const { review } = this.log.state;
    if (!review)
      throw new SteerError('no_review', (translated) => translated('No review is pending: it was answered already.'));
    if (shownDigest !== reviewDigest(this.log.state)) {
      throw new SteerError('review_changed', (translated) =>
        translated('The run changed since it was shown: look again, then decide.'),
      );
    }
    this.log.append({ type: 'review.decided', review_id: review.id, digest: shownDigest, decision, by: 'user', via });
  }

  /** A stop while a review waits is the answer to it, wherever it was given. */
  stop(): void {
    const { review, status } = this.log.state;
    if (review && status !== 'ended') this.decideReview('stop', reviewDigest(this.log.state), 'stop');
  }

  private assertOpen(): void {
    if (this.log.state.status === 'ended')
      throw new SteerError('run_ended', (translated) => translated('The run has ended: resume it first.'));
  }

  private assertWaiting(id: string): void {
    this.assertOpen();
    const task = this.log.state.tasks.get(id);
    if (!task) throw new SteerError('no_such_task', (translated) => translated('There is no task {0}.', id));
    if (task.state !== 'pending' && task.state !== 'blocked')
      throw new SteerError('task_not_waiting', (translated) =>
        translated('Task {0} is {1}: only waiting tasks can be changed.', id, known(task.state, translated)),
      );
  }
}

function taskText(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') throw new SteerError('bad_text', (translated) => translated('The text is empty.'));
  if (trimmed.length > MAX_TASK_LENGTH)
    throw new SteerError('bad_text', (translated) =>
      translated('The text is longer than {0} characters.', MAX_TASK_LENGTH),
    );
  return trimmed;
}
