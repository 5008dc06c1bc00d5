import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type Pico, picoFromUsd, usdFromPico } from '../../src/budget/money.ts';
import { resumeEvents } from '../../src/engine/resume-events.ts';
import { type Earmark, NO_EARMARK } from '../../src/run/allowance.ts';
import { capOf, drawn } from '../../src/run/drawn.ts';
import { Caller } from '../../src/run/call.ts';
import type { Rates, RunConfig } from '../../src/run/config.ts';
import {
  type ChatRequest,
  type Clock,
  type EmbeddingRequest,
  type KeyLedger,
  type LanguageModel,
  ModelError,
  type ModelErrorReason,
  type ModelReply,
  type ModelRequest,
  type PreparedRequest,
  RunLost,
  StepFailed,
  StopRun,
  type Tokens,
  type Usage,
} from '../../src/run/ports.ts';
import { classicRetry } from '../../src/run/retry.ts';
import { fold } from '../../src/run/fold.ts';
import { initialState, type RunState } from '../../src/run/state.ts';
import { runFolder } from '../../src/runlog/folder.ts';
import { Ownership } from '../../src/runlog/owner.ts';
import { readLog } from '../../src/runlog/reader.ts';
import { LogWriter } from '../../src/runlog/writer.ts';
import type { RunEvent } from '../../src/run/events.ts';
import { MortalDisk } from './mortal-disk.ts';

/** What happened in many schedules. */
export interface Figures {
  schedules: number;
  requests: number;
  epochs: number;
  crashes: number;
  lies: number;
  above: number;
  readonly ends: Map<string, number>;
}

const FOLDER = runFolder('/run');
const IDENTITY = { host: 'test', boot_id: 'test', pid: 1, process_start: '1', nonce: 'n' };
/** Every other process is gone. */
const PROCESSES = { isAlive: () => false };
const ORIGIN = 'https://provider.example';

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Dice {
  readonly random: () => number;
  constructor(seed: number) {
    this.random = seeded(seed);
  }
  /** A whole number from `least` to `most`. */
  int(least: number, most: number): number {
    return least + Math.floor(this.random() * (most - least + 1));
  }
  chance(share: number): boolean {
    return this.random() < share;
  }
  one<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.int(0, choices.length - 1)] ?? choices[0];
  }
}

