import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { EventDraft } from '../../../src/run/events.ts';
import type { RunLog } from '../../../src/run/ports.ts';
import { reviewDigest } from '../../../src/run/review.ts';
import { apply, fold } from '../../../src/run/fold.ts';
import type { RunState } from '../../../src/run/state.ts';
import { SteerError, type SteerErrorReason, Steering } from '../../../src/run/steer.ts';
import {
  answered,
  ended,
  events,
  iteration,
  makeConfig,
  reserved,
  startOfRun,
  task,
  unanswered,
} from '../../support/run-events.ts';

/** Steering of a run with a done task t1, and t2, t3, t4 waiting. */
function steered(...more: EventDraft[]): { steering: Steering; state: RunState; appended: EventDraft[] } {
  const drafts = [
    ...startOfRun(),
    task('t2', 'Two'),
    task('t3', 'Three'),
    task('t4', 'Four'),
    ...iteration(1, 't1', 'x'),
    ...more,
  ];
  const state = fold(makeConfig(), events(...drafts));
  const appended: EventDraft[] = [];
  const log: Pick<RunLog, 'state' | 'append'> = {
    state,
    append: (...batch) => {
      for (const draft of batch) {
        appended.push(draft);
        const event = events(...drafts, ...appended).at(-1);
        if (event) apply(state, event);
      }
    },
  };
  return { steering: new Steering(log as RunLog), state, appended };
}

function refused(reason: SteerErrorReason, work: () => unknown): void {
  assert.throws(work, (error) => error instanceof SteerError && error.reason === reason && error.message.endsWith('.'));
}

const REVIEW: EventDraft = { type: 'review.requested', review_id: 'r1', iteration: 1, digest: 'shown', why: 'test' };

describe('steering a run', () => {
  it('adds, edits and removes waiting tasks', () => {
    const { steering, state } = steered();
    assert.equal(steering.addTask('  Mine '), 'u1');
    assert.equal(steering.addTask('First', 't2'), 'u2');
    steering.editTask('t3', 'Drei');
    steering.removeTask('t4');
    assert.deepEqual(
      state.pending.map((id) => state.tasks.get(id)?.text),
      ['First', 'Two', 'Drei', 'Mine'],
    );
  });

  it('blocks and unblocks waiting tasks, once each, and lets them be changed meanwhile', () => {
    const { steering, state, appended } = steered();
    steering.blockTask('t3', ' Not before Monday ');
    steering.blockTask('t3', 'again');
    assert.deepEqual(
      [state.tasks.get('t3')?.state, state.tasks.get('t3')?.blockedWhy],
      ['blocked', 'Not before Monday'],
    );
    assert.deepEqual(state.pending, ['t2', 't3', 't4']);
    steering.editTask('t3', 'Drei');
    steering.moveTask('t3', 't2');
    steering.unblockTask('t3');
    steering.unblockTask('t3');
    steering.unblockTask('t2');
    assert.deepEqual([state.tasks.get('t3')?.state, state.tasks.get('t3')?.blockedWhy], ['pending', null]);
    assert.deepEqual(state.pending, ['t3', 't2', 't4']);
    assert.deepEqual(
      appended.map(({ type }) => type),
      ['task.blocked', 'task.edited', 'tasks.prioritized', 'task.unblocked'],
    );
    steering.blockTask('t4', '');
    steering.removeTask('t4');
    assert.equal(state.tasks.get('t4')?.state, 'removed');
    refused('bad_text', () => steering.blockTask('t2', 'x'.repeat(4001)));
  });

  it('moves a task in front of any other, and nothing else', () => {
    fc.assert(
      fc.property(fc.constantFrom('t2', 't3', 't4'), fc.constantFrom('t2', 't3', 't4', null), (id, before) => {
        const { steering, state } = steered();
        if (id === before) return refused('no_such_task', () => steering.moveTask(id, before));
        steering.moveTask(id, before);
        const expected = ['t2', 't3', 't4'].filter((other) => other !== id);
        expected.splice(before === null ? expected.length : expected.indexOf(before), 0, id);
        assert.deepEqual(state.pending, expected);
      }),
    );
  });

  it('refuses what is not there or not waiting', () => {
    const { steering, appended } = steered();
    refused('no_such_task', () => steering.editTask('t9', 'x'));
    refused('no_such_task', () => steering.moveTask('t2', 't9'));
    for (const work of [
      () => steering.editTask('t1', 'x'),
      () => steering.removeTask('t1'),
      () => steering.blockTask('t1', ''),
      () => steering.unblockTask('t1'),
      () => steering.moveTask('t1', null),
    ])
      refused('task_not_waiting', work);
    assert.deepEqual(appended, []);
  });

  it('refuses texts that are empty or endless', () => {
    const { steering, appended } = steered();
    for (const text of ['', ' \n', 'x'.repeat(4001)]) {
      refused('bad_text', () => steering.addTask(text));
      refused('bad_text', () => steering.editTask('t2', text));
      refused('bad_text', () => steering.guide(text));
    }
    assert.deepEqual(appended, []);
  });

  it('raises limits within their range, on record, and lowers none', () => {
    const { steering, state, appended } = steered();
    steering.raiseLimit('max_iterations', 20);
    steering.raiseLimit('max_iterations', 20);
    assert.equal(state.limits.max_iterations, 20);
    assert.deepEqual(appended, [{ type: 'limit.raised', limit: 'max_iterations', from: 10, to: 20, by: 'user' }]);
    for (const bad of [0, -1, Number.NaN, 1.5, 1e9, 19])
      refused('bad_limit', () => steering.raiseLimit('max_iterations', bad));
    assert.equal(state.config.limits.max_iterations, 10, 'the configuration stays as it was');
  });

  it('adds a limit that the run was started without, no lower than what is used, and only raises it from then on', () => {
    const { steering, state, appended } = steered(
      ...answered('c8', 'x', { inputTokens: 900, outputTokens: 80 }),
      ...unanswered('c9', 'held', 'No answer.'),
      reserved('open'),
    );
    const used = [...state.calls.values()].reduce(
      (sum, call) =>
        sum +
        (call.status === 'settled'
          ? call.inputTokens + call.outputTokens
          : call.boundInputTokens + call.maxOutputTokens),
      0,
    );
    for (const bad of [0, 1.5, Number.NaN, 1e12, used - 1])
      refused('bad_limit', () => steering.raiseLimit('max_tokens', bad));
    refused('bad_limit', () => steering.raiseLimit('max_requests', state.calls.size - 1));
    assert.deepEqual(appended, []);
    steering.raiseLimit('max_tokens', used);
    steering.raiseLimit('max_requests', 50);
    refused('bad_limit', () => steering.raiseLimit('max_requests', 49));
    steering.raiseLimit('max_requests', 60);
    assert.deepEqual(appended, [
      { type: 'limit.added', limit: 'max_tokens', to: used, by: 'user' },
      { type: 'limit.added', limit: 'max_requests', to: 50, by: 'user' },
      { type: 'limit.raised', limit: 'max_requests', from: 50, to: 60, by: 'user' },
    ]);
    assert.deepEqual([state.limits.max_tokens, state.limits.max_requests], [used, 60]);
    assert.equal(state.config.limits.max_tokens, undefined, 'the configuration stays as it was');
  });

  it('pauses and resumes once, however often it is asked', () => {
    const { steering, state, appended } = steered();
    steering.pause();
    steering.pause();
    assert.equal(state.status, 'paused');
    steering.resume();
    steering.resume();
    assert.equal(state.status, 'running');
    assert.equal(appended.length, 2);
  });

  it('is over when the run has ended', () => {
    const { steering, appended } = steered(ended('max_cost'));
    for (const work of [
      () => steering.pause(),
      () => steering.resume(),
      () => steering.addTask('x'),
      () => steering.editTask('t2', 'x'),
      () => steering.removeTask('t2'),
      () => steering.blockTask('t2', ''),
      () => steering.unblockTask('t2'),
      () => steering.moveTask('t2', null),
      () => steering.raiseLimit('max_iterations', 20),
      () => steering.guide('x'),
    ]) {
      refused('run_ended', work);
    }
    assert.deepEqual(appended, []);
  });
});

