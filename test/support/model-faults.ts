import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { errorBody } from './model-checks.ts';

/** How one request goes wrong. Kinds that bend the answer's content or usage leave a model list as it is. */
export type Fault =
  /** Never answers. `stall`: headers and half of the body, then nothing. */
  | { kind: 'hang' | 'stall' }
  /** One byte per interval, 1000 ms unless told. */
  | { kind: 'trickle'; intervalMs?: number }
  /** TCP reset before the headers, or after `atByte` bytes of the body (always short of the whole). */
  | { kind: 'reset'; atByte?: number }
  /** Half of the promised content-length, then a clean close. */
  | { kind: 'truncated' }
  /** Any status; the default body is an OpenAI error. */
  | { kind: 'status'; status: number; headers?: OutgoingHttpHeaders; body?: string }
  | { kind: 'redirect'; status: 300 | 301 | 302 | 303 | 307 | 308; location: string }
  /** An error that repeats the key, plain and in base64; 401 unless told. */
  | { kind: 'echo_key'; status?: number }
  /** 200 with a web page, or with the answer under another content type. */
  | { kind: 'html' }
  | { kind: 'content_type'; contentType: string }
  /** 200 with JSON that ends in the middle, under a truthful content-length. */
  | { kind: 'garbage' }
  /** Each content twice, the first one wrong; usage twice, the last one zero. */
  | { kind: 'duplicate_keys' }
  | { kind: 'invalid_utf8' }
  /** The answer with a field of that many MiB in front; `gzip_bomb` sends it compressed. */
  | { kind: 'huge' | 'gzip_bomb'; megabytes: number }
  /** Content '' · cut in half with finish_reason length · none but a refusal. Billed as altered. */
  | { kind: 'empty' | 'length' | 'refusal' }
  | { kind: 'usage'; lie: UsageLie };

type Usage = Record<string, unknown> & { prompt_tokens: number; completion_tokens?: number; total_tokens: number };

/** All three counts replaced by a JSON literal: some lies do not exist as JavaScript numbers. */
const every = (literal: string) => (usage: Usage) =>
  JSON.stringify(usage).replace(/("(?:prompt|completion|total)_tokens":)\d+/g, `$1${literal}`);

/** What each lie makes of the true usage, as JSON text; undefined leaves the field out. */
export const usageLies = {
  missing: () => undefined,
  null: () => 'null',
  nan: every('"NaN"'),
  zero: every('0'),
  negative: every('-1'),
  infinite: every('1e308'),
  string: every('"12"'),
  unsafe_integer: every('9007199254740993'),
  bigint_string: every('"9007199254740993"'),
  wrong_total: (usage: Usage) => JSON.stringify({ ...usage, total_tokens: usage.total_tokens + 7 }),
  cached_above_prompt: (usage: Usage) =>
    JSON.stringify({ ...usage, prompt_tokens_details: { cached_tokens: usage.prompt_tokens + 1 } }),
  completion_above_max: (usage: Usage, maxTokens: number) => {
    const limit = Number.isFinite(maxTokens) ? maxTokens : 0;
    const completion = Math.max(limit, usage.completion_tokens ?? 0) + 1000;
    return JSON.stringify({ ...usage, completion_tokens: completion, total_tokens: usage.prompt_tokens + completion });
  },
} satisfies Record<string, (usage: Usage, maxTokens: number) => string | undefined>;
export type UsageLie = keyof typeof usageLies;

/** Statuses by which a provider says that it did no work. 408, 409 and 5xx say no such thing. */
const UNBILLED = new Set([400, 401, 402, 403, 404, 405, 410, 413, 415, 422, 429]);

/** Whether a provider would bill a request that ends in this fault. */
export function isBilled(fault: Fault | null): boolean {
  if (fault?.kind === 'echo_key') return !UNBILLED.has(fault.status ?? 401);
  return fault?.kind !== 'status' || !UNBILLED.has(fault.status);
}

