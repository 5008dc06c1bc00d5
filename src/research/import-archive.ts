import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { ARCHIVE_LIMITS, ArchiveError, type ArchiveLimits, MANIFEST, onArchiveDisk, unfitPath } from './archive.ts';
import { archiveName } from './export-archive.ts';
import { type Translate, wordsOf } from '../run/translate.ts';
import { folded } from '../safety/output-path.ts';
import { quotedAscii } from '../safety/text.ts';

export interface ImportOptions {
  /** Wall time, milliseconds since 1970. */
  readonly now: () => number;
  readonly signal?: AbortSignal;
  /** Called with the share that is done, 0 to 1. */
  readonly progress?: (share: number) => void;
  readonly limits?: ArchiveLimits;
  /** Where the folder of an experiment goes; without it such an archive is refused. */
  readonly experimentsDirectory?: string;
}

export interface Imported {
  /** Absolute path of the new folder, of a run or of an experiment. */
  readonly runDirectory: string;
  readonly isExperiment: boolean;
  readonly files: number;
  /** Of the zip. */
  readonly sha256: string;
}

/**
 * Takes an archive in as a new run folder that is for looking: it can never be resumed. Nothing is written but below
 * `runsDirectory`, and the folder is there whole or not at all. Throws ArchiveError.
 */
export async function importArchive(file: string, runsDirectory: string, options: ImportOptions): Promise<Imported> {
  const { signal, now, limits = ARCHIVE_LIMITS } = options;
  return onArchiveDisk(async () => {
    const sha256 = await sha256Of(file, signal);
    const zip = await open(file);
    let draft: string | null = null;
    try {
      const directory = resolve(runsDirectory);
      await mkdir(directory, { recursive: true, mode: 0o700 });
      draft = await mkdtemp(join(directory, '.import-'));
      const unpacking = new Unpacking(zip, draft, limits, options);
      const files = await unpacking.unpack();
      const isExperiment = unpacking.has('experiment.json');
      const above = isExperiment ? await experimentsDirectory(options) : directory;
      const runDirectory = join(above, await folderName(draft));
      const mark = { format_version: 1, source: basename(file), sha256, imported_at: new Date(now()).toISOString() };
      for (const folder of ['', ...unpacking.runFolders()]) {
        await writeFile(join(draft, folder, 'imported.json'), `${JSON.stringify(mark, null, 2)}\n`, {
          flag: 'wx',
          mode: 0o600,
          flush: true,
        });
      }
      await writeFile(join(draft, '.gitignore'), '*\n', { flag: 'wx', mode: 0o600 });
      await rename(draft, runDirectory).catch((error: NodeJS.ErrnoException) => {
        throw ['ENOTEMPTY', 'EEXIST', 'EPERM', 'ENOTDIR'].includes(error.code ?? '') ? exists(runDirectory) : error;
      });
      return { runDirectory, isExperiment, files, sha256 };
    } catch (error) {
      if (draft !== null) await rm(draft, { recursive: true, force: true });
      throw error;
    } finally {
      zip.close();
    }
  });
}

/** Writes the entries of a zip below a folder that is new and empty. */
class Unpacking {
  private readonly zip: ZipFile;
  private readonly root: string;
  private readonly limits: ArchiveLimits;
  private readonly options: ImportOptions;
  private readonly hashes = new Map<string, string>();
  /** Every file and folder so far, folded as a careless file system would, and which of the two it is. */
  private readonly known = new Map<string, 'file' | 'folder'>();
  private readonly folders = new Set<string>();
  private top: string | null = null;
  private manifest: string | null = null;
  private bytes = 0;
  private packedBytes = 0;

  constructor(zip: ZipFile, root: string, limits: ArchiveLimits, options: ImportOptions) {
    this.zip = zip;
    this.root = root;
    this.limits = limits;
    this.options = options;
  }

  /** Gives the number of files of the run. */
  async unpack(): Promise<number> {
    const { zip, limits, options } = this;
    // The manifest, and some entries for folders.
    if (zip.entryCount > 2 * limits.files) throw tooLarge((translated) => translated('{0} entries', zip.entryCount));
    for await (const entry of this.entries()) {
      options.signal?.throwIfAborted();
      const name = nameOf(entry);
      const path = this.pathOf(name);
      this.assertHarmless(entry, name, path);
      if (name.endsWith('/')) continue;
      if (path === MANIFEST) this.manifest = await this.text(entry);
      else this.hashes.set(path, await this.write(entry, path));
      this.packedBytes += entry.compressedSize;
      options.progress?.(Math.min(1, this.packedBytes / (zip.fileSize + 1)));
    }
    this.checkManifest();
    return this.hashes.size;
  }

