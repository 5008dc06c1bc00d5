import { type Pico, picoFromUsd } from '../budget/money.ts';
import type { RunConfig } from './config.ts';
import type { Agent, CallInputs, ErrorRecord, FirstUse, ReviewReason, RunEvent, RunEventOf } from './events.ts';
import { limitProblem, type Limits } from './limits.ts';
import { permuted, readyTasks, replacedAround } from './queue.ts';
import type { ReachedLimit, StopReason } from './stop-reason.ts';

/** state = fold(events). Everything that anyone shows or decides is read from here; nothing here is written anywhere else. */
export interface RunState {
  readonly config: RunConfig;
  status: 'created' | 'running' | 'paused' | 'review' | 'ended';
  lastSeq: number;
  epoch: number;
  /** The program that the epoch is of; null where the log does not say. */
  version: string | null;
  /** The segments of the log that hold its events, with the number of their first one. */
  readonly segments: { readonly number: number; readonly firstSeq: number }[];
  /** Active time of the epochs before this one, and of this one so far, milliseconds. */
  earlierMs: number;
  epochMs: number;
  startedAt: string;
  updatedAt: string;

  limits: Limits;
  readonly tasks: Map<string, Task>;
  /** Tasks that the loop proposed so far, accepted or not: the number in the id of the last one. */
  taskCounter: number;
  /** Ids of the waiting tasks, next one first; blocked ones at their places. */
  pending: string[];
  /** Iterations that are complete. */
  iteration: number;
  /** The task in hand; it survives a crash in the middle of its iteration. */
  current: { readonly iteration: number; readonly taskId: string } | null;
  readonly iterations: IterationRecord[];
  /** The figures of the iteration in hand. */
  readonly tally: Tally;

  readonly calls: Map<string, Call>;
  /** `${iteration}/${step}` to the ids of its attempts, oldest first. */
  readonly attempts: Map<string, string[]>;
  readonly money: { settled: Pico; held: Pico; reserved: Pico };
  /** Of prompts and answers. */
  readonly tokens: { settled: number; held: number; reserved: number };
  readonly adaptations: Set<RunEventOf<'model.adapted'>['feature']>;

  /** Stored results by memory id: `classic` overwrites, as the original does. */
  readonly memory: Map<string, MemoryEntry>;
  /** What has a vector: `task/<id>`, `result/<id>` or `objective`. */
  readonly vectors: Map<string, VectorPlace>;
  readonly suppressed: RunEventOf<'task.suppressed'>[];
  readonly guidance: string[];
  /** Unusable replies in a row, and failed tasks in a row. */
  strikes: number;
  failuresInARow: number;
  judged: RunEventOf<'objective.judged'> | null;

  review: {
    readonly id: string;
    readonly digest: string;
    readonly iteration: number;
    readonly since: string;
    /**
     * Active time of the run when it was requested, milliseconds: a stepped clock neither decides nor delays it. Earlier by
     * the time that nobody had the run in hand.
     */
    readonly sinceMs: number;
    readonly reason: ReviewReason;
    /** The reason in words. */
    readonly why: string;
    readonly firstUse: FirstUse | null;
  } | null;
  /** The iteration after which the last review was answered. */
  reviewedAt: number;
  /** What was settled and held when the last review was answered. */
  reviewedSpend: Pico;
  /** Tools that a person has approved the first use of. */
  readonly approvedTools: Set<FirstUse['tool']>;
  /** A review was answered with a stop, and the run has not ended yet. */
  stopAtReview: boolean;
  readonly reviews: RunEventOf<'review.decided'>[];
  pausedWhy: string | null;
  readonly raises: RunEventOf<'limit.raised'>[];
  checkpointAt: number;
  /** The epoch follows a quarantine. */
  leftQuarantine: boolean;
  /** Interruptions before this event do not count any more: a person said so by resuming out of quarantine. */
  interruptionsForgivenAt: number;
  end: { reason: StopReason; error: ErrorRecord | null; detail: string; limit: ReachedLimit | null; at: string } | null;
  /** The limit that is about to end the run. */
  reached: ReachedLimit | null;

