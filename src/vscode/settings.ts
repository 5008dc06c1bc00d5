import type { PriceOverride } from '../budget/prices.ts';
import { MAX_USD, MAX_USD_PER_MILLION } from '../budget/money.ts';
import type { LimitName } from '../run/limits.ts';
import type { RawSettings } from '../run/settings.ts';
import { SETTINGS, type SettingName } from './ids.ts';
import { l10n } from './panel-l10n.ts';

/** A setting as `WorkspaceConfiguration.inspect` gives it. */
export interface Inspected {
  readonly defaultValue?: unknown;
  readonly globalValue?: unknown;
  readonly workspaceValue?: unknown;
  readonly workspaceFolderValue?: unknown;
}

export type Inspect = (name: SettingName) => Inspected | undefined;

/** A limit that is set somewhere, and whether the workspace is why it is not higher. */
export interface ConfiguredLimit {
  readonly value: unknown;
  readonly loweredByWorkspace: boolean;
}

/** What the settings say, as far as it may count. Values are unchecked: `checkSettings` judges them with the rest. */
export interface Configured {
  readonly raw: RawSettings;
  readonly limits: Readonly<Partial<Record<LimitName, ConfiguredLimit>>>;
  readonly runsFolder: string;
  readonly promptsFolder: string;
  readonly prices: { readonly overrides: readonly PriceOverride[]; readonly freeOrigins: readonly string[] };
  readonly privateOrigins: readonly string[];
  readonly localOnly: boolean;
  /** What all runs of this machine may spend with one key in a day (UTC), US dollars; null: without end. */
  readonly maxKeyUsdPerDay: number | null;
  /** For so long the window may be blocked before somebody is told. */
  readonly watchdogSeconds: number;
  /** Whom to tell of what, but for what is secret; judged where a run starts. */
  readonly notices: Readonly<Record<'notices' | 'email' | 'pagerdutyUrl', unknown>>;
  /** Where spans of runs go, judged where a run starts; empty: nowhere. */
  readonly otlpEndpoint: string;
  /** All settings with the values that count, for the config snapshot; null where one is not set. */
  readonly snapshot: Readonly<Record<string, unknown>>;
  /** One sentence for each setting that this module reads itself and that is not valid. */
  readonly problems: readonly string[];
}

const LIMIT_SETTINGS = {
  maxIterations: 'max_iterations',
  maxCostUsd: 'max_cost_usd',
  maxRequests: 'max_requests',
  maxTokens: 'max_tokens',
  maxWallTimeMinutes: 'max_wall_time_minutes',
  taskTimeoutSeconds: 'task_timeout_seconds',
} as const satisfies Partial<Record<SettingName, LimitName>>;

/** The setting that holds the usual value of a limit. */
export const SETTING_OF_LIMIT: Readonly<Record<LimitName, SettingName>> = {
  max_iterations: 'maxIterations',
  max_cost_usd: 'maxCostUsd',
  max_requests: 'maxRequests',
  max_tokens: 'maxTokens',
  max_wall_time_minutes: 'maxWallTimeMinutes',
  task_timeout_seconds: 'taskTimeoutSeconds',
};

/** Where requests go, what they cost, and what happens without a person: a workspace has no say in these. */
const USER_ONLY: ReadonlySet<SettingName> = new Set([
  'baseUrl',
  'unattendedReview',
  'prices',
  'freeServers',
  'privateServers',
  'localOnly',
  'maxKeyUsdPerDay',
  'watchdogSeconds',
  'notices',
  'email',
  'pagerdutyUrl',
  'metricsPort',
  'otlpEndpoint',
]);

const WATCHDOG_SECONDS = 60;

/** Reads all settings. Of limits and of the distance between reviews a workspace can only make less, of reviews only more. */
export function readSettings(inspect: Inspect): Configured {
  const problems: string[] = [];
  const values = Object.fromEntries(SETTINGS.map((name) => [name, valueOf(name, inspect(name) ?? {})]));
  const limits: Partial<Record<LimitName, ConfiguredLimit>> = {};
  for (const [name, limit] of Object.entries(LIMIT_SETTINGS) as [keyof typeof LIMIT_SETTINGS, LimitName][]) {
    const inspected = inspect(name) ?? {};
    const value = values[name] ?? undefined;
    if (value !== undefined) limits[limit] = { value, loweredByWorkspace: value !== ownValue(inspected) };
  }
  const { embeddingModel, unattendedReview, otlpEndpoint } = values;
  return {
    raw: {
      initialTask: values['initialTask'],
      strategy: values['strategy'],
      model: values['model'],
      embeddingModel: embeddingModel === '' ? null : embeddingModel,
      baseUrl: values['baseUrl'],
      temperature: values['temperature'],
      seed: values['seed'],
      checkpointEvery: values['checkpointEvery'],
      reviewEvery: values['reviewEvery'],
      reviewEveryUsd: values['reviewEveryUsd'],
      reviewFirstUse: values['reviewFirstUse'],
      unattendedReview: unattendedPolicy(unattendedReview),
      maxNewTasks: values['maxNewTasksPerIteration'],
      recallTokens: values['recallTokens'],
      synthesis: values['synthesis'],
    },
    limits,
    runsFolder: folderOf('runsFolder', inspect, problems) ?? '.babyagi/runs',
    promptsFolder: folderOf('promptsFolder', inspect, problems) ?? '.babyagi/prompts',
    prices: {
      overrides: pricesOf(values['prices'], problems),
      freeOrigins: originsOf('freeServers', values['freeServers'], problems),
    },
    privateOrigins: originsOf('privateServers', values['privateServers'], problems),
    localOnly: values['localOnly'] === true,
    // A limit that cannot be read leaves nothing to spend.
    maxKeyUsdPerDay: numberOf('maxKeyUsdPerDay', values, [0.000001, MAX_USD], problems, 0),
    watchdogSeconds: numberOf('watchdogSeconds', values, [0.5, 86_400], problems, WATCHDOG_SECONDS) ?? WATCHDOG_SECONDS,
    notices: { notices: values['notices'], email: values['email'], pagerdutyUrl: values['pagerdutyUrl'] },
    otlpEndpoint: typeof otlpEndpoint === 'string' ? otlpEndpoint.trim() : '',
    // Who gets mail is nobody's business who reads a published run.
    snapshot: Object.fromEntries(SETTINGS.map((name) => [name, name === 'email' ? null : (values[name] ?? null)])),
    problems,
  };
}

