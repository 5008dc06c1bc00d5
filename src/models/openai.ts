// Types of the official client: what is read is checked against them. The client itself is not used, as it retries by
// itself, and each retry may be another bill.
import type { ChatCompletion } from 'openai/resources/chat/completions';
import type { CreateEmbeddingResponse } from 'openai/resources/embeddings';
import {
  type LanguageModel,
  ModelError,
  type ModelReply,
  type ModelRequest,
  type PreparedRequest,
  type Usage,
} from '../run/ports.ts';
import type { RunState } from '../run/state.ts';
import { type Egress, EgressError } from '../safety/egress.ts';
import { needsKey } from '../safety/origin.ts';
import { errorOfStatus } from './http-errors.ts';
import { isAzure, openAiBody } from './request-body.ts';

export interface OpenAiModelOptions {
  /** Up to and including `/v1`, or an Azure deployment's address with its `api-version`. */
  readonly baseUrl: string;
  readonly model: string;
  readonly embedding: { readonly model: string; readonly dimensions: number | null } | null;
  /** The key for the server's origin, read anew for every request; null where there is none. */
  readonly key: (origin: string) => Promise<string | null>;
  readonly egress: Egress;
  /** Replaces every secret. What a server says is cut to length, and the piece of a secret could not be recognised any more. */
  readonly redact: (text: string) => string;
}

type Adaptations = RunState['adaptations'];

/** Far more than an API says in an error, characters. */
const MAX_ERROR_BODY = 64 * 1024;

/** Any server that speaks OpenAI's chat.completions and embeddings. */
export class OpenAiModel implements LanguageModel {
  private readonly options: OpenAiModelOptions;
  private readonly base: URL;
  private readonly origin: string;
  private readonly needsKey: boolean;

  constructor(options: OpenAiModelOptions) {
    this.options = options;
    this.base = new URL(options.baseUrl);
    this.origin = this.base.origin;
    this.needsKey = needsKey(options.baseUrl);
  }

  prepare(request: ModelRequest, adaptations: Adaptations): PreparedRequest {
    const { model, embedding } = this.options;
    return {
      request,
      model: request.kind === 'chat' ? model : (embedding?.model ?? model),
      origin: this.origin,
      body: openAiBody(this.options, request, adaptations),
    };
  }

  async send(prepared: PreparedRequest, options: { timeoutMs: number; signal: AbortSignal }): Promise<ModelReply> {
    const key = await this.options.key(this.origin);
    if (key === null && this.needsKey) throw this.noKey(true);
    const response = await this.exchange(prepared, key, options);
    const text = Buffer.from(response.body).toString('utf8');
    if (response.status !== 200) {
      const error = errorOfStatus(
        response.status,
        response.headers,
        this.options.redact(text.slice(0, MAX_ERROR_BODY)),
        this.origin,
        prepared,
      );
      // A server on this machine may want one too.
      throw key === null && error.reason === 'bad_key' ? this.noKey(error.unbilled) : error;
    }
    const data = jsonObject(text);
    if (data === null) {
      throw new ModelError(
        'not_an_api',
        `${this.origin} answered with something other than JSON. Is the base URL right? It usually ends in /v1.`,
        {
          unbilled: false,
        },
      );
    }
    const reply =
      prepared.request.kind === 'chat'
        ? chatReply(data, prepared)
        : embeddingReply(data, prepared, prepared.request.texts.length);
    return {
      ...reply,
      model: this.name(reply.model),
      fingerprint: reply.fingerprint && this.name(reply.fingerprint),
      finishReason: reply.finishReason && this.name(reply.finishReason),
    };
  }

  private name(said: string): string {
    return this.options.redact(said.slice(0, MAX_ERROR_BODY)).slice(0, 200);
  }

  private noKey(unbilled: boolean): ModelError {
    return new ModelError('no_key', `There is no API key for ${this.origin}: set it, then resume.`, { unbilled });
  }

