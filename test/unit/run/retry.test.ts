import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ModelError, type ModelErrorReason } from '../../../src/run/ports.ts';
import { classicRetry, firstRequestRetry, guardedRetry, isTransient, MAX_ATTEMPTS } from '../../../src/run/retry.ts';

const TRANSIENT: ModelErrorReason[] = [
  'rate_limited',
  'unreachable',
  'timeout',
  'interrupted',
  'server_error',
  'bad_reply',
];
const PERMANENT: ModelErrorReason[] = [
  'no_key',
  'bad_key',
  'quota',
  'model_not_found',
  'context_too_long',
  'content_refused',
  'unsupported',
  'bad_request',
  'origin_refused',
  'not_an_api',
  'aborted',
];

const error = (reason: ModelErrorReason, retryAfterMs: number | null = null) =>
  new ModelError(reason, reason, { unbilled: true, retryAfterMs });
const half = () => 0.5;

describe('the guarded retry', () => {
  it('tries again where that may help, and nowhere else', () => {
    for (const reason of TRANSIENT) assert.equal(isTransient(error(reason)), true, reason);
    for (const reason of PERMANENT) {
      assert.equal(guardedRetry(error(reason), 1, half, 'execution'), null, reason);
      assert.equal(guardedRetry(error(reason, 1000), 1, half, 'execution'), null, reason);
    }
  });

  it('waits twice as long each time, between nothing and the whole', () => {
    const delays = [1, 2, 3, 4, 5].map((attempt) => guardedRetry(error('server_error'), attempt, half, 'execution'));
    assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000]);
    assert.equal(
      guardedRetry(error('server_error'), 3, () => 0, 'execution'),
      0,
    );
    assert.ok((guardedRetry(error('server_error'), 3, () => 0.999, 'execution') ?? 0) < 4000);
  });

  it('gives up after some attempts', () => {
    assert.notEqual(guardedRetry(error('timeout'), MAX_ATTEMPTS - 1, half, 'execution'), null);
    assert.equal(guardedRetry(error('timeout'), MAX_ATTEMPTS, half, 'execution'), null);
  });

  it('waits as long as the server says, hours included, and not for ever', () => {
    assert.equal(guardedRetry(error('rate_limited', 7_200_000), 1, half, 'execution'), 7_200_000);
    assert.equal(guardedRetry(error('rate_limited', 1000), MAX_ATTEMPTS + 1, half, 'execution'), 1000);
    assert.equal(guardedRetry(error('rate_limited', 1000), MAX_ATTEMPTS * 4, half, 'execution'), null);
  });

  it('does not storm a server that says zero seconds', () => {
    assert.equal(guardedRetry(error('rate_limited', 0), 2, half, 'execution'), 1000);
    assert.equal(guardedRetry(error('rate_limited', 0), MAX_ATTEMPTS, half, 'execution'), null);
  });
});

describe('the retry of the first request', () => {
  it('gives up soon, as a person is watching', () => {
    assert.notEqual(firstRequestRetry(error('unreachable'), 2, half, 'execution'), null);
    assert.equal(firstRequestRetry(error('unreachable'), 3, half, 'execution'), null);
  });
});

describe('the retry of the original', () => {
  it('waits ten seconds for ever, also where that cannot help', () => {
    for (const reason of [...TRANSIENT, 'bad_request', 'context_too_long', 'content_refused', 'quota'] as const) {
      assert.equal(classicRetry(error(reason, 60_000), 1000, half, 'execution'), 10_000, reason);
    }
  });

  it('ends at a refused key, and at any failed embedding', () => {
    assert.equal(classicRetry(error('bad_key'), 1, half, 'execution'), null);
    assert.equal(classicRetry(error('no_key'), 1, half, 'execution'), null);
    assert.equal(classicRetry(error('rate_limited'), 1, half, 'embedding'), null);
  });
});