describe('guidance', () => {
  it('is refused where no prompt would show it', () => {
    const { state, appended } = steered();
    const classic = { ...state, config: { ...state.config, strategy: 'classic' as const } };
    const log = { state: classic, append: (...batch: EventDraft[]) => void appended.push(...batch) };
    refused('no_guidance', () => new Steering(log as unknown as RunLog).guide('Hurry'));
    assert.deepEqual(appended, []);
  });
});

describe('a review', () => {
  it('is decided for exactly what was shown', () => {
    const { steering, state } = steered(REVIEW);
    const shown = reviewDigest(state);
    steering.decideReview('approve', shown, 'test');
    assert.equal(state.review, null);
    assert.deepEqual(
      state.reviews.map(({ decision, digest, by }) => [decision, digest, by]),
      [['approve', shown, 'user']],
    );
  });

  const changes: Record<string, (steering: Steering) => void> = {
    'a task was added': (steering) => steering.addTask('Sneaked in'),
    'a task was edited': (steering) => steering.editTask('t2', 'Something else'),
    'a task was removed': (steering) => steering.removeTask('t2'),
    'a task was blocked': (steering) => steering.blockTask('t2', ''),
    'the order changed': (steering) => steering.moveTask('t4', 't2'),
    'a limit was added': (steering) => steering.raiseLimit('max_requests', 500),
    'a limit was raised': (steering) => steering.raiseLimit('max_cost_usd', 500),
    'guidance was given': (steering) => steering.guide('Do something else'),
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`is not decided by an old answer after ${what}`, () => {
      const { steering, state } = steered(REVIEW);
      const shown = reviewDigest(state);
      change(steering);
      refused('review_changed', () => steering.decideReview('approve', shown, 'test'));
      assert.ok(state.review);
    });
  }

  it('is not decided in a run that has ended: who resumes it decides', () => {
    const { steering, state } = steered(REVIEW, ended('stopped_at_review'));
    refused('run_ended', () => steering.decideReview('approve', reviewDigest(state), 'test'));
  });

  it('is decided once', () => {
    const { steering, state } = steered(REVIEW);
    steering.decideReview('stop', reviewDigest(state), 'one window');
    refused('no_review', () => steering.decideReview('approve', reviewDigest(state), 'another'));
  });

  it('of another run has another digest', () => {
    const { state } = steered(REVIEW);
    const other = { ...state, config: { ...state.config, run_id: '00000000-0000-4000-8000-000000000000' } };
    assert.notEqual(reviewDigest(state), reviewDigest(other));
  });
});
