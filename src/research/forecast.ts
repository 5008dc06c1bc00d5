import { synthesisEarmark, synthesize } from '../agents/synthesis.ts';
import { assemble } from '../engine/assembly.ts';
import { formatUsd, type Pico, picoFromUsd, usdFromPico } from '../budget/money.ts';
import { RunMemory } from '../memory/run-memory.ts';
import { RehearsalModel } from '../models/rehearsal.ts';
import { questionOf } from '../models/rehearsal-question.ts';
import { capOf, DRAWN_LIMITS, takenBy } from '../run/drawn.ts';
import type { RunConfig } from '../run/config.ts';
import type { EventDraft, RunEvent } from '../run/events.ts';
import { firstTask } from '../run/first-task.ts';
import { LIMIT_WORDS } from '../run/limits.ts';
import { runLoop } from '../run/loop.ts';
import {
  type Clock,
  type LanguageModel,
  type ModelReply,
  type PreparedRequest,
  type RunLog,
  StopRun,
  type Tokens,
} from '../run/ports.ts';
import { apply } from '../run/fold.ts';
import { type Call, initialState, type RunState } from '../run/state.ts';
import { type Course, type CourseLimit, firstReached } from './course.ts';
import type { WorkspaceReader } from '../tools/workspace.ts';

/** What models give as the result of a task, by long experience with the default prompts: some 250 words. */
export const TYPICAL_ANSWER_TOKENS = 350;
/** Iterations that are rehearsed; the cost of one changes little from then on. */
const REHEARSED = 5;
/** Files of the workspace that are looked at: the tasks need a subject, their cost does not depend on which. */
const FILES = 40;
/** So much that the rehearsal itself never meets a limit. */
const LIMITLESS = { max_cost_usd: 1000, max_wall_time_minutes: 43_200, task_timeout_seconds: 86_400 } as const;

export interface Forecast {
  /** Most likely total, the closing answer included; never above the cost limit. */
  readonly expectedUsd: number;
  /** If every request took all that is reserved for it and none were repeated; never above the cost limit, which holds whatever happens. */
  readonly worstUsd: number;
  readonly perIterationUsd: number;
  /** Most likely numbers of requests, and of tokens of prompts and answers together, the closing answer included. */
  readonly requests: number;
  readonly tokens: number;
  /** The iteration limit, up to which the figures are. */
  readonly iterations: number;
  /** Complete iterations after which a limit of cost, requests or tokens probably ends the run; null: none does. */
  readonly endsAfter: number | null;
  /** Which of them; null: none. */
  readonly endsBy: CourseLimit | null;
  readonly basis: {
    readonly rehearsedIterations: number;
    readonly answerTokens: number;
    readonly model: string;
    readonly priceSource: string;
    readonly priceAsOf: string;
  };
}

export interface ForecastParts {
  readonly tokens: Tokens;
  readonly workspace: WorkspaceReader;
  readonly signal: AbortSignal;
}

/** Rehearses the beginning of a run in memory and reckons the rest. Throws the reason of the signal where it is aborted. */
export async function forecast(config: RunConfig, parts: ForecastParts): Promise<Forecast> {
  await parts.tokens.ready();
  const { state, synthesis } = await rehearse(config, parts);
  parts.signal.throwIfAborted();
  const { max_iterations: iterations, max_cost_usd } = config.limits;
  const cap = picoFromUsd(max_cost_usd);
  const costs = state.iterations.map(({ cost }) => cost);
  const spent = state.money.settled;
  const pace = mean(usualOf(costs));
  const calls = [...state.calls.values()];
  // As the cost: the first iteration is not like the others.
  const usual = calls.filter(({ agent, iteration }) => agent !== 'synthesis' && (iteration > 1 || costs.length === 1));
  const times = Math.max(0, iterations - costs.length) / Math.max(1, costs.length - 1);
  const expected = spent + pace * BigInt(Math.max(0, iterations - costs.length));
  const worst = dearestIteration(state) * BigInt(iterations) + synthesis;
  const first = firstToEnd(state, config.limits);
  return {
    expectedUsd: usdFromPico(least(expected, cap)),
    worstUsd: usdFromPico(least(worst, cap)),
    perIterationUsd: usdFromPico(pace),
    requests: Math.round(calls.length + times * usual.length),
    tokens: Math.round(tokensOf(calls) + times * tokensOf(usual)),
    iterations,
    endsAfter: first?.after ?? null,
    endsBy: first?.limit ?? null,
    basis: {
      rehearsedIterations: costs.length,
      answerTokens: TYPICAL_ANSWER_TOKENS,
      model: config.model.requested,
      priceSource: config.prices.chat.source,
      priceAsOf: config.prices.chat.as_of,
    },
  };
}

