import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunConfig } from '../../../src/run/config.ts';
import type { EventDraft } from '../../../src/run/events.ts';
import { reviewDigest } from '../../../src/run/review.ts';
import { fold } from '../../../src/run/fold.ts';
import type { RunState } from '../../../src/run/state.ts';
import { KEY_LIMIT, ONLY_BLOCKED, STOP_REASONS, type StopReason } from '../../../src/run/stop-reason.ts';
import { MAX_POINTS } from '../../../src/vscode/panel-charts.ts';
import { panelSections } from '../../../src/vscode/panel-data.ts';
import { closingAnswer, taskDetail } from '../../../src/vscode/panel-lists.ts';
import {
  FIRST_VIEW,
  type PanelSections,
  type PanelView,
  parsePanelRequest,
} from '../../../src/vscode/panel-messages.ts';
import type { Whereabouts } from '../../../src/vscode/run-registry.ts';
import { atEnd, atReview, longRun, stateOf } from '../../e2e/panel-runs.ts';
import {
  answered,
  ended,
  events,
  failedIteration,
  iteration,
  makeConfig,
  reserved,
  startOfRun,
  task,
  unanswered,
} from '../../support/run-events.ts';

const NOW = Date.UTC(2025, 0, 2, 3, 10, 0);

function stateAfter(...drafts: EventDraft[]): RunState {
  return fold(makeConfig(), events(...startOfRun(), ...drafts));
}

function show(state: RunState, view: Partial<PanelView> = {}, where: Whereabouts = 'here'): PanelSections {
  const all = ['overview', 'tasks', 'calls'] as const;
  const sections = all.map((tab) =>
    panelSections(state, { ...FIRST_VIEW, ...view, tab }, { now: NOW, activeMs: 60_000, where }),
  );
  return Object.assign({}, ...sections) as PanelSections;
}

