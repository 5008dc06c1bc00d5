import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { admit, costOf, dearest, type Room, trustedUsage, worstCase } from '../../../src/budget/reservation.ts';
import type { Rates } from '../../../src/run/config.ts';

const price = fc.integer({ min: 0, max: 700_000_000 }).map((micro) => micro / 1e6);
const tier = fc.record({
  input_usd_per_million: price,
  cached_input_usd_per_million: price,
  output_usd_per_million: price,
});
const rates: fc.Arbitrary<Rates> = fc
  .tuple(tier, fc.array(fc.tuple(fc.integer({ min: 1, max: 500_000 }), tier), { maxLength: 3 }))
  .map(([base, tiers]) => ({
    ...base,
    tiers: tiers.sort(([a], [b]) => a - b).map(([from_input_tokens, one]) => ({ from_input_tokens, ...one })),
    source: 'user',
    as_of: '2025-01-01',
  }));
const tokens = fc.nat(1_000_000);

function flat(input: number, output: number, cached = input): Rates {
  return {
    input_usd_per_million: input,
    cached_input_usd_per_million: cached,
    output_usd_per_million: output,
    tiers: [],
    source: 'user',
    as_of: '2025-01-01',
  };
}

describe('the worst case of a request', () => {
  it('is at least its cost for any usage within the bounds, at any prices and tiers', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(rates, tokens, tokens, share, share, share, (list, maxInput, maxOutput, input, cached, output) => {
        const inputTokens = Math.floor(maxInput * input);
        const usage = {
          inputTokens,
          cachedTokens: Math.floor(inputTokens * cached),
          outputTokens: Math.floor(maxOutput * output),
        };
        assert.ok(worstCase(list, maxInput, maxOutput) >= costOf(list, usage));
      }),
      { numRuns: 1000 },
    );
  });

  it('takes the dearest tier even where the prompt is below it', () => {
    const list = { ...flat(1, 2), tiers: [{ from_input_tokens: 200_001, ...flat(4, 8) }] };
    assert.equal(worstCase(list, 10, 10), 10n * 4_000_000n + 10n * 8_000_000n);
  });
});

describe('the cost of an answer', () => {
  it('charges cached tokens at their own price and the rest at the full one', () => {
    const cost = costOf(flat(2.5, 10, 1.25), { inputTokens: 1000, cachedTokens: 400, outputTokens: 100 });
    assert.equal(cost, 600n * 2_500_000n + 400n * 1_250_000n + 100n * 10_000_000n);
  });

  it('goes by the tier that the prompt length reaches', () => {
    const list = { ...flat(1, 2), tiers: [{ from_input_tokens: 100, ...flat(4, 8) }] };
    assert.equal(costOf(list, { inputTokens: 99, cachedTokens: 0, outputTokens: 1 }), 99n * 1_000_000n + 2_000_000n);
    assert.equal(costOf(list, { inputTokens: 100, cachedTokens: 0, outputTokens: 1 }), 100n * 4_000_000n + 8_000_000n);
  });
});

