import * as z from 'zod';
import { MAX_USD } from '../budget/money.ts';
import { AGENTS } from './format.ts';
import { LIMIT_RANGES, type LimitName, OPTIONAL_LIMITS } from './limits.ts';
import { STOP_REASONS } from './stop-reason.ts';

/**
 * The events of a run. A log line's body is one of these. Names are snake_case because they are on disk; amounts are US
 * dollars (see budget/money.ts), times are UTC ISO 8601 (`ts`) and milliseconds since the owner's epoch began (`mono_ms`).
 *
 * An event with `more: true` belongs to a batch that its followers complete: a batch counts as a whole or not at all.
 */
const Envelope = {
  v: z.literal(1),
  seq: z.int().min(1),
  epoch: z.int().min(1),
  ts: z.string(),
  mono_ms: z.number().min(0),
  run_id: z.string(),
  more: z.literal(true).optional(),
};

export const Agent = z.enum(AGENTS);
export type Agent = z.infer<typeof Agent>;

/** What went wrong, without anything that could hold a secret: a class for programs, a redacted sentence for people. */
export const ErrorRecord = z.object({ class: z.string(), message: z.string() });
export type ErrorRecord = z.infer<typeof ErrorRecord>;

const Origin = z.enum(['loop', 'user', 'policy']);
/** Why a person is asked: so many iterations are done, so much is spent, or a tool is to be used for the first time. */
const ReviewReason = z.enum(['iterations', 'cost', 'first_use']);
export type ReviewReason = z.infer<typeof ReviewReason>;

/** What waits for a person where a tool is to be used for the first time. The answer of the call holds the files. */
const FirstUse = z.object({
  tool: z.literal('write_files'),
  task_id: z.string(),
  call_id: z.string(),
  files: z.array(z.string()),
});
export type FirstUse = z.infer<typeof FirstUse>;

/** Money is never negative, and an amount that no JSON number holds exactly was never written. */
const usd = z.number().min(0).max(MAX_USD);

/**
 * What a call was made from, as ids only. Together with the prompts in config.json and the state before the call it
 * gives the exact request again; `request_sha256` proves that it does.
 */
const CallInputs = z.object({
  /** Tasks shown to the agent, in the order shown. */
  task_ids: z.array(z.string()).optional(),
  /** Memory entries recalled, best first. */
  memory_ids: z.array(z.string()).optional(),
  /** Embeddings only: what each text is, `task/<id>` or `result/<id>` or `objective`, in the order sent. */
  embeds: z.array(z.string()).optional(),
  /** The call whose answer this one repairs. */
  repairs: z.string().optional(),
  /** The event after which the request was made, where that is not the one before its reservation: a later attempt, mostly. */
  state_seq: z.int().min(1).optional(),
});
export type CallInputs = z.infer<typeof CallInputs>;

const CallFields = {
  call_id: z.string(),
  agent: Agent,
  /** Which request of the iteration this is; unique within it, whatever the number of attempts. */
  step: z.string(),
  task_id: z.string().nullable(),
  iteration: z.int().min(0),
  model: z.string(),
  attempt: z.int().min(1),
};

const { step: _, ...OutcomeFields } = CallFields;

const CallOutcome = {
  ...OutcomeFields,
  input_tokens: z.number().nullable(),
  cached_tokens: z.number().nullable(),
  output_tokens: z.number().nullable(),
  latency_ms: z.number().nullable(),
  cost_usd: usd,
  system_fingerprint: z.string().nullable(),
  error: ErrorRecord.nullable(),
};

const event = <Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) =>
  z.object({ ...Envelope, type: z.literal(type), ...shape });

