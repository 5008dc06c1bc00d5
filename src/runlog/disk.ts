import * as fs from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * The file system as the run log needs it: few operations, each of which a test can make fail, tear or kill. Paths are
 * absolute. Errors are Node's, with their `code`.
 */
export interface Disk {
  /** With those above it; what is new is durable, entry by entry. */
  makeDirectory(path: string): Promise<void>;
  /** Creates and opens for appending; throws EEXIST where the file is there. */
  create(path: string): Promise<DiskFile>;
  read(path: string): Promise<Buffer>;
  list(path: string): Promise<string[]>;
  /** False only where it certainly is not there; throws where that cannot be told. */
  exists(path: string): Promise<boolean>;
  /** Written beside, synced, renamed into place, and the directory synced: old or new, never half. */
  replace(path: string, content: string | Uint8Array): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes durable what others wrote to a file. */
  syncFile(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
}

export interface DiskFile {
  write(bytes: Uint8Array): Promise<void>;
  /** fdatasync. After an error the file must not be used again. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;

export const nodeDisk: Disk = {
  async makeDirectory(path) {
    const first = await fs.mkdir(path, { recursive: true, mode: PRIVATE_DIRECTORY });
    if (first === undefined) return;
    for (let made = path; made.length >= first.length; made = dirname(made)) await nodeDisk.syncDirectory(dirname(made));
  },
  async create(path) {
    const handle = await fs.open(path, 'ax', PRIVATE_FILE);
    return {
      async write(bytes) {
        for (let offset = 0; offset < bytes.length; ) offset += (await handle.write(bytes, offset)).bytesWritten;
      },
      sync: () => handle.datasync(),
      close: () => handle.close(),
    };
  },
  read: (path) => fs.readFile(path),
  list: (path) => fs.readdir(path),
  async exists(path) {
    try {
      await fs.access(path);
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return false;
      throw error;
    }
  },
  async replace(path, content) {
    const draft = join(dirname(path), `.${process.pid}-${draftNumber++}.tmp`);
    try {
      const handle = await fs.open(draft, 'wx', PRIVATE_FILE);
      try {
        await handle.writeFile(content);
        await handle.datasync();
      } finally {
        await handle.close();
      }
      await fs.rename(draft, path);
    } catch (error) {
      // On a full disk a draft would take the room that is left.
      await fs.rm(draft, { force: true }).catch(() => {});
      throw error;
    }
    await nodeDisk.syncDirectory(dirname(path));
  },
  remove: (path) => fs.rm(path, { force: true }),
  async syncFile(path) {
    const handle = await fs.open(path, 'r+');
    try {
      await handle.datasync();
    } finally {
      await handle.close();
    }
  },
  async syncDirectory(path) {
    // Windows cannot open a directory; its file system journals the entry.
    if (process.platform === 'win32') return;
    const handle = await fs.open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

let draftNumber = 0;
