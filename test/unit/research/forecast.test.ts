import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EngineError } from '../../../src/engine/engine-error.ts';
import { forecastRun } from '../../../src/engine/start.ts';
import { type Forecast, forecastSentence, TYPICAL_ANSWER_TOKENS } from '../../../src/research/forecast.ts';
import type { RawSettings } from '../../../src/run/settings.ts';
import { brain } from '../../support/brain.ts';
import { oneRun } from '../../support/one-run.ts';
import { testHost, testSettings } from '../../support/run-host.ts';

const START = { provider: 'openai' as const, prices: { overrides: [], freeOrigins: [] }, promptOverrides: new Map() };
const NEVER = new AbortController().signal;
/** As many subjects as the rehearsal has iterations. */
const WORKSPACE = {
  list: () =>
    Promise.resolve(Array.from({ length: 12 }, (_, index) => ({ path: `garden/part${index}.md`, size: 400 }))),
  read: (path: string) =>
    Promise.resolve(`# ${path}\n\nHow to plan a small garden, and what ${path} needs.\n`.repeat(5)),
};
const BASE = 'https://api.openai.com/v1';

function forecastOf(raw: RawSettings = {}, start: Partial<typeof START> = {}): Promise<Forecast> {
  const host = testHost('http://127.0.0.1:9', { workspace: WORKSPACE });
  return forecastRun(testSettings(BASE, raw), { ...START, ...start }, host, NEVER);
}

