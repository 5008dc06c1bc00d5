import { spawnSync } from 'node:child_process';
import { readRun } from '../../src/engine/read.ts';
import { resumeRun } from '../../src/engine/resume.ts';
import { startRun } from '../../src/engine/start.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { temporaryFolder, testHost, testSettings, testStart } from '../support/run-host.ts';
import { assertBooked, assertBoughtOnce, soundLog, steadyBrain, steadyServer } from './fault-run.ts';

/*
 * Fills a small disk of its own with a run, gives the disk more room and resumes the run. Must be allowed to mount.
 * Prints a line of JSON. Argument: the size of the disk in KiB.
 */
const [size = ''] = process.argv.slice(2);
const folder = temporaryFolder();
mount('-t', 'tmpfs', '-o', `size=${size}k`, 'tmpfs', folder);

const server = await steadyServer({
  reply: steadyBrain({ result: (task) => `About ${task}: ${'water the beds and turn the soil. '.repeat(60)}` }),
});
const host = testHost(server.url);
const raise = { max_iterations: 40 };
const session = await startRun(
  testSettings(server.baseUrl, { max_iterations: 30, checkpointEvery: 3 }),
  testStart(folder),
  host,
);
const full = await session.done;
const { directory, report } = await looked();

mount('-o', 'remount,size=64m', folder);
const resumed = await (await resumeRun(directory, { raise, byPerson: true }, host)).done;
assertBoughtOnce(await soundLog(directory), server.requests);
process.stdout.write(`${JSON.stringify({ outcome: full.stopReason, ...report, resumed: resumed.stopReason })}\n`);
host.egress.close();
await server.close();

async function looked() {
  const directory = full.runDirectory;
  const state = await readRun(nodeDisk, directory);
  assertBooked(state, server.bill);
  const files = await nodeDisk.list(directory);
  return {
    directory,
    report: { logged: state.end?.reason ?? null, iterations: state.iteration, summary: files.includes('summary.json') },
  };
}

function mount(...options: string[]): void {
  const { status, stderr } = spawnSync('mount', options, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}
