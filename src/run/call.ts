import { createHash } from 'node:crypto';
import { formatUsd, MAX_USD, type Pico, picoFromUsd, usdFromPico } from '../budget/money.ts';
import { tokenUpperBound } from '../budget/token-bound.ts';
import { admit, costOf, trustedUsage, worstCase } from '../budget/reservation.ts';
import { allowances, type Earmark, keyAllowance, NO_EARMARK, outOf } from './allowance.ts';
import type { Rates } from './config.ts';
import type { ErrorRecord, RunEventOf } from './events.ts';
import { messageOf } from './message.ts';
import {
  type ChatRequest,
  type Clock,
  type EmbeddingRequest,
  type KeyLedger,
  type LanguageModel,
  ModelError,
  type ModelReply,
  type PreparedRequest,
  type Random,
  type RunLog,
  StepFailed,
  type StepRequest,
  StopRun,
  type Tokens,
  type Usage,
} from './ports.ts';
import { firstRequestRetry, guardedRetry, isTransient, type RetryPolicy } from './retry.ts';
import { type Call, settledCall, stepKey } from './state.ts';
import { KEY_LIMIT } from './stop-reason.ts';

/** Tokens that a provider adds around each message and around the whole (OpenAI cookbook: 3 and 3), with a margin. */
const PER_MESSAGE = 16;
const PER_REQUEST = 64;

/** A step that was interrupted by a crash is sent again this often, then the run is quarantined. */
const MAX_INTERRUPTIONS = 3;

/** The longest single wait; limits are looked at after each. */
const LONGEST_WAIT_MS = 30_000;

/** What an aborted request gets to say whether it was billed. */
const LET_GO_MS = 250;

/** How a run ends that a person stopped while it waited for an answer. */
export const STOPPED_UNDER_WAY = 'Stopped while a request was under way.';

type CallFields = Pick<RunEventOf<'call.held'>, 'call_id' | 'agent' | 'task_id' | 'iteration' | 'model' | 'attempt'>;

export interface CallerParts {
  readonly log: RunLog;
  readonly model: LanguageModel;
  readonly tokens: Tokens;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** What other runs with the same key leave of its limit; null where the key has none. */
  readonly ledger?: KeyLedger | null;
}

/**
 * The way of every model request: use the logged answer if there is one; else reserve its worst case, make the
 * reservation durable, send once, and book the outcome. An attempt that fails books what it may have cost and, where
 * another may go better, reserves anew.
 */
export class Caller {
  private readonly parts: CallerParts;
  /** Token counts of the schemas, by name. */
  private readonly schemas = new Map<string, number>();
  /** Kept back for the closing synthesis, which must stay affordable whatever the loop does. By the limits as they are now. */
  earmark: () => Earmark = () => NO_EARMARK;
  retry: RetryPolicy | null = null;

  constructor(parts: CallerParts) {
    this.parts = parts;
  }

  /**
   * Throws StepFailed where this step cannot be had, StopRun where nothing further can. The request must have been made
   * from the state as it is now: so the log records it, for whoever makes it again.
   */
  async chat(step: StepRequest, request: ChatDraft, wanted?: number): Promise<Call> {
    const { config } = this.parts.log.state;
    const output = {
      wanted: wanted ?? config.parameters.max_completion_tokens,
      min: config.parameters.min_completion_tokens,
    };
    return this.settled(step, config.prices.chat, output, (maxOutputTokens) => chatRequest(request, maxOutputTokens));
  }

  async embed(step: StepRequest, texts: readonly string[]): Promise<Call> {
    const rates = this.parts.log.state.config.prices.embedding;
    if (rates === null) throw new StepFailed('unsupported', 'This run has no embedding model.');
    return this.settled(step, rates, { wanted: 0, min: 0 }, () => ({ kind: 'embedding', texts }));
  }

