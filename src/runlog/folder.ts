import { join } from 'node:path';

/** Where things are in a run folder. */
export interface RunFolder {
  readonly path: string;
  readonly config: string;
  readonly log: string;
  readonly blobs: string;
  readonly owners: string;
  readonly checkpoints: string;
  readonly output: string;
  readonly summaryJson: string;
  readonly summaryMarkdown: string;
  readonly results: string;
  readonly answer: string;
  /** Says that the folder came from an archive: the run is for looking. */
  readonly imported: string;
  /** Bytes kept back so that the end of a run can be written on a full disk. */
  readonly reserve: string;
}

/** What is read of a config.json at the most: reading it blocks everything else, and what a run writes is far smaller. */
export const MOST_CONFIG_BYTES = 8 * 1024 * 1024;

export function runFolder(path: string): RunFolder {
  return {
    path,
    config: join(path, 'config.json'),
    log: join(path, 'log'),
    blobs: join(path, 'blobs'),
    owners: join(path, 'owner'),
    checkpoints: join(path, 'checkpoints'),
    output: join(path, 'output'),
    summaryJson: join(path, 'summary.json'),
    summaryMarkdown: join(path, 'summary.md'),
    results: join(path, 'results.json'),
    answer: join(path, 'answer.md'),
    imported: join(path, 'imported.json'),
    reserve: join(path, '.reserve'),
  };
}

/** `<UTC time>-<slug>-<4 hex>`: sorts by time, and says what it is about. */
export function runFolderName(startedMs: number, objective: string, runId: string): string {
  const time = new Date(startedMs).toISOString().slice(0, 19).replace(/[-:]/g, '');
  const slug = objective
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40)
    .replace(/-$/, '');
  return `${time}Z-${slug || 'run'}-${runId.slice(0, 4)}`;
}

export function segmentFile(folder: RunFolder, number: number): string {
  return join(folder.log, `${sixDigits(number)}.jsonl`);
}

export function ownerFile(folder: RunFolder, number: number): string {
  return join(folder.owners, sixDigits(number));
}

export function checkpointFile(folder: RunFolder, iteration: number): string {
  return join(folder.checkpoints, `${sixDigits(iteration)}.json`);
}

export function sixDigits(number: number): string {
  return String(number).padStart(6, '0');
}