const EVENTS = [
  event('run.created', { config_sha256: z.string(), format_version: z.literal(1) }),
  event('epoch.opened', {
    owner: z.object({
      host: z.string(),
      boot_id: z.string(),
      pid: z.int(),
      process_start: z.string(),
      nonce: z.string(),
    }),
    /** The program: version and build. Absent in older logs. */
    version: z.string().optional(),
    /** How the segment before ended: where it was cut, what the bytes behind the cut were. Null in the first epoch. */
    previous: z
      .object({
        segment: z.int(),
        cut_at: z.int(),
        tail_bytes: z.int(),
        tail: z.enum(['none', 'torn', 'incomplete_batch']),
      })
      .nullable(),
  }),
  event('run.paused', { by: Origin, why: z.string() }),
  event('run.resumed', { by: Origin }),
  event('run.ended', {
    stop_reason: z.enum(STOP_REASONS),
    error: ErrorRecord.nullable(),
    /** One sentence: which limit, its value, what was spent; or what went wrong. */
    detail: z.string(),
  }),

  event('call.reserved', {
    ...CallFields,
    origin: z.string(),
    request_sha256: z.string(),
    inputs: CallInputs,
    bound_input_tokens: z.int(),
    max_output_tokens: z.int(),
    reserved_usd: usd,
  }),
  event('call.settled', {
    ...CallOutcome,
    /** Absent for embeddings. */
    finish_reason: z.string().optional(),
    /** The model's text; absent for embeddings. */
    answer: z.string().optional(),
    /** Base64 of little-endian float32 vectors, one per input, exact; absent for chat. */
    vectors: z.array(z.string()).optional(),
    /** Set where the provider's usage was missing, impossible or above the reservation. */
    usage_note: z.string().optional(),
  }),
  event('call.held', CallOutcome),
  event('call.released', CallOutcome),
  event('model.adapted', {
    feature: z.enum([
      'json_schema',
      'json_object',
      'temperature',
      'top_p',
      'seed',
      'max_completion_tokens',
      'max_tokens',
      'embeddings',
    ]),
    why: z.string(),
  }),

  event('task.created', {
    task_id: z.string(),
    text: z.string(),
    by: z.enum(['initial', 'loop', 'user']),
    parent_task_id: z.string().nullable(),
    /** `classic` only: the number the original would give it. */
    label: z.string().optional(),
    /** The queued task that it is put in front of; null: at the end. */
    before: z.string().nullable(),
    iteration: z.int(),
  }),
  event('task.started', { task_id: z.string(), iteration: z.int() }),
  event('task.completed', { task_id: z.string(), iteration: z.int(), call_id: z.string() }),
  event('task.failed', { task_id: z.string(), iteration: z.int(), error: ErrorRecord }),
  event('task.edited', { task_id: z.string(), text: z.string(), by: Origin }),
  event('task.removed', { task_id: z.string(), by: Origin, why: z.string() }),
  /** It waits at its place, and no iteration takes it. */
  event('task.blocked', { task_id: z.string(), by: Origin, why: z.string().optional() }),
  event('task.unblocked', { task_id: z.string(), by: Origin }),
  event('task.suppressed', {
    text: z.string(),
    duplicate_of: z.string().nullable(),
    similarity: z.number().nullable(),
    why: z.enum(['same_text', 'similar', 'too_many', 'queue_full']),
    parent_task_id: z.string().nullable(),
    iteration: z.int(),
  }),
  /** The named tasks take the places they hold together, in this order; all others stay where they are. */
  event('tasks.prioritized', { order: z.array(z.string()), by: Origin, call_id: z.string().nullable() }),
  /** `classic` only: the parsed reply replaces the whole list, whatever it lost or invented. `label` is the reply's id. */
  event('tasks.replaced', {
    tasks: z.array(z.object({ task_id: z.string(), label: z.string(), text: z.string() })),
    call_id: z.string(),
  }),
  event('reply.rejected', { call_id: z.string().nullable(), agent: Agent, why: z.string(), strike: z.int() }),

  event('memory.stored', {
    memory_id: z.string(),
    task_id: z.string(),
    /** The settled call whose answer is the result text. */
    call_id: z.string(),
  }),
  event('iteration.completed', { iteration: z.int(), task_id: z.string() }),
  event('checkpoint.saved', { iteration: z.int(), file: z.string() }),
  event('objective.judged', { call_id: z.string(), met: z.array(z.boolean()), complete: z.boolean() }),
  event('guidance.given', { text: z.string(), by: Origin }),

  event('review.requested', {
    review_id: z.string(),
    iteration: z.int(),
    digest: z.string(),
    /** Absent in older logs, which know `iterations` only. */
    reason: ReviewReason.optional(),
    /** The reason in words. */
    why: z.string(),
    /** With reason `first_use` only. */
    first_use: FirstUse.optional(),
  }),
  event('review.decided', {
    review_id: z.string(),
    digest: z.string(),
    decision: z.enum(['approve', 'stop']),
    by: Origin,
    via: z.string(),
  }),
  event('limit.reached', { limit: z.string(), value: z.number(), spent: z.number() }),
  event('limit.raised', {
    limit: z.enum(Object.keys(LIMIT_RANGES) as [LimitName]),
    from: z.number(),
    to: z.number(),
    by: Origin,
  }),
  /** The run was started without it. An event of its own: a program that does not know it yet sees a later version's. */
  event('limit.added', { limit: z.enum(OPTIONAL_LIMITS), to: z.number(), by: Origin }),

  event('notice.queued', {
    notice_id: z.string(),
    kind: z.string(),
    text: z.string(),
    /** Names of the channels that it is for. Absent in older logs. */
    channels: z.array(z.string()).optional(),
  }),
  event('notice.sent', { notice_id: z.string(), channel: z.string(), origin: z.string() }),
  event('notice.failed', { notice_id: z.string(), channel: z.string(), error: ErrorRecord, final: z.boolean() }),
  /** From here on its owner sends spans of the run to a collector there. */
  event('traces.started', { origin: z.string() }),
  /** Durable before a file is written below `output/`. */
  event('file.intended', { name: z.string(), sha256: z.string(), bytes: z.int(), task_id: z.string().nullable() }),
  event('file.refused', { name: z.string(), error: ErrorRecord, task_id: z.string().nullable() }),
  event('file.written', { name: z.string(), sha256: z.string(), bytes: z.int(), task_id: z.string().nullable() }),
] as const;

export const RunEvent = z.discriminatedUnion('type', EVENTS);
export type RunEvent = z.infer<typeof RunEvent>;
export type RunEventType = RunEvent['type'];

const KNOWN_TYPES: ReadonlySet<string> = new Set(EVENTS.flatMap(({ shape }) => [...shape.type.values]));
/** Of an event; others are of a later version. */
export const isKnownType = (type: string): boolean => KNOWN_TYPES.has(type);
export type RunEventOf<Type extends RunEventType> = Extract<RunEvent, { type: Type }>;

type EnvelopeKey = 'v' | 'seq' | 'epoch' | 'ts' | 'mono_ms' | 'run_id' | 'more';
export type DraftOf<Event> = Event extends unknown ? Omit<Event, EnvelopeKey> : never;
/** An event before the log gave it its place. */
export type EventDraft = DraftOf<RunEvent>;

/** A line of a later version: kept and shown as it is; it blocks resuming, not viewing. */
export interface UnknownEvent {
  readonly type: 'unknown';
  readonly seq: number;
  readonly raw: Readonly<Record<string, unknown>>;
}