  readonly notices: Map<string, Notice>;
  readonly files: Map<string, RunEventOf<'file.written'>>;
  readonly refusedFiles: RunEventOf<'file.refused'>[];
  /** Every content that this run meant to write, by path: only such a file may be overwritten. */
  readonly fileHashes: Map<string, Set<string>>;
  /** Origins contacted, with the number of requests. */
  readonly origins: Map<string, number>;
}

/** `blocked`: it waits, and a person holds it back. */
export type TaskState = 'pending' | 'blocked' | 'running' | 'done' | 'failed' | 'removed';

export interface Task {
  readonly id: string;
  /** `classic` only: the id the model gave it. */
  label: string;
  text: string;
  state: TaskState;
  readonly createdBy: 'initial' | 'loop' | 'user';
  readonly parentId: string | null;
  readonly createdIteration: number;
  /** The iteration that took it, once one did. */
  iteration: number | null;
  /** The call whose answer is the result, once done. */
  resultCallId: string | null;
  error: ErrorRecord | null;
  removedWhy: string | null;
  /** What was said when it was blocked, where it is and something was. */
  blockedWhy: string | null;
  /** The event that last changed it. */
  changedSeq: number;
}

export interface Call {
  readonly id: string;
  readonly agent: Agent;
  readonly step: string;
  readonly taskId: string | null;
  readonly iteration: number;
  readonly attempt: number;
  readonly origin: string;
  readonly inputs: CallInputs;
  readonly requestSha256: string;
  readonly boundInputTokens: number;
  readonly maxOutputTokens: number;
  readonly reserved: Pico;
  readonly reservedSeq: number;
  readonly reservedAt: string;
  /** The event that told its outcome, once one did. */
  endedSeq: number | null;
  status: 'reserved' | 'settled' | 'held' | 'released';
  /** The requested model, then the exact one that the server says answered. */
  model: string;
  cost: Pico;
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
  latencyMs: number | null;
  fingerprint: string | null;
  finishReason: string | null;
  answer: string | null;
  vectors: readonly string[] | null;
  error: ErrorRecord | null;
}

export interface MemoryEntry {
  readonly id: string;
  readonly taskId: string;
  readonly callId: string;
}

/** Where a vector is: a settled embedding call, and the index in it. */
export interface VectorPlace {
  readonly callId: string;
  readonly index: number;
}

export interface Tally {
  cost: Pico;
  /** Sum of the latencies of its calls. */
  latencyMs: number;
  created: number;
  suppressed: number;
  repaired: boolean;
  /** Its planning reply was unusable. */
  rejected: boolean;
}

/** One row of the charts. */
export interface IterationRecord extends Readonly<Tally> {
  readonly iteration: number;
  readonly taskId: string;
  readonly failed: boolean;
  readonly queue: number;
  readonly at: string;
}

export interface Notice {
  readonly id: string;
  readonly kind: string;
  readonly text: string;
  readonly queuedAt: string;
  status: 'queued' | 'sent' | 'failed';
  error: ErrorRecord | null;
}

/** The log contradicts itself: an event names a task or call that is not there, or in another state. */
export class FoldError extends Error {
  readonly reason = 'inconsistent';
  constructor(event: RunEvent, what: string) {
    super(`Event ${event.seq} (${event.type}): ${what}.`);
    this.name = 'FoldError';
  }
}

export function initialState(config: RunConfig): RunState {
  return {
    config,
    status: 'created',
    lastSeq: 0,
    epoch: 0,
    version: null,
    segments: [],
    earlierMs: 0,
    epochMs: 0,
    startedAt: config.created_at,
    updatedAt: config.created_at,
    limits: { ...config.limits },
    tasks: new Map(),
    taskCounter: 0,
    pending: [],
    iteration: 0,
    current: null,
    iterations: [],
    tally: emptyTally(),
    calls: new Map(),
    attempts: new Map(),
    money: { settled: 0n, held: 0n, reserved: 0n },
    tokens: { settled: 0, held: 0, reserved: 0 },
    adaptations: new Set(),
    memory: new Map(),
    vectors: new Map(),
    suppressed: [],
    guidance: [],
    strikes: 0,
    failuresInARow: 0,
    judged: null,
    review: null,
    reviewedAt: 0,
    reviewedSpend: 0n,
    approvedTools: new Set(),
    stopAtReview: false,
    reviews: [],
    pausedWhy: null,
    raises: [],
    checkpointAt: 0,
    leftQuarantine: false,
    interruptionsForgivenAt: 0,
    end: null,
    reached: null,
    notices: new Map(),
    files: new Map(),
    refusedFiles: [],
    fileHashes: new Map(),
    origins: new Map(),
  };
}

