import { randomUUID } from 'node:crypto';
import { promptRecords } from '../agents/prompts.ts';
import { TemplateError } from '../agents/template.ts';
import { includedRates, priceOf } from '../budget/prices.ts';
import type { RunConfig } from '../run/config.ts';
import { FORMAT_VERSION } from '../run/format.ts';
import type { Clock } from '../run/ports.ts';
import type { RunSettings } from '../run/settings.ts';
import { type Translate, wordsOf } from '../run/translate.ts';
import type { Redactor } from '../safety/redaction.ts';
import { EngineError } from './engine-error.ts';
import type { Host, StartOptions } from './host.ts';

/** config.json of a new run, not yet redacted. Throws EngineError. */
export async function snapshotConfig(
  settings: RunSettings,
  options: Omit<StartOptions, 'runsDirectory'>,
  host: Pick<Host, 'clock' | 'redactor' | 'environment'>,
): Promise<RunConfig> {
  const rehearsal = options.provider === 'rehearsal';
  const [prices, environment] = await Promise.all([pricesFor(settings, options, host.clock), host.environment()]);
  const { objective, strategy, limits } = settings;
  return {
    format_version: FORMAT_VERSION,
    run_id: randomUUID(),
    created_at: new Date(host.clock.now()).toISOString(),
    objective,
    acceptance_criteria: [...settings.acceptanceCriteria],
    initial_task: settings.initialTask,
    strategy,
    model: {
      provider: options.provider,
      base_url: rehearsal ? 'local:rehearsal' : settings.baseUrl,
      requested: settings.model,
      pin: isPinned(settings.model) ? settings.model : null,
    },
    embedding:
      settings.embeddingModel === null || options.provider === 'vscode-lm'
        ? null
        : { model: settings.embeddingModel, dimensions: settings.embeddingDimensions },
    parameters: {
      temperature: settings.temperature,
      top_p: 1,
      seed: settings.seed,
      max_completion_tokens: 2000,
      min_completion_tokens: 64,
    },
    limits,
    loop: {
      checkpoint_every: settings.checkpointEvery,
      review_every: settings.reviewEvery,
      review_every_usd: settings.reviewEveryUsd,
      review_first_use: settings.reviewFirstUse,
      unattended_review: settings.unattendedReview,
      max_new_tasks_per_iteration: settings.maxNewTasks,
      max_pending_tasks: 10_000,
      recall_results: 5,
      recall_tokens: settings.recallTokens,
      duplicate_similarity: 0.92,
      sleep_seconds: settings.sleepSeconds,
      synthesis: settings.synthesis,
    },
    prompts: promptsFor(settings, options, host.redactor),
    prices,
    settings: { ...options.snapshot },
    environment,
  };
}

/** The environment of what is only reckoned, and never run. */
export function nowhere(): Promise<RunConfig['environment']> {
  return Promise.resolve({
    extension_version: '',
    vscode_version: null,
    node_version: '',
    platform: '',
    packages: {},
    git: null,
  });
}

const DATE = /\d{4}-?\d{2}-?\d{2}(-preview)?$/;
/** Older names of OpenAI end in month and day: gpt-4-0613. */
const MONTH_AND_DAY = /^gpt-.+-(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(-preview)?$/;

/** Whether the name is that of one dated snapshot, which its provider does not move. */
export function isPinned(model: string): boolean {
  return DATE.test(model) || MONTH_AND_DAY.test(model);
}

function promptsFor(
  settings: RunSettings,
  options: Pick<StartOptions, 'promptOverrides'>,
  redactor: Redactor,
): RunConfig['prompts'] {
  // Redacted first: the sha256 is that of the text on record.
  const overrides = new Map(
    [...options.promptOverrides].map(([name, { text, file }]) => [name, { text: redactor.redact(text), file }]),
  );
  try {
    return promptRecords(settings.strategy, overrides);
  } catch (error) {
    if (error instanceof TemplateError)
      throw new EngineError('configuration', (translated) => [
        translated('A prompt file cannot be used: {0}', wordsOf(error, translated)),
      ]);
    throw error;
  }
}

async function pricesFor(
  settings: RunSettings,
  options: Pick<StartOptions, 'provider' | 'prices'>,
  clock: Clock,
): Promise<RunConfig['prices']> {
  const { model, embeddingModel, baseUrl } = settings;
  if (options.provider === 'vscode-lm') return { chat: includedRates(new Date(clock.now())), embedding: null };
  const question = { baseUrl, ...options.prices, at: new Date(clock.now()) };
  const chat = await priceOf({ ...question, model, kind: 'chat' });
  const embedding =
    embeddingModel === null ? null : await priceOf({ ...question, model: embeddingModel, kind: 'embedding' });
  const { origin } = new URL(baseUrl);
  const problems = (translated: Translate) => [
    ...(typeof chat === 'string' ? [priceProblem(model, origin, chat, translated)] : []),
    ...(typeof embedding === 'string' ? [priceProblem(embeddingModel ?? '', origin, embedding, translated)] : []),
  ];
  if (typeof chat === 'string' || typeof embedding === 'string') throw new EngineError('configuration', problems);
  return { chat, embedding };
}

function priceProblem(model: string, origin: string, why: 'unknown' | 'has_fees', translated: Translate): string {
  return why === 'unknown'
    ? translated(
        'The price of the model {0} at {1} is not known: give its price, or declare the server free of charge.',
        model,
        origin,
      )
    : translated(
        'The model {0} at {1} costs more than its tokens, such as a fee for each request, and that cannot be counted: choose another model, or give prices for its tokens that cover it.',
        model,
        origin,
      );
}
