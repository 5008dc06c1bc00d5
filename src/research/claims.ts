import { randomUUID } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { picoFromUsd, usdFromPico } from '../budget/money.ts';
import type { RunConfig } from '../run/config.ts';
import { draftName, type Disk } from '../runlog/disk.ts';
import { runFolderName } from '../runlog/folder.ts';
import { committed, type Experiment, type Trial } from './experiment.ts';
import { type Claim, claimFile, EXPERIMENT_FORMAT } from './experiment-folder.ts';

/**
 * The next claim, or null where the trial's run might bring the experiment above its cap. The experiment was read whole: what
 * the claims before this one may cost can only become less, so what is admitted stays admitted.
 */
export function nextClaim(
  { record, claims, trials }: Experiment,
  trial: Trial,
  now: number,
  environment: RunConfig['environment'],
): Claim | null {
  const { claim: earlier, progress } = trial;
  const config = record.variants.find(({ name }) => name === trial.variant)?.config;
  if (config === undefined) throw new Error(`there is no variant ${trial.variant}`);
  const resumed = progress.state === 'ended' ? progress.run : null;
  const cap = resumed?.limits.max_cost_usd ?? config.limits.max_cost_usd;
  const others = trials.filter((each) => each !== trial).reduce((sum, each) => sum + committed(each), 0n);
  const all = others + picoFromUsd(cap);
  if (all > picoFromUsd(record.spec.max_total_cost_usd)) return null;
  return {
    format_version: EXPERIMENT_FORMAT,
    number: claims.length + 1,
    variant: trial.variant,
    trial: trial.trial,
    ...(earlier === null ? newRun(claims, config.objective, now) : { run: earlier.run, run_id: earlier.run_id }),
    claimed_at: new Date(now).toISOString(),
    max_cost_usd: cap,
    committed_usd: usdFromPico(all),
    resumes: resumed && { after_epoch: resumed.epoch, spent_usd: usdFromPico(resumed.spent) },
    environment,
  };
}

/** A name that no run of the experiment has: two may begin in one second, and four hexadecimal digits are few. */
function newRun(claims: readonly Claim[], objective: string, now: number): Pick<Claim, 'run' | 'run_id'> {
  for (;;) {
    const run_id = randomUUID();
    const run = runFolderName(now, objective, run_id);
    if (claims.every((claim) => claim.run !== run)) return { run, run_id };
  }
}

/**
 * Writes a claim beside its place and links it there: it is whole or not there, and its number is given once, whoever else
 * wants it. False: somebody was quicker.
 */
export async function putClaim(disk: Disk, folder: Experiment['folder'], claim: Claim): Promise<boolean> {
  const file = claimFile(folder, claim.number);
  const draft = join(dirname(file), draftName());
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(claim, null, 2)}\n`);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  try {
    await link(draft, file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
  await disk.syncDirectory(folder.claims);
  return true;
}