  private async settled(
    step: StepRequest,
    rates: Rates,
    output: { wanted: number; min: number },
    request: (maxOutputTokens: number) => ChatRequest | EmbeddingRequest,
  ): Promise<Call> {
    const { log, clock, random } = this.parts;
    const known = settledCall(log.state, step.iteration, step.step);
    if (known) return known;
    const madeAt = log.state.lastSeq;
    let spentMs = 0;
    for (let attempt = 1; ; ) {
      this.assertNotQuarantined(step);
      const remainingMs = this.remainingMs(spentMs);
      const started = clock.monotonic();
      const adaptations = log.state.adaptations.size;
      const outcome = await this.attempt(step, madeAt, rates, output, request, remainingMs);
      spentMs += clock.monotonic() - started;
      if (!(outcome instanceof ModelError)) return outcome;
      this.stopIfAborted(STOPPED_UNDER_WAY);
      if (outcome.feature === 'embeddings') throw new StepFailed('unsupported', outcome.message);
      // A server that refuses what is left out already gets no second chance.
      if (outcome.feature !== null && log.state.adaptations.size > adaptations) continue;
      const firstRequest = log.state.money.settled === 0n && log.state.attempts.size === 1;
      const policy = this.retry ?? (firstRequest ? firstRequestRetry : guardedRetry);
      const delay =
        outcome.reason === 'timeout' && this.retry === null ? null : policy(outcome, attempt, random, step.agent);
      if (delay === null) throw this.given(outcome, step);
      await this.backOff(delay);
      attempt += 1;
    }
  }

  /** Waits in slices, as a person may raise the time limit meanwhile, and a timer above 2^31 ms would fire at once. */
  private async backOff(delayMs: number): Promise<void> {
    const { clock, signal } = this.parts;
    for (let left = delayMs; left > 0; ) {
      const slice = Math.min(left, LONGEST_WAIT_MS, this.wallRemainingMs());
      if (slice <= 0) throw this.outOfTime();
      await clock.sleep(slice, signal);
      this.stopIfAborted('Stopped while waiting to try again.');
      left -= slice;
    }
  }

  /**
   * One reservation and at most one request, made from the state after event `madeAt`. `keyFree` is what the key's own limit
   * left at the last look, if it was too little.
   */
  private async attempt(
    step: StepRequest,
    madeAt: number,
    rates: Rates,
    output: { wanted: number; min: number },
    request: (maxOutputTokens: number) => ChatRequest | EmbeddingRequest,
    timeoutMs: number,
    keyFree: Pico | null = null,
  ): Promise<Call | ModelError> {
    const { log, model, clock, tokens, ledger } = this.parts;
    const { state } = log;
    const probe = request(output.wanted);
    let bound = this.inputBound(probe);
    const earmark = step.agent === 'synthesis' ? NO_EARMARK : this.earmark();
    const admitted = () => admit(allowances(state, rates, earmark, keyFree), bound, output);
    let admission = admitted();
    if (!tokens.loaded && ('shortOf' in admission || admission.maxOutputTokens < output.wanted)) {
      // Bytes are a coarse bound: where a limit is tight, it is worth counting.
      await tokens.ready();
      bound = this.inputBound(probe);
      admission = admitted();
    }
    const needs = (outputTokens: number) => ({ agent: step.agent, inputTokens: bound, outputTokens });
    if ('shortOf' in admission) throw outOf(admission.shortOf, needs(output.min), state.limits, ledger ?? null);
    const { maxOutputTokens } = admission;
    const reserved = worstCase(rates, bound, maxOutputTokens);
    const prepared = model.prepare(request(maxOutputTokens), state.adaptations);
    const callId = `c${state.calls.size + 1}`;
    const fields = {
      call_id: callId,
      agent: step.agent,
      task_id: step.taskId,
      iteration: step.iteration,
      model: prepared.model,
      attempt: (state.attempts.get(stepKey(step.iteration, step.step))?.length ?? 0) + 1,
    };
    log.append({
      type: 'call.reserved',
      ...fields,
      step: step.step,
      origin: prepared.origin,
      request_sha256: createHash('sha256').update(prepared.body).digest('hex'),
      inputs: state.lastSeq === madeAt ? step.inputs : { ...step.inputs, state_seq: madeAt },
      bound_input_tokens: bound,
      max_output_tokens: maxOutputTokens,
      reserved_usd: usdFromPico(reserved),
    });
    await log.barrier();
    const left = await this.drawOnKey(fields, reserved);
    if (left !== null) {
      // A shorter answer may fit into what the others left.
      if (left >= reserved)
        throw outOf(keyAllowance(rates, left), needs(maxOutputTokens), state.limits, ledger ?? null);
      return this.attempt(step, madeAt, rates, output, request, timeoutMs, left);
    }
    const sentAt = clock.monotonic();
    const latency = () => Math.round((clock.monotonic() - sentAt) * 10) / 10;
    try {
      const [{ reply, latencyMs }] = await Promise.all([
        this.sendOnce(prepared, timeoutMs).then((answered) => ({ reply: answered, latencyMs: latency() })),
        tokens.ready(),
      ]);
      this.settle(
        fields,
        rates,
        { reserved, maxOutputTokens, bound },
        this.countedUsage(probe, reply),
        reply,
        latencyMs,
      );
      return this.callOf(callId);
    } catch (error) {
      if (!(error instanceof ModelError)) {
        // A fault of ours: what the request costs is unknown, and no reservation stays open.
        if (this.callOf(callId).status === 'reserved') {
          this.bookUnsettled('call.held', fields, reserved, latency(), {
            class: 'internal',
            message: 'An unexpected error hid the outcome.',
          });
        }
        throw error;
      }
      const outcome = error.unbilled ? 'call.released' : 'call.held';
      this.bookUnsettled(outcome, fields, error.unbilled ? 0n : reserved, latency(), recordOf(error));
      if (error.feature !== null && !state.adaptations.has(error.feature)) {
        log.append({ type: 'model.adapted', feature: error.feature, why: error.message });
      }
      return error;
    } finally {
      const { status, cost } = this.callOf(callId);
      if (status !== 'reserved') await ledger?.settle(callId, status, cost);
    }
  }

