import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { apply, fold } from '../../../src/run/fold.ts';
import { initialState, type RunState, type TaskState } from '../../../src/run/state.ts';
import type { RunConfig } from '../../../src/run/config.ts';
import { CallLists } from '../../../src/vscode/call-lists.ts';
import {
  type CallsOf,
  callsRowId,
  type MoreRow,
  PAGE,
  type Row,
  rowsOfMore,
  rowsOfRun,
  rowsOfTask,
  taskRowId,
} from '../../../src/vscode/rows.ts';
import { answered, events, makeConfig, reserved, startOfRun } from '../../support/run-events.ts';

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
      blockedWhy: null,
      changedSeq: 1,
    });
    if (taskState === 'pending' || taskState === 'blocked') state.pending.push(id);
  }
  return state;
}

const ids = (rows: readonly Row[]) => rows.map(({ id }) => id);
const isMore = (row: Row): row is MoreRow => row.kind === 'more';
const noCalls: CallsOf = () => [];

/** Every row below these, as somebody sees them who opens all pages; and the most that were made at once. */
function opened(
  rows: readonly Row[],
  state: RunState,
  callsOf: CallsOf,
): { leaves: string[]; most: number; deep: number } {
  let most = rows.length;
  let deep = 1;
  const leaves = rows.flatMap((row) => {
    if (!isMore(row)) return [row.id];
    const below = opened(rowsOfMore(state, row, callsOf), state, callsOf);
    most = Math.max(most, below.most);
    deep = Math.max(deep, below.deep + 1);
    return below.leaves;
  });
  return { leaves, most, deep };
}

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
    assert.deepEqual(
      ids(rowsOfRun(state, noCalls)),
      ['t3', 't7', 't4', 't2', 't1', 't5', 't6'].map((id) => taskRowId('run', id)),
    );
  });

  it('show ten thousand tasks in pages of pages, none left out and none twice', () => {
    const state = stateWith(Array.from({ length: 10_000 }, (_, index) => [`t${index}`, 'pending'] as const));
    const first = rowsOfRun(state, noCalls);
    assert.equal(first.length, PAGE + 1);
    const { leaves, most, deep } = opened(first, state, noCalls);
    assert.deepEqual(
      leaves,
      state.pending.map((id) => taskRowId('run', id)),
    );
    assert.ok(most <= PAGE + 1, `${most} rows at once`);
    assert.ok(deep <= 3, `${deep} levels`);
  });

  it('have pages that tell what is in them, also when the list grows', () => {
    const state = stateWith(Array.from({ length: 3 * PAGE + 7 }, (_, index) => [`t${index}`, 'pending'] as const));
    const [rest] = rowsOfRun(state, noCalls).filter(isMore);
    assert.ok(rest?.rest);
    state.pending.push('t0');
    const pages = rowsOfMore(state, rest, noCalls).filter(isMore);
    assert.deepEqual(
      pages.map(({ from, to, rest: all }) => [from, to, all]),
      [
        [PAGE, 2 * PAGE, false],
        [2 * PAGE, 3 * PAGE, false],
        [3 * PAGE, 3 * PAGE + 8, false],
      ],
    );
    assert.equal(new Set(ids(pages)).size, 3);
  });

  it('count the suppressed proposals', () => {
    const state = stateWith([]);
    state.suppressed.push({} as RunState['suppressed'][number], {} as RunState['suppressed'][number]);
    assert.deepEqual(rowsOfRun(state, noCalls), [
      { kind: 'note', id: 'run/suppressed', runId: 'run', note: 'suppressed', count: 2 },
    ]);
  });

  it('have a place for the calls that are for no task', () => {
    const callsOf: CallsOf = (taskId) => (taskId === null ? ['c1', 'c2'] : []);
    const rows = rowsOfRun(stateWith([]), callsOf);
    assert.deepEqual(rows, [{ kind: 'calls', id: callsRowId('run'), runId: 'run', count: 2 }]);
  });

  it('have ids of their own, whatever a task is called', () => {
    const state = stateWith([
      ['calls', 'pending'],
      ['suppressed', 'pending'],
      ['call/c1', 'pending'],
    ]);
    state.suppressed.push({} as RunState['suppressed'][number]);
    const callsOf: CallsOf = () => ['c1'];
    const rows = [...rowsOfRun(state, callsOf), ...rowsOfTask({ runId: 'run', taskId: null }, callsOf)];
    assert.equal(new Set(ids(rows)).size, rows.length);
  });
});

describe('rows of a task', () => {
  it('are its calls in their order, in pages', () => {
    const calls = Array.from({ length: 2 * PAGE + 1 }, (_, index) => `c${index}`);
    const state = stateWith([['t1', 'done', 1]]);
    const callsOf: CallsOf = (taskId) => (taskId === 't1' ? calls : []);
    const first = rowsOfTask({ runId: 'run', taskId: 't1' }, callsOf);
    assert.deepEqual(first[0], { kind: 'call', id: 'run/call/c0', runId: 'run', callId: 'c0' });
    assert.deepEqual(
      opened(first, state, callsOf).leaves,
      calls.map((id) => `run/call/${id}`),
    );
  });

  it('come with the calls of the state, of each task and of none', () => {
    const made = [...answered('a', 'x', { taskId: 't1' }), ...answered('b', null, { agent: 'synthesis' })];
    const state = fold(makeConfig(), events(...startOfRun(), ...made));
    const lists = new CallLists();
    assert.deepEqual(lists.of(state, 't1'), ['a']);
    assert.deepEqual(lists.of(state, null), ['b']);
    const later = events(...startOfRun(), ...made, reserved('c', { taskId: 't1' })).at(-1);
    assert.ok(later);
    apply(state, later);
    assert.deepEqual(lists.of(state, 't1'), ['a', 'c']);
    assert.deepEqual(lists.of(state, 't9'), []);
  });
});