/** Those of the limits that are set somewhere, unchecked. */
export function limitsIn(
  { limits }: Pick<Configured, 'limits'>,
  names: readonly LimitName[],
): Partial<Record<LimitName, unknown>> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = limits[name]?.value;
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function valueOf(name: SettingName, inspected: Inspected): unknown {
  const own = ownValue(inspected);
  if (USER_ONLY.has(name)) return own;
  const workspace = inspected.workspaceFolderValue ?? inspected.workspaceValue;
  if (name in LIMIT_SETTINGS) return lower(own, inspected.workspaceValue, inspected.workspaceFolderValue);
  // 0 means never: the longest distance of all.
  if (name === 'reviewEvery' || name === 'reviewEveryUsd') {
    return lower(own === 0 ? undefined : own, workspace === 0 ? undefined : workspace) ?? own ?? workspace;
  }
  if (name === 'reviewFirstUse' && own === true) return true;
  return workspace ?? own;
}

/** What the user set, or the default. */
export function ownValue({ globalValue, defaultValue }: Inspected): unknown {
  return globalValue ?? defaultValue ?? undefined;
}

/** The first value, or the lowest of the numbers below it among the others. A first value that is not set has no ceiling. */
function lower(own: unknown, ...others: readonly unknown[]): unknown {
  return others.reduce((lowest, other) => {
    if (typeof other !== 'number') return lowest;
    if (lowest === undefined || lowest === null) return other;
    return typeof lowest === 'number' && other < lowest ? other : lowest;
  }, own);
}

/** Relative to the workspace folder and inside it; a user may also name a folder anywhere, a workspace not. */
function folderOf(name: 'runsFolder' | 'promptsFolder', inspect: Inspect, problems: string[]): string | undefined {
  const inspected = inspect(name) ?? {};
  const value = valueOf(name, inspected);
  if (value === undefined || value === '') return undefined;
  const inside = typeof value === 'string' && !isAbsolute(value) && !value.split(/[\\/]/).includes('..');
  if (inside || (typeof value === 'string' && isAbsolute(value) && value === inspected.globalValue)) return value;
  problems.push(
    l10n.t(
      'The setting babyagi.{0} {1} is not valid: give a path inside the workspace folder; an absolute path counts in user settings only.',
      name,
      JSON.stringify(value),
    ),
  );
  return undefined;
}

function isAbsolute(path: string): boolean {
  return /^([\\/]|[A-Za-z]:)/.test(path);
}

function unattendedPolicy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { action, afterMinutes } = value as { action?: unknown; afterMinutes?: unknown };
  return { action: action ?? 'wait', after_minutes: afterMinutes ?? 0 };
}

function pricesOf(value: unknown, problems: string[]): PriceOverride[] {
  if (value === undefined || value === null) return [];
  return Object.entries(value).flatMap(([model, price]: [string, unknown]): PriceOverride[] => {
    const { input, output, cachedInput } = (price ?? {}) as Record<string, unknown>;
    if (isPrice(input) && isPrice(output) && (cachedInput === undefined || isPrice(cachedInput))) {
      return [{ model, input, output, ...(cachedInput !== undefined && { cachedInput }) }];
    }
    problems.push(
      l10n.t(
        'The price of {0} in the setting babyagi.prices is not valid: give "input" and "output" in US dollars per million tokens.',
        JSON.stringify(model),
      ),
    );
    return [];
  });
}

/** Null where it is not set, `invalid` where it is no such number. */
function numberOf(
  name: 'maxKeyUsdPerDay' | 'watchdogSeconds',
  values: Readonly<Record<string, unknown>>,
  [least, most]: readonly [number, number],
  problems: string[],
  invalid: number,
): number | null {
  const value = values[name] ?? null;
  if (value === null || (typeof value === 'number' && value >= least && value <= most)) return value;
  problems.push(
    l10n.t(
      'The setting babyagi.{0} {1} is not valid: give a number from {2} to {3}.',
      name,
      JSON.stringify(value),
      least,
      most,
    ),
  );
  return invalid;
}

function isPrice(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_USD_PER_MILLION;
}

function originsOf(name: 'freeServers' | 'privateServers', value: unknown, problems: string[]): string[] {
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? (value as unknown[]) : [value]).flatMap((entry) => {
    if (typeof entry === 'string' && URL.canParse(entry) && new URL(entry).origin !== 'null')
      return [new URL(entry).origin];
    problems.push(
      l10n.t(
        '{0} in the setting babyagi.{1} is not valid: give an address such as http://192.168.1.20:8000.',
        JSON.stringify(entry),
        name,
      ),
    );
    return [];
  });
}
