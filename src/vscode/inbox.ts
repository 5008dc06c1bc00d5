import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { wordsOf } from '../run/translate.ts';
import type { Disk } from '../runlog/disk.ts';
import { l10n } from './panel-l10n.ts';

/** What a window asks of the one that a run is in progress in. `digest`: of the review as it was shown. */
export type Command =
  | { readonly do: 'stop' | 'pause' | 'resume' }
  | { readonly do: 'approve_review' | 'stop_at_review'; readonly digest: string };

/** What became of a command. `refused` is the sentence to show. */
export type Fate = { readonly kind: 'waiting' | 'done' } | { readonly kind: 'refused'; readonly why: string };

const COMMAND = /^([\w-]+)\.json$/;
/** A command is small, whatever is in the file. */
const MOST_BYTES = 4096;

/**
 * Commands from one window to another, a file each, in the extension's own storage: who can write there is this user,
 * whereas a run folder may have come with a repository. A command has one effect at most: who carries it out, or takes
 * it back, first makes a file for it that can be made once.
 */
export class Inbox {
  private readonly disk: Disk;
  private readonly folder: string;

  constructor(disk: Disk, folder: string) {
    this.disk = disk;
    this.folder = folder;
  }

  /** Gives the id of the command. */
  async send(runId: string, command: Command): Promise<string> {
    const id = randomUUID();
    await this.disk.makeDirectory(this.folderOf(runId));
    await this.disk.replace(this.file(runId, id, 'json'), `${JSON.stringify(command)}\n`);
    return id;
  }

  async fateOf(runId: string, id: string): Promise<Fate> {
    if (await this.disk.exists(this.file(runId, id, 'json'))) return { kind: 'waiting' };
    const refusal = await this.disk.read(this.file(runId, id, 'refused')).catch(() => null);
    if (refusal === null) return { kind: 'done' };
    await this.disk.remove(this.file(runId, id, 'refused'));
    return { kind: 'refused', why: refusal.toString() };
  }

  /** Takes a command back; false where it is being carried out, or was. */
  async withdraw(runId: string, id: string): Promise<boolean> {
    if (!(await this.claim(runId, id))) return false;
    const waited = await this.disk.exists(this.file(runId, id, 'json'));
    await this.close(runId, id);
    return waited;
  }

  /** Carries out what waits for the run, each command once. What `act` throws is told to who sent the command. */
  async take(runId: string, act: (command: Command) => void): Promise<void> {
    const names = await this.disk.list(this.folderOf(runId)).catch(() => [] as string[]);
    for (const name of names) {
      const id = COMMAND.exec(name)?.[1];
      if (id === undefined || !(await this.claim(runId, id))) continue;
      try {
        const command = await this.read(runId, id);
        if (command !== null) act(command);
      } catch (error) {
        const why = wordsOf(error, l10n.t);
        await this.disk.replace(this.file(runId, id, 'refused'), why);
      }
      await this.close(runId, id);
    }
  }

  /** True for one caller only. */
  private async claim(runId: string, id: string): Promise<boolean> {
    try {
      await (await this.disk.create(this.file(runId, id, 'taken'))).close();
      return true;
    } catch {
      return false;
    }
  }

  /** The command goes before the claim: in the other order it could be claimed again. */
  private async close(runId: string, id: string): Promise<void> {
    await this.disk.remove(this.file(runId, id, 'json'));
    await this.disk.remove(this.file(runId, id, 'taken'));
  }

  /** Null where it was taken back meanwhile, or is no command. */
  private async read(runId: string, id: string): Promise<Command | null> {
    const path = this.file(runId, id, 'json');
    if (!(await this.disk.exists(path))) return null;
    return commandOf(JSON.parse((await this.disk.read(path, MOST_BYTES)).toString()));
  }

  private folderOf(runId: string): string {
    if (!/^[\w-]+$/.test(runId)) throw new Error(`${JSON.stringify(runId)} is not the id of a run.`);
    return join(this.folder, runId);
  }

  private file(runId: string, id: string, kind: 'json' | 'taken' | 'refused'): string {
    return join(this.folderOf(runId), `${id}.${kind}`);
  }
}

function commandOf(value: unknown): Command {
  const { do: what, digest } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (what === 'stop' || what === 'pause' || what === 'resume') return { do: what };
  if ((what === 'approve_review' || what === 'stop_at_review') && typeof digest === 'string')
    return { do: what, digest };
  throw new Error('This is no command that this version knows.');
}
