import { createHash } from 'node:crypto';
import * as classic from '../agents/classic-requests.ts';
import type { Asked, Sources } from '../agents/context.ts';
import * as guarded from '../agents/guarded-requests.ts';
import { JUDGE_SCHEMA, parsePlan, PLAN_SCHEMA } from '../agents/reply.ts';
import { SYNTHESIS_BUDGETS, synthesisRequest } from '../agents/synthesis.ts';
import { TemplateError } from '../agents/template.ts';
import { requestBody } from '../models/request-body.ts';
import { chatRequest } from '../run/call.ts';
import type { RunConfig } from '../run/config.ts';
import type { RunEvent, RunEventOf, UnknownEvent } from '../run/events.ts';
import type { ModelRequest, Tokens } from '../run/ports.ts';
import { FoldError } from '../run/fold-error.ts';
import { apply } from '../run/fold.ts';
import { type Call, initialState, type RunState, settledCall, type Task } from '../run/state.ts';
import { pausing } from '../runlog/pause.ts';

/** Why a request cannot be made from a log. */
export type NotPossible =
  /** The log, as far as it can be read, does not come to this call. */
  | 'no_such_call'
  /** A newer version wrote the log, or made a kind of request that this one does not know. */
  | 'newer_version'
  /** A fork took the call over: the run that made it holds what it was made from. */
  | 'taken_over'
  /** The log contradicts itself, or names a task, a result or a prompt that it does not hold. */
  | 'inconsistent';

/**
 * The request of a call, made again. `same`: its bytes have the sha256 that the log recorded before it was sent.
 * `different`: it is what this version would send, and not what was sent.
 */
export type RequestAgain =
  | { readonly outcome: 'same' | 'different'; readonly request: ModelRequest; readonly body: Uint8Array }
  | { readonly outcome: 'not_possible'; readonly why: NotPossible };

/**
 * Makes the request of a call again, from what its run was started with and the events before it, and compares it with
 * the one that was sent. Lets the event loop turn while it works.
 */
export async function requestAgain(
  config: RunConfig,
  events: readonly (RunEvent | UnknownEvent)[],
  callId: string,
  tokens: Tokens,
): Promise<RequestAgain> {
  const at = events.findIndex((event) => event.type === 'call.reserved' && event.call_id === callId);
  const reserved = events[at];
  if (reserved?.type !== 'call.reserved') return { outcome: 'not_possible', why: 'no_such_call' };
  if (callNumber(events, at) <= (config.forked_from?.calls ?? 0)) return { outcome: 'not_possible', why: 'taken_over' };
  await tokens.ready();
  try {
    const before = events.slice(0, at).map(known);
    const state = await stateAfter(config, before, reserved.inputs.state_seq ?? reserved.seq - 1);
    const adaptations = new Set(before.flatMap((event) => (event.type === 'model.adapted' ? event.feature : [])));
    const made = requestsOf({ state, tokens }, reserved).map((request) => ({
      request,
      body: requestBody(config, request, adaptations),
    }));
    const same = made.find(({ body }) => sha256(body) === reserved.request_sha256);
    if (same) return { outcome: 'same', ...same };
    const [first] = made;
    return first ? { outcome: 'different', ...first } : { outcome: 'not_possible', why: 'newer_version' };
  } catch (error) {
    if (error instanceof Impossible) return { outcome: 'not_possible', why: error.reason };
    if (error instanceof FoldError || error instanceof TemplateError)
      return { outcome: 'not_possible', why: 'inconsistent' };
    throw error;
  }
}

/** Which reservation of the log it is, from 1. */
function callNumber(events: readonly (RunEvent | UnknownEvent)[], at: number): number {
  return events.slice(0, at + 1).filter(({ type }) => type === 'call.reserved').length;
}

class Impossible extends Error {
  readonly reason: NotPossible;
  constructor(reason: NotPossible) {
    super(reason);
    this.name = 'Impossible';
    this.reason = reason;
  }
}

function known(event: RunEvent | UnknownEvent): RunEvent {
  if (event.type === 'unknown') throw new Impossible('newer_version');
  return event;
}

async function stateAfter(config: RunConfig, events: readonly RunEvent[], seq: number): Promise<RunState> {
  const pause = pausing();
  const state = initialState(config);
  for (const event of events) {
    if (event.seq > seq) break;
    apply(state, event);
    await pause();
  }
  return state;
}

/** What may have been sent: one request, but for a synthesis, of which the log does not say how much of the results it shows. */
function requestsOf(sources: Sources, reserved: RunEventOf<'call.reserved'>): ModelRequest[] {
  const { step, inputs, agent } = reserved;
  if (agent === 'embedding') return [{ kind: 'embedding', texts: textsOf(sources.state, reserved) }];
  there(sources.state.config.prompts[agent]);
  const asked = step.startsWith('synthesize-')
    ? SYNTHESIS_BUDGETS.map((budget) => synthesisRequest(sources, inputs.memory_ids ?? [], budget))
    : askedOf(sources, reserved);
  return asked.map(({ request }) => chatRequest(request, reserved.max_output_tokens));
}

function askedOf(sources: Sources, reserved: RunEventOf<'call.reserved'>): Asked[] {
  const { state } = sources;
  const { step, inputs, iteration, task_id: taskId } = reserved;
  const task = () => there(state.tasks.get(taskId ?? ''));
  const isClassic = state.config.strategy === 'classic';
  switch (step) {
    case 'execute': {
      const make = isClassic ? classic.executionRequest : guarded.executionRequest;
      return [make(sources, task(), inputs.memory_ids ?? [])];
    }
    case 'plan':
      return [guarded.planningRequest(sources, task(), answerTo(state, task()), inputs.task_ids ?? [], PLAN_SCHEMA)];
    case 'plan-repair': {
      const call = there(state.calls.get(inputs.repairs ?? ''));
      const problem = parsePlan(call.answer ?? '');
      return typeof problem === 'string' ? [guarded.repairRequest(sources, call, problem, PLAN_SCHEMA)] : [];
    }
    case 'judge':
      return [guarded.judgeRequest(sources, inputs.memory_ids ?? [], JUDGE_SCHEMA)];
    case 'create':
      return [classic.creationRequest(sources, task(), answerTo(state, task()), listed(state, inputs, []))];
    case 'prioritize': {
      const creation = there(settledCall(state, iteration, 'create'));
      return [classic.prioritizationRequest(sources, listed(state, inputs, classic.createdBy(state, creation)))];
    }
    default:
      return [];
  }
}

function textsOf(state: RunState, { inputs, iteration }: RunEventOf<'call.reserved'>): string[] {
  const embeds = inputs.embeds ?? [];
  if (state.config.strategy === 'classic') return embeds.map((what) => classic.flatText(state, what));
  const { proposed } = guarded.proposalsOf(state, guarded.plannedIn(state, iteration, parsePlan));
  return embeds.map((what) => there(guarded.textToEmbed(state, what, proposed)));
}

function listed(state: RunState, { task_ids = [] }: Call['inputs'], created: readonly Pick<Task, 'id' | 'text'>[]) {
  return task_ids.map((id) => there(state.tasks.get(id) ?? created.find((task) => task.id === id)));
}

function answerTo(state: RunState, task: Task): string {
  return there(state.calls.get(task.resultCallId ?? '')).answer ?? '';
}

function there<Value>(value: Value | null | undefined): Value {
  if (value === null || value === undefined) throw new Impossible('inconsistent');
  return value;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
