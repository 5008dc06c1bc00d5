import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OpenAiModel } from '../../../src/models/openai.ts';
import { ModelError } from '../../../src/run/ports.ts';
import { Egress } from '../../../src/safety/egress.ts';
import { brain } from '../../support/brain.ts';
import type { ModelServerOptions } from '../../support/model-server.ts';
import { bodies, eventsOf, oneRun, resumed, tasksIn } from '../../support/one-run.ts';
import { RecordedClock } from '../../support/recorded-clock.ts';
import { TEST_KEY, testHost } from '../../support/run-host.ts';

const SETTINGS = { max_iterations: 2, synthesis: false };

function formats(list: readonly Record<string, unknown>[]): (string | null)[] {
  return list
    .filter((body) => JSON.stringify(body).includes('You keep a task list'))
    .map((body) => (body['response_format'] as { type: string } | undefined)?.type ?? null);
}

describe('a server that lacks something', () => {
  const cases: [string, ModelServerOptions, string[], string[]][] = [
    ['JSON schemas', { structuredOutputs: 'json_object' }, ['json_schema'], ['response_format']],
    [
      'any structured output',
      { structuredOutputs: 'none' },
      ['json_schema', 'json_object'],
      ['response_format', 'response_format'],
    ],
    ['temperature', { rejectParameters: ['temperature'] }, ['temperature'], ['temperature']],
    ['top_p', { rejectParameters: ['top_p'] }, ['top_p'], ['top_p']],
    ['seed', { rejectParameters: ['seed'] }, ['seed'], ['seed']],
    ['max_tokens', { requireMaxCompletionTokens: true }, ['max_tokens'], ['max_tokens']],
    [
      'three of them',
      { rejectParameters: ['temperature', 'seed'], requireMaxCompletionTokens: true },
      ['temperature', 'seed', 'max_tokens'],
      ['temperature', 'seed', 'max_tokens'],
    ],
  ];
  for (const [what, features, adapted, refusals] of cases) {
    it(`such as ${what} is asked for it once, and the run goes on without`, async (t) => {
      const { outcome, server, events, state } = await oneRun(t, {
        server: { reply: brain(), ...features },
        settings: SETTINGS,
      });
      assert.equal(outcome.stopReason, 'max_iterations', outcome.detail);
      assert.deepEqual(
        events.flatMap((event) => (event.type === 'model.adapted' ? [event.feature] : [])).sort(),
        [...adapted].sort(),
      );
      assert.equal(server.requests.filter(({ refused }) => refused !== undefined).length, refusals.length);
      assert.equal(server.requests.length, 6 + refusals.length);
      assert.equal(state.money.held, 0n, 'a refusal is not billed');
      assert.equal(tasksIn(state, 'done').length, 2);
    });
  }

  it('is remembered by the log, also after a resume', async (t) => {
    const { outcome, server } = await oneRun(t, {
      server: { reply: brain(), structuredOutputs: 'none', rejectParameters: ['seed'] },
      settings: SETTINGS,
    });
    const refusals = server.requests.filter(({ refused }) => refused !== undefined).length;
    const host = testHost(server.url);
    t.after(() => host.egress.close());
    await resumed(t, outcome.runDirectory, host, { raise: { max_iterations: 4 } });
    assert.equal(server.requests.filter(({ refused }) => refused !== undefined).length, refusals);
    assert.deepEqual(formats(bodies(server, 'chat/completions')), [null, null, null, null]);
  });

  it('such as embeddings leaves recall to words, and is asked once', async (t) => {
    const reply = brain({
      newTasks: (_last, index) =>
        [['Study soil acidity', 'Paint fences'], ['Return to the acidity of soil']][index] ?? [],
      result: (task) => `Findings on ${task} here.`,
    });
    const { outcome, server, state } = await oneRun(t, {
      server: { reply, embeddings: false },
      settings: { ...SETTINGS, max_iterations: 4 },
    });
    assert.equal(outcome.stopReason, 'max_iterations', outcome.detail);
    assert.equal(server.requests.filter(({ path }) => path.endsWith('/embeddings')).length, 1);
    assert.ok(state.adaptations.has('embeddings'));
    const last = bodies(server, 'chat/completions')
      .map((body) => (body['messages'] as { content: string }[])[1]?.content ?? '')
      .find((text) => text.includes('\nTask t4: '));
    assert.match(last ?? '', /Earlier results:\n\[t2\] Study soil acidity/);
  });

  it('refuses what it is not sent any more, and is believed once', async (t) => {
    const fault = () => ({
      kind: 'status' as const,
      status: 400,
      body: '{"error":{"message":"temperature is wrong","param":"temperature"}}',
    });
    const { outcome, server } = await oneRun(t, { server: { fault }, settings: SETTINGS });
    assert.equal(outcome.stopReason, 'error');
    assert.equal(server.requests.length, 2);
  });
});

