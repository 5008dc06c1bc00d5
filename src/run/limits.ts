import { number, whole } from './checks.ts';
import { inEnglish, known, type Translate } from './translate.ts';

/** The limits of a run. Without the first two nothing starts; the last two have defaults that a person can see and change. */
export const LIMIT_RANGES = {
  max_iterations: { least: 1, most: 100_000 },
  max_cost_usd: { least: 0.000001, most: 1000 },
  max_requests: { least: 1, most: 1_000_000 },
  max_tokens: { least: 1, most: 10_000_000_000 },
  max_wall_time_minutes: { least: 0.01, most: 43_200 },
  task_timeout_seconds: { least: 0.1, most: 86_400 },
} as const;
export type LimitName = keyof typeof LIMIT_RANGES;
/** Limits that a run need not have: where one is absent, others end the run. One can be added later. */
export const OPTIONAL_LIMITS = ['max_requests', 'max_tokens'] as const;
export type OptionalLimit = (typeof OPTIONAL_LIMITS)[number];
export type Limits = Record<Exclude<LimitName, OptionalLimit>, number> & {
  readonly [Limit in OptionalLimit]?: number | undefined;
};

export const DEFAULT_LIMITS = { max_wall_time_minutes: 480, task_timeout_seconds: 120 } as const;

/** What a person may type for a limit: its range and unit, in words. Shown wherever a limit is asked or refused. */
export const LIMIT_WORDS: Record<LimitName, { name: string; range: string; required: boolean }> = {
  max_iterations: { name: 'iteration limit', range: 'a whole number from 1 to 100000', required: true },
  max_cost_usd: { name: 'cost limit', range: 'an amount in US dollars from 0.000001 to 1000', required: true },
  max_requests: { name: 'request limit', range: 'a whole number from 1 to 1000000', required: false },
  max_tokens: { name: 'token limit', range: 'a whole number from 1 to 10000000000', required: false },
  max_wall_time_minutes: { name: 'time limit', range: 'minutes from 0.01 to 43200 (30 days)', required: false },
  task_timeout_seconds: { name: 'task timeout', range: 'seconds from 0.1 to 86400', required: false },
};

/** Limits of things that are counted, not measured. */
const WHOLE: ReadonlySet<LimitName> = new Set(['max_iterations', 'max_requests', 'max_tokens']);

/** One sentence for a limit that is missing or out of range, or null where the value is fine. */
export function limitProblem(limit: LimitName, value: unknown, translated: Translate = inEnglish): string | null {
  const words = LIMIT_WORDS[limit];
  const [name, range] = [known(words.name, translated), known(words.range, translated)];
  if (value === undefined || value === null || value === '') {
    return words.required ? translated('The {0} is missing: give {1}.', name, range) : null;
  }
  const { least, most } = LIMIT_RANGES[limit];
  const check = WHOLE.has(limit) ? whole(least, most) : number(least, most);
  if (check(value) !== undefined) return null;
  return translated('The {0} {1} is not valid: give {2}.', name, quoted(value), range);
}

const QUOTED_LENGTH = 100;

/** A refused value as a message shows it: as JSON where JSON has it. A long one is not cut: the piece of a secret is not known for one. */
export function quoted(value: unknown): string {
  // JSON has no word for some values, whatever its type says.
  const json: string | undefined =
    typeof value === 'number' || typeof value === 'bigint' ? undefined : JSON.stringify(value);
  const text = json ?? String(value);
  return text.length <= QUOTED_LENGTH ? text : `of ${text.length} characters`;
}
