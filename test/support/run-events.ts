import { createHash } from 'node:crypto';
import type { RunConfig } from '../../src/run/config.ts';
import type { Agent, EventDraft, RunEvent, RunEventOf } from '../../src/run/events.ts';
import type { StopReason } from '../../src/run/stop-reason.ts';
import { BUILD } from '../../src/run/version.ts';

/** Hand-made runs: `fold(makeConfig(), events(...startOfRun(), ...))`. */

export const RUN_ID = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const STARTED = Date.UTC(2025, 0, 2, 3, 4, 5);

type Draft<Type extends EventDraft['type']> = Extract<EventDraft, { type: Type }>;

export function makeConfig(overrides: Partial<RunConfig> = {}): RunConfig {
  const text = 'Do it.\n--- user ---\n{{task}}';
  const rates = { input_usd_per_million: 1, cached_input_usd_per_million: 0.5, output_usd_per_million: 2, tiers: [] };
  return {
    format_version: 1,
    run_id: RUN_ID,
    created_at: new Date(STARTED).toISOString(),
    objective: 'Compare three databases',
    acceptance_criteria: [],
    initial_task: 'Develop a task list',
    strategy: 'guarded',
    model: { provider: 'openai', base_url: 'https://api.openai.com/v1', requested: 'gpt-4.1-mini', pin: null },
    embedding: { model: 'text-embedding-3-small', dimensions: null },
    parameters: { temperature: 0, top_p: 1, seed: 42, max_completion_tokens: 2000, min_completion_tokens: 64 },
    limits: { max_iterations: 10, max_cost_usd: 1, max_wall_time_minutes: 480, task_timeout_seconds: 120 },
    loop: {
      checkpoint_every: 5,
      review_every: 0,
      review_every_usd: 0,
      review_first_use: false,
      unattended_review: { action: 'wait', after_minutes: 0 },
      max_new_tasks_per_iteration: 3,
      max_pending_tasks: 10_000,
      recall_results: 5,
      recall_tokens: 160,
      duplicate_similarity: 0.92,
      sleep_seconds: 0,
      synthesis: true,
    },
    prompts: { execution: { sha256: createHash('sha256').update(text).digest('hex'), text, source: 'built-in' } },
    prices: {
      chat: { ...rates, source: 'user', as_of: '2025-01-01' },
      embedding: { ...rates, source: 'user', as_of: '2025-01-01' },
    },
    settings: {},
    environment: {
      extension_version: '0.1.0',
      vscode_version: null,
      node_version: '20.20.0',
      platform: 'linux',
      packages: {},
      git: null,
    },
    ...overrides,
  };
}

/** The drafts as a log would hold them: numbered, one second apart, with a new epoch at each `epoch.opened`. */
export function events(...drafts: readonly EventDraft[]): RunEvent[] {
  let epoch = 0;
  let epochStart = 0;
  return drafts.map((draft, index) => {
    if (draft.type === 'epoch.opened') {
      epoch += 1;
      epochStart = index;
    }
    return {
      ...draft,
      v: 1,
      seq: index + 1,
      epoch: Math.max(epoch, 1),
      ts: new Date(STARTED + index * 1000).toISOString(),
      mono_ms: (index - epochStart) * 1000,
      run_id: RUN_ID,
    };
  });
}

/** The first events of a run: created, opened, and its first task `t1`. */
export function startOfRun(configSha256 = '0'.repeat(64)): EventDraft[] {
  return [
    { type: 'run.created', config_sha256: configSha256, format_version: 1 },
    epochOpened(null),
    task('t1', 'Develop a task list', { by: 'initial', parent_task_id: null }),
  ];
}

export function epochOpened(previous: RunEventOf<'epoch.opened'>['previous']): Draft<'epoch.opened'> {
  return {
    type: 'epoch.opened',
    owner: { host: 'host', boot_id: 'boot', pid: 1, process_start: '1', nonce: 'nonce' },
    version: BUILD,
    previous,
  };
}

export function task(id: string, text: string, more: Partial<Draft<'task.created'>> = {}): Draft<'task.created'> {
  return {
    type: 'task.created',
    task_id: id,
    text,
    by: 'loop',
    parent_task_id: 't1',
    before: null,
    iteration: 0,
    ...more,
  };
}

