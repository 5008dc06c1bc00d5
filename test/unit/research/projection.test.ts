import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Course, firstReached } from '../../../src/research/course.ts';
import { projection } from '../../../src/research/projection.ts';
import type { RunConfig } from '../../../src/run/config.ts';
import type { EventDraft } from '../../../src/run/events.ts';
import { fold } from '../../../src/run/fold.ts';
import {
  answered,
  type CallOptions,
  epochOpened,
  events,
  makeConfig,
  reserved,
  startOfRun,
  task,
  unanswered,
} from '../../support/run-events.ts';

const config = (limits: Partial<RunConfig['limits']>, loop: Partial<RunConfig['loop']> = {}) => {
  const base = makeConfig();
  return { ...base, loop: { ...base.loop, synthesis: false, ...loop }, limits: { ...base.limits, ...limits } };
};
/** An iteration with one request that was answered; four seconds long. */
const pass = (number: number, options: CallOptions = {}): EventDraft[] => [
  task(`t${number + 1}`, 'x'),
  { type: 'task.started', task_id: `t${number}`, iteration: number },
  ...answered(`c${number}`, 'x', { iteration: number, costUsd: 0.001, reservedUsd: 1, ...options }),
  { type: 'task.completed', task_id: `t${number}`, iteration: number, call_id: `c${number}` },
  { type: 'iteration.completed', iteration: number, task_id: `t${number}` },
];
const spend = (number: number, costUsd: number) => pass(number, { costUsd });

