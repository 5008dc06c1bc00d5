import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import type { EventDraft } from '../../../src/run/events.ts';
import { initialState } from '../../../src/run/state.ts';
import type { Disk } from '../../../src/runlog/disk.ts';
import { runFolder, segmentFile } from '../../../src/runlog/folder.ts';
import { thisProcess } from '../../../src/runlog/machine.ts';
import { Ownership } from '../../../src/runlog/owner.ts';
import { LogWriter } from '../../../src/runlog/writer.ts';
import { type Files, memoryDisk } from '../../support/memory-disk.ts';
import { RecordedClock } from '../../support/recorded-clock.ts';
import { answered, ended, makeConfig, task } from '../../support/run-events.ts';

const FOLDER = runFolder('/run');

describe('the log', () => {
  let files: Files;
  /** What the segment held at each sync. */
  let synced: string[];
  let writer: LogWriter;

  beforeEach(async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    files = new Map();
    synced = [];
    const memory = memoryDisk(files);
    const disk: Disk = {
      ...memory,
      async create(path) {
        const file = await memory.create(path);
        const sync = () => Promise.resolve(void synced.push(String(files.get(path))));
        return path.endsWith('.jsonl') ? { ...file, sync } : file;
      },
    };
    const clock = new RecordedClock();
    const ownership = await Ownership.acquire(disk, FOLDER, thisProcess(), { isAlive: () => false }, clock);
    writer = await LogWriter.open({
      disk,
      folder: FOLDER,
      clock,
      ownership,
      identity: thisProcess(),
      redact: (draft) => draft,
      state: initialState(makeConfig()),
      end: null,
      configSha256: '0'.repeat(64),
    });
    synced = [];
  });
  afterEach(() => mock.timers.reset());

  /** What is synced after so many milliseconds in which nothing else happens. */
  async function syncedAfter(ms: number, ...drafts: EventDraft[]): Promise<string[]> {
    for (const draft of drafts) writer.append(draft);
    mock.timers.tick(ms);
    await whileItWrites();
    return synced;
  }

  async function whileItWrites(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  it('makes each answer that nothing follows durable within 5 ms', async () => {
    for (const id of ['c1', 'c2']) {
      const last = (await syncedAfter(5, ...answered(id, 'An answer.'))).at(-1) ?? '';
      assert.ok(last.trimEnd().split('\n').at(-1)?.includes(`"call.settled","call_id":"${id}"`), last);
    }
  });

  it('writes what is appended without being asked to', async () => {
    writer.append(task('t1', 'Dig.'));
    await whileItWrites();
    assert.match(String(files.get(segmentFile(FOLDER, 1))), /Dig\./);
  });

  it('makes the end durable within 5 ms', async () => {
    const [last = ''] = await syncedAfter(5, ended('queue_empty'));
    assert.match(last, /"run\.ended"/);
  });

  it('leaves what costs nothing to the next barrier', async () => {
    assert.deepEqual(await syncedAfter(1000, task('t1', 'Dig.')), []);
    await writer.barrier();
    assert.match(synced[0] ?? '', /Dig\./);
  });

  it('is synced by a barrier once, and not where nothing was written since', async () => {
    writer.append(task('t1', 'Dig.'));
    await writer.barrier();
    await writer.barrier();
    assert.equal(synced.length, 1);
  });

  it('writes what waits when it is closed, and takes nothing after it', async () => {
    writer.append(task('t1', 'Dig.'));
    await writer.close();
    await writer.close();
    assert.match(synced[0] ?? '', /Dig\./);
    const closed = String(files.get(segmentFile(FOLDER, 1)));
    assert.throws(() => writer.append(task('t2', 'Sow.')), { reason: 'log_failed', message: /closed/ });
    await whileItWrites();
    assert.equal(String(files.get(segmentFile(FOLDER, 1))), closed);
  });
});