describe('the panel sections of a run', () => {
  it('split the spend into four parts that add up to the cap', () => {
    const state = stateAfter(
      ...answered('a', 'x', { costUsd: 0.25 }),
      ...unanswered('b', 'held', 'reset', { reservedUsd: 0.125 }),
      reserved('c', { reservedUsd: 0.5 }),
    );
    const { spend } = show(state).progress;
    assert.deepEqual(spend.parts, [
      { part: 'settled', amount: '$0.25', share: 0.25 },
      { part: 'held', amount: '$0.13', share: 0.125 },
      { part: 'reserved', amount: '$0.50', share: 0.5 },
      { part: 'free', amount: '$0.12', share: 0.125 },
    ]);
    assert.deepEqual([spend.spent, spend.cap], ['$0.38', '$1.00']);
  });

  it('show the limits of requests and of tokens where the run has them, with what was drawn of each', () => {
    const state = stateAfter(...answered('a', 'x'), reserved('b', {}));
    assert.deepEqual(show(state).progress.drawn, []);
    const { settled, reserved: open } = state.tokens;
    const limits = { ...state.limits, max_requests: 9, max_tokens: 30_000 };
    assert.deepEqual(show({ ...state, limits }).progress.drawn, [
      { limit: 'max_requests', used: 2, cap: 9 },
      { limit: 'max_tokens', used: settled + open, cap: 30_000 },
    ]);
    assert.ok(settled > 0 && open > 0);
  });

  it('say what is being done and for how long', () => {
    const { activity } = show(
      stateAfter({ type: 'task.started', task_id: 't1', iteration: 1 }, reserved('a', { taskId: 't1' })),
    ).progress;
    assert.equal(activity?.text, 'Execution · t1: Develop a task list');
    assert.equal(activity?.ms, NOW - Date.UTC(2025, 0, 2, 3, 4, 9));
  });

  it('say why nothing happens while a failed request is about to be tried again', () => {
    const state = stateAfter(
      { type: 'task.started', task_id: 't1', iteration: 1 },
      ...unanswered('a', 'released', 'The server is busy (429).', { taskId: 't1' }),
    );
    assert.equal(
      show(state).progress.activity?.text,
      'Waits before it tries again: Execution · The server is busy (429).',
    );
  });

  it('offer what can be done, and nothing else', () => {
    const actions = (state: RunState, where: Whereabouts = 'here') => show(state, {}, where).head.actions.join(' ');
    const paused: EventDraft = { type: 'run.paused', by: 'user', why: 'A person paused the run.' };
    assert.equal(actions(stateAfter()), 'pause stop raiseLimit openLog');
    assert.equal(actions(stateAfter(paused)), 'resume stop raiseLimit openLog');
    assert.equal(actions(stateAfter(), 'idle'), 'resume openLog');
    assert.equal(actions(stateAfter(), 'elsewhere'), 'pause stop openLog');
    assert.equal(actions(stateAfter(paused), 'elsewhere'), 'resume stop openLog');
    const done = (reason: StopReason) => stateAfter(...iteration(1, 't1', 'A result'), ended(reason));
    assert.equal(actions(done('max_cost'), 'idle'), 'continue openAnswer openSummaryDocument openLog');
    const byKey = stateAfter({ ...ended('max_cost'), error: { class: KEY_LIMIT, message: 'x' } });
    assert.equal(actions(byKey, 'idle'), 'resume openSummaryDocument openLog', 'more for this run would not help');
    assert.equal(show(byKey, {}, 'idle').head.state, 'Daily limit of the API key reached');
    assert.equal(show(done('max_cost'), {}, 'idle').head.state, 'Cost limit reached');
    assert.equal(actions(done('queue_empty'), 'idle'), 'openAnswer openSummaryDocument openLog');
    assert.equal(actions(done('error'), 'idle'), 'resume openAnswer openSummaryDocument openLog');
    assert.equal(
      actions(stateAfter(ended('error')), 'idle'),
      'resume openSummaryDocument openLog',
      'without an answer',
    );
  });

  it('count limits that were raised apart from those that were added', () => {
    const facts = (...more: EventDraft[]) => show(stateAfter(...more)).head.facts.join(' · ');
    const raised: EventDraft = { type: 'limit.raised', limit: 'max_cost_usd', from: 1, to: 2, by: 'user' };
    const added: EventDraft = { type: 'limit.added', limit: 'max_requests', to: 50, by: 'user' };
    assert.match(facts(raised, added), / · limits raised once · 1 limit added$/);
    assert.match(facts(added, { ...added, limit: 'max_tokens', to: 5000 }), / · 2 limits added$/);
    assert.doesNotMatch(facts(), /limit/);
  });

  it('tell a run that waits at a review from one that was ended there', () => {
    const meaning = (state: RunState) => show(state, {}, 'idle').head.end?.meaning;
    assert.equal(meaning(stateAfter(ended('stopped_at_review'))), 'The run was ended at a checkpoint review.');
    const waits = stateOf(atEnd(atReview(longRun(20, 3)), 'stopped_at_review', 'x'));
    assert.equal(meaning(waits), 'The run waits for a person at a checkpoint review.');
  });

  it('say nothing twice of an end', () => {
    const detail = (reason: StopReason, said: string) =>
      show(stateAfter(ended(reason, said)), {}, 'idle').head.end?.detail;
    assert.equal(detail('stopped_by_user', 'A person stopped the run.'), '');
    assert.equal(
      detail('stopped_by_user', 'Stopped while waiting to try again.'),
      'Stopped while waiting to try again.',
    );
    assert.equal(detail('objective_complete', 'Every acceptance criterion is met.'), '');
  });

  it('offer nothing that cannot work for a run that can only be looked at, and say why', () => {
    const done = stateAfter(...iteration(1, 't1', 'A result'), ended('max_iterations'));
    for (const [where, why] of [
      ['imported', 'The run came from an archive: it can be looked at and forked, not continued.'],
      ['trial', 'The run is a trial of an experiment: it can be looked at; what goes on is the experiment.'],
      ['restricted', 'This folder is in Restricted Mode: the run can be looked at. Trust the folder to go on with it.'],
    ] as const) {
      const { head } = show(done, {}, where);
      const fork = where === 'imported' ? ['forkRun'] : [];
      assert.deepEqual(head.actions, [...fork, 'openAnswer', 'openSummaryDocument', 'openLog']);
      assert.equal(head.end?.next, why);
      const open = show(stateAfter(), {}, where).head;
      assert.deepEqual([open.actions, open.state, open.detail], [['openLog'], 'Interrupted', why]);
      const { review } = show(stateOf(atReview(longRun(20, 3))), {}, where);
      assert.deepEqual([review?.undecidable, review?.elsewhere], [why, false]);
    }
  });

  it('show a trial in progress at work, and offer nothing that would change it', () => {
    const { head, progress } = show(stateAfter(), {}, 'trial_live');
    assert.deepEqual([head.actions, head.state], [['openLog'], 'Running']);
    assert.match(head.detail, /trial of an experiment/);
    assert.equal(progress.time.runs, true);
  });

  it('say whether the cost fits, near the limit and above it too, while the run goes on', () => {
    const spent = (usd: number) =>
      stateAfter(
        { type: 'task.started', task_id: 't1', iteration: 1 },
        ...answered('a', 'x', { taskId: 't1', costUsd: usd }),
        { type: 'task.completed', task_id: 't1', iteration: 1, call_id: 'a' },
        { type: 'iteration.completed', iteration: 1, task_id: 't1' },
      );
    const projection = (state: RunState) => show(state).progress.projection;
    assert.equal(projection(stateAfter()), null, 'nothing is known yet');
    assert.deepEqual(projection(spent(0.01)), { level: 'ok', text: 'Fits: about $0.10, 1 min after 10 iterations.' });
    assert.deepEqual(projection(spent(0.095)), {
      level: 'near',
      text: 'Just fits: about $0.95, 1 min after 10 iterations, near the cost limit.',
    });
    assert.deepEqual(projection(spent(0.2)), {
      level: 'over',
      text: 'Will not fit: at $0.20 an iteration the cost limit probably ends the run after iteration 4 of 10.',
    });
    assert.equal(
      projection(spent(0.9))?.text,
      'Will not fit: at $0.90 an iteration the cost limit probably ends the run in the next one.',
    );
    const over = fold(makeConfig(), events(...startOfRun(), ...iteration(1, 't1', 'x'), ended('max_cost')));
    assert.equal(projection(over), null, 'it has ended');
  });

  it('say which of all limits comes first, by what an iteration takes of it', () => {
    const base = makeConfig();
    const projection = (limits: Partial<RunConfig['limits']>, config: Partial<RunConfig> = {}, activeMs = 0) => {
      const made = makeConfig({ limits: { ...base.limits, ...limits }, ...config });
      const answer = answered('a', 'x', { taskId: 't1', costUsd: 0.01, inputTokens: 1500, outputTokens: 500 });
      const state = fold(
        made,
        events(
          ...startOfRun(),
          { type: 'task.started', task_id: 't1', iteration: 1 },
          ...answer,
          { type: 'task.completed', task_id: 't1', iteration: 1, call_id: 'a' },
          { type: 'iteration.completed', iteration: 1, task_id: 't1' },
        ),
      );
      return panelSections(state, FIRST_VIEW, { now: 0, activeMs, where: 'here' }).progress?.projection;
    };
    assert.deepEqual(projection({ max_requests: 50, max_tokens: 60_000 }), {
      level: 'ok',
      text: 'Fits: about $0.10, 10 requests, 20,000 tokens after 10 iterations.',
    });
    assert.deepEqual(projection({ max_requests: 7 }), {
      level: 'over',
      text: 'Will not fit: at 1 request an iteration the request limit probably ends the run after iteration 6 of 10.',
    });
    assert.deepEqual(
      projection({ max_tokens: 21_000, max_requests: 50 }, { loop: { ...base.loop, synthesis: false } }),
      {
        level: 'near',
        text: 'Just fits: about $0.10, 10 requests, 20,000 tokens after 10 iterations, near the token limit.',
      },
    );
    // An iteration takes 4 s here, and a pause of a minute.
    const slow = { loop: { ...base.loop, sleep_seconds: 60 } };
    assert.deepEqual(projection({ max_wall_time_minutes: 5 }, slow, 64_000), {
      level: 'over',
      text: 'Will not fit: at 1 min an iteration the time limit probably ends the run after iteration 4 of 10.',
    });
    assert.equal(projection({}, slow, 64_000)?.text, 'Fits: about $0.10, 10 min after 10 iterations.');
    const included = { model: { ...base.model, provider: 'vscode-lm' as const } };
    assert.equal(
      projection({ max_requests: 50, max_cost_usd: 0.000001 }, included)?.text,
      'Fits: about 10 requests after 10 iterations.',
    );
  });

  it('name every stop reason in words of its own', () => {
    const heads = STOP_REASONS.map((reason) => show(stateAfter(ended(reason)), {}, 'idle').head);
    assert.equal(new Set(heads.map((head) => head.state)).size, STOP_REASONS.length);
    assert.deepEqual(
      heads.map((head) => head.end?.reason),
      [...STOP_REASONS],
    );
    assert.ok(heads.every((head) => head.end?.next !== ''));
  });

  it('do not call a run that nobody here drives a running one', () => {
    assert.equal(show(stateAfter(), {}, 'idle').head.state, 'Interrupted');
    for (const where of ['idle', 'elsewhere'] as const)
      assert.equal(show(stateAfter(), {}, where).progress.time.runs, false);
    assert.equal(show(stateAfter(), {}, 'elsewhere').head.detail, 'It is in progress in another process.');
  });

  it('show a pause as such only once the request under way is over', () => {
    const paused: EventDraft = { type: 'run.paused', by: 'user', why: 'Lunch.' };
    assert.equal(show(stateAfter(reserved('a'), paused)).head.state, 'Pausing');
    assert.equal(show(stateAfter(paused)).head.state, 'Paused');
  });

  it('carry the digest of exactly what a review shows', () => {
    const state = stateOf(atReview(longRun(20, 3)));
    const before = show(state).review;
    assert.equal(before?.digest, reviewDigest(state));
    assert.equal(before?.next.length, 5);
    assert.equal(before?.nextMore, state.pending.length - 5);
    assert.match(before?.why ?? '', /^a review is due every/);
    assert.equal(before?.happened[0], '20 iterations: 19 tasks done, 1 failed');
    assert.match(
      before?.happened.at(-1) ?? '',
      /^up to the iteration limit, with no review before \(30 iterations\): about \$0\./,
    );
    const moved = [...state.pending].reverse();
    state.pending = moved;
    assert.notEqual(show(state).review?.digest, before?.digest);
    assert.equal(show(stateAfter()).review, null);
  });
});

