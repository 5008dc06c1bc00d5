import * as z from 'zod';
import { Limits } from './limits.ts';

/**
 * config.json: everything a run was started with. Written first, never changed; the log's first event carries its
 * sha256. Holds no secret.
 */
export const FORMAT_VERSION = 1;

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Price of one model. Amounts are US dollars per million tokens; a tier applies from that many prompt tokens on. */
export const Rates = z.object({
  input_usd_per_million: z.number().min(0),
  cached_input_usd_per_million: z.number().min(0),
  output_usd_per_million: z.number().min(0),
  tiers: z.array(
    z.object({
      from_input_tokens: z.int().min(1),
      input_usd_per_million: z.number().min(0),
      cached_input_usd_per_million: z.number().min(0),
      output_usd_per_million: z.number().min(0),
    }),
  ),
  /** Where the price comes from: `genai-prices`, `user`, `declared_free` or `rehearsal`. */
  source: z.string(),
  /** Date of the price data, ISO 8601. */
  as_of: z.string(),
});
export type Rates = z.infer<typeof Rates>;

export const STRATEGIES = ['guarded', 'classic'] as const;
export const Strategy = z.enum(STRATEGIES);
export type Strategy = z.infer<typeof Strategy>;

/** What to do with a review that nobody answers: wait for ever, or continue or stop after a time. */
export const UnattendedReview = z.object({
  action: z.enum(['wait', 'continue', 'stop']),
  after_minutes: z.number().min(0),
});

/** A prompt as it was used: its text, the sha256 of the text, and the file that overrode the built-in one, if any. */
export const PromptRecord = z.object({ sha256: Sha256, text: z.string(), source: z.string() });
export type PromptRecord = z.infer<typeof PromptRecord>;

export const RunConfig = z.object({
  format_version: z.literal(FORMAT_VERSION),
  run_id: z.uuid(),
  created_at: z.string(),
  objective: z.string().min(1),
  acceptance_criteria: z.array(z.string().min(1)),
  initial_task: z.string().min(1),
  strategy: Strategy,
  model: z.object({
    provider: z.enum(['openai', 'rehearsal', 'replay']),
    base_url: z.string(),
    requested: z.string().min(1),
    /** The dated snapshot that the requested name pins, or null where the name is an alias that the provider may move. */
    pin: z.string().nullable(),
  }),
  /** Null: no embeddings, recall is lexical. */
  embedding: z.object({ model: z.string().min(1), dimensions: z.int().min(1).nullable() }).nullable(),
  parameters: z.object({
    temperature: z.number().min(0).max(2),
    top_p: z.number().min(0).max(1),
    seed: z.int(),
    /** Upper limit of one answer, tokens. The budget may clamp it down to `min_completion_tokens`. */
    max_completion_tokens: z.int().min(16),
    min_completion_tokens: z.int().min(1),
  }),
  limits: Limits,
  loop: z.object({
    checkpoint_every: z.int().min(1),
    /** 0: no reviews. */
    review_every: z.int().min(0),
    unattended_review: UnattendedReview,
    max_new_tasks_per_iteration: z.int().min(1).max(50),
    max_pending_tasks: z.int().min(1),
    recall_results: z.int().min(0).max(50),
    recall_tokens: z.int().min(0),
    /** Cosine similarity of two task texts from which on the newer one is a duplicate. */
    duplicate_similarity: z.number().min(0).max(1),
    /** Pause between iterations, seconds. */
    sleep_seconds: z.number().min(0),
    /** Whether a run that ends writes `answer.md` with one more call. */
    synthesis: z.boolean(),
  }),
  prompts: z.record(z.string(), PromptRecord),
  prices: z.object({ chat: Rates, embedding: Rates.nullable() }),
  /** All other non-secret settings, and the BABYAGI_* variables that were set, as they were. */
  settings: z.record(z.string(), z.unknown()),
  environment: z.object({
    extension_version: z.string(),
    vscode_version: z.string().nullable(),
    node_version: z.string(),
    platform: z.string(),
    packages: z.record(z.string(), z.string()),
    git: z.object({ commit: z.string(), dirty: z.boolean() }).nullable(),
  }),
});
export type RunConfig = z.infer<typeof RunConfig>;
