import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Disk, type DiskFile, draftName } from '../../src/runlog/disk.ts';

/** Where in the fatal operation the process dies. */
export type Moment = 'before' | 'half' | 'after';

/** The disk as a process sees it that dies at its N-th operation: what it asks for afterwards is never done. */
export class CrashDisk implements Disk {
  /** Operations begun. */
  count = 0;
  readonly died: Promise<void>;
  private readonly inner: Disk;
  private readonly at: number;
  private readonly moment: Moment;
  private dying: () => void = () => {};
  private dead = false;
  private readonly files: DiskFile[] = [];

  constructor(inner: Disk, at = Number.POSITIVE_INFINITY, moment: Moment = 'before') {
    this.inner = inner;
    this.at = at;
    this.moment = moment;
    this.died = new Promise((resolve) => {
      this.dying = resolve;
    });
  }

  get isDead(): boolean {
    return this.dead;
  }

  /** Closes what the dead process left open, as its system does. */
  async bury(): Promise<void> {
    if (this.dead) for (const file of this.files) await file.close().catch(() => {});
  }

  makeDirectory = (path: string) => this.step(() => this.inner.makeDirectory(path));
  read = (path: string) => this.step(() => this.inner.read(path));
  list = (path: string) => this.step(() => this.inner.list(path));
  exists = (path: string) => this.step(() => this.inner.exists(path));
  modifiedAt = (path: string) => this.inner.modifiedAt(path);
  remove = (path: string) => this.step(() => this.inner.remove(path));
  syncFile = (path: string) => this.step(() => this.inner.syncFile(path));
  syncDirectory = (path: string) => this.step(() => this.inner.syncDirectory(path));

  replace(path: string, content: string | Uint8Array): Promise<void> {
    const bytes = Buffer.from(content);
    const half = () => writeFileSync(join(dirname(path), draftName()), bytes.subarray(0, bytes.length >> 1));
    return this.step(() => this.inner.replace(path, bytes), half);
  }

  async create(path: string): Promise<DiskFile> {
    const file = await this.step(async () => {
      const opened = await this.inner.create(path);
      this.files.push(opened);
      return opened;
    });
    return {
      write: (bytes) =>
        this.step(
          () => file.write(bytes),
          () => file.write(bytes.subarray(0, bytes.length >> 1)),
        ),
      sync: () => this.step(() => file.sync()),
      close: () => this.step(() => file.close()),
    };
  }

  private async step<T>(operation: () => Promise<T>, half: () => unknown = () => {}): Promise<T> {
    const fatal = ++this.count === this.at;
    if (this.dead) return never();
    if (!fatal) return operation();
    if (this.moment === 'before') return this.die();
    if (this.moment === 'half') await half();
    else await operation();
    return this.die();
  }

  private die(): Promise<never> {
    this.dead = true;
    this.dying();
    return never();
  }
}

export function never(): Promise<never> {
  return new Promise(() => {});
}