describe('the projection of a run in progress', () => {
  const at = (made: RunConfig, ...drafts: EventDraft[]) => projection(fold(made, events(...startOfRun(), ...drafts)));

  it('goes on at the pace of the last iterations', () => {
    const projected = at(config({ max_cost_usd: 10 }), ...spend(1, 0.2), ...spend(2, 0.4));
    assert.deepEqual([projected?.endsBy, projected?.endsAfter, projected?.level], ['max_iterations', 10, 'ok']);
    const cost = projected?.courses.find(({ limit }) => limit === 'max_cost_usd');
    assert.deepEqual([cost?.total, cost?.taken, cost?.by], [3_000_000_000_000n, 600_000_000_000n, 2n]);
    assert.equal(at(config({})), null);
    const long = Array.from({ length: 14 }, (_, index) => spend(index + 1, index < 4 ? 9 : 0.5)).flat();
    const later = at(config({ max_cost_usd: 100, max_iterations: 20 }), ...long);
    assert.deepEqual([later?.courses[0]?.taken, later?.courses[0]?.by], [5_000_000_000_000n, 10n], 'of the last ten');
  });

  it('is near where less than a tenth of the limit is left at the end', () => {
    const level = (cap: number) => at(config({ max_cost_usd: cap }), ...spend(1, 0.3), ...spend(2, 0.3))?.level;
    assert.deepEqual([3.34, 3.33, 3, 2.99].map(level), ['ok', 'near', 'near', 'over']);
  });

  it('warns of the iteration at which the cost limit ends it, with what is held, reserved and kept back', () => {
    const spent = [...spend(1, 0.3), ...spend(2, 0.3)];
    const ends = (cap: number, more: EventDraft[] = [], synthesis = false) => {
      const projected = at(config({ max_cost_usd: cap }, { synthesis }), ...spent, ...more);
      return projected?.level === 'over' ? [projected.endsBy, projected.endsAfter] : null;
    };
    assert.equal(ends(3), null);
    assert.deepEqual(ends(2.99), ['max_cost_usd', 9]);
    const pending = { iteration: 3, reservedUsd: 0.3 };
    assert.deepEqual(ends(2.99, unanswered('h1', 'held', 'x', pending)), ['max_cost_usd', 8]);
    assert.deepEqual(ends(2.99, [reserved('r1', pending)]), ['max_cost_usd', 8]);
    assert.deepEqual(ends(0.5), ['max_cost_usd', 2]);
    assert.deepEqual(ends(2.99, [], true), ['max_cost_usd', 9], 'the closing answer is cheap');
    assert.deepEqual(ends(3, [], true), ['max_cost_usd', 9]);
    const raised: EventDraft = { type: 'limit.raised', limit: 'max_cost_usd', from: 2.99, to: 5, by: 'user' };
    assert.equal(ends(2.99, [raised]), null);
  });

  it('is about requests and tokens in the same way, where the run has limits of them', () => {
    const two = [
      ...pass(1, { inputTokens: 900, outputTokens: 100 }),
      ...unanswered('h', 'held', 'x', { iteration: 2 }),
      ...pass(2, { inputTokens: 1500, outputTokens: 500 }),
    ];
    const ends = (limits: Partial<RunConfig['limits']>, synthesis = false) => {
      const projected = at(config({ max_cost_usd: 100, ...limits }, { synthesis }), ...two);
      return projected && [projected.level, projected.endsBy, projected.endsAfter, projected.tightest];
    };
    // Three requests in two iterations.
    assert.deepEqual(ends({ max_requests: 17 })?.slice(0, 3), ['ok', 'max_iterations', 10]);
    assert.deepEqual(ends({ max_requests: 16 }), ['near', 'max_iterations', 10, 'max_requests']);
    assert.deepEqual(ends({ max_requests: 14 }), ['over', 'max_requests', 9, 'max_requests']);
    assert.deepEqual(ends({ max_requests: 8 }), ['over', 'max_requests', 5, 'max_requests']);
    assert.deepEqual(
      ends({ max_requests: 8 }, true),
      ['over', 'max_requests', 4, 'max_requests'],
      'one for the answer',
    );
    // 1000, 2000 and the worst case of the unknown one, 1500: 2250 each.
    assert.deepEqual(ends({ max_tokens: 50_000 })?.slice(0, 3), ['ok', 'max_iterations', 10]);
    assert.deepEqual(ends({ max_tokens: 24_000 }), ['near', 'max_iterations', 10, 'max_tokens']);
    assert.deepEqual(ends({ max_tokens: 22_000 }), ['over', 'max_tokens', 9, 'max_tokens']);
    assert.deepEqual(ends({ max_tokens: 22_000, max_requests: 8 })?.slice(0, 3), ['over', 'max_requests', 5]);
    const added: EventDraft = { type: 'limit.added', limit: 'max_requests', to: 6, by: 'user' };
    assert.equal(at(config({ max_cost_usd: 100 }), ...two, added)?.endsBy, 'max_requests');
  });

  it('is about the time, with the pause between iterations, and without that for which a person was waited', () => {
    const waits: EventDraft[] = Array.from({ length: 50 }, (_, index) => ({
      type: 'notice.queued',
      notice_id: `n${index}`,
      kind: 'review',
      text: 'Look.',
    }));
    const ends = (minutes: number, sleep_seconds: number, ...more: EventDraft[]) => {
      const made = config({ max_wall_time_minutes: minutes }, { sleep_seconds });
      const projected = at(made, ...pass(1), ...waits, ...pass(2), ...more);
      const time = projected?.courses.find(({ limit }) => limit === 'max_wall_time_minutes');
      return projected && [projected.level, projected.endsBy, projected.endsAfter, time && time.taken / time.by];
    };
    // 65 s are over, and each of the other eight takes four.
    assert.deepEqual(ends(60, 0), ['ok', 'max_iterations', 10, 4000n]);
    assert.deepEqual(ends(100 / 60, 0), ['near', 'max_iterations', 10, 4000n]);
    assert.deepEqual(ends(80 / 60, 0)?.slice(0, 2), ['over', 'max_wall_time_minutes']);
    assert.deepEqual(ends(4, 26), ['over', 'max_wall_time_minutes', 7, 30_000n]);
    // The same in the middle of an iteration, before its first file.
    const wait: EventDraft[] = [
      { type: 'review.requested', review_id: 'f1', iteration: 0, digest: 'd', reason: 'first_use', why: 'a file' },
      ...waits,
      { type: 'review.decided', review_id: 'f1', digest: 'd', decision: 'approve', by: 'user', via: 'panel' },
    ];
    const one = pass(1);
    const slow = [...one.slice(0, 4), ...wait, ...one.slice(4)];
    const taken = at(config({}), ...slow)?.courses.find(({ limit }) => limit === 'max_wall_time_minutes')?.taken;
    assert.equal(taken, 5000n);
    const again = epochOpened({ segment: 1, cut_at: 0, tail_bytes: 0, tail: 'none' });
    assert.deepEqual(ends(60, 0, again), ['ok', 'max_iterations', 10, 4000n], 'under another owner too');
    const made = config({ max_wall_time_minutes: 10 });
    const state = fold(made, events(...startOfRun(), ...pass(1)));
    assert.equal(projection(state, 9.9 * 60_000)?.endsBy, 'max_wall_time_minutes', 'by the clock as it is now');
  });

  it('leaves out the cost where somebody else accounts for the requests', () => {
    const base = config({ max_cost_usd: 0.000001 });
    const included = { ...base, model: { ...base.model, provider: 'vscode-lm' as const } };
    const projected = at(included, ...spend(1, 0));
    assert.deepEqual(
      projected?.courses.map(({ limit }) => limit),
      ['max_wall_time_minutes'],
    );
    assert.equal(projected?.level, 'ok');
  });

  it('ends by the iterations where these are done, and where a limit comes with them', () => {
    const done = at(config({ max_iterations: 2, max_cost_usd: 0.6 }), ...spend(1, 0.3), ...spend(2, 0.3));
    assert.deepEqual([done?.endsBy, done?.endsAfter, done?.level], ['max_iterations', 2, 'near']);
  });
});

describe('the limit that is reached first', () => {
  const course = (limit: Course['limit'], cap: bigint, taken: bigint, used = 0n, kept = 0n, by = 1n): Course => ({
    limit,
    cap,
    used,
    kept,
    taken,
    by,
  });

  it('is the one with room for the fewest iterations, the first named of several, and none that nothing is taken of', () => {
    assert.deepEqual(
      firstReached([
        course('max_requests', 10n, 2n),
        course('max_tokens', 90n, 20n, 0n, 10n),
        course('max_cost_usd', 1n, 0n),
      ]),
      { limit: 'max_tokens', after: 4 },
    );
    assert.deepEqual(
      firstReached([course('max_tokens', 10n, 2n), course('max_requests', 5n, 1n)])?.limit,
      'max_tokens',
    );
    assert.deepEqual(firstReached([course('max_tokens', 10n, 2n, 11n)])?.after, 0);
    assert.equal(firstReached([course('max_cost_usd', 10n, 0n)]), null);
    assert.equal(firstReached([course('max_requests', 10n, 5n, 0n, 0n, 2n)])?.after, 4);
  });
});
