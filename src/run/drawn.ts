import { type Pico, picoFromUsd } from '../budget/money.ts';
import { type Limits, OPTIONAL_LIMITS, type OptionalLimit } from './limits.ts';
import type { RunConfig } from './config.ts';
import { callsMade } from './state.ts';

/** The limits that every request draws on: pico-dollars, requests, tokens of prompts and answers. */
export const DRAWN_LIMITS = ['max_cost_usd', 'max_requests', 'max_tokens'] as const;
export type DrawnLimit = (typeof DRAWN_LIMITS)[number];

/** Of the state of a run: its limits, and what was drawn of them. */
export interface Drawing {
  readonly config: Pick<RunConfig, 'forked_from'>;
  readonly limits: Limits;
  readonly money: Readonly<Record<'settled' | 'held' | 'reserved', Pico>>;
  readonly tokens: Readonly<Record<'settled' | 'held' | 'reserved', number>>;
  readonly calls: { readonly size: number };
}

interface TakingCall {
  readonly status: string;
  readonly cost: Pico;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly boundInputTokens: number;
  readonly maxOutputTokens: number;
}

/** The limit, in the unit that is drawn; null where the run has none. */
export function capOf(limits: Limits, limit: DrawnLimit): bigint | null {
  if (limit === 'max_cost_usd') return picoFromUsd(limits.max_cost_usd);
  const cap = limits[limit];
  return cap === undefined ? null : BigInt(cap);
}

/** What was drawn of it so far: settled, held and reserved. A request counts from its reservation on, whatever becomes of it. */
export function drawn(state: Omit<Drawing, 'limits'>, limit: DrawnLimit): bigint {
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

/** What a request that is over took of it: one of unknown outcome its worst case. */
export function takenBy(call: TakingCall, limit: DrawnLimit): bigint {
  switch (limit) {
    case 'max_cost_usd':
      return call.cost;
    case 'max_requests':
      return 1n;
    case 'max_tokens':
      return BigInt(
        call.status === 'held' ? call.boundInputTokens + call.maxOutputTokens : call.inputTokens + call.outputTokens,
      );
  }
}

/** What was drawn of the limits of requests and of tokens, as far as the run has them. */
export function counted(
  state: Drawing,
): { readonly limit: OptionalLimit; readonly used: number; readonly cap: number }[] {
  return OPTIONAL_LIMITS.flatMap((limit) => {
    const cap = state.limits[limit];
    return cap === undefined ? [] : [{ limit, used: Number(drawn(state, limit)), cap }];
  });
}
