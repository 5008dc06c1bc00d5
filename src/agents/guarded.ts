import type { EventDraft, RunEventOf } from '../run/events.ts';
import { StepFailed } from '../run/ports.ts';
import { readyTasks } from '../run/queue.ts';
import type { Call, Task } from '../run/state.ts';
import type { Strategy } from '../run/strategy.ts';
import type { StrategyParts } from './context.ts';
import {
  criteriaOf,
  executionRequest,
  judgeRequest,
  PLAN_TOKENS,
  planningRequest,
  type Proposal,
  proposalsOf,
  repairRequest,
  textToEmbed,
} from './guarded-requests.ts';
import { placement, queueWindow } from './queue-window.ts';
import type * as replyModule from './reply.ts';
import type { JudgeReply, PlanReply } from './reply.ts';
import { normalized } from '../memory/text.ts';

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
    const recalled = memory.recall(task.id, config.loop.recall_results);
    const { request, inputs } = executionRequest(this.parts, task, recalled);
    const call = await caller.chat(
      { step: 'execute', agent: 'execution', taskId: task.id, iteration, inputs },
      request,
    );
    if ((call.answer ?? '').trim() === '') throw new StepFailed('empty_result', 'The model gave an empty result.');
    return call;
  }

  async plan(task: Task, result: Call, iteration: number): Promise<EventDraft[]> {
    const { state, tokens } = this.parts;
    await tokens.ready();
    const reply = await import('./reply.ts');
    const shown = queueWindow(readyTasks(state), iteration);
    const answer = await this.planReply(task, result, iteration, shown, reply);
    const plan = typeof answer.plan === 'string' ? null : answer.plan;
    const { proposed: candidates, tooMany } = proposalsOf(state, plan);
    const { max_pending_tasks: room } = state.config.loop;
    const vectors = await this.embed(task, iteration, candidates);

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
    for (const text of tooMany) {
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
    if (state.judged?.complete === true) return true;
    // Nothing may happen between the making of a request and its reservation: so all waiting comes first.
    await this.parts.tokens.ready();
    const { JUDGE_SCHEMA, parseJudge } = await import('./reply.ts');
    const newest = [...state.memory.keys()].reverse();
    const recalled = [...new Set([...memory.nearest('objective', 20), ...newest])].slice(0, 30);
    const { request, inputs } = judgeRequest(this.parts, recalled, JUDGE_SCHEMA);
    if (inputs.memory_ids?.length === 0) return false;
    try {
      const step = { step: 'judge', agent: 'judge' as const, taskId: null, iteration, inputs };
      const call = await caller.chat(step, request, PLAN_TOKENS);
      return this.verdict(call, parseJudge(call.answer ?? ''), criteriaOf(state).length);
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
    reply: typeof replyModule,
  ): Promise<{ plan: PlanReply | string; callId: string }> {
    const { caller } = this.parts;
    const { parsePlan, PLAN_SCHEMA } = reply;
    const step = { agent: 'planning' as const, taskId: task.id, iteration };
    const { request, inputs } = planningRequest(this.parts, task, result.answer ?? '', shown, PLAN_SCHEMA);
    const call = await caller.chat({ ...step, step: 'plan', inputs }, request, PLAN_TOKENS);
    const plan = parsePlan(call.answer ?? '');
    if (typeof plan !== 'string') return { plan, callId: call.id };
    const repair = repairRequest(this.parts, call, plan, PLAN_SCHEMA);
    const repairStep = { ...step, step: 'plan-repair', agent: 'repair' as const, inputs: repair.inputs };
    const repaired = await caller.chat(repairStep, repair.request, PLAN_TOKENS);
    const second = parsePlan(repaired.answer ?? '');
    return { plan: second, callId: repaired.id };
  }

  /** One request for everything that needs a vector now. Without one, likeness falls back to words. */
  private async embed(task: Task, iteration: number, candidates: readonly Proposal[]): Promise<Call | null> {
    const { state, caller } = this.parts;
    if (state.config.embedding === null || state.adaptations.has('embeddings')) return null;
    const wanted = new Map<string, string>();
    const want = (what: string) => {
      const text = textToEmbed(state, what, candidates);
      if (text && !state.vectors.has(what)) wanted.set(what, text);
    };
    for (const { id, text } of candidates) wanted.set(`task/${id}`, text);
    want(`result/${task.id}`);
    want(`task/${task.id}`);
    want('objective');
    for (const id of state.pending.slice(0, CATCH_UP)) want(`task/${id}`);
    for (const { taskId } of [...state.memory.values()].slice(-CATCH_UP)) want(`result/${taskId}`);
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
