import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Disk } from '../runlog/disk.ts';
import { runFolder } from '../runlog/folder.ts';

/** A run that this machine started, or that a person took over here. */
export interface KnownRun {
  readonly run_id: string;
  readonly directory: string;
  readonly config_sha256: string;
  /** It should be going on: a window that finds nobody at it takes it up. */
  readonly in_progress: boolean;
}

/**
 * Which runs may go on here without a person's word, kept outside every workspace: a run folder that came with a
 * repository can claim what it likes. One file for each run, so that windows do not overwrite each other's.
 */
export class KnownRuns {
  private readonly disk: Disk;
  private readonly folder: string;
  private readonly recordOf: (directory: string) => string;

  /** `recordOf`: the file of a run folder that is written first and never changed. */
  constructor(disk: Disk, folder: string, recordOf = (directory: string) => runFolder(directory).config) {
    this.disk = disk;
    this.folder = folder;
    this.recordOf = recordOf;
  }

  async all(): Promise<readonly KnownRun[]> {
    const names = await this.disk.list(this.folder).catch(() => [] as string[]);
    const read = names
      .filter((name) => name.endsWith('.json'))
      .map((name) => this.read(name.slice(0, -'.json'.length)));
    return (await Promise.all(read)).filter((run) => run !== null);
  }

  /** Notes the run as one of this machine's. */
  async put(runId: string, directory: string, inProgress: boolean): Promise<void> {
    const known: KnownRun = {
      run_id: runId,
      directory,
      config_sha256: await this.configHash(directory),
      in_progress: inProgress,
    };
    await this.disk.makeDirectory(this.folder);
    await this.disk.replace(this.file(runId), `${JSON.stringify(known)}\n`);
  }

  /** Whether the run in this folder is, unchanged, one that this machine runs. */
  async vouchesFor(runId: string, directory: string): Promise<boolean> {
    const known = await this.read(runId);
    return known?.directory === directory && known.config_sha256 === (await this.configHash(directory).catch(() => ''));
  }

  async forget(runId: string): Promise<void> {
    await this.disk.remove(this.file(runId));
  }

  private async read(runId: string): Promise<KnownRun | null> {
    if (!/^[\w-]+$/.test(runId)) return null;
    try {
      const value = JSON.parse((await this.disk.read(this.file(runId))).toString()) as Partial<KnownRun> | null;
      const { run_id, directory, config_sha256, in_progress } = value ?? {};
      if (run_id !== runId || typeof directory !== 'string' || typeof config_sha256 !== 'string') return null;
      return { run_id, directory, config_sha256, in_progress: in_progress === true };
    } catch {
      // Not there, or half written by a machine that lost power: then the run is not vouched for.
      return null;
    }
  }

  private async configHash(directory: string): Promise<string> {
    return createHash('sha256')
      .update(await this.disk.read(this.recordOf(directory)))
      .digest('hex');
  }

  private file(runId: string): string {
    return join(this.folder, `${runId}.json`);
  }
}
