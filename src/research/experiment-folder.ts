import { join } from 'node:path';
import * as z from 'zod';
import { MAX_USD } from '../budget/money.ts';
import { RunConfig } from '../run/config.ts';
import { sixDigits } from '../runlog/folder.ts';
import { ExperimentFile } from './experiment-file.ts';

export const EXPERIMENT_FORMAT = 1;

/** Where things are in an experiment folder. */
export interface ExperimentFolder {
  readonly path: string;
  readonly record: string;
  readonly claims: string;
  /** Ordinary run folders. */
  readonly runs: string;
  /** Says that the folder came from an archive: the experiment is for looking. */
  readonly imported: string;
  readonly reportMarkdown: string;
  readonly reportJson: string;
  readonly trialsCsv: string;
}

export function experimentFolder(path: string): ExperimentFolder {
  return {
    path,
    record: join(path, 'experiment.json'),
    claims: join(path, 'claims'),
    runs: join(path, 'runs'),
    imported: join(path, 'imported.json'),
    reportMarkdown: join(path, 'report.md'),
    reportJson: join(path, 'report.json'),
    trialsCsv: join(path, 'trials.csv'),
  };
}

export function claimFile(folder: ExperimentFolder, number: number): string {
  return join(folder.claims, `${sixDigits(number)}.json`);
}

/** The configuration of the runs of a variant: all but what a run has of its own. `parameters.seed` is that of the file. */
export const VariantConfig = RunConfig.omit({
  run_id: true,
  created_at: true,
  environment: true,
  forked_from: true,
});
export type VariantConfig = z.infer<typeof VariantConfig>;

/** experiment.json: written first and never changed. All that a worker needs, so that every worker starts the same runs. */
export const ExperimentRecord = z.object({
  format_version: z.literal(EXPERIMENT_FORMAT),
  experiment_id: z.uuid(),
  created_at: z.iso.datetime(),
  version: z.string().max(200).describe('The program that made it.'),
  provider: z.enum(['openai', 'rehearsal']),
  file: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }).describe('The experiment file, of the bytes as read.'),
  spec: ExperimentFile.describe('What it says.'),
  variants: z
    .array(z.object({ name: z.string(), config: VariantConfig }))
    .describe('What it means: prices, prompts and defaults as they were found then.'),
});
export type ExperimentRecord = z.infer<typeof ExperimentRecord>;

const usd = z.number().min(0).max(MAX_USD);

/** claims/NNNNNN.json: a trial was taken. The numbers give the order, without gaps. Never changed. */
export const Claim = z.object({
  format_version: z.literal(EXPERIMENT_FORMAT),
  number: z.int().min(1).max(999_999),
  variant: z.string(),
  trial: z.int().min(1),
  run: z
    .string()
    .regex(/^\d{8}T\d{6}Z-[a-z0-9-]{1,60}-[0-9a-f]{4}$/)
    .describe('The name of the run folder below runs/.'),
  run_id: z.uuid(),
  claimed_at: z.iso.datetime(),
  max_cost_usd: usd.describe('What the run may cost.'),
  committed_usd: usd.describe(
    'With it, the most that all runs claimed by now may cost: never above `max_total_cost_usd`.',
  ),
  resumes: z
    .object({ after_epoch: z.int().min(1), spent_usd: usd })
    .nullable()
    .describe(
      'Of a run that had ended for a reason of the server or the machine: its last epoch, and what it had cost.',
    ),
  environment: RunConfig.shape.environment,
});
export type Claim = z.infer<typeof Claim>;