export interface CallOptions {
  readonly agent?: Agent;
  readonly taskId?: string | null;
  readonly iteration?: number;
  readonly step?: string;
  readonly model?: string;
  readonly origin?: string;
  readonly reservedUsd?: number;
  readonly costUsd?: number;
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  readonly latencyMs?: number;
  readonly fingerprint?: string | null;
  readonly embeds?: readonly string[];
  readonly vectors?: readonly Float32Array[];
  readonly finishReason?: string;
}

export function reserved(id: string, options: CallOptions = {}): Draft<'call.reserved'> {
  return {
    type: 'call.reserved',
    ...callFields(id, options),
    origin: options.origin ?? 'https://api.openai.com',
    request_sha256: '0'.repeat(64),
    inputs: options.embeds ? { embeds: [...options.embeds] } : {},
    bound_input_tokens: 1000,
    max_output_tokens: 500,
    reserved_usd: options.reservedUsd ?? 0.002,
  };
}

/** A call that was answered: its reservation, and its settlement. */
export function answered(id: string, answer: string | null, options: CallOptions = {}): EventDraft[] {
  const { vectors } = options;
  return [
    reserved(id, options),
    {
      type: 'call.settled',
      ...callFields(id, options),
      model: options.model ?? 'gpt-4.1-mini-2025-04-14',
      ...outcome(options.costUsd ?? 0.001),
      input_tokens: options.inputTokens ?? 100,
      output_tokens: options.outputTokens ?? 50,
      latency_ms: options.latencyMs ?? 800,
      system_fingerprint: options.fingerprint ?? null,
      finish_reason: options.finishReason ?? 'stop',
      ...(answer === null ? {} : { answer }),
      ...(vectors ? { vectors: vectors.map((vector) => Buffer.from(vector.buffer).toString('base64')) } : {}),
    },
  ];
}

/** A call that failed: its reservation, and what became of that. */
export function unanswered(
  id: string,
  how: 'held' | 'released',
  message: string,
  options: CallOptions = {},
): EventDraft[] {
  const cost = how === 'held' ? (options.reservedUsd ?? 0.002) : 0;
  const error = { class: 'timeout', message };
  return [reserved(id, options), { type: `call.${how}`, ...callFields(id, options), ...outcome(cost), error }];
}

/** One iteration in which the task is done: started, executed, stored, completed. */
export function iteration(
  number: number,
  taskId: string,
  result: string,
  ...planned: readonly EventDraft[]
): EventDraft[] {
  const callId = `x${number}`;
  return [
    { type: 'task.started', task_id: taskId, iteration: number },
    ...answered(callId, result, { taskId, iteration: number }),
    { type: 'task.completed', task_id: taskId, iteration: number, call_id: callId },
    { type: 'memory.stored', memory_id: taskId, task_id: taskId, call_id: callId },
    ...planned,
    { type: 'iteration.completed', iteration: number, task_id: taskId },
  ];
}

/** One iteration in which the task fails. */
export function failedIteration(number: number, taskId: string, message: string): EventDraft[] {
  return [
    { type: 'task.started', task_id: taskId, iteration: number },
    { type: 'task.failed', task_id: taskId, iteration: number, error: { class: 'timeout', message } },
    { type: 'iteration.completed', iteration: number, task_id: taskId },
  ];
}

export function ended(reason: StopReason, detail = 'All is said.'): Draft<'run.ended'> {
  return { type: 'run.ended', stop_reason: reason, error: null, detail };
}

function callFields(id: string, options: CallOptions) {
  const { agent = 'execution', taskId = null, iteration: number = 1, step = id, model = 'gpt-4.1-mini' } = options;
  return { call_id: id, agent, step, task_id: taskId, iteration: number, model, attempt: 1 };
}

function outcome(costUsd: number) {
  return {
    input_tokens: null,
    cached_tokens: null,
    output_tokens: null,
    latency_ms: null,
    cost_usd: costUsd,
    system_fingerprint: null,
    error: null,
  };
}
