import { type Parent, promptsOfRun, settingsOfRun } from '../engine/fork.ts';
import type { StartOptions } from '../engine/host.ts';
import type { RunSettings } from '../run/settings.ts';
import { Check, checkedSettings, givenSettings, originOf, pricesOf, promptsOf } from './configuration.ts';
import { type Options, UsageError } from './options.ts';

type ForkOptions = Pick<StartOptions, 'prices' | 'promptOverrides'> & {
  readonly provider: 'openai' | 'rehearsal';
  readonly settings: RunSettings;
  readonly iteration: number;
};

/** What a fork is to be: as the other run was, but for what was given, and for the limits, which are given anew. Throws UsageError. */
export function forkOptionsOf(options: Options, parent: Parent): ForkOptions {
  const check = new Check();
  const provider = check.of(() => providerOf(options, parent));
  const iteration = check.of(() => iterationOf(options));
  const settings = check.of(() => settingsOf(options, parent));
  const prices = check.of(() => forkPrices(options, parent, settings));
  const promptOverrides = check.of(() => prompts(options, parent, settings));
  if (!provider || iteration === undefined || !settings || !prices || !promptOverrides) throw check.error();
  return { provider, iteration, settings, prices, promptOverrides };
}

function providerOf(options: Options, { config }: Parent): 'openai' | 'rehearsal' {
  const { provider } = config.model;
  const isNamed = options.text('model') !== undefined;
  if (provider === 'vscode-lm' && !isNamed)
    throw new UsageError([
      'The run asked a language model of VS Code, which is not here: name another one with --model.',
    ]);
  return provider === 'rehearsal' && !isNamed ? 'rehearsal' : 'openai';
}

function iterationOf(options: Options): number {
  const value = options.number('from-iteration');
  if (value === undefined)
    throw new UsageError(['fork needs --from-iteration: the last iteration that the new run takes over.']);
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1) return value;
  throw new UsageError([`--from-iteration ${JSON.stringify(value)} is not valid: give a whole number from 1.`]);
}

function settingsOf(options: Options, parent: Parent): RunSettings {
  const { sleepSeconds, embeddingDimensions, ...same } = settingsOfRun(parent);
  const baseUrl = options.text('base-url');
  const { initialTask: _, ...given } = givenSettings(options, baseUrl === undefined ? undefined : originOf(baseUrl));
  const { config } = parent;
  return checkedSettings({
    ...same,
    // Each strategy and each model has a usual one of its own.
    ...(given.strategy === undefined || given.strategy === config.strategy ? { sleepSeconds } : {}),
    ...(given.embeddingModel === undefined || given.embeddingModel === config.embedding?.model
      ? { embeddingDimensions }
      : {}),
    ...given,
  });
}

/** As they are given; else what a person said of the other run, where it goes on with the same model. */
function forkPrices(options: Options, { config }: Parent, settings: RunSettings | undefined): StartOptions['prices'] {
  const { model, prices } = config;
  const baseUrl = settings?.baseUrl ?? model.base_url;
  const given = pricesOf(options, settings?.model ?? model.requested, baseUrl);
  const isSame = settings?.model === model.requested && settings.baseUrl === model.base_url;
  if (given.overrides.length > 0 || given.freeOrigins.length > 0 || !isSame) return given;
  const { chat } = prices;
  const { input_usd_per_million: input, output_usd_per_million: output } = chat;
  return {
    overrides: chat.source === 'user' ? [model.requested, '*'].map((name) => ({ model: name, input, output })) : [],
    freeOrigins: chat.source === 'declared_free' ? [new URL(model.base_url).origin] : [],
  };
}

/** Those of a folder that is named; else the other run's. */
function prompts(options: Options, parent: Parent, settings: RunSettings | undefined): StartOptions['promptOverrides'] {
  if (options.text('prompts-dir') !== undefined || settings === undefined) return promptsOf(options);
  return promptsOfRun(parent, settings.strategy);
}
