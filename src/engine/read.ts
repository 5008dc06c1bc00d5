import { issueWords } from '../run/issue-words.ts';
import { jsonOrNull } from '../run/json.ts';
import type { RunConfig } from '../run/config.ts';
import type { RunEvent } from '../run/events.ts';
import { isExactConfig } from '../run/exact.ts';
import { fold } from '../run/fold.ts';
import type { RunState } from '../run/state.ts';
import { wordsOf } from '../run/translate.ts';
import { type Disk, ForeignFile } from '../runlog/disk.ts';
import { MOST_CONFIG_BYTES, type RunFolder, runFolder } from '../runlog/folder.ts';
import { type LogEnd, readLog } from '../runlog/reader.ts';
import { EngineError } from './engine-error.ts';

/** What a run was started with, without reading its log. Throws EngineError. */
export async function readRunConfig(disk: Disk, directory: string): Promise<RunConfig> {
  return (await readConfig(disk, runFolder(directory))).config;
}

/** The configuration and state of a run folder, for looking. Throws EngineError. */
export async function readRun(disk: Disk, directory: string): Promise<RunState> {
  const folder = runFolder(directory);
  const { config } = await readConfig(disk, folder);
  return (await readState(disk, folder, config)).state;
}

/** Throws EngineError. */
export async function readConfig(disk: Disk, folder: RunFolder): Promise<{ config: RunConfig; bytes: string }> {
  const bytes = await disk.read(folder.config, MOST_CONFIG_BYTES).then(String, (error: unknown) => {
    throw new EngineError('not_a_run', (translated) => {
      const why = error instanceof ForeignFile ? ` ${wordsOf(error, translated)}` : '';
      return [`${translated('{0} is not a run folder: it has no config.json that can be read.', folder.path)}${why}`];
    });
  });
  const config = jsonOrNull(bytes);
  if (isExactConfig(config)) return { config, bytes };
  const { RunConfig } = await import('../run/config.ts');
  const parsed = RunConfig.safeParse(config, { reportInput: true });
  if (parsed.success) return { config: parsed.data, bytes };
  const { error } = parsed;
  throw new EngineError('damaged', (translated) => [
    translated('{0} is not a valid run configuration: {1}.', folder.config, issueWords(error, translated)),
  ]);
}

/** Throws EngineError. */
export async function readState(
  disk: Disk,
  folder: RunFolder,
  config: RunConfig,
): Promise<{ state: RunState; end: LogEnd | null }> {
  const { events, end } = await readEvents(disk, folder);
  try {
    return { state: fold(config, events), end: end.seq === 0 ? null : end };
  } catch (error) {
    throw new EngineError('damaged', (translated) => [
      translated('The log contradicts itself. {0} The run can be looked at, not resumed.', wordsOf(error, translated)),
    ]);
  }
}

/** All events of a log that is whole and of no newer version. Throws EngineError. */
export async function readEvents(disk: Disk, folder: RunFolder): Promise<{ events: RunEvent[]; end: LogEnd }> {
  const log = await readLog(disk, folder).catch((error: unknown) => {
    throw new EngineError(error instanceof ForeignFile ? 'damaged' : 'disk', (translated) => [
      translated('The log below {0} cannot be read: {1}', folder.log, wordsOf(error, translated)),
    ]);
  });
  if (log.damage) {
    const { segment, offset, what } = log.damage;
    throw new EngineError('damaged', (translated) => [
      translated(
        'The log is damaged in segment {0} at byte {1}: {2}. The run can be looked at, not resumed.',
        segment,
        offset,
        what(translated),
      ),
    ]);
  }
  const events: RunEvent[] = [];
  for (const event of log.events) {
    if (event.type === 'unknown') {
      throw new EngineError('newer_version', (translated) => [
        translated('Event {0} was written by a newer version: install that one to resume the run.', event.seq),
      ]);
    }
    events.push(event);
  }
  return { events, end: log.end };
}
