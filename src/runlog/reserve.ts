import { randomBytes } from 'node:crypto';
import type { Disk } from './disk.ts';
import type { RunFolder } from './folder.ts';

/** Room for an owner file, a segment with the end of the run, and summaries of some length. */
const RESERVE_BYTES = 64 * 1024;

/** Keeps room back, so that a run that fills the disk can still say how it ended. Random: zeros may take no room. */
export async function keepReserve(disk: Disk, folder: RunFolder): Promise<void> {
  await disk.replace(folder.reserve, randomBytes(RESERVE_BYTES));
}
