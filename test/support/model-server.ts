import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { appendBill, billed, checkBillLine, type BillLine, type BillPrices } from './model-bill.ts';
import {
  checkChat,
  checkEmbeddings,
  checkKey,
  parseBody,
  presentedKey,
  Refusal,
  type ChatParts,
  type EmbeddingsParts,
  type ModelFeatures,
} from './model-checks.ts';
import { embedWords, shorten, toBase64 } from './model-embeddings.ts';
import { deliver, isBilled, type Answer, type Fault } from './model-faults.ts';

/** A request as it arrived, whole. `body` is undefined unless it is a JSON object. */
export interface RequestSeen {
  index: number;
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  raw: Buffer;
  body?: Record<string, unknown>;
  /** Milliseconds since 1970. */
  at: number;
  /** Status by which the server refused the request before any work; a refused request meets no fault. */
  refused?: number;
  fault: Fault | null;
}

export interface ChatRequestSeen extends RequestSeen, ChatParts {}

/** A chat answer. `usage` is what the model truly consumed: billed and reported. To lie, use a fault. */
export interface ChatReplySeen {
  content: string;
  finish_reason?: string;
  usage?: { prompt_tokens?: number; completion_tokens?: number; cached_tokens?: number; reasoning_tokens?: number };
  model?: string;
  system_fingerprint?: string;
  /** Replaces the content. */
  refusal?: string;
}

export interface ModelServerOptions extends ModelFeatures {
  /** Default 0: any free port. */
  port?: number;
  /** Answers the index-th (from 0) billed chat request; default 'ok'. A reply that never resolves is never billed. */
  reply?: (request: ChatRequestSeen, index: number) => string | ChatReplySeen | Promise<string | ChatReplySeen>;
  embed?: (text: string, dimensions: number) => number[];
  /** Default length of an embedding: 1536. */
  dimensions?: number;
  /** Chosen for every request that is not refused; index = its place in `requests`. */
  fault?: (request: RequestSeen, index: number) => Fault | null;
  /** Default: a quarter of the UTF-8 bytes, rounded up. */
  countTokens?: (text: string) => number;
  /** Simulated time before an answer, in milliseconds; default 0. */
  latency?: { firstTokenMs?: number; perTokenMs?: number; embeddingsMs?: number };
  /** Added to the model's name in answers, as a provider resolves an alias. */
  modelSuffix?: string;
  systemFingerprint?: string;
  /** Prompt tokens served from the provider's cache, at most the whole prompt. */
  cachedTokens?: number;
  /** File that every bill line is appended to, before the first byte of the answer leaves. */
  ledgerFile?: string;
}

export interface ModelServer {
  /** http://127.0.0.1:port; `baseUrl` adds /v1. */
  url: string;
  baseUrl: string;
  requests: RequestSeen[];
  bill: BillLine[];
  billed(prices: BillPrices | ((line: BillLine) => BillPrices)): bigint;
  /** Cuts every connection at once; rejects with the first error thrown by `reply`, `embed`, `fault` or `countTokens`. */
  close(): Promise<void>;
}

const ROUTE = /^(?:\/openai)?(?:\/v1)?(?:\/(deployments|engines)\/([^/]+))?\/(chat\/completions|embeddings|models)$/;
const MODEL = { id: 'test-model', object: 'model', created: 0, owned_by: 'test' };

/**
 * An OpenAI-compatible server on 127.0.0.1 that misbehaves on demand and keeps the bill a real provider would send.
 * The bill counts every request that was not refused with a 4xx, also those whose answer never arrived whole.
 * Prompt tokens: 3 for the answer's start, 3 per message, its role and text, and the JSON schema if one is given.
 */
