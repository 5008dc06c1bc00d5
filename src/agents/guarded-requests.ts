import type { ChatRequest } from '../run/ports.ts';
import { type Call, resultOf, type RunState, settledCall, type Task } from '../run/state.ts';
import { type Asked, brief, chatOf, excerpts, frameOf, messagesOf, numbered, type Sources } from './context.ts';
import type { PlanReply } from './reply.ts';

/**
 * What each agent of the guarded loop is asked: from the state, and from ids that the log records. The loop makes its
 * requests here, and so does whoever makes one again.
 */

/** Completion tokens of a plan: a few tasks of a line each, and a dozen ids. */
export const PLAN_TOKENS = 800;
/** Prompt tokens of the last result in a planning request; the whole of it stays in the log. */
const RESULT_TOKENS = 400;
const JUDGE_RESULTS_TOKENS = 3000;

type Schema = ChatRequest['schema'];

export function executionRequest(sources: Sources, task: Task, memoryIds: readonly string[]): Asked {
  const { state } = sources;
  const { config } = state;
  const recalled = excerpts(sources, memoryIds, config.loop.recall_tokens);
  const messages = messagesOf(config, 'execution', {
    ...frameOf(state),
    results: recalled.map((entry) => entry.line).join('\n'),
    task_id: task.id,
    task: task.text,
  });
  return { request: chatOf(config, messages), inputs: { memory_ids: recalled.map((entry) => entry.memoryId) } };
}

/** `shown`: the waiting tasks that the agent sees. */
export function planningRequest(
  { state, tokens }: Sources,
  task: Task,
  result: string,
  shown: readonly string[],
  schema: Schema,
): Asked {
  const { config } = state;
  const messages = messagesOf(config, 'planning', {
    ...frameOf(state),
    max_new_tasks: String(config.loop.max_new_tasks_per_iteration),
    task_id: task.id,
    task: brief(task),
    result: tokens.excerpt(result, RESULT_TOKENS),
    waiting: shown
      .flatMap((id) => state.tasks.get(id) ?? [])
      .map((waiting) => `${waiting.id} ${brief(waiting)}`)
      .join('\n'),
    waiting_note: shown.length < state.pending.length ? ` (${shown.length} of ${state.pending.length})` : '',
  });
  return { request: chatOf(config, messages, schema), inputs: { task_ids: [...shown] } };
}

/** For a plan that could not be read; `problem` says why not. */
export function repairRequest({ state, tokens }: Sources, call: Call, problem: string, schema: Schema): Asked {
  const { config } = state;
  const said = call.finishReason === 'length' ? 'the reply was cut off at the token limit' : problem;
  const reply = tokens.excerpt(call.answer ?? '', PLAN_TOKENS);
  const messages = messagesOf(config, 'repair', { reply, problem: said });
  return { request: chatOf(config, messages, schema), inputs: { repairs: call.id } };
}

export function judgeRequest(sources: Sources, memoryIds: readonly string[], schema: Schema): Asked {
  const { config } = sources.state;
  const recalled = excerpts(sources, memoryIds, JUDGE_RESULTS_TOKENS);
  const messages = messagesOf(config, 'judge', {
    objective: config.objective,
    criteria: numbered(criteriaOf(sources.state)),
    results: recalled.map((entry) => entry.line).join('\n'),
  });
  return { request: chatOf(config, messages, schema), inputs: { memory_ids: recalled.map((entry) => entry.memoryId) } };
}

/** What the results are judged against. */
export function criteriaOf({ config }: RunState): readonly string[] {
  return config.acceptance_criteria.length > 0 ? config.acceptance_criteria : [config.objective];
}

/** A task that a plan proposes, with the id that it will have. */
export interface Proposal {
  readonly id: string;
  readonly text: string;
}

/** The proposals of a plan that are looked at, and those beyond the most that an iteration may add. */
export function proposalsOf(state: RunState, plan: PlanReply | null): { proposed: Proposal[]; tooMany: string[] } {
  const wanted = plan?.new_tasks.map((text) => text.trim()).filter((text) => text !== '') ?? [];
  const most = state.config.loop.max_new_tasks_per_iteration;
  const proposed = wanted.slice(0, most).map((text, index) => ({ text, id: `t${state.taskCounter + index + 1}` }));
  return { proposed, tooMany: wanted.slice(most) };
}

/** The plan of an iteration as it is in the log, or null where it could not be read, repaired or not. */
export function plannedIn(
  state: RunState,
  iteration: number,
  parsePlan: (text: string) => PlanReply | string,
): PlanReply | null {
  for (const step of ['plan', 'plan-repair']) {
    const plan = parsePlan(settledCall(state, iteration, step)?.answer ?? '');
    if (typeof plan !== 'string') return plan;
  }
  return null;
}

/** The text behind `objective`, `task/<id>` or `result/<id>`; null or empty where there is none. */
export function textToEmbed(state: RunState, what: string, proposed: readonly Proposal[]): string | null {
  if (what === 'objective') return state.config.objective;
  const id = what.slice(what.indexOf('/') + 1);
  const task = state.tasks.get(id);
  if (what.startsWith('task/')) return task?.text ?? proposed.find((each) => each.id === id)?.text ?? null;
  return task ? resultOf(state, task) : null;
}
