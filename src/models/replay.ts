import { reportedUsage } from '../budget/reservation.ts';
import type { RunConfig } from '../run/config.ts';
import type { ErrorRecord, RunEventOf } from '../run/events.ts';
import {
  type LanguageModel,
  MODEL_ERROR_REASONS,
  ModelError,
  type ModelReply,
  type ModelRequest,
  type PreparedRequest,
} from '../run/ports.ts';
import type { RunState } from '../run/state.ts';
import { requestBody } from './request-body.ts';

/** What became of a request, as its log has it. */
export type CallOutcome = RunEventOf<'call.settled' | 'call.held' | 'call.released'>;

/** An outcome, with what the log says of it by what came next. */
export interface RecordedOutcome {
  readonly outcome: CallOutcome;
  /** What the server would not take in a request. */
  readonly feature: ModelError['feature'];
  /** Set where another attempt was to follow. */
  readonly retryAfterMs: number | null;
}

/** Gives the recorded answers and failures again: no network, no key, no money. */
export class ReplayModel implements LanguageModel {
  private readonly config: RunConfig;
  private readonly recorded: () => Promise<RecordedOutcome>;

  /** `recorded`: what became of the request that was reserved last. */
  constructor(config: RunConfig, recorded: () => Promise<RecordedOutcome>) {
    this.config = config;
    this.recorded = recorded;
  }

  prepare(request: ModelRequest, adaptations: RunState['adaptations']): PreparedRequest {
    const { model, embedding } = this.config;
    return {
      request,
      model:
        model.provider === 'openai' && request.kind === 'embedding'
          ? (embedding?.model ?? model.requested)
          : model.requested,
      origin: model.provider === 'openai' ? new URL(model.base_url).origin : model.base_url,
      body: requestBody(this.config, request, adaptations),
    };
  }

  async send(): Promise<ModelReply> {
    const { outcome, feature, retryAfterMs } = await this.recorded();
    if (outcome.type === 'call.settled') return replyOf(outcome);
    const { class: reason, message } = outcome.error ?? UNKNOWN;
    const known = MODEL_ERROR_REASONS.find((one) => one === reason);
    // The program itself failed there.
    if (known === undefined) throw new Error(message);
    const unbilled = outcome.type === 'call.released';
    throw new ModelError(known, message, { unbilled, retryAfterMs, ...(feature === null ? {} : { feature }) });
  }
}

const UNKNOWN: ErrorRecord = { class: 'unknown', message: 'The log does not say what went wrong.' };

function replyOf(settled: RunEventOf<'call.settled'>): ModelReply {
  const { model, system_fingerprint, finish_reason, answer, vectors, usage_note } = settled;
  const booked = {
    inputTokens: settled.input_tokens ?? 0,
    cachedTokens: settled.cached_tokens ?? 0,
    outputTokens: settled.output_tokens ?? 0,
  };
  return {
    model,
    fingerprint: system_fingerprint,
    finishReason: finish_reason ?? null,
    text: answer ?? null,
    vectors: vectors?.map(vectorOf) ?? null,
    usage: reportedUsage(booked, usage_note ?? null),
  };
}

function vectorOf(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  // A copy: a view needs an offset that is a multiple of four.
  return new Float32Array(new Uint8Array(bytes).buffer, 0, bytes.length >> 2);
}
