import type { StartOptions } from '../engine/host.ts';
import type { Configured } from './settings.ts';

/** What requests of a run cost: a model without a known price rehearses as well as any other. */
export function pricesFor(
  provider: StartOptions['provider'],
  { prices }: Pick<Configured, 'prices'>,
): StartOptions['prices'] {
  const free = provider === 'rehearsal' ? [{ model: '*', input: 0, output: 0 }] : [];
  return { ...prices, overrides: [...prices.overrides, ...free] };
}
