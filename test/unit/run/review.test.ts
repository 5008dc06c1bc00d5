import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RunConfig } from '../../../src/run/config.ts';
import type { EventDraft } from '../../../src/run/events.ts';
import { dueReview, filesInWords, firstUseReview, reviewDigest } from '../../../src/run/review.ts';
import { fold } from '../../../src/run/fold.ts';
import type { RunState } from '../../../src/run/state.ts';
import { answered, events, iteration, makeConfig, startOfRun, task, unanswered } from '../../support/run-events.ts';

const CONFIG = makeConfig();

function configured(loop: Partial<RunConfig['loop']>): RunConfig {
  return { ...CONFIG, loop: { ...CONFIG.loop, ...loop } };
}

function stateAfter(loop: Partial<RunConfig['loop']>, ...drafts: EventDraft[]): RunState {
  return fold(configured(loop), events(...startOfRun(), task('t2', 'Two'), task('t3', 'Three'), ...drafts));
}

/** What is requested and decided at once. */
function reviewed(request: EventDraft | null, decision: 'approve' | 'stop' = 'approve'): EventDraft[] {
  assert.ok(request?.type === 'review.requested');
  const { review_id, digest } = request;
  return [request, { type: 'review.decided', review_id, digest, decision, by: 'user', via: 'test' }];
}

describe('a review for the cost', () => {
  const loop = { review_every_usd: 0.003 };
  const first = iteration(1, 't1', 'x');
  const spends = (id: string, costUsd: number) => answered(id, 'x', { agent: 'planning', costUsd });

  it('is due once so much is spent since the start, to the cent, and not before', () => {
    assert.equal(dueReview(stateAfter(loop, ...first, ...spends('a', 0.001999999))), null);
    const due = dueReview(stateAfter(loop, ...first, ...spends('a', 0.002)));
    assert.deepEqual([due?.reason, due?.iteration], ['cost', 1]);
    assert.match(due?.why ?? '', /^\$0\.0030 spent since the start, with a review at each \$0\.0030$/);
    assert.equal(dueReview(stateAfter({}, ...first, ...spends('a', 0.9))), null, 'it is off by default');
  });

  it('counts what is held as spent', () => {
    const held = unanswered('h', 'held', 'Reset.', { reservedUsd: 0.002 });
    assert.equal(dueReview(stateAfter(loop, ...first, ...held))?.reason, 'cost');
  });

  it('counts from the last review, whatever it was for', () => {
    const before = [...first, ...spends('a', 0.002)];
    const asked = reviewed(dueReview(stateAfter(loop, ...before)));
    const more = [...before, ...asked, ...iteration(2, 't2', 'x')];
    assert.equal(dueReview(stateAfter(loop, ...more, ...spends('b', 0.0019))), null);
    const due = dueReview(stateAfter(loop, ...more, ...spends('b', 0.002)));
    assert.deepEqual([due?.review_id, due?.reason], ['r2', 'cost']);
    assert.match(due?.why ?? '', /since the last review/);
  });

  it('is one with the review of the same iteration', () => {
    const state = stateAfter({ ...loop, review_every: 1 }, ...first, ...spends('a', 0.002));
    const asked = reviewed(dueReview(state));
    const after = stateAfter({ ...loop, review_every: 1 }, ...first, ...spends('a', 0.002), ...asked);
    assert.equal(dueReview(after), null);
  });

  it('is not due in the middle of an iteration', () => {
    const state = stateAfter(loop, ...first, ...spends('a', 0.9), {
      type: 'task.started',
      task_id: 't2',
      iteration: 2,
    });
    assert.equal(dueReview(state), null);
  });
});

