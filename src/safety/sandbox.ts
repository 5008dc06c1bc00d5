import { createHash, randomBytes } from 'node:crypto';
import { type BigIntStats, constants } from 'node:fs';
import * as nodeFs from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { setTimeout as sleepFor } from 'node:timers/promises';
import { MAX_SEGMENTS, OutputPathError, OWN_PREFIX, parseOutputPath } from './output-path.ts';
import {
  codeOf,
  type Directory,
  type Identity,
  orNull,
  SandboxError,
  type SandboxFs,
  type Strategy,
  sameIdentity,
  strategyFor,
} from './sandbox-directory.ts';

export interface SandboxQuotas {
  readonly files: number;
  readonly totalBytes: number;
  readonly fileBytes: number;
}

export const DEFAULT_QUOTAS: SandboxQuotas = { files: 1000, totalBytes: 100 * 2 ** 20, fileBytes: 5 * 2 ** 20 };

/** A file below the root: its path with "/" between segments, and the SHA-256 of its content, 64 hex. */
export interface SandboxFile {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

export interface SandboxOptions {
  /** Absolute; made if missing (its parent must exist). */
  readonly root: string;
  /** As `process.platform`. */
  readonly platform: string;
  readonly quotas?: SandboxQuotas;
  /** What was written here before, by earlier sessions too (an intent counts): only such files are overwritten. */
  readonly known?: Iterable<Pick<SandboxFile, 'path' | 'sha256'>>;
  readonly fs?: SandboxFs;
  readonly sleep?: (ms: number) => Promise<void>;
}

/** A folder, file or something else below the root. */
interface Entry {
  readonly path: string;
  /** Null for all but regular files. */
  readonly bytes: number | null;
}

/**
 * The only place where files that the model asked for are written: below `root`, whatever the name says and whatever
 * others do in there meanwhile. A file appears whole or not at all, and no file of somebody else is overwritten.
 */
export class Sandbox {
  readonly #fs: SandboxFs;
  readonly #strategy: Strategy;
  readonly #quotas: SandboxQuotas;
  readonly #known = new Map<string, Set<string>>();
  #queue: Promise<unknown> = Promise.resolve();
  #cleaned = false;

  /** Throws SandboxError. */
  constructor({ root, platform, quotas = DEFAULT_QUOTAS, known = [], fs = nodeFs, sleep = sleepFor }: SandboxOptions) {
    if (!isAbsolute(root) || root.split(/[\\/]/).some((name) => FOREIGN_FOLDERS.has(name.toLowerCase()))) {
      throw new SandboxError('root_refused', `${root} cannot hold the output of a run. Give an own, absolute folder.`);
    }
    this.#fs = fs;
    this.#quotas = quotas;
    this.#strategy = strategyFor(platform, { root, fs, sleep: async (ms) => void (await sleep(ms)) });
    for (const { path, sha256 } of known) this.#remember(path, sha256);
  }

  /**
   * Writes `content` to the file `name`, durably. `announce` is awaited once name and quotas are checked and before
   * anything is written. One write at a time. Throws OutputPathError for the name, SandboxError for the rest.
   */
  write(name: string, content: Uint8Array, announce?: (file: SandboxFile) => Promise<void>): Promise<SandboxFile> {
    const written = this.#queue.then(async () => {
      const { segments, file } = await explained(() => this.#admit(name, content));
      await announce?.(file);
      await explained(() => this.#place(segments, content, file));
      this.#remember(file.path, file.sha256);
      return file;
    });
    this.#queue = written.catch(() => {});
    return written;
  }

  async #admit(name: string, content: Uint8Array): Promise<{ segments: string[]; file: SandboxFile }> {
    const { files, totalBytes, fileBytes } = this.#quotas;
    const bytes = content.length;
    if (bytes > fileBytes) {
      throw new SandboxError('file_too_large', `The file has ${bytes} bytes; at most ${fileBytes} are allowed.`);
    }
    const entries = await this.#entries();
    const { segments } = parseOutputPath(
      name,
      entries.map((entry) => entry.path),
    );
    const path = segments.join('/');
    const others = entries.filter((entry) => entry.bytes !== null && entry.path !== path);
    if (others.length + 1 > files) {
      throw new SandboxError('too_many_files', `The output has ${others.length} files; at most ${files} are allowed.`);
    }
    const total = others.reduce((sum, entry) => sum + (entry.bytes ?? 0), bytes);
    if (total > totalBytes) {
      throw new SandboxError('too_many_bytes', `The output would have ${total} bytes; ${totalBytes} are allowed.`);
    }
    return { segments, file: { path, sha256: sha256(content), bytes } };
  }

