import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startRun } from '../../src/engine/start.ts';
import { brain } from '../support/brain.ts';
import { startModelServer } from '../support/model-server.ts';
import { seeded } from './money-schedule.ts';
import { temporaryFolder, testHost, testSettings, testStart } from '../support/run-host.ts';

/** Iterations that a run of six hours does in reality, or many more. */
const ITERATIONS = 6000;
const SAMPLE_EVERY = 500;
const MIB = 2 ** 20;

interface Sample {
  readonly iteration: number;
  readonly heapMiB: number;
  readonly handles: number;
  readonly files: number;
  /** Longest delays of the event loop since the sample before, milliseconds. */
  readonly delayP99Ms: number;
}

const random = seeded(1);

/** Collects garbage, as a heap says little before. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

if (process.env['FAULTS_LONG'] === '1') {
  describe('a long run', () => {
    it(`keeps what it needs flat over ${ITERATIONS} iterations`, { timeout: 60 * 60_000 }, async () => {
      const answer = brain({ result: () => 'A short result.' });
      const server = await startModelServer({
        reply: (request, index) =>
          request.messages[0]?.content.startsWith('You judge')
            ? '{"verdicts":[{"met":false,"task":"t1"}]}'
            : answer(request, index),
        // No two texts are alike.
        embed: (_text, dimensions) => Array.from({ length: dimensions }, () => random() - 0.5),
        dimensions: 256,
      });
      const host = testHost(server.url);
      const session = await startRun(
        testSettings(server.baseUrl, {
          max_iterations: ITERATIONS,
          max_cost_usd: 1000,
          synthesis: false,
          recallTokens: 60,
        }),
        testStart(temporaryFolder()),
        host,
      );
      const samples: Sample[] = [];
      const delays = monitorEventLoopDelay({ resolution: 5 });
      delays.enable();
      session.subscribe((event) => {
        if (event.type !== 'iteration.completed' || event.iteration % SAMPLE_EVERY !== 0) return;
        const delayP99Ms = delays.percentile(99) / 1e6;
        server.requests.length = 0;
        server.bill.length = 0;
        collectGarbage();
        const files = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
        const heapMiB = process.memoryUsage().heapUsed / MIB;
        const sample = {
          iteration: event.iteration,
          heapMiB,
          handles: process.getActiveResourcesInfo().length,
          files,
          delayP99Ms,
        };
        samples.push(sample);
        console.log(`soak: ${JSON.stringify(sample)}`);
        delays.reset();
      });
      const outcome = await session.done;
      host.egress.close();
      await server.close();
      assert.equal(outcome.stopReason, 'max_iterations', outcome.detail);
      const [, second] = samples;
      const last = samples.at(-1);
      assert.ok(second && last);
      assert.ok(last.handles <= second.handles + 5, 'handles');
      assert.ok(last.files <= second.files + 5, 'open files');
      assert.ok(last.delayP99Ms <= Math.max(50, 2 * second.delayP99Ms), 'the delay of the event loop');
      // The state holds every result: it grows with the run, by so much an iteration, and not faster.
      const perIteration = (from: Sample, to: Sample) => (to.heapMiB - from.heapMiB) / (to.iteration - from.iteration);
      const middle = samples[Math.floor(samples.length / 2)];
      assert.ok(middle);
      assert.ok(
        perIteration(middle, last) <= 1.5 * perIteration(second, middle) + 0.002,
        'the heap grows faster and faster',
      );
      assert.ok(perIteration(second, last) < 0.05, `${perIteration(second, last)} MiB an iteration`);
    });
  });
}
