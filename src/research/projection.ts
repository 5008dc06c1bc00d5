import { synthesisEarmark } from '../agents/synthesis.ts';
import { type Pico, picoFromUsd, usdFromPico } from '../budget/money.ts';
import type { RunState } from '../run/state.ts';

export interface Projection {
  /** At the iteration limit, if the pace stays what it was over the last iterations. May be above the cost limit. */
  readonly totalUsd: number;
  readonly perIterationUsd: number;
  /** Complete iterations after which the cost limit ends the run at this pace; null: the iteration limit comes first. */
  readonly endsAfter: number | null;
  /** `near`: it fits with less than a tenth of the cost limit left; `over`: the cost limit comes first. */
  readonly level: 'ok' | 'near' | 'over';
}

/** Iterations whose mean cost is taken for that of the next ones. */
const PACE_WINDOW = 10;
/** What is left of the cost limit, as a part of it, below which a projection is near. */
const MARGIN = 10n;

/** Where the cost of a run goes. Null until an iteration is complete. */
export function projection(state: RunState): Projection | null {
  const recent = state.iterations.slice(-PACE_WINDOW);
  if (recent.length === 0) return null;
  const { max_iterations, max_cost_usd } = state.limits;
  const { settled, held, reserved } = state.money;
  const cap = picoFromUsd(max_cost_usd);
  const pace = recent.reduce<Pico>((sum, { cost }) => sum + cost, 0n) / BigInt(recent.length);
  const left = Math.max(0, max_iterations - state.iteration);
  const spent = settled + held;
  const room = cap - synthesisEarmark(state.config, state.limits).max_cost_usd - spent - reserved;
  const affordable = pace === 0n ? left : Number(room > 0n ? room / pace : 0n);
  const endsAfter = affordable < left ? state.iteration + affordable : null;
  const total = spent + pace * BigInt(left);
  return {
    totalUsd: usdFromPico(total),
    perIterationUsd: usdFromPico(pace),
    endsAfter,
    level: endsAfter !== null ? 'over' : (cap - total) * MARGIN < cap ? 'near' : 'ok',
  };
}
