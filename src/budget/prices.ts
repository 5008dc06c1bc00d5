import type { Rates } from '../run/config.ts';

/** A price that the user set. US dollars per million tokens. */
export interface PriceOverride {
  /** Comes before all others for the model of that name; `*` comes last, for models that nothing else knows. */
  readonly model: string;
  readonly input: number;
  readonly output: number;
  readonly cachedInput?: number;
}

export interface PriceQuestion {
  readonly model: string;
  readonly baseUrl: string;
  readonly kind: 'chat' | 'embedding';
  readonly overrides: readonly PriceOverride[];
  /** Origins whose requests cost nothing, because the user says so. */
  readonly freeOrigins: readonly string[];
  /** Today; prices change with time. */
  readonly at: Date;
}

/**
 * The price of a model, or why none can be told, and then nothing may start: nobody knows it, or the model costs more
 * than its tokens.
 */
export async function priceOf(question: PriceQuestion): Promise<Rates | 'unknown' | 'has_fees'> {
  const { model, baseUrl, kind, at } = question;
  const as_of = at.toISOString().slice(0, 10);
  const userPrice = (name: string) => {
    const found = question.overrides.find((entry) => entry.model === name);
    return found
      ? rates(found.input, found.cachedInput ?? found.input, kind === 'chat' ? found.output : 0, 'user', as_of)
      : null;
  };
  const own = userPrice(model);
  if (own) return own;
  if (question.freeOrigins.includes(new URL(baseUrl).origin)) return rates(0, 0, 0, 'declared_free', as_of);
  const { listPrice } = await import('./price-list.ts');
  const listed = listPrice(model, baseUrl, at);
  return typeof listed === 'string' ? (userPrice('*') ?? listed) : listed;
}

/** Of a model that somebody else accounts for, by a subscription or a key of its own: no price is known here. */
export function includedRates(at: Date): Rates {
  return rates(0, 0, 0, 'included', at.toISOString().slice(0, 10));
}

function rates(input: number, cached: number, output: number, source: string, as_of: string): Rates {
  return {
    input_usd_per_million: input,
    cached_input_usd_per_million: cached,
    output_usd_per_million: output,
    tiers: [],
    source,
    as_of,
  };
}
