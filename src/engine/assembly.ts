import { ClassicStrategy } from '../agents/classic.ts';
import type { StrategyParts } from '../agents/context.ts';
import { GuardedStrategy } from '../agents/guarded.ts';
import { synthesisEarmark } from '../agents/synthesis.ts';
import { Caller, type CallerParts } from '../run/call.ts';
import type { Memory } from '../run/ports.ts';
import { classicRetry } from '../run/retry.ts';
import type { Strategy } from '../run/strategy.ts';

/** The loop's parts as the configuration of its run wants them: the same for a run, its forecast and its replay. */
export function assemble(
  callerParts: CallerParts,
  memory: Memory,
): { readonly parts: StrategyParts; readonly strategy: Strategy } {
  const { log, tokens } = callerParts;
  const { state } = log;
  const { config } = state;
  const caller = new Caller(callerParts);
  if (config.strategy === 'classic') caller.retry = classicRetry;
  caller.earmark = () => synthesisEarmark(config, state.limits);
  const parts: StrategyParts = { state, caller, memory, tokens, record: (draft) => log.append(draft) };
  return { parts, strategy: config.strategy === 'classic' ? new ClassicStrategy(parts) : new GuardedStrategy(parts) };
}