export async function startModelServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  const countTokens = options.countTokens ?? ((text: string) => Math.ceil(Buffer.byteLength(text) / 4));
  const requests: RequestSeen[] = [];
  const bill: BillLine[] = [];
  const failures: unknown[] = [];
  const sockets = new Set<Socket>();
  let chats = 0;

  function charge(request: RequestSeen, tokens: Omit<BillLine, 'request' | 'body_sha256'>): void {
    const body_sha256 = createHash('sha256').update(request.raw).digest('hex');
    const line: BillLine = { request: request.index, body_sha256, ...tokens };
    checkBillLine(line);
    bill.push(line);
    if (options.ledgerFile !== undefined) appendBill(options.ledgerFile, line);
  }

  async function chat(request: ChatRequestSeen): Promise<Answer> {
    const given = await (options.reply?.(request, chats++) ?? 'ok');
    const reply = bend(request.fault, typeof given === 'string' ? { content: given } : given);
    const text = reply.refusal ?? reply.content;
    const kept = countTokens(text) > request.maxTokens ? cut(text, request.maxTokens, countTokens) : text;
    const prompt = request.messages.reduce(
      (sum, message) => sum + 3 + countTokens(message.role) + countTokens(message.content),
      3 + countTokens(request.schema),
    );
    const used = { prompt_tokens: prompt, completion_tokens: countTokens(kept), reasoning_tokens: 0, ...reply.usage };
    const cached = reply.usage?.cached_tokens ?? Math.min(options.cachedTokens ?? 0, used.prompt_tokens);
    charge(request, {
      kind: 'chat',
      model: request.model,
      input_tokens: used.prompt_tokens,
      cached_tokens: cached,
      output_tokens: used.completion_tokens,
    });
    await pause((options.latency?.firstTokenMs ?? 0) + used.completion_tokens * (options.latency?.perTokenMs ?? 0));
    const refused = reply.refusal !== undefined;
    return {
      maxTokens: request.maxTokens,
      body: {
        id: `chatcmpl-${request.index}`,
        object: 'chat.completion',
        created: Math.floor(request.at / 1000),
        model: reply.model ?? request.model + (options.modelSuffix ?? ''),
        choices: [
          {
            index: 0,
            message: { role: 'assistant', content: refused ? null : kept, refusal: refused ? kept : null },
            logprobs: null,
            finish_reason: kept === text ? (reply.finish_reason ?? 'stop') : 'length',
          },
        ],
        system_fingerprint: reply.system_fingerprint ?? options.systemFingerprint ?? 'fp_test',
      },
      usage: {
        prompt_tokens: used.prompt_tokens,
        completion_tokens: used.completion_tokens,
        total_tokens: used.prompt_tokens + used.completion_tokens,
        prompt_tokens_details: { cached_tokens: cached },
        completion_tokens_details: { reasoning_tokens: used.reasoning_tokens },
      },
    };
  }

  async function embeddings(request: RequestSeen, parts: EmbeddingsParts): Promise<Answer> {
    const dimensions = parts.dimensions ?? options.dimensions ?? 1536;
    const data = parts.inputs.map((text, index) => {
      const vector = shorten((options.embed ?? embedWords)(text, dimensions), dimensions);
      return { object: 'embedding', index, embedding: parts.base64 ? toBase64(vector) : vector };
    });
    const tokens = parts.inputs.reduce((sum, text) => sum + countTokens(text), 0);
    const counts = { input_tokens: tokens, cached_tokens: 0, output_tokens: 0 };
    charge(request, { kind: 'embeddings', model: parts.model, ...counts });
    await pause(options.latency?.embeddingsMs ?? 0);
    const model = parts.model + (options.modelSuffix ?? '');
    return {
      body: { object: 'list', data: request.fault?.kind === 'empty' ? [] : data, model },
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    };
  }

  /** The work a request asks for, not yet begun; throws a Refusal if the provider would not begin it. */
  function accept(request: RequestSeen): () => Answer | Promise<Answer> {
    checkKey(request.headers, options.key);
    const url = new URL(request.path, 'http://server');
    const [, form, name, what] = ROUTE.exec(url.pathname) ?? [];
    if (what === undefined) throw new Refusal(404, `Invalid URL (${request.method} ${url.pathname})`);
    if (request.method !== (what === 'models' ? 'GET' : 'POST')) throw new Refusal(405, 'Method not allowed');
    if (form === 'deployments' && !url.searchParams.has('api-version')) throw new Refusal(404, 'Resource not found');
    if (what === 'models') return () => ({ body: { object: 'list', data: [MODEL] } });
    request.body = parseBody(request.raw);
    const deployment = name && decodeURIComponent(name);
    if (what === 'embeddings') {
      const parts = checkEmbeddings(request.body, deployment, options);
      return () => embeddings(request, parts);
    }
    const chatRequest = Object.assign(request, checkChat(request.body, deployment, options));
    return () => chat(chatRequest);
  }

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method = '', url: path = '', headers } = incoming;
    const raw = Buffer.concat(chunks);
    const request: RequestSeen = { index: requests.length, method, path, headers, raw, at: Date.now(), fault: null };
    requests.push(request);
    response.setHeader('x-request-id', `req_${request.index}`);
    try {
      const work = accept(request);
      request.fault = options.fault?.(request, request.index) ?? null;
      const answer = isBilled(request.fault) ? await work() : { body: {} };
      deliver(response, request.fault, answer, presentedKey(headers));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      request.refused = error.status;
      deliver(response, { kind: 'status', status: error.status, body: error.body }, { body: {} }, '');
    }
  }

  // No keep-alive timeout: an idle connection that closes by itself would be a fault nobody chose.
  const server = createServer({ keepAliveTimeout: 0 }, (incoming, response) => {
    handle(incoming, response).catch((error: unknown) => {
      // A client that leaves while it sends has asked nothing yet; anything else is a broken test.
      if (incoming.complete) failures.push(error);
      response.destroy();
    });
  });
  server.on('connection', (socket) => sockets.add(socket.once('close', () => sockets.delete(socket))));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    baseUrl: `${url}/v1`,
    requests,
    bill,
    billed: (prices) => billed(bill, prices),
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      if (failures.length > 0) throw failures[0];
    },
  };
}

/** Waits without holding up a process that has nothing else to do; not even a tick for nothing. */
async function pause(milliseconds: number): Promise<void> {
  if (milliseconds > 0) await new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
}

/** The reply as a fault of content alters it. */
function bend(fault: Fault | null, reply: ChatReplySeen): ChatReplySeen {
  switch (fault?.kind) {
    case 'empty':
      return { ...reply, content: '' };
    case 'length':
      return { ...reply, content: reply.content.slice(0, reply.content.length >> 1), finish_reason: 'length' };
    case 'refusal':
      return { ...reply, refusal: 'I cannot help with that.' };
    default:
      return reply;
  }
}

/** The longest beginning, by binary search over whole characters, that a provider's token limit lets through. */
function cut(text: string, limit: number, countTokens: (text: string) => number): string {
  const characters = Array.from(text);
  let fits = 0;
  let exceeds = characters.length;
  while (exceeds - fits > 1) {
    const middle = (fits + exceeds) >> 1;
    if (countTokens(characters.slice(0, middle).join('')) <= limit) fits = middle;
    else exceeds = middle;
  }
  return characters.slice(0, fits).join('');
}
