import { join } from 'node:path';
import { jsonOrNull } from '../run/json.ts';
import type { Disk } from '../runlog/disk.ts';
import type { OwnerIdentity, ProcessTable } from '../runlog/owner-file.ts';

const MOST_BYTES = 4096;

/**
 * Which window is at an experiment, so that another one that opens does not join it by itself: any number of workers may, but
 * only where a person says so. Kept in the extension's own storage.
 */
export class ExperimentHolder {
  private readonly disk: Disk;
  private readonly folder: string;
  private readonly self: () => OwnerIdentity;
  private readonly processes: ProcessTable;

  constructor(disk: Disk, folder: string, self: () => OwnerIdentity, processes: ProcessTable) {
    this.disk = disk;
    this.folder = folder;
    this.self = self;
    this.processes = processes;
  }

  async hold(id: string): Promise<void> {
    await this.disk.makeDirectory(this.folder);
    await this.disk.replace(this.file(id), `${JSON.stringify(this.self())}\n`);
  }

  async letGo(id: string): Promise<void> {
    await this.disk.remove(this.file(id));
  }

  /** Whether another window is at it that may live. One of an earlier start of the machine does not. */
  async isHeld(id: string): Promise<boolean> {
    const text = await this.disk.read(this.file(id), MOST_BYTES).catch(() => null);
    const { boot_id, pid, process_start } = { ...(jsonOrNull(String(text)) as Partial<OwnerIdentity> | null) };
    const self = this.self();
    if (boot_id !== self.boot_id || typeof pid !== 'number' || typeof process_start !== 'string') return false;
    const isOwn = pid === self.pid && process_start === self.process_start;
    return !isOwn && this.processes.isAlive(pid, process_start);
  }

  private file(id: string): string {
    return join(this.folder, `${id}.owner`);
  }
}
