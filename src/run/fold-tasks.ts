import type { RunEvent, RunEventOf } from './events.ts';
import { FoldError } from './fold-error.ts';
import { readyTasks, replacedAround } from './queue.ts';
import type { RunState, Task, TaskState } from './state.ts';

// What an event changes of the tasks of a run.

/** A task that nothing has happened to yet. */
const WAITING = {
  state: 'pending',
  iteration: null,
  resultCallId: null,
  error: null,
  removedWhy: null,
  blockedWhy: null,
} as const;

export function createTask(state: RunState, event: RunEventOf<'task.created'>): void {
  if (state.tasks.has(event.task_id)) throw new FoldError(event, 'task {0} exists', event.task_id);
  state.tasks.set(event.task_id, {
    id: event.task_id,
    label: event.label ?? event.task_id,
    text: event.text,
    ...WAITING,
    createdBy: event.by,
    parentId: event.parent_task_id,
    createdIteration: event.iteration,
    changedSeq: event.seq,
  });
  if (event.by === 'loop') state.tally.created += 1;
  if (event.by !== 'user') state.taskCounter += 1;
  const at = event.before === null ? -1 : state.pending.indexOf(event.before);
  if (at < 0) state.pending.push(event.task_id);
  else state.pending.splice(at, 0, event.task_id);
}

/** Why a task was removed that a list in place of the old one did not name. */
export const LEFT_OUT = 'left out of the prioritized list';

export function replaceTasks(state: RunState, event: RunEventOf<'tasks.replaced'>): void {
  const kept = new Set(event.tasks.map((task) => task.task_id));
  for (const id of readyTasks(state)) {
    if (kept.has(id)) continue;
    const task = taskOf(state, event, id, 'pending');
    task.state = 'removed';
    task.removedWhy = LEFT_OUT;
  }
  for (const replacement of event.tasks) {
    const existing = state.tasks.get(replacement.task_id);
    if (existing) {
      taskOf(state, event, existing.id, 'pending');
      existing.text = replacement.text;
      existing.label = replacement.label;
      continue;
    }
    state.tally.created += 1;
    state.tasks.set(replacement.task_id, {
      id: replacement.task_id,
      label: replacement.label,
      text: replacement.text,
      ...WAITING,
      createdBy: 'loop',
      parentId: null,
      createdIteration: state.current?.iteration ?? state.iteration,
      changedSeq: event.seq,
    });
  }
  state.pending = replacedAround(
    state,
    event.tasks.map((task) => task.task_id),
  );
}

/** The task that the event is about to change. */
export function taskOf(state: RunState, event: RunEvent, id: string, ...expected: readonly TaskState[]): Task {
  const task = state.tasks.get(id);
  if (!task) throw new FoldError(event, 'there is no task {0}', id);
  if (!expected.includes(task.state))
    throw new FoldError(event, 'task {0} is {1}, not {2}', id, task.state, expected.join(' / '));
  task.changedSeq = event.seq;
  return task;
}
