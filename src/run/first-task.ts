import type { RunConfig } from './config.ts';
import type { EventDraft } from './events.ts';

/** Puts the initial task into the queue: of a new run, of one that died before it did so, and of a forecast. */
export function firstTask({ initial_task }: Pick<RunConfig, 'initial_task'>): EventDraft {
  return {
    type: 'task.created',
    task_id: 't1',
    label: '1',
    text: initial_task,
    by: 'initial',
    parent_task_id: null,
    before: null,
    iteration: 0,
  };
}
