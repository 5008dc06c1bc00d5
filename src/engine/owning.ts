import type { RunFolder } from '../runlog/folder.ts';
import { Ownership } from '../runlog/owner.ts';
import type { Host } from './host.ts';

/** Takes the run over, and lets go of it where the work with it fails. */
export async function owning<T>(folder: RunFolder, host: Host, work: (ownership: Ownership) => Promise<T>): Promise<T> {
  const ownership = await Ownership.acquire(host.disk, folder, host.identity, host.processes, host.clock);
  // From here on: reading a long log may take a while.
  ownership.startBeating();
  try {
    return await work(ownership);
  } catch (error) {
    await ownership.release();
    throw error;
  }
}
