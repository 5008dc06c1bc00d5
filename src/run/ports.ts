import type { Pico } from '../budget/money.ts';
import type { Agent, CallInputs, ErrorRecord, EventDraft, RunEvent, RunEventOf } from './events.ts';
import type { RunState } from './state.ts';
import type { ReachedLimit, StopReason } from './stop-reason.ts';
import { TranslatableError } from './translate.ts';

/** What the loop needs from the world. The composition roots hand in the adapters. */

export interface Clock {
  /** Wall time, milliseconds since 1970. */
  now(): number;
  /** Monotonic time, milliseconds; does not count while the machine sleeps. */
  monotonic(): number;
  /** Resolves after that many milliseconds, or at once when aborted; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Uniform numbers in [0, 1). */
export type Random = () => number;

/** The run log as its owner sees it: the only way to change a run. */
export interface RunLog {
  readonly state: RunState;
  /** Active time of the run until now, milliseconds: all epochs, without the time that nobody ran it. */
  activeMs(): number;
  /** One batch: applied to the state at once, written soon, counted as a whole or not at all. */
  append(...drafts: EventDraft[]): void;
  /** Resolves once all that was appended is on disk and nobody else owns the run. Throws StopRun otherwise. */
  barrier(): Promise<void>;
  /** Called after each event was handed to the operating system. Returns the function that ends it. */
  subscribe(listener: (event: RunEvent) => void): () => void;
}

export interface ChatMessage {
  readonly role: 'system' | 'user';
  readonly content: string;
}

export interface ChatRequest {
  readonly kind: 'chat';
  readonly messages: readonly ChatMessage[];
  readonly maxOutputTokens: number;
  /** JSON Schema of the answer, where the agent wants a structured one. */
  readonly schema: { readonly name: string; readonly schema: Readonly<Record<string, unknown>> } | null;
  readonly temperature: number;
  readonly topP: number | null;
  readonly seed: number | null;
}

export interface EmbeddingRequest {
  readonly kind: 'embedding';
  readonly texts: readonly string[];
}

export type ModelRequest = ChatRequest | EmbeddingRequest;

/** A request as the exact bytes that would leave. */
export interface PreparedRequest {
  readonly request: ModelRequest;
  readonly model: string;
  readonly origin: string;
  readonly body: Uint8Array;
}

export interface Usage {
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
}

export interface ModelReply {
  /** The model that the server says answered. */
  readonly model: string;
  readonly fingerprint: string | null;
  readonly finishReason: string | null;
  readonly text: string | null;
  readonly vectors: readonly Float32Array[] | null;
  /** Null where the server sent none, or an impossible one. */
  readonly usage: Usage | null;
}

export interface LanguageModel {
  prepare(request: ModelRequest, adaptations: RunState['adaptations']): PreparedRequest;
  /** One HTTP request at the most. Throws ModelError. */
  send(prepared: PreparedRequest, options: { timeoutMs: number; signal: AbortSignal }): Promise<ModelReply>;
}

export const MODEL_ERROR_REASONS = [
  'no_key',
  'bad_key',
  'quota',
  'rate_limited',
  'model_not_found',
  'context_too_long',
  'content_refused',
  'unsupported',
  'bad_request',
  'origin_refused',
  'unreachable',
  'timeout',
  'interrupted',
  'server_error',
  'bad_reply',
  'not_an_api',
  'aborted',
] as const;

export type ModelErrorReason = (typeof MODEL_ERROR_REASONS)[number];

export class ModelError extends Error {
  readonly reason: ModelErrorReason;
  /** True where the provider certainly did not bill the request. */
  readonly unbilled: boolean;
  readonly retryAfterMs: number | null;
  /** Set with reason `unsupported`: what to leave out of the next request. */
  readonly feature: RunEventOf<'model.adapted'>['feature'] | null;

  constructor(
    reason: ModelErrorReason,
    message: string,
    options: { unbilled: boolean; retryAfterMs?: number | null; feature?: RunEventOf<'model.adapted'>['feature'] },
  ) {
    super(message);
    this.name = 'ModelError';
    this.reason = reason;
    this.unbilled = options.unbilled;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.feature = options.feature ?? null;
  }
}

/** Token counts for the model of a run. */
export interface Tokens {
  /** False for models whose encoding is not known; then counts are estimates and bounds are byte counts. */
  readonly exact: boolean;
  /** Whether the tables are read; until then nothing below may be called. */
  readonly loaded: boolean;
  /** Reads the tables, once. The first request need not wait for them. */
  ready(): Promise<void>;
  count(text: string): number;
  /** The text, or its beginning and end around a mark, in at most that many tokens. */
  excerpt(text: string, tokens: number): string;
  /** The beginning of the text, in at most that many tokens. */
  head(text: string, tokens: number): string;
}

/** What all runs and windows of this machine together may spend with one key. */
export interface KeyLedger {
  /** Which limit it is, for people: `the limit of $5.00 a day for this API key`. */
  readonly limit: string;
  readonly limitPerDay: Pico;
  /**
   * Resolves once the reservation is durable and decided. `free` is what the limit left just before it, below 0
   * where others went by a higher one. Call ids are unique for this object. Throws where it cannot be written: then nothing may be sent.
   */
  reserve(amount: Pico, callId: string): Promise<{ readonly admitted: boolean; readonly free: Pico }>;
  /** What became of an admitted reservation. Never rejects: an outcome that cannot be written leaves the amount held. */
  settle(callId: string, outcome: 'settled' | 'held' | 'released', cost: Pico): Promise<void>;
}

/** Stored results and task texts, found by likeness. A projection of the state that keeps vectors ready. */
export interface Memory {
  /** The best stored results for a task, best first. */
  recall(taskId: string, count: number): readonly string[];
  /** The stored results nearest to a vector in the state (`objective`), best first. */
  nearest(what: string, count: number): readonly string[];
  /** The known task, in whatever state, with that normalised text. */
  taskWithText(normalizedText: string): string | undefined;
  /** The known task most like the vector at that place of a settled call, and the cosine. */
  mostSimilarTask(callId: string, index: number): { readonly taskId: string; readonly similarity: number } | null;
}

/** Ends the run with a reason, from wherever it is thrown. */
export class StopRun extends Error {
  readonly reason: StopReason;
  readonly error: ErrorRecord | null;
  /** Which limit it was, where that is none of the run's own. */
  readonly limit: ReachedLimit | null;
  constructor(reason: StopReason, detail: string, error: ErrorRecord | null = null, limit: ReachedLimit | null = null) {
    super(detail);
    this.name = 'StopRun';
    this.reason = reason;
    this.error = error;
    this.limit = limit;
  }
}

/** Ends this process's part in the run without a word in the log: somebody else owns it, or it cannot be written. */
export class RunLost extends TranslatableError {
  readonly reason: 'not_owner' | 'log_failed';
  /** The system's error code, with reason `log_failed`: `ENOSPC`, `EIO`, … */
  readonly code: string | null;
  constructor(reason: RunLost['reason'], words: RunLost['words'], code: string | null = null) {
    super(words);
    this.name = 'RunLost';
    this.reason = reason;
    this.code = code;
  }
}

/** A step that cannot be had: the task fails, the run goes on. */
export class StepFailed extends Error {
  readonly reason: ErrorRecord['class'];
  constructor(reason: string, message: string) {
    super(message);
    this.name = 'StepFailed';
    this.reason = reason;
  }
}

/** One request of an agent, as a strategy asks for it. */
export interface StepRequest {
  readonly step: string;
  readonly agent: Agent;
  readonly taskId: string | null;
  readonly iteration: number;
  readonly inputs: CallInputs;
}
