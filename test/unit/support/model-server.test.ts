import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { LLMock } from '@copilotkit/aimock';
import { build } from 'esbuild';
import OpenAI, { AzureOpenAI } from 'openai';
import { billed, readBill } from '../../support/model-bill.ts';
import { usageLies, type Fault, type UsageLie } from '../../support/model-faults.ts';
import { startModelServer, type ModelServer, type ModelServerOptions } from '../../support/model-server.ts';

const KEY = 'sk-test-0123456789';
const HELLO = [{ role: 'user' as const, content: 'hello' }];
/** 3 for the answer's start, 3 for the message, 1 for `user`, 2 for `hello`. */
const HELLO_TOKENS = 9;
const ANSWER = 'a short answer';
const ANSWER_TOKENS = 4;
const SCHEMA = {
  type: 'object',
  properties: { done: { type: 'boolean' } },
  required: ['done'],
  additionalProperties: false,
};

async function start(t: TestContext, options: ModelServerOptions = {}): Promise<ModelServer> {
  const server = await startModelServer({ reply: () => ANSWER, ...options });
  t.after(() => server.close());
  return server;
}

function clientOf(baseURL: string): OpenAI {
  return new OpenAI({ baseURL, apiKey: KEY, maxRetries: 0 });
}

function post(server: ModelServer, body: unknown, path = '/v1/chat/completions'): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(server.url + path, { method: 'POST', body: text, redirect: 'manual' });
}

async function errorOf(response: Response): Promise<Record<string, unknown>> {
  const { error } = (await response.json()) as { error: Record<string, unknown> };
  return { status: response.status, ...error };
}

