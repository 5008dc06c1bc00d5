import { MAX_USD } from '../budget/money.ts';
import { type Check, listOf, number, oneOf, text, webAddress, whole, yesOrNo } from './checks.ts';
import type { UnattendedReview } from './config.ts';
import { STRATEGIES, UNATTENDED_ACTIONS } from './format.ts';
import { DEFAULT_LIMITS, LIMIT_WORDS, type LimitName, type Limits, limitProblem, quoted } from './limits.ts';
import { inEnglish, type Translate } from './translate.ts';

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
export function checkSettings(
  raw: RawSettings,
  translated: Translate = inEnglish,
): { settings: RunSettings } | { problems: string[] } {
  const problems: string[] = [];
  const read = <T>(
    name: string,
    check: Check<T>,
    value: unknown,
    fallback: T | undefined,
    words: string,
  ): T | undefined => {
    if (value === undefined || value === null || value === '') {
      if (fallback === undefined) problems.push(translated('The {0} is missing: give {1}.', name, words));
      return fallback;
    }
    const checked = check(value);
    if (checked !== undefined) return checked;
    problems.push(translated('The {0} {1} is not valid: give {2}.', name, quoted(value), words));
    return undefined;
  };

  const objective = read(
    translated('objective'),
    text(MAX_OBJECTIVE),
    typeof raw.objective === 'string' ? raw.objective.trim() : raw.objective,
    undefined,
    translated('a text of 1 to {0} characters', MAX_OBJECTIVE),
  );
  const limits: Partial<Record<LimitName, number>> = {};
  for (const name of Object.keys(LIMIT_WORDS) as LimitName[]) {
    const value =
      (raw[name] === '' ? undefined : raw[name]) ??
      (name in DEFAULT_LIMITS ? DEFAULT_LIMITS[name as keyof typeof DEFAULT_LIMITS] : undefined);
    const problem = limitProblem(name, value, translated);
    if (problem !== null) problems.push(problem);
    else if (typeof value === 'number') limits[name] = value;
  }
  const strategy = read(
    translated('strategy'),
    oneOf(STRATEGIES),
    raw.strategy,
    'guarded',
    translated('{0} or {1}', ...STRATEGIES),
  );
  const settings = {
    acceptanceCriteria: read(
      translated('list of acceptance criteria'),
      listOf(text(1000), 50),
      raw.acceptanceCriteria,
      [],
      translated('at most 50 sentences'),
    ),
    initialTask: read(
      translated('first task'),
      text(4000),
      raw.initialTask,
      DEFAULTS.initialTask,
      translated('a text of 1 to {0} characters', 4000),
    ),
    model: read(translated('model'), text(200), raw.model, DEFAULTS.model, translated('the name of a model')),
    embeddingModel:
      raw.embeddingModel === null
        ? null
        : read(
            translated('embedding model'),
            text(200),
            raw.embeddingModel,
            DEFAULTS.embeddingModel,
            translated('the name of an embedding model, or "none"'),
          ),
    embeddingDimensions:
      raw.embeddingDimensions === undefined || raw.embeddingDimensions === null
        ? null
        : read(
            translated('number of embedding dimensions'),
            whole(1, 16_384),
            raw.embeddingDimensions,
            undefined,
            translated('a whole number from 1 to 16384'),
          ),
    baseUrl: read(
      translated('base URL'),
      webAddress,
      raw.baseUrl,
      DEFAULTS.baseUrl,
      translated('an http or https address such as https://api.openai.com/v1'),
    ),
    temperature: read(
      translated('temperature'),
      number(0, 2),
      raw.temperature,
      DEFAULTS.temperature,
      translated('a number from 0 to 2'),
    ),
    seed: read(translated('seed'), whole(), raw.seed, DEFAULTS.seed, translated('a whole number')),
    checkpointEvery: read(
      translated('checkpoint interval'),
      whole(1),
      raw.checkpointEvery,
      DEFAULTS.checkpointEvery,
      translated('a whole number of iterations from 1'),
    ),
    reviewEvery: read(
      translated('review interval'),
      whole(0),
      raw.reviewEvery,
      0,
      translated('a whole number of iterations, 0 for no reviews'),
    ),
    reviewEveryUsd: read(
      translated('review step of the cost'),
      number(0, MAX_USD),
      raw.reviewEveryUsd,
      0,
      translated('an amount in US dollars up to {0}, 0 for no reviews for the cost', MAX_USD),
    ),
    reviewFirstUse: read(
      translated('switch for a review of the first use of a tool'),
      yesOrNo,
      raw.reviewFirstUse,
      false,
      translated('true or false'),
    ),
    unattendedReview: read(
      translated('policy for unattended reviews'),
      reviewPolicy,
      raw.unattendedReview,
      { action: 'wait', after_minutes: 0 },
      translated('wait, continue or stop, and minutes'),
    ),
    maxNewTasks: read(
      translated('limit of new tasks per iteration'),
      whole(1, 50),
      raw.maxNewTasks,
      DEFAULTS.maxNewTasks,
      translated('a whole number from 1 to 50'),
    ),
    recallTokens: read(
      translated('recall budget'),
      whole(0, 100_000),
      raw.recallTokens,
      DEFAULTS.recallTokens,
      translated('a whole number of tokens from 0 to 100000'),
    ),
    // The original sleeps five seconds after each cycle.
    sleepSeconds: read(
      translated('sleep interval'),
      number(0, 86_400),
      raw.sleepSeconds,
      strategy === 'classic' ? 5 : 0,
      translated('seconds from 0 to 86400'),
    ),
    synthesis: read(translated('synthesis switch'), yesOrNo, raw.synthesis, true, translated('true or false')),
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
