import { basename, dirname } from 'node:path';
import type { Disk, DiskFile } from '../../src/runlog/disk.ts';

interface Stored {
  bytes: Buffer;
  /** Bytes that a power cut leaves. */
  synced: number;
}

/** A disk in memory that can die in the middle of an operation, as when the process is killed or the power fails. */
export class MortalDisk implements Disk {
  private readonly files = new Map<string, Stored>();
  /** Operations until it dies. */
  private left = Number.POSITIVE_INFINITY;
  private dead = false;

  get isDead(): boolean {
    return this.dead;
  }

  /** The operation after so many more is the last one, and only half done. */
  dieAfter(operations: number): void {
    this.left = operations;
  }

  die(): void {
    this.dead = true;
  }

  /** Makes it work again. After a power cut, `kept` says which share of the bytes that were not synced is left. */
  revive(kept: () => number): void {
    this.dead = false;
    this.left = Number.POSITIVE_INFINITY;
    for (const file of this.files.values()) {
      const loose = file.bytes.length - file.synced;
      file.bytes = file.bytes.subarray(0, file.synced + Math.floor(loose * kept()));
      file.synced = file.bytes.length;
    }
  }

  makeDirectory(): Promise<void> {
    return this.step(() => {});
  }

  async create(path: string): Promise<DiskFile> {
    await this.step(() => {
      if (this.files.has(path)) throw failure('EEXIST');
      this.files.set(path, { bytes: Buffer.alloc(0), synced: 0 });
    });
    const file = this.file(path);
    const grow = (bytes: Uint8Array) => {
      file.bytes = Buffer.concat([file.bytes, bytes]);
    };
    return {
      write: (bytes) =>
        this.step(
          () => grow(bytes),
          () => grow(bytes.subarray(0, bytes.length >> 1)),
        ),
      sync: () => this.syncFile(path),
      close: () => this.step(() => {}),
    };
  }

  read(path: string): Promise<Buffer> {
    return this.step(() => this.file(path).bytes);
  }

  list(path: string): Promise<string[]> {
    return this.step(() =>
      [...this.files.keys()].filter((file) => dirname(file) === path).map((file) => basename(file)),
    );
  }

  exists(path: string): Promise<boolean> {
    return this.step(() => this.files.has(path));
  }

  /** Nothing here is ever old. */
  modifiedAt(): Promise<number> {
    return Promise.resolve(Number.POSITIVE_INFINITY);
  }

  replace(path: string, content: string | Uint8Array): Promise<void> {
    return this.step(() => {
      const bytes = Buffer.from(content);
      this.files.set(path, { bytes, synced: bytes.length });
    });
  }

  remove(path: string): Promise<void> {
    return this.step(() => {
      this.files.delete(path);
    });
  }

  syncFile(path: string): Promise<void> {
    return this.step(() => {
      const file = this.file(path);
      file.synced = file.bytes.length;
    });
  }

  syncDirectory(): Promise<void> {
    return this.step(() => {});
  }

  /** Whether the text would be found after a power cut at this moment. */
  holds(text: string): boolean {
    return [...this.files.values()].some((file) => file.bytes.subarray(0, file.synced).includes(text));
  }

  private file(path: string): Stored {
    const file = this.files.get(path);
    if (!file) throw failure('ENOENT');
    return file;
  }

  private async step<T>(whole: () => T, half: () => void = () => {}): Promise<T> {
    if (this.dead) throw failure('EIO');
    if (this.left-- <= 0) {
      this.dead = true;
      half();
      throw failure('EIO');
    }
    return whole();
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
