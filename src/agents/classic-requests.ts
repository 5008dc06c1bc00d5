import type { Call, RunState, Task } from '../run/state.ts';
import { type Asked, messagesOf, type Sources } from './context.ts';
import { textToEmbed } from './guarded-requests.ts';

/** What each agent of the original loop is asked: from the state, and from ids that the log records. */

/** Constant of the original: the half of its 4000 tokens of context that is for the prompt. */
const PROMPT_TOKENS = 2000;

/** A task of the list that an agent sees; it may be of the same iteration, and in no state yet. */
type Listed = Pick<Task, 'id' | 'text'>;

export function executionRequest(sources: Sources, task: Task, memoryIds: readonly string[]): Asked {
  const { state } = sources;
  const context = memoryIds
    .flatMap((id) => state.memory.get(id) ?? [])
    .flatMap((entry) => state.tasks.get(entry.taskId)?.text ?? []);
  const values = { objective: state.config.objective, context: context.join('\n'), task: task.text };
  return asked(sources, 'execution', values, { memory_ids: [...memoryIds] });
}

export function creationRequest(sources: Sources, task: Task, result: string, waiting: readonly Listed[]): Asked {
  const incomplete = waiting.map(({ text }) => text).join(', ');
  const values = { objective: sources.state.config.objective, result, task: task.text, incomplete };
  return asked(sources, 'creation', values, { task_ids: waiting.map(({ id }) => id) });
}

export function prioritizationRequest(sources: Sources, list: readonly Listed[]): Asked {
  const values = { tasks: list.map(({ text }) => text).join('\n'), objective: sources.state.config.objective };
  return asked(sources, 'prioritization', values, { task_ids: list.map(({ id }) => id) });
}

function asked(
  { state, tokens }: Sources,
  agent: string,
  values: Readonly<Record<string, string>>,
  inputs: Call['inputs'],
): Asked {
  const messages = messagesOf(state.config, agent, values).map(({ role, content }) => ({
    role,
    content: tokens.head(content, PROMPT_TOKENS),
  }));
  const { temperature } = state.config.parameters;
  return { request: { messages, schema: null, temperature, topP: null, seed: null }, inputs };
}

/** The tasks that an answer of the creation agent makes. */
export function createdBy(state: RunState, creation: Call): { id: string; label: string; text: string }[] {
  return numberedLines(creation.answer ?? '')
    .filter(({ label }) => label !== '')
    .map(({ text }, index) => {
      const label = String(state.taskCounter + index + 1);
      return { id: `t${label}`, label, text };
    });
}

/** The original embeds a text without its line ends. */
export function flatText(state: RunState, what: string): string {
  return (textToEmbed(state, what, []) ?? '').replaceAll('\n', ' ');
}

/** Lines split at their first period: the digits before it, the words behind it without any punctuation. */
export function numberedLines(reply: string): { label: string; text: string }[] {
  return reply
    .trim()
    .split('\n')
    .flatMap((raw) => {
      const line = raw.trim();
      const period = line.indexOf('.');
      if (period < 0) return [];
      const label = [...line.slice(0, period)].filter((char) => /\p{N}/u.test(char)).join('');
      const text = line
        .slice(period + 1)
        .replace(/[^\p{L}\p{N}_\s]+/gu, '')
        .trim();
      return text === '' ? [] : [{ label, text }];
    });
}
