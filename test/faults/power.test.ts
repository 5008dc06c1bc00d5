import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { resumeRun } from '../../src/engine/resume.ts';
import type { Session } from '../../src/engine/session.ts';
import { startRun } from '../../src/engine/start.ts';
import { RunConfig } from '../../src/run/config.ts';
import type { RunEvent } from '../../src/run/events.ts';
import { fold } from '../../src/run/fold.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { ownerFile, type RunFolder, segmentFile } from '../../src/runlog/folder.ts';
import { readLog } from '../../src/runlog/reader.ts';
import type { BillLine } from '../support/model-bill.ts';
import { TEST_KEY, temporaryFolder, testSettings, testStart } from '../support/run-host.ts';
import { CrashDisk, never } from './crash-disk.ts';
import { assertBooked, heir, LONG, seeded, soundLog, steadyBrain, steadyServer } from './fault-run.ts';
import { type Files, memoryDisk } from '../support/memory-disk.ts';
import { PowerRecorder } from './power-recorder.ts';

interface Recording {
  readonly recorder: PowerRecorder;
  readonly folder: RunFolder;
  readonly events: readonly RunEvent[];
  readonly bill: readonly BillLine[];
}

/** A run on a recorded disk. A process of its own is killed at disk operation `killedAt`, then another one goes on. */
async function record(killedAt: number): Promise<Recording> {
  const root = temporaryFolder();
  const runs = join(root, 'deep/runs');
  const recorder = new PowerRecorder(root);
  const long = `${`${'='.repeat(60)} `.repeat(560)}`;
  const server = await steadyServer({
    reply: steadyBrain({ result: (task) => (task.startsWith('Develop') ? long : `About ${task}.`) }),
    countTokens: (text) => Math.ceil(text.length / 64),
    fault: (request) => {
      recorder.operations.push({ kind: 'sent', request: request.index });
      return null;
    },
  });
  recorder.start();
  try {
    const disk = new CrashDisk(nodeDisk, killedAt, 'after');
    const first = heir(server.url, { disk, keyFor: () => (disk.isDead ? never() : Promise.resolve(TEST_KEY)) });
    const session = await startRun(
      testSettings(server.baseUrl, { max_iterations: 4, checkpointEvery: 2 }),
      testStart(runs),
      first,
    );
    watch(session, recorder);
    await Promise.race([session.done, disk.died]);
    first.egress.close();
    await disk.bury();
    const second = heir(server.url);
    const heirSession = await resumeRun(session.folder.path, { raise: {}, byPerson: false }, second);
    watch(heirSession, recorder);
    await heirSession.done;
    second.egress.close();
    const { events } = await soundLog(session.folder.path);
    return { recorder, folder: session.folder, events: events as RunEvent[], bill: server.bill };
  } finally {
    recorder.stop();
    await server.close();
    rmSync(root, { recursive: true });
  }
}

function watch({ log }: Session, recorder: PowerRecorder): void {
  const barrier = log.barrier.bind(log);
  log.barrier = async () => {
    const seq = log.state.lastSeq;
    await barrier();
    recorder.operations.push({ kind: 'acknowledged', seq });
  };
}

/** What must be true of every disk that a cut leaves. */
async function assertRecovers(
  files: Files,
  { folder, events, bill }: Recording,
  acknowledged: number,
  sent: ReadonlySet<number>,
): Promise<void> {
  const config = files.get(folder.config);
  const parsed = config && RunConfig.safeParse(JSON.parse(config.toString()));
  if (!parsed?.success) {
    assert.deepEqual([acknowledged, sent.size], [0, 0], 'the run is gone');
    return;
  }
  const log = await readLog(memoryDisk(files), folder);
  assert.equal(log.damage, null, JSON.stringify(log.damage));
  assert.ok(log.events.length >= acknowledged, `${acknowledged} acknowledged, ${log.events.length} recovered`);
  assert.deepEqual(log.events.at(-1), events[log.events.length - 1]);
  const state = fold(parsed.data, log.events as RunEvent[]);
  assertBooked(
    state,
    bill.filter(({ request }) => sent.has(request)),
  );
  // The next owner finds its number free, and the segment of that number too.
  const next = [1, 2, 3].find((number) => !files.has(ownerFile(folder, number))) ?? 4;
  assert.ok(!files.has(segmentFile(folder, next)), `segment ${next} is there without its owner`);
}

describe('a power cut', () => {
  it('takes nothing that was acknowledged or sent, whatever the disk had not yet written', async () => {
    const kills = LONG
      ? Array.from({ length: 40 }, (_, index) => 20 + index)
      : Array.from({ length: 8 }, (_, index) => 34 + index);
    const most = LONG ? 1000 : 8;
    let states = 0;
    let cuts = 0;
    for (const killedAt of kills) {
      const recording = await record(killedAt);
      const { operations } = recording.recorder;
      const random = seeded(killedAt);
      let acknowledged = 0;
      const sent = new Set<number>();
      for (const [cut, operation] of operations.entries()) {
        if (operation.kind === 'acknowledged') acknowledged = Math.max(acknowledged, operation.seq);
        if (operation.kind === 'sent') sent.add(operation.request);
        cuts += 1;
        for (const files of recording.recorder.disksAt(cut + 1, most, random)) {
          states += 1;
          await assertRecovers(files, recording, acknowledged, sent).catch((cause: unknown) => {
            throw new Error(
              `killed at ${killedAt}, power cut after operation ${cut}: ${JSON.stringify({ ...operation, bytes: undefined })}`,
              { cause },
            );
          });
        }
      }
    }
    console.log(`power: ${kills.length} runs with a kill, ${cuts} cuts, ${states} disks, 0 lost`);
    assert.ok(states >= (LONG ? 50_000 : 2000), `${states} disks are too few`);
  });
});
