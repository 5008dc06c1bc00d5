import type { EventDraft } from '../run/events.ts';
import { StepFailed, StopRun } from '../run/ports.ts';
import type { Call, Task } from '../run/state.ts';
import type { Strategy } from '../run/strategy.ts';
import { messagesOf, type StrategyParts } from './context.ts';

/** Constants of the original: 4000 tokens of context, half of them for the answer, five recalled tasks. */
const MAX_TOKENS = 2000;
const PROMPT_TOKENS = 2000;
const RECALLED = 5;

/**
 * The original loop, as a baseline: the same calls in the same order with the same inputs, the same parsing, the same
 * flaws. It renames tasks, loses them, invents them, stores results under colliding ids and recalls names only.
 * Behaviour: babyagi.py of the archived repository (commit after 2023-08-19); the prompts are our own words.
 */
export class ClassicStrategy implements Strategy {
  private readonly parts: StrategyParts;

  constructor(parts: StrategyParts) {
    this.parts = parts;
  }

  memoryId(task: Task): string {
    return `result_${task.label}`;
  }

  async execute(task: Task, iteration: number): Promise<Call> {
    const { state } = this.parts;
    const recalled = state.memory.size === 0 ? [] : await this.recall(task, iteration);
    const context = recalled
      .flatMap((id) => state.memory.get(id) ?? [])
      .flatMap((entry) => state.tasks.get(entry.taskId)?.text ?? []);
    return this.chat(
      'execute',
      'execution',
      task,
      iteration,
      { memory_ids: [...recalled] },
      {
        objective: state.config.objective,
        context: context.join('\n'),
        task: task.text,
      },
    );
  }

  async plan(task: Task, result: Call, iteration: number): Promise<EventDraft[]> {
    const { state } = this.parts;
    await this.embed(`result/${task.id}`, result.answer ?? '', 'embed-result', task, iteration);
    const waiting = state.pending.flatMap((id) => state.tasks.get(id) ?? []);
    const creation = await this.chat(
      'create',
      'creation',
      task,
      iteration,
      { task_ids: waiting.map(({ id }) => id) },
      {
        objective: state.config.objective,
        result: result.answer ?? '',
        task: task.text,
        incomplete: waiting.map(({ text }) => text).join(', '),
      },
    );
    const created = numberedLines(creation.answer ?? '')
      .filter(({ label }) => label !== '')
      .map(({ text }, index) => ({
        id: `t${state.taskCounter + index + 1}`,
        label: String(state.taskCounter + index + 1),
        text,
      }));
    // Blocked ones keep their places, whatever the reply says.
    const list = [...waiting.filter(({ state: how }) => how !== 'blocked'), ...created];
    const prioritization = await this.chat(
      'prioritize',
      'prioritization',
      task,
      iteration,
      { task_ids: list.map(({ id }) => id) },
      {
        tasks: list.map(({ text }) => text).join('\n'),
        objective: state.config.objective,
      },
    );
    const changes: EventDraft[] = created.map(({ id, label, text }) => ({
      type: 'task.created',
      task_id: id,
      label,
      text,
      by: 'loop',
      parent_task_id: task.id,
      before: null,
      iteration,
    }));
    const lines = numberedLines(prioritization.answer ?? '');
    if (lines.length > 0) {
      // A person may have taken tasks away, or blocked them, while the request was under way.
      const gone = new Set(waiting.flatMap((task) => (task.state === 'pending' ? [] : [task.id])));
      const tasks = matched(lines, list, iteration).filter(({ task_id }) => !gone.has(task_id));
      changes.push({ type: 'tasks.replaced', tasks, call_id: prioritization.id });
    }
    return changes;
  }

  /** The original never asks whether it is done. */
  judge(): Promise<boolean> {
    return Promise.resolve(false);
  }

  private async recall(task: Task, iteration: number): Promise<readonly string[]> {
    const { state, memory } = this.parts;
    await this.embed('objective', state.config.objective, 'embed-objective', task, iteration);
    return memory.nearest('objective', Math.min(RECALLED, state.memory.size));
  }

  private async embed(what: string, text: string, step: string, task: Task, iteration: number): Promise<void> {
    const { state, caller } = this.parts;
    if (state.config.embedding === null) return;
    const inputs = { embeds: [what] };
    try {
      await caller.embed({ step, agent: 'embedding', taskId: task.id, iteration, inputs }, [
        text.replaceAll('\n', ' '),
      ]);
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      throw new StopRun('error', `The original ends where an embedding fails. ${error.message}`, {
        class: error.reason,
        message: error.message,
      });
    }
  }

  private async chat(
    step: string,
    agent: 'execution' | 'creation' | 'prioritization',
    task: Task,
    iteration: number,
    inputs: Call['inputs'],
    values: Readonly<Record<string, string>>,
  ): Promise<Call> {
    const { state, caller, tokens } = this.parts;
    await tokens.ready();
    const messages = messagesOf(state.config, agent, values).map(({ role, content }) => ({
      role,
      content: tokens.head(content, PROMPT_TOKENS),
    }));
    const { temperature } = state.config.parameters;
    return caller.chat(
      { step, agent, taskId: task.id, iteration, inputs },
      { messages, schema: null, temperature, topP: null, seed: null },
      MAX_TOKENS,
    );
  }
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

/** Gives each line the task of the same text, or a new id where the reply renamed or invented one. */
function matched(
  lines: readonly { label: string; text: string }[],
  list: readonly { id: string; text: string }[],
  iteration: number,
) {
  const free = [...list];
  return lines.map((line, index) => {
    const at = free.findIndex(({ text }) => text === line.text);
    const [found] = at < 0 ? [] : free.splice(at, 1);
    return { task_id: found?.id ?? `p${iteration}.${index + 1}`, ...line };
  });
}
