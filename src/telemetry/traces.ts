import { createHash } from 'node:crypto';
import { usdFromPico } from '../budget/money.ts';
import type { RunEvent } from '../run/events.ts';
import { kindOfEnd } from '../run/notice.ts';
import { type Call, callsMade, type RunState } from '../run/state.ts';
import { VERSION } from '../run/version.ts';
import {
  amount,
  attributes,
  bounded,
  KIND,
  nanoseconds,
  type Span,
  STATUS_ERROR,
  text,
  texts,
  tracesJson,
  whole,
} from './otlp.ts';

// Names are those of the semantic conventions for generative AI, and `babyagi.…` for what these have no name for.
const NAME = 'babyagi';
const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.41.0';

/** As OTLP/JSON. */
export function tracesOf(spans: readonly Span[]): string {
  const resource = attributes({ 'service.name': text(NAME), 'service.version': text(VERSION) });
  return tracesJson(resource, { name: NAME, version: VERSION, schemaUrl: SCHEMA_URL }, spans);
}

/**
 * A run as spans: itself, its iterations, its calls. Read out of its state, with ids that follow from what they name, so that
 * a span that is made twice is the same one. What is under way ends where the log does; what a fork took over belongs to the
 * other run. No objective, task, prompt or answer is among them.
 */
export function spansOf(state: RunState): Span[] {
  const { forked_from: forked } = state.config;
  const iterations = state.iterations.filter(({ iteration }) => iteration > (forked?.iteration ?? 0));
  const calls = [...state.calls.values()].slice(forked?.calls ?? 0);
  return [
    runSpan(state),
    ...iterations.map((record) => iterationSpan(state, record)),
    ...iterationInHand(state),
    ...calls.map((call) => callSpan(state, call)),
  ];
}

/** Those that are complete with this event, which the state knows already. */
export function spansEndedBy(state: RunState, event: RunEvent): Span[] {
  if (event.seq <= (state.config.forked_from?.through ?? 0)) return [];
  switch (event.type) {
    case 'call.settled':
    case 'call.held':
    case 'call.released': {
      const call = state.calls.get(event.call_id);
      return call === undefined ? [] : [callSpan(state, call)];
    }
    case 'iteration.completed': {
      const record = state.iterations.findLast(({ iteration }) => iteration === event.iteration);
      return record === undefined ? [] : [iterationSpan(state, record)];
    }
    case 'run.ended':
      return [...iterationInHand(state), runSpan(state)];
    default:
      return [];
  }
}

function runSpan(state: RunState): Span {
  const { config, end, money, limits, iteration } = state;
  const { model, forked_from: forked } = config;
  const calls = [...state.calls.values()].slice(forked?.calls ?? 0);
  const sum = (read: (call: Call) => number) => calls.reduce((total, call) => total + read(call), 0);
  const failed = end !== null && kindOfEnd(end.reason, state.review !== null) === 'failed';
  return {
    ...place(state, 'run', null),
    name: `invoke_workflow ${NAME}`,
    kind: KIND.internal,
    ...times(state.startedAt, end?.at ?? state.updatedAt),
    attributes: attributes({
      'gen_ai.operation.name': text('invoke_workflow'),
      'gen_ai.workflow.name': text(NAME),
      'gen_ai.provider.name': text(model.provider),
      'gen_ai.request.model': text(model.requested),
      'babyagi.run_id': text(config.run_id),
      'babyagi.strategy': text(config.strategy),
      'babyagi.status': text(state.status),
      'babyagi.stop_reason': end && text(end.reason),
      'babyagi.iterations': whole(iteration),
      'babyagi.max_iterations': whole(limits.max_iterations),
      'babyagi.calls': whole(callsMade(state)),
      'babyagi.input_tokens': whole(sum((call) => call.inputTokens)),
      'babyagi.output_tokens': whole(sum((call) => call.outputTokens)),
      'babyagi.cost_usd': amount(usdFromPico(money.settled + money.held)),
      'babyagi.held_usd': amount(usdFromPico(money.held)),
      'babyagi.max_cost_usd': amount(limits.max_cost_usd),
      'error.type': failed ? text(end.error?.class ?? end.reason) : null,
    }),
    ...(forked && { links: [{ traceId: traceIdOf(forked.run_id), spanId: spanIdOf(forked.run_id, 'run') }] }),
    ...(failed && ERROR),
  };
}

type Iteration = Pick<RunState['iterations'][number], 'iteration' | 'taskId' | 'since' | 'at'> &
  Partial<Pick<RunState['iterations'][number], 'failed' | 'cost'>>;

function iterationSpan(state: RunState, { iteration, taskId, since, at, failed, cost }: Iteration): Span {
  const error = failed === true ? (state.tasks.get(taskId)?.error ?? null) : null;
  return {
    ...place(state, iterationPlace(iteration), 'run'),
    name: 'iteration',
    kind: KIND.internal,
    ...times(since, at),
    attributes: attributes({
      'babyagi.run_id': text(state.config.run_id),
      'babyagi.iteration': whole(iteration),
      'babyagi.task_id': text(taskId),
      'babyagi.status': text(failed === undefined ? 'interrupted' : failed ? 'failed' : 'done'),
      'babyagi.cost_usd': cost === undefined ? null : amount(usdFromPico(cost)),
      'error.type': error && text(error.class),
    }),
    ...(failed === true && ERROR),
  };
}

