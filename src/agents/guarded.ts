import type { EventDraft, RunEventOf } from '../run/events.ts';
import { StepFailed } from '../run/ports.ts';
import { readyTasks } from '../run/queue.ts';
import type { Call, Task } from '../run/state.ts';
import type { Strategy } from '../run/strategy.ts';
import { brief, chatOf, excerpts, frameOf, messagesOf, numbered, type StrategyParts } from './context.ts';
import { placement, queueWindow } from './queue-window.ts';
import type { JudgeReply, PlanReply } from './reply.ts';
import { normalized } from '../memory/text.ts';

/** Completion tokens of a plan: a few tasks of a line each, and a dozen ids. */
const PLAN_TOKENS = 800;
/** Prompt tokens of the last result in a planning request; the whole of it stays in the log. */
const RESULT_TOKENS = 400;
const JUDGE_RESULTS_TOKENS = 3000;
/** Iterations after a verdict of "not yet" before the judge is asked again. */
const JUDGE_EVERY = 10;
/** Texts that got no vector when they came are embedded later, so many at a time. */
const CATCH_UP = 16;

/** The loop with its known flaws fixed: two chat requests and one embedding request an iteration, whatever the queue. */
export class GuardedStrategy implements Strategy {
  private readonly parts: StrategyParts;

  constructor(parts: StrategyParts) {
    this.parts = parts;
  }

  memoryId(task: Task): string {
    return task.id;
  }

  async execute(task: Task, iteration: number): Promise<Call> {
    const { state, caller, memory } = this.parts;
    const { config } = state;
    if (state.memory.size > 0) await this.parts.tokens.ready();
    const recalled = excerpts(
      this.parts,
      memory.recall(task.id, config.loop.recall_results),
      config.loop.recall_tokens,
    );
    const messages = messagesOf(config, 'execution', {
      ...frameOf(state),
      results: recalled.map((entry) => entry.line).join('\n'),
      task_id: task.id,
      task: task.text,
    });
    const inputs = { memory_ids: recalled.map((entry) => entry.memoryId) };
    const call = await caller.chat(
      { step: 'execute', agent: 'execution', taskId: task.id, iteration, inputs },
      chatOf(config, messages),
    );
    if ((call.answer ?? '').trim() === '') throw new StepFailed('empty_result', 'The model gave an empty result.');
    return call;
  }

  async plan(task: Task, result: Call, iteration: number): Promise<EventDraft[]> {
    const { state, tokens } = this.parts;
    await tokens.ready();
    const shown = queueWindow(readyTasks(state), iteration);
    const answer = await this.planReply(task, result, iteration, shown);
    const plan = typeof answer.plan === 'string' ? null : answer.plan;
    const wanted = plan?.new_tasks.map((text) => text.trim()).filter((text) => text !== '') ?? [];
    const { max_new_tasks_per_iteration: most, max_pending_tasks: room } = state.config.loop;
    const candidates = wanted.slice(0, most).map((text, index) => ({ text, id: `t${state.taskCounter + index + 1}` }));
    const vectors = await this.embed(task, result, iteration, candidates);

    // A person may have taken tasks away, or blocked them, while the request was under way.
    const ready = new Set(readyTasks(state));
    const still = shown.filter((id) => ready.has(id));
    const placed = placement(state.pending, still, candidates.length, plan?.order ?? []);
    const changes: EventDraft[] = [];
    // Only what moved is named: the tasks of an event take the places that they hold together.
    const moved = placed.order.filter((id, index) => id !== still[index]);
    if (moved.length > 0) changes.push({ type: 'tasks.prioritized', order: moved, by: 'loop', call_id: answer.callId });
    const accepted: typeof candidates = [];
    for (const index of placed.sequence) {
      const candidate = candidates[index];
      if (candidate === undefined) continue;
      const suppressed =
        this.duplicate(candidate, accepted, vectors, index) ??
        (state.pending.length + accepted.length >= room
          ? { duplicate_of: null, similarity: null, why: 'queue_full' as const }
          : null);
      if (suppressed) {
        changes.push({
          type: 'task.suppressed',
          text: candidate.text,
          ...suppressed,
          parent_task_id: task.id,
          iteration,
        });
        continue;
      }
      accepted.push(candidate);
      const before = placed.before[index] ?? null;
      changes.push({
        type: 'task.created',
        task_id: candidate.id,
        text: candidate.text,
        by: 'loop',
        parent_task_id: task.id,
        before,
        iteration,
      });
    }
    for (const text of wanted.slice(most)) {
      changes.push({
        type: 'task.suppressed',
        text,
        duplicate_of: null,
        similarity: null,
        why: 'too_many',
        parent_task_id: task.id,
        iteration,
      });
    }
    if (typeof answer.plan === 'string') {
      changes.push({
        type: 'reply.rejected',
        call_id: answer.callId,
        agent: 'planning',
        why: answer.plan,
        strike: state.strikes + 1,
      });
    } else if (plan?.complete === true && iteration >= this.judgedAt() + JUDGE_EVERY) {
      await this.judge(iteration);
    }
    return changes;
  }

