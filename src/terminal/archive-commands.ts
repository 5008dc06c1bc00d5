import { dirname, resolve } from 'node:path';
import { readRun } from '../engine/read.ts';
import { onArchiveDisk } from '../research/archive.ts';
import { archiveName, exportArchive } from '../research/export-archive.ts';
import { importArchive } from '../research/import-archive.ts';
import { nodeDisk } from '../runlog/disk.ts';
import { printable } from '../safety/text.ts';
import { spansOf, tracesOf } from '../telemetry/traces.ts';
import { fitted } from './columns.ts';
import { interruption } from './interruption.ts';
import { type Options, UsageError } from './options.ts';
import { say, SENTENCE } from './result.ts';

export async function exportRun(options: Options): Promise<number> {
  if (options.isSet('traces')) return exportTraces(options);
  const [folder, file] = options.operands;
  if (folder === undefined || options.operands.length > 2)
    throw new UsageError(['export takes the folder of a run or an experiment and, if you like, the name of the zip.']);
  const directory = resolve(folder);
  const target = resolve(file ?? `${await archiveName(directory)}.zip`);
  const made = await exportArchive(directory, target, {
    signal: interruption(),
    progress: progressOf(`Writing ${target}`),
  });
  const { bytes, sha256, files, leftOut } = made;
  if (options.isSet('json'))
    return say(JSON.stringify({ archive: made.file, bytes, sha256, files, left_out: leftOut }));
  for (const one of leftOut) say(printable(`left out ${one}`, SENTENCE));
  return say(`${made.file}\n${files} files, ${bytes} bytes, sha256 ${sha256}`);
}

/** A run that is in progress, too: what is under way ends where its log does. */
async function exportTraces(options: Options): Promise<number> {
  const [folder, file] = options.operands;
  if (folder === undefined || options.operands.length > 2)
    throw new UsageError(['export --traces takes a run folder and, if you like, the name of the file.']);
  const spans = spansOf(await readRun(nodeDisk, resolve(folder)));
  const json = tracesOf(spans);
  if (file === undefined) return say(json);
  const target = resolve(file);
  const place = dirname(target);
  if (!(await onArchiveDisk(() => nodeDisk.exists(place))))
    throw new UsageError([`There is no folder ${place}: make it, or write the traces somewhere else.`]);
  await onArchiveDisk(() => nodeDisk.replace(target, `${json}\n`));
  if (options.isSet('json')) return say(JSON.stringify({ file: target, spans: spans.length }));
  return say(`${target}\n${spans.length} spans`);
}

export async function importRun(options: Options): Promise<number> {
  const [file] = options.operands;
  if (file === undefined || options.operands.length > 1) throw new UsageError(['import takes one zip.']);
  const runsDirectory = resolve(options.text('runs-dir') ?? '.babyagi/runs');
  const { runDirectory, isExperiment, files, sha256 } = await importArchive(resolve(file), runsDirectory, {
    experimentsDirectory: resolve(options.text('experiments-dir') ?? '.babyagi/experiments'),
    now: Date.now,
    signal: interruption(),
    progress: progressOf(`Reading ${resolve(file)}`),
  });
  if (options.isSet('json'))
    return say(JSON.stringify({ [isExperiment ? 'experiment_dir' : 'run_dir']: runDirectory, files, sha256 }));
  return say(
    `${runDirectory}\n${files} files. The ${isExperiment ? 'experiment' : 'run'} can be looked at, not resumed. To check it: node dist/cli.js verify ${runDirectory}`,
  );
}

/** Draws the share that is done, on a terminal only, and takes it away at the end. */
function progressOf(what: string): (share: number) => void {
  const { stderr } = process;
  let drawn = -1;
  return (share) => {
    const percent = Math.floor(share * 100);
    if (!stderr.isTTY || percent === drawn) return;
    drawn = percent;
    stderr.write(
      percent === 100
        ? '\r\u001b[2K'
        : `\r\u001b[2K${fitted(what, Math.max(10, (stderr.columns || 80) - 7))} ${percent} %`,
    );
  };
}
