import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { initialState, type RunState, type TaskState } from '../../../src/run/state.ts';
import type { RunConfig } from '../../../src/run/config.ts';
import { type MoreRow, PAGE, type Row, rowsOfMore, rowsOfRun } from '../../../src/vscode/rows.ts';

function stateWith(tasks: readonly [string, TaskState, number?][]): RunState {
  const state = initialState({ run_id: 'run', limits: {} } as RunConfig);
  for (const [id, taskState, iteration] of tasks) {
    state.tasks.set(id, {
      id,
      label: id,
      text: `text of ${id}`,
      state: taskState,
      createdBy: 'loop',
      parentId: null,
      createdIteration: 0,
      iteration: iteration ?? null,
      resultCallId: null,
      error: null,
      removedWhy: null,
    });
    if (taskState === 'pending') state.pending.push(id);
  }
  return state;
}

const ids = (rows: readonly Row[]) => rows.map(({ id }) => id);

describe('rows of a run', () => {
  it('are its tasks: running, waiting in their order, done latest first, failed, removed', () => {
    const state = stateWith([
      ['t1', 'done', 1],
      ['t2', 'done', 2],
      ['t3', 'running', 4],
      ['t4', 'pending'],
      ['t5', 'failed', 3],
      ['t6', 'removed'],
      ['t7', 'pending'],
    ]);
    state.pending = ['t7', 't4'];
    assert.deepEqual(ids(rowsOfRun(state)), ['run/t3', 'run/t7', 'run/t4', 'run/t2', 'run/t1', 'run/t5', 'run/t6']);
  });

  it('show ten thousand tasks in pages, none left out and none twice', () => {
    const count = 10_000;
    const state = stateWith(Array.from({ length: count }, (_, index) => [`t${index}`, 'pending'] as const));
    const seen: string[] = [];
    let rows = rowsOfRun(state);
    assert.equal(rows.length, PAGE + 1);
    for (;;) {
      const more = rows.find((row): row is MoreRow => row.kind === 'more');
      seen.push(...ids(rows.filter(({ kind }) => kind === 'task')));
      if (more === undefined) break;
      assert.equal(more.count, count - seen.length);
      rows = rowsOfMore(state, more);
    }
    assert.deepEqual(
      seen,
      state.pending.map((id) => `run/${id}`),
    );
  });

  it('count the suppressed proposals', () => {
    const state = stateWith([]);
    state.suppressed.push({} as RunState['suppressed'][number], {} as RunState['suppressed'][number]);
    assert.deepEqual(rowsOfRun(state), [
      { kind: 'note', id: 'run/suppressed', runId: 'run', note: 'suppressed', count: 2 },
    ]);
  });
});
