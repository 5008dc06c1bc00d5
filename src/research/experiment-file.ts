import * as z from 'zod';
import { MAX_USD } from '../budget/money.ts';
import { Strategy } from '../run/config.ts';
import { issueWords } from '../run/issue-words.ts';
import { jsonOrNull } from '../run/json.ts';
import { quoted } from '../run/limits.ts';
import { messageOf } from '../run/message.ts';
import { inEnglish, type Translate } from '../run/translate.ts';

/** A letter or digit first: the name stands in tables and in CSV, where a sheet would take `=` for a formula. */
const VariantName = z
  .string()
  .trim()
  .max(60)
  .regex(/^[\p{L}\p{N}][\p{L}\p{N} ._+()-]*$/u)
  .describe('Letters, digits, spaces and . _ + ( ) -, beginning with a letter or digit.');

/**
 * The flags of `run` that say how a run goes, in snake_case. What belongs to a terminal or its person is not among them, nor is
 * what the experiment says itself. How large each value may be is checked where the flags are.
 */
export const VariantSettings = z
  .strictObject({
    strategy: Strategy,
    model: z.string(),
    embedding_model: z.string().describe('The name of an embedding model, or `none`.'),
    base_url: z.string(),
    temperature: z.number(),
    first_task: z.string(),
    accept: z.array(z.string()).describe('Acceptance criteria.'),
    prompts_dir: z
      .string()
      .describe('Files `<agent>.md` that replace built-in prompts. Relative to the experiment file.'),
    max_iterations: z.number(),
    max_cost_usd: z.number(),
    max_requests: z.number(),
    max_tokens: z.number(),
    max_wall_time: z.number().describe('Minutes.'),
    task_timeout: z.number().describe('Seconds.'),
    checkpoint_every: z.number(),
    sleep_interval: z.number().describe('Seconds between iterations.'),
    price_input: z.number().describe('US dollars per million prompt tokens.'),
    price_output: z.number().describe('US dollars per million completion tokens.'),
    free_server: z.boolean(),
    no_answer: z.boolean().describe('Do not write a final answer with one more request.'),
  })
  .partial();
export type VariantSettings = z.infer<typeof VariantSettings>;

const Variant = z.strictObject({
  name: VariantName,
  settings: VariantSettings.describe('What is different in this variant.'),
});

const Limits = z
  .strictObject({
    max_iterations: z.number(),
    max_cost_usd: z.number(),
    max_requests: z.number().optional(),
    max_tokens: z.number().optional(),
    max_wall_time: z.number().optional().describe('Minutes.'),
    task_timeout: z.number().optional().describe('Seconds that one step may take.'),
  })
  .describe('Limits of each run. A variant may have others.');

/** What a person writes down before an experiment begins, `<name>.experiment.json`. Holds no secret. */
export const ExperimentFile = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().trim().min(1).max(200),
  hypothesis: z.string().trim().min(1).max(8000).optional().describe('What is expected, written down beforehand.'),
  objective: z.string().trim().min(1).max(8000),
  initial_task: z.string().optional(),
  acceptance_criteria: z.array(z.string()).optional(),
  provider: z
    .enum(['openai', 'rehearsal'])
    .optional()
    .describe('`rehearsal`: the built-in program answers, and nothing is spent. Default: `openai`.'),
  trials: z.int().min(1).max(1000).describe('Runs of each variant.'),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .describe('Trial i of every variant has the sampling seed `seed` + i; the order of the runs comes from it, too.'),
  limits: Limits,
  max_total_cost_usd: z.number().positive().max(MAX_USD).describe('The most that all runs together may cost.'),
  common: VariantSettings.optional().describe('Settings of all variants.'),
  variants: z.array(Variant).min(2).max(20).describe('The first one is the baseline.'),
});
export type ExperimentFile = z.infer<typeof ExperimentFile>;

/** What is read of an experiment file at the most, bytes. */
export const MOST_FILE_BYTES = 1024 * 1024;

export type VariantFlags = VariantSettings & { readonly seed: number };

