import { seededRandom } from './seeded-random.ts';

/** What figures of several runs say together, and what the difference between two variants is worth. Pure functions. */

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface Description {
  readonly n: number;
  readonly mean: number;
  /** Of the sample, with n − 1; null for fewer than two values. */
  readonly sd: number | null;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Of the mean: 95 %, by the bootstrap; null for fewer than two values. */
  readonly interval: Interval | null;
}

/** Null where there is no value. `words` seed the resamples. */
export function describe(values: readonly number[], ...words: readonly (string | number)[]): Description | null {
  const sorted = [...values].sort((one, other) => one - other);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) return null;
  return {
    n: values.length,
    mean: mean(values),
    sd: standardDeviation(values),
    median: quantile(sorted, 0.5),
    min,
    max,
    interval: bootstrapInterval(values, ...words),
  };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function standardDeviation(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  // Of equal values the mean may differ from them in the last digits.
  if (values.every((value) => value === values[0])) return 0;
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

/** Linear between the nearest two: definition 7 of Hyndman and Fan (1996), as in R and NumPy. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  if (below === undefined || above === undefined) throw new RangeError('there is no quantile of no values');
  return below + (above - below) * (at - Math.floor(at));
}

const RESAMPLES = 5000;

/** 95 % of the mean by the percentile bootstrap: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. */
export function bootstrapInterval(values: readonly number[], ...words: readonly (string | number)[]): Interval | null {
  const { length } = values;
  if (length < 2) return null;
  const random = seededRandom('bootstrap', ...words);
  const means = Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let drawn = 0; drawn < length; drawn++) sum += values[Math.floor(random() * length)] ?? 0;
    return sum / length;
  }).sort((one, other) => one - other);
  return { low: quantile(means, 0.025), high: quantile(means, 0.975) };
}

/** Up to here all 2^n signs are tried. */
const MOST_EXACT = 16;
const DRAWS = 20_000;

export interface SignFlip {
  readonly p: number;
  readonly exact: boolean;
  /** The smallest that so many differences can give. */
  readonly smallest: number;
}

/**
 * Two-sided p value of the mean difference of pairs, if each difference were as likely the other way round: the randomization
 * test of Fisher, The Design of Experiments (1935), § 21. Exact for up to 16 pairs; else by random signs, where the sign that
 * was observed counts as one, so that p is never 0 (Phipson and Smyth, 2010). Null for fewer than two pairs.
 */
export function signFlip(differences: readonly number[], ...words: readonly (string | number)[]): SignFlip | null {
  const { length } = differences;
  if (length < 2) return null;
  if (differences.every((value) => value === 0)) {
    const exact = length <= MOST_EXACT;
    return { p: 1, exact, smallest: exact ? 2 ** (1 - length) : 1 / (DRAWS + 1) };
  }
  const size = differences.reduce((sum, value) => sum + Math.abs(value), 0);
  // Sums of the same numbers in another order may differ in the last digits.
  const least = Math.abs(differences.reduce((sum, value) => sum + value, 0)) - size * 1e-12;
  // A loop, as it is gone through millions of times.
  const isAsLarge = (signOf: (index: number) => number) => {
    let sum = 0;
    let index = 0;
    for (const value of differences) sum += signOf(index++) * value;
    return Math.abs(sum) >= least;
  };
  if (length <= MOST_EXACT) {
    const all = 2 ** length;
    let asLarge = 0;
    for (let signs = 0; signs < all; signs++) if (isAsLarge((index) => 1 - 2 * ((signs >> index) & 1))) asLarge++;
    return { p: asLarge / all, exact: true, smallest: 2 / all };
  }
  const random = seededRandom('signs', ...words);
  let word = 0;
  // One number gives 32 signs.
  const drawnSign = (index: number) => {
    if (index % 32 === 0) word = Math.floor(random() * 2 ** 32);
    return 1 - 2 * ((word >>> (index % 32)) & 1);
  };
  let asLarge = 1;
  for (let drawn = 0; drawn < DRAWS; drawn++) if (isAsLarge(drawnSign)) asLarge++;
  return { p: asLarge / (DRAWS + 1), exact: false, smallest: 1 / (DRAWS + 1) };
}

/**
 * The p values of a family of tests, adjusted so that the chance of any false one is kept: Holm, A simple sequentially rejective
 * multiple test procedure (1979). In the order given.
 */
export function holm(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((one, other) => (values[one] ?? 0) - (values[other] ?? 0));
  const adjusted = values.map(() => 1);
  let least = 0;
  for (const [rank, index] of order.entries()) {
    least = Math.max(least, Math.min(1, (values.length - rank) * (values[index] ?? 1)));
    adjusted[index] = least;
  }
  return adjusted;
}

/**
 * How much oftener a value of the first is above one of the second than below it, −1 to 1: Cliff, Dominance statistics (1993).
 * Null where one has no values.
 */
export function cliffsDelta(first: readonly number[], second: readonly number[]): number | null {
  if (first.length === 0 || second.length === 0) return null;
  let sum = 0;
  for (const one of first) for (const other of second) sum += Math.sign(one - other);
  return sum / (first.length * second.length);
}

/** By the thresholds of Romano et al. (2006), as they are usually given. */
export function sizeOf(delta: number): 'negligible' | 'small' | 'medium' | 'large' {
  const size = Math.abs(delta);
  if (size < 0.147) return 'negligible';
  if (size < 0.33) return 'small';
  return size < 0.474 ? 'medium' : 'large';
}
