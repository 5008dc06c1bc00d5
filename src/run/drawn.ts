import { picoFromUsd } from '../budget/money.ts';
import type { Limits } from './limits.ts';
import { callsMade, type RunState } from './state.ts';

/** The limits that every request draws on: pico-dollars, requests, tokens of prompts and answers. */
export const DRAWN_LIMITS = ['max_cost_usd', 'max_requests', 'max_tokens'] as const;
export type DrawnLimit = (typeof DRAWN_LIMITS)[number];

/** The limit, in the unit that is drawn; null where the run has none. */
export function capOf(limits: Limits, limit: DrawnLimit): bigint | null {
  if (limit === 'max_cost_usd') return picoFromUsd(limits.max_cost_usd);
  const cap = limits[limit];
  return cap === undefined ? null : BigInt(cap);
}

/** What was drawn of it so far: settled, held and reserved. A request counts from its reservation on, whatever becomes of it. */
export function drawn(state: Pick<RunState, 'config' | 'money' | 'tokens' | 'calls'>, limit: DrawnLimit): bigint {
  const { money, tokens } = state;
  switch (limit) {
    case 'max_cost_usd':
      return money.settled + money.held + money.reserved;
    case 'max_requests':
      return BigInt(callsMade(state));
    case 'max_tokens':
      return BigInt(tokens.settled + tokens.held + tokens.reserved);
  }
}

/** What was drawn of the limits of requests and of tokens, as far as the run has them. */
export function counted(
  state: Pick<RunState, 'config' | 'limits' | 'money' | 'tokens' | 'calls'>,
): { readonly limit: 'max_requests' | 'max_tokens'; readonly used: number; readonly cap: number }[] {
  return (['max_requests', 'max_tokens'] as const).flatMap((limit) => {
    const cap = state.limits[limit];
    return cap === undefined ? [] : [{ limit, used: Number(drawn(state, limit)), cap }];
  });
}
