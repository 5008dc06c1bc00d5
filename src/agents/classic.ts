import type { EventDraft } from '../run/events.ts';
import { StepFailed, StopRun } from '../run/ports.ts';
import type { Call, Task } from '../run/state.ts';
import type { Strategy } from '../run/strategy.ts';
import {
  createdBy,
  creationRequest,
  executionRequest,
  flatText,
  numberedLines,
  prioritizationRequest,
} from './classic-requests.ts';
import type { Asked, StrategyParts } from './context.ts';

/** Constants of the original: half of its 4000 tokens of context are for the answer; five recalled tasks. */
const MAX_TOKENS = 2000;
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
    const { state, tokens } = this.parts;
    const recalled = state.memory.size === 0 ? [] : await this.recall(task, iteration);
    await tokens.ready();
    return this.chat('execute', 'execution', task, iteration, executionRequest(this.parts, task, recalled));
  }

  async plan(task: Task, result: Call, iteration: number): Promise<EventDraft[]> {
    const { state, tokens } = this.parts;
    await this.embed(`result/${task.id}`, 'embed-result', task, iteration);
    await tokens.ready();
    const waiting = state.pending.flatMap((id) => state.tasks.get(id) ?? []);
    const creation = await this.chat(
      'create',
      'creation',
      task,
      iteration,
      creationRequest(this.parts, task, result.answer ?? '', waiting),
    );
    const created = createdBy(state, creation);
    // Blocked ones keep their places, whatever the reply says.
    const list = [...waiting.filter(({ state: how }) => how !== 'blocked'), ...created];
    const prioritization = await this.chat(
      'prioritize',
      'prioritization',
      task,
      iteration,
      prioritizationRequest(this.parts, list),
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
    await this.embed('objective', 'embed-objective', task, iteration);
    return memory.nearest('objective', Math.min(RECALLED, state.memory.size));
  }

  private async embed(what: string, step: string, task: Task, iteration: number): Promise<void> {
    const { state, caller } = this.parts;
    if (state.config.embedding === null) return;
    const inputs = { embeds: [what] };
    try {
      const texts = [flatText(state, what)];
      await caller.embed({ step, agent: 'embedding', taskId: task.id, iteration, inputs }, texts);
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
    { request, inputs }: Asked,
  ): Promise<Call> {
    return this.parts.caller.chat({ step, agent, taskId: task.id, iteration, inputs }, request, MAX_TOKENS);
  }
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
