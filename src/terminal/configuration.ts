import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { MAX_USD, MAX_USD_PER_MILLION } from '../budget/money.ts';
import { variableSnapshot } from '../research/environment.ts';
import type { LimitName } from '../run/limits.ts';
import { checkSettings, type RawSettings, type RunSettings } from '../run/settings.ts';
import { KeyError, OriginError, parseApiKey, parseOrigin } from '../safety/origin.ts';
import { type Collector, CollectorError, collectorOf, secretsIn } from '../telemetry/collector.ts';
import { noticesOf, SECRET_VARIABLES } from './notices.ts';
import { type FlagName, FLAGS, type Options, UsageError } from './options.ts';

/** What a command line and its variables mean. Everything here throws UsageError for what cannot be used. */

const REHEARSAL_LIMITS = { max_iterations: 10, max_cost_usd: 1 } as const;

/** Collects what is wrong in independent parts of the configuration. */
export class Check {
  private readonly problems: string[] = [];

  get failed(): boolean {
    return this.problems.length > 0;
  }

  /** What the work gives; undefined where it throws UsageError, whose problems are kept. */
  of<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      this.problems.push(...error.problems);
      return undefined;
    }
  }

  error(): UsageError {
    return new UsageError(this.problems);
  }
}

/**
 * `origin`: that of the server, undefined where there is none: what is wrong with its address is said already, and not
 * once more here.
 */
export function settingsOf(
  options: Options,
  provider: 'openai' | 'rehearsal',
  origin: string | undefined,
): RunSettings {
  const objective =
    options.operands.length > 0
      ? options.operands.join(' ')
      : options.variables['BABYAGI_OBJECTIVE'] || options.variables['OBJECTIVE'];
  return checkedSettings({
    ...(provider === 'rehearsal' ? REHEARSAL_LIMITS : {}),
    ...givenSettings(options, origin),
    objective,
  });
}

/** Throws UsageError. */
export function checkedSettings(raw: RawSettings): RunSettings {
  const checked = checkSettings(raw);
  if ('problems' in checked) throw new UsageError(checked.problems);
  return checked.settings;
}

