import { isDeepStrictEqual } from 'node:util';
import { EngineError } from '../engine/engine-error.ts';
import type { RunConfig } from '../run/config.ts';
import { quoted } from '../run/limits.ts';
import type { Claim, ExperimentRecord } from './experiment-folder.ts';

/** config.json of the run of a trial: what its variant says, its seed, and what its first claim says. Throws EngineError. */
export function trialConfig(
  { experiment_id, spec, variants }: ExperimentRecord,
  { variant, trial, run_id, claimed_at, environment }: Claim,
): RunConfig {
  const config = variants.find(({ name }) => name === variant)?.config;
  if (config === undefined)
    throw new EngineError('damaged', (translated) => [
      translated('A claim of the experiment names a variant that it has not: {0}.', quoted(variant)),
    ]);
  return {
    ...config,
    run_id,
    created_at: claimed_at,
    parameters: { ...config.parameters, seed: spec.seed + trial },
    settings: { ...config.settings, experiment: { experiment_id, variant, trial } },
    environment,
  };
}

/** Whether a run is configured so: what is not defined is not in a file. */
export function isConfiguredAs(expected: RunConfig, config: RunConfig): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(config)), JSON.parse(JSON.stringify(expected)));
}
