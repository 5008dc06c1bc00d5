import type { Pico } from '../budget/money.ts';
import type { RunConfig } from './config.ts';
import type { Agent, CallInputs, ErrorRecord, FirstUse, ReviewReason, RunEventOf } from './events.ts';
import type { Limits } from './limits.ts';
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
  /** The task in hand, and when it was taken, by active time too; it survives a crash in the middle of its iteration. */
  current: {
    readonly iteration: number;
    readonly taskId: string;
    readonly since: string;
    readonly sinceMs: number;
  } | null;
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
  /** Of limits, and those that the run was started without. */
  readonly raises: RunEventOf<'limit.raised' | 'limit.added'>[];
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
  /** Active time from the start of its task, milliseconds. */
  readonly tookMs: number;
  readonly since: string;
  readonly at: string;
}

export interface Notice {
  readonly id: string;
  readonly kind: string;
  readonly text: string;
  readonly queuedAt: string;
  /** How the run stood when there was something to tell. */
  readonly reason: string | null;
  readonly iteration: number;
  readonly money: Readonly<RunState['money']>;
  readonly maxCostUsd: number;
  /** Whom it is for. Null in older logs, where it was for whoever was there. */
  readonly channels: readonly string[] | null;
  /** What became of it at each channel that is done with it. */
  readonly outcomes: Map<string, 'sent' | 'failed'>;
  /** `failed`: somebody whom it was for does not get it. */
  status: 'queued' | 'sent' | 'failed';
  error: ErrorRecord | null;
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
    // A fork begins where somebody chose to begin.
    reviewedAt: config.forked_from?.iteration ?? 0,
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

export function emptyTally(): Tally {
  return { cost: 0n, latencyMs: 0, created: 0, suppressed: 0, repaired: false, rejected: false };
}

export function stepKey(iteration: number, step: string): string {
  return `${iteration}/${step}`;
}

/** The requests of this run: what a fork took over was made by another. */
export function callsMade({
  config,
  calls,
}: {
  readonly config: Pick<RunConfig, 'forked_from'>;
  readonly calls: { readonly size: number };
}): number {
  return Math.max(0, calls.size - (config.forked_from?.calls ?? 0));
}

/** Those requests, oldest first. */
export function ownCalls({ config, calls }: Pick<RunState, 'config' | 'calls'>): Call[] {
  return [...calls.values()].slice(config.forked_from?.calls ?? 0);
}

/** The iterations that this run did itself. */
export function ownIterations({ config, iterations }: Pick<RunState, 'config' | 'iterations'>): IterationRecord[] {
  return iterations.slice(config.forked_from?.iteration ?? 0);
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

/** How many results the money of the run was spent on: a fork takes others over. */
export function paidResults(state: RunState): number {
  const takenOver = state.config.forked_from?.iteration ?? 0;
  const isPaid = (task: Task) => (task.iteration ?? 0) > takenOver && resultOf(state, task) !== null;
  return [...state.tasks.values()].filter(isPaid).length;
}

/** Active time of the run so far, milliseconds, as of its last event. */
export function activeMs(state: RunState): number {
  return state.earlierMs + state.epochMs;
}