export function fold(config: RunConfig, events: Iterable<RunEvent>): RunState {
  const state = initialState(config);
  for (const event of events) apply(state, event);
  return state;
}

/** Brings the state forward by one event, in place. Throws FoldError where the event does not fit. */
export function apply(state: RunState, event: RunEvent): void {
  if (event.seq !== state.lastSeq + 1) throw new FoldError(event, `follows event ${state.lastSeq}`);
  applyBody(state, event);
  state.lastSeq = event.seq;
  if (event.epoch !== state.epoch) state.segments.push({ number: event.epoch, firstSeq: event.seq });
  state.epoch = event.epoch;
  state.epochMs = event.mono_ms;
  state.updatedAt = event.ts;
}

function applyBody(state: RunState, event: RunEvent): void {
  switch (event.type) {
    case 'run.created':
      state.startedAt = event.ts;
      return;
    case 'epoch.opened':
      state.version = event.version ?? null;
      state.earlierMs += state.epochMs;
      if (state.review) {
        state.status = 'review';
        state.review = { ...state.review, sinceMs: state.earlierMs - waitedMs(state, state.review, event) };
      } else if (state.status !== 'paused') state.status = 'running';
      state.leftQuarantine = state.end?.reason === 'quarantined';
      state.end = null;
      return;
    case 'run.paused':
      if (state.status !== 'review') state.status = 'paused';
      state.pausedWhy = event.why;
      return;
    case 'run.resumed':
      if (state.status === 'paused') state.status = 'running';
      state.pausedWhy = null;
      // The loop only ends its own wait.
      if (event.by === 'loop') return;
      state.strikes = 0;
      state.failuresInARow = 0;
      state.judged = null;
      state.stopAtReview = false;
      if (state.leftQuarantine) state.interruptionsForgivenAt = event.seq;
      return;
    case 'run.ended':
      state.status = 'ended';
      state.stopAtReview = false;
      state.end = {
        reason: event.stop_reason,
        error: event.error,
        detail: event.detail,
        limit: state.reached,
        at: event.ts,
      };
      state.reached = null;
      return;

    case 'call.reserved':
      reserve(state, event);
      return;
    case 'call.settled':
      settle(state, event);
      return;
    case 'call.held':
    case 'call.released':
      unsettled(state, event);
      return;
    case 'model.adapted':
      state.adaptations.add(event.feature);
      return;

    case 'task.created':
      createTask(state, event);
      return;
    case 'task.started': {
      const task = taskOf(state, event, event.task_id, 'pending');
      task.state = 'running';
      task.iteration = event.iteration;
      state.pending.splice(state.pending.indexOf(task.id), 1);
      state.current = { iteration: event.iteration, taskId: task.id };
      return;
    }
    case 'task.completed': {
      const task = taskOf(state, event, event.task_id, 'running');
      task.state = 'done';
      task.resultCallId = callOf(state, event, event.call_id).id;
      state.failuresInARow = 0;
      return;
    }
    case 'task.failed': {
      const task = taskOf(state, event, event.task_id, 'running');
      task.state = 'failed';
      task.error = event.error;
      state.failuresInARow += 1;
      return;
    }
    case 'task.edited':
      taskOf(state, event, event.task_id, 'pending', 'blocked').text = event.text;
      // The vector was that of the old text.
      state.vectors.delete(`task/${event.task_id}`);
      return;
    case 'task.removed': {
      const task = taskOf(state, event, event.task_id, 'pending', 'blocked');
      task.state = 'removed';
      task.removedWhy = event.why;
      state.pending.splice(state.pending.indexOf(task.id), 1);
      return;
    }
    case 'task.blocked': {
      const task = taskOf(state, event, event.task_id, 'pending');
      task.state = 'blocked';
      task.blockedWhy = event.why ?? null;
      return;
    }
    case 'task.unblocked': {
      const task = taskOf(state, event, event.task_id, 'blocked');
      task.state = 'pending';
      task.blockedWhy = null;
      return;
    }
    case 'task.suppressed':
      state.suppressed.push(event);
      state.taskCounter += 1;
      state.tally.suppressed += 1;
      return;
    case 'tasks.prioritized':
      state.pending = permuted(state.pending, event.order);
      return;
    case 'tasks.replaced':
      replaceTasks(state, event);
      return;
    case 'reply.rejected':
      state.strikes = event.strike;
      state.tally.rejected = true;
      return;

    case 'memory.stored':
      // Deleting first keeps the entries in the order of their last writing.
      state.memory.delete(event.memory_id);
      state.memory.set(event.memory_id, {
        id: event.memory_id,
        taskId: event.task_id,
        callId: callOf(state, event, event.call_id).id,
      });
      return;
    case 'iteration.completed':
      completeIteration(state, event);
      return;
    case 'checkpoint.saved':
      state.checkpointAt = event.iteration;
      return;
    case 'objective.judged':
      state.judged = event;
      return;
    case 'guidance.given':
      state.guidance.push(event.text);
      return;

    case 'review.requested':
      state.review = {
        id: event.review_id,
        digest: event.digest,
        iteration: event.iteration,
        since: event.ts,
        sinceMs: state.earlierMs + event.mono_ms,
        reason: event.reason ?? 'iterations',
        why: event.why,
        firstUse: event.first_use ?? null,
      };
      state.status = 'review';
      return;
    case 'review.decided':
      if (state.review?.id !== event.review_id) throw new FoldError(event, `review ${event.review_id} is not pending`);
      state.reviewedAt = state.review.iteration;
      state.reviewedSpend = state.money.settled + state.money.held;
      if (event.decision === 'stop') state.stopAtReview = true;
      else if (state.review.firstUse) state.approvedTools.add(state.review.firstUse.tool);
      state.review = null;
      state.status = state.pausedWhy === null ? 'running' : 'paused';
      state.reviews.push(event);
      return;
    case 'limit.reached':
      state.reached = { limit: event.limit, value: event.value, spent: event.spent };
      return;
    case 'limit.raised':
      if (limitProblem(event.limit, event.to) !== null)
        throw new FoldError(event, `${event.to} is no value for ${event.limit}`);
      state.limits = { ...state.limits, [event.limit]: event.to };
      state.raises.push(event);
      return;

    case 'notice.queued':
      state.notices.set(event.notice_id, {
        id: event.notice_id,
        kind: event.kind,
        text: event.text,
        queuedAt: event.ts,
        status: 'queued',
        error: null,
      });
      return;
    case 'notice.sent': {
      const notice = state.notices.get(event.notice_id);
      if (notice) notice.status = 'sent';
      count(state.origins, event.origin);
      return;
    }
    case 'notice.failed': {
      const notice = state.notices.get(event.notice_id);
      if (notice) {
        notice.error = event.error;
        if (event.final) notice.status = 'failed';
      }
      return;
    }
    case 'file.intended':
      state.fileHashes.set(event.name, (state.fileHashes.get(event.name) ?? new Set()).add(event.sha256));
      return;
    case 'file.refused':
      state.refusedFiles.push(event);
      return;
    case 'file.written':
      state.files.set(event.name, event);
      return;
    default:
      event satisfies never;
  }
}

