import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { forkRun, readParent, settingsOfRun } from '../../../src/engine/fork.ts';
import { readRun } from '../../../src/engine/read.ts';
import { picoFromUsd } from '../../../src/budget/money.ts';
import type { RunConfig } from '../../../src/run/config.ts';
import type { EventDraft } from '../../../src/run/events.ts';
import { fold } from '../../../src/run/fold.ts';
import { checkSettings } from '../../../src/run/settings.ts';
import type { RunState } from '../../../src/run/state.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { Summary, summarize } from '../../../src/runlog/summary.ts';
import type { Span } from '../../../src/telemetry/otlp.ts';
import { spansEndedBy, spansOf, tracesOf } from '../../../src/telemetry/traces.ts';
import { brain } from '../../support/brain.ts';
import { oneRun } from '../../support/one-run.ts';
import { attributeOf, decodedSpans } from '../../support/otlp.ts';
import {
  answered,
  ended,
  epochOpened,
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
import { temporaryFolder, TEST_KEY, testHost, testStart } from '../../support/run-host.ts';

const spansFrom = (drafts: readonly EventDraft[], config: Partial<RunConfig> = {}): readonly Span[] =>
  decodedSpans(tracesOf(spansOf(fold(makeConfig(config), events(...drafts)))));

const named = (spans: readonly Span[], name: RegExp) => spans.filter((span) => name.test(span.name));
const only = (spans: readonly Span[], name: RegExp): Span => {
  const [span, ...others] = named(spans, name);
  assert.ok(span !== undefined && others.length === 0, `${name}: ${named(spans, name).length}`);
  return span;
};

const byId = (one: Span, other: Span) => (one.spanId < other.spanId ? -1 : 1);

const RUN = /^invoke_workflow /;
const ITERATION = /^iteration$/;
const CALL = /^(chat|embeddings) /;

/** One tree, whose parents exist and last at least as long. */
function assertTree(spans: readonly Span[]): void {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  assert.equal(byId.size, spans.length, 'every id is of one span');
  const [root, ...others] = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
  assert.ok(root !== undefined && others.length === 0 && RUN.test(root.name));
  for (const span of spans) {
    assert.equal(span.traceId, root.traceId);
    assert.ok(BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano), span.name);
    if (span.parentSpanId === undefined) continue;
    const parent = byId.get(span.parentSpanId);
    assert.ok(parent, `the parent of ${span.name} exists`);
    assert.ok(BigInt(parent.startTimeUnixNano) <= BigInt(span.startTimeUnixNano), `${span.name} begins in its parent`);
    assert.ok(BigInt(span.endTimeUnixNano) <= BigInt(parent.endTimeUnixNano), `${span.name} ends in its parent`);
  }
}

/** The figures of the spans are those of the summary. */
function assertSums(spans: readonly Span[], state: RunState): void {
  const { cost, tokens, requests, stop_reason } = Summary.parse(summarize(state));
  const calls = named(spans, CALL);
  const sum = (name: string) => calls.reduce((total, call) => total + Number(attributeOf(call, name) ?? 0), 0);
  const spent = calls.reduce((total, call) => total + picoFromUsd(attributeOf(call, 'babyagi.cost_usd') ?? 0), 0n);
  const root = only(spans, RUN);
  assert.equal(calls.length, requests.made);
  assert.equal(sum('gen_ai.usage.input_tokens'), tokens.input);
  assert.equal(sum('gen_ai.usage.output_tokens'), tokens.output);
  assert.equal(sum('gen_ai.usage.cache_read.input_tokens'), tokens.cached);
  assert.equal(spent, picoFromUsd(cost.settled_usd) + picoFromUsd(cost.held_usd));
  assert.deepEqual(
    ['cost_usd', 'held_usd', 'input_tokens', 'output_tokens', 'calls', 'stop_reason'].map((name) =>
      attributeOf(root, `babyagi.${name}`),
    ),
    [
      Number((cost.settled_usd + cost.held_usd).toFixed(12)),
      cost.held_usd,
      tokens.input,
      tokens.output,
      requests.made,
      stop_reason ?? undefined,
    ],
  );
}

const CANARY = 'zanzibar';
const WORDS = ['soil and light', 'harvest calendar for pickles', 'fences against the deer', 'cost of seeds in spring'];