/** The one that the log ends in, if it does. */
function iterationInHand(state: RunState): Span[] {
  const { current, end, updatedAt } = state;
  return current === null ? [] : [iterationSpan(state, { ...current, at: end?.at ?? updatedAt })];
}

function callSpan(state: RunState, call: Call): Span {
  const { config } = state;
  const isEmbedding = call.agent === 'embedding';
  const operation = isEmbedding ? 'embeddings' : 'chat';
  const requested = isEmbedding ? (config.embedding?.model ?? config.model.requested) : config.model.requested;
  const settled = call.status === 'settled';
  const failed = call.status === 'held' || call.status === 'released';
  return {
    ...place(state, `call/${call.id}`, isInIteration(state, call) ? iterationPlace(call.iteration) : 'run'),
    name: `${operation} ${bounded(requested)}`,
    kind: KIND.client,
    ...lasting(call, state.updatedAt),
    attributes: attributes({
      'gen_ai.operation.name': text(operation),
      'gen_ai.provider.name': text(config.model.provider),
      'gen_ai.agent.name': text(call.agent),
      'gen_ai.request.model': text(requested),
      'gen_ai.request.max_tokens': isEmbedding ? null : whole(call.maxOutputTokens),
      'gen_ai.response.model': settled ? text(call.model) : null,
      'gen_ai.response.finish_reasons': call.finishReason === null ? null : texts([call.finishReason]),
      'gen_ai.usage.input_tokens': settled ? whole(call.inputTokens) : null,
      'gen_ai.usage.cache_read.input_tokens': settled ? whole(call.cachedTokens) : null,
      'gen_ai.usage.output_tokens': settled && !isEmbedding ? whole(call.outputTokens) : null,
      ...serverOf(call.origin),
      'error.type': failed ? text(call.error?.class ?? '_OTHER') : null,
      'babyagi.run_id': text(config.run_id),
      'babyagi.call_id': text(call.id),
      'babyagi.iteration': whole(call.iteration),
      'babyagi.task_id': call.taskId === null ? null : text(call.taskId),
      'babyagi.attempt': whole(call.attempt),
      'babyagi.status': text(call.status),
      'babyagi.cost_usd': amount(usdFromPico(call.cost)),
      'babyagi.reserved_usd': amount(usdFromPico(call.reserved)),
    }),
    ...(failed && ERROR),
  };
}

/** Verdicts and the closing answer belong to no task, and come between iterations. */
function isInIteration({ iterations, current }: RunState, { taskId, iteration }: Call): boolean {
  return taskId !== null && (current?.iteration === iteration || iterations[iteration - 1]?.iteration === iteration);
}

function serverOf(origin: string) {
  if (!/^https?:/.test(origin) || !URL.canParse(origin)) return {};
  const { protocol, hostname, port } = new URL(origin);
  return {
    'server.address': text(hostname.replace(/^\[|\]$/g, '')),
    'server.port': whole(port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)),
  };
}

/**
 * By the latency, which no stepped clock changes. Without one it never left, or nobody knows how long it took: no time. In whole
 * milliseconds, as all times of a log are: so it is over before what came next.
 */
function lasting({ reservedAt, latencyMs, status }: Call, now: string) {
  if (status === 'reserved') return times(reservedAt, now);
  const start = nanoseconds(reservedAt);
  const ms = Math.floor(latencyMs ?? 0);
  return between(start, start + (Number.isSafeInteger(ms) ? BigInt(ms) * 1_000_000n : 0n));
}

function times(from: string, to: string) {
  return between(nanoseconds(from), nanoseconds(to));
}

/** A clock may have been set back meanwhile. */
function between(start: bigint, end: bigint) {
  return { startTimeUnixNano: String(start), endTimeUnixNano: String(end > start ? end : start) };
}

const ERROR = { status: { code: STATUS_ERROR } } as const;

function place({ config: { run_id } }: RunState, what: string, parent: string | null) {
  return {
    traceId: traceIdOf(run_id),
    spanId: spanIdOf(run_id, what),
    ...(parent !== null && { parentSpanId: spanIdOf(run_id, parent) }),
  };
}

const iterationPlace = (iteration: number): string => `iteration/${iteration}`;

/** The digits of the UUID that a run id is. */
function traceIdOf(runId: string): string {
  const digits = runId.replaceAll('-', '').toLowerCase();
  return /^[0-9a-f]{32}$/.test(digits) ? digits : hashed(runId, 32);
}

function spanIdOf(runId: string, what: string): string {
  return hashed(`${runId}/${what}`, 16);
}

function hashed(what: string, digits: number): string {
  return createHash('sha256').update(what).digest('hex').slice(0, digits);
}