  async #place(segments: readonly string[], content: Uint8Array, file: SandboxFile): Promise<void> {
    const name = segments.at(-1) ?? '';
    const directory = await this.#open(segments.slice(0, -1));
    try {
      const before = await this.#inspect(directory.entry(name), file);
      const { staging } = this.#strategy;
      const workshop = staging === null ? directory : await this.#open(staging);
      const temporary = workshop.entry(`${OWN_PREFIX}${randomBytes(8).toString('hex')}.tmp`);
      try {
        const identity = await this.#create(temporary, content);
        await workshop.verify();
        await directory.verify();
        const after = await orNull(this.#fs.lstat(directory.entry(name), { bigint: true }));
        if (!unchanged(before, after)) throw changedByOthers(file.path);
        await this.#strategy.rename(temporary, directory.entry(name));
        await this.#confirm(directory, name, identity);
        await directory.sync();
      } finally {
        await orNull(this.#fs.unlink(temporary));
        if (workshop !== directory) await workshop.close();
      }
    } finally {
      await directory.close();
    }
  }

  async #open(segments: readonly string[]): Promise<Directory> {
    const directory = await this.#strategy.openDirectory(segments, true);
    if (directory === null) throw new SandboxError('io', `The folder ${segments.join('/')} vanished. Try again.`);
    return directory;
  }

  /** What stands at the place of the file, if it may be overwritten. */
  async #inspect(path: string, file: SandboxFile): Promise<BigIntStats | null> {
    const stats = await orNull(this.#fs.lstat(path, { bigint: true }));
    if (stats === null) return null;
    if (stats.isSymbolicLink()) {
      throw new SandboxError('link', `${file.path} is a link. Remove it or use another name.`);
    }
    if (!stats.isFile()) throw new SandboxError('not_a_regular_file', `${file.path} exists and is not a regular file.`);
    if (stats.size > BigInt(this.#quotas.fileBytes)) throw changedByOthers(file.path);
    // O_NONBLOCK: should a pipe have taken the place of the file, opening it must not wait for a writer.
    const handle = await this.#fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const opened = await handle.stat({ bigint: true });
      const current = unchanged(stats, opened) ? sha256(await handle.readFile()) : null;
      // Content that is there already may be written again: after a crash nobody knows whose it is.
      if (current === null || !(current === file.sha256 || this.#known.get(file.path)?.has(current))) {
        throw changedByOthers(file.path);
      }
    } finally {
      await handle.close();
    }
    return stats;
  }

  async #create(path: string, content: Uint8Array): Promise<Identity> {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | this.#strategy.createFlags;
    const handle = await this.#fs.open(path, flags, 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
      return await handle.stat({ bigint: true });
    } finally {
      await handle.close();
    }
  }

  /** Takes the new file away again where the folder was exchanged at the last moment. */
  async #confirm(directory: Directory, name: string, identity: Identity): Promise<void> {
    try {
      await directory.verify();
    } catch (error) {
      const stats = await orNull(this.#fs.lstat(directory.entry(name), { bigint: true }));
      if (stats !== null && sameIdentity(stats, identity)) await this.#fs.unlink(directory.entry(name));
      throw error;
    }
  }

  /** All that is below the root, except the sandbox's own. The first time it also removes what a crash left behind. */
  async #entries(): Promise<Entry[]> {
    const entries: Entry[] = [];
    const clean = !this.#cleaned;
    const visit = async (segments: readonly string[]): Promise<void> => {
      const directory = await this.#strategy.openDirectory(segments, false);
      if (directory === null) return;
      const folders: string[] = [];
      try {
        for (const found of await this.#fs.readdir(directory.entry('.'), { withFileTypes: true })) {
          const own = found.name.startsWith(OWN_PREFIX);
          if (found.isDirectory() && (clean || !own)) folders.push(found.name);
          if (own && clean && found.isFile()) await orNull(this.#fs.unlink(directory.entry(found.name)));
          if (own) continue;
          const stats = found.isFile() ? await orNull(this.#fs.lstat(directory.entry(found.name))) : null;
          entries.push({ path: [...segments, found.name].join('/'), bytes: stats?.size ?? null });
          if (entries.length > 4 * this.#quotas.files) {
            throw new SandboxError(
              'too_many_files',
              `The output folder holds more than ${4 * this.#quotas.files} entries.`,
            );
          }
        }
      } finally {
        await directory.close();
      }
      // Nothing of ours is deeper.
      if (segments.length < MAX_SEGMENTS) for (const folder of folders) await visit([...segments, folder]);
    };
    await visit([]);
    this.#cleaned = true;
    return entries;
  }

  #remember(path: string, sha256: string): void {
    this.#known.set(path, (this.#known.get(path) ?? new Set()).add(sha256));
  }
}

const FOREIGN_FOLDERS: ReadonlySet<string> = new Set(['.git', '.vscode', '.ssh', 'node_modules']);

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function unchanged(before: BigIntStats | null, after: BigIntStats | null): boolean {
  if (before === null || after === null) return before === after;
  return sameIdentity(before, after) && before.size === after.size && before.mtimeNs === after.mtimeNs;
}

function changedByOthers(path: string): SandboxError {
  return new SandboxError('changed_by_others', `${path} was written or changed by somebody else. Use another name.`);
}

/** System errors become SandboxErrors. */
async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SandboxError || error instanceof OutputPathError) throw error;
    const code = codeOf(error);
    switch (code) {
      case 'ENOSPC':
      case 'EDQUOT':
        throw new SandboxError('disk_full', 'The disk is full. Make room, then resume.', { cause: error });
      case 'ELOOP':
        throw new SandboxError('link', 'The file became a link a moment ago. Somebody else works in here.', {
          cause: error,
        });
      default:
        throw new SandboxError('io', `A file could not be written: ${code ?? String(error)}.`, { cause: error });
    }
  }
}
