import { type Clock, RunLost } from '../run/ports.ts';
import { TranslatableError } from '../run/translate.ts';
import type { Disk, DiskFile } from './disk.ts';
import { ownerFile, type RunFolder } from './folder.ts';
import { highestOwner, isGone, type OwnerIdentity, type ProcessTable, readOwner, RELEASED } from './owner-file.ts';

const BEAT = new Uint8Array([0x2e]);
export const BEAT_MS = 1000;
/** A live owner that stopped beating is taken over after this long. */
const HUNG_MS = 10_000;
/**
 * So much of it the watcher must see by its own monotonic clock: a machine that wakes up finds every beat long ago, and
 * its owners beat again at once.
 */
const SEEN_SILENT_MS = 3000;
const OTHER_MACHINE_MS = 60_000;
/** How soon the death of an owner is noticed. */
const WATCH_MS = 100;
/** Numbers have six digits. */
const MOST_OWNERS = 999_999;

export class OwnedElsewhere extends TranslatableError {
  readonly reason = 'owned_elsewhere';
  readonly owner: OwnerIdentity | null;
  constructor(owner: OwnerIdentity | null) {
    super((translated) =>
      owner
        ? translated(
            'The run is in progress in process {0} on {1}: stop it there, or wait until that process has ended.',
            owner.pid,
            owner.host,
          )
        : translated('The run is in progress elsewhere.'),
    );
    this.name = 'OwnedElsewhere';
    this.owner = owner;
  }
}

/** The hold on a run. Never deleted, never trusted alone: `isHighest` is asked after each durable reservation. */
export class Ownership {
  readonly number: number;
  private readonly disk: Disk;
  private readonly folder: RunFolder;
  private readonly file: DiskFile;
  private beating: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | null = null;

  private constructor(disk: Disk, folder: RunFolder, number: number, file: DiskFile) {
    this.disk = disk;
    this.folder = folder;
    this.number = number;
    this.file = file;
  }

  /**
   * Takes the run over where its owner is gone: at once where it let go or died on this machine, after ten seconds
   * without a beat where it hangs, after sixty where it is on another machine. Throws OwnedElsewhere while it beats.
   */
  static async acquire(
    disk: Disk,
    folder: RunFolder,
    self: OwnerIdentity,
    processes: ProcessTable,
    clock: Clock,
  ): Promise<Ownership> {
    await disk.makeDirectory(folder.owners);
    for (;;) {
      const highest = await highestOwner(disk, folder);
      if (highest > 0) await untilGone(disk, folder, highest, self, processes, clock);
      // Behind every segment too: where owner files were deleted, the log must still go on at its end.
      const next = Math.max(highest, await highestSegment(disk, folder)) + 1;
      if (next > MOST_OWNERS)
        throw new RunLost('log_failed', (translated) =>
          translated('The run has had {0} owners, more than can be numbered.', MOST_OWNERS),
        );
      try {
        return await Ownership.create(disk, folder, next, self);
      } catch (error) {
        // Somebody was quicker: look again.
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      }
    }
  }

  private static async create(disk: Disk, folder: RunFolder, number: number, self: OwnerIdentity): Promise<Ownership> {
    const file = await disk.create(ownerFile(folder, number));
    try {
      await file.write(Buffer.from(`${JSON.stringify(self)}\n`));
      await file.sync();
      await disk.syncDirectory(folder.owners);
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
    return new Ownership(disk, folder, number, file);
  }

  /** Shows others that this owner lives. */
  startBeating(): void {
    this.timer ??= setInterval(() => {
      this.beating = this.beating.then(() => this.file.write(BEAT)).catch(() => this.stopBeating());
    }, BEAT_MS);
    this.timer.unref();
  }

  /** Owners are numbered without gaps, so the next number tells of any newer one. */
  async isHighest(): Promise<boolean> {
    return !(await this.disk.exists(ownerFile(this.folder, this.number + 1)));
  }

  /** Lets go, so that the next owner need not wait. */
  async release(): Promise<void> {
    this.stopBeating();
    await this.beating;
    await this.file.write(RELEASED).catch(() => {});
    await this.file.close().catch(() => {});
  }

  private stopBeating(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
  }
}

async function highestSegment(disk: Disk, folder: RunFolder): Promise<number> {
  const names = await disk.list(folder.log).catch(() => [] as string[]);
  return names.reduce(
    (highest, name) => (/^\d{6}\.jsonl$/.test(name) ? Math.max(highest, Number.parseInt(name, 10)) : highest),
    0,
  );
}

async function untilGone(
  disk: Disk,
  folder: RunFolder,
  number: number,
  self: OwnerIdentity,
  processes: ProcessTable,
  clock: Clock,
): Promise<void> {
  let seen = -1;
  let since = clock.monotonic();
  let beats = 0;
  for (;;) {
    const { owner, released, size } = await readOwner(disk, folder, number);
    if (released || (owner !== null && isGone(owner, self, processes))) return;
    if (size !== seen) {
      // The first size says nothing yet; two more are a sign of life that no wait will end.
      if (++beats > 2) throw new OwnedElsewhere(owner);
      seen = size;
      since = clock.monotonic();
    }
    // Who could not even write its name has not begun: the fence keeps it from doing so late.
    const near = owner === null || owner.boot_id === self.boot_id;
    const silentMs = clock.monotonic() - since;
    if (silentMs >= (near ? HUNG_MS : OTHER_MACHINE_MS)) return;
    if (near && silentMs >= SEEN_SILENT_MS) {
      const lastBeat = await disk.modifiedAt(ownerFile(folder, number));
      if (clock.now() - lastBeat >= HUNG_MS) return;
    }
    await clock.sleep(WATCH_MS);
  }
}