  has(path: string): boolean {
    return this.hashes.has(path);
  }

  /** Those of an experiment: each is for looking. */
  runFolders(): string[] {
    return [...this.hashes.keys()]
      .filter((path) => /^runs\/[^/]+\/config\.json$/.test(path))
      .map((path) => dirname(path));
  }

  private async *entries(): AsyncGenerator<Entry> {
    const each = this.zip.eachEntry();
    for (;;) {
      const next = await each.next().catch((error: unknown) => {
        throw damaged((translated) => wordsOf(error, translated));
      });
      if (next.done === true) return;
      yield next.value;
    }
  }

  /** The path below the top folder, which all entries share; empty for that folder itself. */
  private pathOf(name: string): string {
    const [top = '', ...rest] = name.replace(/\/$/, '').split('/');
    const path = rest.join('/');
    const unfit = (translated?: Translate) =>
      unfitPath(top, translated) ??
      (path === MANIFEST || (path === '' && rest.length === 0) ? null : unfitPath(path, translated));
    if (unfit() !== null) throw unsafe(name, (translated) => unfit(translated) ?? '');
    const first = (this.top ??= top);
    if (top !== first || (path === '' && !name.endsWith('/'))) {
      throw new ArchiveError('not_an_archive', (translated) =>
        translated('The zip does not hold one run folder: {0} is beside {1}.', quotedAscii(name), quotedAscii(first)),
      );
    }
    return path;
  }

  private assertHarmless(entry: Entry, fileName: string, path: string): void {
    const { uncompressedSize, externalFileAttributes, generalPurposeBitFlag } = entry;
    const kind = (externalFileAttributes >>> 16) & 0o170000;
    const isFolder = fileName.endsWith('/');
    if (kind !== 0 && kind !== (isFolder ? 0o040000 : 0o100000))
      throw unsafe(fileName, (translated) => translated('it is a link or a device'));
    if ((generalPurposeBitFlag & 1) !== 0) throw unsafe(fileName, (translated) => translated('it is encrypted'));
    if (isFolder && uncompressedSize > 0) throw unsafe(fileName, (translated) => translated('a folder has no content'));
    if (path !== '') this.assertNew(fileName, path, isFolder ? 'folder' : 'file');
    this.bytes += uncompressedSize;
    if (this.bytes > this.limits.bytes)
      throw tooLarge((translated) => translated('more than {0} bytes', this.limits.bytes));
    if (this.hashes.size > this.limits.files)
      throw tooLarge((translated) => translated('more than {0} files', this.limits.files));
    // Of the zip and not of the entry: entries may share their packed bytes.
    if (this.bytes > MEGABYTE && this.bytes > this.limits.ratio * this.zip.fileSize) {
      throw unsafe(fileName, (translated) => translated('the zip unpacks to far more than it takes'));
    }
  }

  /** A file comes once, and is no folder of others; a folder may be named again. */
  private assertNew(fileName: string, path: string, kind: 'file' | 'folder'): void {
    const segments = folded(path).split('/');
    segments.forEach((_, index) => {
      const prefix = segments.slice(0, index + 1).join('/');
      const is = index < segments.length - 1 ? 'folder' : kind;
      const was = this.known.get(prefix);
      if (was !== undefined && (was === 'file' || is === 'file'))
        throw unsafe(fileName, (translated) => translated('that name is there twice'));
      this.known.set(prefix, is);
    });
  }

  /** Gives the sha256. */
  private async write(entry: Entry, path: string): Promise<string> {
    const target = join(this.root, ...path.split('/'));
    const folder = dirname(target);
    if (!this.folders.has(folder)) await mkdir(folder, { recursive: true, mode: 0o700 });
    this.folders.add(folder);
    const hash = createHash('sha256');
    const output = createWriteStream(target, { flags: 'wx', mode: 0o600, flush: true });
    const { signal } = this.options;
    await pipeline(await this.content(entry), hashing(hash), output, ...(signal ? [{ signal }] : [])).catch(
      (error: unknown) => {
        throw this.asDamage(entry, error);
      },
    );
    return hash.digest('hex');
  }

