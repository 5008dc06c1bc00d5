import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EventDraft } from '../../../src/run/events.ts';
import { taskHistories } from '../../../src/vscode/panel-history.ts';
import {
  answered,
  events,
  failedIteration,
  iteration,
  makeConfig,
  startOfRun,
  task,
} from '../../support/run-events.ts';

function historyOf(taskId: string, ...drafts: EventDraft[]): string[] {
  const histories = taskHistories(makeConfig(), events(...startOfRun(), ...drafts));
  return (histories.get(taskId) ?? []).map(({ text }) => text);
}

const made = (id: string): EventDraft => task(id, id.toUpperCase(), { iteration: 1 });

describe('the history of a task', () => {
  it('says who made it and why, who moved it from where to where, and what became of it', () => {
    const log = [
      ...iteration(1, 't1', 'x', made('a'), made('b'), made('c')),
      ...answered('p2', '{}', { agent: 'planning', iteration: 2 }),
      { type: 'tasks.prioritized', order: ['c', 'a'], by: 'loop', call_id: 'p2' },
      { type: 'tasks.prioritized', order: ['b', 'c'], by: 'user', call_id: null },
      { type: 'task.edited', task_id: 'c', text: 'New', by: 'user' },
      { type: 'task.blocked', task_id: 'c', by: 'user', why: 'not before Monday' },
      { type: 'task.unblocked', task_id: 'c', by: 'user' },
      { type: 'task.blocked', task_id: 'c', by: 'user' },
      { type: 'task.removed', task_id: 'a', by: 'user', why: 'not needed' },
      ...failedIteration(2, 'b', 'It timed out.'),
    ] as EventDraft[];
    assert.deepEqual(historyOf('t1', ...log), [
      'The initial task of the run',
      'Taken up in iteration 1',
      'Done in iteration 1',
    ]);
    assert.deepEqual(historyOf('c', ...log), [
      'Created by the loop in iteration 1 from the result of t1, at place 3 of the queue',
      'Moved from place 3 to 1 by the loop (Planning, iteration 2)',
      'Moved from place 1 to 2 by a person',
      'Edited by a person',
      'Blocked by a person: not before Monday',
      'Unblocked by a person',
      'Blocked by a person',
    ]);
    assert.deepEqual(historyOf('a', ...log).slice(1), [
      'Moved from place 1 to 3 by the loop (Planning, iteration 2)',
      'Removed by a person: not needed',
    ]);
    assert.deepEqual(historyOf('b', ...log).slice(-2), [
      'Taken up in iteration 2',
      'Failed in iteration 2: It timed out.',
    ]);
  });

  it('tells what a new list of the classic strategy lost and invented', () => {
    const log: EventDraft[] = [
      ...iteration(1, 't1', 'x', made('a'), made('b')),
      ...answered('p2', '1. b', { agent: 'prioritization', iteration: 2 }),
      {
        type: 'tasks.replaced',
        tasks: [
          { task_id: 'b', label: '1', text: 'B' },
          { task_id: 'n', label: '2', text: 'N' },
        ],
        call_id: 'p2',
      },
    ];
    assert.deepEqual(
      historyOf('a', ...log).at(-1),
      'Left out of the new list by the loop (Prioritization, iteration 2)',
    );
    assert.deepEqual(
      historyOf('b', ...log).at(-1),
      'Moved from place 2 to 1 by the loop (Prioritization, iteration 2)',
    );
    assert.deepEqual(historyOf('n', ...log), ['Put on the list by the loop (Prioritization, iteration 2)']);
  });

  it('ends where the events make no sense any more', () => {
    assert.deepEqual(historyOf('t1', { type: 'task.completed', task_id: 't1', iteration: 1, call_id: 'none' }), [
      'The initial task of the run',
    ]);
  });
});
