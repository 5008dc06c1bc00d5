import { dirname, resolve } from 'node:path';
import type { VariantStart } from '../research/create-experiment.ts';
import { type ExperimentFile, flagsOf, type VariantFlags } from '../research/experiment-file.ts';
import { DEFAULTS } from '../run/settings.ts';
import { Check, checkedSettings, givenSettings, originOf, pricesOf, promptsOf, snapshotOf } from './configuration.ts';
import { type FlagName, FLAGS, Options, UsageError } from './options.ts';

/** What the settings of each variant mean: they are the flags of `run`, and no variable changes them. Throws UsageError. */
export function variantsOf(file: ExperimentFile, path: string): VariantStart[] {
  const check = new Check();
  const variants = file.variants.map(({ name, settings }) =>
    check.of(() => inVariant(name, () => variantOf(file, name, flagsOf(file, settings), path))),
  );
  if (check.failed) throw check.error();
  return variants.flatMap((variant) => variant ?? []);
}

function variantOf(file: ExperimentFile, name: string, flags: VariantFlags, path: string): VariantStart {
  const options = optionsOf(file, flags);
  const { prompts_dir } = flags;
  const withPrompts = optionsOf(file, {
    ...flags,
    ...(prompts_dir === undefined ? {} : { prompts_dir: resolve(dirname(path), prompts_dir) }),
  });
  const check = new Check();
  const baseUrl = options.text('base-url') ?? DEFAULTS.baseUrl;
  const origin = check.of(() => originOf(baseUrl));
  const settings = check.of(() => checkedSettings({ ...givenSettings(options, origin), objective: file.objective }));
  const prices = check.of(() => pricesOf(options, options.text('model') ?? DEFAULTS.model, baseUrl));
  const promptOverrides = check.of(() => promptsOf(withPrompts));
  if (!settings || !prices || !promptOverrides || !origin) throw check.error();
  return { name, settings, options: { prices, promptOverrides, snapshot: snapshotOf(options) } };
}

function optionsOf({ objective }: ExperimentFile, flags: VariantFlags): Options {
  const named = Object.entries(flags).map(([name, value]) => [flagName(name), value]);
  return Options.ofFile('run', objective, Object.fromEntries(named) as Partial<Record<FlagName, unknown>>);
}

/** `max_cost_usd` is `--max-cost-usd`. */
function flagName(name: string): FlagName {
  const flag = name.replaceAll('_', '-');
  if (!Object.hasOwn(FLAGS, flag)) throw new UsageError([`run does not take ${name}: see --help.`]);
  return flag as FlagName;
}

function inVariant<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(error.problems.map((problem) => `variant ${JSON.stringify(name)}: ${problem}`));
  }
}
