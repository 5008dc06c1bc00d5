import { join } from 'node:path';
import type { RunState } from '../run/state.ts';
import type { Ending } from '../run/stop.ts';
import { answerMarkdown } from './answer.ts';
import type { Disk } from './disk.ts';
import type { RunFolder } from './folder.ts';
import { logPlaces } from './log-places.ts';
import { pausing } from './pause.ts';
import { resultsJson, storedResults } from './results.ts';
import { summarize, summaryJson } from './summary.ts';
import { summaryMarkdown } from './summary-markdown.ts';

export interface ExitFile {
  /** File name in the run folder. */
  readonly name: 'summary.json' | 'summary.md' | 'answer.md' | 'results.json';
  /** The file's text, made piece by piece as it is asked for. */
  readonly pieces: Iterable<string>;
}

/**
 * The files that a run leaves at exit, from its state and nothing else: the same log gives the same bytes. The state may
 * change once this has returned. `unlogged`: how the run ended, where its log could not be written any more.
 */
export function exitFiles(state: RunState, unlogged: Ending | null): ExitFile[] {
  const summary = summarize(state, unlogged);
  return [
    { name: 'summary.json', pieces: summaryJson(summary) },
    { name: 'summary.md', pieces: summaryMarkdown(summary, logPlaces(state)) },
    { name: 'answer.md', pieces: answerMarkdown(state, summary) },
    { name: 'results.json', pieces: resultsJson(storedResults(state)) },
  ];
}

/** Writes them all, `unlogged` as above, whatever becomes of one; then throws the first error of the disk, if there was any. */
export async function writeExitFiles(
  disk: Disk,
  folder: RunFolder,
  state: RunState,
  unlogged: Ending | null,
): Promise<void> {
  const failures: unknown[] = [];
  for (const { name, pieces } of exitFiles(state, unlogged)) {
    await disk.replace(join(folder.path, name), await joined(pieces)).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

async function joined(pieces: Iterable<string>): Promise<Buffer> {
  const pause = pausing();
  const chunks: Buffer[] = [];
  for (const piece of pieces) {
    chunks.push(Buffer.from(piece, 'utf8'));
    await pause();
  }
  return Buffer.concat(chunks);
}
