import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { picoFromUsd } from '../../src/budget/money.ts';
import { readRun } from '../../src/engine/read.ts';
import { resumeRun } from '../../src/engine/resume.ts';
import { startRun } from '../../src/engine/start.ts';
import type { Disk } from '../../src/runlog/disk.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { runFolder } from '../../src/runlog/folder.ts';
import { temporaryFolder, testSettings, testStart } from '../support/run-host.ts';
import { assertBooked, assertBoughtOnce, charge, heir, LONG, seeded, soundLog, steadyServer } from './fault-run.ts';

const CONTENDER = fileURLToPath(new URL('./contender-main.mjs', import.meta.url));

/** A contest goes on until there were more owners than these, on a busy machine too. */
const FEW_OWNERS = 3;
const LONGEST_MS = 90_000;

interface Contest {
  readonly owners: number;
  readonly requests: number;
  readonly stops: number;
  readonly kills: number;
  readonly reason: string;
}

/** A run folder that so many processes want at once, while they are stopped, continued and killed at random. */
async function contend(processes: number, seed: number, milliseconds: number): Promise<Contest> {
  // At the first pace nobody owns the run for longer than a beat, at the second only who stands still is replaced.
  const pace = seed % 2 === 1 ? 20 : 7;
  const runs = temporaryFolder();
  const server = await steadyServer({ latency: { firstTokenMs: 4, embeddingsMs: 2 } });
  const host = heir(server.url);
  const session = await startRun(
    testSettings(server.baseUrl, { max_iterations: 100_000, max_cost_usd: 0.4 }),
    testStart(runs),
    host,
  );
  const directory = session.folder.path;
  await session.abandon();
  host.egress.close();

  const random = seeded(seed);
  const children = new Set<ChildProcess>();
  const join = () => {
    const child = spawn(process.execPath, [CONTENDER, directory, server.url, String(pace)], { stdio: 'ignore' });
    children.add(child.once('close', () => children.delete(child)));
  };
  for (let index = 0; index < processes; index += 1) join();
  let [stops, kills] = [0, 0];
  const started = performance.now();
  const passed = () => performance.now() - started;
  const { log: segments, owners } = runFolder(directory);
  const isEnough = () => passed() > milliseconds && (readdirSync(owners).length > FEW_OWNERS || passed() > LONGEST_MS);
  while (children.size > 0 && !isEnough()) {
    await delay(60 + 160 * random());
    const child = [...children][Math.floor(random() * children.size)];
    if (random() < 0.1) {
      child?.kill('SIGKILL');
      join();
      kills += 1;
    } else {
      child?.kill('SIGSTOP');
      setTimeout(() => child?.kill('SIGCONT'), 900 * random());
      stops += 1;
    }
  }
  await Promise.all(
    [...children].map((child) => new Promise((resolve) => child.once('close', resolve).kill('SIGKILL'))),
  );

  const log = await soundLog(directory);
  const state = await readRun(nodeDisk, directory);
  assert.ok(
    charge(state.config, server.bill) <= picoFromUsd(state.config.limits.max_cost_usd),
    'the bill is above the limit',
  );
  assertBooked(state, server.bill);
  assertBoughtOnce(log, server.requests);
  const numbers = readdirSync(owners).sort();
  assert.deepEqual(
    numbers.map(Number),
    numbers.map((_, index) => index + 1),
    'owners are numbered without gaps',
  );
  for (const name of readdirSync(segments)) assert.ok(numbers.includes(name.slice(0, 6)), `${name} has no owner`);
  for (const event of log.events)
    if (event.type === 'epoch.opened') assert.ok(numbers.includes(String(event.epoch).padStart(6, '0')));
  const done = log.events.flatMap((event) => (event.type === 'task.completed' ? [event.task_id] : []));
  assert.equal(new Set(done).size, done.length, 'a task was completed twice');
  await server.close();
  rmSync(runs, { recursive: true });
  return {
    owners: numbers.length,
    requests: server.requests.length,
    stops,
    kills,
    reason: state.end?.reason ?? 'still running',
  };
}