/** A clock on which waiting takes no time. */
class VirtualClock implements Clock {
  private elapsed = 0;
  now = () => 1_760_000_000_000 + this.elapsed;
  monotonic = () => this.elapsed;
  async sleep(ms: number): Promise<void> {
    this.elapsed += ms;
    await turn();
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function ratesFor(dice: Dice): Rates {
  const amount = (most: number) => dice.int(0, most * 1000) / 1000;
  const kind = dice.one(['free', 'cheap', 'cheap', 'dear', 'tiers', 'tiers'] as const);
  const most = kind === 'free' ? 0 : kind === 'cheap' ? 2 : 150;
  const price = () => ({
    input_usd_per_million: amount(most),
    cached_input_usd_per_million: amount(most),
    output_usd_per_million: amount(most * 2),
  });
  const tiers =
    kind !== 'tiers'
      ? []
      : [dice.int(1, 60), dice.int(61, 300)].map((from_input_tokens) => ({ from_input_tokens, ...price() }));
  return { ...price(), tiers, source: 'user', as_of: '2026-05-17' };
}

/** A provider's price of a request; computed apart from the product. */
function priceOf(rates: Rates, { inputTokens, cachedTokens, outputTokens }: Usage): Pico {
  const tier = rates.tiers.filter(({ from_input_tokens }) => from_input_tokens <= inputTokens).at(-1) ?? rates;
  const pico = (usdPerMillion: number) => BigInt(Math.round(usdPerMillion * 1e6));
  return (
    BigInt(inputTokens - cachedTokens) * pico(tier.input_usd_per_million) +
    BigInt(cachedTokens) * pico(tier.cached_input_usd_per_million) +
    BigInt(outputTokens) * pico(tier.output_usd_per_million)
  );
}

function textOf(request: ModelRequest): readonly string[] {
  return request.kind === 'chat' ? request.messages.map(({ content }) => content) : request.texts;
}

const countOf = (text: string) => Math.ceil(text.length / 4);

function tokensFor(dice: Dice): Tokens {
  let loaded = dice.chance(0.7);
  return {
    exact: dice.chance(0.7),
    get loaded() {
      return loaded;
    },
    ready: async () => {
      loaded = true;
    },
    count: (text) => {
      assert.ok(loaded, 'counted before the tables were read');
      return countOf(text);
    },
    excerpt: (text) => text,
    head: (text) => text,
  };
}

/** A limit for the key that holds its books in memory, and fails now and then. */
class FakeLedger implements KeyLedger {
  readonly limit = 'the limit of this key';
  readonly limitPerDay: Pico;
  private readonly open = new Map<string, Pico>();
  private sum = 0n;
  private readonly cap: Pico;
  private readonly dice: Dice;
  constructor(cap: Pico, dice: Dice) {
    this.cap = cap;
    this.limitPerDay = cap;
    this.dice = dice;
  }
  get counted(): Pico {
    return this.sum;
  }
  async reserve(amount: Pico, callId: string) {
    await turn();
    if (this.dice.chance(0.01)) throw new Error('the ledger cannot be written');
    const free = this.cap - this.sum;
    assert.equal(this.open.has(callId), false, 'a call reserves once');
    if (amount <= free) {
      this.open.set(callId, amount);
      this.sum += amount;
    }
    return { admitted: amount <= free, free };
  }
  async settle(callId: string, _outcome: string, cost: Pico) {
    this.sum += cost - (this.open.get(callId) ?? cost);
    this.open.delete(callId);
  }
}

/** A language model that is also the auditor: it keeps the bill that a provider would send. */
class Auditor implements LanguageModel {
  bill: Pico = 0n;
  /** More was used than reserved: from then on the cap cannot be kept. */
  above = false;
  requests = 0;
  lies = 0;
  /** What requests cost that used more than was reserved, by the hash of the request. */
  readonly excess = new Map<string, Pico>();
  /** Tokens of prompts and answers that the provider worked on. */
  tokens = 0;
  /** Some answer was longer than its request allowed, or some prompt than it was. */
  tokensAbove = false;
  private readonly sent = new Set<string>();
  private prepared = 0;
  private readonly world: World;
  constructor(world: World) {
    this.world = world;
  }

  prepare(request: ModelRequest): PreparedRequest {
    this.prepared += 1;
    return { request, model: 'm', origin: ORIGIN, body: Buffer.from(`${this.prepared}:${JSON.stringify(request)}`) };
  }

  async send(
    { request, body }: PreparedRequest,
    { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
  ): Promise<ModelReply> {
    const { world } = this;
    const { dice, clock } = world;
    this.requests += 1;
    const sha = createHash('sha256').update(body).digest('hex');
    assert.equal(this.sent.has(sha), false, 'one request for one reservation');
    this.sent.add(sha);
    const reserved = [...world.state.calls.values()].filter(
      (call) => call.requestSha256 === sha && call.status === 'reserved',
    );
    assert.equal(reserved.length, 1, 'a request leaves with a reservation');
    assert.ok(world.disk.isDead || world.disk.holds(sha), 'the reservation is durable');
    assert.ok(timeoutMs > 0);
    assert.equal(world.stopped, false, 'no request after a stop');
    world.check();

    const { truth, text } = this.work(request);
    const fate = dice.one(FATES);
    const unbilled = (reason: ModelErrorReason, options = {}) =>
      new ModelError(reason, reason, { unbilled: true, ...options });
    if (fate === 'unbilled') {
      await this.latency();
      throw dice.one([
        () => unbilled('rate_limited', { retryAfterMs: dice.one([null, 0, 1, 20_000, 7_200_000]) }),
        () => unbilled('rate_limited'),
        () => unbilled('unreachable'),
        () => unbilled('unsupported', { feature: dice.one(['seed', 'temperature']) }),
        () => unbilled('context_too_long'),
        () => unbilled('bad_key'),
      ])();
    }

    // From here on the provider bills, whatever comes back.
    const rates = request.kind === 'chat' ? world.rates : world.embeddingRates;
    const over =
      request.kind === 'chat'
        ? { ...truth, outputTokens: request.maxOutputTokens + dice.int(1, 1000) }
        : { ...truth, inputTokens: truth.inputTokens + 20_000 };
    const usesTooMuch = fate === 'above';
    this.bill += priceOf(rates, truth);
    this.tokens += truth.inputTokens + truth.outputTokens;
    world.check();
    await this.latency();
    if (dice.chance(0.01)) world.stop();
    if (world.crashAtSend > 0 && --world.crashAtSend === 0) world.disk.die();
    const billedError = (reason: ModelErrorReason) =>
      new ModelError(reason, reason, { unbilled: false, retryAfterMs: dice.one([null, 3000]) });
    switch (fate) {
      case 'hang':
        await clock.sleep(timeoutMs);
        throw billedError('timeout');
      case 'broken':
        throw billedError(dice.one(['interrupted', 'server_error', 'bad_reply', 'not_an_api']));
      case 'bug':
        throw new TypeError('a fault of the adapter');
      default:
    }
    if (signal.aborted) throw billedError('aborted');
    const usage = usesTooMuch ? over : fate === 'lie' ? this.lie(request, truth, text) : truth;
    if (fate === 'lie') this.lies += 1;
    if (usesTooMuch) this.tokensAbove = true;
    if (usesTooMuch && priceOf(rates, over) > (reserved[0]?.reserved ?? 0n)) {
      this.above = true;
      this.excess.set(sha, priceOf(rates, over));
    }
    const vectors = request.kind === 'embedding' ? request.texts.map(() => new Float32Array([0.5, -1])) : null;
    return {
      model: 'm-1',
      fingerprint: null,
      finishReason: 'stop',
      text: request.kind === 'chat' ? text : null,
      vectors,
      usage,
    };
  }

  /** What the provider does for a request, within what it was allowed. */
  private work(request: ModelRequest): { truth: Usage; text: string } {
    const { dice, tokens } = this.world;
    const texts = textOf(request);
    const counted = texts.reduce((sum, text) => sum + countOf(text), 0);
    const bytes = texts.reduce((sum, text) => sum + text.length, 0);
    const around = request.kind === 'chat' ? dice.int(0, texts.length * 16 + 64) : 0;
    const inputTokens = tokens.exact ? counted + around : dice.int(Math.ceil(counted / 2), bytes);
    const cachedTokens = dice.chance(0.3) ? dice.int(0, inputTokens) : 0;
    if (request.kind === 'embedding') return { truth: { inputTokens, cachedTokens, outputTokens: 0 }, text: '' };
    const seen = dice.int(0, request.maxOutputTokens);
    // Reasoning is billed and not seen.
    return {
      truth: { inputTokens, cachedTokens, outputTokens: dice.int(seen, request.maxOutputTokens) },
      text: 'word'.repeat(seen),
    };
  }

  /** Usage that cannot be true. */
  private lie(request: ModelRequest, truth: Usage, text: string): Usage | null {
    const { dice } = this.world;
    const counted = textOf(request).reduce((sum, each) => sum + countOf(each), 0);
    const low = (count: number) => Math.floor(Math.max(0, count - 1) / dice.one([4, 5, 100]));
    switch (dice.one(['none', 'zero', 'low_input', 'low', 'more'] as const)) {
      case 'none':
        return null;
      case 'zero':
        return { inputTokens: 0, cachedTokens: 0, outputTokens: 0 };
      case 'low_input':
        return { ...truth, inputTokens: low(counted), cachedTokens: 0 };
      case 'low':
        return { inputTokens: low(counted), cachedTokens: 0, outputTokens: low(countOf(text)) };
      case 'more':
        return { ...truth, outputTokens: request.kind === 'chat' ? request.maxOutputTokens : 0 };
    }
  }

  private async latency(): Promise<void> {
    const { dice, clock } = this.world;
    for (let turns = dice.int(0, 2); turns > 0; turns -= 1) await clock.sleep(dice.int(0, 1000));
  }
}

const FATES = [
  'ok',
  'ok',
  'ok',
  'ok',
  'ok',
  'ok',
  'ok',
  'ok',
  'ok',
  'ok',
  'unbilled',
  'unbilled',
  'unbilled',
  'hang',
  'broken',
  'broken',
  'lie',
  'lie',
  'lie',
  'lie',
  'ok',
  'ok',
  'ok',
  'above',
  'bug',
] as const;

/** One run of a schedule, over all its owners. */
class World {
  readonly dice: Dice;
  readonly clock = new VirtualClock();
  readonly disk = new MortalDisk();
  readonly tokens: Tokens;
  readonly rates: Rates;
  readonly embeddingRates: Rates;
  readonly auditor: Auditor;
  readonly ledger: FakeLedger | null;
  readonly config: RunConfig;
  cap: Pico;
  crashAtSend = 0;
  state: RunState;
  private stopping = new AbortController();

  constructor(seed: number, base: RunConfig) {
    this.dice = new Dice(seed);
    const { dice } = this;
    this.tokens = tokensFor(dice);
    this.rates = ratesFor(dice);
    this.embeddingRates = ratesFor(dice);
    this.auditor = new Auditor(this);
    const typical = priceOf(this.rates, { inputTokens: 120, cachedTokens: 0, outputTokens: 60 });
    this.cap = typical === 0n ? 1_000_000n : (typical * BigInt(dice.int(50, 3000))) / 100n;
    if (this.cap > picoFromUsd(1000)) this.cap = picoFromUsd(1000);
    if (this.cap < 1_000_000n) this.cap = 1_000_000n;
    this.ledger = dice.chance(0.2) ? new FakeLedger((this.cap * BigInt(dice.int(20, 150))) / 100n, dice) : null;
    this.config = {
      ...base,
      limits: {
        max_iterations: 100,
        max_cost_usd: usdFromPico(this.cap),
        ...(dice.chance(0.3) && { max_requests: dice.int(1, 30) }),
        ...(dice.chance(0.3) && { max_tokens: dice.int(100, 8000) }),
        max_wall_time_minutes: dice.one([0.5, 5, 30, 300]),
        task_timeout_seconds: dice.one([1, 10, 120]),
      },
      parameters: {
        ...base.parameters,
        max_completion_tokens: dice.int(16, 120),
        min_completion_tokens: dice.int(1, 16),
      },
      prices: { chat: this.rates, embedding: this.embeddingRates },
    };
    this.state = initialState(this.config);
  }

  get stopped(): boolean {
    return this.stopping.signal.aborted;
  }

  stop(): void {
    this.stopping.abort();
  }

  /** The oracle: at every instant the books cover the bill, and the cap covers the books. */
  check(): void {
    const { settled, held, reserved } = this.state.money;
    const books = settled + held + reserved;
    const { bill, above, requests, tokens, tokensAbove } = this.auditor;
    const { calls, limits } = this.state;
    assert.ok(this.disk.isDead || requests <= calls.size, `${requests} requests for ${calls.size} reservations`);
    assert.ok(calls.size <= (limits.max_requests ?? Number.POSITIVE_INFINITY), `${calls.size} reservations`);
    const used = drawn(this.state, 'max_tokens');
    assert.ok(this.disk.isDead || used >= tokens, `${used} tokens on the books, ${tokens} used`);
    const most = capOf(limits, 'max_tokens');
    if (!tokensAbove) assert.ok(most === null || used <= most, `${used} tokens over the cap of ${most}`);
    assert.ok(reserved >= 0n && held >= 0n && settled >= 0n);
    assert.ok(books >= bill || this.disk.isDead, `the books of ${books} do not cover the bill of ${bill}`);
    if (above) return;
    assert.ok(bill <= this.cap, `a bill of ${bill} over the cap of ${this.cap}`);
    assert.ok(books <= this.cap, `books of ${books} over the cap of ${this.cap}`);
    if (this.ledger) assert.ok(this.ledger.counted >= bill, 'the ledger of the key covers the bill');
  }

  /** One owner of the run. The stop it ended with; null where it crashed. */
  async epoch(callers: number, steps: number): Promise<StopRun | 'done' | null> {
    const { dice, clock, disk } = this;
    this.stopping = new AbortController();
    try {
      const ownership = await Ownership.acquire(disk, FOLDER, IDENTITY, PROCESSES, clock);
      const known = await readLog(disk, FOLDER);
      assert.equal(known.damage, null);
      const events = known.events.filter((event): event is RunEvent => event.type !== 'unknown');
      this.state = fold(this.config, events);
      this.check();
      const { state } = this;
      const log = await LogWriter.open({
        disk,
        folder: FOLDER,
        clock,
        ownership,
        identity: IDENTITY,
        redact: (draft) => draft,
        state,
        end: known.end.seq === 0 ? null : known.end,
        configSha256: 'x',
      });
      log.observe((event) => {
        this.check();
        const most = capOf(state.limits, 'max_tokens');
        if (event.type === 'call.reserved' && most !== null)
          assert.ok(drawn(state, 'max_tokens') <= most, 'no reservation over the cap, whatever was used above others');
        const excess =
          event.type === 'call.settled'
            ? this.auditor.excess.get(state.calls.get(event.call_id)?.requestSha256 ?? '')
            : undefined;
        if (excess !== undefined && event.type === 'call.settled')
          assert.equal(picoFromUsd(event.cost_usd), excess, 'what was used above the reservation is booked');
      });
      const { max_cost_usd, max_requests, max_tokens } = state.limits;
      const raise: Parameters<typeof resumeEvents>[1]['raise'] =
        dice.chance(0.2) && known.end.seq > 0
          ? {
              max_cost_usd: Math.min(1000, max_cost_usd * 1.5),
              ...(max_requests !== undefined && { max_requests: max_requests + 3 }),
              ...(max_tokens !== undefined && { max_tokens: max_tokens * 2 }),
            }
          : {};
      if (raise.max_cost_usd !== undefined) this.cap = picoFromUsd(raise.max_cost_usd);
      if (known.end.seq > 0)
        log.append(...resumeEvents(state, { raise, byPerson: true }).filter(({ type }) => type !== 'task.created'));
      return await this.work(log, callers, steps);
    } catch (error) {
      if (disk.isDead) return null;
      throw error;
    }
  }

  private earmark(): Earmark {
    const { dice, cap, state } = this;
    const share = (limit: 'max_requests' | 'max_tokens') =>
      (capOf(state.limits, limit) ?? 0n) / BigInt(dice.int(3, 20));
    return {
      ...NO_EARMARK,
      max_cost_usd: cap / BigInt(dice.int(3, 20)),
      max_requests: share('max_requests'),
      max_tokens: share('max_tokens'),
    };
  }

  private async work(log: LogWriter, callers: number, steps: number): Promise<StopRun | 'done' | null> {
    const { dice, disk, tokens, clock, auditor, ledger } = this;
    const caller = new Caller({
      log,
      model: auditor,
      tokens,
      clock,
      random: dice.random,
      signal: this.stopping.signal,
      ledger,
    });
    if (dice.chance(0.15)) caller.retry = classicRetry;
    if (dice.chance(0.3)) {
      const earmark = this.earmark();
      caller.earmark = () => earmark;
    }
    const stops: StopRun[] = [];
    const lane = async (name: number) => {
      for (let iteration = 1; iteration <= steps && !this.stopped; iteration += 1) {
        try {
          const step = { step: `s${name}`, taskId: null, iteration, inputs: {} };
          const text = `lane ${name} step ${iteration} `.repeat(((name * 7 + iteration * 3) % 5) + 1);
          if ((name + iteration) % 4 === 0)
            await caller.embed({ ...step, agent: 'embedding' }, [
              text,
              text.slice(3),
            ] satisfies EmbeddingRequest['texts']);
          else
            await caller.chat(
              { ...step, agent: iteration === steps ? 'synthesis' : 'execution' },
              chat(text),
              (iteration % 3) * 30 + 16,
            );
        } catch (error) {
          if (error instanceof StepFailed) continue;
          if (error instanceof RunLost) return;
          // As the session does: the first stop, or fault of ours, ends the run.
          if (!(error instanceof StopRun || (error instanceof TypeError && /adapter/.test(error.message)))) throw error;
          stops.push(error instanceof StopRun ? error : new StopRun('error', error.message));
          this.stop();
        }
      }
    };
    await Promise.all(Array.from({ length: callers }, (_, index) => lane(index + 1)));
    const failed = log.lost !== null || disk.isDead;
    await log.close();
    if (failed || log.lost !== null) {
      assert.ok(disk.isDead);
      return null;
    }
    const { state } = this;
    for (const call of state.calls.values()) assert.notEqual(call.status, 'reserved', `call ${call.id} has an outcome`);
    assert.equal(state.money.reserved, 0n);
    const again = fold(
      this.config,
      (await readLog(disk, FOLDER)).events.filter((event): event is RunEvent => event.type !== 'unknown'),
    );
    assert.deepEqual([again.money, again.tokens], [state.money, state.tokens]);
    assert.equal(state.tokens.reserved, 0);
    return stops[0] ?? 'done';
  }
}

function chat(text: string): Omit<ChatRequest, 'kind' | 'maxOutputTokens'> {
  const messages = [
    { role: 'system', content: 'You test.' },
    { role: 'user', content: text },
  ] as const;
  return { messages, schema: null, temperature: 0, topP: null, seed: 42 };
}

/** Plays one random schedule. Rejects, with the seed in the message, where the oracle is violated. */
export async function playSchedule(seed: number, base: RunConfig, figures: Figures): Promise<void> {
  const world = new World(seed, base);
  const { dice, disk, auditor } = world;
  try {
    const callers = dice.int(1, 4);
    const steps = dice.int(1, 6);
    const crashes = dice.chance(0.5) ? dice.int(1, 4) : 0;
    let end: Awaited<ReturnType<World['epoch']>> = null;
    for (let epoch = 0; epoch <= crashes + 1; epoch += 1) {
      world.crashAtSend = 0;
      if (epoch < crashes) {
        if (dice.chance(0.5)) disk.dieAfter(dice.int(0, 80));
        else world.crashAtSend = dice.int(1, 6);
      }
      figures.epochs += 1;
      end = await world.epoch(callers, steps);
      if (disk.isDead) {
        figures.crashes += 1;
        const power = dice.chance(0.5);
        disk.revive(() => (power ? dice.random() : 1));
      } else if (end === 'done' || dice.chance(0.6)) break;
      else disk.dieAfter(Number.POSITIVE_INFINITY);
    }
    if (end !== null) {
      world.check();
      const interrupted = new Map<string, number>();
      for (const { iteration, step, error } of world.state.calls.values()) {
        const key = `${iteration}/${step}`;
        if (error?.class === 'interrupted_by_crash') interrupted.set(key, (interrupted.get(key) ?? 0) + 1);
      }
      for (const [step, times] of interrupted) assert.ok(times <= 3, `${step} was interrupted ${times} times`);
    }
    const name = end === null ? 'crashed' : end === 'done' ? end : (end.error?.class ?? end.reason);
    figures.ends.set(name, (figures.ends.get(name) ?? 0) + 1);
  } catch (error) {
    throw new Error(`Schedule ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  figures.schedules += 1;
  figures.requests += auditor.requests;
  figures.lies += auditor.lies;
  figures.above += auditor.above ? 1 : 0;
}
