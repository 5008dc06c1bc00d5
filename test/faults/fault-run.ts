import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { picoPerToken } from '../../src/budget/money.ts';
import type { Host } from '../../src/engine/host.ts';
import { replayRun } from '../../src/research/replay.ts';
import { replaySentences } from '../../src/research/replay-words.ts';
import type { RunConfig } from '../../src/run/config.ts';
import { systemClock } from '../../src/run/clock.ts';
import type { Clock } from '../../src/run/ports.ts';
import { resultOf, type RunState } from '../../src/run/state.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { runFolder } from '../../src/runlog/folder.ts';
import { type ReadLog, readLog } from '../../src/runlog/reader.ts';
import { verifyRun } from '../../src/runlog/verify.ts';
import { brain, type BrainOptions } from '../support/brain.ts';
import { type BillLine, billed } from '../support/model-bill.ts';
import { type ModelServer, type RequestSeen, startModelServer } from '../support/model-server.ts';
import { testHost } from '../support/run-host.ts';

/** Whether all points are tried, not a sample of them. */
export const LONG = process.env['FAULTS_LONG'] === '1';

const digest = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex');

/** Answers that depend on nothing but the request: whoever asks again gets the same. */
export function steadyBrain(options: BrainOptions = {}): ReturnType<typeof brain> {
  return brain({
    newTasks: (last) => [0, 1].map((index) => `Find out about ${digest(`${last}${index}`).slice(0, 8)}`),
    priority: (text) => Number.parseInt(digest(text).slice(0, 6), 16),
    ...options,
  });
}

export function steadyServer(options: Parameters<typeof startModelServer>[0] = {}): Promise<ModelServer> {
  return startModelServer({ reply: steadyBrain(), dimensions: 32, ...options });
}

/** No pause takes time: it only moves the monotonic clock on. */
export function impatientClock(): Clock {
  let ahead = 0;
  return {
    now: () => systemClock.now(),
    monotonic: () => performance.now() + ahead,
    sleep(ms) {
      if (Number.isFinite(ms)) ahead += Math.max(0, ms);
      return new Promise((resolve) => setImmediate(resolve));
    },
  };
}

/** A host on the same machine as all that died before it. */
export function heir(baseUrl: string, overrides: Partial<Host> = {}): Host {
  return testHost(baseUrl, { clock: impatientClock(), processes: { isAlive: () => false }, ...overrides });
}

/** What a crash must not change: everything but money, attempts, times and places in the log. */
export function essence(state: RunState): unknown {
  return {
    tasks: [...state.tasks.values()].map((task) => ({
      ...task,
      changedSeq: null,
      resultCallId: null,
      result: resultOf(state, task),
    })),
    pending: state.pending,
    iteration: state.iteration,
    iterations: state.iterations.map(({ iteration, taskId, failed, queue, created }) => ({
      iteration,
      taskId,
      failed,
      queue,
      created,
    })),
    memory: [...state.memory.values()].map(({ id, taskId, callId }) => ({
      id,
      taskId,
      text: state.calls.get(callId)?.answer,
    })),
    vectors: [...state.vectors].map(([what, { callId, index }]) => [what, state.calls.get(callId)?.vectors?.[index]]),
    suppressed: state.suppressed.map(({ text, duplicate_of, why }) => ({ text, duplicate_of, why })),
    judged: state.judged?.complete ?? null,
    files: [...state.files.values()].map(({ name, sha256 }) => [name, sha256]),
    end: state.end?.reason ?? null,
  };
}

/** The log of a folder on the real disk; fails the test where it is damaged. */
export async function soundLog(directory: string): Promise<ReadLog> {
  const log = await readLog(nodeDisk, runFolder(directory));
  assert.equal(log.damage, null, JSON.stringify(log.damage));
  log.events.forEach((event, index) => assert.equal(event.seq, index + 1));
  return log;
}

/** The whole folder, as anybody can check it, and the loop of each of its processes once more. */
export async function assertVerifies(directory: string): Promise<void> {
  const { ok, firstProblem } = await verifyRun(nodeDisk, directory);
  assert.ok(ok, firstProblem ?? '');
  const parts = { disk: nodeDisk, distDirectory: 'dist', signal: new AbortController().signal };
  const replay = await replayRun(directory, parts);
  assert.ok(replay.identical, replaySentences(replay).join(' '));
}

/** What the provider charges for these requests, by the prices of the run. */
export function charge({ prices }: RunConfig, bill: readonly BillLine[]): bigint {
  return billed(bill, ({ kind }) => {
    const rates = kind === 'chat' ? prices.chat : (prices.embedding ?? prices.chat);
    return {
      inputPico: picoPerToken(rates.input_usd_per_million),
      outputPico: picoPerToken(rates.output_usd_per_million),
      cachedInputPico: picoPerToken(rates.cached_input_usd_per_million),
    };
  });
}

/** Nothing spent that is not booked. */
export function assertBooked({ config, money }: RunState, bill: readonly BillLine[]): void {
  const booked = money.settled + money.held + money.reserved;
  assert.ok(booked >= charge(config, bill), `booked ${booked}, billed ${charge(config, bill)}`);
}

/** One request for each reservation at the most, each reserved before, and none for an answer that the log has. */
export function assertBoughtOnce(log: ReadLog, requests: readonly Pick<RequestSeen, 'raw'>[]): void {
  const sent = countBy(requests.map(({ raw }) => digest(raw)));
  assertSentOnce(log, sent);
}

export function assertSentOnce(log: ReadLog, sent: ReadonlyMap<string, number>): void {
  const reservations = new Map<string, number>();
  const answered = new Set<string>();
  const stepOf = new Map<string, string>();
  for (const event of log.events) {
    if (event.type === 'call.reserved') {
      const step = `${event.iteration}/${event.step}`;
      assert.ok(!answered.has(step), `${step} was reserved again after its answer`);
      stepOf.set(event.call_id, step);
      reservations.set(event.request_sha256, (reservations.get(event.request_sha256) ?? 0) + 1);
    } else if (event.type === 'call.settled') answered.add(stepOf.get(event.call_id) ?? '');
  }
  for (const [sha256, times] of sent) {
    assert.ok(
      (reservations.get(sha256) ?? 0) >= times,
      `sent ${times} times, reserved ${reservations.get(sha256) ?? 0} times`,
    );
  }
}

export function countBy(keys: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

/** The bytes of every segment, by name. */
export function segmentsOf(directory: string): Map<string, Buffer> {
  const { log } = runFolder(directory);
  if (!existsSync(log)) return new Map();
  return new Map(readdirSync(log).map((name) => [name, readFileSync(join(log, name))]));
}

export function assertUntouched(before: ReadonlyMap<string, Buffer>, directory: string): void {
  const after = segmentsOf(directory);
  for (const [name, bytes] of before) assert.ok(after.get(name)?.equals(bytes), `${name} was changed`);
}

/** The run folders below a directory, as paths. */
export function runFoldersIn(runsDirectory: string): string[] {
  return existsSync(runsDirectory) ? readdirSync(runsDirectory).map((name) => join(runsDirectory, name)) : [];
}

/** About `count` of the numbers 1 … `last`, evenly spread, with both ends; all of them in a long run. */
export function spread(last: number, count: number): number[] {
  const all = Array.from({ length: last }, (_, index) => index + 1);
  if (LONG || last <= count) return all;
  return [...new Set(Array.from({ length: count }, (_, index) => 1 + Math.round((index * (last - 1)) / (count - 1))))];
}

/** A small generator of numbers in [0, 1), the same in every run. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