  /**
   * The limit of the key itself comes last: what is counted there may really be sent. Null where the request may leave,
   * else what is free. Throws StopRun where the ledger cannot say.
   */
  private async drawOnKey(fields: CallFields, reserved: Pico): Promise<Pico | null> {
    const { ledger } = this.parts;
    if (!ledger) return null;
    try {
      const { admitted, free } = await ledger.reserve(reserved, fields.call_id);
      if (admitted) return null;
      const message = `${formatUsd(reserved, 'up')} does not fit: ${formatUsd(free < 0n ? 0n : free)} of ${ledger.limit} is free.`;
      this.bookUnsettled('call.released', fields, 0n, null, { class: KEY_LIMIT, message });
      return free;
    } catch (error) {
      const record = { class: 'key_ledger', message: messageOf(error) };
      if (this.callOf(fields.call_id).status === 'reserved')
        this.bookUnsettled('call.released', fields, 0n, null, record);
      throw new StopRun('error', record.message, record);
    }
  }

  private async sendOnce(prepared: PreparedRequest, timeoutMs: number): Promise<ModelReply> {
    const { model, signal, clock } = this.parts;
    if (signal.aborted) throw new ModelError('aborted', 'Stopped before the request left.', { unbilled: true });
    let onAbort = (): void => undefined;
    let stopWaiting = (): void => undefined;
    // A keyring that never answers must not hold up a stop.
    const stuck = new Promise<never>((_resolve, reject) => {
      onAbort = () => {
        const letGo = new AbortController();
        stopWaiting = () => letGo.abort();
        void clock.sleep(LET_GO_MS, letGo.signal).then(() => {
          const message = 'The request did not end by itself when the run was stopped.';
          reject(new ModelError('aborted', message, { unbilled: false }));
        });
      };
    });
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([model.send(prepared, { timeoutMs, signal }), stuck]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      stopWaiting();
    }
  }

