import { resolve } from 'node:path';
import { EngineError } from '../engine/engine-error.ts';
import { ArchiveError } from '../research/archive.ts';
import { withRunFolder } from '../research/opened-archive.ts';
import { replayRun } from '../research/replay.ts';
import { replaySentences } from '../research/replay-words.ts';
import { nodeDisk } from '../runlog/disk.ts';
import type { Redactor } from '../safety/redaction.ts';
import { printable } from '../safety/text.ts';
import { interruption } from './interruption.ts';
import { snakeCase } from './json.ts';
import { type Options, UsageError } from './options.ts';
import { FAILED, MISCONFIGURED, OK, say, SENTENCE } from './result.ts';

/** Gives 0 where the replay is identical, 1 where it is not, and 2 where there is nothing to replay. */
export async function replay(options: Options, redactor: Redactor): Promise<number> {
  const [operand] = options.operands;
  if (operand === undefined || options.operands.length > 1)
    throw new UsageError(['replay takes one run folder or one archive.']);
  const signal = interruption();
  const parts = { disk: nodeDisk, distDirectory: __dirname, signal };
  try {
    const result = redactor.redactJson(
      await withRunFolder(resolve(operand), signal, (directory) => replayRun(directory, parts)),
    );
    const code = result.identical ? OK : FAILED;
    if (options.isSet('json')) return say(JSON.stringify(snakeCase(result)), code);
    for (const note of result.notes) say(`note ${printable(note, SENTENCE)}`);
    const [figures = '', ...more] = replaySentences(result);
    for (const sentence of more) say(printable(sentence, SENTENCE));
    return say(figures, code);
  } catch (error) {
    if (!(error instanceof EngineError || error instanceof ArchiveError)) throw error;
    for (const problem of error.problems) process.stderr.write(`${printable(redactor.redact(problem), SENTENCE)}\n`);
    return MISCONFIGURED;
  }
}
