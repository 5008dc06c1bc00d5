import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explainRun, explanationLines, type Situation } from '../../../src/research/explain.ts';
import { loopRemarks } from '../../../src/research/loop-remarks.ts';
import type { EventDraft } from '../../../src/run/events.ts';
import { fold } from '../../../src/run/fold.ts';
import { STOP_REASONS } from '../../../src/run/stop-reason.ts';
import {
  answered,
  ended,
  epochOpened,
  events,
  failedIteration,
  iteration,
  makeConfig,
  reserved,
  startOfRun,
  task,
  unanswered,
} from '../../support/run-events.ts';

const ALONE: Situation = { directory: 'runs/one', owned: false, imported: false };
const stateOf = (...drafts: readonly EventDraft[]) => fold(makeConfig(), events(...startOfRun(), ...drafts));
const suppressed = (number: number): EventDraft => ({
  type: 'task.suppressed',
  text: 'again',
  duplicate_of: 't1',
  similarity: 1,
  why: 'same_text',
  parent_task_id: 't1',
  iteration: number,
});

describe('the explanation of a run', () => {
  it('says for every stop reason why, and what to do, with the exact command where one goes on', () => {
    const commands = STOP_REASONS.map((reason) => {
      const state = stateOf(ended(reason, 'This and that.'));
      const limits = { ...state.config.limits, max_requests: 60, max_tokens: 90_000 };
      const { why, next, stopReason } = explainRun({ ...state, limits, config: { ...state.config, limits } }, ALONE);
      assert.equal(stopReason, reason);
      assert.match(why, new RegExp(`^The run ended: ${reason}\\. .* This and that\\.$`));
      assert.notEqual(next.text, '');
      return [reason, next.command?.replace('node dist/cli.js resume runs/one', '…') ?? null];
    });
    assert.deepEqual(Object.fromEntries(commands), {
      objective_complete: null,
      queue_empty: null,
      max_iterations: '… --add-iterations 10',
      max_cost: '… --add-cost-usd 1',
      max_requests: '… --add-requests 60',
      max_tokens: '… --add-tokens 90000',
      max_wall_time: '… --add-minutes 480',
      stopped_by_user: '…',
      stopped_at_review: '…',
      stalled: '…',
      waiting_for_key: '…',
      disk_full: '…',
      quarantined: '…',
      error: '…',
    });
  });

  it('of a run that never ended says so, and how to resume it; what was under way is lost and held', () => {
    const state = stateOf(
      ...answered('c1', 'x'),
      reserved('c2', { agent: 'planning', taskId: 't1', reservedUsd: 0.003 }),
    );
    const { status, why, next, lost } = explainRun(state, ALONE);
    assert.equal(status, 'interrupted');
    assert.match(why, /never ended.*2025-01-02T03:04:10\.000Z\. Iterations done: 0 of 10\./);
    assert.deepEqual(next.command, 'node dist/cli.js resume runs/one');
    assert.deepEqual(
      [lost.heldUsd, lost.calls.map(({ callId, agent, usd }) => [callId, agent, usd])],
      [0.003, [['c2', 'planning', 0.003]]],
    );
    assert.match(lost.text, /1 request is unknown.*\$0\.0030 of the limit is held/);

    const running = explainRun(state, { ...ALONE, owned: true });
    assert.deepEqual([running.status, running.next.command, running.lost.calls], ['in_progress', null, []]);
    assert.match(running.lost.text, /^nothing\. \$0\.0030 is reserved/);
    // Taken up again after its end.
    assert.equal(explainRun(stateOf(ended('max_cost'), epochOpened(null)), ALONE).status, 'interrupted');
  });

  it('names what was held, and whether a later attempt was answered', () => {
    const state = stateOf(
      ...unanswered('c1', 'held', 'No answer.', { step: 'execute' }),
      ...answered('c2', 'x', { step: 'execute' }),
      ...unanswered('c3', 'released', 'Refused.'),
      ...unanswered('c4', 'held', 'Torn.', { step: 'plan', agent: 'planning' }),
      ended('error'),
    );
    const explanation = explainRun(state, ALONE);
    assert.deepEqual(
      explanation.lost.calls.map(({ callId, answeredLater }) => [callId, answeredLater]),
      [
        ['c1', true],
        ['c4', false],
      ],
    );
    assert.equal(explanation.lost.heldUsd, 0.004);
    assert.deepEqual(explanation.lastError, {
      where: 'planning request c4, iteration 1',
      error: { class: 'timeout', message: 'Torn.' },
    });
    const lines = explanationLines(explanation);
    assert.equal(lines.filter((line) => /answered by a later attempt/.test(line)).length, 1);
    assert.deepEqual(lines.slice(-2), [
      'Next: See the error, mend its cause, then resume.',
      '  node dist/cli.js resume runs/one',
    ]);
  });

  it('prefers the error that ended the run, then the newest one', () => {
    const failed = [task('t2', 'B'), ...failedIteration(1, 't1', 'Too long.')];
    assert.deepEqual(explainRun(stateOf(...failed), ALONE).lastError?.where, 'task t1, iteration 1');
    const end: EventDraft = {
      type: 'run.ended',
      stop_reason: 'error',
      error: { class: 'bad_key', message: 'The key is wrong.' },
      detail: 'It ended.',
    };
    const explanation = explainRun(stateOf(...failed, end), ALONE);
    assert.deepEqual(explanation.lastError, {
      where: 'at the end',
      error: { class: 'bad_key', message: 'The key is wrong.' },
    });
    assert.match(explanation.why, /It ended\. The key is wrong\.$/);
    assert.equal(explainRun(stateOf(), ALONE).lastError, null);
  });

  it('divides what was spent and held by the results', () => {
    const run = stateOf(
      task('t2', 'B'),
      ...iteration(1, 't1', 'One.'),
      ...iteration(2, 't2', 'Two.'),
      ...unanswered('c9', 'held', 'x', { reservedUsd: 0.002 }),
      ended('max_iterations'),
    );
    assert.deepEqual(explainRun(run, ALONE).cost, {
      text: '$0.0020 spent and $0.0020 held of $1.00, for 2 results: $0.0020 each.',
      results: 2,
      perResultUsd: 0.002,
    });
    assert.equal(explainRun(stateOf(), ALONE).cost.perResultUsd, null);
    const { model } = run.config;
    const rehearsed = { ...run, config: { ...run.config, model: { ...model, provider: 'rehearsal' as const } } };
    assert.match(
      explainRun(rehearsed, ALONE).cost.text,
      /held of \$1\.00, rehearsed: nothing was spent, for 2 results/,
    );
  });

  it('offers no command where a run may not go on, and the review where one waits', () => {
    const review: EventDraft = { type: 'review.requested', review_id: 'r1', iteration: 1, digest: 'd', why: 'due' };
    const waits = explainRun(stateOf(review, ended('stopped_at_review')), ALONE);
    assert.equal(waits.next.command, 'node dist/cli.js resume runs/one --approve-review');
    const imported = explainRun(stateOf(ended('max_cost')), { ...ALONE, imported: true });
    assert.equal(imported.next.command, null);
    assert.match(imported.next.text, /archive/);
  });
});

