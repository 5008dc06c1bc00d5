import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunBrief } from '../../../src/vscode/run-brief.ts';
import {
  type Arrangement,
  arranged,
  arrangementFrom,
  isFiltered,
  isShown,
  PLAIN,
  RUN_FILTERS,
} from '../../../src/vscode/runs-filter.ts';
import { STOP_REASONS } from '../../../src/run/stop-reason.ts';

const brief = (more: Partial<RunBrief> = {}): RunBrief => ({
  runId: 'run',
  objective: 'Plan a small garden',
  startedAt: '2026-01-02T12:00:00.000Z',
  rehearsal: false,
  included: false,
  imported: false,
  status: 'running',
  stopReason: null,
  onlyBlocked: false,
  stopWords: null,
  byKeyLimit: false,
  iterations: 0,
  maxIterations: 10,
  spentUsd: 0,
  capUsd: 1,
  activeMs: null,
  ...more,
});
const ended = (stopReason: RunBrief['stopReason'], more: Partial<RunBrief> = {}) =>
  brief({ status: 'ended', stopReason, ...more });
const shownBy = (run: RunBrief) => RUN_FILTERS.filter((filter) => isShown(run, { ...PLAIN, filter }));
const entry = (runId: string, more: Partial<RunBrief> = {}) => ({ brief: brief({ runId, ...more }) });
const keysAndRuns = (entries: readonly { brief: RunBrief }[], change: Partial<Arrangement>) =>
  arranged(entries, { ...PLAIN, ...change }).map((group) => [group.key, group.entries.map((each) => each.brief.runId)]);

describe('the filter of runs', () => {
  it('knows where a run belongs', () => {
    assert.deepEqual(shownBy(brief()), ['all', 'live']);
    assert.deepEqual(shownBy(brief({ status: 'elsewhere' })), ['all', 'live']);
    for (const status of ['review', 'review_elsewhere', 'paused'] as const)
      assert.deepEqual(shownBy(brief({ status })), ['all', 'live', 'attention'], status);
    assert.deepEqual(shownBy(brief({ status: 'interrupted' })), ['all', 'attention']);
    assert.deepEqual(shownBy(ended('objective_complete')), ['all', 'well']);
    assert.deepEqual(shownBy(ended('max_cost')), ['all', 'well']);
    assert.deepEqual(shownBy(ended('stopped_by_user')), ['all']);
    assert.deepEqual(shownBy(ended('error')), ['all', 'attention']);
    // Nobody can go on with it here.
    assert.deepEqual(shownBy(brief({ status: 'interrupted', imported: true })), ['all', 'imported']);
    assert.deepEqual(shownBy(ended('max_iterations', { imported: true })), ['all', 'well', 'imported']);
  });

  it('finds a text in the objective, whatever its case, besides the state', () => {
    assert.ok(isShown(brief(), { ...PLAIN, text: 'SMALL garden' }));
    assert.ok(!isShown(brief(), { ...PLAIN, text: 'shed' }));
    assert.ok(!isShown(brief(), { ...PLAIN, filter: 'well', text: 'garden' }));
  });

  it('is on where it leaves anything out', () => {
    assert.ok(!isFiltered(PLAIN));
    assert.ok(!isFiltered({ ...PLAIN, grouping: 'day' }));
    assert.ok(isFiltered({ ...PLAIN, text: 'x' }));
    assert.ok(isFiltered({ ...PLAIN, filter: 'live' }));
  });
});

describe('groups of runs', () => {
  it('are none unless asked for', () => {
    assert.deepEqual(keysAndRuns([entry('b'), entry('a')], {}), [[null, ['b', 'a']]]);
    assert.deepEqual(keysAndRuns([], {}), []);
  });

  it('by state come in one order, with the runs in theirs', () => {
    const entries = [
      entry('e', { imported: true, status: 'interrupted' }),
      entry('d', { status: 'ended', stopReason: 'stopped_by_user' }),
      entry('c', { status: 'ended', stopReason: 'queue_empty' }),
      entry('b'),
      entry('a2', { status: 'review' }),
      entry('a1', { status: 'interrupted' }),
    ];
    assert.deepEqual(keysAndRuns(entries, { grouping: 'state' }), [
      ['attention', ['a2', 'a1']],
      ['live', ['b']],
      ['well', ['c']],
      ['stopped', ['d']],
      ['imported', ['e']],
    ]);
    assert.deepEqual(keysAndRuns(entries, { grouping: 'state', filter: 'live' }), [
      ['attention', ['a2']],
      ['live', ['b']],
    ]);
  });

  it('by state hold every run, whatever ended it', () => {
    for (const reason of STOP_REASONS) {
      const groups = keysAndRuns([{ brief: ended(reason) }], { grouping: 'state' });
      assert.equal(groups.length, 1, reason);
    }
  });

  it('by day go by the clock of this machine, newest first', () => {
    const at = (day: number, hour: number) => new Date(2026, 0, day, hour).toISOString();
    const entries = [
      entry('d', { startedAt: at(3, 0) }),
      entry('c', { startedAt: at(2, 23) }),
      entry('b', { startedAt: at(2, 1) }),
      entry('a', { startedAt: 'yesterday, or so' }),
    ];
    assert.deepEqual(keysAndRuns(entries, { grouping: 'day' }), [
      ['2026-01-03', ['d']],
      ['2026-01-02', ['c', 'b']],
      ['unknown', ['a']],
    ]);
  });
});

describe('what is kept of the arrangement', () => {
  it('is taken up where it is understood', () => {
    const kept: Arrangement = { filter: 'live', text: 'garden', grouping: 'day' };
    assert.deepEqual(arrangementFrom(JSON.parse(JSON.stringify(kept))), kept);
    assert.deepEqual(arrangementFrom({ filter: 'of a later version', text: 7, grouping: 'day' }), {
      ...PLAIN,
      grouping: 'day',
    });
    for (const value of [undefined, null, 'x']) assert.deepEqual(arrangementFrom(value), PLAIN);
  });
});