describe('processes that want the same run', () => {
  it('never spend more than the limit, nor anything that the log does not know', async () => {
    const contests = LONG
      ? [2, 3, 4, 6, 8, 12, 16].flatMap((processes) =>
          [1, 2, 3, 4, 5].map((seed) => [processes, seed, 20_000] as const),
        )
      : ([[4, 1, 7000]] as const);
    for (const [processes, seed, milliseconds] of contests) {
      const { owners, requests, stops, kills, reason } = await contend(processes, seed, milliseconds).catch(
        (cause: unknown) => {
          throw new Error(`${processes} processes, seed ${seed}`, { cause });
        },
      );
      console.log(
        `ownership: ${processes} processes, ${stops} stops, ${kills} kills, ${owners} owners, ${requests} requests, ${reason}, 0 over the limit`,
      );
      assert.ok(owners > FEW_OWNERS, `only ${owners} owners in ${LONGEST_MS} ms`);
    }
  });
});

type Point = 'write' | 'sync' | 'look';

/** The disk of an owner that stands still at one step of its next reservation until it is let go. */
class SlowDisk {
  /** Resolves when it stands still. */
  readonly still: Promise<void>;
  armed = false;
  go: () => void = () => {};
  private readonly released: Promise<void>;
  private reached: () => void = () => {};
  private readonly point: Point;
  private readonly fence: boolean;

  constructor(point: Point, fence: boolean) {
    this.point = point;
    this.fence = fence;
    this.still = new Promise((resolve) => {
      this.reached = resolve;
    });
    this.released = new Promise((resolve) => {
      this.go = resolve;
    });
  }

  get disk(): Disk {
    return {
      ...nodeDisk,
      create: async (path) => {
        const file = await nodeDisk.create(path);
        if (!path.endsWith('.jsonl')) return file;
        return {
          write: async (bytes) => {
            await this.at('write');
            await file.write(bytes);
          },
          sync: async () => {
            await this.at('sync');
            await file.sync();
          },
          close: () => file.close(),
        };
      },
      exists: async (path) => {
        await this.at('look');
        return this.fence && nodeDisk.exists(path);
      },
    };
  }

  private async at(point: Point): Promise<void> {
    if (!this.armed || point !== this.point) return;
    this.reached();
    await this.released;
  }
}

/** An owner stands still there, another one takes over and finishes the run, then the first one goes on. */
async function staged(point: Point, fence: boolean): Promise<{ late: number; sound: () => Promise<void> }> {
  const runs = temporaryFolder();
  const server = await steadyServer();
  const slow = new SlowDisk(point, fence);
  const zombie = heir(server.url, { disk: slow.disk });
  const session = await startRun(testSettings(server.baseUrl, { max_iterations: 3 }), testStart(runs), zombie);
  session.subscribe((event) => {
    if (event.type === 'iteration.completed') slow.armed = true;
  });
  await slow.still;
  const next = heir(server.url);
  const outcome = await (await resumeRun(session.folder.path, { raise: {}, byPerson: false }, next)).done;
  assert.equal(outcome.stopReason, 'max_iterations');
  const before = server.requests.length;
  slow.go();
  await session.done;
  const late = server.requests.length - before;
  for (const host of [zombie, next]) host.egress.close();
  const log = await soundLog(session.folder.path);
  const state = await readRun(nodeDisk, session.folder.path);
  await server.close();
  rmSync(runs, { recursive: true });
  const sound = async () => {
    assertBooked(state, server.bill);
    assertBoughtOnce(log, server.requests);
  };
  return { late, sound };
}

describe('an owner that slept while another one took over', () => {
  for (const point of ['write', 'sync', 'look'] as const) {
    it(`sends nothing when it wakes before its ${point}`, async () => {
      const { late, sound } = await staged(point, true);
      assert.equal(late, 0);
      await sound();
    });
  }

  it('would send what nobody has booked, if it did not look', async () => {
    const { late, sound } = await staged('write', false);
    assert.ok(late > 0);
    await assert.rejects(sound());
  });
});
