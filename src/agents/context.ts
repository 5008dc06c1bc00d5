import type { Caller, ChatDraft } from '../run/call.ts';
import type { RunConfig } from '../run/config.ts';
import type { CallInputs, EventDraft } from '../run/events.ts';
import type { ChatMessage, ChatRequest, Memory, Tokens } from '../run/ports.ts';
import type { RunState, Task } from '../run/state.ts';
import { render, type Values } from './template.ts';

/** What a strategy works with. */
export interface StrategyParts {
  readonly state: RunState;
  readonly caller: Caller;
  readonly memory: Memory;
  readonly tokens: Tokens;
  /** Appends an event of its own, outside the batch of the plan. */
  readonly record: (draft: EventDraft) => void;
}

/** What a request is made from, beside the ids that its call records. */
export type Sources = Pick<StrategyParts, 'state' | 'tokens'>;

/** What an agent is asked, and the ids to record with the call. */
export interface Asked {
  readonly request: ChatDraft;
  readonly inputs: CallInputs;
}

/** The messages of an agent: its prompt from the config, filled. */
export function messagesOf(config: RunConfig, agent: string, values: Values): ChatMessage[] {
  const prompt = config.prompts[agent];
  if (!prompt) throw new Error(`config.json has no prompt for the ${agent} agent`);
  return render(prompt.text, values);
}

/** The values that every guarded prompt begins with. */
export function frameOf(state: RunState): { objective: string; criteria: string; guidance: string } {
  return {
    objective: state.config.objective,
    criteria: numbered(state.config.acceptance_criteria),
    guidance: state.guidance.map((text) => `- ${text}`).join('\n'),
  };
}

export function numbered(lines: readonly string[]): string {
  return lines.map((line, index) => `${index + 1}. ${line}`).join('\n');
}

/** A chat request with the run's sampling parameters. */
export function chatOf(
  config: RunConfig,
  messages: readonly ChatMessage[],
  schema: ChatRequest['schema'] = null,
): ChatDraft {
  const { temperature, top_p, seed } = config.parameters;
  return { messages, schema, temperature, topP: top_p, seed };
}

export interface Excerpt {
  readonly memoryId: string;
  readonly line: string;
}

/**
 * Recalled results as lines `[t3] task: excerpt`, best first, within a token budget shared evenly. The instructions of a
 * prompt are never cut for them.
 */
export function excerpts({ state, tokens }: Sources, memoryIds: readonly string[], tokenBudget: number): Excerpt[] {
  // An empty result takes no share: what comes out is what the ids of it give again.
  const usable = memoryIds.flatMap((memoryId) => {
    const entry = state.memory.get(memoryId);
    const task = entry && state.tasks.get(entry.taskId);
    const text = entry && state.calls.get(entry.callId)?.answer;
    return task && text ? { memoryId, task, text } : [];
  });
  const share = Math.floor(tokenBudget / Math.max(1, usable.length));
  if (share < SHORTEST_EXCERPT) return [];
  return usable.map(({ memoryId, task, text }) => ({
    memoryId,
    line: tokens.excerpt(`[${task.id}] ${brief(task)}: ${text.replace(/\s+/g, ' ')}`, share),
  }));
}

/** Fewer tokens than this say nothing. */
const SHORTEST_EXCERPT = 8;

const BRIEF_LENGTH = 100;

/** A task as it is shown among others: on one line, not too long. The task itself is always given whole. */
export function brief(task: Task): string {
  const line = task.text.replace(/\s+/g, ' ');
  return line.length <= BRIEF_LENGTH ? line : `${line.slice(0, BRIEF_LENGTH - 1)}…`;
}