describe('remarks on a loop', () => {
  it('are none where it goes well', () => {
    assert.deepEqual(loopRemarks(stateOf()), []);
    assert.deepEqual(
      loopRemarks(
        stateOf(
          task('t2', 'B'),
          task('t3', 'C'),
          ...iteration(1, 't1', 'a'),
          ...iteration(2, 't2', 'b', suppressed(2)),
          ...iteration(3, 't3', 'c', task('t4', 'D'), task('t5', 'E')),
        ),
      ),
      [],
    );
  });

  it('tell of failures, circles, unusable replies, a list that grows, refused files and lost notices', () => {
    const first = (...drafts: EventDraft[]) => loopRemarks(stateOf(...drafts))[0] ?? '';
    const ids = ['t2', 't3', 't4'];
    const waiting = ids.map((id) => task(id, id));
    assert.match(
      first(...waiting, ...failedIteration(1, 't1', 'x'), ...failedIteration(2, 't2', 'x')),
      /^The last 2 tasks failed \(timeout\)\.$/,
    );
    const some = [
      ...failedIteration(1, 't1', 'x'),
      ...failedIteration(2, 't2', 'x'),
      ...failedIteration(3, 't3', 'x'),
      ...iteration(4, 't4', 'ok'),
    ];
    assert.match(first(...waiting, ...some), /^3 of 4 tasks failed \(timeout\): smaller/);
    const rejected = (strike: number): EventDraft => ({
      type: 'reply.rejected',
      call_id: null,
      agent: 'planning',
      why: 'x',
      strike,
    });
    assert.match(
      first(...waiting, ...iteration(1, 't1', 'a', rejected(1)), ...iteration(2, 't2', 'b', rejected(2))),
      /^The last 2 planning replies/,
    );
    const now = (...more: EventDraft[]) => [
      ...waiting,
      ...iteration(1, 't1', 'a', ...more),
      ...iteration(2, 't2', 'b'),
      ...iteration(3, 't3', 'c'),
    ];
    assert.match(first(...now(rejected(1))), /^In 1 of the last 3 iterations/);
    assert.match(first(...now(...[1, 2, 3, 4, 5, 6].map(suppressed))), /^6 of the last 9 proposed tasks/);
    const grow = (number: number) => Array.from({ length: 6 }, (_, index) => task(`g${number}-${index}`, 'more'));
    assert.match(
      first(
        ...waiting,
        ...iteration(1, 't1', 'a', ...grow(1)),
        ...iteration(2, 't2', 'b', ...grow(2)),
        ...iteration(3, 't3', 'c', ...grow(3)),
      ),
      /^The list grows by 5 tasks an iteration: 19 wait, and 7 iterations are left/,
    );
    assert.match(
      first({
        type: 'file.refused',
        name: '../x',
        error: { class: 'dot_segment', message: 'It climbs.' },
        task_id: null,
      }),
      /^1 file was refused.*It climbs\./,
    );
    const notice: EventDraft[] = [
      { type: 'notice.queued', notice_id: 'n1', kind: 'ended', text: 'x' },
      { type: 'notice.failed', notice_id: 'n1', channel: 'slack', error: { class: 'x', message: 'x' }, final: true },
    ];
    assert.match(first(...notice), /^1 notice could not be delivered to everybody/);
  });
});
