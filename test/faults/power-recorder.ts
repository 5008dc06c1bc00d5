import callbacks from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { dirname } from 'node:path';
import type { Files } from '../support/memory-disk.ts';

/** What a run asked of the file system, in order. A path names a file or folder, a number the file itself. */
type Operation =
  | { readonly kind: 'enter'; readonly path: string; readonly file: number | 'folder' }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string; readonly file: number }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'write'; readonly file: number; readonly offset: number; readonly bytes: Buffer }
  /** Everything of that file, or of that folder's entries, before operation `upTo` is durable. */
  | { readonly kind: 'synced'; readonly what: number | string; readonly upTo: number }
  /** Not of the file system: what the run told others by then. */
  | { readonly kind: 'acknowledged'; readonly seq: number }
  | { readonly kind: 'sent'; readonly request: number };

interface Notes {
  write(bytes: Buffer): void;
  /** Notes the beginning of a sync, and gives what notes its end. */
  sync(): () => void;
}

const SECTOR = 512;
const replaced = ['open', 'mkdir', 'rename', 'rm'] as const;

/** Records what goes through `node:fs` below a folder, and gives the disks that a power cut may leave. */
export class PowerRecorder {
  readonly operations: Operation[] = [];
  private readonly root: string;
  private readonly files = new Map<string, number>();
  private readonly sizes: number[] = [];
  private readonly originals = Object.fromEntries(replaced.map((name) => [name, fs[name]]));
  private readonly originalCallbacks = { write: callbacks.write, fdatasync: callbacks.fdatasync };
  /** What is noted of an open file, by its descriptor. */
  private readonly notes = new Map<number, Notes>();

  constructor(root: string) {
    this.root = root;
  }

  start(): void {
    const { open, mkdir, rename, rm } = fs;
    const recorded = {
      open: async (path: string, flags: string | number, mode?: number) => {
        const handle = await open(path, flags, mode);
        // A file is opened for reading by number.
        return typeof flags === 'string' && path.startsWith(this.root) ? this.handle(handle, path, flags) : handle;
      },
      mkdir: async (path: string, options: { mode: number }) => {
        await mkdir(path, options);
        if (path.startsWith(this.root)) this.operations.push({ kind: 'enter', path, file: 'folder' });
      },
      rename: async (path: string, to: string) => {
        const file = this.files.get(path);
        if (file !== undefined) {
          this.operations.push({ kind: 'rename', path, to, file });
          this.files.delete(path);
          this.files.set(to, file);
        }
        return rename(path, to);
      },
      rm: async (path: string, options: { force: true }) => {
        if (this.files.delete(path)) this.operations.push({ kind: 'remove', path });
        return rm(path, options);
      },
    };
    Object.assign(fs, recorded);
    const { write, fdatasync } = this.originalCallbacks;
    Object.assign(callbacks, {
      write: (fd: number, bytes: Buffer, offset: number, done: (error: Error | null, written: number) => void) => {
        this.notes.get(fd)?.write(bytes.subarray(offset));
        write(fd, bytes, offset, done);
      },
      fdatasync: (fd: number, done: (error: Error | null) => void) => {
        const synced = this.notes.get(fd)?.sync();
        fdatasync(fd, (error) => {
          if (error === null) synced?.();
          done(error);
        });
      },
    });
    syncBuiltinESMExports();
  }

  stop(): void {
    Object.assign(fs, this.originals);
    Object.assign(callbacks, this.originalCallbacks);
    syncBuiltinESMExports();
  }

  private handle(handle: fs.FileHandle, path: string, flags: string): Partial<fs.FileHandle> {
    let file = this.files.get(path);
    if (flags.endsWith('x')) {
      file = this.sizes.push(0) - 1;
      this.files.set(path, file);
      this.operations.push({ kind: 'enter', path, file });
    }
    const write = (bytes: Buffer): void => {
      if (file === undefined) throw new Error(`${path} was opened for reading`);
      const offset = this.sizes[file] ?? 0;
      this.sizes[file] = offset + bytes.length;
      this.operations.push({ kind: 'write', file, offset, bytes: Buffer.from(bytes) });
    };
    const sync = () => {
      const upTo = this.operations.length;
      return () => void this.operations.push({ kind: 'synced', what: file ?? path, upTo });
    };
    const syncing = async (really: () => Promise<void>): Promise<void> => {
      const synced = sync();
      await really();
      synced();
    };
    this.notes.set(handle.fd, { write, sync });
    return {
      fd: handle.fd,
      writeFile: async (content) => {
        write(Buffer.from(content as Buffer));
        await handle.writeFile(content);
      },
      datasync: () => syncing(() => handle.datasync()),
      sync: () => syncing(() => handle.sync()),
      close: () => {
        this.notes.delete(handle.fd);
        return handle.close();
      },
    };
  }

