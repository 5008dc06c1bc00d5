import { formatUsd, type Pico, picoFromUsd } from '../budget/money.ts';
import type { RunConfig } from './config.ts';
import type { RunState } from './state.ts';
import { inEnglish, type Translate } from './translate.ts';

/** Said instead of an amount where somebody else accounts for the requests, at a price that is not known here. */
export const INCLUDED = 'included';

export function isIncluded({ model }: Pick<RunConfig, 'model'>): boolean {
  return model.provider === 'vscode-lm';
}

/** `$0.0123`, or `included`. */
export function costWords(config: Pick<RunConfig, 'model'>, amount: Pico): string {
  return isIncluded(config) ? INCLUDED : formatUsd(amount);
}

/** `$0.0123 of $1.00`, or `cost included`. */
export function spentOfLimit(
  { config, limits }: Pick<RunState, 'config' | 'limits'>,
  amount: Pico,
  translated: Translate = inEnglish,
): string {
  return isIncluded(config)
    ? translated('cost included')
    : translated('{0} of {1}', formatUsd(amount), formatUsd(picoFromUsd(limits.max_cost_usd)));
}

/** For people who are not looking: `3 iterations, $0.0123 of $1.00, $0.0020 held`. */
export function progressWords(state: Pick<RunState, 'config' | 'limits' | 'money' | 'iteration'>): string {
  const { config, iteration, money } = state;
  const iterations = iteration === 1 ? '1 iteration' : `${iteration} iterations`;
  const held = money.held > 0n && !isIncluded(config) ? `, ${formatUsd(money.held)} held` : '';
  const rehearsed = config.model.provider === 'rehearsal' ? ' (rehearsed: nothing was spent)' : '';
  return `${iterations}, ${spentOfLimit(state, money.settled)}${held}${rehearsed}`;
}