  private async text(entry: Entry): Promise<string> {
    if (entry.uncompressedSize > MANIFEST_BYTES)
      throw tooLarge((translated) => translated('a manifest of {0} bytes', entry.uncompressedSize));
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of await this.content(entry)) chunks.push(chunk as Buffer);
    } catch (error) {
      throw this.asDamage(entry, error);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  private content(entry: Entry): Promise<Readable> {
    return this.zip.openReadStreamPromise(entry).catch((error: unknown) => {
      throw this.asDamage(entry, error);
    });
  }

  /** What goes wrong with an entry is its fault, unless the disk or a person says otherwise. */
  private asDamage(entry: Entry, error: unknown): unknown {
    const isOther =
      error instanceof ArchiveError || (error instanceof Error && ('syscall' in error || error.name === 'AbortError'));
    return isOther ? error : damaged((translated) => `${quotedAscii(nameOf(entry))}: ${wordsOf(error, translated)}`);
  }

  private checkManifest(): void {
    if (this.manifest === null)
      throw new ArchiveError('not_an_archive', (translated) =>
        translated('The zip is not the archive of a run: it has no {0}.', MANIFEST),
      );
    const named = new Map<string, string>();
    for (const line of this.manifest.split('\n').slice(0, -1)) named.set(line.slice(66), line.slice(0, 64));
    for (const [path, sha256] of this.hashes) {
      if (named.get(path) !== sha256)
        throw damaged((translated) => translated('{0} is not what {1} says.', quotedAscii(path), MANIFEST));
    }
    for (const path of named.keys())
      if (!this.hashes.has(path)) throw damaged((translated) => translated('{0} is missing.', quotedAscii(path)));
  }
}

const MEGABYTE = 2 ** 20;
const MANIFEST_BYTES = 32 * MEGABYTE;

async function open(file: string): Promise<ZipFile> {
  try {
    return await openPromise(file, {
      lazyEntries: true,
      autoClose: false,
      decodeStrings: false,
      validateEntrySizes: true,
    });
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw error;
    throw new ArchiveError('not_an_archive', (translated) =>
      translated('{0} is not a zip that can be read: {1}', file, wordsOf(error, translated)),
    );
  }
}

/** Decoded here: a zip may hold a second, other name that readers prefer to this one. */
function nameOf({ fileNameRaw }: Entry): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(fileNameRaw);
  } catch {
    throw unsafe(fileNameRaw.toString('latin1'), (translated) => translated('its name is not UTF-8.'));
  }
}

async function folderName(draft: string): Promise<string> {
  return archiveName(draft).catch((error: unknown) => {
    throw error instanceof ArchiveError
      ? new ArchiveError('not_an_archive', (translated) =>
          translated('The zip is not the archive of a run: its config.json is missing or not one of a run.'),
        )
      : error;
  });
}

async function experimentsDirectory({ experimentsDirectory: directory }: ImportOptions): Promise<string> {
  if (directory === undefined)
    throw new ArchiveError('not_an_archive', (translated) =>
      translated('The zip holds an experiment: take it in with import in a terminal.'),
    );
  await mkdir(resolve(directory), { recursive: true, mode: 0o700 });
  return resolve(directory);
}

async function sha256Of(file: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) {
    signal?.throwIfAborted();
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}

function hashing(hash: Hash): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}

function exists(runDirectory: string): ArchiveError {
  return new ArchiveError('exists', (translated) =>
    translated('The run is there already, in {0}: nothing was changed.', runDirectory),
  );
}

function unsafe(fileName: string, why: ArchiveError['words']): ArchiveError {
  return new ArchiveError('unsafe', (translated) =>
    translated('The archive was refused because of {0}: {1}', quotedAscii(fileName), why(translated)),
  );
}

function damaged(what: ArchiveError['words']): ArchiveError {
  return new ArchiveError('damaged', (translated) => translated('The archive is damaged: {0}', what(translated)));
}

function tooLarge(what: ArchiveError['words']): ArchiveError {
  return new ArchiveError('too_large', (translated) => translated('The archive is too large: {0}.', what(translated)));
}