  /**
   * Disks that may be found when power was cut before operation `cut`: what no sync covers may be there, gone, zeroed or
   * torn between sectors, in any combination; of a folder's new entries any first few. All of them, or `most` at random.
   */
  *disksAt(cut: number, most: number, random: () => number): Iterable<Files> {
    const durable = new Map<number | string, number>();
    for (const operation of this.operations.slice(0, cut)) {
      if (operation.kind === 'synced')
        durable.set(operation.what, Math.max(durable.get(operation.what) ?? 0, operation.upTo));
    }
    const loose = (index: number, what: number | string) => index >= (durable.get(what) ?? 0);
    const fates = new Map<Operation, number>();
    const entries = new Map<string, number>();
    for (const [index, operation] of this.operations.slice(0, cut).entries()) {
      if (operation.kind === 'write') {
        if (loose(index, operation.file)) fates.set(operation, 3 + boundaries(operation).length);
      } else if ('path' in operation && loose(index, dirname(operation.path))) {
        entries.set(dirname(operation.path), (entries.get(dirname(operation.path)) ?? 0) + 1);
      }
    }
    const choices = [...fates.values(), ...[...entries.values()].map((count) => count + 1)];
    const total = choices.reduce((product, count) => product * count, 1);
    const seen = new Set<number>();
    for (let turn = 0; turn < Math.min(total, most); turn += 1) {
      // The first two: all is there, all is gone.
      let number = total <= most || turn === 0 ? turn : turn === 1 ? total - 1 : Math.floor(random() * total);
      if (seen.has(number)) continue;
      seen.add(number);
      const next = (count: number): number => {
        const choice = number % count;
        number = Math.floor(number / count);
        return choice;
      };
      const chosen = new Map([...fates].map(([operation, count]) => [operation, next(count)]));
      const kept = new Map([...entries].map(([folder, count]) => [folder, count - next(count + 1)]));
      yield this.disk(cut, loose, chosen, kept);
    }
  }

  private disk(
    cut: number,
    loose: (index: number, what: number | string) => boolean,
    chosen: ReadonlyMap<Operation, number>,
    kept: Map<string, number>,
  ): Files {
    const paths = new Map<string, number | 'folder'>();
    const contents: Buffer[] = [];
    for (const [index, operation] of this.operations.slice(0, cut).entries()) {
      if (operation.kind === 'write') {
        const content = contents[operation.file] ?? Buffer.alloc(0);
        const bytes = fateOf(operation, chosen.get(operation) ?? 0);
        if (bytes === null) continue;
        const grown = Buffer.alloc(Math.max(content.length, operation.offset + bytes.length));
        content.copy(grown);
        bytes.copy(grown, operation.offset);
        contents[operation.file] = grown;
      } else if ('path' in operation) {
        const folder = dirname(operation.path);
        if (loose(index, folder)) {
          const left = kept.get(folder) ?? 0;
          if (left === 0) continue;
          kept.set(folder, left - 1);
        }
        if (operation.kind === 'enter') paths.set(operation.path, operation.file);
        else paths.delete(operation.path);
        if (operation.kind === 'rename') paths.set(operation.to, operation.file);
      }
    }
    const files: Files = new Map();
    for (const [path, file] of paths) {
      if (file !== 'folder' && this.isReachable(path, paths)) files.set(path, contents[file] ?? Buffer.alloc(0));
    }
    return files;
  }

  private isReachable(path: string, paths: ReadonlyMap<string, unknown>): boolean {
    for (let folder = dirname(path); folder !== this.root; folder = dirname(folder))
      if (!paths.has(folder)) return false;
    return true;
  }
}

type Write = Extract<Operation, { kind: 'write' }>;

/** Where a write may be torn: after its first sector, in its middle, before its last one. */
function boundaries({ offset, bytes }: Write): number[] {
  const first = SECTOR - (offset % SECTOR);
  const count = Math.ceil((bytes.length - first) / SECTOR);
  return count <= 0 ? [] : [...new Set([0, count >> 1, count - 1])].map((sector) => first + sector * SECTOR);
}

/** What is left of a write: all, nothing, zeros, or its beginning. */
function fateOf(write: Write, choice: number): Buffer | null {
  if (choice === 0) return write.bytes;
  if (choice === 1) return null;
  if (choice === 2) return Buffer.alloc(write.bytes.length);
  return write.bytes.subarray(0, boundaries(write)[choice - 3]);
}
