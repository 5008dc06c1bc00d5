import type { Disk, DiskFile } from '../../src/runlog/disk.ts';

export type Failure = 'ENOSPC' | 'EDQUOT' | 'EIO';

/**
 * A disk that fails at its N-th write or sync. Without room it stays full but for what is removed; with an input/output
 * error nothing can be written any more; a failed sync fails once, as it does on Linux.
 */
export class FailingDisk implements Disk {
  writes = 0;
  syncs = 0;
  /** Called when the first operation fails. */
  onFailure: () => void = () => {};
  private readonly inner: Disk;
  private readonly failure: Failure;
  private readonly at: { readonly write?: number; readonly sync?: number };
  private room = Number.POSITIVE_INFINITY;

  constructor(inner: Disk, failure: Failure, at: { readonly write?: number; readonly sync?: number }) {
    this.inner = inner;
    this.failure = failure;
    this.at = at;
  }

  makeDirectory = (path: string) => this.inner.makeDirectory(path);
  read = (path: string) => this.inner.read(path);
  list = (path: string) => this.inner.list(path);
  exists = (path: string) => this.inner.exists(path);
  modifiedAt = (path: string) => this.inner.modifiedAt(path);
  syncFile = (path: string) => this.synced(() => this.inner.syncFile(path));
  syncDirectory = (path: string) => this.synced(() => this.inner.syncDirectory(path));

  async remove(path: string): Promise<void> {
    const size = await this.inner.read(path).then(
      (bytes) => bytes.length,
      () => 0,
    );
    await this.inner.remove(path);
    if (this.failure !== 'EIO') this.room += size;
  }

  async replace(path: string, content: string | Uint8Array): Promise<void> {
    const bytes = Buffer.from(content);
    if (this.take(bytes.length) < bytes.length) {
      this.room = 0;
      throw this.error();
    }
    await this.inner.replace(path, bytes);
  }

  async create(path: string): Promise<DiskFile> {
    const file = await this.inner.create(path);
    return {
      write: async (bytes) => {
        const fits = this.take(bytes.length);
        await file.write(bytes.subarray(0, fits));
        if (fits < bytes.length) throw this.error();
      },
      sync: () => this.synced(() => file.sync()),
      close: () => file.close(),
    };
  }

  /** How many of so many bytes can be written; half of them when the disk becomes full. */
  private take(bytes: number): number {
    if (++this.writes === this.at.write) {
      this.room = this.failure === 'EIO' ? 0 : bytes >> 1;
      this.onFailure();
    }
    const fits = Math.min(bytes, this.room);
    this.room -= fits;
    return fits;
  }

  private async synced(sync: () => Promise<void>): Promise<void> {
    if (++this.syncs === this.at.sync) {
      this.onFailure();
      throw this.error();
    }
    await sync();
  }

  private error(): Error {
    return Object.assign(new Error(`${this.failure}: injected`), { code: this.failure, syscall: 'write' });
  }
}
