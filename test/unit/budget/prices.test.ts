import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { includedRates, type PriceQuestion, priceOf } from '../../../src/budget/prices.ts';

const OPENAI = 'https://api.openai.com/v1';
const GATEWAY = 'https://gateway.example.com/v1';

function ask(model: string, more: Partial<PriceQuestion> = {}) {
  const at = new Date('2025-11-01T12:00:00Z');
  return priceOf({ model, baseUrl: OPENAI, kind: 'chat', overrides: [], freeOrigins: [], at, ...more });
}

/** Model, server, and the list prices of input, cached input and output in US dollars per million tokens. */
const GOLDEN: [string, string, number, number, number][] = [
  ['gpt-4o', OPENAI, 2.5, 1.25, 10],
  ['gpt-4o-mini', OPENAI, 0.15, 0.075, 0.6],
  ['gpt-4.1', OPENAI, 2, 0.5, 8],
  ['gpt-4.1-mini-2025-04-14', OPENAI, 0.4, 0.1, 1.6],
  ['gpt-4.1-nano', OPENAI, 0.1, 0.025, 0.4],
  ['o1', OPENAI, 15, 7.5, 60],
  ['o3', OPENAI, 2, 0.5, 8],
  ['o4-mini', OPENAI, 1.1, 0.275, 4.4],
  ['gpt-3.5-turbo', OPENAI, 0.5, 0.5, 1.5],
  ['gpt-5', OPENAI, 1.25, 0.125, 10],
  ['gpt-5-mini', OPENAI, 0.25, 0.025, 2],
  ['ft:gpt-4o-mini-2024-07-18:org::id', OPENAI, 0.3, 0.3, 1.2],
  ['text-embedding-3-small', OPENAI, 0.02, 0.02, 0],
  ['text-embedding-3-large', OPENAI, 0.13, 0.13, 0],
  ['claude-sonnet-4-20250514', 'https://api.anthropic.com/v1', 3, 0.3, 15],
  ['mistral-large-latest', 'https://api.mistral.ai/v1', 2, 2, 6],
  ['llama-3.3-70b-versatile', 'https://api.groq.com/openai/v1', 0.59, 0.59, 0.79],
  ['openai/gpt-4o', 'https://openrouter.ai/api/v1', 2.5, 2.5, 10],
];

/** A price that is one: what is none fails the test. */
async function rates(...question: Parameters<typeof ask>) {
  const found = await ask(...question);
  assert.ok(typeof found !== 'string', JSON.stringify(found));
  return found;
}

describe('the price of a model', () => {
  for (const [model, baseUrl, input, cached, output] of GOLDEN) {
    it(`is the list price for ${model} at ${new URL(baseUrl).host}`, async () => {
      const found = await rates(model, { baseUrl });
      assert.deepEqual(
        [found.input_usd_per_million, found.cached_input_usd_per_million, found.output_usd_per_million, found.tiers],
        [input, cached, output, []],
      );
      assert.match(found.source ?? '', /^@pydantic\/genai-prices \d+\.\d+\.\d+ [\w-]+\/\S+$/);
      assert.equal(found.as_of, '2025-11-01');
    });
  }

  it('has its tiers, the first of them from one token on', async () => {
    const found = await rates('gemini-2.5-pro', { baseUrl: 'https://generativelanguage.googleapis.com/v1beta/openai' });
    assert.equal(found.input_usd_per_million, 1.25);
    assert.deepEqual(found.tiers, [
      {
        from_input_tokens: 200_000,
        input_usd_per_million: 2.5,
        cached_input_usd_per_million: 0.25,
        output_usd_per_million: 15,
      },
    ]);
  });

  it('is that of the dearest hour where the provider charges by the hour', async () => {
    for (const hour of ['00:00', '02:00', '05:00', '08:00', '12:00', '20:00']) {
      const at = new Date(`2025-08-01T${hour}:00Z`);
      const found = await rates('deepseek-chat', { baseUrl: 'https://api.deepseek.com/v1', at });
      assert.equal(found.input_usd_per_million, 0.27, hour);
      assert.equal(found.as_of, '2025-08-01');
    }
  });

  it('is found by the name alone behind a gateway', async () => {
    assert.equal((await rates('gpt-4o', { baseUrl: GATEWAY })).input_usd_per_million, 2.5);
  });

  it('is unknown where nobody knows it', async () => {
    for (const model of ['no-such-model', 'gpt-99', '', 'llama3.2:1b-mine'])
      assert.equal(await ask(model, { baseUrl: GATEWAY }), 'unknown', model);
  });

  it('is none where there are fees besides the tokens, or searches that cost', async () => {
    const perplexity = 'https://api.perplexity.ai';
    for (const model of ['sonar', 'sonar-pro', 'sonar-reasoning-pro', 'sonar-deep-research'])
      assert.equal(await ask(model, { baseUrl: perplexity }), 'has_fees', model);
    assert.equal(await ask('perplexity/sonar', { baseUrl: 'https://openrouter.ai/api/v1' }), 'has_fees');
    assert.equal(await ask('gpt-4o-search-preview'), 'has_fees');
    assert.equal((await rates('r1-1776', { baseUrl: perplexity })).input_usd_per_million, 2);
    const own = { model: 'sonar', input: 20, output: 20 };
    assert.equal((await rates('sonar', { baseUrl: perplexity, overrides: [own] })).input_usd_per_million, 20);
  });

  it('takes every prompt token for one that the server puts into its cache, where that costs more', async () => {
    const found = await rates('gpt-5.6-terra', { at: new Date('2026-11-01T12:00:00Z') });
    assert.deepEqual([found.input_usd_per_million, found.cached_input_usd_per_million], [2.5, 0.2]);
    assert.equal(found.tiers[0]?.input_usd_per_million, 5);
  });
});

