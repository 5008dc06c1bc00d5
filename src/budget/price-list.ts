import { calcPrice, type ModelInfo, type ModelPrice, type TieredPrices } from '@pydantic/genai-prices';
import type { Rates } from '../run/config.ts';

/** Name and version of the package that the list is from. */
declare const BABYAGI_PRICE_LIST: string;

type Price = ModelPrice[string];

/** What of a list price is counted here. */
const COUNTED = ['input_mtok', 'output_mtok', 'cache_read_mtok', 'cache_write_mtok'];
/** Prices of what no request here asks for: tools, a cache for an hour, sound, images, films. */
const NOT_ASKED_FOR = /^(web_searches_kcount|storage_searches_kcount|cache_write_1h_mtok|.*_(audio|image|video)_.*)$/;
/** Models that search the web at every request: the list does not name that fee everywhere. */
const SEARCHES = /\bsonar\b|\bsearch\b|deep-research|-online$/;

/**
 * The list price of a model from the bundled `genai-prices` data: at the provider behind the address where that is
 * known, else by the model's name alone, as for a gateway that passes requests on. `has_fees` where the model costs more
 * than its tokens, which nobody here could count.
 */
export function listPrice(model: string, baseUrl: string, at: Date): Rates | 'unknown' | 'has_fees' {
  const asked = [{ providerApiUrl: baseUrl }, {}, { providerId: 'openai' }];
  const found = firstOf(asked, (where) =>
    dearestOfDay(at, (timestamp) => calcPrice({ input_tokens: 0 }, model, { ...where, timestamp })),
  );
  const input = found?.model_price['input_mtok'];
  if (!found || input === undefined) return 'unknown';
  const fees = Object.keys(found.model_price).some((name) => !COUNTED.includes(name) && !NOT_ASKED_FOR.test(name));
  if (fees || SEARCHES.test(found.model.id)) return 'has_fees';
  // What a server puts into its cache by itself; Claude does so only where a request asks for it.
  const written = found.model.id.includes('claude') ? undefined : found.model_price['cache_write_mtok'];
  const cached = found.model_price['cache_read_mtok'] ?? input;
  const output = found.model_price['output_mtok'] ?? 0;
  const starts = [
    ...new Set(
      [input, written, cached, output].flatMap((price) =>
        isTiered(price) ? price.tiers.map(({ start }) => start) : [],
      ),
    ),
  ];
  const perMillion = (from: number) => ({
    input_usd_per_million: Math.max(priceAt(input, from), priceAt(written, from)),
    cached_input_usd_per_million: priceAt(cached, from),
    output_usd_per_million: priceAt(output, from),
  });
  return {
    ...perMillion(0),
    tiers: starts
      .sort((a, b) => a - b)
      .map((start) => ({ from_input_tokens: Math.max(1, start), ...perMillion(start) })),
    source: `${BABYAGI_PRICE_LIST} ${found.provider.id}/${found.model.id}`,
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
  return priceAt(price, 0);
}

function firstOf<Item, Found>(items: readonly Item[], find: (item: Item) => Found | null): Found | null {
  for (const item of items) {
    const found = find(item);
    if (found !== null) return found;
  }
  return null;
}

function priceAt(price: Price, from: number): number {
  if (!isTiered(price)) return price ?? 0;
  return price.tiers.reduce((current, tier) => (from >= tier.start && from > 0 ? tier.price : current), price.base);
}

function isTiered(price: Price): price is TieredPrices {
  return typeof price === 'object';
}
