import { calcPrice, type ModelInfo, type ModelPrice, type TieredPrices } from '@pydantic/genai-prices';
import type { Rates } from '../run/config.ts';

type Price = ModelPrice[string];

/**
 * The list price of a model from the bundled `genai-prices` data: at the provider behind the address where that is
 * known, else by the model's name alone, as for a gateway that passes requests on.
 */
export function listPrice(model: string, baseUrl: string, at: Date): Rates | null {
  const asked = [{ providerApiUrl: baseUrl }, {}, { providerId: 'openai' }];
  const found = firstOf(asked, (where) =>
    dearestOfDay(at, (timestamp) => calcPrice({ input_tokens: 0 }, model, { ...where, timestamp })),
  );
  const input = found?.model_price['input_mtok'];
  if (!found || input === undefined) return null;
  const cached = found.model_price['cache_read_mtok'] ?? input;
  const output = found.model_price['output_mtok'] ?? 0;
  const starts = [
    ...new Set(
      [input, cached, output].flatMap((price) => (isTiered(price) ? price.tiers.map(({ start }) => start) : [])),
    ),
  ];
  return {
    ...perMillion(input, cached, output, 0),
    tiers: starts
      .sort((a, b) => a - b)
      .map((start) => ({ from_input_tokens: Math.max(1, start), ...perMillion(input, cached, output, start) })),
    source: `genai-prices ${found.provider.id}/${found.model.id}`,
    as_of: at.toISOString().slice(0, 10),
  };
}

const HALF_HOURS = 48;

/** Some providers charge by the hour of the day: a run goes through all of them, so the dearest one counts. */
function dearestOfDay<Found extends { model_price: ModelPrice; model: ModelInfo }>(
  at: Date,
  find: (timestamp: Date) => Found | null,
): Found | null {
  const midnight = Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate());
  const now = find(at);
  // Prices with conditions are a list.
  if (now === null || !Array.isArray(now.model.prices)) return now;
  const price = ({ model_price }: Found) => listed(model_price['input_mtok']) + listed(model_price['output_mtok']);
  return Array.from({ length: HALF_HOURS }, (_, index) => find(new Date(midnight + index * 30 * 60_000)) ?? now).reduce(
    (dearest, other) => (price(other) > price(dearest) ? other : dearest),
    now,
  );
}

function listed(price: Price): number {
  return at(price, 0);
}

function firstOf<Item, Found>(items: readonly Item[], find: (item: Item) => Found | null): Found | null {
  for (const item of items) {
    const found = find(item);
    if (found !== null) return found;
  }
  return null;
}

function perMillion(input: Price, cached: Price, output: Price, from: number) {
  return {
    input_usd_per_million: at(input, from),
    cached_input_usd_per_million: at(cached, from),
    output_usd_per_million: at(output, from),
  };
}

function at(price: Price, from: number): number {
  if (!isTiered(price)) return price ?? 0;
  return price.tiers.reduce((current, tier) => (from >= tier.start && from > 0 ? tier.price : current), price.base);
}

function isTiered(price: Price): price is TieredPrices {
  return typeof price === 'object';
}
