import { basename, dirname } from 'node:path';
import type { Disk, DiskFile } from '../../src/runlog/disk.ts';

/** File contents by absolute path; folders are what is above them. */
export type Files = Map<string, Buffer>;

/** A disk in memory, which loses nothing. */
export function memoryDisk(files: Files, modifiedAt: () => number = () => 0): Disk {
  const done = Promise.resolve();
  return {
    makeDirectory: () => done,
    syncFile: () => done,
    syncDirectory: () => done,
    async create(path): Promise<DiskFile> {
      await done;
      if (files.has(path)) throw Object.assign(new Error(`EEXIST: ${path}`), { code: 'EEXIST', syscall: 'open' });
      files.set(path, Buffer.alloc(0));
      return {
        async write(bytes) {
          await done;
          files.set(path, Buffer.concat([files.get(path) ?? Buffer.alloc(0), bytes]));
        },
        sync: () => done,
        close: () => done,
      };
    },
    async read(path) {
      await done;
      const content = files.get(path);
      if (!content) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT', syscall: 'open' });
      return content;
    },
    async list(path) {
      await done;
      return [...files.keys()].filter((file) => dirname(file) === path).map((file) => basename(file));
    },
    async exists(path) {
      await done;
      return files.has(path);
    },
    modifiedAt: () => Promise.resolve(modifiedAt()),
    async replace(path, content) {
      await done;
      files.set(path, Buffer.from(content));
    },
    async remove(path) {
      await done;
      files.delete(path);
    },
  };
}
