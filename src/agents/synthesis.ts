import { worstChat } from '../run/call.ts';
import type { RunConfig } from '../run/config.ts';
import type { Call } from '../run/state.ts';
import { StepFailed, StopRun } from '../run/ports.ts';
import { chatOf, excerpts, frameOf, messagesOf, type StrategyParts } from './context.ts';

const PROMPT_TOKENS = 6000;
const ANSWER_TOKENS = 1500;
const FRAME_TOKENS = 400;
/** The most that is kept back for the synthesis, as a share of the cost limit. */
const EARMARK_SHARE = 5n;

/** Money kept back from the start, so that a run that spends its limit can still give an answer. */
export function synthesisEarmark(config: RunConfig, cap: bigint): bigint {
  if (!config.loop.synthesis) return 0n;
  const full = worstChat(config.prices.chat, PROMPT_TOKENS + FRAME_TOKENS, answerTokens(config));
  return full < cap / EARMARK_SHARE ? full : cap / EARMARK_SHARE;
}

/**
 * Writes the final answer from the stored results, as many as the money still affords. Null where there is no result,
 * no money, or no usable reply: then the results speak for themselves.
 */
export async function synthesize(parts: StrategyParts, free: bigint): Promise<Call | null> {
  const { state, caller, memory } = parts;
  const { config } = state;
  if (!config.loop.synthesis || state.memory.size === 0) return null;
  await parts.tokens.ready();
  const ids = [...new Set([...memory.nearest('objective', 40), ...[...state.memory.keys()].reverse()])].slice(0, 60);
  for (let tokens = PROMPT_TOKENS; tokens >= PROMPT_TOKENS / 8; tokens = Math.floor(tokens / 2)) {
    if (worstChat(config.prices.chat, tokens + FRAME_TOKENS, config.parameters.min_completion_tokens) > free) continue;
    const results = excerpts(parts, ids, tokens);
    const messages = messagesOf(config, 'synthesis', {
      ...frameOf(state),
      results: results.map(({ line }) => line).join('\n'),
    });
    const inputs = { memory_ids: results.map(({ memoryId }) => memoryId) };
    try {
      const step = {
        step: `synthesize-${state.memory.size}`,
        agent: 'synthesis' as const,
        taskId: null,
        iteration: state.iteration,
        inputs,
      };
      const call = await caller.chat(step, chatOf(config, messages), answerTokens(config));
      return (call.answer ?? '').trim() === '' ? null : call;
    } catch (error) {
      if (error instanceof StepFailed || error instanceof StopRun) return null;
      throw error;
    }
  }
  return null;
}

function answerTokens({ parameters }: RunConfig): number {
  return Math.min(ANSWER_TOKENS, parameters.max_completion_tokens);
}
