import { dirname, resolve } from 'node:path';
import { readExperimentText, secretPlaces, variantConfigs, type VariantStart } from '../research/create-experiment.ts';
import {
  checkExperimentFile,
  type ExperimentFile,
  flagsOf,
  type VariantFlags,
  type VariantSettings,
} from '../research/experiment-file.ts';
import type { Experiment } from '../research/experiment.ts';
import type { ExperimentRecord } from '../research/experiment-folder.ts';
import { nowhere } from '../engine/snapshot.ts';
import { configProblems, variantProblems } from '../research/verify-experiment.ts';
import { systemClock } from '../run/clock.ts';
import { LIMIT_WORDS, type LimitName, type Limits, quoted } from '../run/limits.ts';
import { checkSettings, DEFAULTS, type RawSettings } from '../run/settings.ts';
import { nodeDisk } from '../runlog/disk.ts';
import type { Redactor } from '../safety/redaction.ts';
import { isBelow, leadsWhereItSays } from '../tools/inside.ts';
import { l10n } from './panel-l10n.ts';
import { pricesFor } from './prices-for.ts';
import { originOf, promptFiles, ServerRefused, snapshotOf } from './run-world.ts';
import { type Configured, limitsIn, SETTING_OF_LIMIT } from './settings.ts';

/** Where an experiment file is, and what of this window counts for it. Absolute paths. */
export interface ExperimentPlace {
  readonly path: string;
  readonly configured: Configured;
  readonly workspace: string;
  readonly promptsDirectory: string;
  readonly redactor: Redactor;
}

/** An experiment that can be started. */
export interface CheckedExperiment {
  readonly text: Buffer;
  readonly file: ExperimentFile;
  readonly provider: ExperimentRecord['provider'];
  readonly baseUrl: string;
  readonly starts: readonly VariantStart[];
  readonly configs: ExperimentRecord['variants'];
}

/** The server that the settings name. */
export function serverOf({ raw }: Configured): string {
  return typeof raw.baseUrl === 'string' && raw.baseUrl !== '' ? raw.baseUrl : DEFAULTS.baseUrl;
}

/**
 * All that a file means here, or one sentence for each problem in it, with its place. The file may come with a repository: where
 * requests go and what they cost is not for it to say, and of the limits it can only make less.
 */
export async function checkExperiment(
  place: ExperimentPlace,
  rehearses: boolean,
): Promise<{ checked: CheckedExperiment } | { problems: string[] }> {
  const { configured, redactor } = place;
  const text = await readExperimentText(place.path);
  const parsed = checkExperimentFile(text.toString('utf8'), l10n.t);
  const file = 'file' in parsed ? parsed.file : parsed.partial;
  const problems = 'problems' in parsed ? [...parsed.problems] : [];
  if (file === null) return { problems };
  problems.push(
    ...secretPlaces(file, redactor).map((at) =>
      l10n.t('{0} holds a secret, and an experiment file is published: take it out.', at),
    ),
    ...configured.problems,
  );
  const provider = rehearses ? 'rehearsal' : (file.provider ?? 'openai');
  const found: (readonly [variant: string, problem: string])[] = [];
  const starts: VariantStart[] = [];
  for (const { name, settings } of file.variants) {
    const start = await variantStart(file, name, settings, place, provider);
    if ('problems' in start) found.push(...start.problems.map((problem) => [name, problem] as const));
    else starts.push(start);
  }
  problems.push(...together(found, file.variants.length));
  if (provider === 'openai') problems.push(...serverProblems(configured));
  if (problems.length > 0 || !('file' in parsed)) return { problems };
  const host = { clock: systemClock, redactor, environment: nowhere };
  const configs = await variantConfigs(starts, provider, host, l10n.t);
  if ('problems' in configs) return configs;
  return {
    checked: { text, file: parsed.file, provider, baseUrl: serverOf(configured), starts, configs: configs.configs },
  };
}

/** Why an experiment that is there may not be worked on here: one sentence for each reason. */
export function resumeProblems(experiment: Experiment, configured: Configured): string[] {
  const otherwise = folderProblems(experiment).map((problem) =>
    l10n.t('Its folder is not as an experiment leaves it: {0}', problem),
  );
  return [...otherwise, ...settingsProblems(experiment.record, configured)];
}

