import type { Rates } from '../run/config.ts';
import type { Usage } from '../run/ports.ts';
import { type Pico, picoPerToken } from './money.ts';

/** What a request takes of something that is limited: so much by itself, and so much for each of its tokens. */
export interface Tariff {
  readonly request: bigint;
  readonly input: bigint;
  readonly output: bigint;
}

export function takes(tariff: Tariff, inputTokens: number, outputTokens: number): bigint {
  return tariff.request + BigInt(inputTokens) * tariff.input + BigInt(outputTokens) * tariff.output;
}

/** Pico-dollars: every prompt token uncached, every token at the dearest tier. */
export function dearest(rates: Rates): Tariff {
  const all = [rates, ...rates.tiers];
  const most = (price: (tier: (typeof all)[number]) => number) =>
    all.reduce((top, tier) => (picoPerToken(price(tier)) > top ? picoPerToken(price(tier)) : top), 0n);
  return {
    request: 0n,
    input: most((tier) => Math.max(tier.input_usd_per_million, tier.cached_input_usd_per_million)),
    output: most((tier) => tier.output_usd_per_million),
  };
}

/** Worst case of one request: every prompt token uncached, every allowed completion token used, at the dearest tier. */
export function worstCase(rates: Rates, inputTokens: number, outputTokens: number): Pico {
  return takes(dearest(rates), inputTokens, outputTokens);
}

/** What a request cost: the tier that its prompt length falls into, cached tokens at their own price. */
export function costOf(rates: Rates, usage: Usage): Pico {
  const tier = rates.tiers.reduce(
    (best, candidate) => (usage.inputTokens >= candidate.from_input_tokens ? candidate : best),
    rates as Pick<Rates, 'input_usd_per_million' | 'cached_input_usd_per_million' | 'output_usd_per_million'>,
  );
  const cached = BigInt(usage.cachedTokens);
  return (
    (BigInt(usage.inputTokens) - cached) * picoPerToken(tier.input_usd_per_million) +
    cached * picoPerToken(tier.cached_input_usd_per_million) +
    BigInt(usage.outputTokens) * picoPerToken(tier.output_usd_per_million)
  );
}

/** What is free of something that is limited. */
export interface Room {
  readonly free: bigint;
  readonly tariff: Tariff;
}

/**
 * Fits a request into every room. The completion is clamped to what the smallest affords, down to `min`; below that the
 * request is not admitted, and the first room that is too small is named.
 */
export function admit<Of extends Room>(
  rooms: readonly Of[],
  boundInputTokens: number,
  output: { wanted: number; min: number },
): { readonly maxOutputTokens: number } | { readonly shortOf: Of } {
  let maxOutputTokens = output.wanted;
  for (const room of rooms) {
    const left = room.free - takes(room.tariff, boundInputTokens, 0);
    const perToken = room.tariff.output;
    const affordable = perToken === 0n ? BigInt(output.wanted) : left / perToken;
    if (left < 0n || affordable < BigInt(Math.min(output.min, output.wanted))) return { shortOf: room };
    if (affordable < BigInt(maxOutputTokens)) maxOutputTokens = Number(affordable);
  }
  return { maxOutputTokens };
}

const NOTHING_REPORTED = 'the server reported no usable usage: booked at the reservation';

/** The provider's figures where they are possible, and never less than what was counted here. */
export function trustedUsage(
  reported: Usage | null,
  counted: Usage | null,
  reservation: { inputTokens: number; outputTokens: number },
): { usage: Usage; note: string | null } {
  // No prompt is empty: where nothing could be counted here, a zero is no figure either.
  if (reported === null || (counted === null && reported.inputTokens === 0)) {
    // Unknown usage costs the whole reservation.
    const usage = { inputTokens: reservation.inputTokens, cachedTokens: 0, outputTokens: reservation.outputTokens };
    return { usage, note: NOTHING_REPORTED };
  }
  const inputTokens = Math.max(reported.inputTokens, counted?.inputTokens ?? 0);
  const outputTokens = Math.max(reported.outputTokens, counted?.outputTokens ?? 0);
  const lied = inputTokens > reported.inputTokens || outputTokens > reported.outputTokens;
  return {
    usage: { inputTokens, cachedTokens: Math.min(reported.cachedTokens, inputTokens), outputTokens },
    note: lied
      ? `the server reported ${reported.inputTokens}+${reported.outputTokens} tokens, fewer than counted: booked as counted`
      : null,
  };
}

/** What the provider reported, by what was booked of it and the note on that. */
export function reportedUsage(booked: Usage, note: string | null): Usage | null {
  if (note === NOTHING_REPORTED) return null;
  const [, input, output] = /^the server reported (\d+)\+(\d+) tokens/.exec(note ?? '') ?? [];
  return input === undefined || output === undefined
    ? booked
    : { ...booked, inputTokens: Number(input), outputTokens: Number(output) };
}