describe('a price that the user sets', () => {
  it('comes before the list price', async () => {
    const found = await rates('gpt-4o', { overrides: [{ model: 'gpt-4o', input: 1, output: 3, cachedInput: 0.5 }] });
    assert.deepEqual(
      [found.input_usd_per_million, found.cached_input_usd_per_million, found.output_usd_per_million, found.source],
      [1, 0.5, 3, 'user'],
    );
  });

  it('has no discount for cached tokens unless it says so', async () => {
    assert.equal(
      (await rates('mine', { overrides: [{ model: 'mine', input: 7, output: 9 }] })).cached_input_usd_per_million,
      7,
    );
  });

  it('is for its own model; `*` serves only what nothing else knows', async () => {
    const overrides = [{ model: '*', input: 7, output: 9 }];
    assert.equal((await rates('gpt-4o', { overrides })).input_usd_per_million, 2.5);
    assert.equal((await rates('no-such-model', { overrides })).input_usd_per_million, 7);
    assert.equal(await ask('no-such-model', { overrides: [{ model: 'other', input: 7, output: 9 }] }), 'unknown');
  });

  it('of an embedding model has no completion price', async () => {
    const found = await rates('mine', { kind: 'embedding', overrides: [{ model: 'mine', input: 7, output: 9 }] });
    assert.equal(found.output_usd_per_million, 0);
  });
});

const NOTHING = {
  input_usd_per_million: 0,
  cached_input_usd_per_million: 0,
  output_usd_per_million: 0,
  tiers: [],
};

describe('a model that somebody else accounts for', () => {
  it('costs nothing here', () => {
    const included = includedRates(new Date('2025-11-01T23:59:59Z'));
    assert.deepEqual(included, { ...NOTHING, source: 'included', as_of: '2025-11-01' });
  });
});

describe('a server declared free', () => {
  it('costs nothing, whatever its model', async () => {
    const free = await rates('no-such-model', {
      baseUrl: 'http://localhost:11434/v1',
      freeOrigins: ['http://localhost:11434'],
    });
    assert.deepEqual(free, { ...NOTHING, source: 'declared_free', as_of: '2025-11-01' });
  });

  it('is that origin alone', async () => {
    assert.equal(
      await ask('no-such-model', { baseUrl: 'http://localhost:11435/v1', freeOrigins: ['http://localhost:11434'] }),
      'unknown',
    );
  });

  it('still costs what the user says a model costs', async () => {
    const found = await rates('gpt-4o', {
      overrides: [{ model: 'gpt-4o', input: 1, output: 1 }],
      freeOrigins: ['https://api.openai.com'],
    });
    assert.equal(found.source, 'user');
  });
});