/** A folder may come from anywhere: what goes on in it is what its record says, and a person agreed to. */
function folderProblems(experiment: Experiment): string[] {
  const trials = experiment.trials.filter(({ progress }) => progress.state !== 'ended' || !progress.isResult);
  const raised = trials.flatMap(({ variant, claim, progress }) => {
    const most = experiment.record.variants.find(({ name }) => name === variant)?.config.limits.max_cost_usd ?? 0;
    const may = Math.max(claim?.max_cost_usd ?? 0, 'run' in progress ? progress.run.limits.max_cost_usd : 0);
    return may > most ? [`runs/${claim?.run ?? ''} may cost more than ${variant} says.`] : [];
  });
  return [...variantProblems(experiment), ...configProblems({ ...experiment, trials }), ...raised];
}

function settingsProblems({ provider, variants }: ExperimentRecord, configured: Configured): string[] {
  const found = variants.flatMap(({ name, config }) => [
    ...aboveSettings(config.limits, configured).map(([, problem]) => [name, problem] as const),
    ...(provider === 'rehearsal' || isSameServer(config.model.base_url, configured)
      ? []
      : [[name, otherServer(config.model.base_url, configured)] as const]),
  ]);
  return [...together(found, variants.length), ...(provider === 'openai' ? serverProblems(configured) : [])];
}

async function variantStart(
  file: ExperimentFile,
  name: string,
  own: VariantSettings,
  place: ExperimentPlace,
  provider: ExperimentRecord['provider'],
): Promise<VariantStart | { problems: string[] }> {
  const { configured } = place;
  const flags = flagsOf(file, own);
  const checked = checkSettings(rawOf(file, flags, configured), l10n.t);
  const problems = 'problems' in checked ? [...checked.problems] : [];
  if ('settings' in checked) {
    problems.push(
      ...aboveSettings(checked.settings.limits, configured).map(
        ([limit, problem]) => `${placeOf(file, own, FLAG_OF_LIMIT[limit])}: ${problem}`,
      ),
    );
  }
  if (provider !== 'rehearsal') problems.push(...moneyProblems(file, own, flags, configured));
  const prompts = await promptsOf(flags, place);
  if (typeof prompts === 'string') problems.push(`${placeOf(file, own, 'prompts_dir')}: ${prompts}`);
  if (problems.length > 0 || !('settings' in checked) || typeof prompts === 'string') return { problems };
  return {
    name,
    settings: checked.settings,
    options: {
      prices: pricesFor(provider, configured),
      promptOverrides: prompts,
      snapshot: { ...snapshotOf(configured), flags },
    },
  };
}

