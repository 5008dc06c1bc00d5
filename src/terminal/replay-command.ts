import { resolve } from 'node:path';
import { EngineError } from '../engine/engine-error.ts';
import { ArchiveError } from '../research/archive.ts';
import { isExperiment, readExperiment } from '../research/experiment.ts';
import { withRunFolder } from '../research/opened-archive.ts';
import { type Replay, type ReplayParts, replayRun } from '../research/replay.ts';
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
    throw new UsageError(['replay takes the folder of a run or an experiment, or one archive.']);
  const signal = interruption();
  const parts = { disk: nodeDisk, distDirectory: __dirname, signal };
  try {
    const results = redactor.redactJson(
      await withRunFolder(resolve(operand), signal, async (directory) =>
        (await isExperiment(nodeDisk, directory)) ? replayTrials(directory, parts) : replayRun(directory, parts),
      ),
    );
    if (Array.isArray(results)) return sayTrials(results, options);
    const result = results;
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

interface ReplayedTrial extends Replay {
  readonly variant: string;
  readonly trial: number;
}

/** The runs of an experiment that have a log, one after another. */
async function replayTrials(directory: string, parts: ReplayParts): Promise<ReplayedTrial[]> {
  const { trials } = await readExperiment(nodeDisk, directory);
  const replayed: ReplayedTrial[] = [];
  for (const { variant, trial, directory: run, progress } of trials) {
    if (run === null || progress.state === 'claimed') continue;
    replayed.push({ variant, trial, ...(await replayRun(run, parts)) });
  }
  return replayed;
}

function sayTrials(trials: readonly ReplayedTrial[], options: Options): number {
  const identical = trials.every((each) => each.identical);
  const code = identical ? OK : FAILED;
  if (options.isSet('json')) return say(JSON.stringify(snakeCase({ identical, trials })), code);
  for (const each of trials) {
    const [figures = '', ...more] = replaySentences(each);
    say(printable(`${each.variant}, trial ${each.trial}: ${[...more, figures].join(' ')}`, SENTENCE));
  }
  return say(`${trials.filter((each) => each.identical).length} of ${trials.length} runs are identical.`, code);
}
