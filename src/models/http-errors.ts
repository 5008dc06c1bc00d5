import { ModelError, type PreparedRequest } from '../run/ports.ts';

type Feature = NonNullable<ModelError['feature']>;

/** How servers name what they do not support, in the order of looking. */
const FEATURES: readonly [RegExp, Feature][] = [
  [/max_completion_tokens/, 'max_completion_tokens'],
  [/max_tokens/, 'max_tokens'],
  [/temperature/, 'temperature'],
  [/top_p/, 'top_p'],
  [/\bseed\b/, 'seed'],
];

/** What an answer with an error status means, and whether it was certainly not billed. */
export function errorOfStatus(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
  origin: string,
  prepared: PreparedRequest,
): ModelError {
  const { message, code, param, wellFormed } = errorBody(body);
  const said = message === '' ? '' : `: ${message}`;
  // Refused before any work was done, and said so in the API's own form.
  const unbilled = wellFormed && [400, 401, 403, 404, 413, 422, 429].includes(status);
  const retryAfterMs = retryAfter(headers);
  if (status === 401 || status === 403) {
    return new ModelError(
      'bad_key',
      `${origin} refused the API key (${status})${said}. Set another key, then resume.`,
      { unbilled },
    );
  }
  if (status === 404 || code === 'model_not_found') {
    const what = prepared.request.kind === 'chat' ? 'chat' : 'embedding';
    const options = prepared.request.kind === 'embedding' ? { unbilled, feature: 'embeddings' as const } : { unbilled };
    return new ModelError(
      'model_not_found',
      `${origin} does not know the ${what} model ${prepared.model} or its path (${status})${said}.`,
      options,
    );
  }
  if (status === 429) {
    if (code === 'insufficient_quota') {
      return new ModelError('quota', `The account behind the key at ${origin} has no quota left${said}.`, { unbilled });
    }
    return new ModelError('rate_limited', `${origin} limits the request rate (429)${said}.`, {
      unbilled,
      retryAfterMs,
    });
  }
  if (
    status === 413 ||
    code === 'context_length_exceeded' ||
    /context (length|window)|maximum context|too many tokens/i.test(message)
  ) {
    return new ModelError('context_too_long', `The request is too long for ${prepared.model}${said}.`, { unbilled });
  }
  if (status === 400 || status === 422) return badRequest(status, message, code, param, unbilled, origin, prepared);
  return new ModelError('server_error', `${origin} failed with status ${status}${said}.`, { unbilled, retryAfterMs });
}

function badRequest(
  status: number,
  message: string,
  code: string,
  param: string,
  unbilled: boolean,
  origin: string,
  prepared: PreparedRequest,
): ModelError {
  const about = `${param} ${message}`;
  if (code === 'content_filter' || /content (management )?policy/i.test(message)) {
    return new ModelError('content_refused', `${origin} refused the content of the request: ${message}`, { unbilled });
  }
  const sent = Buffer.from(prepared.body).toString('utf8');
  const schema = /response_format|json_schema|json_object|structured output/i.test(about);
  const feature = schema
    ? sent.includes('"json_schema"')
      ? 'json_schema'
      : 'json_object'
    : FEATURES.find(([pattern, name]) => pattern.test(param || message) && sent.includes(`"${name}"`))?.[1];
  if (feature !== undefined && (!schema || sent.includes('"response_format"'))) {
    return new ModelError('unsupported', `${origin} does not support ${feature}: ${message}`, { unbilled, feature });
  }
  return new ModelError('bad_request', `${origin} did not accept the request (${status}): ${message}`, { unbilled });
}

const SAID_LENGTH = 300;

function errorBody(body: string): { message: string; code: string; param: string; wellFormed: boolean } {
  try {
    const value: unknown = JSON.parse(body);
    const whole: object = typeof value === 'object' && value !== null ? value : {};
    // vLLM says `{"object":"error","message":…}`, all others `{"error":{"message":…}}`.
    const error: unknown = 'error' in whole ? whole.error : Reflect.get(whole, 'object') === 'error' ? whole : null;
    if (typeof error === 'string')
      return { message: error.slice(0, SAID_LENGTH), code: '', param: '', wellFormed: true };
    if (typeof error !== 'object' || error === null) throw new SyntaxError('not an error body');
    const field = (name: string) => {
      const found: unknown = Reflect.get(error, name);
      return typeof found === 'string' ? found.slice(0, SAID_LENGTH) : '';
    };
    return { message: field('message'), code: field('code') || field('type'), param: field('param'), wellFormed: true };
  } catch {
    return { message: '', code: '', param: '', wellFormed: false };
  }
}

/** Retry-After in milliseconds: OpenAI's `retry-after-ms`, else seconds or a date (RFC 9110, 10.2.3). */
function retryAfter(headers: Readonly<Record<string, string>>): number | null {
  const exact = Number(headers['retry-after-ms'] ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) return exact;
  const value = headers['retry-after'];
  if (value === undefined) return null;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}