describe('permanent errors', () => {
  const permanent: [string, number, string, string][] = [
    ['a refused key', 401, '{"error":{"message":"no","code":"invalid_api_key"}}', 'error'],
    ['no quota', 429, '{"error":{"message":"no","code":"insufficient_quota"}}', 'error'],
    ['an unknown model', 404, '{"error":{"message":"no","code":"model_not_found"}}', 'error'],
    ['a bad request', 400, '{"error":{"message":"no"}}', 'error'],
  ];
  for (const [what, status, body, reason] of permanent) {
    it(`such as ${what} are asked once and cost nothing`, async (t) => {
      const clock = new RecordedClock();
      const { outcome, server, state } = await oneRun(t, {
        server: { fault: () => ({ kind: 'status', status, body }) },
        host: { clock },
      });
      assert.equal(outcome.stopReason, reason);
      assert.equal(server.requests.length, 1);
      assert.deepEqual(clock.slept, []);
      assert.equal(state.money.held + state.money.settled, 0n);
    });
  }

  it('such as a prompt that is too long fail the task alone', async (t) => {
    const fault: ModelServerOptions['fault'] = (request) =>
      JSON.stringify(request.body ?? {}).includes('\\nTask t2: ')
        ? { kind: 'status', status: 400, body: '{"error":{"message":"no","code":"context_length_exceeded"}}' }
        : null;
    const reply = brain({ newTasks: (_last, index) => (index === 0 ? ['Too long', 'Short'] : []) });
    const { outcome, state } = await oneRun(t, {
      server: { reply, fault },
      settings: { ...SETTINGS, max_iterations: 3 },
    });
    assert.equal(outcome.stopReason, 'max_iterations');
    assert.equal(state.tasks.get('t2')?.error?.class, 'context_too_long');
    assert.equal(state.tasks.get('t3')?.state, 'done');
  });

  it('that repeat the key show it to nobody', async (t) => {
    const { outcome, state } = await oneRun(t, { server: { fault: () => ({ kind: 'echo_key' }) }, settings: SETTINGS });
    assert.equal(outcome.stopReason, 'error');
    for (const text of [outcome.detail, state.end?.detail, state.end?.error?.message]) {
      assert.ok(text?.includes('[REDACTED'), text);
      assert.ok(!text?.includes(TEST_KEY));
    }
  });

  it('such as a missing key send nothing and wait for it', async (t) => {
    const { outcome, server } = await oneRun(t, {
      settings: SETTINGS,
      host: { keyFor: () => Promise.resolve(TEST_KEY) },
      server: { reply: brain() },
    });
    assert.ok(server.requests.every(({ headers }) => headers.authorization === `Bearer ${TEST_KEY}`));
    assert.equal(outcome.stopReason, 'max_iterations');
    const remote = await oneRun(t, {
      settings: { ...SETTINGS, baseUrl: 'https://api.example.com/v1' },
      host: { keyFor: () => Promise.resolve(null) },
    });
    assert.equal(remote.outcome.stopReason, 'waiting_for_key');
    assert.equal(remote.state.money.held, 0n);
  });
});

describe('an answer of the wrong shape', () => {
  const request = {
    chat: {
      kind: 'chat',
      messages: [],
      maxOutputTokens: 10,
      schema: null,
      temperature: 0,
      topP: null,
      seed: null,
    },
    embedding: { kind: 'embedding', texts: ['a'] },
  } as const;
  const cases: ['chat' | 'embedding', string][] = [
    ['embedding', '{"data":[null]}'],
    ['embedding', '{"data":["x"]}'],
    ['embedding', '{"data":{"0":{}}}'],
    ['embedding', '{"data":[{"embedding":[null,null]}]}'],
    ['embedding', '{"data":[{"embedding":["1","2"]}]}'],
    ['embedding', '{"data":[{"embedding":{}}],"usage":null}'],
    ['chat', '{"choices":[null]}'],
    ['chat', '{"choices":null,"usage":{"prompt_tokens":"1"}}'],
    ['chat', '{"choices":[{"message":null}],"usage":[]}'],
  ];
  for (const [kind, body] of cases) {
    it(`to a request of kind ${kind} is a bad reply: ${body}`, async (t) => {
      const baseUrl = 'http://localhost:1/v1';
      const egress = new Egress({ allowedOrigins: [baseUrl] });
      t.mock.method(egress, 'request', () => Promise.resolve({ status: 200, headers: {}, body: Buffer.from(body) }));
      const model = new OpenAiModel({
        baseUrl,
        model: 'm',
        embedding: { model: 'e', dimensions: null },
        key: () => Promise.resolve(null),
        egress,
        redact: (text) => text,
      });
      const sending = model.send(model.prepare(request[kind], new Set()), {
        timeoutMs: 1000,
        signal: new AbortController().signal,
      });
      await assert.rejects(sending, (error) => error instanceof ModelError && error.reason === 'bad_reply');
    });
  }
});