  private bookUnsettled(
    type: 'call.held' | 'call.released',
    fields: CallFields,
    cost: Pico,
    latencyMs: number | null,
    error: ErrorRecord,
  ): void {
    this.parts.log.append({
      type,
      ...fields,
      input_tokens: null,
      cached_tokens: null,
      output_tokens: null,
      latency_ms: latencyMs,
      cost_usd: usdFromPico(cost),
      system_fingerprint: null,
      error,
    });
  }

  private settle(
    fields: CallFields,
    rates: Rates,
    admission: { reserved: Pico; maxOutputTokens: number; bound: number },
    counted: Usage,
    reply: ModelReply,
    latencyMs: number,
  ): void {
    const reported = reply.usage !== null && isCredible(reply.usage, counted) ? reply.usage : null;
    const { usage, note } = trustedUsage(reported, this.parts.tokens.exact ? counted : null, {
      inputTokens: admission.bound,
      outputTokens: admission.maxOutputTokens,
    });
    // A longer prompt may be cheaper a token, so the reservation is more than its own tokens may cost.
    const cost = reported === null ? admission.reserved : bookable(costOf(rates, usage));
    const above = cost > admission.reserved;
    this.parts.log.append({
      type: 'call.settled',
      ...fields,
      model: reply.model,
      input_tokens: usage.inputTokens,
      cached_tokens: usage.cachedTokens,
      output_tokens: usage.outputTokens,
      latency_ms: latencyMs,
      cost_usd: usdFromPico(cost),
      system_fingerprint: reply.fingerprint,
      error: null,
      ...(reply.finishReason === null ? {} : { finish_reason: reply.finishReason }),
      ...(reply.text === null ? {} : { answer: reply.text }),
      ...(reply.vectors === null ? {} : { vectors: reply.vectors.map(base64OfVector) }),
      ...(above ? { usage_note: 'above the reservation' } : note === null ? {} : { usage_note: note }),
    });
    if (above) {
      throw new StopRun(
        'error',
        `The server reported usage above the reservation of ${formatUsd(admission.reserved)}: ${formatUsd(cost)}.`,
        {
          class: 'usage_above_reservation',
          message:
            'The server used more tokens than the request allowed, so its bill cannot be bounded: do not use it with a cost limit.',
        },
      );
    }
  }

  /** Upper bound of the prompt tokens: the texts, the schema, and what a provider adds around them. */
  private inputBound(request: ChatRequest | EmbeddingRequest): number {
    if (request.kind === 'embedding') {
      // Counts are the chat model's; the embedding model may need more tokens for the same text.
      return request.texts.reduce((sum, text) => sum + tokenUpperBound(text) + PER_MESSAGE, PER_REQUEST);
    }
    return request.messages.reduce(
      (sum, { content }) => sum + this.count(content) + PER_MESSAGE,
      PER_REQUEST + this.schemaTokens(request),
    );
  }

  /** Exact where the encoding is known and its tables are read; else bytes, which tokens never outnumber. */
  private count(text: string): number {
    const { tokens } = this.parts;
    return tokens.exact && tokens.loaded ? tokens.count(text) : tokenUpperBound(text);
  }

  private schemaTokens({ schema }: ChatRequest): number {
    if (schema === null) return 0;
    const known = this.schemas.get(schema.name);
    if (known !== undefined) return known;
    const count = this.count(JSON.stringify(schema.schema));
    if (this.parts.tokens.loaded) this.schemas.set(schema.name, count);
    return count;
  }

  /** The tokens of the texts alone, by our own count: what was used at the least, or about that where the encoding is not known. */
  private countedUsage(request: ChatRequest | EmbeddingRequest, reply: ModelReply): Usage {
    const { tokens } = this.parts;
    const texts = request.kind === 'chat' ? request.messages.map((message) => message.content) : request.texts;
    const inputTokens = texts.reduce((sum, text) => sum + tokens.count(text), 0);
    return { inputTokens, cachedTokens: 0, outputTokens: reply.text === null ? 0 : tokens.count(reply.text) };
  }

  private stopIfAborted(detail: string): void {
    if (this.parts.signal.aborted) throw new StopRun('stopped_by_user', detail);
  }

