import { randomUUID } from 'node:crypto';
import { access, constants, fdatasync, write } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TranslatableError } from '../run/translate.ts';

/**
 * The file system as the run log needs it: few operations, each of which a test can make fail, tear or kill. Paths are
 * absolute. Errors are Node's, with their `code`.
 */
export interface Disk {
  /** With those above it; what is new is durable, entry by entry. */
  makeDirectory(path: string): Promise<void>;
  /** Creates and opens for appending; throws EEXIST where the file is there. */
  create(path: string): Promise<DiskFile>;
  /** The whole of a file. Throws where it has more bytes than `atMost`. */
  read(path: string, atMost?: number): Promise<Buffer>;
  list(path: string): Promise<string[]>;
  /** False only where it certainly is not there; throws where that cannot be told. */
  exists(path: string): Promise<boolean>;
  /** When a file was last written, milliseconds since 1970 by the clock of its file system. */
  modifiedAt(path: string): Promise<number>;
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

/** Something in a run folder that no run put there: it is not opened. The message says what it is. */
export class ForeignFile extends TranslatableError {
  override readonly name = 'ForeignFile';
  readonly reason: 'link' | 'not_a_file' | 'too_large';
  constructor(reason: ForeignFile['reason'], words: ForeignFile['words']) {
    super(words);
    this.reason = reason;
  }
}

/** More than any run writes into one file. */
const MOST_BYTES = 1024 ** 3;

// Opening a pipe must not wait for whoever may write to it. Windows has neither flag.
const flags: Partial<typeof constants> = constants;
const READ_ONLY = constants.O_RDONLY | (flags.O_NOFOLLOW ?? 0) | (flags.O_NONBLOCK ?? 0);

/** What `replace` writes to before it renames; one that is left over is the unfinished write of a process that died. */
export const DRAFT = /^\.[0-9a-f-]{36}\.tmp$/;

export function draftName(): string {
  return `.${randomUUID()}.tmp`;
}

const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;

export const nodeDisk: Disk = {
  async makeDirectory(path) {
    // Not with `recursive`: that asks for ever where the parent is there and takes none, as /proc does.
    const parent = dirname(path);
    const make = () => fs.mkdir(path, { mode: PRIVATE_DIRECTORY });
    try {
      await make();
    } catch (error) {
      if (await isDirectory(path)) return;
      if (codeOf(error) !== 'ENOENT') throw error;
      if (!(await isDirectory(parent))) await nodeDisk.makeDirectory(parent);
      // Somebody else may have made it, or what is above it, meanwhile.
      await make().catch(async (again: unknown) => {
        if (!(await isDirectory(path))) throw again;
      });
    }
    await nodeDisk.syncDirectory(parent);
  },
  async create(path) {
    await refuseLink(dirname(path));
    const handle = await fs.open(path, 'ax', PRIVATE_FILE);
    return {
      async write(bytes) {
        for (let offset = 0; offset < bytes.length; )
          offset += await called<number>((done) => write(handle.fd, bytes, offset, done));
      },
      sync: () => called((done) => fdatasync(handle.fd, done)),
      close: () => handle.close(),
    };
  },
  async read(path, atMost = MOST_BYTES) {
    await refuseLink(dirname(path));
    await refuseLink(path);
    const handle = await fs.open(path, READ_ONLY);
    try {
      const stats = await handle.stat();
      if (!stats.isFile())
        throw new ForeignFile('not_a_file', (translated) =>
          translated('{0} is no regular file: it is not opened.', path),
        );
      if (stats.size > atMost)
        throw new ForeignFile('too_large', (translated) =>
          translated('{0} has {1} bytes, more than any run writes: it is not read.', path, stats.size),
        );
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  },
  list: (path) => fs.readdir(path),
  async exists(path) {
    try {
      await called((done) => access(path, done));
      return true;
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return false;
      throw error;
    }
  },
  modifiedAt: async (path) => (await fs.lstat(path)).mtimeMs,
  async replace(path, content) {
    await refuseLink(dirname(path));
    const draft = join(dirname(path), draftName());
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
  async remove(path) {
    await refuseLink(dirname(path));
    await fs.rm(path, { force: true });
  },
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

/** What every reservation waits for goes without the promises of Node: they take half as much processor time again. */
function called<Value = void>(
  start: (done: (error: NodeJS.ErrnoException | null, value?: Value) => void) => void,
): Promise<Value> {
  return new Promise((resolve, reject) => start((error, value) => (error ? reject(error) : resolve(value as Value))));
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

async function isDirectory(path: string): Promise<boolean> {
  return fs.stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/** A run folder may come from anywhere: a link in it could lead reading and writing out of it. */
async function refuseLink(path: string): Promise<void> {
  const stats = await fs.lstat(path).catch(() => null);
  if (stats?.isSymbolicLink())
    throw new ForeignFile('link', (translated) =>
      translated('{0} is a link: links in a run folder are not followed.', path),
    );
}