function canaryRun(t: TestContext) {
  return oneRun(t, {
    server: {
      reply: brain({
        result: (what) => `${CANARY} result of ${what}`,
        newTasks: (_, index) => [`${CANARY} ${WORDS[index % WORDS.length]}`],
      }),
      dimensions: 16,
      cachedTokens: 5,
      // One that is tried again, and one whose fate nobody knows.
      fault: (_, index) =>
        index === 1 ? { kind: 'status', status: 503, body: CANARY } : index === 4 ? { kind: 'reset' } : null,
    },
    settings: {
      objective: `${CANARY} objective`,
      initialTask: `${CANARY} first task`,
      acceptanceCriteria: [`${CANARY} criterion`],
      max_iterations: 4,
    },
  });
}

describe('the traces of a run', () => {
  it('are a tree of the run, its iterations and every attempt of a call, with the figures of the summary', async (t) => {
    const { state, outcome } = await canaryRun(t);
    const spans = decodedSpans(tracesOf(spansOf(state)));
    assertTree(spans);
    assertSums(spans, state);
    const calls = named(spans, CALL);
    assert.deepEqual(
      calls.map((span) => attributeOf(span, 'babyagi.call_id')),
      [...state.calls.keys()],
      'every call is a span',
    );
    assert.deepEqual(
      named(spans, ITERATION).map((span) => [
        attributeOf(span, 'babyagi.iteration'),
        attributeOf(span, 'babyagi.task_id'),
      ]),
      state.iterations.map(({ iteration: number, taskId }) => [number, taskId]),
    );
    assert.equal(only(spans, RUN).traceId, state.config.run_id.replaceAll('-', ''));
    assert.ok(calls.some((span) => attributeOf(span, 'babyagi.attempt') === 2));
    for (const status of ['settled', 'held'])
      assert.ok(
        calls.some((span) => attributeOf(span, 'babyagi.status') === status),
        status,
      );
    // A second reader, who has nothing but the folder, sees the same.
    const read = await readRun(nodeDisk, outcome.runDirectory);
    assert.equal(tracesOf(spansOf(read)), tracesOf(spansOf(state)));
  });

  it('hold no text of the run and no key', async (t) => {
    const { state, outcome } = await canaryRun(t);
    const log = readFileSync(join(outcome.runDirectory, 'log', '000001.jsonl'), 'utf8');
    assert.ok(log.split(CANARY).length > 10, 'the log has the texts');
    const json = tracesOf(spansOf(state));
    assert.ok(!json.includes(CANARY));
    assert.ok(!json.includes(TEST_KEY));
  });

  it('name a request as the semantic conventions do', () => {
    const spans = spansFrom([
      ...startOfRun(),
      { type: 'task.started', task_id: 't1', iteration: 1 },
      ...answered('c1', 'Four.', { taskId: 't1', origin: 'https://models.example.com:8443', latencyMs: 800.7 }),
      ...answered('c2', null, { agent: 'embedding', taskId: 't1', model: 'text-embedding-3-small' }),
    ]);
    const chat = only(spans, /^chat /);
    assert.deepEqual(Object.fromEntries(chat.attributes.map(({ key, value }) => [key, Object.values(value)[0]])), {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.agent.name': 'execution',
      'gen_ai.request.model': 'gpt-4.1-mini',
      'gen_ai.request.max_tokens': '500',
      'gen_ai.response.model': 'gpt-4.1-mini-2025-04-14',
      'gen_ai.response.finish_reasons': { values: [{ stringValue: 'stop' }] },
      'gen_ai.usage.input_tokens': '100',
      'gen_ai.usage.cache_read.input_tokens': '0',
      'gen_ai.usage.output_tokens': '50',
      'server.address': 'models.example.com',
      'server.port': '8443',
      'babyagi.run_id': RUN_ID,
      'babyagi.call_id': 'c1',
      'babyagi.iteration': '1',
      'babyagi.task_id': 't1',
      'babyagi.attempt': '1',
      'babyagi.status': 'settled',
      'babyagi.cost_usd': 0.001,
      'babyagi.reserved_usd': 0.002,
    });
    assert.equal(chat.name, 'chat gpt-4.1-mini');
    assert.equal(chat.kind, 3);
    assert.equal(chat.status, undefined);
    assert.equal(BigInt(chat.endTimeUnixNano) - BigInt(chat.startTimeUnixNano), 800_000_000n);
    assert.equal(BigInt(chat.startTimeUnixNano), BigInt(Date.UTC(2025, 0, 2, 3, 4, 9)) * 1_000_000n);
    const embedding = only(spans, /^embeddings /);
    assert.equal(embedding.name, 'embeddings text-embedding-3-small');
    assert.equal(attributeOf(embedding, 'gen_ai.usage.output_tokens'), undefined);
    assert.equal(attributeOf(embedding, 'gen_ai.request.max_tokens'), undefined);
  });

  it('tell what went wrong by its class alone', () => {
    const spans = spansFrom([
      ...startOfRun(),
      ...failedIteration(1, 't1', 'a sentence'),
      task('t2', 'Another'),
      { type: 'task.started', task_id: 't2', iteration: 2 },
      ...unanswered('c1', 'held', 'a sentence', { taskId: 't2', iteration: 2 }),
      ...unanswered('c2', 'released', 'a sentence', { taskId: 't2', iteration: 2 }),
      {
        type: 'run.ended',
        stop_reason: 'error',
        error: { class: 'bad_key', message: 'a sentence' },
        detail: 'a sentence',
      },
    ]);
    assertTree(spans);
    assert.ok(!JSON.stringify(spans).includes('sentence'));
    const [first, second] = named(spans, ITERATION);
    assert.ok(first && second);
    for (const [span, type] of [
      [only(spans, RUN), 'bad_key'],
      [first, 'timeout'],
      ...named(spans, CALL).map((call) => [call, 'timeout'] as const),
    ] as const) {
      assert.deepEqual([span.status, attributeOf(span, 'error.type')], [{ code: 2 }, type], span.name);
    }
    assert.deepEqual(
      named(spans, CALL).map((call) => [
        attributeOf(call, 'babyagi.status'),
        attributeOf(call, 'babyagi.cost_usd'),
        attributeOf(call, 'gen_ai.response.model'),
        call.startTimeUnixNano === call.endTimeUnixNano,
      ]),
      [
        ['held', 0.002, undefined, true],
        ['released', 0, undefined, true],
      ],
    );
    assert.deepEqual([attributeOf(second, 'babyagi.status'), second.status], ['interrupted', undefined]);
  });

  it('of a run in progress end where its log does', () => {
    const spans = spansFrom([
      ...startOfRun(),
      { type: 'task.started', task_id: 't1', iteration: 1 },
      reserved('c1', { taskId: 't1' }),
    ]);
    assertTree(spans);
    assert.deepEqual(
      spans.map((span) => [attributeOf(span, 'babyagi.status'), span.status]),
      [
        ['running', undefined],
        ['interrupted', undefined],
        ['reserved', undefined],
      ],
    );
  });

  it('put what belongs to no task below the run, also where a number of an iteration is made up', () => {
    const spans = spansFrom([
      ...startOfRun(),
      ...iteration(1, 't1', 'Four.'),
      ...answered('c2', 'No.', { agent: 'judge', iteration: 1 }),
      ...answered('c3', 'No.', { taskId: 't9', iteration: 9 }),
      ended('queue_empty'),
    ]);
    const root = only(spans, RUN);
    const parents = named(spans, CALL).map(({ parentSpanId }) => parentSpanId === root.spanId);
    assert.deepEqual(parents, [false, true, true]);
  });

  it('are complete one by one as the log grows, and stay the same spans when it goes on', () => {
    const first = [...startOfRun(), ...iteration(1, 't1', 'Four.', task('t2', 'Two')), ended('stopped_by_user')];
    const all = [
      ...first,
      epochOpened({ segment: 1, cut_at: 10, tail_bytes: 0, tail: 'none' } as const),
      ...iteration(2, 't2', 'Two.'),
      ended('queue_empty'),
    ];
    const config = makeConfig();
    const log = events(...all);
    const told = new Map<string, Span>();
    log.forEach((event, index) => {
      for (const span of spansEndedBy(fold(config, log.slice(0, index + 1)), event)) told.set(span.spanId, span);
    });
    const whole = spansOf(fold(config, log));
    assert.deepEqual([...told.values()].sort(byId), [...whole].sort(byId));
    const before = spansOf(fold(config, log.slice(0, first.length)));
    for (const { spanId } of before) assert.ok(told.has(spanId), 'the first part is a part of the whole');
  });

  it('hold together over a crash in the middle of an iteration', () => {
    const options = { taskId: 't1', step: 'execute' };
    const [before, after] = unanswered('c1', 'held', 'Gone.', options);
    assert.ok(before && after);
    const crashed = [...startOfRun(), { type: 'task.started', task_id: 't1', iteration: 1 } as const, before];
    const spans = spansFrom([
      ...crashed,
      epochOpened({ segment: 1, cut_at: 10, tail_bytes: 0, tail: 'none' }),
      after,
      ...answered('c2', 'Four.', options),
      { type: 'task.completed', task_id: 't1', iteration: 1, call_id: 'c2' },
      { type: 'iteration.completed', iteration: 1, task_id: 't1' },
      ended('queue_empty'),
    ]);
    assertTree(spans);
    const iterations = named(spans, ITERATION);
    assert.deepEqual(
      iterations.map(({ startTimeUnixNano }) => startTimeUnixNano),
      named(spansFrom(crashed), ITERATION).map(({ startTimeUnixNano }) => startTimeUnixNano),
      'the iteration began before the crash',
    );
    assert.ok(named(spans, CALL).every(({ parentSpanId }) => parentSpanId === iterations[0]?.spanId));
  });

  it('of a fork leave out what another run did, and lead to it', async (t) => {
    const parent = await canaryRun(t);
    const read = await readParent(nodeDisk, parent.outcome.runDirectory);
    const checked = checkSettings({ ...settingsOfRun(read), max_iterations: 4, max_cost_usd: 1 });
    assert.ok('settings' in checked);
    const host = testHost(parent.server.url);
    t.after(() => host.egress.close());
    const session = await forkRun(read, 2, checked.settings, testStart(temporaryFolder()), host);
    t.after(() => session.stop());
    const told: Span[] = [];
    session.subscribe((event) => told.push(...spansEndedBy(session.state, event)));
    await session.done;
    const spans = decodedSpans(tracesOf(spansOf(session.state)));
    assertTree(spans);
    assertSums(spans, session.state);
    const own = session.state.iterations.map(({ iteration: number }) => number).filter((number) => number > 2);
    assert.ok(own.length > 0);
    assert.deepEqual(
      named(spans, ITERATION).map((span) => attributeOf(span, 'babyagi.iteration')),
      own,
    );
    const root = only(spansOf(parent.state), RUN);
    assert.deepEqual(only(spans, RUN).links, [{ traceId: root.traceId, spanId: root.spanId }]);
    assert.deepEqual(told.map(({ spanId }) => spanId).sort(), spans.map(({ spanId }) => spanId).sort());
  });

  it('can be read whatever a log says', () => {
    const state = fold(
      makeConfig(),
      events(
        ...startOfRun(),
        { type: 'task.started', task_id: 't1', iteration: 1 },
        ...answered('c1', 'x', {
          taskId: 't1',
          model: `\ud800${'m'.repeat(100_000)}`,
          finishReason: 'x'.repeat(100_000),
          latencyMs: 1e300,
          inputTokens: 0.5,
          origin: 'local:rehearsal',
        }),
      ).map((event, index) => ({
        ...event,
        ts: ['no time', '1900-01-01T00:00:00Z', '+275760-09-12T00:00:00Z'][index % 3] ?? '',
      })),
    );
    const spans = decodedSpans(tracesOf(spansOf(state)));
    const json = JSON.stringify(spans);
    assert.ok(json.length < 6000, `${json.length}`);
    assert.ok(!json.includes('\\ud800'));
    for (const span of spans) assert.ok(BigInt(span.endTimeUnixNano) < 2n ** 64n);
    assert.equal(attributeOf(only(spans, CALL), 'server.address'), undefined);
  });

  it('are made fast enough of a very long run', () => {
    const state = fold(makeConfig(), events(...startOfRun(), ...iteration(1, 't1', 'Four.')));
    const [call] = state.calls.values();
    assert.ok(call);
    for (let index = 0; index < 5000; index += 1) state.calls.set(`y${index}`, { ...call, id: `y${index}` });
    const times = [1, 2, 3].map(() => {
      const started = performance.now();
      tracesOf(spansOf(state));
      return performance.now() - started;
    });
    assert.ok(Math.min(...times) < 1500, `${Math.min(...times)} ms`);
  });
});
