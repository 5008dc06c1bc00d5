/**
 * Exact money. Amounts are pico-dollars (1 USD = 10^12) as `bigint`; a price per million tokens is a whole number of
 * pico-dollars per token, so no multiplication ever rounds.
 *
 * In JSON an amount is a plain number of dollars, for people and for `jq`. That is exact below `MAX_USD`: a double holds
 * every multiple of 10^-12 up to there closely enough that twelve decimals give the integer back.
 */
export type Pico = bigint;

/** The largest amount that survives the trip through a JSON number, in dollars. */
export const MAX_USD = 4000;

/** Dearer than any token, and what exact money can still reckon with. US dollars per million tokens. */
export const MAX_USD_PER_MILLION = 1e6;

const PICO_DIGITS = 12;

/** Dollars (a JSON number or a decimal string) to pico-dollars. Throws RangeError on anything that is not a finite amount. */
export function picoFromUsd(usd: number | string): Pico {
  const value = typeof usd === 'string' ? Number(usd) : usd;
  if (!Number.isFinite(value) || Math.abs(value) > MAX_USD) {
    throw new RangeError(`${usd} is not an amount of money between -${MAX_USD} and ${MAX_USD} USD`);
  }
  return BigInt(value.toFixed(PICO_DIGITS).replace('.', ''));
}

/** Pico-dollars to the JSON number of dollars. */
export function usdFromPico(amount: Pico): number {
  return Number(decimal(amount, PICO_DIGITS));
}

/** Dollars per million tokens to pico-dollars per token. */
export function picoPerToken(usdPerMillion: number): Pico {
  if (!Number.isFinite(usdPerMillion) || usdPerMillion < 0 || usdPerMillion > MAX_USD_PER_MILLION) {
    throw new RangeError(`${usdPerMillion} is not a price per million tokens`);
  }
  return BigInt(usdPerMillion.toFixed(6).replace('.', ''));
}

/**
 * For people: at least two decimals, more while they matter: `$0.0021`, `$1.20`. Rounded to the nearest; with `up` never
 * below the amount, as for one that somebody must provide.
 */
export function formatUsd(amount: Pico, rounding: 'nearest' | 'up' | 'down' = 'nearest'): string {
  const absolute = amount < 0n ? -amount : amount;
  const [whole = '0', fraction = ''] = decimal(absolute, PICO_DIGITS).split('.');
  const significant = fraction.search(/[1-9]/);
  const places = whole !== '0' || significant < 0 ? 2 : Math.min(PICO_DIGITS, Math.max(2, significant + 2));
  const step = 10n ** BigInt(PICO_DIGITS - places);
  const more = { nearest: step / 2n, up: step - 1n, down: 0n }[rounding];
  const rounded = (absolute + more) / step;
  return `${amount < 0n ? '-' : ''}$${decimal(rounded, places)}`;
}

function decimal(amount: Pico, digits: number): string {
  const sign = amount < 0n ? '-' : '';
  const padded = (amount < 0n ? -amount : amount).toString().padStart(digits + 1, '0');
  return `${sign}${padded.slice(0, -digits)}.${padded.slice(-digits)}`;
}
