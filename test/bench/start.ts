import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readRun } from '../../src/engine/read.ts';
import { startRun } from '../../src/engine/start.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { brain } from '../support/brain.ts';
import { startModelServer } from '../support/model-server.ts';
import { TEST_KEY, testHost, testSettings, testStart } from '../support/run-host.ts';

/**
 * How soon things are there: process start to first request, for a new run and for one of 10 000 events, against the
 * smallest Node program that sends a request; reading and folding a log of that length; the sizes of what is shipped.
 */
const CLI = resolve('dist/cli.js');
const REPETITIONS = 11;
const FLOOR = `require('http').request({ host: '127.0.0.1', port: process.argv[1], method: 'POST', path: '/v1/chat/completions' }).end('{}')`;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

interface Arrival {
  at: number;
}

/** Milliseconds from starting the process to its first request. */
async function firstRequest(arrivals: Arrival[], args: readonly string[], cwd: string): Promise<number> {
  arrivals.length = 0;
  const started = performance.timeOrigin + performance.now();
  const child = spawn(process.execPath, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, OPENAI_API_KEY: TEST_KEY },
  });
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  await new Promise((done) => child.once('exit', done));
  const [first] = arrivals;
  if (!first) throw new Error(`no request arrived: ${errors}`);
  return first.at - started;
}

async function main(): Promise<void> {
  const arrivals: Arrival[] = [];
  const server = await startModelServer({
    reply: brain(),
    fault: () => {
      arrivals.push({ at: performance.timeOrigin + performance.now() });
      return null;
    },
    dimensions: 256,
  });
  // Arrivals of the floor program are seen although it is refused.
  const port = new URL(server.url).port;
  const folder = mkdtempSync(join(tmpdir(), 'babyagi-bench-'));
  try {
    const run = [
      'run',
      'Plan a small garden',
      '--max-iterations',
      '1',
      '--max-cost-usd',
      '1',
      '--model',
      'gpt-4o',
      '--no-answer',
      '--base-url',
      server.baseUrl,
    ];
    const floor: number[] = [];
    const given: number[] = [];
    const listed: number[] = [];
    for (let repetition = 0; repetition < REPETITIONS; repetition++) {
      floor.push(await firstRequestSeen(server, ['-e', FLOOR, port], folder));
      listed.push(await firstRequest(arrivals, [CLI, ...run], folder));
      given.push(
        await firstRequest(
          arrivals,
          [CLI, ...run, '--embedding-model', 'none', '--price-input', '2.5', '--price-output', '10'],
          folder,
        ),
      );
    }
    say(
      `start to first request: ${median(given).toFixed(0)} ms with prices given, ${median(listed).toFixed(0)} ms with list prices, floor ${median(floor).toFixed(0)} ms; ratios ${(median(given) / median(floor)).toFixed(2)}, ${(median(listed) / median(floor)).toFixed(2)} (goal 110 ms)`,
    );

    const host = testHost(server.url);
    const session = await startRun(
      testSettings(server.baseUrl, { max_iterations: 760, max_cost_usd: 100, synthesis: false }),
      testStart(join(folder, 'long')),
      host,
    );
    const { runDirectory } = await session.done;
    host.egress.close();
    const events = session.state.lastSeq;
    const reads: number[] = [];
    for (let repetition = 0; repetition < REPETITIONS; repetition++) {
      const started = performance.now();
      await readRun(nodeDisk, runDirectory);
      reads.push(performance.now() - started);
    }
    say(`read and fold ${events} events: ${median(reads).toFixed(0)} ms`);
    const resumed: number[] = [];
    for (let repetition = 0; repetition < 5; repetition++) {
      const copy = join(folder, `copy-${repetition}`);
      cpSync(runDirectory, copy, { recursive: true });
      resumed.push(await firstRequest(arrivals, [CLI, 'resume', copy, '--add-iterations', '1'], folder));
    }
    say(
      `resume of ${events} events to first request: ${median(resumed).toFixed(0)} ms, ratio to the floor ${(median(resumed) / median(floor)).toFixed(2)} (goal 150 ms)`,
    );
    sizes();
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
}

async function firstRequestSeen(
  server: Awaited<ReturnType<typeof startModelServer>>,
  args: readonly string[],
  cwd: string,
): Promise<number> {
  const before = server.requests.length;
  const started = Date.now();
  const child = spawn(process.execPath, args, { cwd, stdio: 'ignore' });
  await new Promise((done) => child.once('exit', done));
  const seen = server.requests[before];
  if (!seen) throw new Error('no request arrived');
  return seen.at - started;
}

function sizes(): void {
  const kilobytes = (file: string) => Math.round(statSync(file).size / 1024);
  say(`start-up of the extension: ${kilobytes('dist/extension.js')} KB in one file (goal 120 KB)`);
  for (const name of readdirSync('out').filter((file) => file.endsWith('.vsix')))
    say(`${name}: ${kilobytes(join('out', name))} KB (goal 2200 KB)`);
}

await main();
