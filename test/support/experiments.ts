import { createExperiment, variantConfigs } from '../../src/research/create-experiment.ts';
import { checkExperimentFile, type ExperimentFile } from '../../src/research/experiment-file.ts';
import { ExperimentWorker, type TrialNews, type WorkerStop } from '../../src/research/work-experiment.ts';
import { variantsOf } from '../../src/terminal/experiment-options.ts';
import type { Host } from '../../src/engine/host.ts';
import { temporaryFolder, testHost } from './run-host.ts';

/** What an experiment file says, guarded against classic; some of it otherwise. */
export function experimentFile(
  over: Partial<Record<keyof ExperimentFile | 'key', unknown>> = {},
): Record<string, unknown> {
  return {
    name: 'Guarded against classic',
    objective: 'Plan a small garden',
    trials: 2,
    seed: 100,
    limits: { max_iterations: 2, max_cost_usd: 0.1 },
    max_total_cost_usd: 1,
    common: { sleep_interval: 0, model: 'gpt-4o', embedding_model: 'none' },
    variants: [
      { name: 'classic', settings: { strategy: 'classic' } },
      { name: 'guarded', settings: {} },
    ],
    ...over,
  };
}

/** The folder of a new experiment on the rehearsal model. */
export async function rehearsedExperiment(
  over: Parameters<typeof experimentFile>[0] = {},
  host = testHost('http://127.0.0.1:9/v1'),
) {
  const text = Buffer.from(JSON.stringify(experimentFile(over)));
  const checked = checkExperimentFile(String(text));
  if ('problems' in checked) throw new Error(checked.problems.join('\n'));
  const { file } = checked;
  const configured = await variantConfigs(variantsOf(file, '/x.experiment.json'), 'rehearsal', host);
  if ('problems' in configured) throw new Error(configured.problems.join('\n'));
  const variants = configured.configs;
  return createExperiment(temporaryFolder(), { text, file, variants, provider: 'rehearsal' }, host);
}

/** Takes trials of it until none is left. */
export async function workedOff(
  directory: string,
  host: Host = testHost('http://127.0.0.1:9/v1'),
  parallel = 1,
): Promise<{ reason: WorkerStop; news: TrialNews[] }> {
  const news: TrialNews[] = [];
  const parts = { host, parallel, began: () => {}, told: (one: TrialNews) => void news.push(one) };
  return { reason: await new ExperimentWorker(directory, parts).work(), news };
}
