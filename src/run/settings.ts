import { MAX_USD } from '../budget/money.ts';
import { type Check, listOf, number, oneOf, text, webAddress, whole, yesOrNo } from './checks.ts';
import type { UnattendedReview } from './config.ts';
import { STRATEGIES, UNATTENDED_ACTIONS } from './format.ts';
import { DEFAULT_LIMITS, LIMIT_WORDS, type LimitName, type Limits, limitProblem, quoted } from './limits.ts';

/** What a person chooses before a run starts. Both front ends build this; nothing starts from anything else. */
export interface RunSettings {
  readonly objective: string;
  readonly acceptanceCriteria: readonly string[];
  readonly initialTask: string;
  readonly strategy: (typeof STRATEGIES)[number];
  readonly model: string;
  readonly embeddingModel: string | null;
  readonly embeddingDimensions: number | null;
  readonly baseUrl: string;
  readonly temperature: number;
  readonly seed: number;
  readonly limits: Limits;
  readonly checkpointEvery: number;
  readonly reviewEvery: number;
  readonly reviewEveryUsd: number;
  readonly reviewFirstUse: boolean;
  readonly unattendedReview: UnattendedReview;
  readonly maxNewTasks: number;
  readonly recallTokens: number;
  readonly sleepSeconds: number;
  readonly synthesis: boolean;
}

export const DEFAULTS = {
  initialTask: 'Develop a task list',
  model: 'gpt-4.1-mini-2025-04-14',
  embeddingModel: 'text-embedding-3-small',
  baseUrl: 'https://api.openai.com/v1',
  temperature: 0,
  seed: 42,
  checkpointEvery: 5,
  maxNewTasks: 3,
  recallTokens: 100,
} as const;

const MAX_OBJECTIVE = 8000;

/** Raw values as typed or configured; anything may be missing or wrong. */
export type RawSettings = { readonly [Key in Exclude<keyof RunSettings, 'limits'>]?: unknown } & {
  readonly [Key in LimitName]?: unknown;
};

/** The settings, or one sentence for each problem, in the order a person would fix them. */
export function checkSettings(raw: RawSettings): { settings: RunSettings } | { problems: string[] } {
  const problems: string[] = [];
  const read = <T>(
    name: string,
    check: Check<T>,
    value: unknown,
    fallback: T | undefined,
    words: string,
  ): T | undefined => {
    if (value === undefined || value === null || value === '') {
      if (fallback === undefined) problems.push(`The ${name} is missing: give ${words}.`);
      return fallback;
    }
    const checked = check(value);
    if (checked !== undefined) return checked;
    problems.push(`The ${name} ${quoted(value)} is not valid: give ${words}.`);
    return undefined;
  };

  const objective = read(
    'objective',
    text(MAX_OBJECTIVE),
    typeof raw.objective === 'string' ? raw.objective.trim() : raw.objective,
    undefined,
    `a text of 1 to ${MAX_OBJECTIVE} characters`,
  );
  const limits: Partial<Record<LimitName, number>> = {};
  for (const name of Object.keys(LIMIT_WORDS) as LimitName[]) {
    const value =
      (raw[name] === '' ? undefined : raw[name]) ??
      (name in DEFAULT_LIMITS ? DEFAULT_LIMITS[name as keyof typeof DEFAULT_LIMITS] : undefined);
    const problem = limitProblem(name, value);
    if (problem !== null) problems.push(problem);
    else if (typeof value === 'number') limits[name] = value;
  }
  const strategy = read('strategy', oneOf(STRATEGIES), raw.strategy, 'guarded', STRATEGIES.join(' or '));
  const settings = {
    acceptanceCriteria: read(
      'list of acceptance criteria',
      listOf(text(1000), 50),
      raw.acceptanceCriteria,
      [],
      'at most 50 sentences',
    ),
    initialTask: read(
      'first task',
      text(4000),
      raw.initialTask,
      DEFAULTS.initialTask,
      'a text of 1 to 4000 characters',
    ),
    model: read('model', text(200), raw.model, DEFAULTS.model, 'the name of a model'),
    embeddingModel:
      raw.embeddingModel === null
        ? null
        : read(
            'embedding model',
            text(200),
            raw.embeddingModel,
            DEFAULTS.embeddingModel,
            'the name of an embedding model, or "none"',
          ),
    embeddingDimensions:
      raw.embeddingDimensions === undefined || raw.embeddingDimensions === null
        ? null
        : read(
            'number of embedding dimensions',
            whole(1, 16_384),
            raw.embeddingDimensions,
            undefined,
            'a whole number from 1 to 16384',
          ),
    baseUrl: read(
      'base URL',
      webAddress,
      raw.baseUrl,
      DEFAULTS.baseUrl,
      'an http or https address such as https://api.openai.com/v1',
    ),
    temperature: read('temperature', number(0, 2), raw.temperature, DEFAULTS.temperature, 'a number from 0 to 2'),
    seed: read('seed', whole(), raw.seed, DEFAULTS.seed, 'a whole number'),
    checkpointEvery: read(
      'checkpoint interval',
      whole(1),
      raw.checkpointEvery,
      DEFAULTS.checkpointEvery,
      'a whole number of iterations from 1',
    ),
    reviewEvery: read(
      'review interval',
      whole(0),
      raw.reviewEvery,
      0,
      'a whole number of iterations, 0 for no reviews',
    ),
    reviewEveryUsd: read(
      'review step of the cost',
      number(0, MAX_USD),
      raw.reviewEveryUsd,
      0,
      `an amount in US dollars up to ${MAX_USD}, 0 for no reviews for the cost`,
    ),
    reviewFirstUse: read(
      'switch for a review of the first use of a tool',
      yesOrNo,
      raw.reviewFirstUse,
      false,
      'true or false',
    ),
    unattendedReview: read(
      'policy for unattended reviews',
      reviewPolicy,
      raw.unattendedReview,
      { action: 'wait', after_minutes: 0 },
      'wait, continue or stop, and minutes',
    ),
    maxNewTasks: read(
      'limit of new tasks per iteration',
      whole(1, 50),
      raw.maxNewTasks,
      DEFAULTS.maxNewTasks,
      'a whole number from 1 to 50',
    ),
    recallTokens: read(
      'recall budget',
      whole(0, 100_000),
      raw.recallTokens,
      DEFAULTS.recallTokens,
      'a whole number of tokens from 0 to 100000',
    ),
    // The original sleeps five seconds after each cycle.
    sleepSeconds: read(
      'sleep interval',
      number(0, 86_400),
      raw.sleepSeconds,
      strategy === 'classic' ? 5 : 0,
      'seconds from 0 to 86400',
    ),
    synthesis: read('synthesis switch', yesOrNo, raw.synthesis, true, 'true or false'),
  };
  if (problems.length > 0) return { problems };
  return { settings: { objective, strategy, limits, ...settings } as RunSettings };
}

const reviewPolicy: Check<UnattendedReview> = (value) => {
  const { action, after_minutes } = { ...(value as Partial<Record<keyof UnattendedReview, unknown>>) };
  const checked = oneOf(UNATTENDED_ACTIONS)(action);
  const minutes = number(0, Number.MAX_VALUE)(after_minutes);
  return checked === undefined || minutes === undefined ? undefined : { action: checked, after_minutes: minutes };
};