/** What the file does not say is as it is in the terminal, but for the server and its models, and limits that are set. */
function rawOf({ objective }: ExperimentFile, flags: VariantFlags, configured: Configured): RawSettings {
  const { embedding_model: embedding, no_answer: noAnswer } = flags;
  const given: RawSettings = {
    objective,
    acceptanceCriteria: flags.accept,
    initialTask: flags.first_task,
    strategy: flags.strategy,
    model: flags.model,
    embeddingModel: embedding === 'none' ? null : embedding,
    temperature: flags.temperature,
    seed: flags.seed,
    max_iterations: flags.max_iterations,
    max_cost_usd: flags.max_cost_usd,
    max_requests: flags.max_requests,
    max_tokens: flags.max_tokens,
    max_wall_time_minutes: flags.max_wall_time,
    task_timeout_seconds: flags.task_timeout,
    checkpointEvery: flags.checkpoint_every,
    sleepSeconds: flags.sleep_interval,
    synthesis: noAnswer === undefined ? undefined : !noAnswer,
  };
  const { model, embeddingModel } = configured.raw;
  return {
    ...limitsIn(configured, ['max_requests', 'max_tokens', 'max_wall_time_minutes', 'task_timeout_seconds']),
    model,
    embeddingModel,
    baseUrl: serverOf(configured),
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
}

/** As a file names the limits. */
const FLAG_OF_LIMIT = {
  max_iterations: 'max_iterations',
  max_cost_usd: 'max_cost_usd',
  max_requests: 'max_requests',
  max_tokens: 'max_tokens',
  max_wall_time_minutes: 'max_wall_time',
  task_timeout_seconds: 'task_timeout',
} as const satisfies Record<LimitName, keyof VariantSettings>;

function aboveSettings(limits: Limits, configured: Pick<Configured, 'limits'>): [LimitName, string][] {
  return (Object.keys(FLAG_OF_LIMIT) as LimitName[]).flatMap((limit): [LimitName, string][] => {
    const [value, most] = [limits[limit], configured.limits[limit]?.value];
    if (typeof most !== 'number' || (value !== undefined && value <= most)) return [];
    const name = l10n.known(LIMIT_WORDS[limit].name);
    const setting = SETTING_OF_LIMIT[limit];
    return [
      [
        limit,
        value === undefined
          ? l10n.t(
              'there is no {0}, and the setting babyagi.{1} is {2}: clear the setting, or run the file anew.',
              name,
              setting,
              most,
            )
          : l10n.t(
              'the {0} {1} is above the setting babyagi.{2}, which is {3}: lower it, or raise the setting.',
              name,
              value,
              setting,
              most,
            ),
      ],
    ];
  });
}

/** Where requests go and what they cost is set for the machine. */
function moneyProblems(
  file: ExperimentFile,
  own: VariantSettings,
  flags: VariantFlags,
  configured: Configured,
): string[] {
  const { base_url: baseUrl, price_input: input, price_output: output, free_server: free } = flags;
  const { overrides, freeOrigins } = configured.prices;
  const server = serverOf(configured);
  const problems: string[] = [];
  if (baseUrl !== undefined && !isSameServer(baseUrl, configured))
    problems.push(`${placeOf(file, own, 'base_url')}: ${otherServer(baseUrl, configured)}`);
  const isSet = (model: string) =>
    overrides.some((price) => price.model === model && price.input === input && price.output === output);
  if ((input !== undefined || output !== undefined) && !isSet(flags.model ?? '') && !isSet('*'))
    problems.push(
      `${placeOf(file, own, input === undefined ? 'price_output' : 'price_input')}: ${l10n.t('in VS Code prices are those of the setting babyagi.prices: set the same there, or take it out.')}`,
    );
  if (free === true && !(URL.canParse(server) && freeOrigins.includes(new URL(server).origin)))
    problems.push(
      `${placeOf(file, own, 'free_server')}: ${l10n.t('in VS Code servers that cost nothing are those of the setting babyagi.freeServers: name it there, or take it out.')}`,
    );
  return problems;
}

function isSameServer(baseUrl: string, configured: Configured): boolean {
  const plain = (url: string) => (URL.canParse(url) ? new URL(url).href.replace(/\/+$/, '') : url);
  return plain(baseUrl) === plain(serverOf(configured));
}

function otherServer(baseUrl: string, configured: Configured): string {
  return l10n.t(
    'requests would go to {0}, and the setting babyagi.baseUrl names {1}: only that server is asked.',
    quoted(baseUrl),
    serverOf(configured),
  );
}

function serverProblems(configured: Configured): string[] {
  try {
    originOf(serverOf(configured), configured);
    return [];
  } catch (error) {
    if (error instanceof ServerRefused) return [error.message];
    throw error;
  }
}

/** The prompt files of a variant, or why they cannot be used. A folder that the file names must be there. */
async function promptsOf(
  { prompts_dir: named }: VariantFlags,
  { path, workspace, promptsDirectory }: ExperimentPlace,
): Promise<ReadonlyMap<string, { text: string; file: string }> | string> {
  const directory = named === undefined ? promptsDirectory : resolve(dirname(path), named);
  const isInside = named === undefined || isBelow(workspace, directory);
  if (!isInside || !(await leadsWhereItSays(workspace, directory)))
    return l10n.t('{0} is not in the workspace folder: prompts of an experiment are.', quoted(named ?? directory));
  const isThere = await nodeDisk.list(directory).then(
    () => true,
    () => false,
  );
  if (named !== undefined && !isThere) return l10n.t('the folder {0} cannot be read.', quoted(named));
  return promptFiles(directory);
}

/** Where in the file a setting of a variant stands, which need not be said twice with the name of each variant. */
function placeOf({ common }: ExperimentFile, own: VariantSettings, name: keyof VariantSettings): string {
  if (own[name] !== undefined) return name;
  return common?.[name] === undefined ? `limits.${name}` : `common.${name}`;
}

/** What is wrong with all variants is said once. */
function together(found: readonly (readonly [variant: string, problem: string])[], variants: number): string[] {
  const named = new Map<string, string[]>();
  for (const [variant, problem] of found) named.set(problem, [...(named.get(problem) ?? []), variant]);
  return [...named].flatMap(([problem, names]) =>
    names.length === variants ? [problem] : names.map((name) => l10n.t('variant {0}: {1}', quoted(name), problem)),
  );
}
