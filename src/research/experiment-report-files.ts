import type { Disk } from '../runlog/disk.ts';
import { type Experiment, readExperiment } from './experiment.ts';

/** Writes the reports of an experiment as its folder has it now. */
export async function writeReport(disk: Disk, directory: string): Promise<Experiment> {
  return readExperiment(disk, directory);
}
