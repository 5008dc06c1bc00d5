import { picoFromUsd } from '../budget/money.ts';
import type { RunEvent, RunEventOf } from './events.ts';
import { FoldError } from './fold-error.ts';
import { type Call, callsMade, type RunState, stepKey } from './state.ts';

// What an event changes of the calls of a run, of its money and of its tokens.

export function reserve(state: RunState, event: RunEventOf<'call.reserved'>): void {
  const reserved = picoFromUsd(event.reserved_usd);
  if (state.calls.has(event.call_id)) throw new FoldError(event, 'call {0} exists', event.call_id);
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

export function settle(state: RunState, event: RunEventOf<'call.settled'>): void {
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

export function unsettled(state: RunState, event: RunEventOf<'call.held' | 'call.released'>): void {
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
  if (call.status !== 'reserved') throw new FoldError(event, 'call {0} is {1} already', call.id, call.status);
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

export function callOf(state: RunState, event: RunEvent, id: string): Call {
  const call = state.calls.get(id);
  if (!call) throw new FoldError(event, 'there is no call {0}', id);
  return call;
}

export function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}
