import { takes } from '../budget/reservation.ts';
import { type Earmark, NO_EARMARK, tariffOf } from '../run/allowance.ts';
import { capOf, DRAWN_LIMITS } from '../run/drawn.ts';
import { chatBound } from '../run/call.ts';
import type { RunConfig } from '../run/config.ts';
import type { Limits } from '../run/limits.ts';
import type { Call } from '../run/state.ts';
import { StepFailed, StopRun } from '../run/ports.ts';
import type { StopReason } from '../run/stop-reason.ts';
import { type Asked, chatOf, excerpts, frameOf, messagesOf, type Sources, type StrategyParts } from './context.ts';

const PROMPT_TOKENS = 6000;
/** Prompt tokens of the results, most first: with fewer the request may fit. */
export const SYNTHESIS_BUDGETS: readonly number[] = [1, 2, 4, 8].map((part) => PROMPT_TOKENS / part);
const ANSWER_TOKENS = 1500;
const FRAME_TOKENS = 400;
/** The most that is kept back for the synthesis, as a share of the limit. */
const EARMARK_SHARE = 5n;
/** What a request is refused with before it is made. */
export const REFUSED: ReadonlySet<StopReason> = new Set(['max_cost', 'max_requests', 'max_tokens']);

/** Kept back of each limit from the start, so that a run that comes to its end can still give an answer. */
export function synthesisEarmark(config: RunConfig, limits: Limits): Earmark {
  if (!config.loop.synthesis) return NO_EARMARK;
  const kept = DRAWN_LIMITS.map((limit) => {
    const cap = capOf(limits, limit);
    if (cap === null) return [limit, 0n];
    const tariff = tariffOf(limit, config.prices.chat);
    const full = takes(tariff, chatBound(PROMPT_TOKENS + FRAME_TOKENS), answerTokens(config));
    // A run of one request has nothing to answer from.
    const most = limit === 'max_requests' ? cap - 1n : cap / EARMARK_SHARE;
    return [limit, full < most ? full : most];
  });
  return Object.fromEntries(kept) as Earmark;
}

/**
 * Writes the final answer from the stored results, as many as the limits still allow. Null where there is no result, no
 * room within the limits, or no usable reply: then the results speak for themselves.
 */
export async function synthesize(parts: StrategyParts): Promise<Call | null> {
  const { state, caller, memory } = parts;
  const { config } = state;
  if (!config.loop.synthesis || state.memory.size === 0) return null;
  await parts.tokens.ready();
  const ids = [...new Set([...memory.nearest('objective', 40), ...[...state.memory.keys()].reverse()])].slice(0, 60);
  for (const budget of SYNTHESIS_BUDGETS) {
    const { request, inputs } = synthesisRequest(parts, ids, budget);
    try {
      const step = {
        step: `synthesize-${state.memory.size}`,
        agent: 'synthesis' as const,
        taskId: null,
        iteration: state.iteration,
        inputs,
      };
      const call = await caller.chat(step, request, answerTokens(config));
      return (call.answer ?? '').trim() === '' ? null : call;
    } catch (error) {
      // With fewer results it may fit.
      if (error instanceof StopRun && REFUSED.has(error.reason)) continue;
      if (error instanceof StepFailed || error instanceof StopRun) return null;
      throw error;
    }
  }
  return null;
}

/** `budget`: prompt tokens that the results may take. */
export function synthesisRequest(sources: Sources, memoryIds: readonly string[], budget: number): Asked {
  const { state } = sources;
  const results = excerpts(sources, memoryIds, budget);
  const messages = messagesOf(state.config, 'synthesis', {
    ...frameOf(state),
    results: results.map(({ line }) => line).join('\n'),
  });
  return { request: chatOf(state.config, messages), inputs: { memory_ids: results.map(({ memoryId }) => memoryId) } };
}

function answerTokens({ parameters }: RunConfig): number {
  return Math.min(ANSWER_TOKENS, parameters.max_completion_tokens);
}