/** The limit that ends the run before the iterations are done, where what they take of each goes on as it was. */
function firstToEnd(
  { config, iterations, calls }: RunState,
  limits: RunConfig['limits'],
): ReturnType<typeof firstReached> {
  const earmark = synthesisEarmark(config, limits);
  const all = [...calls.values()];
  const drawing = DRAWN_LIMITS.flatMap((limit): Course[] => {
    const cap = capOf(limits, limit);
    if (cap === null || iterations.length === 0) return [];
    const each = iterations.map(({ iteration }) => sum(within(all, iteration).map((call) => takenBy(call, limit))));
    const usual = usualOf(each);
    const [taken, by] = [sum(usual), BigInt(usual.length)];
    // What the first iteration takes besides. Without the closing answer, for which some is kept back.
    return [{ limit, cap, used: sum(each) - (taken * BigInt(each.length)) / by, kept: earmark[limit], taken, by }];
  });
  const done: Course = {
    limit: 'max_iterations',
    cap: BigInt(limits.max_iterations),
    used: 0n,
    kept: 0n,
    taken: 1n,
    by: 1n,
  };
  const first = firstReached([done, ...drawing]);
  return first?.limit === 'max_iterations' ? null : first;
}

/** The first iteration is not like the others. */
function usualOf<T>(each: readonly T[]): readonly T[] {
  return each.length > 1 ? each.slice(1) : each;
}

function within(calls: readonly Call[], wanted: number): Call[] {
  return calls.filter(({ agent, iteration }) => agent !== 'synthesis' && iteration === wanted);
}

/** One sentence for a person. */
export function forecastSentence(forecast: Forecast): string {
  const { expectedUsd, worstUsd, perIterationUsd, iterations, endsAfter, endsBy } = forecast;
  const usd = (amount: number) => formatUsd(picoFromUsd(amount));
  const head = `Forecast: about ${usd(expectedUsd)} for ${iterations === 1 ? '1 iteration' : `${iterations} iterations`} (${usd(perIterationUsd)} each), up to ${usd(worstUsd)} if no request has to be repeated.`;
  return endsAfter === null || endsBy === null
    ? head
    : `${head} The ${LIMIT_WORDS[endsBy].name} probably ends it after ${endsAfter === 1 ? '1 iteration' : `${endsAfter} iterations`}.`;
}

/** Runs the loop against the rehearsal model, with nothing but memory below it. */
async function rehearse(
  config: RunConfig,
  { tokens, workspace, signal }: ForecastParts,
): Promise<{ state: RunState; synthesis: Pico }> {
  const iterations = Math.min(REHEARSED, config.limits.max_iterations);
  const reviews = { review_every: 0, review_every_usd: 0, review_first_use: false };
  const loop = { ...config.loop, ...reviews, sleep_seconds: 0, checkpoint_every: iterations + 1 };
  const state = initialState({ ...config, loop, limits: { ...LIMITLESS, max_iterations: iterations } });
  const log = new MemoryLog(state);
  const memory = new RunMemory(state);
  log.subscribe((event) => memory.apply(event));
  const some: WorkspaceReader = {
    list: async () => (await workspace.list()).slice(0, FILES),
    read: (path) => workspace.read(path),
  };
  const model = new TypicalModel(
    new RehearsalModel({ workspace: some, tokens, clock: STILL, modelName: config.model.requested }),
    tokens,
  );
  const { parts, strategy } = assemble({ log, model, tokens, clock: STILL, random: () => 0.5, signal }, memory);
  log.append(firstTask(config));
  const nothing = () => Promise.resolve();
  try {
    await runLoop({
      log,
      strategy,
      clock: STILL,
      signal,
      attended: false,
      skipReviews: true,
      noticeOf: () => [],
      keepFiles: nothing,
      saveCheckpoint: nothing,
    });
  } catch (error) {
    if (!(error instanceof StopRun)) throw error;
  }
  const answer = await synthesize(parts);
  return { state, synthesis: answer?.reserved ?? 0n };
}