  private outOfTime(): StopRun {
    return new StopRun(
      'max_wall_time',
      `The limit of ${this.parts.log.state.limits.max_wall_time_minutes} minutes was reached.`,
    );
  }

  private wallRemainingMs(): number {
    const { log } = this.parts;
    return log.state.limits.max_wall_time_minutes * 60_000 - log.activeMs();
  }

  /** What is left of the task timeout and of the time limit for the next request. */
  private remainingMs(spentMs: number): number {
    const wall = this.wallRemainingMs();
    if (wall <= 0) throw this.outOfTime();
    const { task_timeout_seconds } = this.parts.log.state.limits;
    const task = task_timeout_seconds * 1000 - spentMs;
    if (task <= 0) throw new StepFailed('timeout', `No answer within the task timeout of ${task_timeout_seconds} s.`);
    return Math.min(wall, task);
  }

  private assertNotQuarantined(step: StepRequest): void {
    const { state } = this.parts.log;
    const attempts = state.attempts.get(stepKey(step.iteration, step.step)) ?? [];
    const interrupted = attempts.filter((id) => {
      const call = state.calls.get(id);
      return call?.error?.class === 'interrupted_by_crash' && call.reservedSeq > state.interruptionsForgivenAt;
    }).length;
    if (interrupted >= MAX_INTERRUPTIONS) {
      throw new StopRun(
        'quarantined',
        `The ${step.agent} request of iteration ${step.iteration} was interrupted ${interrupted} times.`,
      );
    }
  }

  /** What a failure that is not tried again means for the run. */
  private given(error: ModelError, step: StepRequest): StepFailed | StopRun {
    switch (error.reason) {
      case 'no_key':
        return new StopRun('waiting_for_key', error.message, recordOf(error));
      case 'timeout':
        return this.wallRemainingMs() <= 0 ? this.outOfTime() : new StepFailed('timeout', error.message);
      case 'context_too_long':
      case 'content_refused':
      case 'bad_reply':
        return new StepFailed(error.reason, error.message);
      case 'aborted':
        return new StopRun('stopped_by_user', error.message);
      case 'unsupported':
        return new StepFailed('unsupported', error.message);
      case 'not_an_api':
      case 'bad_key':
      case 'quota':
      case 'model_not_found':
      case 'bad_request':
      case 'origin_refused':
      case 'rate_limited':
      case 'unreachable':
      case 'interrupted':
      case 'server_error': {
        // An embedding is a convenience: without one the result is still stored, and recall turns lexical.
        if (
          step.agent === 'embedding' &&
          (isTransient(error) || error.reason === 'model_not_found' || error.reason === 'bad_request')
        ) {
          return new StepFailed(error.reason, error.message);
        }
        return new StopRun('error', error.message, recordOf(error));
      }
    }
  }

  private callOf(id: string): Call {
    const call = this.parts.log.state.calls.get(id);
    if (!call) throw new Error(`call ${id} vanished`);
    return call;
  }
}

/** A chat request, but for the length that the limits leave its answer. */
export type ChatDraft = Omit<ChatRequest, 'kind' | 'maxOutputTokens'>;

export function chatRequest(draft: ChatDraft, maxOutputTokens: number): ChatRequest {
  return { kind: 'chat', ...draft, maxOutputTokens };
}

/** The prompt tokens that a chat request of two messages would reserve at the most for texts of so many. */
export function chatBound(textTokens: number): number {
  return textTokens + PER_REQUEST + 2 * PER_MESSAGE;
}

/** No encoding needs a quarter of another's tokens: figures below that are of some other request, or of none. */
function isCredible(reported: Usage, counted: Usage): boolean {
  return reported.inputTokens * 4 >= counted.inputTokens && reported.outputTokens * 4 >= counted.outputTokens;
}

/** What a log can hold: a server may claim any usage. */
function bookable(cost: Pico): Pico {
  const most = picoFromUsd(MAX_USD);
  return cost < most ? cost : most;
}

function recordOf(error: ModelError): ErrorRecord {
  return { class: error.reason, message: error.message };
}

function base64OfVector(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
}
