import { formatUsd, type Pico, picoFromUsd } from '../budget/money.ts';
import type { RunConfig } from './config.ts';
import type { RunState } from './state.ts';

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
export function spentOfLimit({ config, limits }: Pick<RunState, 'config' | 'limits'>, amount: Pico): string {
  return isIncluded(config)
    ? `cost ${INCLUDED}`
    : `${formatUsd(amount)} of ${formatUsd(picoFromUsd(limits.max_cost_usd))}`;
}
