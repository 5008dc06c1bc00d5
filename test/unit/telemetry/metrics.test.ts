import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Call, RunState } from '../../../src/run/state.ts';
import { fold } from '../../../src/run/fold.ts';
import { exposition } from '../../../src/telemetry/exposition.ts';
import { metricsOf } from '../../../src/telemetry/metrics.ts';
import { parsedMetrics } from '../../support/metrics-text.ts';
import {
  ended,
  events,
  failedIteration,
  iteration,
  makeConfig,
  reserved,
  RUN_ID,
  startOfRun,
  task,
  unanswered,
} from '../../support/run-events.ts';

const labels = (more: Record<string, string> = {}) => ({ run_id: RUN_ID, ...more });

function figuresOf(state: RunState) {
  const { families, value } = parsedMetrics(exposition(metricsOf([state])));
  return { families, value: (name: string, more: Record<string, string> = {}) => value(name, labels(more)) };
}

const TWO = [
  ...startOfRun(),
  ...iteration(1, 't1', 'Four tasks.', task('t2', 'Compare prices'), task('t3', 'Compare speed')),
  ...failedIteration(2, 't2', 'It cannot be done.'),
];

describe('the metrics', () => {
  it('are what the state of a run says', () => {
    const state = fold(makeConfig(), events(...TWO));
    const { value } = figuresOf(state);
    const calls = [...state.calls.values()];
    const of = (fits: (call: Call) => boolean) => calls.filter(fits);
    for (const agent of new Set(calls.map((call) => call.agent))) {
      for (const outcome of ['settled', 'held', 'released'] as const) {
        const expected = of((call) => call.agent === agent && call.status === outcome).length;
        assert.equal(value('babyagi_calls_total', { agent, outcome }), expected, `${agent} ${outcome}`);
      }
      const settled = of((call) => call.agent === agent && call.status === 'settled');
      const sum = (read: (call: Call) => number) => settled.reduce((total, call) => total + read(call), 0);
      assert.equal(
        value('babyagi_tokens_total', { agent, direction: 'input' }),
        sum((call) => call.inputTokens),
      );
      assert.equal(
        value('babyagi_tokens_total', { agent, direction: 'output' }),
        sum((call) => call.outputTokens),
      );
      assert.equal(
        value('babyagi_cached_tokens_total', { agent }),
        sum((call) => call.cachedTokens),
      );
      const timed = settled.filter(({ latencyMs }) => latencyMs !== null);
      assert.equal(value('babyagi_call_duration_seconds_count', { agent }), timed.length);
      assert.equal(
        value('babyagi_call_duration_seconds_sum', { agent }),
        timed.reduce((total, { latencyMs }) => total + (latencyMs ?? 0) / 1000, 0),
      );
    }
    assert.ok(calls.some(({ status }) => status === 'settled'));
    assert.equal(value('babyagi_iterations_total'), 2);
    assert.equal(value('babyagi_iterations_limit'), 10);
    assert.equal(value('babyagi_tasks_finished_total', { outcome: 'done' }), 1);
    assert.equal(value('babyagi_tasks_finished_total', { outcome: 'failed' }), 1);
    assert.equal(value('babyagi_queue_tasks', { state: 'ready' }), 1);
    assert.equal(value('babyagi_cost_usd', { state: 'settled' }), Number(state.money.settled) / 1e12);
    assert.equal(value('babyagi_cost_limit_usd'), 1);
    assert.equal(value('babyagi_run_status', { status: 'running' }), 1);
    assert.equal(value('babyagi_run_status', { status: 'paused' }), 0);
    assert.equal(value('babyagi_run_review_waiting'), 0);
    assert.equal(value('babyagi_run_active_limit_seconds'), 480 * 60);
    assert.equal(value('babyagi_run_last_event_timestamp_seconds'), Date.parse(state.updatedAt) / 1000);
  });

  it('go on counting in a run that was resumed, and say why one ended', () => {
    const before = fold(makeConfig(), events(...TWO));
    const after = fold(makeConfig(), events(...TWO, ended('max_cost')));
    assert.equal(figuresOf(before).value('babyagi_run_stop_reason', { reason: 'max_cost' }), undefined);
    const { value } = figuresOf(after);
    assert.equal(value('babyagi_run_stop_reason', { reason: 'max_cost' }), 1);
    assert.equal(value('babyagi_run_status', { status: 'ended' }), 1);
    assert.equal(value('babyagi_iterations_total'), figuresOf(before).value('babyagi_iterations_total'));
  });

  it('tell held and reserved money and requests under way apart', () => {
    const config = makeConfig();
    const first = [...startOfRun(), { type: 'task.started', task_id: 't1', iteration: 1 } as const];
    const underWay = figuresOf(fold(config, events(...first, reserved('c1'))));
    assert.equal(underWay.value('babyagi_calls_in_flight', { agent: 'execution' }), 1);
    assert.ok((underWay.value('babyagi_cost_usd', { state: 'reserved' }) ?? 0) > 0);
    const held = figuresOf(fold(config, events(...first, ...unanswered('c1', 'held', 'No answer.'))));
    assert.equal(held.value('babyagi_calls_in_flight', { agent: 'execution' }), 0);
    assert.equal(held.value('babyagi_calls_total', { agent: 'execution', outcome: 'held' }), 1);
    assert.ok((held.value('babyagi_cost_usd', { state: 'held' }) ?? 0) > 0);
    assert.equal(held.value('babyagi_tokens_total', { agent: 'execution', direction: 'input' }), 0);
  });

  it('show a review that waits, blocked tasks, and notices', () => {
    const review = { review_id: 'r1', digest: 'd' };
    const state = fold(
      makeConfig(),
      events(
        ...TWO,
        { type: 'task.blocked', task_id: 't3', by: 'user' },
        { type: 'review.requested', ...review, iteration: 2, why: 'every iteration' },
        { type: 'notice.queued', notice_id: 'n1', kind: 'review', text: 'It waits.', channels: ['slack', 'email'] },
        { type: 'notice.sent', notice_id: 'n1', channel: 'slack', origin: 'https://hooks.example.com' },
      ),
    );
    const { value } = figuresOf(state);
    assert.equal(value('babyagi_run_review_waiting'), 1);
    assert.equal(value('babyagi_queue_tasks', { state: 'ready' }), 0);
    assert.equal(value('babyagi_queue_tasks', { state: 'blocked' }), 1);
    assert.equal(value('babyagi_notices', { status: 'queued' }), 1);
  });

  it('are of several runs, told apart, each family once', () => {
    const other = '11111111-2222-4333-8444-555555555555';
    const states = [fold(makeConfig(), events(...TWO)), fold(makeConfig({ run_id: other }), events(...startOfRun()))];
    const { value } = parsedMetrics(exposition(metricsOf(states)));
    assert.equal(value('babyagi_iterations_total', { run_id: RUN_ID }), 2);
    assert.equal(value('babyagi_iterations_total', { run_id: other }), 0);
    assert.equal(exposition(metricsOf([])), '');
  });

  it('hold a name of a model whatever is in it, and no other text', () => {
    const requested = 'a "model"\\ of\nmine';
    const config = makeConfig({ model: { ...makeConfig().model, requested } });
    const text = exposition(metricsOf([fold(config, events(...TWO))]));
    const [info] = parsedMetrics(text).families.get('babyagi_run_info')?.samples ?? [];
    assert.equal(info?.labels['model'], requested);
    assert.doesNotMatch(text, /databases|prices|api\.openai/i);
  });

  it('are made fast enough of a very long run', () => {
    const state = fold(makeConfig(), events(...TWO));
    const [call] = state.calls.values();
    assert.ok(call);
    for (let index = 0; index < 100_000; index += 1) state.calls.set(`x${index}`, { ...call, id: `x${index}` });
    exposition(metricsOf([state]));
    const times = [1, 2, 3].map(() => {
      const started = performance.now();
      exposition(metricsOf([state]));
      return performance.now() - started;
    });
    assert.ok(Math.min(...times) < 50, `${Math.min(...times)} ms`);
  });
});
