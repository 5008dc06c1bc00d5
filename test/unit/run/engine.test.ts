import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { startRun } from '../../../src/engine/start.ts';
import { readLog } from '../../../src/runlog/reader.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { runFolder } from '../../../src/runlog/folder.ts';
import { systemClock } from '../../../src/run/clock.ts';
import { brain } from '../../support/brain.ts';
import { startModelServer } from '../../support/model-server.ts';
import { oneRun } from '../../support/one-run.ts';
import { temporaryFolder, testHost, testSettings, testStart } from '../../support/run-host.ts';

describe('a guarded run against a server', () => {
  it('goes through ten iterations and ends at the iteration limit, with every call in the log', async () => {
    const server = await startModelServer({ reply: brain() });
    const host = testHost(server.url);
    const session = await startRun(testSettings(server.baseUrl), testStart(temporaryFolder()), host);
    const outcome = await session.done;
    host.egress.close();
    await server.close();
    const log = await readLog(nodeDisk, runFolder(outcome.runDirectory));
    assert.equal(outcome.stopReason, 'max_iterations', outcome.detail);
    assert.equal(outcome.iterations, 10);
    assert.equal(log.damage, null);
    const settled = log.events.filter((event) => event.type === 'call.settled');
    assert.equal(settled.filter((event) => event.agent === 'execution').length, 10);
    assert.equal(settled.filter((event) => event.agent === 'planning').length, 10);
    assert.equal(settled.filter((event) => event.agent === 'embedding').length, 10);
    const first = readFileSync(join(outcome.runDirectory, 'log/000001.jsonl'), 'utf8').split('\n')[0] ?? '';
    assert.match(first, /"type":"run\.created"/);
  });
});

describe('the folder of a run', () => {
  it('bears the time at which the run was created, whatever passes meanwhile', async (t) => {
    let hours = 0;
    const clock = { ...systemClock, now: () => Date.UTC(2026, 0, 1, hours++) };
    const { outcome, state } = await oneRun(t, { host: { clock }, begun: (session) => session.stop() });
    const time = state.config.created_at.slice(0, 19).replace(/[-:]/g, '');
    assert.ok(basename(outcome.runDirectory).startsWith(`${time}Z-`), `${time} ${outcome.runDirectory}`);
  });

  it('bears no secret of the objective, in whatever letters', async (t) => {
    const secret = 'Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z';
    for (const prefix of ['gsk_', 'xai-', 'sk_live_']) {
      const objective = `Try ${prefix}${secret} here`;
      const { outcome } = await oneRun(t, { settings: { objective }, begun: (session) => session.stop() });
      assert.ok(!basename(outcome.runDirectory).includes(secret.slice(0, 8).toLowerCase()), outcome.runDirectory);
      assert.ok(!readFileSync(join(outcome.runDirectory, 'config.json'), 'utf8').includes(secret));
    }
  });
});
