import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { PassThrough, Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { RunConfig } from '../run/config.ts';
import { jsonOrNull } from '../run/json.ts';
import { runFolderName } from '../runlog/folder.ts';
import {
  ARCHIVE_LIMITS,
  ArchiveError,
  type ArchiveLimits,
  MANIFEST,
  onArchiveDisk,
  pathInRun,
  unfitPath,
} from './archive.ts';
import { DRAFT } from '../runlog/disk.ts';

export interface ExportOptions {
  readonly signal?: AbortSignal;
  /** Called with the share that is done, 0 to 1. */
  readonly progress?: (share: number) => void;
  readonly limits?: ArchiveLimits;
}

export interface Exported {
  /** Absolute path of the zip. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly files: number;
  /** Paths in the run folder that have no place in an archive, each with the reason; not those that never have one. */
  readonly leftOut: readonly string[];
}

interface Source {
  readonly path: string;
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
}

/** Writes the folder of a run or an experiment as one zip; a run in progress as it is now. An older file of that name is replaced. Throws ArchiveError. */
export async function exportArchive(
  runDirectory: string,
  target: string,
  options: ExportOptions = {},
): Promise<Exported> {
  const { signal, progress = () => {}, limits = ARCHIVE_LIMITS } = options;
  const file = resolve(target);
  const way = relative(resolve(runDirectory), file);
  if (way === '' || !(way.startsWith('..') || way === file)) {
    throw new ArchiveError('bad_target', (translated) =>
      translated('{0} is in the run folder: write the archive somewhere else.', file),
    );
  }
  return onArchiveDisk(async () => {
    const top = await archiveName(runDirectory);
    const { paths, leftOut } = await pathsOf(runDirectory);
    if (paths.length > limits.files)
      throw new ArchiveError('too_large', (translated) =>
        translated('The run has {0} files; an archive has at most {1}.', paths.length, limits.files),
      );
    const sources: Source[] = [];
    let total = 0;
    for (const path of paths) {
      const source = await sourceOf(runDirectory, path, signal);
      total += source.size;
      sources.push(source);
    }
    if (total > limits.bytes)
      throw new ArchiveError('too_large', (translated) =>
        translated('The run has {0} bytes; an archive has at most {1}.', total, limits.bytes),
      );

    const place = dirname(file);
    if (!(await isFolder(place)))
      throw new ArchiveError('bad_target', (translated) =>
        translated('There is no folder {0}: make it, or write the archive somewhere else.', place),
      );
    const draft = `${file}.${randomBytes(4).toString('hex')}.tmp`;
    const hash = createHash('sha256');
    let bytes = 0;
    const watch = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        bytes += chunk.length;
        progress(Math.min(1, bytes / (total + 1)));
        done(null, chunk);
      },
    });
    try {
      await pipeline(
        zipOf(top, sources),
        watch,
        createWriteStream(draft, { flags: 'wx', mode: 0o600, flush: true }),
        ...(signal ? [{ signal }] : []),
      );
      await rename(draft, file);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
    return { file, bytes, sha256: hash.digest('hex'), files: sources.length, leftOut };
  });
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/**
 * The name that the folder of a run or an experiment was given, which the archive and its top folder carry, whatever the folder
 * is called now. Throws ArchiveError.
 */
export async function archiveName(directory: string): Promise<string> {
  const { created_at, words, id } = await named(directory);
  return runFolderName(Date.parse(created_at) || 0, words, id);
}

async function named(directory: string): Promise<{ created_at: string; words: string; id: string }> {
  const contentOf = async (name: string) => jsonOrNull(await readFile(join(directory, name), 'utf8').catch(() => ''));
  const record = await contentOf('experiment.json');
  if (record !== null) {
    const { ExperimentRecord } = await import('./experiment-folder.ts');
    const { success, data } = ExperimentRecord.safeParse(record);
    if (success) return { created_at: data.created_at, words: data.spec.name, id: data.experiment_id };
  }
  const config = RunConfig.safeParse(await contentOf('config.json'));
  if (!config.success)
    throw new ArchiveError('not_a_run', (translated) =>
      translated('{0} is not a run folder: it has no config.json that can be read.', directory),
    );
  const { created_at, objective, run_id } = config.data;
  return { created_at, words: objective, id: run_id };
}

/** Regular files with names that every system takes, sorted. */
async function pathsOf(root: string): Promise<{ paths: string[]; leftOut: string[] }> {
  const paths: string[] = [];
  const leftOut: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (isOurs(path)) continue;
      const unfit = unfitPath(path);
      if (unfit !== null) leftOut.push(`${path}: ${unfit}`);
      else if (entry.isDirectory()) await walk(path);
      else if (entry.isFile()) paths.push(path);
      else leftOut.push(`${path}: it is not a regular file`);
    }
  };
  await walk('');
  return { paths: paths.sort(), leftOut: leftOut.sort() };
}

/** What lies in a run folder and is never archived, so that nobody need be told. */
function isOurs(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return (
    /^(owner|imported\.json|\.reserve|\.gitignore)$/.test(pathInRun(path)) ||
    name.startsWith('.sandbox-') ||
    DRAFT.test(name)
  );
}

/** Fixes the length first: a log that grows meanwhile is archived up to there. */
async function sourceOf(root: string, path: string, signal: AbortSignal | undefined): Promise<Source> {
  const file = join(root, ...path.split('/'));
  const { size } = await stat(file);
  const hash = createHash('sha256');
  for await (const chunk of contentOf(file, size)) {
    signal?.throwIfAborted();
    hash.update(chunk as Buffer);
  }
  return { path, file, size, sha256: hash.digest('hex') };
}

function contentOf(file: string, size: number): Readable {
  return size === 0 ? Readable.from([]) : createReadStream(file, { end: size - 1 });
}

function zipOf(top: string, sources: readonly Source[]): Readable {
  const zip = new ZipFile();
  // A zip holds local time, so this is the same everywhere. Every version of zlib deflates in its own way, so nothing is.
  const how = { mtime: new Date(1980, 0, 1), mode: 0o100644, compress: false, forceDosTimestamp: true };
  const output = new PassThrough();
  const fail = (error: Error) => output.destroy(error);
  zip.on('error', fail);
  zip.outputStream.on('error', fail).pipe(output);
  const manifest = sources.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join('');
  // Its name is before all others: upper case.
  zip.addBuffer(Buffer.from(manifest), `${top}/${MANIFEST}`, how);
  for (const source of sources) {
    zip.addReadStreamLazy(`${top}/${source.path}`, how, (give) => {
      const content = contentOf(source.file, source.size);
      give(null, content.on('error', fail).pipe(unchanged(source)).on('error', fail));
    });
  }
  zip.end();
  return output;
}

/** Passes a file on, and fails where it is not the one that the manifest names. */
function unchanged({ path, sha256 }: Source): Transform {
  const hash = createHash('sha256');
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      done(
        hash.digest('hex') === sha256
          ? null
          : new ArchiveError('changed', (translated) =>
              translated('{0} was changed while it was archived: try again.', path),
            ),
      );
    },
  });
}
