import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { onDisk } from '../engine/engine-error.ts';
import type { Disk } from '../runlog/disk.ts';
import { EndedRuns, type Experiment, readExperiment } from './experiment.ts';
import { experimentReport } from './experiment-report.ts';
import { reportMarkdown } from './experiment-report-markdown.ts';
import { trialsCsv } from './trials-csv.ts';

interface ReportFile {
  readonly path: string;
  readonly name: string;
  readonly content: string;
}

/** The files of the report as the folder gives them. */
export async function reportFiles(experiment: Experiment): Promise<ReportFile[]> {
  const { folder } = experiment;
  const report = await experimentReport(experiment);
  const files: [string, string][] = [
    [folder.reportJson, `${JSON.stringify(report, null, 2)}\n`],
    [folder.reportMarkdown, reportMarkdown(report, experiment)],
    [folder.trialsCsv, trialsCsv(report)],
  ];
  return files.map(([path, content]) => ({ path, name: basename(path), content }));
}

/** How often: a worker that goes on changes the folder all the time, and writes the report itself at its end. */
const MOST_TIMES = 3;

/** Writes the report, and again where the folder has changed meanwhile: of several workers the last one leaves the right one. */
export async function writeReport(disk: Disk, directory: string): Promise<Experiment> {
  const known = new EndedRuns();
  let before: Experiment | null = null;
  for (let times = 1; ; times++) {
    const experiment = await readExperiment(disk, directory, known, before);
    if (times > MOST_TIMES || isDeepStrictEqual(experiment.trials, before?.trials)) return experiment;
    const files = await reportFiles(experiment);
    await onDisk(directory, async () => {
      for (const file of files) await disk.replace(file.path, file.content);
    });
    before = experiment;
  }
}
