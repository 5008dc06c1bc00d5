import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onArchiveDisk } from './archive.ts';
import { importArchive } from './import-archive.ts';

/** The same for several, which are there together. */
export async function withRunFolders<T>(
  paths: readonly string[],
  signal: AbortSignal,
  work: (directories: readonly string[]) => Promise<T>,
): Promise<T> {
  const [path, ...others] = paths;
  if (path === undefined) return work([]);
  return withRunFolder(path, signal, (directory) =>
    withRunFolders(others, signal, (directories) => work([directory, ...directories])),
  );
}

/** Works on the folder of a run or an experiment, or on that of an archive, which is unpacked for it and taken away again. Throws ArchiveError. */
export async function withRunFolder<T>(
  path: string,
  signal: AbortSignal,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  const isFile = await stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
  if (!isFile) return work(path);
  const temporary = await onArchiveDisk(() => mkdtemp(join(tmpdir(), 'babyagi-archive-')));
  try {
    const { runDirectory } = await importArchive(path, temporary, {
      now: Date.now,
      signal,
      experimentsDirectory: temporary,
    });
    return await work(runDirectory);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
