import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startRun } from '../../../src/engine/start.ts';
import { readLog } from '../../../src/runlog/reader.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { runFolder } from '../../../src/runlog/folder.ts';
import { brain } from '../../support/brain.ts';
import { startModelServer } from '../../support/model-server.ts';
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
