import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  bootstrapInterval,
  cliffsDelta,
  describe as described,
  holm,
  quantile,
  signFlip,
  sizeOf,
} from '../../../src/research/statistics.ts';

const near = (actual: number | null | undefined, expected: number, by = 1e-9) =>
  assert.ok(
    actual !== null && actual !== undefined && Math.abs(actual - expected) <= by,
    `${actual} is not ${expected}`,
  );

/** Darwin's maize, eighths of an inch: crossed less self-fertilised plants of a pair (Fisher 1935, table 3). */
const DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48];

describe('the description of a sample', () => {
  it('is that of a worked example', () => {
    const figures = described([2, 4, 4, 4, 5, 5, 7, 9]);
    assert.deepEqual([figures?.n, figures?.mean, figures?.median, figures?.min, figures?.max], [8, 5, 4.5, 2, 9]);
    near(figures?.sd, Math.sqrt(32 / 7));
  });

  it('of one value has no spread, of none is none', () => {
    assert.deepEqual(described([3]), { n: 1, mean: 3, sd: null, median: 3, min: 3, max: 3, interval: null });
    assert.equal(described([]), null);
  });

  it('of equal values has a spread of 0, also where their mean is not exact', () => {
    for (const value of [0.1, -0.667, 1e300]) assert.equal(described(Array<number>(7).fill(value))?.sd, 0, `${value}`);
  });

  it('has quantiles as R has them by default: quantile(c(1, 2, 4, 8), c(.25, .5, .9))', () => {
    assert.deepEqual(
      [0.25, 0.5, 0.9].map((share) => quantile([1, 2, 4, 8], share)),
      [1.75, 3, 6.800000000000001],
    );
  });
});

describe('the bootstrap interval', () => {
  it('of the mean is near the one of the normal distribution where that is right', () => {
    const values = Array.from({ length: 200 }, (_, index) => Math.sin(index * 12.9898) * 10);
    const figures = described(values, 'x');
    assert.ok(figures?.interval && figures.sd !== null);
    const half = (1.96 * figures.sd) / Math.sqrt(200);
    near(figures.interval.low, figures.mean - half, half / 10);
    near(figures.interval.high, figures.mean + half, half / 10);
  });

  it('of two values is known exactly: a quarter of the resamples has twice the one, a quarter twice the other', () => {
    assert.deepEqual(bootstrapInterval([0, 1], 'x'), { low: 0, high: 1 });
  });

  it('is the same for the same seed and not for another', () => {
    const values = [0.11, 0.35, 0.47, 0.92, 1.7, 2.01];
    assert.deepEqual(bootstrapInterval(values, 1, 'a'), bootstrapInterval(values, 1, 'a'));
    assert.notDeepEqual(bootstrapInterval(values, 1, 'a'), bootstrapInterval(values, 2, 'a'));
  });
});

describe('the sign-flip test', () => {
  it('gives what Fisher gives for Darwin’s maize: 1726 of 32768', () => {
    assert.deepEqual(signFlip(DARWIN), { p: 1726 / 32_768, exact: true, smallest: 2 / 32_768 });
  });

  it('gives the same whatever the unit, though sums of fractions are not exact', () => {
    near(signFlip(DARWIN.map((value) => value / 80))?.p, 1726 / 32_768);
  });

  it('is the share of all signs whose sum is as large: counted by another way', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 2, maxLength: 8 }), (differences) => {
        const sums = differences.reduce<number[]>(
          (all, value) => all.flatMap((sum) => [sum + value, sum - value]),
          [0],
        );
        const observed = Math.abs(differences.reduce((sum, value) => sum + value, 0));
        near(signFlip(differences)?.p, sums.filter((sum) => Math.abs(sum) >= observed).length / sums.length);
      }),
    );
  });

  it('of many pairs is near the exact one, the same each time, and never 0', () => {
    const doubled = [...DARWIN, ...DARWIN];
    const flipped = signFlip(doubled, 7);
    assert.equal(flipped?.exact, false);
    assert.deepEqual(signFlip(doubled, 7), flipped);
    // By the normal distribution: z = 628 / sqrt(2 · 26518).
    near(flipped.p, 0.0064, 0.003);
    near(signFlip(Array<number>(40).fill(1))?.p, 1 / 20_001);
  });

  it('has no p value for one pair, and 1 where nothing differs', () => {
    assert.equal(signFlip([1]), null);
    assert.equal(signFlip([0, 0, 0])?.p, 1);
    assert.equal(signFlip([1, 1, 1, 1, 1])?.p, 0.0625);
  });
});

describe('the adjustment of Holm', () => {
  it('is that of R: p.adjust(c(.01, .04, .03, .005), "holm")', () => {
    [0.03, 0.06, 0.06, 0.02].forEach((value, index) => near(holm([0.01, 0.04, 0.03, 0.005])[index], value));
  });

  it('is never below the value, never above 1, and keeps the order', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }), (values) => {
        const adjusted = holm(values);
        values.forEach((value, one) => {
          assert.ok((adjusted[one] ?? 0) >= value && (adjusted[one] ?? 2) <= 1);
          values.forEach((other, two) => assert.ok(value >= other || (adjusted[one] ?? 0) <= (adjusted[two] ?? 0)));
        });
      }),
    );
  });
});

describe('the delta of Cliff', () => {
  const treatment = [10, 10, 20, 20, 20, 30, 30, 30, 40, 50];
  const control = [10, 20, 30, 40, 40, 50];

  it('is that of the example of the R package effsize: −0.25, small', () => {
    assert.equal(cliffsDelta(treatment, control), -0.25);
    assert.equal(sizeOf(-0.25), 'small');
  });

  it('is 1 where all are above, −1 the other way round, 0 where both are the same', () => {
    assert.deepEqual(
      [cliffsDelta([3, 4], [1, 2]), cliffsDelta([1, 2], [3, 4]), cliffsDelta([1, 2], [1, 2])],
      [1, -1, 0],
    );
    assert.equal(cliffsDelta([], [1]), null);
  });
});