describe('the health of the loop', () => {
  const health = (...drafts: EventDraft[]) => show(stateAfter(...drafts)).health;

  it('is not judged before three iterations', () => {
    assert.equal(health(...iteration(1, 't1', 'x')).verdict, 'unknown');
  });

  it('is poor as soon as tasks fail in a row', () => {
    const state = health(task('t2', 'x'), ...failedIteration(1, 't1', 'no'), ...failedIteration(2, 't2', 'no'));
    assert.deepEqual([state.verdict, state.words], ['poor', '2 tasks failed in a row.']);
  });

  it('is to be watched when tasks grow faster than they are done, and good when not', () => {
    const grow = (each: number) =>
      [1, 2, 3].flatMap((number) =>
        iteration(
          number,
          `t${number}`,
          'x',
          ...Array.from({ length: each }, (_, index) =>
            task(index === 0 ? `t${number + 1}` : `m${number}-${index}`, 'x'),
          ),
        ),
      );
    assert.equal(health(...grow(3)).verdict, 'watch');
    assert.equal(health(...grow(1)).verdict, 'good');
  });
});

describe('the lists of the panel', () => {
  const state = stateAfter(
    ...iteration(1, 't1', '# Result', task('t2', 'Second', { iteration: 1 }), task('t3', 'Third', { iteration: 1 })),
    ...failedIteration(2, 't2', 'It timed out.'),
    { type: 'task.created', task_id: 'u1', text: 'Mine', by: 'user', parent_task_id: null, before: 't3', iteration: 2 },
    {
      type: 'task.suppressed',
      text: 'Third again',
      duplicate_of: 't3',
      similarity: 0.97,
      why: 'similar',
      parent_task_id: 't1',
      iteration: 2,
    },
  );

  it('order tasks by what runs, waits and is over, and tell where each comes from', () => {
    const rows = show(state).tasks.rows.map(({ key, group, lineage }) => [key, group, lineage]);
    assert.deepEqual(rows, [
      ['u1', 'pending', 'Added by a person after iteration 2, number 1 in the queue'],
      ['t3', 'pending', 'Created by the loop in iteration 1 from t1, number 2 in the queue'],
      ['t1', 'done', 'The initial task, done in iteration 1'],
      ['t2', 'failed', 'Created by the loop in iteration 1 from t1, failed in iteration 2'],
      ['suppressed-0', 'suppressed', 'Proposed by the loop in iteration 2 from t1, not taken up'],
    ]);
    assert.equal(show(state).tasks.rows.at(-1)?.why, 'It is a duplicate of t3 (97 % alike).');
    assert.deepEqual(show(state).progress.counts, {
      running: 0,
      blocked: 0,
      pending: 2,
      done: 1,
      failed: 1,
      removed: 0,
      suppressed: 1,
    });
  });

  it('tell the tasks that a person holds back from those that wait, with the reason and the place', () => {
    const held = fold(
      makeConfig(),
      events(
        ...startOfRun(),
        task('t2', 'Two'),
        task('t3', 'Three'),
        { type: 'task.blocked', task_id: 't1', by: 'user', why: 'not before Monday' },
        { type: 'task.blocked', task_id: 't3', by: 'user' },
      ),
    );
    const { tasks, progress } = show(held);
    assert.deepEqual(
      tasks.rows.map(({ key, group, lineage, why }) => [key, group, lineage.split(', ').at(-1), why]),
      [
        ['t2', 'pending', 'number 2 in the queue', null],
        ['t1', 'blocked', 'held back at number 1 of the queue', 'not before Monday'],
        ['t3', 'blocked', 'held back at number 3 of the queue', null],
      ],
    );
    assert.deepEqual([progress.queue.waiting, progress.queue.next, progress.counts.blocked], [1, 'Two', 2]);
    const over = { ...ended('queue_empty'), error: { class: ONLY_BLOCKED, message: 'x' } };
    const { head } = show(fold(makeConfig(), events(...startOfRun(), over)), {}, 'idle');
    assert.deepEqual([head.kind, head.state, head.actions[0]], ['stopped', 'Only blocked tasks left', 'resume']);
  });

  it('filter, and answer a page too far with the last one', () => {
    const { tasks } = show(state, { taskFilter: 'failed', taskPage: 9 });
    assert.deepEqual([tasks.page, tasks.pages, tasks.rows.map(({ key }) => key)], [0, 1, ['t2']]);
  });

  it('page the calls of a long run, newest first, each on exactly one page', () => {
    const long = stateOf(longRun(40, 4));
    const { pages, total } = show(long).calls;
    const ids = Array.from({ length: pages }, (_, callPage) =>
      show(long, { callPage }).calls.rows.map(({ id }) => id),
    ).flat();
    assert.equal(total, long.calls.size);
    assert.deepEqual(ids, [...long.calls.keys()].reverse());
  });

  it('give a result on demand, without characters that turn the text around', () => {
    assert.deepEqual(taskDetail(state, 't1'), {
      taskId: 't1',
      text: 'Develop a task list',
      result: '# Result',
      note: null,
      history: null,
    });
    assert.equal(taskDetail(state, 't3')?.result, null);
    assert.equal(taskDetail(state, 'none'), null);
    const turned = stateAfter(...iteration(1, 't1', 'a\u202eb\u2066c'));
    assert.equal(taskDetail(turned, 't1')?.result, 'abc');
  });

  it('give the closing answer once there is one', () => {
    const calls = (of: RunState) => [...of.calls.values()];
    assert.equal(closingAnswer(state, calls(state)).markdown, null);
    const over = stateOf(atEnd(longRun(3, 2), 'queue_empty', 'Done.'));
    assert.match(closingAnswer(over, calls(over)).markdown ?? '', /^The best choice is \*\*SQLite\*\*/);
  });
});