/**
 * How long the review has waited when a new owner takes the run up, milliseconds. By the wall clock, as no other one ran
 * without an owner; from now on where the run had ended: then nobody was asked any more.
 */
function waitedMs(
  { end, earlierMs }: RunState,
  review: NonNullable<RunState['review']>,
  event: RunEventOf<'epoch.opened'>,
): number {
  if (end) return 0;
  return Math.max(earlierMs - review.sinceMs, Date.parse(event.ts) - Date.parse(review.since));
}

function reserve(state: RunState, event: RunEventOf<'call.reserved'>): void {
  const reserved = picoFromUsd(event.reserved_usd);
  if (state.calls.has(event.call_id)) throw new FoldError(event, `call ${event.call_id} exists`);
  state.calls.set(event.call_id, {
    id: event.call_id,
    agent: event.agent,
    step: event.step,
    taskId: event.task_id,
    iteration: event.iteration,
    attempt: event.attempt,
    origin: event.origin,
    inputs: event.inputs,
    requestSha256: event.request_sha256,
    boundInputTokens: event.bound_input_tokens,
    maxOutputTokens: event.max_output_tokens,
    reserved,
    reservedSeq: event.seq,
    reservedAt: event.ts,
    endedSeq: null,
    status: 'reserved',
    model: event.model,
    cost: 0n,
    inputTokens: 0,
    cachedTokens: 0,
    outputTokens: 0,
    latencyMs: null,
    fingerprint: null,
    finishReason: null,
    answer: null,
    vectors: null,
    error: null,
  });
  const key = stepKey(event.iteration, event.step);
  const attempts = state.attempts.get(key);
  if (attempts) attempts.push(event.call_id);
  else state.attempts.set(key, [event.call_id]);
  state.money.reserved += reserved;
  state.tokens.reserved += event.bound_input_tokens + event.max_output_tokens;
  if (callsMade(state) > 0) count(state.origins, event.origin);
}

