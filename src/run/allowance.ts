import { formatUsd, type Pico, picoFromUsd, usdFromPico } from '../budget/money.ts';
import { dearest, type Room, takes, type Tariff } from '../budget/reservation.ts';
import type { Agent } from './events.ts';
import type { Rates } from './config.ts';
import type { Limits } from './limits.ts';
import { type KeyLedger, StopRun } from './ports.ts';
import { capOf, DRAWN_LIMITS, type DrawnLimit, drawn } from './drawn.ts';
import type { RunState } from './state.ts';
import { KEY_LIMIT } from './stop-reason.ts';

/** So much of each limit is kept back from the loop. */
export type Earmark = Readonly<Record<DrawnLimit, bigint>>;
export const NO_EARMARK: Earmark = { max_cost_usd: 0n, max_requests: 0n, max_tokens: 0n };

/** What is free of one limit for the next request. */
export interface Allowance extends Room {
  readonly limit: DrawnLimit | 'max_key_usd_per_day';
}

/** What a request at these prices takes of a limit. */
export function tariffOf(limit: DrawnLimit, rates: Rates): Tariff {
  switch (limit) {
    case 'max_cost_usd':
      return dearest(rates);
    case 'max_requests':
      return { request: 1n, input: 0n, output: 0n };
    case 'max_tokens':
      return { request: 0n, input: 1n, output: 1n };
  }
}

/** What the limits of the run leave, and the key where it left `keyFree` at the last look. */
export function allowances(state: RunState, rates: Rates, earmark: Earmark, keyFree: Pico | null = null): Allowance[] {
  const own = DRAWN_LIMITS.flatMap((limit): Allowance[] => {
    const cap = capOf(state.limits, limit);
    if (cap === null) return [];
    return [{ limit, tariff: tariffOf(limit, rates), free: cap - drawn(state, limit) - earmark[limit] }];
  });
  return keyFree === null ? own : [...own, keyAllowance(rates, keyFree)];
}

export function keyAllowance(rates: Rates, free: Pico): Allowance {
  return { limit: 'max_key_usd_per_day', tariff: dearest(rates), free };
}

/** The end of a run whose next request, of so many tokens at the most, does not fit. */
export function outOf(
  { limit, tariff, free }: Allowance,
  request: { agent: Agent; inputTokens: number; outputTokens: number },
  limits: Limits,
  ledger: KeyLedger | null,
): StopRun {
  const need = takes(tariff, request.inputTokens, request.outputTokens);
  const left = free < 0n ? 0n : free;
  const usd = (whose: string) =>
    `The ${request.agent} request needs up to ${formatUsd(need, 'up')}, and ${formatUsd(left)} of ${whose} is free.`;
  switch (limit) {
    case 'max_cost_usd':
      return new StopRun('max_cost', usd(`the ${formatUsd(picoFromUsd(limits.max_cost_usd))} limit`));
    case 'max_requests':
      return new StopRun(
        'max_requests',
        `The ${request.agent} request is more than the limit of ${limits.max_requests} requests leaves.`,
      );
    case 'max_tokens':
      return new StopRun(
        'max_tokens',
        `The ${request.agent} request needs up to ${need} tokens, and ${left} of the limit of ${limits.max_tokens} are free.`,
      );
    case 'max_key_usd_per_day': {
      const perDay = ledger?.limitPerDay ?? 0n;
      const message = usd(ledger?.limit ?? 'the limit of the API key');
      return new StopRun(
        'max_cost',
        message,
        { class: KEY_LIMIT, message },
        { limit, value: usdFromPico(perDay), spent: usdFromPico(perDay - free) },
      );
    }
  }
}