/** A request over a bare socket, chat unless told: what has come so far, and how it ended. */
function exchange(
  server: ModelServer,
  request: object = { model: 'm', messages: HELLO },
  path = '/chat/completions',
): { socket: Socket; received: () => Buffer; ended: Promise<string> } {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  const ended = new Promise<string>((resolve) => {
    socket.on('end', () => resolve('end'));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
  });
  const body = JSON.stringify(request);
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`;
  socket.write(head + body);
  return { socket, received: () => Buffer.concat(chunks), ended };
}

function split(received: Buffer): { promised: number; body: Buffer } {
  const at = received.indexOf('\r\n\r\n');
  const head = received.subarray(0, at).toString();
  return { promised: Number(/content-length: (\d+)/.exec(head)?.[1]), body: received.subarray(at + 4) };
}

/** Types in place of values, so that the answers of two servers can be compared. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shapeOf(item)]));
}

function cosine(left: number[], right: number[]): number {
  return left.reduce((sum, value, index) => sum + value * (right[index] ?? 0), 0);
}

describe('model server: the OpenAI client as judge', () => {
  it('answers a chat request and bills what it reports', async (t) => {
    const server = await start(t, { key: KEY, modelSuffix: '-2024-08-06', cachedTokens: 5, systemFingerprint: 'fp_7' });
    const answer = await clientOf(server.baseUrl).chat.completions.create({ model: 'gpt', messages: HELLO });
    const [choice] = answer.choices;
    assert.deepEqual([choice?.message.content, choice?.finish_reason], [ANSWER, 'stop']);
    assert.deepEqual(
      [answer.model, answer.system_fingerprint, answer._request_id],
      ['gpt-2024-08-06', 'fp_7', 'req_0'],
    );
    assert.deepEqual(answer.usage, {
      prompt_tokens: HELLO_TOKENS,
      completion_tokens: ANSWER_TOKENS,
      total_tokens: HELLO_TOKENS + ANSWER_TOKENS,
      prompt_tokens_details: { cached_tokens: 5 },
      completion_tokens_details: { reasoning_tokens: 0 },
    });
    const [request] = server.requests;
    const seen = [request?.path, request?.headers.authorization, request?.body];
    const sent: unknown = JSON.parse(String(request?.raw));
    assert.deepEqual(seen, ['/v1/chat/completions', `Bearer ${KEY}`, sent]);
    const [line] = server.bill;
    assert.deepEqual(
      [line?.request, line?.kind, line?.model, line?.input_tokens, line?.cached_tokens, line?.output_tokens],
      [0, 'chat', 'gpt', HELLO_TOKENS, 5, ANSWER_TOKENS],
    );
    assert.equal(server.billed({ inputPico: 100n, outputPico: 1000n }), 4900n);
    assert.equal(server.billed({ inputPico: 100n, cachedInputPico: 10n, outputPico: 1000n }), 4450n);
    assert.equal(
      server.billed((of) => ({ inputPico: of.model === 'gpt' ? 1n : 0n, outputPico: 0n })),
      9n,
    );
  });

  it('answers to a schema, and counts the schema as input', async (t) => {
    const server = await start(t, { reply: (request) => (request.schema ? '{"done":true}' : 'no schema') });
    const json_schema = { name: 'verdict', strict: true, schema: SCHEMA };
    const answer = await clientOf(server.baseUrl).chat.completions.parse({
      model: 'gpt',
      messages: HELLO,
      response_format: { type: 'json_schema', json_schema },
    });
    assert.deepEqual(JSON.parse(answer.choices[0]?.message.content ?? ''), { done: true });
    assert.equal(answer.usage?.prompt_tokens, HELLO_TOKENS + Math.ceil(JSON.stringify(json_schema).length / 4));
  });

  it('embeds: base64 and floats agree, words decide how close texts are', async (t) => {
    const server = await start(t);
    const client = clientOf(server.baseUrl);
    const input = ['write the report', 'the report is written', 'zebra'];
    const packed = await client.embeddings.create({ model: 'e', input });
    const plain = await client.embeddings.create({ model: 'e', input, encoding_format: 'float' });
    assert.equal(server.requests[0]?.body?.encoding_format, 'base64');
    const [one = [], two = [], other = []] = packed.data.map((item) => item.embedding);
    assert.equal(one.length, 1536);
    plain.data.forEach((item, at) => assert.deepEqual(item.embedding.map(Math.fround), packed.data[at]?.embedding));
    assert.ok(Math.abs(cosine(one, one) - 1) < 1e-6);
    assert.ok(cosine(one, two) > 0.4 && cosine(one, other) < 0.2);
    // In one dimension the signs of a word cancel out.
    const short = await client.embeddings.create({ model: 'e', input: 'x', dimensions: 1 });
    assert.deepEqual(short.data[0]?.embedding, [1]);
    assert.deepEqual(
      server.bill.map((line) => [line.kind, line.input_tokens, line.output_tokens]),
      [
        ['embeddings', 12, 0],
        ['embeddings', 12, 0],
        ['embeddings', 1, 0],
      ],
    );
    assert.deepEqual(packed.usage, { prompt_tokens: 12, total_tokens: 12 });
  });

  it('cuts vectors of an own embedder to the dimensions asked for', async (t) => {
    const server = await start(t, { embed: () => [3, 4, 12] });
    const answer = await clientOf(server.baseUrl).embeddings.create({ model: 'e', input: 'x', dimensions: 2 });
    assert.deepEqual(answer.data[0]?.embedding, [0.6, 0.8].map(Math.fround));
  });

  it('speaks Azure: path, api-version and api-key', async (t) => {
    const server = await start(t, { key: KEY });
    const client = new AzureOpenAI({ endpoint: server.url, apiKey: KEY, apiVersion: '2024-10-21', maxRetries: 0 });
    const answer = await client.chat.completions.create({ model: 'my-gpt', messages: HELLO });
    assert.equal(answer.choices[0]?.message.content, ANSWER);
    assert.equal(server.requests[0]?.path, '/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21');
    assert.equal(server.bill[0]?.model, 'my-gpt');
    assert.equal((await client.embeddings.create({ model: 'e', input: 'x' })).data[0]?.embedding.length, 1536);
  });

  it('lists a model', async (t) => {
    const server = await start(t);
    const { data } = await clientOf(server.baseUrl).models.list();
    assert.equal(data[0]?.object, 'model');
    assert.equal(server.bill.length, 0);
  });
});

describe('model server: peer check', () => {
  it('gives answers of the same shape as an independent mock', async (t) => {
    const mock = new LLMock({ port: 0, logLevel: 'silent' });
    mock.onMessage('hello', { content: ANSWER, systemFingerprint: 'fp_1' });
    await mock.start();
    t.after(() => mock.stop());
    const server = await start(t);
    const ask = async (baseUrl: string, path: string, body: unknown) => {
      const headers = { 'content-type': 'application/json', authorization: 'Bearer mock' };
      const response = await fetch(baseUrl + path, { method: 'POST', headers, body: JSON.stringify(body) });
      assert.equal(response.status, 200);
      assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
      return response.json() as Promise<Record<string, Record<string, unknown>>>;
    };
    const chat = { model: 'gpt-4o', messages: HELLO };
    const [ours, theirs] = [
      await ask(server.baseUrl, '/chat/completions', chat),
      await ask(`${mock.url}/v1`, '/chat/completions', chat),
    ];
    // OpenAI's details, which the mock leaves out.
    delete ours.usage?.prompt_tokens_details;
    delete ours.usage?.completion_tokens_details;
    assert.deepEqual(shapeOf(ours), shapeOf(theirs));
    const floats = { model: 'e', input: ['a', 'b'], encoding_format: 'float' };
    assert.deepEqual(
      shapeOf(await ask(server.baseUrl, '/embeddings', floats)),
      shapeOf(await ask(`${mock.url}/v1`, '/embeddings', floats)),
    );
  });
});

describe('model server: refusals', () => {
  const chat = { model: 'm', messages: HELLO };
  const format = (type: string, extra: object = {}) => ({ ...chat, response_format: { type, ...extra } });
  const strict = (schema: object) => format('json_schema', { json_schema: { name: 'n', strict: true, schema } });
  const open = { ...SCHEMA, required: [] };
  const nested = { ...SCHEMA, properties: { done: { type: 'array', items: open } } };
  const cases: Array<[string, ModelServerOptions, unknown, number, string | null]> = [
    ['broken JSON', {}, '{', 400, null],
    ['no model', {}, { messages: HELLO }, 400, 'model'],
    ['no messages', {}, { model: 'm', messages: [] }, 400, 'messages'],
    ['a message without text', {}, { model: 'm', messages: [{ role: 'user', content: [] }] }, 400, 'messages'],
    ['a limit of nothing', {}, { ...chat, max_tokens: 0 }, 400, 'max_tokens'],
    ['streaming', {}, { ...chat, stream: true }, 400, 'stream'],
    ['tools', {}, { ...chat, tools: [{ type: 'function' }] }, 400, 'tools'],
    ['several answers', {}, { ...chat, n: 2 }, 400, 'n'],
    ['a rejected parameter', { rejectParameters: ['seed'] }, { ...chat, seed: 1 }, 400, 'seed'],
    ['max_tokens', { requireMaxCompletionTokens: true }, { ...chat, max_tokens: 5 }, 400, 'max_tokens'],
    [
      'max_completion_tokens',
      { onlyMaxTokens: true },
      { ...chat, max_completion_tokens: 5 },
      400,
      'max_completion_tokens',
    ],
    ['json_object', { structuredOutputs: 'none' }, format('json_object'), 400, 'response_format'],
    ['json_schema', { structuredOutputs: 'json_object' }, strict(SCHEMA), 400, 'response_format'],
    ['json_object without the word', {}, format('json_object'), 400, 'response_format'],
    ['a schema without a name', {}, format('json_schema', { json_schema: { schema: SCHEMA } }), 400, 'response_format'],
    ['an optional property in strict mode', {}, strict(open), 400, 'response_format'],
    ['a nested optional property in strict mode', {}, strict(nested), 400, 'response_format'],
  ];
  for (const [name, options, body, status, param] of cases) {
    it(`refuses ${name}, unbilled and before any fault`, async (t) => {
      const server = await start(t, { ...options, fault: () => ({ kind: 'status', status: 500 }) });
      const error = await errorOf(await post(server, body));
      assert.deepEqual([error.status, error.param, error.type], [status, param, 'invalid_request_error']);
      assert.deepEqual([server.bill.length, server.requests[0]?.refused], [0, status]);
    });
  }

  it('takes what is near the border', async (t) => {
    const server = await start(t, { requireMaxCompletionTokens: true, structuredOutputs: 'json_object' });
    const messages = [{ role: 'user', content: 'Answer in JSON.' }];
    const fine = [
      { ...chat, max_completion_tokens: 1, n: 1, stream: false },
      { ...format('json_object'), messages },
      format('text'),
    ];
    for (const body of fine) assert.equal((await post(server, body)).status, 200);
  });

  it('refuses a wrong key and repeats it, in either header', async (t) => {
    const server = await start(t, { key: KEY });
    for (const headers of [{ authorization: 'Bearer sk-wrong' }, { 'api-key': 'sk-wrong' }]) {
      const response = await fetch(`${server.baseUrl}/models`, { headers });
      const error = await errorOf(response);
      assert.deepEqual([error.status, error.code], [401, 'invalid_api_key']);
      assert.match(String(error.message), /sk-wrong/);
    }
    assert.equal((await fetch(`${server.baseUrl}/models`)).status, 401);
  });

  it('knows its paths', async (t) => {
    const server = await start(t);
    const deployment = '/openai/deployments/d/chat/completions';
    const expected: Array<[string, unknown, number]> = [
      ['/chat/completions', chat, 200],
      ['/engines/ada/embeddings', { input: 'x' }, 200],
      ['/v1/engines/ada/embeddings', { input: 'x' }, 200],
      [`${deployment}?api-version=1`, { messages: HELLO }, 200],
      [deployment, { messages: HELLO }, 404],
      ['/v1/completions', chat, 404],
      ['/v1/models', {}, 405],
      ['/v1/embeddings', { model: 'e', input: '' }, 400],
      ['/v1/embeddings', { model: 'e', input: [] }, 400],
      ['/v1/embeddings', { model: 'e', input: 'x', dimensions: 0 }, 400],
    ];
    for (const [path, body, status] of expected) assert.equal((await post(server, body, path)).status, status, path);
    assert.deepEqual(
      server.bill.map((line) => line.model),
      ['m', 'ada', 'ada', 'd'],
    );
    const without = await start(t, { embeddings: false });
    assert.equal((await post(without, { model: 'e', input: 'x' }, '/v1/embeddings')).status, 404);
  });
});

describe('model server: replies', () => {
  const ask = async (t: TestContext, options: ModelServerOptions, extra: object = {}) => {
    const server = await start(t, options);
    const response = await post(server, { model: 'm', messages: HELLO, ...extra });
    const answer = (await response.json()) as OpenAI.ChatCompletion;
    return { server, answer, choice: answer.choices[0] };
  };

  it('honours the token limit to the token, on whole characters', async (t) => {
    const content = '🙂'.repeat(9);
    for (const limit of [{ max_tokens: 4 }, { max_completion_tokens: 4, max_tokens: 7 }]) {
      const { server, choice } = await ask(t, { reply: () => content }, limit);
      assert.deepEqual([choice?.message.content, choice?.finish_reason], ['🙂'.repeat(4), 'length']);
      assert.equal(server.bill[0]?.output_tokens, 4);
    }
    const half = await ask(t, { reply: () => 'a🙂' }, { max_tokens: 1 });
    assert.equal(half.choice?.message.content, 'a');
    const { choice } = await ask(t, { reply: () => content }, { max_tokens: 9 });
    assert.deepEqual([choice?.message.content, choice?.finish_reason], [content, 'stop']);
  });

  it('lets the reply say what was truly consumed', async (t) => {
    const usage = { prompt_tokens: 100, cached_tokens: 40, completion_tokens: 30, reasoning_tokens: 20 };
    const reply = { content: '', finish_reason: 'length', usage, model: 'other', system_fingerprint: 'fp_2' };
    const { server, answer, choice } = await ask(t, { reply: async () => reply });
    assert.deepEqual([answer.model, answer.system_fingerprint, choice?.finish_reason], ['other', 'fp_2', 'length']);
    assert.deepEqual(answer.usage, {
      prompt_tokens: 100,
      completion_tokens: 30,
      total_tokens: 130,
      prompt_tokens_details: { cached_tokens: 40 },
      completion_tokens_details: { reasoning_tokens: 20 },
    });
    assert.equal(server.billed({ inputPico: 10n, cachedInputPico: 1n, outputPico: 100n }), 600n + 40n + 3000n);
  });

  it('can refuse', async (t) => {
    const { choice } = await ask(t, { reply: () => ({ content: '', refusal: 'No.' }) });
    assert.deepEqual([choice?.message.content, choice?.message.refusal], [null, 'No.']);
  });

  it('gives the prompt and the place in the script to the reply, and counts with the counter given', async (t) => {
    const server = await start(t, {
      reply: (request, index) => `${index}:${request.prompt}`,
      countTokens: (text) => text.length,
      fault: (_request, index) => (index === 0 ? { kind: 'status', status: 429 } : null),
    });
    const messages = [
      { role: 'system', content: 'ab' },
      { role: 'user', content: 'cde' },
    ];
    assert.equal((await post(server, { model: 'm', messages })).status, 429);
    const answer = (await (await post(server, { model: 'm', messages })).json()) as OpenAI.ChatCompletion;
    assert.equal(answer.choices[0]?.message.content, '0:ab\ncde');
    const tokens = [answer.usage?.prompt_tokens, answer.usage?.completion_tokens];
    assert.deepEqual(tokens, [3 + (3 + 6 + 2) + (3 + 4 + 3), 8]);
  });

  it('hides no mistake of a test: close rejects with it', async () => {
    for (const options of [
      { reply: () => assert.fail('mistake') },
      { reply: () => ({ content: '', usage: { completion_tokens: -1 } }) },
      { reply: () => ({ content: '', usage: { cached_tokens: 1e6 } }) },
      { countTokens: () => 0.5 },
    ] satisfies ModelServerOptions[]) {
      const server = await startModelServer(options);
      await assert.rejects(post(server, { model: 'm', messages: HELLO }));
      assert.equal(server.bill.length, 0);
      await assert.rejects(server.close(), /mistake|token/);
    }
  });

  it('takes its simulated time, by tokens', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const latency = { firstTokenMs: 300, perTokenMs: 8, embeddingsMs: 60 };
    let asked = () => {};
    const server = await start(t, {
      latency,
      fault: () => {
        // By the next turn of the event loop the server has its answer and waits.
        setImmediate(asked);
        return null;
      },
    });
    const calls = [
      { ms: 300 + 8 * ANSWER_TOKENS, make: () => exchange(server) },
      { ms: 60, make: () => exchange(server, { model: 'e', input: 'x' }, '/embeddings') },
    ];
    for (const { ms, make } of calls) {
      const isAsked = new Promise<void>((resolve) => {
        asked = resolve;
      });
      const { socket, received } = make();
      await isAsked;
      t.mock.timers.tick(ms - 1);
      await (await fetch(`${server.baseUrl}/models`)).text();
      assert.equal(received().length, 0);
      t.mock.timers.tick(1);
      await once(socket, 'data');
      assert.match(received().toString(), /^HTTP\/1.1 200 /);
      socket.destroy();
    }
  });
});

describe('model server: faults', () => {
  const chat = { model: 'm', messages: HELLO };
  const withFault = (t: TestContext, fault: Fault, extra: ModelServerOptions = {}) =>
    start(t, { fault: (_request, index) => (index === 0 ? fault : null), ...extra });
  const whole = JSON.stringify({
    id: 'chatcmpl-0',
    object: 'chat.completion',
    created: 1_700_000_000,
    model: 'm',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: ANSWER, refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    system_fingerprint: 'fp_test',
    usage: {
      prompt_tokens: HELLO_TOKENS,
      completion_tokens: ANSWER_TOKENS,
      total_tokens: HELLO_TOKENS + ANSWER_TOKENS,
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
  });
  const isStartOf = (body: Buffer) => {
    const text = body.toString().replace(/"created":\d{10}/, '"created":1700000000');
    return whole.startsWith(text);
  };
  const chatOf = async (response: Response) => (await response.json()) as OpenAI.ChatCompletion;

  it('hang: not a byte until the server closes', async () => {
    const server = await startModelServer({ fault: (_request, index) => (index === 0 ? { kind: 'hang' } : null) });
    const { received, ended } = exchange(server);
    // Until the first request is in, others would meet the fault in its place.
    while (server.bill.length === 0) await new Promise(setImmediate);
    assert.equal((await post(server, chat)).status, 200);
    assert.equal(await Promise.race([ended, Promise.resolve('open')]), 'open');
    await server.close();
    await ended;
    assert.equal(received().length, 0);
  });

  it('stall: half of the body, then nothing until the server closes', async () => {
    const server = await startModelServer({ reply: () => ANSWER, fault: () => ({ kind: 'stall' }) });
    const { received, ended, socket } = exchange(server);
    const half = whole.length >> 1;
    while (!received().includes('\r\n\r\n') || split(received()).body.length < half) await once(socket, 'data');
    await server.close();
    await ended;
    const { promised, body } = split(received());
    assert.deepEqual([promised, body.length, isStartOf(body)], [whole.length, half, true]);
  });

  it('truncated: half of the promised body, then a clean end', async (t) => {
    const server = await withFault(t, { kind: 'truncated' });
    const { received, ended } = exchange(server);
    assert.equal(await ended, 'end');
    const { promised, body } = split(received());
    assert.deepEqual([promised, body.length, isStartOf(body)], [whole.length, whole.length >> 1, true]);
  });

  it('reset: before the headers, or at any byte short of the whole', async (t) => {
    const before = exchange(await withFault(t, { kind: 'reset' }));
    assert.equal(await before.ended, 'ECONNRESET');
    assert.equal(before.received().length, 0);
    for (const atByte of [0, 1, 100, 1e9]) {
      const { received, ended } = exchange(await withFault(t, { kind: 'reset', atByte }));
      assert.equal(await ended, 'ECONNRESET');
      const { promised, body } = split(received());
      const sent = Math.min(atByte, whole.length - 1);
      assert.deepEqual([promised, body.length, isStartOf(body)], [whole.length, sent, true]);
    }
  });

  it('trickle: one byte per second, to the end', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const server = await withFault(t, { kind: 'trickle' });
    const { received, ended, socket } = exchange(server);
    while (!received().includes('\r\n\r\n')) await once(socket, 'data');
    for (const length of [1, 2, 3]) {
      t.mock.timers.tick(999);
      t.mock.timers.tick(1);
      await once(socket, 'data');
      assert.equal(split(received()).body.length, length);
    }
    t.mock.timers.tick(1000 * whole.length);
    assert.equal(await ended, 'end');
    assert.deepEqual([split(received()).body.length, isStartOf(split(received()).body)], [whole.length, true]);
  });

  it('trickle: stops when the client leaves', async (t) => {
    const { socket } = exchange(await withFault(t, { kind: 'trickle', intervalMs: 1 }));
    await once(socket, 'data');
    const { clearInterval } = globalThis;
    const stopped = new Promise<void>((resolve) => {
      t.mock.method(globalThis, 'clearInterval', (timer: NodeJS.Timeout) => {
        clearInterval(timer);
        resolve();
      });
    });
    socket.destroy();
    await stopped;
  });

  it('status: any code, with headers and body', async (t) => {
    for (const retryAfter of ['0', '30', 'Wed, 21 Oct 2026 07:28:00 GMT']) {
      const server = await withFault(t, { kind: 'status', status: 429, headers: { 'Retry-After': retryAfter } });
      const response = await post(server, chat);
      assert.equal(response.headers.get('retry-after'), retryAfter);
      assert.equal((await errorOf(response)).status, 429);
    }
    const fault: Fault = { kind: 'status', status: 502, headers: { 'content-type': 'text/html' }, body: '<h1>Bad' };
    const response = await post(await withFault(t, fault), chat);
    assert.deepEqual([response.status, await response.text()], [502, '<h1>Bad']);
    assert.equal(response.headers.get('content-type'), 'text/html');
  });

  it('redirect: any 3xx to any address', async (t) => {
    for (const status of [301, 302, 303, 307, 308] as const) {
      const response = await post(
        await withFault(t, { kind: 'redirect', status, location: 'http://127.0.0.2:9/x' }),
        chat,
      );
      assert.deepEqual([response.status, response.headers.get('location')], [status, 'http://127.0.0.2:9/x']);
    }
  });

  it('echo_key: the key comes back in the error', async (t) => {
    for (const headers of [{ authorization: `Bearer ${KEY}` }, { 'api-key': KEY }]) {
      const server = await withFault(t, { kind: 'echo_key' }, { key: KEY });
      const response = await fetch(`${server.baseUrl}/models`, { headers });
      const error = await errorOf(response);
      assert.equal(error.status, 401);
      assert.ok(String(error.message).includes(KEY));
      assert.ok(String(error.message).includes(Buffer.from(KEY).toString('base64')));
      assert.equal(response.headers.get('x-received-key'), KEY);
    }
  });

  it('html, content_type and garbage: 200, but no answer', async (t) => {
    const html = await post(await withFault(t, { kind: 'html' }), chat);
    assert.deepEqual([html.status, html.headers.get('content-type')], [200, 'text/html']);
    assert.match(await html.text(), /^<!doctype html>/);
    const other = await post(await withFault(t, { kind: 'content_type', contentType: 'text/plain' }), chat);
    assert.equal(other.headers.get('content-type'), 'text/plain');
    assert.equal((await chatOf(other)).choices[0]?.message.content, ANSWER);
    const garbage = await post(await withFault(t, { kind: 'garbage' }), chat);
    assert.equal(garbage.status, 200);
    await assert.rejects(garbage.json(), SyntaxError);
  });

  it('duplicate_keys: the last content is the true one, the last usage is not', async (t) => {
    const text = await (await post(await withFault(t, { kind: 'duplicate_keys' }), chat)).text();
    assert.equal(text.match(/"content":/g)?.length, 2);
    assert.equal(text.match(/"usage":/g)?.length, 2);
    const answer = JSON.parse(text) as OpenAI.ChatCompletion;
    assert.deepEqual([answer.choices[0]?.message.content, answer.usage?.total_tokens], [ANSWER, 0]);
  });

  it('invalid_utf8: bytes that no text has', async (t) => {
    const response = await post(await withFault(t, { kind: 'invalid_utf8' }), chat);
    const bytes = await response.arrayBuffer();
    assert.throws(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes), TypeError);
    const answer = JSON.parse(new TextDecoder().decode(bytes)) as OpenAI.ChatCompletion;
    assert.match(answer.choices[0]?.message.content ?? '', /^\uFFFD.*a short answer$/);
  });

  it('huge and gzip_bomb: an answer of many megabytes', async (t) => {
    const huge = await (await post(await withFault(t, { kind: 'huge', megabytes: 3 }), chat)).text();
    assert.ok(huge.length > 3 * 2 ** 20);
    assert.equal((JSON.parse(huge) as OpenAI.ChatCompletion).choices[0]?.message.content, ANSWER);
    const { received, ended, socket } = exchange(await withFault(t, { kind: 'gzip_bomb', megabytes: 3 }));
    while (!received().includes('\r\n\r\n') || split(received()).body.length < split(received()).promised) {
      await once(socket, 'data');
    }
    const { body } = split(received());
    assert.match(received().toString('latin1'), /content-encoding: gzip\r\n/);
    assert.ok(body.length < 10_000);
    assert.ok(gunzipSync(body).length > 3 * 2 ** 20);
    socket.end();
    await ended;
  });

  it('empty, length and refusal: billed as altered', async (t) => {
    const expected: Array<[Fault, string | null, string | null, string, number]> = [
      [{ kind: 'empty' }, '', null, 'stop', 0],
      [{ kind: 'length' }, ANSWER.slice(0, 7), null, 'length', 2],
      [{ kind: 'refusal' }, null, 'I cannot help with that.', 'stop', 6],
    ];
    for (const [fault, content, refusal, finish, tokens] of expected) {
      const server = await withFault(t, fault);
      const { choices, usage } = await chatOf(await post(server, chat));
      const seen = [choices[0]?.message, choices[0]?.finish_reason, usage?.completion_tokens];
      assert.deepEqual(seen, [{ role: 'assistant', content, refusal }, finish, tokens]);
      assert.equal(server.bill[0]?.output_tokens, tokens);
    }
    const server = await withFault(t, { kind: 'empty' });
    const none = await (await post(server, { model: 'e', input: 'x' }, '/embeddings')).json();
    assert.deepEqual((none as { data: unknown[] }).data, []);
  });

  it('usage: lies to the client, never to the bill', async (t) => {
    const details = { prompt_tokens_details: { cached_tokens: 0 }, completion_tokens_details: { reasoning_tokens: 0 } };
    const all = (value: unknown) => ({
      prompt_tokens: value,
      completion_tokens: value,
      total_tokens: value,
      ...details,
    });
    const counts = (prompt_tokens: number, completion_tokens: number, total_tokens: number) => ({
      prompt_tokens,
      completion_tokens,
      total_tokens,
      ...details,
    });
    const expected: Record<UsageLie, unknown> = {
      missing: undefined,
      null: null,
      nan: all('NaN'),
      zero: all(0),
      negative: all(-1),
      infinite: all(1e308),
      string: all('12'),
      unsafe_integer: all(2 ** 53),
      bigint_string: all('9007199254740993'),
      wrong_total: counts(9, 4, 20),
      cached_above_prompt: { ...counts(9, 4, 13), prompt_tokens_details: { cached_tokens: 10 } },
      completion_above_max: counts(9, 1050, 1059),
    };
    assert.deepEqual(Object.keys(usageLies).sort(), Object.keys(expected).sort());
    for (const [lie, usage] of Object.entries(expected)) {
      const server = await withFault(t, { kind: 'usage', lie: lie as UsageLie });
      const text = await (await post(server, { ...chat, max_tokens: 50 })).text();
      assert.deepEqual((JSON.parse(text) as { usage?: unknown }).usage, usage, lie);
      assert.equal(text.includes('9007199254740993'), lie === 'unsafe_integer' || lie === 'bigint_string');
      assert.deepEqual([server.bill[0]?.input_tokens, server.bill[0]?.output_tokens], [HELLO_TOKENS, ANSWER_TOKENS]);
    }
  });

  it('meets embeddings and the model list too', async (t) => {
    const server = await start(t, { fault: () => ({ kind: 'usage', lie: 'negative' }) });
    const answer = await (await post(server, { model: 'e', input: 'x' }, '/embeddings')).json();
    assert.deepEqual((answer as { usage: unknown }).usage, { prompt_tokens: -1, total_tokens: -1 });
    const broken = await start(t, { fault: () => ({ kind: 'status', status: 503 }) });
    assert.equal((await fetch(`${broken.baseUrl}/models`)).status, 503);
    assert.deepEqual(broken.requests[0]?.fault, { kind: 'status', status: 503 });
  });
});

describe('model server: the bill', () => {
  const chat = { model: 'm', messages: HELLO };

  it('counts every request that was not refused, whatever became of its answer', async (t) => {
    const unbilled = [400, 401, 403, 404, 413, 422, 429].map((status): Fault => ({ kind: 'status', status }));
    const billedStatuses = [200, 408, 409, 500, 502, 503, 529].map((status): Fault => ({ kind: 'status', status }));
    const lost: Fault[] = [
      { kind: 'reset' },
      { kind: 'reset', atByte: 3 },
      { kind: 'truncated' },
      { kind: 'html' },
      { kind: 'garbage' },
      { kind: 'redirect', status: 307, location: '/v1/chat/completions' },
      { kind: 'echo_key', status: 500 },
    ];
    const faults = [...unbilled, { kind: 'echo_key' } as const, ...lost, ...billedStatuses];
    const server = await start(t, { fault: (_request, index) => faults[index] ?? null });
    for (const _fault of faults)
      await post(server, chat)
        .then((response) => response.arrayBuffer())
        .catch(() => {});
    assert.deepEqual(
      server.requests.map((request) => request.fault),
      faults,
    );
    const first = unbilled.length + 1;
    assert.deepEqual(
      server.bill.map((line) => line.request),
      faults.map((_fault, index) => index).slice(first),
    );
    const perCall = BigInt(HELLO_TOKENS) * 3n + BigInt(ANSWER_TOKENS) * 5n;
    assert.equal(server.billed({ inputPico: 3n, outputPico: 5n }), perCall * BigInt(faults.length - first));
  });

  it('does not count a request that never came whole', async (t) => {
    const server = await start(t);
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.end('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{"model"');
    socket.resume();
    await once(socket, 'close');
    assert.deepEqual([server.requests.length, server.bill.length], [0, 0]);
  });

  it('is shared by servers through one file, and there before the answer', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'model-server-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const ledgerFile = join(folder, 'bill.jsonl');
    assert.deepEqual(readBill(ledgerFile), []);
    const [one, two] = [
      await start(t, { ledgerFile }),
      await start(t, { ledgerFile, fault: () => ({ kind: 'reset' }) }),
    ];
    await post(one, chat);
    assert.deepEqual(readBill(ledgerFile), one.bill);
    await assert.rejects(post(two, chat));
    const lines = readBill(ledgerFile);
    assert.deepEqual(lines, [...one.bill, ...two.bill]);
    const sha = createHash('sha256').update(JSON.stringify(chat)).digest('hex');
    assert.deepEqual(
      lines.map((line) => line.body_sha256),
      [sha, sha],
    );
    const prices = { inputPico: 2n ** 70n, outputPico: 1n };
    assert.equal(billed(lines, prices), one.billed(prices) + two.billed(prices));
  });

  it('runs as a process of its own', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'model-server-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const [outfile, ledger, options] = ['main.mjs', 'bill.jsonl', 'options.mjs'].map((name) => join(folder, name));
    const entryPoints = ['test/support/model-server-main.ts'];
    await build({ entryPoints, bundle: true, platform: 'node', format: 'esm', outfile: outfile ?? '' });
    writeFileSync(options ?? '', `export const options = { modelSuffix: '-x' };`);
    const flags = ['--key', KEY, '--ledger', ledger ?? '', '--reply', ANSWER, '--options', options ?? ''];
    const child = spawn(process.execPath, [outfile ?? '', ...flags, '--faults', '[{"kind":"reset"}]']);
    t.after(() => child.kill('SIGKILL'));
    const [port] = (await once(child.stdout, 'data')) as [Buffer];
    const client = clientOf(`http://127.0.0.1:${Number(port)}/v1`);
    await assert.rejects(client.chat.completions.create(chat));
    const answer = await client.chat.completions.create(chat);
    assert.deepEqual([answer.choices[0]?.message.content, answer.model], [ANSWER, 'm-x']);
    assert.deepEqual(
      readBill(ledger ?? '').map((line) => line.request),
      [0, 1],
    );
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });
});