  async judge(iteration: number): Promise<boolean> {
    const { state, caller, memory } = this.parts;
    const { config } = state;
    if (state.judged?.complete === true) return true;
    await this.parts.tokens.ready();
    const criteria = config.acceptance_criteria.length > 0 ? config.acceptance_criteria : [config.objective];
    const newest = [...state.memory.keys()].reverse();
    const recalled = excerpts(
      this.parts,
      [...new Set([...memory.nearest('objective', 20), ...newest])].slice(0, 30),
      JUDGE_RESULTS_TOKENS,
    );
    if (recalled.length === 0) return false;
    const messages = messagesOf(config, 'judge', {
      objective: config.objective,
      criteria: numbered(criteria),
      results: recalled.map((entry) => entry.line).join('\n'),
    });
    const inputs = { memory_ids: recalled.map((entry) => entry.memoryId) };
    const { JUDGE_SCHEMA, parseJudge } = await import('./reply.ts');
    try {
      const step = { step: 'judge', agent: 'judge' as const, taskId: null, iteration, inputs };
      const call = await caller.chat(step, chatOf(config, messages, JUDGE_SCHEMA), PLAN_TOKENS);
      return this.verdict(call, parseJudge(call.answer ?? ''), criteria.length);
    } catch (error) {
      if (error instanceof StepFailed) return false;
      throw error;
    }
  }

  /** The iteration of the last verdict; far back where there is none. */
  private judgedAt(): number {
    const { judged, calls } = this.parts.state;
    return (judged && calls.get(judged.call_id)?.iteration) ?? -JUDGE_EVERY;
  }

  /** Complete only where every criterion is met and the task named as evidence really has a result. */
  private verdict(call: Call, reply: JudgeReply | string, criteria: number): boolean {
    const { state } = this.parts;
    const met =
      typeof reply === 'string'
        ? []
        : reply.verdicts.map((one) => one.met && state.tasks.get(one.task.replace(/[[\]\s]/g, ''))?.state === 'done');
    const complete = met.length >= criteria && met.slice(0, criteria).every(Boolean);
    if (state.judged?.call_id !== call.id)
      this.parts.record({ type: 'objective.judged', call_id: call.id, met, complete });
    return complete;
  }

