import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { RunConfig } from '../../src/run/config.ts';
import type { RunEvent } from '../../src/run/events.ts';
import { fold } from '../../src/run/fold.ts';
import type { RunState } from '../../src/run/state.ts';
import { exitFiles } from '../../src/runlog/exit-files.ts';
import { type RunFolder, runFolder, runFolderName, segmentFile } from '../../src/runlog/folder.ts';
import { asciiJson, formatLine, GENESIS_HASH } from '../../src/runlog/line.ts';

/**
 * Writes the folder of a run that was made by hand, as the program leaves it: the configuration, a log of these events and,
 * where the run has ended, the files at exit. The events become those of the configuration.
 */
export function writeRun(
  runsDirectory: string,
  config: RunConfig,
  drafts: readonly RunEvent[],
): { folder: RunFolder; state: RunState } {
  const startedAt = Date.parse(drafts[0]?.ts ?? '');
  const folder = runFolder(path.join(runsDirectory, runFolderName(startedAt, config.objective, config.run_id)));
  const bytes = `${JSON.stringify(config, null, 2)}\n`;
  const config_sha256 = createHash('sha256').update(bytes).digest('hex');
  const events = drafts.map((draft): RunEvent => {
    const event = { ...draft, run_id: config.run_id };
    return event.type === 'run.created' ? { ...event, config_sha256 } : event;
  });
  mkdirSync(folder.log, { recursive: true });
  writeFileSync(folder.config, bytes);
  let hash = GENESIS_HASH;
  const lines = events.map((event) => {
    const formatted = formatLine(hash, asciiJson(event));
    hash = formatted.hash;
    return formatted.line;
  });
  writeFileSync(segmentFile(folder, 1), lines.join(''));
  const state = fold(config, events);
  if (state.end) {
    for (const { name, pieces } of exitFiles(state, null))
      writeFileSync(path.join(folder.path, name), [...pieces].join(''));
  }
  return { folder, state };
}