describe('the charts of the panel', () => {
  it('have a point for each iteration of a short run', () => {
    const { points, per } = show(stateOf(longRun(20, 3))).iterations;
    assert.deepEqual([points.length, per], [20, 1]);
    assert.deepEqual(
      points.map(({ failed }) => failed).filter((failed) => failed > 0),
      [1],
    );
  });

  it('have few points for a long run, and lose neither money nor failures nor peaks', () => {
    const state = stateOf(longRun(1000, 2));
    const { points, per } = show(state).iterations;
    assert.ok(points.length <= MAX_POINTS);
    assert.deepEqual([points[0]?.from, points.at(-1)?.to], [1, 1000]);
    const spent = points.reduce((sum, point) => sum + point.cost * (point.to - point.from + 1), 0);
    const settled = Number(state.money.settled + state.money.held) / 1e12;
    assert.ok(per > 1 && Math.abs(spent - settled) < 1e-9, `${spent} is not ${settled}`);
    const failed = state.iterations.filter((record) => record.failed).length;
    assert.equal(
      points.reduce((sum, point) => sum + point.failed, 0),
      failed,
    );
    const most = Math.max(...state.iterations.map((record) => record.latencyMs));
    assert.equal(Math.max(...points.map((point) => point.latencyMax)), Math.round(most));
  });

  it('keep an update small, however long the run', () => {
    const state = stateOf(longRun(1000, 10));
    for (const tab of ['overview', 'tasks', 'calls'] as const) {
      const sections = panelSections(state, { ...FIRST_VIEW, tab }, { now: NOW, activeMs: 0, where: 'here' });
      assert.ok(JSON.stringify(sections).length < 64_000);
    }
  });
});

