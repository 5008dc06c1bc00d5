import { type Clock, RunLost } from '../run/ports.ts';
import { TranslatableError } from '../run/translate.ts';
import type { Disk, DiskFile } from './disk.ts';
import { ownerFile, type RunFolder } from './folder.ts';

/** Who owns a run, as written in `owner/NNNNNN`; the highest number owns. */
export interface OwnerIdentity {
  readonly host: string;
  /** Changes with every boot and process namespace, so that a process id of another one is never believed. */
  readonly boot_id: string;
  readonly pid: number;
  /** When the process started, as its system says it: tells a reused process id. Empty where unknown. */
  readonly process_start: string;
  readonly nonce: string;
}

/** What can be found out about other processes of this machine. */
export interface ProcessTable {
  /** True unless that process is certainly gone. */
  isAlive(pid: number, processStart: string): boolean;
}

const BEAT = new Uint8Array([0x2e]);
const RELEASED = new Uint8Array([0x21]);
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
/** Bytes of an owner file: half a year of beats. */
const MOST_BEATS = 16 * 1024 * 1024;
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

async function highestOwner(disk: Disk, folder: RunFolder): Promise<number> {
  const names = await disk.list(folder.owners);
  return names.reduce((highest, name) => (/^\d{6}$/.test(name) ? Math.max(highest, Number(name)) : highest), 0);
}

async function highestSegment(disk: Disk, folder: RunFolder): Promise<number> {
  const names = await disk.list(folder.log).catch(() => [] as string[]);
  return names.reduce(
    (highest, name) => (/^\d{6}\.jsonl$/.test(name) ? Math.max(highest, Number.parseInt(name, 10)) : highest),
    0,
  );
}

/** Whether the run has an owner that lives, without waiting for one that hangs. */
export async function isOwned(
  disk: Disk,
  folder: RunFolder,
  self: OwnerIdentity,
  processes: ProcessTable,
): Promise<boolean> {
  const names = await disk.list(folder.owners).catch(() => [] as string[]);
  if (names.length === 0) return false;
  const { owner, released } = await readOwner(disk, folder, await highestOwner(disk, folder));
  return !released && !(owner !== null && isGone(owner, self, processes));
}

function isGone(owner: OwnerIdentity, self: OwnerIdentity, processes: ProcessTable): boolean {
  return owner.boot_id === self.boot_id && !processes.isAlive(owner.pid, owner.process_start);
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

async function readOwner(
  disk: Disk,
  folder: RunFolder,
  number: number,
): Promise<{ owner: OwnerIdentity | null; released: boolean; size: number }> {
  const bytes = await disk.read(ownerFile(folder, number), MOST_BEATS);
  const end = bytes.indexOf(0x0a);
  return {
    owner: end < 0 ? null : parseOwner(bytes.toString('utf8', 0, end)),
    released: bytes.at(-1) === RELEASED[0] && end >= 0,
    size: bytes.length,
  };
}

function parseOwner(text: string): OwnerIdentity | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    const { host, boot_id, pid, process_start, nonce } = value as Record<string, unknown>;
    const fits =
      typeof host === 'string' &&
      typeof boot_id === 'string' &&
      typeof pid === 'number' &&
      typeof process_start === 'string' &&
      typeof nonce === 'string';
    return fits ? { host, boot_id, pid, process_start, nonce } : null;
  } catch {
    return null;
  }
}
