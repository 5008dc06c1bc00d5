import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EngineError } from '../../src/engine/engine-error.ts';
import { readRun } from '../../src/engine/read.ts';
import { resumeRun } from '../../src/engine/resume.ts';
import { startRun } from '../../src/engine/start.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { runFolder } from '../../src/runlog/folder.ts';
import { temporaryFolder, testSettings, testStart } from '../support/run-host.ts';
import { FailingDisk, type Failure } from './failing-disk.ts';
import {
  assertBooked,
  assertBoughtOnce,
  assertUntouched,
  assertVerifies,
  essence,
  heir,
  LONG,
  runFoldersIn,
  segmentsOf,
  soundLog,
  spread,
  steadyServer,
} from './fault-run.ts';

const SETTINGS = { max_iterations: 3, checkpointEvery: 2 };
const RESUME = { raise: {}, byPerson: false };

interface Tried {
  /** How the run ended on the failing disk: a stop reason, or `refused` where it did not start. */
  readonly outcome: string;
  /** What its log says of it. */
  readonly logged: string | null;
  readonly expected: unknown;
  readonly writes: number;
  readonly syncs: number;
}

/** A run whose disk fails there, then its resumption on a good one. */
async function tryFailure(failure: Failure, at: { write?: number; sync?: number }): Promise<Tried> {
  const runs = temporaryFolder();
  const server = await steadyServer();
  const disk = new FailingDisk(nodeDisk, failure, at);
  let sentBefore: number | null = null;
  disk.onFailure = () => {
    sentBefore = server.requests.length;
  };
  const host = heir(server.url, { disk });
  try {
    const outcome = await startRun(testSettings(server.baseUrl, SETTINGS), testStart(runs), host)
      .then((session) => session.done)
      .then(({ stopReason }) => stopReason)
      .catch((error: unknown) => {
        assert.ok(error instanceof EngineError && error.reason === 'disk', String(error));
        return 'refused';
      });
    if (sentBefore !== null) assert.equal(server.requests.length, sentBefore, 'a request left after the error');
    const [directory = ''] = runFoldersIn(runs);
    const result = { outcome, logged: null, expected: null, writes: disk.writes, syncs: disk.syncs };
    if (!existsSync(runFolder(directory).config)) return result;
    const state = await readRun(nodeDisk, directory);
    assertBooked(state, server.bill);
    if (outcome === 'disk_full') assert.equal(existsSync(runFolder(directory).reserve), false);
    // Otherwise it may be the summary itself that found no room.
    if (outcome === 'disk_full') {
      const summary = JSON.parse(readFileSync(join(directory, 'summary.json'), 'utf8')) as { stop_reason: string };
      assert.equal(summary.stop_reason, outcome);
    }
    if (outcome === 'disk_full' || outcome === 'max_iterations') await assertVerifies(directory);
    const before = segmentsOf(directory);
    const good = heir(server.url);
    const session = await resumeRun(directory, RESUME, good);
    assert.ok(existsSync(session.folder.reserve), 'the reserve is there again');
    await session.done;
    good.egress.close();
    assertUntouched(before, directory);
    const log = await soundLog(directory);
    assertBoughtOnce(log, server.requests);
    return { ...result, logged: state.end?.reason ?? null, expected: essence(await readRun(nodeDisk, directory)) };
  } finally {
    host.egress.close();
    await server.close();
    rmSync(runs, { recursive: true });
  }
}

describe('a disk that fails', () => {
  it('ends the run by name before the next request, and loses nothing', async () => {
    const whole = await tryFailure('EIO', {});
    const tried = new Map<string, number>();
    const points = [
      ...spread(whole.writes, 14).map((write) => ({ write })),
      ...spread(whole.syncs, 10).map((sync) => ({ sync })),
    ];
    let turn = 0;
    for (const at of points) {
      for (const failure of LONG
        ? (['ENOSPC', 'EDQUOT', 'EIO'] as const)
        : ([(['ENOSPC', 'EIO', 'EDQUOT', 'ENOSPC'] as const)[turn++ % 4] ?? 'EIO'] as const)) {
        const where = `${failure} at ${JSON.stringify(at)}`;
        const { outcome, logged, expected } = await tryFailure(failure, at).catch((cause: unknown) => {
          throw new Error(where, { cause });
        });
        if (outcome === 'disk_full') assert.notEqual(failure, 'EIO', where);
        else
          assert.ok(
            outcome === 'refused' || outcome === 'max_iterations' || (outcome === 'error' && failure === 'EIO'),
            `${where}: ${outcome}`,
          );
        if (outcome === 'disk_full' || outcome === 'max_iterations') assert.equal(logged, outcome, where);
        if (expected !== null) assert.deepEqual(expected, whole.expected, where);
        tried.set(outcome, (tried.get(outcome) ?? 0) + 1);
      }
    }
    console.log(
      `disk full: ${whole.writes} writes, ${whole.syncs} syncs, ${[...tried].map(([outcome, times]) => `${times} ${outcome}`).join(', ')}`,
    );
    assert.ok((tried.get('disk_full') ?? 0) > 0 && (tried.get('error') ?? 0) > 0 && (tried.get('refused') ?? 0) > 0);
  });
});

/** A mount namespace of its own, so that no disk is left mounted; undefined where this user may not have one. */
const namespace = [
  ['unshare', '-m'],
  ['unshare', '-Urm'],
].find(
  ([command = '', ...options]) =>
    spawnSync(command, [...options, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0,
);

describe('a small disk', { skip: namespace === undefined }, () => {
  it('is filled by a run, which says so, and goes on once there is room', () => {
    const sizes = LONG ? Array.from({ length: 60 }, (_, index) => 180 + 2 * index) : [200, 240, 290];
    const [command = '', ...options] = namespace ?? [];
    const main = fileURLToPath(new URL('./disk-full-main.mjs', import.meta.url));
    let iterations = 0;
    for (const size of sizes) {
      const { stdout, stderr } = spawnSync(command, [...options, process.execPath, main, String(size)], {
        encoding: 'utf8',
        timeout: 60_000,
      });
      assert.ok(stdout, stderr);
      const seen = JSON.parse(stdout) as { outcome: string; logged: string; iterations: number; resumed: string };
      assert.deepEqual(
        [seen.outcome, seen.logged, seen.resumed],
        ['disk_full', 'disk_full', 'max_iterations'],
        `${size} KiB: ${stdout}`,
      );
      iterations += seen.iterations;
    }
    console.log(
      `disk full: ${sizes.length} real disks of ${sizes[0]} to ${sizes.at(-1)} KiB, filled after ${iterations} iterations in all`,
    );
  });
});
