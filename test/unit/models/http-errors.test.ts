import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorOfStatus } from '../../../src/models/http-errors.ts';
import type { ModelErrorReason, PreparedRequest } from '../../../src/run/ports.ts';

const ORIGIN = 'https://api.example.com';

function prepared(kind: 'chat' | 'embedding', body: object = {}): PreparedRequest {
  const request =
    kind === 'chat'
      ? { kind, messages: [], maxOutputTokens: 10, schema: null, temperature: 0, topP: 1, seed: 42 }
      : { kind, texts: ['a'] };
  return { request, model: 'the-model', origin: ORIGIN, body: Buffer.from(JSON.stringify(body)) };
}

function classified(
  status: number,
  error: object | string | null,
  headers: Record<string, string> = {},
  request = prepared('chat'),
) {
  const body = error === null ? '' : typeof error === 'string' ? error : JSON.stringify({ error });
  return errorOfStatus(status, headers, body, ORIGIN, request);
}

describe('an answer with an error status', () => {
  const table: [string, number, object | string | null, ModelErrorReason, boolean][] = [
    ['a wrong key', 401, { message: 'Incorrect API key provided', code: 'invalid_api_key' }, 'bad_key', true],
    ['a key without rights', 403, { message: 'Not allowed' }, 'bad_key', true],
    ['a refusal by something else', 403, '<html>Forbidden</html>', 'bad_key', false],
    [
      'an unknown model',
      404,
      { message: 'The model does not exist', code: 'model_not_found' },
      'model_not_found',
      true,
    ],
    ['an unknown model as 400', 400, { message: 'unknown', code: 'model_not_found' }, 'model_not_found', true],
    ['an unknown path', 404, 'Not Found', 'model_not_found', false],
    ['a rate limit', 429, { message: 'Rate limit reached', code: 'rate_limit_exceeded' }, 'rate_limited', true],
    ['a rate limit of a proxy', 429, 'slow down', 'rate_limited', false],
    [
      'an empty account',
      429,
      { message: 'You exceeded your current quota', code: 'insufficient_quota' },
      'quota',
      true,
    ],
    ['an empty account by type', 429, { message: 'No quota', type: 'insufficient_quota', code: null }, 'quota', true],
    [
      'a prompt too long',
      400,
      { message: 'This model’s maximum context length is 128000 tokens.' },
      'context_too_long',
      true,
    ],
    ['a prompt too long by code', 400, { message: 'x', code: 'context_length_exceeded' }, 'context_too_long', true],
    ['a body too large', 413, { message: 'Too large' }, 'context_too_long', true],
    [
      'a content filter',
      400,
      { message: 'The response was filtered', code: 'content_filter' },
      'content_refused',
      true,
    ],
    ['a bad request', 400, { message: 'messages: wrong' }, 'bad_request', true],
    [
      'a bad request in the words of vLLM',
      400,
      '{"object":"error","message":"messages: wrong","type":"BadRequestError","param":null,"code":400}',
      'bad_request',
      true,
    ],
    ['a bad request as a text', 400, '{"error":"messages: wrong"}', 'bad_request', true],
    ['a validation error', 422, { message: 'wrong' }, 'bad_request', true],
    [
      'a bad request in the words of FastAPI',
      422,
      '{"detail":[{"loc":["body","n"],"msg":"wrong"}]}',
      'bad_request',
      true,
    ],
    ['a key in the words of FastAPI', 401, '{"detail":"Could not validate"}', 'bad_key', true],
    ['an account without money', 402, { message: 'Insufficient Balance' }, 'quota', true],
    ['an account without money, by a proxy', 402, 'pay first', 'quota', false],
    ['a method that is not there', 405, { message: 'Method Not Allowed' }, 'bad_request', true],
    ['a model that is gone', 410, { message: 'Gone' }, 'bad_request', true],
    ['a body of another kind', 415, { message: 'Unsupported Media Type' }, 'bad_request', true],
    ['a refusal by law', 451, '<html>Unavailable</html>', 'bad_request', false],
    ['a request that came too early', 425, { message: 'Too early' }, 'server_error', false],
    ['a server that cannot do this', 501, { message: 'Not implemented' }, 'bad_request', false],
    ['a server of another HTTP', 505, null, 'bad_request', false],
    ['a bad request that nobody explains', 400, null, 'bad_request', false],
    ['a request timeout of the server', 408, { message: 'Timed out' }, 'server_error', false],
    ['a conflict', 409, { message: 'Conflict' }, 'server_error', false],
    ['a broken server', 500, { message: 'Internal' }, 'server_error', false],
    ['a broken gateway', 502, '<html>Bad gateway</html>', 'server_error', false],
    ['an overloaded server', 503, { message: 'Overloaded' }, 'server_error', false],
    ['an overloaded server of another kind', 529, { message: 'Overloaded' }, 'server_error', false],
  ];
  for (const [what, status, error, reason, unbilled] of table) {
    it(`${status}: ${what} is ${reason}${unbilled ? ', and not billed' : ''}`, () => {
      const found = classified(status, error);
      assert.equal(found.reason, reason);
      assert.equal(found.unbilled, unbilled);
      assert.equal(found.feature, null);
      assert.ok(found.message.includes(ORIGIN) || found.message.includes('the-model'), found.message);
      assert.ok(found.message.length < 600);
    });
  }

  it('quotes what FastAPI says, with its place', () => {
    const body = '{"detail":[{"loc":["body","messages",0],"msg":"Field required"},{"msg":"and more"},null,"x"]}';
    assert.match(classified(422, body).message, /: body\.messages\.0: Field required; and more$/);
    assert.match(classified(503, '{"detail":"Model is loading"}').message, /: Model is loading\.$/);
    assert.equal(classified(400, '{"detail":null}').unbilled, false);
  });

  it('quotes what the server said, and not more than a few lines of it', () => {
    assert.match(classified(500, { message: 'the disk is full' }).message, /: the disk is full\.$/);
    assert.ok(classified(500, { message: 'x'.repeat(50_000) }).message.length < 500);
  });

  it('of an embedding request may say that there are no embeddings', () => {
    const of = (status: number, error: object) => {
      const { feature, unbilled } = classified(status, error, {}, prepared('embedding'));
      return [feature, unbilled];
    };
    for (const [status, error] of [
      [404, { message: 'nothing here' }],
      [405, { message: 'Method Not Allowed' }],
      [501, { message: 'This server does not support embeddings.', type: 'not_supported_error' }],
      [
        400,
        { message: 'The embeddings operation does not work with the specified model.', code: 'OperationNotSupported' },
      ],
      [400, { message: 'The model does not support Embeddings API' }],
    ] as const)
      assert.deepEqual(of(status, error), ['embeddings', true], error.message);
    assert.deepEqual(of(500, { message: 'broken' }), [null, false]);
    assert.deepEqual(of(400, { message: 'The embeddings input is too long' }), [null, true]);
    assert.equal(classified(501, { message: 'This server does not support embeddings.' }).feature, null);
    assert.equal(classified(501, '<html>', {}, prepared('embedding')).unbilled, false);
  });
});