describe('a review of the first use of a tool', () => {
  const started: EventDraft = { type: 'task.started', task_id: 't1', iteration: 1 };
  const hands = (answer: string, loop: Partial<RunConfig['loop']> = { review_first_use: true }) => {
    const drafts = [started, ...answered('c1', answer, { taskId: 't1' })];
    return { drafts, request: requestIn(stateAfter(loop, ...drafts)) };
  };
  const requestIn = (state: RunState) => {
    const [t1, call] = [state.tasks.get('t1'), state.calls.get('c1')];
    assert.ok(t1 && call);
    return firstUseReview(state, t1, call);
  };
  const block = (name: string) => `\n\`\`\`file:${name}\nhello\n\`\`\`\n`;

  it('names the tool and every file, once', () => {
    const { request } = hands(`Here.${block('a.md')}${block('b/c.md')}${block('a.md')}`);
    assert.deepEqual(request?.first_use, {
      tool: 'write_files',
      task_id: 't1',
      call_id: 'c1',
      files: ['a.md', 'b/c.md'],
    });
    assert.deepEqual([request?.reason, request?.iteration], ['first_use', 0]);
    assert.match(request?.why ?? '', /task t1 wants to write a\.md, b\/c\.md$/);
    assert.equal(filesInWords(['a', 'b', 'c', 'd', 'e']), 'a, b, c and 2 more');
  });

  it('is due for files only, and where it is wanted', () => {
    assert.equal(hands('No file: here.').request, null);
    assert.equal(hands(block('a.md'), {}).request, null);
  });

  it('shows no character of a name that does more than show', () => {
    const { request } = hands(block('a\u001b[2J\u202Egpj.md'));
    assert.equal(/\p{C}/u.test(JSON.stringify(request?.first_use?.files)), false);
  });

  it('is asked once it is approved no more, and again after a stop', () => {
    const { drafts, request } = hands(block('a.md'));
    const loop = { review_first_use: true };
    assert.equal(requestIn(stateAfter(loop, ...drafts, ...reviewed(request))), null);
    const again = requestIn(stateAfter(loop, ...drafts, ...reviewed(request, 'stop')));
    assert.equal(again?.reason, 'first_use');
    assert.notEqual(again?.review_id, request?.review_id);
  });

  it('is decided for exactly this answer', () => {
    const { drafts, request } = hands(block('a.md'));
    assert.ok(request?.first_use);
    const state = stateAfter({ review_first_use: true }, ...drafts, request);
    assert.equal(reviewDigest(state), request.digest);
    assert.notEqual(reviewDigest(state), reviewDigest(state, null));
    assert.notEqual(reviewDigest(state), reviewDigest(state, { ...request.first_use, call_id: 'c2' }));
  });
});

describe('what an earlier version left', () => {
  it('is read: a config.json without these settings, a request without a reason', () => {
    const { review_every_usd: _, review_first_use: __, ...loop } = CONFIG.loop;
    const parsed = RunConfig.parse({ ...CONFIG, loop });
    assert.deepEqual([parsed.loop.review_every_usd, parsed.loop.review_first_use], [0, false]);
    const old: EventDraft = {
      type: 'review.requested',
      review_id: 'r1',
      iteration: 1,
      digest: 'x',
      why: 'every 1 iterations',
    };
    assert.deepEqual(stateAfter({}, ...iteration(1, 't1', 'x'), old).review?.reason, 'iterations');
  });
});

describe('the time that a review waits', () => {
  const REQUEST: EventDraft = { type: 'review.requested', review_id: 'r1', iteration: 1, digest: 'x', why: 'test' };
  const opened: EventDraft = {
    type: 'epoch.opened',
    owner: { host: 'host', boot_id: 'boot', pid: 1, process_start: '1', nonce: 'nonce' },
    previous: null,
  };
  /** The run, taken up so many milliseconds after the last event of before, by the wall clock. */
  const waited = (ms: number, ...between: EventDraft[]): number => {
    const made = events(...startOfRun(), ...iteration(1, 't1', 'x'), REQUEST, ...between, opened);
    const last = made.at(-1);
    assert.ok(last);
    const before = Date.parse(made.at(-2)?.ts ?? '');
    const state = fold(CONFIG, [...made.slice(0, -1), { ...last, ts: new Date(before + ms).toISOString() }]);
    assert.ok(state.review);
    return state.earlierMs - state.review.sinceMs;
  };

  it('runs on while nobody has the run in hand', () => {
    assert.equal(waited(3_600_000), 3_600_000);
  });

  it('is not taken back by a clock that was put back', () => {
    const note: EventDraft = { type: 'guidance.given', text: 'x', by: 'user' };
    assert.equal(waited(-3_600_000, note, note), 2000);
  });

  it('begins anew where the run had ended', () => {
    assert.equal(waited(3_600_000, { type: 'run.ended', stop_reason: 'stopped_by_user', error: null, detail: '' }), 0);
  });
});
