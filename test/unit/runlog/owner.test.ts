import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../../../src/run/ports.ts';
import { ownerFile, runFolder, segmentFile } from '../../../src/runlog/folder.ts';
import { BEAT_MS, OwnedElsewhere, Ownership } from '../../../src/runlog/owner.ts';
import { isOwned, type OwnerIdentity, type ProcessTable } from '../../../src/runlog/owner-file.ts';
import { type Files, memoryDisk } from '../../support/memory-disk.ts';

const FOLDER = runFolder('/run');
const BEAT = Buffer.from('.');

function identity(overrides: Partial<OwnerIdentity> = {}): OwnerIdentity {
  return { host: 'here', boot_id: 'boot-1', pid: 7, process_start: '100', nonce: 'self', ...overrides };
}

/** Only these processes live, as `pid/start`. */
function alive(...processes: string[]): ProcessTable {
  return { isAlive: (pid, start) => processes.includes(`${pid}/${start}`) };
}

const OTHER = identity({ pid: 8, process_start: '200', nonce: 'other' });
const OTHER_LIVES = alive('8/200');

/** Time that passes only while somebody sleeps; `happens` is called after each sleep, with the milliseconds so far. */
function timeline(happens: (ms: number) => void = () => {}): Clock & { ms: number } {
  return {
    ms: 0,
    now: () => 0,
    monotonic() {
      return this.ms;
    },
    sleep(duration) {
      this.ms += duration;
      happens(this.ms);
      return Promise.resolve();
    },
  };
}

/** A folder whose last owner wrote this file. */
function ownedBy(owner: OwnerIdentity, behind = ''): Files {
  return new Map([[ownerFile(FOLDER, 1), Buffer.from(`${JSON.stringify(owner)}\n${behind}`)]]);
}

async function acquire(files: Files, processes: ProcessTable, clock: Clock = timeline()): Promise<Ownership> {
  return Ownership.acquire(memoryDisk(files), FOLDER, identity(), processes, clock);
}

describe('a run is taken over', () => {
  const cases = [
    { what: 'at once where nobody had it', files: new Map(), processes: alive(), number: 1, ms: 0 },
    { what: 'at once where its owner let go', files: ownedBy(OTHER, '..!'), processes: OTHER_LIVES, number: 2, ms: 0 },
    {
      what: 'at once where its owner died on this machine',
      files: ownedBy(OTHER, '..'),
      processes: alive(),
      number: 2,
      ms: 0,
    },
    {
      what: 'at once where its process id is another process now',
      files: ownedBy(OTHER),
      processes: alive('8/999'),
      number: 2,
      ms: 0,
    },
    {
      what: 'after ten seconds where its owner hangs',
      files: ownedBy(OTHER),
      processes: OTHER_LIVES,
      number: 2,
      ms: 10_000,
    },
    {
      what: 'after ten seconds where its owner did not come to write its name',
      files: new Map([[ownerFile(FOLDER, 1), Buffer.alloc(0)]]),
      processes: alive(),
      number: 2,
      ms: 10_000,
    },
    {
      what: 'after ten seconds where the name is torn',
      files: new Map([[ownerFile(FOLDER, 1), Buffer.from('{"host":"he')]]),
      processes: alive(),
      number: 2,
      ms: 10_000,
    },
    {
      what: 'after a minute where its owner is on another machine',
      files: ownedBy({ ...OTHER, boot_id: 'boot-2' }),
      processes: alive(),
      number: 2,
      ms: 60_000,
    },
  ];
  for (const { what, files, processes, number, ms } of cases) {
    it(what, async () => {
      const clock = timeline();
      assert.equal((await acquire(files, processes, clock)).number, number);
      assert.equal(clock.ms, ms);
    });
  }

  it('ten seconds after the last beat, not after the first look', async () => {
    const files = ownedBy(OTHER);
    const clock = timeline((ms) => {
      if (ms === 4000) append(files, BEAT);
    });
    await acquire(files, OTHER_LIVES, clock);
    assert.equal(clock.ms, 14_000);
  });

  it('ten seconds after a beat that was long before the first look, once some of the silence was seen', async () => {
    for (const [before, after] of [
      [60_000, 3000],
      [5000, 5000],
      [1000, 9000],
    ] as const) {
      const clock = {
        ...timeline(),
        now() {
          return this.ms;
        },
      };
      const disk = memoryDisk(ownedBy(OTHER), () => -before);
      await Ownership.acquire(disk, FOLDER, identity(), OTHER_LIVES, clock);
      assert.equal(clock.ms, after);
    }
  });

  it('not from an owner that wakes up together with the watcher, long after its last beat', async () => {
    const files = ownedBy(OTHER);
    const clock = timeline((ms) => {
      if (ms % BEAT_MS === 0) append(files, BEAT);
    });
    const hoursAgo = memoryDisk(files, () => -8 * 3_600_000);
    await assert.rejects(Ownership.acquire(hoursAgo, FOLDER, identity(), OTHER_LIVES, clock), OwnedElsewhere);
  });

  it('as soon as its owner lets go or dies', async () => {
    const files = ownedBy(OTHER);
    const letsGo = timeline((ms) => {
      if (ms === 3000) append(files, Buffer.from('!'));
    });
    await acquire(files, OTHER_LIVES, letsGo);
    assert.equal(letsGo.ms, 3000);

    let lives = true;
    const dies = timeline((ms) => {
      lives = ms < 5000;
    });
    await acquire(ownedBy(OTHER), { isAlive: () => lives }, dies);
    assert.equal(dies.ms, 5000);
  });

  it('never from an owner that beats, and the message says who that is', async () => {
    const files = ownedBy(OTHER);
    const clock = timeline((ms) => {
      if (ms % BEAT_MS === 0) append(files, BEAT);
    });
    await assert.rejects(acquire(files, OTHER_LIVES, clock), (error) => {
      assert.ok(error instanceof OwnedElsewhere);
      assert.deepEqual(error.owner, OTHER);
      assert.match(error.message, /process 8 on here/);
      return true;
    });
    assert.ok(clock.ms <= 3 * BEAT_MS);
    assert.equal(files.size, 1);
  });

  it('by one of two that try at the same time, and by the other after it', async () => {
    const files = ownedBy(OTHER);
    const [first, second] = await Promise.all([acquire(files, alive()), acquire(files, alive())]);
    assert.deepEqual(new Set([first.number, second.number]), new Set([2, 3]));
  });

  it('not on a disk that takes no owner file, and says why instead of trying for ever', async () => {
    for (const code of ['ENOSPC', 'EACCES', undefined]) {
      let tries = 0;
      const create = () => {
        // What is tried for ever would never let this test end.
        if (++tries > 3) throw new Error('tried again');
        return Promise.reject(Object.assign(new Error('no room'), code === undefined ? {} : { code }));
      };
      const disk = { ...memoryDisk(new Map()), create };
      await assert.rejects(Ownership.acquire(disk, FOLDER, identity(), alive(), timeline()), /no room/);
    }
  });

  it('with a number behind every segment, where owner files were deleted', async () => {
    const files: Files = new Map([[segmentFile(FOLDER, 4), Buffer.alloc(0)]]);
    assert.equal((await acquire(files, alive())).number, 5);
  });
});