describe('a message from the panel', () => {
  const runId = '7c9e6679-7425-40de-944b-e07fc1f90ae7';

  it('is taken when it asks for one of the known things', () => {
    for (const message of [
      { type: 'ready', runId, view: FIRST_VIEW },
      { type: 'view', runId, view: { tab: 'calls', taskFilter: 'done', taskPage: 1, callPage: 200 } },
      { type: 'action', runId, action: 'openLog' },
      { type: 'decide', runId, decision: 'approve', digest: 'a'.repeat(64) },
      { type: 'decide', runId, decision: 'stop', digest: 'a'.repeat(64) },
      { type: 'task', runId, taskId: 't12' },
      { type: 'call', runId, callId: 'c12' },
      { type: 'answer', runId },
    ]) {
      assert.deepEqual(parsePanelRequest({ ...message, more: 'is dropped' }), message);
    }
  });

  it('is dropped when it asks for anything else', () => {
    for (const message of [
      null,
      'ready',
      [],
      { type: 'ready', runId },
      { type: 'answer' },
      { type: 'answer', runId: '../../etc/passwd' },
      { type: 'action', runId, action: 'workbench.action.quit' },
      { type: 'action', runId, action: 'toString' },
      { type: 'decide', runId, decision: 'approve', digest: 'a' },
      { type: 'decide', runId, decision: 'postpone', digest: 'a'.repeat(64) },
      { type: 'task', runId, taskId: 'a/b' },
      { type: 'task', runId, taskId: 3 },
      { type: 'call', runId, callId: '../c1' },
      { type: 'call', runId },
      { type: 'view', runId, view: { ...FIRST_VIEW, taskPage: -1 } },
      { type: 'view', runId, view: { ...FIRST_VIEW, callPage: 0.5 } },
      { type: 'view', runId, view: { ...FIRST_VIEW, tab: 'settings' } },
      { type: 'open', runId, path: '/etc/passwd' },
    ]) {
      assert.equal(parsePanelRequest(message), null, JSON.stringify(message));
    }
  });
});
