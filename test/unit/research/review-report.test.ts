import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { aheadWords, happenedWords, reviewReport } from '../../../src/research/review-report.ts';
import type { RunConfig } from '../../../src/run/config.ts';
import type { EventDraft } from '../../../src/run/events.ts';
import { fold } from '../../../src/run/fold.ts';
import { events, failedIteration, iteration, makeConfig, startOfRun, task } from '../../support/run-events.ts';

const base = makeConfig();

function reportOf(loop: Partial<RunConfig['loop']>, ...drafts: EventDraft[]) {
  const config = { ...base, loop: { ...base.loop, ...loop } };
  return reviewReport(fold(config, events(...startOfRun(), task('t2', 'Two'), task('t3', 'Three'), ...drafts)));
}

const REVIEWED: EventDraft[] = [
  { type: 'review.requested', review_id: 'r1', iteration: 1, digest: 'x', why: 'test' },
  { type: 'review.decided', review_id: 'r1', digest: 'x', decision: 'approve', by: 'user', via: 'test' },
];
/** $0.001 an iteration. */
const FIRST = iteration(1, 't1', 'x');

describe('what a review shows', () => {
  it('is what happened since the last one, and nothing of before', () => {
    const more = [...iteration(2, 't2', 'x', task('t4', 'Four')), ...failedIteration(3, 't3', 'No.')];
    const { ahead: _ahead, ...happened } = reportOf({}, ...FIRST, ...REVIEWED, ...more);
    assert.deepEqual(happened, {
      iterations: 2,
      done: 1,
      failed: 1,
      created: 1,
      suppressed: 0,
      cost: 1_000_000_000n,
    });
    assert.deepEqual(happenedWords(happened), ['2 iterations: 1 task done, 1 failed', '1 new task', '$0.0010 spent']);
  });

  const ahead = (loop: Partial<RunConfig['loop']>) => aheadWords(reportOf(loop, ...FIRST).ahead);

  it('is what the way to the next one costs, whichever comes first', () => {
    assert.equal(ahead({ review_every: 5 }), 'until the next review (4 iterations): about $0.0040');
    assert.equal(ahead({ review_every_usd: 0.0025 }), 'until the next review (3 iterations): about $0.0030');
    assert.equal(
      ahead({ review_every: 5, review_every_usd: 0.0019 }),
      'until the next review (2 iterations): about $0.0020',
    );
  });

  it('is what the rest costs where no review comes before the end', () => {
    const rest = 'up to the iteration limit, with no review before (9 iterations): about $0.0090';
    assert.deepEqual([ahead({}), ahead({ review_every: 10 }), ahead({ review_every_usd: 1 })], [rest, rest, rest]);
  });

  it('is that nothing is known before an iteration is complete, and when the cost limit ends it', () => {
    assert.match(aheadWords(reportOf({ review_every_usd: 1 }).ahead), /not known before an iteration is complete/);
    const dear = iteration(1, 't1', 'x').map((event) =>
      event.type === 'call.settled' ? { ...event, cost_usd: 0.2 } : event,
    );
    assert.match(aheadWords(reportOf({}, ...dear).ahead), /; the cost limit probably ends it after [34] iterations$/);
  });

  it('has no amount where the cost is included', () => {
    const config = { ...base, model: { ...base.model, provider: 'vscode-lm' as const } };
    const report = reviewReport(fold(config, events(...startOfRun(), ...FIRST)));
    assert.deepEqual([report.cost, report.ahead.usd], [null, null]);
    assert.doesNotMatch([...happenedWords(report), aheadWords(report.ahead)].join(), /\$/);
  });
});
