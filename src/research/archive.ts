import { inEnglish, known, TranslatableError, type Translate, wordsOf } from '../run/translate.ts';
import { OutputPathError, parseOutputPath } from '../safety/output-path.ts';
import { quotedAscii } from '../safety/text.ts';

/**
 * The archive of a run, or of an experiment with all its runs: its folder as one zip. Below one top folder are the files, sorted by name and stored as they are,
 * and MANIFEST.sha256 with the sha256 of each, in the form of `sha256sum`. The same run always gives the same bytes.
 */
export const MANIFEST = 'MANIFEST.sha256';

/** What an archive may hold, on the way out as on the way in. */
export interface ArchiveLimits {
  readonly files: number;
  /** Of all files together, bytes. */
  readonly bytes: number;
  /** How many times the size of the zip its files may have together, from a megabyte on. */
  readonly ratio: number;
}
export const ARCHIVE_LIMITS: ArchiveLimits = { files: 100_000, bytes: 8 * 2 ** 30, ratio: 250 };

/** Why an archive cannot be made or taken in; the message says what is wrong, where, and what to do. */
export class ArchiveError extends TranslatableError {
  override readonly name = 'ArchiveError';
  readonly reason:
    | 'not_a_run'
    | 'changed'
    | 'bad_target'
    | 'not_an_archive'
    | 'damaged'
    | 'unsafe'
    | 'too_large'
    | 'exists'
    | 'disk';

  constructor(reason: ArchiveError['reason'], words: ArchiveError['words']) {
    super(words);
    this.reason = reason;
  }

  get problems(): readonly string[] {
    return [this.message];
  }
}

/** What of an experiment folder is a run folder: a path below it is one of that run. */
const IN_RUN = /^runs\/([^/]+)\/(.+)$/;

/** The path in the run folder that it lies in, of an experiment; else the path as it is. */
export function pathInRun(path: string): string {
  return IN_RUN.exec(path)?.[2] ?? path;
}

/** What belongs to the machine that ran it or took it in, and not to the run. */
const NOT_ARCHIVED: ReadonlySet<string> = new Set(['owner', 'imported.json', MANIFEST.toLowerCase()]);

/**
 * Why a path below a run folder has no place in an archive, or null. No absolute or climbing path, no device, no hidden
 * file, nothing that another system would take for something else.
 */
export function unfitPath(path: string, translated: Translate = inEnglish): string | null {
  const [, run, inside] = IN_RUN.exec(path) ?? [];
  return run === undefined || inside === undefined
    ? unfitInRun(path, translated)
    : (unfitInRun(run, translated) ?? unfitInRun(inside, translated));
}

function unfitInRun(path: string, translated: Translate): string | null {
  const [first = '', ...rest] = path.split('/');
  if (NOT_ARCHIVED.has(first.toLowerCase())) return translated('it is not a part of the run');
  if (first.startsWith('.') || rest.some((segment) => segment.startsWith('.'))) return translated('it is hidden');
  try {
    // The names below output/ have room for as many folders as anywhere else.
    const parts = first === 'output' && rest.length > 0 ? [first, rest.join('/')] : [path];
    const parsed = parts.flatMap((part) => parseOutputPath(part).segments).join('/');
    return parsed === path ? null : translated('it is not in Unicode form NFC');
  } catch (error) {
    if (!(error instanceof OutputPathError)) return wordsOf(error, translated);
    return translated(
      'The output path {0} is not allowed: {1}',
      quotedAscii(error.path),
      known(error.rule, translated),
    );
  }
}

/** Gives errors of the file system as ArchiveError; others, such as an abort, as they are. */
export async function onArchiveDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && 'code' in error && 'syscall' in error) {
      const path = 'path' in error && typeof error.path === 'string' ? error.path : null;
      const code = String(error.code);
      throw new ArchiveError('disk', (translated) =>
        path === null
          ? translated('The archive cannot be read or written ({0}).', code)
          : translated('{0} cannot be read or written ({1}).', path, code),
      );
    }
    throw error;
  }
}