/** A true answer on its way out. */
export interface Answer {
  body: Record<string, unknown>;
  usage?: Usage;
  maxTokens?: number;
}

/** Sends the answer, or what the fault makes of it. */
export function deliver(response: ServerResponse, fault: Fault | null, { body, ...truth }: Answer, key: string): void {
  const whole = Buffer.from(JSON.stringify({ ...body, usage: truth.usage }));
  const half = whole.subarray(0, whole.length >> 1);
  const socket = response.socket;
  if (response.destroyed || socket === null) return;
  const send = (bytes: Buffer | string, headers: OutgoingHttpHeaders = {}, status = 200) =>
    response
      .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes), ...headers })
      .end(bytes);
  // The part goes straight to the socket, so that what follows happens after exactly these bytes.
  const sendPart = (part: Buffer, then?: () => void) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': whole.length }).flushHeaders();
    socket.write(part, then);
  };
  // Node 20 takes a reset that comes together with data for a clean end: let the client read first.
  const reset = () => void setTimeout(() => setImmediate(() => socket.resetAndDestroy()), 10);
  switch (fault?.kind) {
    case undefined:
    case 'empty':
    case 'length':
    case 'refusal':
      return void send(whole);
    case 'hang':
      return;
    case 'stall':
      return sendPart(half);
    case 'truncated':
      return sendPart(half, () => socket.end());
    case 'reset':
      if (fault.atByte === undefined) return void socket.resetAndDestroy();
      return sendPart(whole.subarray(0, Math.min(fault.atByte, whole.length - 1)), reset);
    case 'trickle': {
      let sent = 0;
      sendPart(Buffer.alloc(0));
      const timer = setInterval(() => {
        socket.write(whole.subarray(sent, sent + 1));
        sent += 1;
        if (sent === whole.length) socket.end();
      }, fault.intervalMs ?? 1000);
      return void socket.once('close', () => clearInterval(timer));
    }
    case 'status': {
      const text = fault.body ?? errorBody(`The server answers ${fault.status}.`);
      return void send(text, fault.headers, fault.status);
    }
    case 'redirect':
      return void send('', { location: fault.location }, fault.status);
    case 'echo_key': {
      const message = `Request failed for key ${key} (authorization ${Buffer.from(key).toString('base64')}).`;
      return void send(errorBody(message), { 'x-received-key': key }, fault.status ?? 401);
    }
    case 'html':
      return void send('<!doctype html><title>Sign in</title><p>Sign in to use this network.', {
        'content-type': 'text/html',
      });
    case 'content_type':
      return void send(whole, { 'content-type': fault.contentType });
    case 'garbage':
      return void send(half);
    case 'duplicate_keys': {
      const zero = '{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}';
      const text = whole.toString().replace(/"content":/g, '"content":"the first of two","content":');
      return void send(`${text.slice(0, -1)},"usage":${zero}}`);
    }
    case 'invalid_utf8': {
      const text = whole.toString('latin1').replace(/"(content|model)":"/g, '$&\xff\xfe\xc3\x28');
      return void send(Buffer.from(text, 'latin1'));
    }
    case 'huge':
    case 'gzip_bomb': {
      const padding = Buffer.alloc(fault.megabytes * 2 ** 20, ' ');
      const bytes = Buffer.concat([Buffer.from('{"padding":"'), padding, Buffer.from('",'), whole.subarray(1)]);
      return void (fault.kind === 'huge' ? send(bytes) : send(gzipSync(bytes), { 'content-encoding': 'gzip' }));
    }
    case 'usage': {
      const lie = truth.usage && usageLies[fault.lie](truth.usage, truth.maxTokens ?? 0);
      const text = JSON.stringify(body);
      return void send(lie === undefined ? text : `${text.slice(0, -1)},"usage":${lie}}`);
    }
  }
  return fault satisfies never;
}
