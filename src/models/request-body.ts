// Types of the official client: what is sent is checked against them.
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import type { EmbeddingCreateParams } from 'openai/resources/embeddings';
import type { RunConfig } from '../run/config.ts';
import type { ChatRequest, ModelRequest } from '../run/ports.ts';
import type { RunState } from '../run/state.ts';

type Adaptations = RunState['adaptations'];

/** The exact bytes that a request of this run is sent as, and that `request_sha256` is of. */
export function requestBody(config: RunConfig, request: ModelRequest, adaptations: Adaptations): Uint8Array {
  const { provider, base_url: baseUrl, requested: model } = config.model;
  switch (provider) {
    case 'openai':
      return openAiBody({ baseUrl, model, embedding: config.embedding }, request, adaptations);
    case 'rehearsal':
      return rehearsalBody(model, request);
    case 'vscode-lm':
      return languageModelBody(model, request);
    default:
      return provider satisfies never;
  }
}

export interface OpenAiServer {
  readonly baseUrl: string;
  readonly model: string;
  readonly embedding: { readonly model: string; readonly dimensions: number | null } | null;
}

/** For any server that speaks OpenAI's chat.completions and embeddings. */
export function openAiBody(server: OpenAiServer, request: ModelRequest, adaptations: Adaptations): Uint8Array {
  const params =
    request.kind === 'chat' ? chatParams(server, request, adaptations) : embeddingParams(server, request.texts);
  return Buffer.from(JSON.stringify(params), 'utf8');
}

/** The rehearsal model reads the request itself. */
export function rehearsalBody(model: string, request: ModelRequest): Uint8Array {
  return Buffer.from(JSON.stringify({ model, request }), 'utf8');
}

/** What is sent to a language model of VS Code, in the order in which it is sent; its API has no role for instructions. */
export interface LanguageModelBody {
  readonly model: string;
  readonly messages: readonly { readonly role: 'user'; readonly content: string }[];
}

export function languageModelBody(model: string, request: ModelRequest): Uint8Array {
  const body: LanguageModelBody = { model, messages: request.kind === 'chat' ? oneMessage(request) : [] };
  return Buffer.from(JSON.stringify(body), 'utf8');
}

/** Azure deployments want another name for the limit, and another header for the key. */
export function isAzure({ hostname }: URL): boolean {
  return /\.(openai|services\.ai|cognitiveservices)\.azure\.com$/.test(hostname);
}

function chatParams(
  { baseUrl, model }: OpenAiServer,
  request: ChatRequest,
  adaptations: Adaptations,
): ChatCompletionCreateParamsNonStreaming {
  const base = new URL(baseUrl);
  const newName =
    isAzure(base) || base.hostname.endsWith('openai.com')
      ? !adaptations.has('max_completion_tokens')
      : adaptations.has('max_tokens');
  return {
    model,
    messages: request.messages.map(({ role, content }) => ({ role, content })),
    ...(newName ? { max_completion_tokens: request.maxOutputTokens } : { max_tokens: request.maxOutputTokens }),
    ...(adaptations.has('temperature') ? {} : { temperature: request.temperature }),
    ...(request.topP === null || adaptations.has('top_p') ? {} : { top_p: request.topP }),
    ...(request.seed === null || adaptations.has('seed') ? {} : { seed: request.seed }),
    ...responseFormat(request, adaptations),
  };
}

function embeddingParams({ embedding, model }: OpenAiServer, texts: readonly string[]): EmbeddingCreateParams {
  return {
    model: embedding?.model ?? model,
    input: [...texts],
    encoding_format: 'base64',
    ...(embedding?.dimensions ? { dimensions: embedding.dimensions } : {}),
  };
}

function responseFormat(
  request: ChatRequest,
  adaptations: Adaptations,
): Pick<ChatCompletionCreateParamsNonStreaming, 'response_format'> {
  if (request.schema === null) return {};
  const { name, schema } = request.schema;
  if (!adaptations.has('json_schema'))
    return { response_format: { type: 'json_schema', json_schema: { name, strict: true, schema: { ...schema } } } };
  return adaptations.has('json_object') ? {} : { response_format: { type: 'json_object' } };
}

function oneMessage({ messages, schema }: ChatRequest): LanguageModelBody['messages'] {
  const texts = messages.map(({ content }) => content);
  if (schema !== null) {
    texts.push(`Answer with nothing but JSON that this JSON Schema accepts:\n${JSON.stringify(schema.schema)}`);
  }
  return [{ role: 'user', content: texts.join('\n\n') }];
}