function settle(state: RunState, event: RunEventOf<'call.settled'>): void {
  const call = openCall(state, event);
  call.status = 'settled';
  call.cost = picoFromUsd(event.cost_usd);
  call.finishReason = event.finish_reason ?? null;
  call.answer = event.answer ?? null;
  call.vectors = event.vectors ?? null;
  call.inputs.embeds?.forEach((what, index) => state.vectors.set(what, { callId: call.id, index }));
  state.money.settled += call.cost;
  state.tokens.settled += call.inputTokens + call.outputTokens;
  state.tally.cost += call.cost;
}

function unsettled(state: RunState, event: RunEventOf<'call.held' | 'call.released'>): void {
  const call = openCall(state, event);
  call.status = event.type === 'call.held' ? 'held' : 'released';
  if (call.status === 'held') {
    call.cost = call.reserved;
    state.money.held += call.reserved;
    state.tokens.held += call.boundInputTokens + call.maxOutputTokens;
    state.tally.cost += call.reserved;
  }
}

/** The call that an outcome ends, with its reservation taken back and the outcome's figures noted. */
function openCall(state: RunState, event: RunEventOf<'call.settled' | 'call.held' | 'call.released'>): Call {
  const call = callOf(state, event, event.call_id);
  if (call.status !== 'reserved') throw new FoldError(event, `call ${call.id} is already ${call.status}`);
  state.money.reserved -= call.reserved;
  state.tokens.reserved -= call.boundInputTokens + call.maxOutputTokens;
  call.endedSeq = event.seq;
  call.model = event.model;
  call.inputTokens = event.input_tokens ?? 0;
  call.cachedTokens = event.cached_tokens ?? 0;
  call.outputTokens = event.output_tokens ?? 0;
  call.latencyMs = event.latency_ms;
  call.fingerprint = event.system_fingerprint;
  call.error = event.error;
  state.tally.latencyMs += event.latency_ms ?? 0;
  if (call.agent === 'repair') state.tally.repaired = true;
  return call;
}

function createTask(state: RunState, event: RunEventOf<'task.created'>): void {
  if (state.tasks.has(event.task_id)) throw new FoldError(event, `task ${event.task_id} exists`);
  state.tasks.set(event.task_id, {
    id: event.task_id,
    label: event.label ?? event.task_id,
    text: event.text,
    state: 'pending',
    createdBy: event.by,
    parentId: event.parent_task_id,
    createdIteration: event.iteration,
    iteration: null,
    resultCallId: null,
    error: null,
    removedWhy: null,
    blockedWhy: null,
    changedSeq: event.seq,
  });
  if (event.by === 'loop') state.tally.created += 1;
  if (event.by !== 'user') state.taskCounter += 1;
  const at = event.before === null ? -1 : state.pending.indexOf(event.before);
  if (at < 0) state.pending.push(event.task_id);
  else state.pending.splice(at, 0, event.task_id);
}