describe('the forecast of a run', () => {
  it('comes near to what a run costs whose model gives results of the usual length', async (t) => {
    const settings = { max_iterations: 20 };
    // The server takes four bytes for a token.
    const result = (task: string) =>
      `About ${task}: ${'what was found '.repeat(100)}`.slice(0, 4 * TYPICAL_ANSWER_TOKENS);
    const { outcome, server, state } = await oneRun(t, { server: { reply: brain({ result }) }, settings });
    assert.equal(outcome.stopReason, 'max_iterations');
    const { expectedUsd, worstUsd, requests, tokens } = await forecastOf(settings);
    assert.ok(Math.abs(requests - server.requests.length) <= 4, `${requests} foreseen, ${server.requests.length} sent`);
    const used = [...state.calls.values()].reduce((sum, call) => sum + call.inputTokens + call.outputTokens, 0);
    assert.ok(tokens > 0.6 * used && tokens < 1.6 * used, `${tokens} tokens foreseen, ${used} used`);
    assert.ok(
      expectedUsd > 0.6 * outcome.costUsd && expectedUsd < 1.6 * outcome.costUsd,
      `${expectedUsd} foreseen, ${outcome.costUsd} spent`,
    );
    assert.ok(worstUsd > outcome.costUsd);
  });

  it('is the same each time, grows with the iterations, and is never above the limit', async () => {
    const ten = await forecastOf({ max_iterations: 10 });
    assert.deepEqual(await forecastOf({ max_iterations: 10 }), ten);
    const hundred = await forecastOf({ max_iterations: 100 });
    assert.equal(hundred.perIterationUsd, ten.perIterationUsd);
    assert.equal(Math.round((hundred.expectedUsd - ten.expectedUsd) * 1e9), Math.round(90 * ten.perIterationUsd * 1e9));
    assert.ok(ten.expectedUsd < ten.worstUsd && ten.worstUsd <= 1);
    const { basis } = ten;
    assert.deepEqual([basis.rehearsedIterations, basis.answerTokens, basis.model], [5, 350, 'gpt-4o']);
    assert.match(basis.priceSource, / openai\/gpt-4o$/);
    assert.deepEqual([ten.iterations, ten.endsAfter], [10, null]);
  });

  it('reckons with results of one length, whatever the rehearsal finds', async () => {
    const wordy = {
      ...WORKSPACE,
      read: (path: string) =>
        Promise.resolve(`# ${path}\n\n${`How to plan a small garden well, by ${path}. `.repeat(200)}`),
    };
    const [one, other] = await Promise.all(
      [WORKSPACE, wordy].map((workspace) =>
        forecastRun(testSettings(BASE), START, testHost('http://127.0.0.1:9', { workspace }), NEVER),
      ),
    );
    const results = TYPICAL_ANSWER_TOKENS * 1e-5;
    assert.ok(one && other && Math.abs(one.perIterationUsd - other.perIterationUsd) < 0.1 * results);
    assert.ok(one.perIterationUsd > results + (TYPICAL_ANSWER_TOKENS / 2) * 2.5e-6, 'they are read, too');
  });

  it('says after how many iterations a small cost limit ends the run', async () => {
    const { perIterationUsd } = await forecastOf();
    const tight = await forecastOf({ max_iterations: 1000, max_cost_usd: 20 * perIterationUsd });
    assert.equal(tight.expectedUsd, Number((20 * perIterationUsd).toFixed(12)));
    assert.equal(tight.worstUsd, tight.expectedUsd);
    // A fifth of the limit, at the most, is kept for the closing answer.
    assert.ok(tight.endsAfter !== null && tight.endsAfter >= 14 && tight.endsAfter <= 20, String(tight.endsAfter));
    assert.match(
      forecastSentence(tight),
      /^Forecast: about \$\S+ for 1000 iterations \(\$\S+ each\), up to \$\S+ if no request has to be repeated\. The cost limit probably ends it after 1\d iterations\.$/,
    );
  });

  it('says which of the limits of requests and of tokens ends the run first', async () => {
    const { requests, tokens, iterations } = await forecastOf({ max_iterations: 40 });
    const few = await forecastOf({ max_iterations: 40, max_requests: Math.round(requests / 2), max_tokens: tokens });
    assert.equal(few.endsBy, 'max_requests');
    assert.ok(few.endsAfter !== null && Math.abs(few.endsAfter - iterations / 2) <= 2, String(few.endsAfter));
    assert.match(forecastSentence(few), / The request limit probably ends it after \d+ iterations\.$/);
    const short = await forecastOf({ max_iterations: 40, max_requests: requests, max_tokens: Math.round(tokens / 4) });
    assert.equal(short.endsBy, 'max_tokens');
    assert.ok(short.endsAfter !== null && short.endsAfter < 11, String(short.endsAfter));
    const enough = await forecastOf({ max_iterations: 40, max_requests: 2 * requests, max_tokens: 2 * tokens });
    assert.deepEqual([enough.endsAfter, enough.endsBy], [null, null]);
  });

  it('knows one iteration, both strategies, no embeddings and servers that cost nothing', async () => {
    const one = await forecastOf({ max_iterations: 1 });
    assert.equal(one.basis.rehearsedIterations, 1);
    assert.ok(one.expectedUsd >= one.perIterationUsd);
    const [guarded, classic] = await Promise.all([
      forecastOf({ strategy: 'guarded' }),
      forecastOf({ strategy: 'classic' }),
    ]);
    assert.notEqual(guarded.perIterationUsd, classic.perIterationUsd);
    assert.ok(guarded.perIterationUsd > TYPICAL_ANSWER_TOKENS * 1e-5, 'the result alone');
    const plain = await forecastOf({ embeddingModel: null });
    assert.ok(plain.perIterationUsd < guarded.perIterationUsd);
    const free = await forecastOf(
      { model: 'my-own' },
      { prices: { overrides: [], freeOrigins: ['https://api.openai.com'] as never[] } },
    );
    assert.deepEqual([free.expectedUsd, free.worstUsd, free.endsAfter], [0, 0, null]);
  });

  it('refuses a model without a price as a start does, and stops when it is told to', async () => {
    await assert.rejects(
      forecastOf({ model: 'nobody-knows' }),
      (error) =>
        error instanceof EngineError &&
        error.reason === 'configuration' &&
        /price of the model nobody-knows/.test(error.message),
    );
    const stop = new AbortController();
    const host = testHost('http://127.0.0.1:9', {
      workspace: { list: () => Promise.resolve([]).finally(() => stop.abort()), read: () => Promise.resolve(null) },
    });
    await assert.rejects(forecastRun(testSettings(BASE), START, host, stop.signal), { name: 'AbortError' });
    await assert.rejects(forecastRun(testSettings(BASE), START, testHost('http://127.0.0.1:9'), AbortSignal.abort()), {
      name: 'AbortError',
    });
  });
});
