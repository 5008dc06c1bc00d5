import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureFaketime } from '../../scripts/fault-tools.mjs';
import { readRun } from '../../src/engine/read.ts';
import type { RunEvent } from '../../src/run/events.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { eventually } from '../support/eventually.ts';
import { type ModelServer, type ModelServerOptions } from '../support/model-server.ts';
import { TEST_KEY, temporaryFolder } from '../support/run-host.ts';
import {
  assertBooked,
  assertBoughtOnce,
  assertVerifies,
  runFoldersIn,
  soundLog,
  steadyBrain,
  steadyServer,
} from './fault-run.ts';

/*
 * The real program, whose wall clock is another one's: libfaketime reads it from a file. The monotonic clock is the real one,
 * and files keep their real times, so that after a step every beat of an owner looks hours old, or yet to come.
 */
const CLI = join(__dirname, 'cli.js');
const HOUR = 3_600_000;
const STEPS = [
  ['forward by 8 h', '+8h', 8 * HOUR],
  ['back by 32 h', '-32h', -32 * HOUR],
] as const;

let library: string;

/** A wall clock that steps when told. */
class WallClock {
  private readonly file = join(temporaryFolder(), 'clock');

  constructor(offset = '+0') {
    this.set(offset);
  }

  set(offset: string): void {
    writeFileSync(`${this.file}.next`, offset);
    renameSync(`${this.file}.next`, this.file);
  }

