import type { IncomingHttpHeaders } from 'node:http';

/** What the simulated provider supports; everything else it refuses with a 400. */
export interface ModelFeatures {
  /** Key that `authorization: Bearer` or `api-key` must carry; absent = open server. */
  key?: string;
  /** Strongest `response_format` the server accepts; default `json_schema`. */
  structuredOutputs?: 'json_schema' | 'json_object' | 'none';
  /** Parameters refused as `unsupported_parameter`, such as `temperature` or `seed`. */
  rejectParameters?: readonly string[];
  /** Refuse `max_tokens`, as reasoning models do. */
  requireMaxCompletionTokens?: boolean;
  /** Refuse `max_completion_tokens`, as older servers do. */
  onlyMaxTokens?: boolean;
  /** False: the embeddings endpoint answers 404. */
  embeddings?: boolean;
}

type Json = Record<string, unknown>;

/** The parts of a chat request that decide its answer and its price. */
export interface ChatParts {
  model: string;
  messages: Array<{ role: string; content: string }>;
  /** The contents of all messages, one below the other. */
  prompt: string;
  /** The JSON schema asked for, as text; '' if none. */
  schema: string;
  /** Infinity if the request sets no limit. */
  maxTokens: number;
}

/** The parts of an embeddings request that decide its answer and its price. */
export interface EmbeddingsParts {
  model: string;
  inputs: string[];
  dimensions: number | undefined;
  base64: boolean;
}

/** A 4xx that a provider answers before any work is done, so never billed. */
export class Refusal extends Error {
  readonly status: number;
  readonly body: string;
  constructor(status: number, message: string, param: string | null = null, code: string | null = null) {
    super(message);
    this.status = status;
    this.body = errorBody(message, param, code);
  }
}

/** An error in OpenAI's form. */
export function errorBody(message: string, param: string | null = null, code: string | null = null): string {
  return JSON.stringify({ error: { message, type: 'invalid_request_error', param, code } });
}

/** The key a client sent, '' if none. */
export function presentedKey(headers: IncomingHttpHeaders): string {
  return String(headers['api-key'] ?? headers.authorization?.replace(/^Bearer /, '') ?? '');
}

/** Refuses a wrong key and, as careless servers do, repeats it in the error. */
export function checkKey(headers: IncomingHttpHeaders, key: string | undefined): void {
  const presented = presentedKey(headers);
  if (key === undefined || presented === key) return;
  throw new Refusal(401, `Incorrect API key provided: ${presented}.`, null, 'invalid_api_key');
}

export function parseBody(raw: Buffer): Json {
  try {
    const body: unknown = JSON.parse(raw.toString('utf8'));
    if (isObject(body)) return body;
  } catch {
    // Refused below, like JSON that is not an object.
  }
  throw new Refusal(400, 'We could not parse the JSON body of your request.');
}

export function checkChat(body: Json, deployment: string | undefined, features: ModelFeatures): ChatParts {
  const model = checkCommon(body, deployment, features);
  const list: unknown[] = Array.isArray(body.messages) ? body.messages : [];
  const messages = list.map((message) => {
    const { role, content } = isObject(message) ? message : {};
    if (typeof role === 'string' && typeof content === 'string') return { role, content };
    throw new Refusal(400, "Invalid 'messages': each needs a role and a text as content.", 'messages');
  });
  if (messages.length === 0) throw new Refusal(400, "Invalid 'messages': empty array.", 'messages');
  const prompt = messages.map((message) => message.content).join('\n');
  const maxTokens = body.max_completion_tokens ?? body.max_tokens ?? Number.POSITIVE_INFINITY;
  if (typeof maxTokens !== 'number' || maxTokens < 1) throw new Refusal(400, 'Invalid token limit.', 'max_tokens');
  return { model, messages, prompt, schema: checkFormat(body.response_format, prompt, features), maxTokens };
}

export function checkEmbeddings(body: Json, deployment: string | undefined, features: ModelFeatures): EmbeddingsParts {
  if (features.embeddings === false) throw new Refusal(404, 'This server has no embeddings endpoint.');
  const model = checkCommon(body, deployment, features);
  const inputs: unknown[] = Array.isArray(body.input) ? body.input : [body.input];
  const isText = (input: unknown): input is string => typeof input === 'string' && input !== '';
  if (inputs.length === 0 || !inputs.every(isText)) {
    throw new Refusal(400, "'$.input' is invalid: expected one or more texts, none empty.", 'input');
  }
  const { dimensions } = body;
  if (dimensions !== undefined && !(typeof dimensions === 'number' && dimensions >= 1)) {
    throw new Refusal(400, "Invalid 'dimensions': expected an integer of at least 1.", 'dimensions');
  }
  return { model, inputs, dimensions, base64: body.encoding_format === 'base64' };
}

/** The model asked for; refuses parameters that are not supported. */
function checkCommon(body: Json, deployment: string | undefined, features: ModelFeatures): string {
  const refused = new Set(features.rejectParameters);
  if (features.requireMaxCompletionTokens) refused.add('max_tokens');
  if (features.onlyMaxTokens) refused.add('max_completion_tokens');
  // What the bill does not count must not pass silently.
  for (const name of ['stream', 'tools']) if (body[name]) refused.add(name);
  if ((body.n ?? 1) !== 1) refused.add('n');
  const found = [...refused].find((name) => body[name] !== undefined);
  if (found !== undefined) {
    const message = `Unsupported parameter: '${found}' is not supported with this model.`;
    throw new Refusal(400, message, found, 'unsupported_parameter');
  }
  const model = body.model ?? deployment;
  if (typeof model !== 'string') throw new Refusal(400, 'you must provide a model parameter', 'model');
  return model;
}

/** The schema that `response_format` carries, as text. */
function checkFormat(format: unknown, prompt: string, features: ModelFeatures): string {
  const { type, json_schema: spec } = isObject(format) ? format : { type: 'text', json_schema: undefined };
  if (type === 'text') return '';
  const supported = { json_schema: ['json_object', 'json_schema'], json_object: ['json_object'], none: [] };
  const names: string[] = supported[features.structuredOutputs ?? 'json_schema'];
  const refuse = (message: string) => new Refusal(400, message, 'response_format');
  if (!names.includes(String(type))) {
    throw refuse(`Invalid parameter: 'response_format' of type '${String(type)}' is not supported with this model.`);
  }
  if (type === 'json_object') {
    if (/json/i.test(prompt)) return '';
    throw refuse("'messages' must contain the word 'json' to use 'response_format' of type 'json_object'.");
  }
  if (!isObject(spec) || typeof spec.name !== 'string' || !isObject(spec.schema)) {
    throw refuse("Invalid 'response_format.json_schema': expected a name and a schema.");
  }
  if (spec.strict === true && !isClosed(spec.schema)) {
    throw refuse('Invalid schema: strict objects need additionalProperties: false and every property in required.');
  }
  return JSON.stringify(spec);
}

/** Whether strict mode takes the schema: no object in it is open or has optional properties. */
function isClosed(schema: unknown): boolean {
  if (!isObject(schema)) return true;
  const { additionalProperties, properties, required, items, anyOf, $defs } = schema;
  const isRequired = (name: string) => Array.isArray(required) && required.includes(name);
  const isOpen = additionalProperties !== false || !Object.keys(properties ?? {}).every(isRequired);
  if (schema.type === 'object' && isOpen) return false;
  const inner = [properties, anyOf, $defs].flatMap((group): unknown[] => Object.values(group ?? {}));
  return [items, ...inner].every(isClosed);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