describe('transient errors', () => {
  it('are tried again, each attempt with a reservation of its own', async (t) => {
    const clock = new RecordedClock();
    const fault: ModelServerOptions['fault'] = (_request, index) =>
      index === 1 || index === 2 ? { kind: 'status', status: 503 } : null;
    const { outcome, state, server } = await oneRun(t, {
      server: { reply: brain(), fault },
      settings: { ...SETTINGS, max_iterations: 1 },
      host: { clock },
    });
    assert.equal(outcome.stopReason, 'max_iterations');
    const plans = [...state.calls.values()].filter(({ agent }) => agent === 'planning');
    assert.deepEqual(
      plans.map(({ status, attempt }) => [status, attempt]),
      [
        ['held', 1],
        ['held', 2],
        ['settled', 3],
      ],
    );
    assert.equal(server.requests.length, 5);
    assert.equal(clock.slept.length, 2);
  });

  it('honour Retry-After in full', async (t) => {
    const clock = new RecordedClock();
    const fault: ModelServerOptions['fault'] = (_request, index) =>
      index === 1 ? { kind: 'status', status: 429, headers: { 'retry-after': '7200' } } : null;
    const { outcome } = await oneRun(t, {
      server: { reply: brain(), fault },
      settings: { ...SETTINGS, max_iterations: 1 },
      host: { clock },
    });
    assert.equal(outcome.stopReason, 'max_iterations');
    assert.equal(
      clock.slept.reduce((sum, ms) => sum + ms, 0),
      7_200_000,
    );
  });

  for (const kind of [
    'reset',
    'truncated',
    'garbage',
    'empty',
    'length',
    'refusal',
    'invalid_utf8',
    'duplicate_keys',
  ] as const) {
    it(`and damaged answers (${kind}) leave the run alive and its money covered`, async (t) => {
      const clock = new RecordedClock();
      const fault: ModelServerOptions['fault'] = (_request, index) => (index === 1 ? { kind } : null);
      const { outcome, state, server } = await oneRun(t, {
        server: { reply: brain(), fault },
        settings: { ...SETTINGS, max_iterations: 2 },
        host: { clock },
      });
      assert.notEqual(outcome.stopReason, 'stopped_by_user');
      const billed = server.billed((line) =>
        line.kind === 'chat'
          ? { inputPico: 2_500_000n, outputPico: 10_000_000n }
          : { inputPico: 20_000n, outputPico: 0n },
      );
      assert.ok(state.money.settled + state.money.held >= billed);
      assert.equal(state.money.reserved, 0n);
      assert.equal((await eventsOf(outcome.runDirectory)).at(-1)?.type, 'run.ended');
    });
  }
});

describe('a server on this machine that asks for a key', () => {
  it('makes a run without one wait for it, and the run goes on with it', async (t) => {
    const { outcome, server } = await oneRun(t, {
      server: { reply: brain(), key: TEST_KEY },
      settings: SETTINGS,
      host: { keyFor: () => Promise.resolve(null) },
    });
    assert.equal(outcome.stopReason, 'waiting_for_key');
    assert.match(outcome.detail, /^There is no API key for http:/);
    assert.equal(server.requests.length, 1);
    const host = testHost(server.url);
    t.after(() => host.egress.close());
    assert.equal((await resumed(t, outcome.runDirectory, host)).outcome.stopReason, 'max_iterations');
  });

  it('and does not like the one it gets, ends the run by an error', async (t) => {
    const { outcome } = await oneRun(t, {
      server: { reply: brain(), key: TEST_KEY },
      settings: SETTINGS,
      host: { keyFor: () => Promise.resolve(`${TEST_KEY}-other`) },
    });
    assert.equal(outcome.stopReason, 'error');
  });
});
