import { ModelError, type PreparedRequest } from '../run/ports.ts';
import { retryAfter } from '../safety/retry-after.ts';

type Feature = NonNullable<ModelError['feature']>;

/** How servers name what they do not support, in the order of looking. */
const FEATURES: readonly [RegExp, Feature][] = [
  [/max_completion_tokens/, 'max_completion_tokens'],
  [/max_tokens/, 'max_tokens'],
  [/temperature/, 'temperature'],
  [/top_p/, 'top_p'],
  [/\bseed\b/, 'seed'],
];

/** Statuses below 500 that say nothing about the request: the next attempt may go better, and work may have been done. */
const UNDECIDED = [408, 409, 425];
/** Statuses from 500 on that another attempt meets again. */
const NEVER = [501, 505];
/** Statuses of a server that has no such thing at all, and so has done nothing. */
const ABSENT = [405, 501];
/** Both together: how servers with a 400 say that a model makes no embeddings. */
const EMBEDDINGS = /embedding/i;
const NOT = /\bnot (support|work|implement|available|enabled)|unsupported|OperationNotSupported/i;

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
  const refused = status >= 400 && status < 500 && !UNDECIDED.includes(status);
  // Refused before any work was done, and said so in the API's own form.
  const unbilled = wellFormed && refused;
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
  const lacking = ABSENT.includes(status) || (refused && EMBEDDINGS.test(message) && NOT.test(`${code} ${message}`));
  if (prepared.request.kind === 'embedding' && lacking) {
    return new ModelError('unsupported', `${origin} has no embeddings with ${prepared.model} (${status})${said}.`, {
      unbilled: wellFormed,
      feature: 'embeddings',
    });
  }
  if (status === 402 || (status === 429 && code === 'insufficient_quota')) {
    return new ModelError('quota', `The account behind the key at ${origin} has no quota left${said}.`, { unbilled });
  }
  if (status === 429) {
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
  if (refused || NEVER.includes(status)) return badRequest(status, message, code, param, unbilled, origin, prepared);
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
    const error: unknown =
      'error' in whole
        ? whole.error
        : 'detail' in whole
          ? detailOf(whole.detail)
          : Reflect.get(whole, 'object') === 'error'
            ? whole
            : null;
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

/** Servers made with FastAPI say `{"detail":"…"}`, or `{"detail":[{"loc":[…],"msg":"…"}]}` of what they could not read. */
function detailOf(detail: unknown): unknown {
  if (!Array.isArray(detail)) return detail;
  return detail
    .flatMap((item: unknown) => {
      if (typeof item !== 'object' || item === null || !('msg' in item) || typeof item.msg !== 'string') return [];
      const where = 'loc' in item && Array.isArray(item.loc) ? `${item.loc.join('.')}: ` : '';
      return [where + item.msg];
    })
    .join('; ');
}