  /** The plan of this iteration, after one repair at the most, or what is wrong with the reply. */
  private async planReply(
    task: Task,
    result: Call,
    iteration: number,
    shown: readonly string[],
  ): Promise<{ plan: PlanReply | string; callId: string }> {
    const { state, caller, tokens } = this.parts;
    const { config } = state;
    const messages = messagesOf(config, 'planning', {
      ...frameOf(state),
      max_new_tasks: String(config.loop.max_new_tasks_per_iteration),
      task_id: task.id,
      task: brief(task),
      result: tokens.excerpt(result.answer ?? '', RESULT_TOKENS),
      waiting: shown
        .flatMap((id) => state.tasks.get(id) ?? [])
        .map((waiting) => `${waiting.id} ${brief(waiting)}`)
        .join('\n'),
      waiting_note: shown.length < state.pending.length ? ` (${shown.length} of ${state.pending.length})` : '',
    });
    const step = { agent: 'planning' as const, taskId: task.id, iteration };
    const { parsePlan, PLAN_SCHEMA } = await import('./reply.ts');
    const chat = chatOf(config, messages, PLAN_SCHEMA);
    const call = await caller.chat({ ...step, step: 'plan', inputs: { task_ids: [...shown] } }, chat, PLAN_TOKENS);
    const plan = parsePlan(call.answer ?? '');
    if (typeof plan !== 'string') return { plan, callId: call.id };
    const problem = call.finishReason === 'length' ? 'the reply was cut off at the token limit' : plan;
    const repair = messagesOf(config, 'repair', { reply: tokens.excerpt(call.answer ?? '', PLAN_TOKENS), problem });
    const repairStep = { ...step, step: 'plan-repair', agent: 'repair' as const, inputs: { repairs: call.id } };
    const repaired = await caller.chat(repairStep, chatOf(config, repair, PLAN_SCHEMA), PLAN_TOKENS);
    const second = parsePlan(repaired.answer ?? '');
    return { plan: second, callId: repaired.id };
  }

  /** One request for everything that needs a vector now. Without one, likeness falls back to words. */
  private async embed(
    task: Task,
    result: Call,
    iteration: number,
    candidates: readonly { id: string; text: string }[],
  ): Promise<Call | null> {
    const { state, caller } = this.parts;
    if (state.config.embedding === null || state.adaptations.has('embeddings')) return null;
    const wanted = new Map<string, string>();
    const want = (what: string, text: string | null | undefined) => {
      if (text && !state.vectors.has(what)) wanted.set(what, text);
    };
    for (const candidate of candidates) wanted.set(`task/${candidate.id}`, candidate.text);
    want(`result/${task.id}`, result.answer);
    want(`task/${task.id}`, task.text);
    want('objective', state.config.objective);
    for (const id of state.pending.slice(0, CATCH_UP)) want(`task/${id}`, state.tasks.get(id)?.text);
    for (const entry of [...state.memory.values()].slice(-CATCH_UP))
      want(`result/${entry.taskId}`, state.calls.get(entry.callId)?.answer);
    try {
      const step = {
        step: 'embed',
        agent: 'embedding' as const,
        taskId: task.id,
        iteration,
        inputs: { embeds: [...wanted.keys()] },
      };
      return await caller.embed(step, [...wanted.values()]);
    } catch (error) {
      if (error instanceof StepFailed) return null;
      throw error;
    }
  }

  /** Whether a task is known already: the same text after normalising, or nearly the same meaning. */
  private duplicate(
    candidate: { id: string; text: string },
    accepted: readonly { id: string; text: string }[],
    vectors: Call | null,
    index: number,
  ): Pick<RunEventOf<'task.suppressed'>, 'duplicate_of' | 'similarity' | 'why'> | null {
    const { state, memory } = this.parts;
    const text = normalized(candidate.text);
    const same = memory.taskWithText(text) ?? accepted.find((other) => normalized(other.text) === text)?.id;
    if (same !== undefined) return { duplicate_of: same, similarity: 1, why: 'same_text' };
    const place = vectors?.inputs.embeds?.indexOf(`task/${candidate.id}`) ?? index;
    const nearest = vectors === null || place < 0 ? null : memory.mostSimilarTask(vectors.id, place);
    if (nearest === null || nearest.similarity < state.config.loop.duplicate_similarity) return null;
    return { duplicate_of: nearest.taskId, similarity: Math.round(nearest.similarity * 1e4) / 1e4, why: 'similar' };
  }
}