  private async exchange(
    prepared: PreparedRequest,
    key: string | null,
    options: { timeoutMs: number; signal: AbortSignal },
  ) {
    const path = prepared.request.kind === 'chat' ? 'chat/completions' : 'embeddings';
    const url = new URL(this.base);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/${path}`;
    try {
      return await this.options.egress.request({
        url: url.href,
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json', ...this.authorization(key) },
        body: prepared.body,
        timeoutMs: options.timeoutMs,
        signal: options.signal,
      });
    } catch (error) {
      throw error instanceof EgressError ? errorOfEgress(error) : error;
    }
  }

  private authorization(key: string | null): Record<string, string> {
    if (key === null) return {};
    return isAzure(this.base) ? { 'api-key': key } : { authorization: `Bearer ${key}` };
  }
}

/** The parts of an answer that are read, none of which a server can be trusted to send. */
type Loose<T> = T extends (infer Item)[]
  ? Loose<Item>[]
  : T extends object
    ? { [Key in keyof T]?: Loose<T[Key]> | null }
    : T;

function chatReply(data: Loose<ChatCompletion>, prepared: PreparedRequest): ModelReply {
  const choice = Array.isArray(data.choices) ? data.choices[0] : undefined;
  const usage = usageOf(
    data.usage?.prompt_tokens,
    data.usage?.completion_tokens,
    data.usage?.prompt_tokens_details?.cached_tokens,
  );
  const content = choice?.message?.content;
  if (typeof content !== 'string' && usage === null) {
    throw new ModelError('bad_reply', 'The server answered without a message and without usage.', { unbilled: false });
  }
  const refused = typeof choice?.message?.refusal === 'string';
  return {
    model: text(data.model) ?? prepared.model,
    fingerprint: text(data.system_fingerprint),
    finishReason: refused ? 'refusal' : text(choice?.finish_reason),
    text: typeof content === 'string' ? content : '',
    vectors: null,
    usage,
  };
}

function embeddingReply(data: Loose<CreateEmbeddingResponse>, prepared: PreparedRequest, expected: number): ModelReply {
  const rows: readonly unknown[] = Array.isArray(data.data) ? data.data : [];
  const vectors = rows.flatMap((row) => vectorOf(row) ?? []);
  const dimensions = vectors[0]?.length ?? 0;
  if (
    vectors.length !== expected ||
    dimensions === 0 ||
    vectors.some((vector) => vector.length !== dimensions || !vector.every(Number.isFinite))
  ) {
    throw new ModelError('bad_reply', `The server answered ${vectors.length} usable vectors to ${expected} texts.`, {
      unbilled: false,
    });
  }
  return {
    model: text(data.model) ?? prepared.model,
    fingerprint: null,
    finishReason: null,
    text: null,
    vectors,
    usage: usageOf(data.usage?.prompt_tokens, 0, 0),
  };
}

/** Base64 of float32 as asked for, or numbers from a server that ignores the question. */
function vectorOf(row: unknown): Float32Array | null {
  const embedding = typeof row === 'object' && row !== null && 'embedding' in row ? row.embedding : null;
  if (Array.isArray(embedding))
    return Float32Array.from(embedding, (value) => (typeof value === 'number' ? value : Number.NaN));
  if (typeof embedding !== 'string') return null;
  const bytes = Buffer.from(embedding, 'base64');
  return bytes.length % 4 === 0
    ? new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
    : null;
}

/** Usage that can be: whole, not negative, not absurd, no more cached than sent. Null otherwise. */
function usageOf(input: unknown, output: unknown, cached: unknown): Usage | null {
  const cachedTokens = cached ?? 0;
  if (!isCount(input) || !isCount(output) || !isCount(cachedTokens) || cachedTokens > input) return null;
  return { inputTokens: input, outputTokens: output, cachedTokens };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 1e9;
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function jsonObject(body: string): Record<string, never> | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, never>)
      : null;
  } catch {
    return null;
  }
}

function errorOfEgress(error: EgressError): ModelError {
  const unbilled = error.neverSent;
  switch (error.reason) {
    case 'origin_not_allowed':
    case 'address_refused':
    case 'redirect_refused':
      return new ModelError('origin_refused', error.message, { unbilled });
    case 'dns_failed':
    case 'connect_failed':
    case 'tls_failed':
      return new ModelError('unreachable', error.message, { unbilled });
    case 'timeout':
      return new ModelError('timeout', error.message, { unbilled });
    case 'aborted':
      return new ModelError('aborted', error.message, { unbilled });
    case 'reset':
    case 'truncated':
      return new ModelError('interrupted', error.message, { unbilled });
    case 'too_large':
      return new ModelError('bad_reply', error.message, { unbilled });
    case 'bad_header':
      return new ModelError('bad_key', `${error.message} Enter the API key again.`, { unbilled });
  }
}
