import { type BigIntStats, constants } from 'node:fs';
import type * as fsPromises from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OWN_PREFIX } from './output-path.ts';

export type SandboxErrorReason =
  /** The root is no folder of ours, or was exchanged for another one. */
  | 'root_refused'
  /** Something on the way is a link. */
  | 'link'
  | 'not_a_directory'
  /** A folder, device, pipe or socket has the name. */
  | 'not_a_regular_file'
  | 'changed_by_others'
  | 'too_many_files'
  | 'too_many_bytes'
  | 'file_too_large'
  /** The system offers no way to write without following links. */
  | 'unsupported'
  /** A folder was exchanged while a file was written: stop the run. */
  | 'escaped'
  | 'disk_full'
  | 'io';

/** A file that was not written. Nothing outside the root was changed, unless the reason is `escaped`. */
export class SandboxError extends Error {
  override readonly name = 'SandboxError';
  readonly reason: SandboxErrorReason;

  constructor(reason: SandboxErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export type SandboxFs = Pick<
  typeof fsPromises,
  'lstat' | 'mkdir' | 'open' | 'readdir' | 'realpath' | 'rename' | 'stat' | 'unlink'
>;

/** A folder in the sandbox, open for work. */
export interface Directory {
  /** A path that leads to an entry of this folder. */
  entry(name: string): string;
  /** Throws where the folder is not at its place in the root any more. */
  verify(): Promise<void>;
  /** Makes new and renamed entries durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** How one kind of system reaches a folder below the root without following a link. */
export interface Strategy {
  /** Extra flags for a new file. */
  readonly createFlags: number;
  /** The folder that new files are written in before they are renamed; null for the folder of the file itself. */
  readonly staging: readonly string[] | null;
  /** Makes what is missing if `create`; null where it is missing otherwise. Throws SandboxError. */
  openDirectory(segments: readonly string[], create: boolean): Promise<Directory | null>;
  rename(from: string, to: string): Promise<void>;
}

export interface StrategyOptions {
  readonly root: string;
  readonly fs: SandboxFs;
  readonly sleep: (ms: number) => Promise<void>;
}

/** The strategy for a `process.platform`. */
export function strategyFor(platform: string, options: StrategyOptions): Strategy {
  switch (platform) {
    case 'linux':
      return linuxStrategy(options);
    case 'darwin':
      return pathStrategy(options, {
        createFlags: O_NOFOLLOW_ANY,
        staging: null,
        canSyncDirectories: true,
        rename: (from, to) => options.fs.rename(from, to),
      });
    case 'win32':
      return pathStrategy(options, {
        createFlags: 0,
        // Where the folder was exchanged a moment ago, not even a temporary file must appear in it.
        staging: [`${OWN_PREFIX}staging`],
        canSyncDirectories: false,
        rename: (from, to) => renameWithRetry(() => options.fs.rename(from, to), options.sleep),
      });
    default:
      throw new SandboxError('unsupported', `Files cannot be written safely on ${platform}.`);
  }
}

const O_NOFOLLOW_ANY = 0x20000000; // macOS: no link in any component

/** Tells a file or folder from all others of this machine. */
export interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

export function sameIdentity(a: Identity, b: Identity): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** The root must stay the folder that it was at first, unless it was gone and is made anew. */
class Root {
  readonly #options: StrategyOptions;
  #identity: Identity | undefined;

  constructor(options: StrategyOptions) {
    this.#options = options;
  }

  async make(durably: boolean): Promise<void> {
    const { fs, root } = this.#options;
    if (!(await makeDirectory(fs, root))) return;
    if (durably) await syncDirectory(fs, dirname(root));
    this.#identity = undefined;
  }

  check({ dev, ino }: Identity): void {
    if (this.#identity !== undefined && !sameIdentity(this.#identity, { dev, ino })) {
      throw new SandboxError(
        'root_refused',
        `${this.#options.root} is another folder than before. Stop the run and look who exchanged it.`,
      );
    }
    this.#identity = { dev, ino };
  }
}

/**
 * Every folder is opened from the one above it, through the descriptor that holds that one: renaming or exchanging a
 * folder meanwhile cannot redirect anything.
 */
function linuxStrategy(options: StrategyOptions): Strategy {
  const { root: path, fs } = options;
  const root = new Root(options);

  async function openRoot(): Promise<fsPromises.FileHandle> {
    const handle = await openDirectoryOnly(fs, path, path);
    try {
      const identity = await handle.stat({ bigint: true });
      root.check(identity);
      const seen = await fs.stat(viaDescriptor(handle, '.'), { bigint: true }).catch(() => null);
      if (seen === null || !sameIdentity(seen, identity)) {
        throw new SandboxError('unsupported', 'Files cannot be written safely here: /proc/self/fd is missing.');
      }
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  return {
    createFlags: constants.O_NOFOLLOW,
    staging: null,
    rename: (from, to) => fs.rename(from, to),
    async openDirectory(segments, create) {
      if (create) await root.make(true);
      let handle = await (create ? openRoot() : orNull(openRoot()));
      for (const [depth, segment] of segments.entries()) {
        if (handle === null) return null;
        const parent = handle;
        try {
          const child = viaDescriptor(parent, segment);
          if (create && (await makeDirectory(fs, child))) await parent.sync();
          const opening = openDirectoryOnly(fs, child, segments.slice(0, depth + 1).join('/'));
          handle = await (create ? opening : orNull(opening));
        } finally {
          await parent.close();
        }
      }
      const open = handle;
      if (open === null) return null;
      return {
        entry: (name) => viaDescriptor(open, name),
        verify: async () => {},
        sync: () => open.sync(),
        close: () => open.close(),
      };
    },
  };
}

interface PathPolicy {
  readonly createFlags: number;
  readonly staging: readonly string[] | null;
  readonly canSyncDirectories: boolean;
  readonly rename: (from: string, to: string) => Promise<void>;
}

/** Works with paths, and looks before and after whether each still leads to the same folder at the same place. */
function pathStrategy(options: StrategyOptions, policy: PathPolicy): Strategy {
  const { fs } = options;
  const root = new Root(options);
  return {
    createFlags: policy.createFlags,
    staging: policy.staging,
    rename: policy.rename,
    async openDirectory(segments, create) {
      if (create) await root.make(policy.canSyncDirectories);
      const rootStats = directoryStats(fs, options.root, options.root);
      let stats = await (create ? rootStats : orNull(rootStats));
      if (stats === null) return null;
      root.check(stats);
      let path = await fs.realpath(options.root);
      root.check(await directoryStats(fs, path, options.root));
      for (const [depth, segment] of segments.entries()) {
        path = join(path, segment);
        const made = create && (await makeDirectory(fs, path));
        if (made && policy.canSyncDirectories) await syncDirectory(fs, dirname(path));
        const looking = directoryStats(fs, path, segments.slice(0, depth + 1).join('/'));
        stats = await (create ? looking : orNull(looking));
        if (stats === null) return null;
      }
      const identity: Identity = stats;
      const place = path;
      const directory: Directory = {
        entry: (name) => join(place, name),
        async verify() {
          const real = await fs.realpath(place).catch(() => '');
          const now = await fs.lstat(place, { bigint: true }).catch(() => null);
          if (now === null || !sameIdentity(now, identity) || comparablePath(real) !== comparablePath(place)) {
            throw new SandboxError('escaped', `The folder ${place} was exchanged while a file was written to it.`);
          }
        },
        sync: async () => {
          if (policy.canSyncDirectories) await syncDirectory(fs, place);
        },
        close: async () => {},
      };
      await directory.verify();
      return directory;
    },
  };
}

/** For comparing what `realpath` says with what was expected: letter case, separators and the `\\?\` prefix aside. */
export function comparablePath(path: string): string {
  return path
    .replace(/^\\\\\?\\UNC\\/i, '\\\\')
    .replace(/^\\\\\?\\/, '')
    .replaceAll('\\', '/')
    .replace(/\/+$/, '')
    .normalize('NFC')
    .toUpperCase()
    .toLowerCase();
}

/** Windows: a virus scanner or an indexer may hold a file for a while. Tries again for a minute of waiting. */
export async function renameWithRetry(
  rename: () => Promise<void>,
  sleep: (ms: number) => Promise<void>,
): Promise<void> {
  let waited = 0;
  for (let pause = 10; ; pause = Math.min(pause * 2, 1000)) {
    try {
      return await rename();
    } catch (error) {
      if (!['EPERM', 'EBUSY', 'EACCES'].includes(codeOf(error) ?? '') || waited >= 60_000) throw error;
    }
    await sleep(pause);
    waited += pause;
  }
}

/** The `code` of a system error. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Null for what does not exist. */
export async function orNull<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

function viaDescriptor(handle: fsPromises.FileHandle, name: string): string {
  return `/proc/self/fd/${handle.fd}/${name}`;
}

/** True if it was missing. */
async function makeDirectory(fs: SandboxFs, path: string): Promise<boolean> {
  try {
    await fs.mkdir(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

async function syncDirectory(fs: SandboxFs, path: string): Promise<void> {
  const handle = await fs.open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function openDirectoryOnly(fs: SandboxFs, path: string, shown: string): Promise<fsPromises.FileHandle> {
  try {
    return await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    const code = codeOf(error);
    if (code !== 'ELOOP' && code !== 'ENOTDIR') throw error;
    await directoryStats(fs, path, shown);
    throw new SandboxError('link', `${shown} was a link or no folder a moment ago. Somebody else works in here.`);
  }
}

async function directoryStats(fs: SandboxFs, path: string, shown: string): Promise<BigIntStats> {
  const stats = await fs.lstat(path, { bigint: true });
  if (stats.isSymbolicLink()) {
    throw new SandboxError('link', `${shown} is a link. Files are written to real folders only.`);
  }
  if (!stats.isDirectory()) throw new SandboxError('not_a_directory', `${shown} is not a folder.`);
  return stats;
}
