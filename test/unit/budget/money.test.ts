import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  formatUsd,
  MAX_USD_PER_MILLION,
  MAX_USD,
  picoFromUsd,
  picoPerToken,
  usdFromPico,
} from '../../../src/budget/money.ts';

const LIMIT = BigInt(MAX_USD) * 10n ** 12n;
const amounts = fc.bigInt({ min: -LIMIT, max: LIMIT });

describe('amounts of money', () => {
  it('come back exactly from a JSON number, for every amount up to the limit', () => {
    fc.assert(
      fc.property(amounts, (amount) => {
        const json = JSON.stringify(usdFromPico(amount));
        assert.equal(picoFromUsd(JSON.parse(json) as number), amount);
      }),
      { numRuns: 2000 },
    );
  });

  it('come back exactly at the limit itself and one pico-dollar below', () => {
    for (const amount of [LIMIT, LIMIT - 1n, -LIMIT, 1n, -1n, 0n])
      assert.equal(picoFromUsd(usdFromPico(amount)), amount);
  });

  it('have the same sum in any order', () => {
    const usd = fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { maxLength: 30 });
    fc.assert(
      fc.property(usd, fc.infiniteStream(fc.nat()), (list, keys) => {
        const sum = (values: readonly number[]) => values.reduce((total, value) => total + picoFromUsd(value), 0n);
        const shuffled = list
          .map((value) => ({ value, key: keys.next().value as number }))
          .sort((a, b) => a.key - b.key);
        assert.equal(sum(shuffled.map(({ value }) => value)), sum(list));
      }),
      { numRuns: 200 },
    );
  });

  it('are read from decimal strings as from numbers', () => {
    assert.equal(picoFromUsd('0.000000000001'), 1n);
    assert.equal(picoFromUsd('12.5'), 12_500_000_000_000n);
    assert.equal(picoFromUsd(0.1) + picoFromUsd(0.2), picoFromUsd(0.3));
  });

  it('are refused where they are no amount', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 4000.01, -4001, 'ten', '1e999']) {
      assert.throws(() => picoFromUsd(bad), RangeError, String(bad));
    }
  });

  it('are shown with two decimals, and more while they matter', () => {
    const shown: [bigint, string][] = [
      [0n, '$0.00'],
      [1_200_000_000_000n, '$1.20'],
      [10_000_000_000_000n, '$10.00'],
      [12_345_678_900_000n, '$12.35'],
      [2_100_000_000n, '$0.0021'],
      [150_000_000_000n, '$0.15'],
      [10_000_000_000n, '$0.010'],
      [1n, '$0.000000000001'],
      [-2_100_000_000n, '-$0.0021'],
    ];
    for (const [amount, text] of shown) assert.equal(formatUsd(amount), text);
  });

  it('are rounded to the nearest, up where somebody must provide them, or down where they are left', () => {
    const shown: [string, string, string, string][] = [
      ['0.0199', '$0.020', '$0.020', '$0.019'],
      ['0.0191', '$0.019', '$0.020', '$0.019'],
      ['0.00995', '$0.0100', '$0.0100', '$0.0099'],
      ['1.005', '$1.01', '$1.01', '$1.00'],
      ['1.2301', '$1.23', '$1.24', '$1.23'],
      ['1.200000000001', '$1.20', '$1.21', '$1.20'],
      ['0.999', '$1.00', '$1.00', '$0.99'],
      ['2', '$2.00', '$2.00', '$2.00'],
      ['-0.0199', '-$0.020', '-$0.020', '-$0.019'],
    ];
    for (const [usd, nearest, up, down] of shown) {
      assert.equal(formatUsd(picoFromUsd(usd)), nearest);
      assert.equal(formatUsd(picoFromUsd(usd), 'up'), up);
      assert.equal(formatUsd(picoFromUsd(usd), 'down'), down);
    }
  });

  it('are never shown as nothing when they are something', () => {
    fc.assert(
      fc.property(
        amounts.filter((amount) => amount !== 0n),
        (amount) => /[1-9]/.test(formatUsd(amount)),
      ),
    );
  });
});

describe('a price per million tokens', () => {
  it('is a whole number of pico-dollars a token', () => {
    assert.equal(picoPerToken(2.5), 2_500_000n);
    assert.equal(picoPerToken(0.02), 20_000n);
    assert.equal(picoPerToken(0), 0n);
    assert.equal(picoPerToken(MAX_USD_PER_MILLION), 10n ** 12n);
  });

  it('is refused where it is none', () => {
    for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY, MAX_USD_PER_MILLION + 1])
      assert.throws(() => picoPerToken(bad), RangeError);
  });
});
