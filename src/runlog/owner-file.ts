import type { Disk } from './disk.ts';
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

/** Written behind the beats of an owner that let go. */
export const RELEASED = new Uint8Array([0x21]);
/** Bytes of an owner file: half a year of beats. */
const MOST_BEATS = 16 * 1024 * 1024;
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

export function isGone(owner: OwnerIdentity, self: OwnerIdentity, processes: ProcessTable): boolean {
  return owner.boot_id === self.boot_id && !processes.isAlive(owner.pid, owner.process_start);
}

export async function highestOwner(disk: Disk, folder: RunFolder): Promise<number> {
  const names = await disk.list(folder.owners);
  return names.reduce((highest, name) => (/^\d{6}$/.test(name) ? Math.max(highest, Number(name)) : highest), 0);
}

export async function readOwner(
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
