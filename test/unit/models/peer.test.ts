import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { LLMock } from '@copilotkit/aimock';
import { startRun } from '../../../src/engine/start.ts';
import { temporaryFolder, testHost, testSettings, testStart } from '../../support/run-host.ts';

describe('a run against a server that others wrote', () => {
  it('goes through execute, create and prioritise, with embeddings, and keeps its books', async (t) => {
    const mock = new LLMock({ port: 0 });
    mock.onMessage(/^Task t|Task t\d+:/, { content: 'Tomatoes need six hours of sun.' });
    let plans = 0;
    mock.on({ predicate: (request) => JSON.stringify(request).includes('You keep a task list') }, () => ({
      content: JSON.stringify({ new_tasks: [`Look into topic number ${plans++}`], order: ['n1'], complete: false }),
    }));
    mock.onMessage(/Results:/, { content: 'Plant tomatoes in the sun [t1].' });
    await mock.start();
    t.after(() => mock.stop());
    const host = testHost(mock.url);
    t.after(() => host.egress.close());
    const session = await startRun(
      testSettings(`${mock.url}/v1`, { max_iterations: 3 }),
      testStart(temporaryFolder()),
      host,
    );
    const outcome = await session.done;
    assert.equal(outcome.stopReason, 'max_iterations', outcome.detail);
    const { state } = session;
    const settled = [...state.calls.values()].filter((call) => call.status === 'settled');
    assert.deepEqual(
      settled.filter((call) => call.iteration === 2).map((call) => call.agent),
      ['execution', 'planning', 'embedding'],
    );
    assert.ok(
      settled.every((call) => call.cost > 0n),
      'every call has a cost',
    );
    assert.ok(
      [...state.memory.values()].every((entry) => state.vectors.has(`result/${entry.taskId}`)),
      'every result has a vector',
    );
    const results: unknown = JSON.parse(readFileSync(join(outcome.runDirectory, 'results.json'), 'utf8'));
    assert.ok(Array.isArray(results) && results.length === 3);
  });
});