describe('admission', () => {
  it('never reserves more than is free, and clamps only as far as it must', () => {
    const free = fc.bigInt({ min: -(10n ** 12n), max: 10n ** 13n });
    fc.assert(
      fc.property(
        rates,
        free,
        tokens,
        fc.integer({ min: 1, max: 4000 }),
        fc.integer({ min: 1, max: 100 }),
        (list, money, bound, wanted, min) => {
          const room = { free: money, tariff: dearest(list) };
          const admission = admit([room], bound, { wanted, min });
          if ('shortOf' in admission) {
            assert.ok(worstCase(list, bound, Math.min(wanted, min)) > money, 'refused although the floor fits');
            return;
          }
          const { maxOutputTokens } = admission;
          assert.ok(worstCase(list, bound, maxOutputTokens) <= money);
          assert.ok(maxOutputTokens <= wanted && maxOutputTokens >= Math.min(min, wanted));
          if (maxOutputTokens < wanted)
            assert.ok(worstCase(list, bound, maxOutputTokens + 1) > money, 'clamped too far');
        },
      ),
      { numRuns: 1000 },
    );
  });

  const output = { wanted: 2000, min: 64 };
  const money = (list: Rates, free: bigint): Room => ({ free, tariff: dearest(list) });

  it('clamps the completion down to the floor and refuses below it', () => {
    assert.deepEqual(admit([money(flat(1, 1), 164_000_000n)], 100, output), { maxOutputTokens: 64 });
    const short = money(flat(1, 1), 163_999_999n);
    assert.deepEqual(admit([short], 100, output), { shortOf: short });
  });

  it('lets everything through that costs nothing, but nothing once the cap is overdrawn', () => {
    assert.deepEqual(admit([money(flat(0, 0), 0n)], 5000, output), { maxOutputTokens: 2000 });
    assert.ok('shortOf' in admit([money(flat(0, 0), -1n)], 5000, output));
  });

  it('admits an embedding request, which has no completion', () => {
    assert.deepEqual(admit([money(flat(0.02, 0), 10n ** 12n)], 100, { wanted: 0, min: 0 }), { maxOutputTokens: 0 });
  });

  it('fits into all rooms at once, clamped by the smallest, and names the first that is too small', () => {
    const plenty = money(flat(1, 1), 10n ** 12n);
    const tokens = (free: bigint): Room => ({ free, tariff: { request: 0n, input: 1n, output: 1n } });
    const requests = (free: bigint): Room => ({ free, tariff: { request: 1n, input: 0n, output: 0n } });
    assert.deepEqual(admit([plenty, requests(1n), tokens(1100n)], 100, output), { maxOutputTokens: 1000 });
    const [none, few] = [requests(0n), tokens(163n)];
    assert.deepEqual(admit([plenty, requests(1n), few], 100, output), { shortOf: few });
    assert.deepEqual(admit([plenty, none, few], 100, output), { shortOf: none });
    assert.deepEqual(admit([], 100, output), { maxOutputTokens: 2000 });
  });
});

describe('reported usage', () => {
  const reservation = { inputTokens: 500, outputTokens: 2000 };
  const counted = { inputTokens: 90, cachedTokens: 0, outputTokens: 20 };

  it('costs the whole reservation where it is missing', () => {
    const { usage, note } = trustedUsage(null, counted, reservation);
    assert.deepEqual(usage, { inputTokens: 500, cachedTokens: 0, outputTokens: 2000 });
    assert.match(note ?? '', /no usable usage/);
  });

  it('counts at least what was counted here', () => {
    const low = trustedUsage({ inputTokens: 0, cachedTokens: 0, outputTokens: 1 }, counted, reservation);
    assert.deepEqual(low.usage, { inputTokens: 90, cachedTokens: 0, outputTokens: 20 });
    for (const half of [
      { inputTokens: 89, outputTokens: 20 },
      { inputTokens: 90, outputTokens: 19 },
    ]) {
      const { usage, note } = trustedUsage({ ...half, cachedTokens: 0 }, counted, reservation);
      assert.deepEqual([usage, note === low.note], [low.usage, false]);
      assert.match(note ?? '', /fewer than counted/);
    }
    assert.match(low.note ?? '', /fewer than counted/);
  });

  it('is believed where it is plausible', () => {
    const reported = { inputTokens: 100, cachedTokens: 50, outputTokens: 30 };
    assert.deepEqual(trustedUsage(reported, counted, reservation), { usage: reported, note: null });
    const embedding = { inputTokens: 100, cachedTokens: 0, outputTokens: 0 };
    assert.deepEqual(trustedUsage(embedding, null, reservation), { usage: embedding, note: null });
  });

  it('that claims an empty prompt is not believed where nothing could be counted', () => {
    const zero = trustedUsage({ inputTokens: 0, cachedTokens: 0, outputTokens: 0 }, null, reservation);
    assert.deepEqual(zero.usage, { inputTokens: 500, cachedTokens: 0, outputTokens: 2000 });
  });
});
