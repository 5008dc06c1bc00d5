import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ensureStrace } from '../../scripts/fault-tools.mjs';
import { EngineError } from '../../src/engine/engine-error.ts';
import { readRun } from '../../src/engine/read.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { type BillLine, readBill } from '../support/model-bill.ts';
import { TEST_KEY, temporaryFolder } from '../support/run-host.ts';
import {
  assertBooked,
  assertSentOnce,
  assertUntouched,
  assertVerifies,
  countBy,
  essence,
  LONG,
  runFoldersIn,
  seeded,
  segmentsOf,
  soundLog,
  spread,
} from './fault-run.ts';

const CLI = join(__dirname, 'cli.js');
const MODELS = ['--model', 'gpt-4o', '--json'];

let scratch: string;
let ledger: string;
let server: ChildProcess;
let baseUrl: string;

before(async () => {
  scratch = temporaryFolder();
  ledger = join(scratch, 'ledger.jsonl');
  const main = fileURLToPath(new URL('./steady-server-main.mjs', import.meta.url));
  server = spawn(process.execPath, [main, ledger], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const [port] = (await once(server.stdout ?? server, 'data')) as [Buffer];
  baseUrl = `http://127.0.0.1:${port.toString().trim()}/v1`;
});

after(() => {
  server.kill();
  rmSync(scratch, { recursive: true });
});

/** What a person would type, with the run folder if there is one yet. */
function commandFor(runs: string): string[] {
  const [directory] = runFoldersIn(runs);
  if (directory === undefined)
    return [
      CLI,
      'run',
      'Plan a small garden',
      '--max-iterations',
      '4',
      '--max-cost-usd',
      '1',
      '--checkpoint-every',
      '2',
      '--runs-dir',
      runs,
      '--base-url',
      baseUrl,
      ...MODELS,
    ];
  return [CLI, 'resume', directory, '--base-url', baseUrl, '--json'];
}

interface Killer {
  /** Put in front of the command. */
  readonly tracer?: readonly string[];
  /** Milliseconds after the start. */
  readonly after?: number;
}

/** Runs the command line until it ends or is killed; says whether it was. */
async function run(runs: string, { tracer = [], after: milliseconds }: Killer = {}): Promise<boolean> {
  const [program = '', ...options] = [...tracer, process.execPath, ...commandFor(runs)];
  // One thread for the disk, so that its calls have one order; no proxy between here and here.
  const env = { PATH: process.env['PATH'], OPENAI_API_KEY: TEST_KEY, UV_THREADPOOL_SIZE: '1' };
  const child = spawn(program, options, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const timer = milliseconds === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), milliseconds);
  const [code, signal] = await closed;
  clearTimeout(timer);
  if (signal === 'SIGKILL' || code === 137) return true;
  assert.equal(code, 0, errors);
  return false;
}

/** A run that is killed at each of these points and resumed. Gives what it came to; null where nothing was killed. */
async function history(killers: readonly Killer[]): Promise<unknown> {
  const runs = join(scratch, `runs-${readdirSync(scratch).length}`);
  // What the killed one of the history before had asked is billed by now.
  const earlier = readBill(ledger).length;
  let kills = 0;
  for (const killer of killers) {
    if (!(await run(runs, killer))) break;
    kills += 1;
    // A request that had arrived is billed within its time.
    await delay(30);
    const [directory] = runFoldersIn(runs);
    const bill = readBill(ledger).slice(earlier);
    if (directory === undefined || !(await isRun(directory))) {
      assert.equal(bill.length, 0, 'a request was sent before there was a run');
      rmSync(runs, { recursive: true, force: true });
    } else await assertSound(directory, bill);
  }
  const before = segmentsOf(runFoldersIn(runs)[0] ?? '');
  assert.equal(await run(runs), false);
  const [directory = ''] = runFoldersIn(runs);
  await assertSound(directory, readBill(ledger).slice(earlier));
  assertUntouched(before, directory);
  return { kills, state: essence(await readRun(nodeDisk, directory)) };
}

async function isRun(directory: string): Promise<boolean> {
  return readRun(nodeDisk, directory).then(
    () => true,
    (error: unknown) => {
      const isNotYet =
        (error instanceof EngineError && error.reason === 'not_a_run') ||
        (error instanceof Error && 'code' in error && error.code === 'ENOENT');
      if (!isNotYet) throw error;
      return false;
    },
  );
}

async function assertSound(directory: string, bill: readonly BillLine[]): Promise<void> {
  const log = await soundLog(directory);
  // It died between making the log and its first line: there is nothing to verify yet.
  if (log.events.length === 0) return assert.equal(bill.length, 0, 'a request was sent before the log began');
  assertBooked(await readRun(nodeDisk, directory), bill);
  assertSentOnce(log, countBy(bill.map((line) => line.body_sha256)));
  await assertVerifies(directory);
}

let undisturbed: Promise<unknown> | undefined;

async function tryAll(name: string, histories: Iterable<readonly Killer[]>): Promise<void> {
  const expected = (await (undisturbed ??= history([]))) as { state: unknown };
  let tried = 0;
  let kills = 0;
  for (const killers of histories) {
    const outcome = (await history(killers).catch((cause: unknown) => {
      throw new Error(JSON.stringify(killers), { cause });
    })) as { kills: number; state: unknown };
    assert.deepEqual(outcome.state, expected.state, JSON.stringify(killers));
    tried += 1;
    kills += outcome.kills;
  }
  console.log(`crash process: ${name}: ${tried} histories, ${kills} kills, 0 events lost, 0 answers bought twice`);
  // How many of the moments fall into the life of a process depends on the machine.
  assert.ok(kills > 0, 'no process was killed');
}

describe('a process that is killed', () => {
  it('at any moment leaves a run that the next one brings to the same end', async () => {
    const started = performance.now();
    await (undisturbed ??= history([]));
    const whole = performance.now() - started;
    const random = seeded(7);
    const moment = () => ({ after: Math.round(whole * (0.25 + 0.75 * random())) });
    await tryAll(
      'at random',
      Array.from({ length: LONG ? 200 : 4 }, () => [moment(), moment()]),
    );
  });
});

describe('a process that is killed in a system call', { skip: process.platform !== 'linux' }, () => {
  let strace: string;
  before(() => {
    strace = ensureStrace();
  });
  /** Of `call` alone, in every thread. */
  const tracer = (call: string, output: string) => [strace, '-f', '-qq', '-o', output, '-e', `trace=${call}`];

  /** How often the thread that makes most of these calls makes one: strace counts for each thread by itself. */
  async function callsOf(call: string): Promise<number> {
    const output = join(scratch, `trace-${call}`);
    assert.equal(await run(join(scratch, `runs-${call}`), { tracer: tracer(call, output) }), false);
    const threads = countBy([...readFileSync(output, 'utf8').matchAll(/^(\d+) +\w+\(/gm)].map(([, id = '']) => id));
    return Math.max(...threads.values());
  }

  for (const [call, few] of [
    ['write', 4],
    ['fdatasync', 3],
    ['fsync', 2],
    ['rename', 2],
  ] as const) {
    it(`${call} leaves a run that the next one brings to the same end`, async () => {
      const count = await callsOf(call);
      await tryAll(
        `in ${call}, of ${count}`,
        spread(count, few).map((when) => [
          { tracer: [...tracer(call, '/dev/null'), '-e', `inject=${call}:signal=KILL:when=${when}`] },
        ]),
      );
    });
  }
});