/** What the options say of a run, but for its objective; what they do not say is not there. */
export function givenSettings(options: Options, origin: string | undefined): RawSettings {
  const embedding = options.text('embedding-model');
  const criteria = options.texts('accept');
  const settings: RawSettings = {
    acceptanceCriteria: criteria.length === 0 ? undefined : criteria,
    initialTask: options.text('first-task'),
    strategy: options.text('strategy'),
    model: options.text('model'),
    embeddingModel: embedding === 'none' ? null : embedding,
    baseUrl: origin === undefined ? undefined : options.text('base-url'),
    temperature: options.number('temperature'),
    seed: options.number('seed'),
    max_iterations: options.number('max-iterations'),
    max_cost_usd: options.number('max-cost-usd'),
    max_requests: options.number('max-requests'),
    max_tokens: options.number('max-tokens'),
    max_wall_time_minutes: options.number('max-wall-time'),
    task_timeout_seconds: options.number('task-timeout'),
    checkpointEvery: options.number('checkpoint-every'),
    reviewEvery: options.number('review-every'),
    reviewEveryUsd: options.number('review-every-usd'),
    reviewFirstUse: options.given('review-first-use'),
    sleepSeconds: options.number('sleep-interval'),
    synthesis: options.given('no-answer') === undefined ? undefined : !options.isSet('no-answer'),
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

export function pricesOf(options: Options, model: string, baseUrl: string) {
  const check = new Check();
  const input = check.of(() => numberFrom(options, 'price-input', 0, MAX_USD_PER_MILLION));
  const output = check.of(() => numberFrom(options, 'price-output', 0, MAX_USD_PER_MILLION));
  if (check.failed) throw check.error();
  const free = options.isSet('free-server') && URL.canParse(baseUrl) ? [new URL(baseUrl).origin] : [];
  if (input === undefined && output === undefined) return { overrides: [], freeOrigins: free };
  if (input === undefined || output === undefined) {
    throw new UsageError([
      '--price-input and --price-output belong together: give both in US dollars per million tokens.',
    ]);
  }
  // An embedding model that has no list price is booked at the same prompt price.
  return { overrides: [model, '*'].map((name) => ({ model: name, input, output })), freeOrigins: free };
}

/** What of a host the options may get wrong. */
export function hostPartsOf(options: Options) {
  const check = new Check();
  const notices = check.of(() => noticesOf(options));
  const perDay = check.of(() => numberFrom(options, 'max-key-usd-per-day', 0.000001, MAX_USD));
  const watchdogSeconds = check.of(() => numberFrom(options, 'watchdog-interval', 0.5, 86_400) ?? 60);
  const metricsPort = check.of(() => portOf(options));
  const collector = check.of(() => collectorFor(options));
  if (notices === undefined || watchdogSeconds === undefined || check.failed) throw check.error();
  return { notices, perDay, watchdogSeconds, metricsPort, collector };
}

const HEADERS_VARIABLE = 'BABYAGI_OTLP_HEADERS';

/** The addresses at a terminal are given by its person, so they may be on their own network. */
function collectorFor(options: Options): Collector | undefined {
  const endpoint = options.text('otlp-endpoint');
  if (endpoint === undefined) return undefined;
  try {
    return collectorOf(endpoint, options.variables[HEADERS_VARIABLE] ?? null, true);
  } catch (error) {
    if (!(error instanceof CollectorError)) throw error;
    throw new UsageError([`${error.reason === 'endpoint' ? '--otlp-endpoint' : HEADERS_VARIABLE}: ${error.message}`]);
  }
}

/** All secrets that variables hold, as they were given, each with the rule by which it is replaced in all that is written. */
export function secretsOf(variables: Options['variables']): [secret: string, rule: string][] {
  return [
    ...([['OPENAI_API_KEY', 'api_key'], ...SECRET_VARIABLES] as const).map(([variable, rule]): [string, string] => [
      variables[variable] ?? '',
      rule,
    ]),
    ...secretsIn(variables[HEADERS_VARIABLE] ?? '').map((secret): [string, string] => [secret, 'otlp_headers']),
  ];
}

function numberFrom(options: Options, name: FlagName, least: number, most: number): number | undefined {
  const value = options.number(name);
  if (value === undefined || (typeof value === 'number' && value >= least && value <= most)) return value;
  throw new UsageError([`--${name} ${JSON.stringify(value)} is not valid: give a number from ${least} to ${most}.`]);
}

function portOf(options: Options): number | undefined {
  const port = numberFrom(options, 'metrics-port', 1, 65_535);
  if (port === undefined || Number.isInteger(port)) return port;
  throw new UsageError([`--metrics-port ${port} is not valid: give a whole number.`]);
}

/** Where this machine keeps what all runs share, outside of every workspace (XDG Base Directory Specification). */
export function stateDirectory({ variables }: Options): string {
  const { XDG_STATE_HOME, LOCALAPPDATA } = variables;
  if (process.platform === 'win32' && LOCALAPPDATA) return join(LOCALAPPDATA, 'babyagi');
  return join(
    XDG_STATE_HOME && isAbsolute(XDG_STATE_HOME) ? XDG_STATE_HOME : join(homedir(), '.local', 'state'),
    'babyagi',
  );
}

export function keyOf(options: Options): string | null {
  const text = options.variables['OPENAI_API_KEY'];
  if (text === undefined || text.trim() === '') return null;
  try {
    return parseApiKey(text);
  } catch (error) {
    if (error instanceof KeyError) throw new UsageError([`OPENAI_API_KEY cannot be used: ${error.message}`]);
    throw error;
  }
}

export function originOf(baseUrl: string): string {
  try {
    return parseOrigin(baseUrl, { allowPrivate: true }).text;
  } catch (error) {
    if (error instanceof OriginError) throw new UsageError([`The base URL cannot be used: ${error.message}`]);
    throw error;
  }
}

/** `<agent>.md` files that replace built-in prompts. Only the usual folder may be missing. */
export function promptsOf(options: Options): Map<string, { text: string; file: string }> {
  const named = options.text('prompts-dir');
  const directory = resolve(named ?? '.babyagi/prompts');
  try {
    if (named === undefined && !existsSync(directory)) return new Map();
    const names = readdirSync(directory).filter((name) => /\.md$/i.test(name));
    return new Map(
      names.map((name) => [basename(name, '.md'), { text: readFileSync(join(directory, name), 'utf8'), file: name }]),
    );
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new UsageError([
      `The prompt files in ${directory} cannot be read (${code}): mend it, or name another --prompts-dir.`,
    ]);
  }
}

/** Every flag that was given, as flag or as variable, and the variables. */
export function snapshotOf(options: Options): Record<string, unknown> {
  const given = (Object.keys(FLAGS) as FlagName[]).flatMap((name) => {
    const value = options.given(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { flags: Object.fromEntries(given), variables: variableSnapshot(options.variables) };
}

export function folderOperand(options: Options, what = 'run folder'): string {
  const [folder] = options.operands;
  if (folder === undefined || options.operands.length > 1)
    throw new UsageError([`${options.command} takes one ${what}.`]);
  return resolve(folder);
}

/** By how much `resume` is to raise limits. */
export function addedLimitsOf(options: Options): Partial<Record<LimitName, number>> {
  const check = new Check();
  const add: Partial<Record<LimitName, number>> = {};
  for (const [flag, limit] of [
    ['add-iterations', 'max_iterations'],
    ['add-cost-usd', 'max_cost_usd'],
    ['add-requests', 'max_requests'],
    ['add-tokens', 'max_tokens'],
    ['add-minutes', 'max_wall_time_minutes'],
  ] as const) {
    check.of(() => {
      const value = options.number(flag);
      if (value === undefined) return;
      if (typeof value !== 'number' || value <= 0)
        throw new UsageError([`--${flag} ${JSON.stringify(value)} is not valid: give a number above 0.`]);
      add[limit] = value;
    });
  }
  if (check.failed) throw check.error();
  return add;
}