/** Why a task was removed that a list in place of the old one did not name. */
export const LEFT_OUT = 'left out of the prioritized list';

function replaceTasks(state: RunState, event: RunEventOf<'tasks.replaced'>): void {
  const kept = new Set(event.tasks.map((task) => task.task_id));
  for (const id of readyTasks(state)) {
    if (kept.has(id)) continue;
    const task = taskOf(state, event, id, 'pending');
    task.state = 'removed';
    task.removedWhy = LEFT_OUT;
  }
  for (const replacement of event.tasks) {
    const existing = state.tasks.get(replacement.task_id);
    if (existing) {
      taskOf(state, event, existing.id, 'pending');
      existing.text = replacement.text;
      existing.label = replacement.label;
      continue;
    }
    state.tally.created += 1;
    state.tasks.set(replacement.task_id, {
      id: replacement.task_id,
      label: replacement.label,
      text: replacement.text,
      state: 'pending',
      createdBy: 'loop',
      parentId: null,
      createdIteration: state.current?.iteration ?? state.iteration,
      iteration: null,
      resultCallId: null,
      error: null,
      removedWhy: null,
      blockedWhy: null,
      changedSeq: event.seq,
    });
  }
  state.pending = replacedAround(
    state,
    event.tasks.map((task) => task.task_id),
  );
}

function completeIteration(state: RunState, event: RunEventOf<'iteration.completed'>): void {
  const { tally } = state;
  if (!tally.rejected) state.strikes = 0;
  state.iterations.push({
    iteration: event.iteration,
    taskId: event.task_id,
    failed: state.tasks.get(event.task_id)?.state === 'failed',
    ...tally,
    queue: state.pending.length,
    at: event.ts,
  });
  Object.assign(tally, emptyTally());
  state.iteration = event.iteration;
  state.current = null;
}

function emptyTally(): Tally {
  return { cost: 0n, latencyMs: 0, created: 0, suppressed: 0, repaired: false, rejected: false };
}

export function stepKey(iteration: number, step: string): string {
  return `${iteration}/${step}`;
}

/** The requests of this run: what a fork took over was made by another. */
export function callsMade({ config, calls }: Pick<RunState, 'config' | 'calls'>): number {
  return Math.max(0, calls.size - (config.forked_from?.calls ?? 0));
}

/** The settled call of a step, if there is one: its answer is used again, never bought again. */
export function settledCall(state: RunState, iteration: number, step: string): Call | null {
  const id = state.attempts.get(stepKey(iteration, step))?.at(-1);
  const call = id === undefined ? undefined : state.calls.get(id);
  return call?.status === 'settled' ? call : null;
}

/** The result text of a task that is done, or null. */
export function resultOf(state: RunState, task: Task): string | null {
  return task.resultCallId === null ? null : (state.calls.get(task.resultCallId)?.answer ?? null);
}

/** Active time of the run so far, milliseconds, as of its last event. */
export function activeMs(state: RunState): number {
  return state.earlierMs + state.epochMs;
}

/** The task that the event is about to change. */
function taskOf(state: RunState, event: RunEvent, id: string, ...expected: readonly TaskState[]): Task {
  const task = state.tasks.get(id);
  if (!task) throw new FoldError(event, `there is no task ${id}`);
  if (!expected.includes(task.state))
    throw new FoldError(event, `task ${id} is ${task.state}, not ${expected.join(' or ')}`);
  task.changedSeq = event.seq;
  return task;
}

function callOf(state: RunState, event: RunEvent, id: string): Call {
  const call = state.calls.get(id);
  if (!call) throw new FoldError(event, `there is no call ${id}`);
  return call;
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}
