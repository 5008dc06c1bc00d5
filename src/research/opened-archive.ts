import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onArchiveDisk } from './archive.ts';
import { importArchive } from './import-archive.ts';

/** Works on a run folder, or on that of an archive, which is unpacked for it and taken away again. Throws ArchiveError. */
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
    const { runDirectory } = await importArchive(path, temporary, { now: Date.now, signal });
    return await work(runDirectory);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