describe('what a server does not support', () => {
  const sent = {
    max_tokens: 10,
    temperature: 0,
    top_p: 1,
    seed: 42,
    response_format: { type: 'json_schema', json_schema: {} },
  };
  const refused = (message: string, param: string | null = null, body: object = sent) =>
    classified(400, { message, param, code: 'unsupported_parameter' }, {}, prepared('chat', body));

  it('is told by the parameter it names', () => {
    for (const name of ['temperature', 'top_p', 'seed', 'max_tokens']) {
      const found = refused(`Unsupported parameter: '${name}'`, name);
      assert.deepEqual([found.reason, found.feature, found.unbilled], ['unsupported', name, true]);
    }
  });

  it('is told by the words where no parameter is named', () => {
    assert.equal(refused('`temperature` is deprecated for this model.').feature, 'temperature');
    assert.equal(
      refused("'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.").feature,
      'max_tokens',
    );
    const newer = { ...sent, max_tokens: undefined, max_completion_tokens: 10 };
    assert.equal(
      refused('Unknown field max_completion_tokens, use max_tokens', null, newer).feature,
      'max_completion_tokens',
    );
  });

  it('goes down from JSON schema to JSON object to text', () => {
    assert.equal(
      refused("'response_format' of type 'json_schema' is not supported", 'response_format').feature,
      'json_schema',
    );
    const object = { response_format: { type: 'json_object' } };
    assert.equal(refused("'response_format' is not supported", 'response_format', object).feature, 'json_object');
    assert.equal(refused("'response_format' is not supported", 'response_format', {}).reason, 'bad_request');
  });

  it('is no reason to leave out what was not sent', () => {
    assert.deepEqual(
      [refused('bad seed', 'seed', {}).reason, refused('bad seed', 'seed', {}).feature],
      ['bad_request', null],
    );
  });
});

describe('Retry-After', () => {
  const after = (headers: Record<string, string>, status = 429) =>
    classified(status, { message: 'wait' }, headers).retryAfterMs;

  it('is read in seconds, in milliseconds and as a date', () => {
    assert.equal(after({ 'retry-after': '30' }), 30_000);
    assert.equal(after({ 'retry-after': '7200' }), 7_200_000);
    assert.equal(after({ 'retry-after': '0.5' }), 500);
    assert.equal(after({ 'retry-after-ms': '1500', 'retry-after': '2' }), 1500);
    assert.equal(after({ 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }), 0);
    const ahead = after({ 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() }) ?? 0;
    assert.ok(ahead > 3_000_000 && ahead <= 3_600_000);
    assert.equal(after({ 'retry-after': '5' }, 503), 5000);
  });

  it('is counted from the clock of the server where it says its time', () => {
    const date = 'Wed, 21 Oct 2015 07:28:00 GMT';
    assert.equal(after({ date, 'retry-after': 'Wed, 21 Oct 2015 07:28:20 GMT' }), 20_000);
    assert.equal(after({ date: 'no date', 'retry-after': 'Wed, 21 Oct 2015 07:28:20 GMT' }), 0);
  });

  it('is not there where it is nonsense', () => {
    for (const headers of [{}, { 'retry-after': 'soon' }, { 'retry-after-ms': '-5' }])
      assert.equal(after(headers), null);
    assert.equal(after({ 'retry-after': '-5' }), 0);
  });
});
