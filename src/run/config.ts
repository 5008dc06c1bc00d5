import * as z from 'zod';
import { MAX_USD, MAX_USD_PER_MILLION } from '../budget/money.ts';
import { FORMAT_VERSION, STRATEGIES, UNATTENDED_ACTIONS } from './format.ts';
import { LIMIT_RANGES, type LimitName } from './limits.ts';

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const perMillion = z.number().min(0).max(MAX_USD_PER_MILLION);

/** Price of one model. */
export const Rates = z.object({
  input_usd_per_million: perMillion,
  cached_input_usd_per_million: perMillion,
  output_usd_per_million: perMillion,
  tiers: z.array(
    z.object({
      from_input_tokens: z.int().min(1).describe('The tier applies from that many prompt tokens on.'),
      input_usd_per_million: perMillion,
      cached_input_usd_per_million: perMillion,
      output_usd_per_million: perMillion,
    }),
  ),
  source: z
    .string()
    .describe(
      'Where the price comes from: a list, by name and version, with its provider and model; or `user`, `declared_free` or `included`.',
    ),
  as_of: z
    .string()
    .describe('The day (UTC) for which the price was looked up, ISO 8601. How old the list is, its version says.'),
});
export type Rates = z.infer<typeof Rates>;

export const Strategy = z.enum(STRATEGIES);
export type Strategy = z.infer<typeof Strategy>;

export const UnattendedReview = z
  .object({ action: z.enum(UNATTENDED_ACTIONS), after_minutes: z.number().min(0) })
  .describe('What to do with a review that nobody answers: wait for ever, or continue or stop after a time.');

export type UnattendedReview = z.infer<typeof UnattendedReview>;

/** A prompt as it was used. */
export const PromptRecord = z.object({
  sha256: Sha256.describe('Of the text.'),
  text: z.string(),
  source: z.string().describe('`built-in`, or the file that overrode it.'),
});
export type PromptRecord = z.infer<typeof PromptRecord>;

const within = (limit: LimitName) => z.number().min(LIMIT_RANGES[limit].least).max(LIMIT_RANGES[limit].most);
const wholeWithin = (limit: LimitName) => z.int().min(LIMIT_RANGES[limit].least).max(LIMIT_RANGES[limit].most);

export const Limits = z.strictObject({
  max_iterations: wholeWithin('max_iterations'),
  max_cost_usd: within('max_cost_usd').describe(
    'The lowest one where the prices are `included`: then no request has a price.',
  ),
  max_requests: wholeWithin('max_requests')
    .optional()
    .describe('Requests of all agents, whatever became of them. Absent: no such limit.'),
  max_tokens: wholeWithin('max_tokens')
    .optional()
    .describe(
      'Tokens of prompts and answers of all agents; those of unknown outcome at their worst case. Absent: no such limit.',
    ),
  max_wall_time_minutes: within('max_wall_time_minutes'),
  task_timeout_seconds: within('task_timeout_seconds'),
});

/** config.json: everything a run was started with. The log's first event carries its sha256. Holds no secret. */
export const RunConfig = z.object({
  format_version: z.literal(FORMAT_VERSION),
  run_id: z.uuid(),
  created_at: z.string(),
  objective: z.string().min(1),
  acceptance_criteria: z.array(z.string().min(1)).describe('What the result is judged against.'),
  initial_task: z.string().min(1),
  strategy: Strategy,
  model: z.object({
    provider: z.enum(['openai', 'rehearsal', 'vscode-lm']),
    base_url: z.string(),
    requested: z.string().min(1),
    pin: z
      .string()
      .nullable()
      .describe(
        'The dated snapshot that the requested name pins. Null: the name is an alias that the provider may move.',
      ),
  }),
  embedding: z
    .object({ model: z.string().min(1), dimensions: z.int().min(1).nullable() })
    .nullable()
    .describe('Null: no embeddings, recall is lexical.'),
  parameters: z.object({
    temperature: z.number().min(0).max(2),
    top_p: z.number().min(0).max(1),
    seed: z.int(),
    max_completion_tokens: z
      .int()
      .min(16)
      .describe('Upper limit of one answer, tokens. The budget may clamp it down to `min_completion_tokens`.'),
    min_completion_tokens: z.int().min(1),
  }),
  limits: Limits,
  loop: z.object({
    checkpoint_every: z.int().min(1).describe('Iterations between checkpoints.'),
    review_every: z.int().min(0).describe('Iterations between reviews by a person; 0: no reviews.'),
    // With defaults: a run that was started before these were settings is still read.
    review_every_usd: z
      .number()
      .min(0)
      .max(MAX_USD)
      .default(0)
      .describe('US dollars, settled and held, between reviews by a person; 0: none for the cost.'),
    review_first_use: z
      .boolean()
      .default(false)
      .describe('Whether a person reviews the first use of a tool: the first file that is to be written.'),
    unattended_review: UnattendedReview,
    max_new_tasks_per_iteration: z.int().min(1).max(50),
    max_pending_tasks: z.int().min(1),
    recall_results: z.int().min(0).max(50).describe('Stored results shown to the execution agent, at the most.'),
    recall_tokens: z.int().min(0).describe('Tokens that they may take together.'),
    duplicate_similarity: z
      .number()
      .min(0)
      .max(1)
      .describe('Cosine similarity of two task texts from which on the newer one is a duplicate.'),
    sleep_seconds: z.number().min(0).describe('Pause between iterations.'),
    synthesis: z.boolean().describe('Whether a run that ends writes `answer.md` with one more call.'),
  }),
  prompts: z.record(z.string(), PromptRecord),
  prices: z.object({ chat: Rates, embedding: Rates.nullable() }),
  settings: z
    .record(z.string(), z.unknown())
    .describe('All other non-secret settings, and the BABYAGI_* variables that were set, as they were.'),
  environment: z.object({
    extension_version: z.string(),
    vscode_version: z.string().nullable(),
    node_version: z.string(),
    platform: z.string(),
    packages: z.record(z.string(), z.string()),
    git: z.object({ commit: z.string(), dirty: z.boolean() }).nullable(),
  }),
  forked_from: z
    .object({
      run_id: z.string(),
      iteration: z.int().min(1).describe('The last iteration that was taken over.'),
      seq: z.int().min(1).describe('The event of the other log that ended it.'),
      hash: Sha256.describe('The hash of the chain of the other log at that event.'),
      through: z.int().min(3).describe('The last event of this log that was taken over.'),
      calls: z
        .int()
        .min(0)
        .describe(
          'So many of the first calls of the log were taken over: this run has neither made nor paid for them.',
        ),
    })
    .optional()
    .describe('Of a run that began from the state of another one. Absent in all others.'),
});
export type RunConfig = z.infer<typeof RunConfig>;