describe('an owner', () => {
  it('is the highest until there is a newer one', async () => {
    const files: Files = new Map();
    const first = await acquire(files, alive());
    assert.equal(await first.isHighest(), true);
    const second = await acquire(files, alive());
    assert.equal(await first.isHighest(), false);
    assert.equal(await second.isHighest(), true);
  });

  it('does not take a disk that cannot tell for one that says no', async () => {
    const disk = { ...memoryDisk(new Map()), exists: () => Promise.reject(new Error('EIO')) };
    const owner = await Ownership.acquire(disk, FOLDER, identity(), alive(), timeline());
    await assert.rejects(owner.isHighest(), /EIO/);
  });

  it('writes its name, then a sign of life every second, then that it lets go', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const files: Files = new Map();
    const owner = await acquire(files, alive());
    const text = () => String(files.get(ownerFile(FOLDER, 1)));
    assert.equal(text(), `${JSON.stringify(identity())}\n`);
    owner.startBeating();
    for (let beat = 0; beat < 3; beat += 1) t.mock.timers.tick(BEAT_MS);
    await owner.release();
    t.mock.timers.tick(BEAT_MS);
    assert.equal(text(), `${JSON.stringify(identity())}\n...!`);
  });

  it('is seen by others while it lives and has not let go', async () => {
    const look = (files: Files, processes: ProcessTable) => isOwned(memoryDisk(files), FOLDER, identity(), processes);
    assert.equal(await look(new Map(), OTHER_LIVES), false);
    assert.equal(await look(ownedBy(OTHER, '.'), OTHER_LIVES), true);
    assert.equal(await look(ownedBy(OTHER, '.'), alive()), false);
    assert.equal(await look(ownedBy(OTHER, '.!'), OTHER_LIVES), false);
    assert.equal(await look(ownedBy({ ...OTHER, boot_id: 'boot-2' }), alive()), true);
  });
});

function append(files: Files, bytes: Buffer): void {
  const path = ownerFile(FOLDER, 1);
  files.set(path, Buffer.concat([files.get(path) ?? Buffer.alloc(0), bytes]));
}