/** A log that is nowhere but in the state. */
class MemoryLog implements RunLog {
  readonly state: RunState;
  private readonly listeners = new Set<(event: RunEvent) => void>();

  constructor(state: RunState) {
    this.state = state;
  }

  activeMs(): number {
    return 0;
  }

  append(...drafts: EventDraft[]): void {
    const { run_id, created_at } = this.state.config;
    for (const draft of drafts) {
      const event: RunEvent = {
        ...draft,
        v: 1,
        seq: this.state.lastSeq + 1,
        epoch: 1,
        ts: created_at,
        mono_ms: 0,
        run_id,
      };
      apply(this.state, event);
      for (const listener of this.listeners) listener(event);
    }
  }

  /** Once for each request: lets everybody else have a turn. */
  barrier(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  subscribe(listener: (event: RunEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

/** The rehearsal's answers, but results of tasks as long as those of a real model: they are read again and again. */
class TypicalModel implements LanguageModel {
  private readonly model: RehearsalModel;
  private readonly tokens: Tokens;

  constructor(model: RehearsalModel, tokens: Tokens) {
    this.model = model;
    this.tokens = tokens;
  }

  prepare(request: PreparedRequest['request']): PreparedRequest {
    return this.model.prepare(request);
  }

  async send(prepared: PreparedRequest, options: Parameters<LanguageModel['send']>[1]): Promise<ModelReply> {
    const reply = await this.model.send(prepared, options);
    const { request } = prepared;
    if (request.kind === 'embedding' || !reply.text || !reply.usage) return reply;
    const question = questionOf(request);
    const isResult = question.agent === 'execution' || (question.agent === 'unknown' && !question.wantsTasks);
    if (!isResult) return reply;
    const wanted = Math.min(TYPICAL_ANSWER_TOKENS, request.maxOutputTokens);
    const copies = Math.ceil(wanted / Math.max(1, this.tokens.count(reply.text))) + 1;
    const text = this.tokens.head(`${reply.text}\n`.repeat(copies), wanted);
    return { ...reply, text, usage: { ...reply.usage, outputTokens: this.tokens.count(text) } };
  }
}

/** No time passes in a forecast. */
const STILL: Clock = { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() };

/** The most that the requests of one iteration reserved together. */
function dearestIteration(state: RunState): Pico {
  const reserved = new Map<number, Pico>();
  for (const call of state.calls.values()) {
    if (call.agent !== 'synthesis') reserved.set(call.iteration, (reserved.get(call.iteration) ?? 0n) + call.reserved);
  }
  return [...reserved.values()].reduce((most, one) => (one > most ? one : most), 0n);
}

function tokensOf(calls: readonly Call[]): number {
  return calls.reduce((total, { inputTokens, outputTokens }) => total + inputTokens + outputTokens, 0);
}

function sum(amounts: readonly Pico[]): Pico {
  return amounts.reduce((total, one) => total + one, 0n);
}

function mean(amounts: readonly Pico[]): Pico {
  return amounts.length === 0 ? 0n : sum(amounts) / BigInt(amounts.length);
}

function least(one: Pico, other: Pico): Pico {
  return one < other ? one : other;
}
