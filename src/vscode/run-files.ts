import { join } from 'node:path';
import type { Disk } from '../runlog/disk.ts';
import { runFolder } from '../runlog/folder.ts';
import { isOwned, type OwnerIdentity, type ProcessTable } from '../runlog/owner-file.ts';
import { briefOfFiles, type RunBrief } from './run-brief.ts';

export interface FoundRun {
  readonly directory: string;
  readonly brief: RunBrief;
}

/** Reads what a list of runs needs, without their logs. */
export class RunFiles {
  private readonly disk: Disk;
  private readonly identity: () => OwnerIdentity;
  private readonly processes: ProcessTable;

  constructor(disk: Disk, identity: () => OwnerIdentity, processes: ProcessTable) {
    this.disk = disk;
    this.identity = identity;
    this.processes = processes;
  }

  /** The newest runs of a runs folder, newest first, and how many older ones there are. */
  async newest(runsDirectory: string, most: number): Promise<{ found: FoundRun[]; older: number }> {
    const names = await this.disk.list(runsDirectory).catch(() => [] as string[]);
    // The names begin with the time.
    const runs = names
      .filter((name) => /^\d{8}T\d{6}Z-/.test(name))
      .sort()
      .reverse();
    const found: FoundRun[] = [];
    for (const name of runs.slice(0, most)) {
      const directory = join(runsDirectory, name);
      const brief = await this.brief(directory);
      if (brief !== null) found.push({ directory, brief });
    }
    return { found, older: Math.max(0, runs.length - most) };
  }

  async brief(directory: string): Promise<RunBrief | null> {
    const folder = runFolder(directory);
    const [config, summary, owned, imported] = await Promise.all([
      this.json(folder.config),
      this.json(folder.summaryJson),
      isOwned(this.disk, folder, this.identity(), this.processes).catch(() => false),
      this.disk.exists(folder.imported).catch(() => false),
    ]);
    return briefOfFiles(config, summary, owned, imported);
  }

  private async json(path: string): Promise<unknown> {
    try {
      return JSON.parse((await this.disk.read(path)).toString());
    } catch {
      return null;
    }
  }
}