/** The flags that a run of a variant is started with, but for the objective, in snake_case. */
export function flagsOf(file: ExperimentFile, settings: VariantSettings): VariantFlags {
  return {
    ...file.limits,
    ...(file.initial_task === undefined ? {} : { first_task: file.initial_task }),
    ...(file.acceptance_criteria === undefined ? {} : { accept: file.acceptance_criteria }),
    ...file.common,
    ...settings,
    seed: file.seed,
  };
}

/** The file, or one sentence for each problem in it, with its place. What the settings mean is checked where flags are. */
export function checkExperimentFile(
  text: string,
  translated: Translate = inEnglish,
): { file: ExperimentFile } | { problems: string[]; partial: ExperimentFile | null } {
  // Some editors begin a file with a mark of the byte order.
  const json = text.replace(/^\ufeff/, '');
  const raw = jsonOrNull(json);
  if (raw === null) return { problems: [syntaxProblem(json, translated)], partial: null };
  const parsed = ExperimentFile.safeParse(raw, { reportInput: true });
  const problems = parsed.success
    ? contradictions(parsed.data, translated)
    : parsed.error.issues.map((issue) => wordsOf(issue, translated));
  if (parsed.success && problems.length === 0) return { file: parsed.data };
  return { problems, partial: parsed.success ? parsed.data : withoutProblems(raw, parsed.error) };
}

/** With the place, as far as the parser says it. */
function syntaxProblem(json: string, translated: Translate): string {
  try {
    JSON.parse(json);
  } catch (error) {
    const [, position] = / at position (\d+)/.exec(messageOf(error)) ?? [];
    const lines = json.slice(0, Number(position)).split('\n');
    if (position !== undefined)
      return translated('It is not JSON: see line {0}, column {1}.', lines.length, (lines.at(-1)?.length ?? 0) + 1);
  }
  return translated('It is not JSON.');
}

function wordsOf(issue: z.core.$ZodIssue, translated: Translate): string {
  // The one form that is asked for.
  if (issue.code === 'invalid_format')
    return translated(
      '{0} must begin with a letter or digit, and have letters, digits, spaces and . _ + ( ) - only.',
      issue.path.join('.'),
    );
  return `${issueWords({ issues: [issue] }, translated)}.`;
}

function contradictions(file: ExperimentFile, translated: Translate): string[] {
  const { variants, max_total_cost_usd: total } = file;
  const names = variants.map(({ name }) => name.toLowerCase());
  const twice = variants.filter(({ name }, index) => names.indexOf(name.toLowerCase()) < index);
  return [
    ...twice.map(({ name }) => translated('variants: the name {0} is there twice.', quoted(name))),
    ...[...new Set(variants.map(({ settings }) => flagsOf(file, settings).max_cost_usd ?? 0))].flatMap((cap) =>
      cap > total && cap <= MAX_USD
        ? [translated('max_total_cost_usd {0} is less than the limit of one run, {1}.', total, cap)]
        : [],
    ),
  ];
}

/** What is right in the file, with stand-ins for the rest, so that all else that is wrong can be said, too; null: too little. */
function withoutProblems(raw: unknown, { issues }: z.ZodError): ExperimentFile | null {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return null;
  const standIns = { name: '-', objective: '-', trials: 1, seed: 0, max_total_cost_usd: MAX_USD };
  const wrong = new Set(issues.map(({ path: [at] }) => at));
  const right = Object.fromEntries(
    Object.entries(raw).filter(([at]) => Object.hasOwn(ExperimentFile.shape, at) && !wrong.has(at)),
  );
  const variants: unknown = 'variants' in raw ? raw.variants : [];
  const whole = (Array.isArray(variants) ? variants : []).filter((each) => Variant.safeParse(each).success);
  const limits = { max_iterations: 1, max_cost_usd: 1 };
  const partial = { ...standIns, limits, ...right, variants: [] };
  const parsed = ExperimentFile.extend({ variants: z.array(Variant) }).safeParse({ ...partial, variants: whole });
  return parsed.success ? parsed.data : null;
}
