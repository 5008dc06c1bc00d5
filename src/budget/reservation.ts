import type { Rates } from '../run/config.ts';
import type { Usage } from '../run/ports.ts';
import { type Pico, picoPerToken } from './money.ts';

/** Worst case of one request: every prompt token uncached, every allowed completion token used, at the dearest tier. */
export function worstCase(rates: Rates, inputTokens: number, outputTokens: number): Pico {
  const all = [rates, ...rates.tiers];
  const dearest = (price: (tier: (typeof all)[number]) => number) =>
    all.reduce((most, tier) => (picoPerToken(price(tier)) > most ? picoPerToken(price(tier)) : most), 0n);
  const input = dearest((tier) => Math.max(tier.input_usd_per_million, tier.cached_input_usd_per_million));
  return BigInt(inputTokens) * input + BigInt(outputTokens) * dearest((tier) => tier.output_usd_per_million);
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

export interface Admission {
  readonly maxOutputTokens: number;
  readonly reserved: Pico;
}

/**
 * Fits a request into what is free. The completion is clamped to what the money affords, down to `minOutputTokens`;
 * below that the request is not admitted and null is returned.
 */
export function admit(
  rates: Rates,
  free: Pico,
  boundInputTokens: number,
  output: { wanted: number; min: number },
): Admission | null {
  const input = worstCase(rates, boundInputTokens, 0);
  const perToken = worstCase(rates, 0, 1);
  const affordable = perToken === 0n ? BigInt(output.wanted) : (free - input) / perToken;
  if (free < input || affordable < BigInt(Math.min(output.min, output.wanted))) return null;
  const maxOutputTokens = affordable < BigInt(output.wanted) ? Number(affordable) : output.wanted;
  return { maxOutputTokens, reserved: worstCase(rates, boundInputTokens, maxOutputTokens) };
}

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
    return { usage, note: 'the server reported no usable usage: booked at the reservation' };
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
