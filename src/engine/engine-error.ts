import { RunLost } from '../run/ports.ts';
import { inEnglish, type Translate, TranslatableError, wordsOf } from '../run/translate.ts';
import { ForeignFile } from '../runlog/disk.ts';
import { OwnedElsewhere } from '../runlog/owner.ts';

/** Why a run or an experiment cannot start or go on. Each problem is one sentence that says what to do. */
export class EngineError extends TranslatableError {
  readonly reason:
    | 'configuration'
    | 'not_a_run'
    | 'not_an_experiment'
    | 'damaged'
    | 'newer_version'
    | 'imported'
    | 'owned_elsewhere'
    | 'has_ended'
    | 'disk';
  readonly problems: readonly string[];
  constructor(reason: EngineError['reason'], problems: (translated: Translate) => readonly string[]) {
    super((translated) => problems(translated).join('\n'));
    this.name = 'EngineError';
    this.reason = reason;
    this.problems = problems(inEnglish);
  }
}

/** Turns the disk's errors and a living owner into sentences. */
export async function onDisk<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof OwnedElsewhere)
      throw new EngineError('owned_elsewhere', (translated) => [wordsOf(error, translated)]);
    if (error instanceof RunLost || error instanceof ForeignFile)
      throw new EngineError('disk', (translated) => [`${where}: ${wordsOf(error, translated)}`]);
    if (error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error) {
      const { code } = error;
      throw new EngineError('disk', (translated) => [
        translated(
          'The run folder cannot be written below {0} ({1}): choose another folder, or mend its permissions.',
          where,
          code,
        ),
      ]);
    }
    throw error;
  }
}