  get variables(): Record<string, string> {
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
  }
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Program {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

class Scene {
  readonly runs = temporaryFolder();
  readonly clock: WallClock;
  readonly server: ModelServer;
  private readonly test: TestContext;

  constructor(test: TestContext, server: ModelServer, clock: WallClock) {
    this.test = test;
    this.server = server;
    this.clock = clock;
    test.after(() => server.close());
  }

  get directory(): string {
    return runFoldersIn(this.runs)[0] ?? '';
  }

  start(...limits: string[]): Program {
    const fixed = ['--max-cost-usd', '1', '--model', 'gpt-4o', '--watchdog-interval', '2.5', '--no-answer'];
    return this.spawn(['run', 'Plan a small garden', '--runs-dir', this.runs, ...fixed, ...limits], this.clock);
  }

  resume(clock = this.clock): Program {
    return this.spawn(['resume', this.directory], clock);
  }

  async events(): Promise<RunEvent[]> {
    return (await soundLog(this.directory)).events as RunEvent[];
  }

  /** What no step of a clock may change. */
  async assertSound(): Promise<void> {
    const log = await soundLog(this.directory);
    const [events, state] = [log.events as RunEvent[], await readRun(nodeDisk, this.directory)];
    assertBooked(state, this.server.bill);
    assertBoughtOnce(log, this.server.requests);
    await assertVerifies(this.directory);
    for (const [index, event] of events.entries()) {
      const earlier = events[index - 1];
      if (earlier?.epoch === event.epoch) assert.ok(event.mono_ms >= earlier.mono_ms, `the time of event ${event.seq}`);
      if ('latency_ms' in event && typeof event.latency_ms === 'number')
        assert.ok(event.latency_ms >= 0 && event.latency_ms < HOUR, `a latency of ${event.latency_ms} ms`);
    }
    const alarms = readdirSync(this.directory).filter((name) => name.startsWith('hang-'));
    assert.deepEqual(alarms, [], 'the watchdog took a step for a hang');
  }

  private spawn(args: readonly string[], clock: WallClock): Program {
    const child = spawn(process.execPath, [CLI, ...args, '--base-url', this.server.baseUrl, '--json'], {
      env: { PATH: process.env['PATH'], OPENAI_API_KEY: TEST_KEY, ...clock.variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.test.after(() => child.kill('SIGKILL'));
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once('error', reject).once('close', (code) => resolve({ code, ...output }));
    });
    return { child, ended };
  }
}

async function scene(test: TestContext, options: (clock: WallClock) => ModelServerOptions): Promise<Scene> {
  const clock = new WallClock();
  return new Scene(test, await steadyServer(options(clock)), clock);
}

function stopReason({ code, stdout, stderr }: Ended): string {
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as { stop_reason: string }).stop_reason;
}

/** The longest way between the times of two events that follow each other: the clock was stepped while the run went on. */
function largestStep(events: readonly RunEvent[]): number {
  const times = events.map(({ ts }) => Date.parse(ts));
  return Math.max(...times.map((time, index) => Math.abs(time - (times[index - 1] ?? time))));
}

/** How long the run was in progress, by its log. */
function activeMs(events: readonly RunEvent[]): number {
  const epochs = new Map(events.map(({ epoch, mono_ms }) => [epoch, mono_ms]));
  return [...epochs.values()].reduce((sum, ms) => sum + ms, 0);
}

describe('the real program while its clock is stepped', { concurrency: 2, skip: process.platform !== 'linux' }, () => {
  before(() => {
    library = ensureFaketime();
  });

  for (const [name, offset, milliseconds] of STEPS) {
    it(`${name} goes on with a healthy run`, async (t) => {
      const stage = await scene(t, (clock) => ({
        fault: (_request, index) => {
          if (index === 3) clock.set(offset);
          if (index === 7) clock.set('+0');
          return null;
        },
      }));
      const ended = await stage.start('--max-iterations', '4', '--max-wall-time', '60').ended;
      assert.equal(stopReason(ended), 'max_iterations');
      const events = await stage.events();
      assert.ok(largestStep(events) > Math.abs(milliseconds) - HOUR, 'the clock was not stepped');
      assert.ok(activeMs(events) < HOUR, `${activeMs(events)} ms in progress`);
      await stage.assertSound();
    });

    it(`${name} neither extends the time limit nor uses it up`, async (t) => {
      const stage = await scene(t, (clock) => ({ fault: () => (clock.set(offset), { kind: 'hang' }) }));
      const ended = await stage.start('--max-iterations', '4', '--max-wall-time', '0.03', '--task-timeout', '3600')
        .ended;
      assert.equal(stopReason(ended), 'max_wall_time');
      const events = await stage.events();
      assert.ok(largestStep(events) > Math.abs(milliseconds) - HOUR, 'the clock was not stepped');
      assert.ok(activeMs(events) >= 1800 && activeMs(events) < HOUR, `${activeMs(events)} ms in progress`);
      assert.equal(stage.server.requests.length, 1);
      await stage.assertSound();
    });

    it(`${name} neither extends the task timeout nor uses it up`, async (t) => {
      const stage = await scene(t, (clock) => ({
        fault: (_request, index) => (index === 0 ? (clock.set(offset), { kind: 'hang' }) : null),
      }));
      const ended = await stage.start('--max-iterations', '1', '--task-timeout', '1.5').ended;
      assert.equal(stopReason(ended), 'max_iterations');
      const events = await stage.events();
      const held = events.find((event) => event.type === 'call.held');
      assert.ok(held?.type === 'call.held' && held.latency_ms !== null, 'the call that hangs was not held');
      assert.ok(held.latency_ms >= 1450 && held.latency_ms < HOUR, `held after ${held.latency_ms} ms`);
      await stage.assertSound();
    });

    it(`${name} does not make anybody steal the run of a living owner`, async (t) => {
      let answer: () => void = () => {};
      const gate = new Promise<void>((resolve) => {
        answer = resolve;
      });
      const steady = steadyBrain();
      const stage = await scene(t, () => ({
        reply: async (request, index) => {
          if (index === 2) await gate;
          return steady(request, index);
        },
      }));
      const owner = stage.start('--max-iterations', '2', '--task-timeout', '3600');
      await eventually('the call that waits', () => stage.server.requests.length >= 4);
      stage.clock.set(offset);
      // The machine sleeps in short naps: each is shorter than the silence that the other one must see.
      const other = stage.resume();
      let isOver = false;
      const refused = other.ended.finally(() => (isOver = true));
      while (!isOver) {
        owner.child.kill('SIGSTOP');
        await delay(300);
        owner.child.kill('SIGCONT');
        await delay(300);
      }
      const { code, stderr } = await refused;
      assert.equal(code, 1, stderr);
      assert.match(stderr, /The run is in progress in process/);
      answer();
      assert.equal(stopReason(await owner.ended), 'max_iterations');
      const events = await stage.events();
      assert.ok(
        events.every(({ epoch }) => epoch === 1),
        'somebody else was an owner',
      );
      assert.ok(largestStep(events) > Math.abs(milliseconds) - HOUR, 'the clock was not stepped');
      await stage.assertSound();
    });
  }

  it('between two owners counts the time of both, and none between them', async (t) => {
    const stage = await scene(t, () => ({
      fault: (_request, index) => (index === 4 ? { kind: 'hang' } : null),
    }));
    stage.clock.set('+8h');
    const first = stage.start('--max-iterations', '2', '--max-wall-time', '60');
    await eventually('the call that hangs', () => stage.server.requests.length === 5);
    first.child.kill('SIGKILL');
    await first.ended;
    stage.clock.set('-32h');
    assert.equal(stopReason(await stage.resume().ended), 'max_iterations');
    const events = await stage.events();
    assert.ok(largestStep(events) > 39 * HOUR, 'the clock was not stepped');
    assert.ok(activeMs(events) < HOUR, `${activeMs(events)} ms in progress`);
    await stage.assertSound();
  });

  it('while the machine sleeps goes on where it was when it wakes', async (t) => {
    const stage = await scene(t, () => ({ latency: { firstTokenMs: 30 } }));
    const program = stage.start('--max-iterations', '3', '--max-wall-time', '60', '--task-timeout', '60');
    await eventually('the second iteration', () => stage.server.requests.length >= 4);
    program.child.kill('SIGSTOP');
    stage.clock.set('+8h');
    await delay(3000);
    program.child.kill('SIGCONT');
    assert.equal(stopReason(await program.ended), 'max_iterations');
    const events = await stage.events();
    assert.ok(largestStep(events) > 7 * HOUR, 'the clock was not stepped');
    assert.ok(activeMs(events) < HOUR, `${activeMs(events)} ms in progress`);
    assert.ok(!events.some(({ type }) => type === 'call.held'), 'a sleep cost a call');
    await stage.assertSound();
  });
});
