import * as z from 'zod';
import { picoFromUsd, usdFromPico } from '../budget/money.ts';
import { Limits, RunConfig, Strategy } from '../run/config.ts';
import { INCLUDED, isIncluded } from '../run/cost-words.ts';
import { Agent, ErrorRecord } from '../run/events.ts';
import { AGENTS, FORMAT_VERSION } from '../run/format.ts';
import { LIMIT_RANGES, type LimitName } from '../run/limits.ts';
import { DEFAULTS } from '../run/settings.ts';
import { activeMs, type Call, ownCalls, paidResults, type RunState, resultOf } from '../run/state.ts';
import type { Ending } from '../run/stop.ts';
import { explainStop, isKeyLimit, isOnlyBlocked, STOP_REASONS, type StopReason } from '../run/stop-reason.ts';
import { runFolderName } from './folder.ts';
import { asciiJson } from './line.ts';
import { redactionMarks } from './redaction-marks.ts';

const Count = z.int().min(0);
const Usd = z.number().describe('US dollars.');

/** summary.json: what a run did, made from the log and from nothing else. Amounts are US dollars, times are UTC. */
export const Summary = z.object({
  format_version: z.literal(FORMAT_VERSION),
  run_id: z.string(),
  run_folder: z.string().describe('Name that the run folder was given.'),
  events: Count.describe('How many events of the log this was made from. Only notices may follow.'),
  objective: z.string(),
  acceptance_criteria: z.array(
    z.object({ text: z.string(), met: z.boolean().nullable().describe('As last judged; null: never judged.') }),
  ),
  strategy: Strategy,
  forked_from: z
    .object({ run_id: z.string(), iteration: Count })
    .optional()
    .describe('The run and the iteration that a fork began after. What came before is on the books of that run.'),

  stop_reason: z.enum(STOP_REASONS).nullable().describe('Null: the run has not ended.'),
  detail: z.string().nullable().describe('Which limit, its value, what was spent; or what went wrong.'),
  limit_reached: z
    .object({ limit: z.string(), value: z.number(), spent: z.number() })
    .nullable()
    .describe('The limit that ended the run, its value, and what was used of it.'),
  meaning: z.string().nullable().describe('What the stop reason means.'),
  next: z.string().nullable().describe('What to do next.'),
  continue_with: z.string().nullable().describe('A command line that goes on with the run.'),
  error: ErrorRecord.nullable(),
  end_is_logged: z.boolean().describe('False: the run has not ended, or the log could not be written any more.'),
  started_at: z.string(),
  ended_at: z.string().nullable(),
  active_ms: z.number().min(0).describe('Without the time in which nobody ran it.'),
  epochs: Count.describe('How often a process took the run up.'),

  iterations: z.object({ done: Count, limit: Count }),
  cost: z.object({
    settled_usd: Usd.describe('Answered requests.'),
    held_usd: Usd.describe('Requests of unknown outcome, at their worst case.'),
    reserved_usd: Usd.describe('Requests under way.'),
    limit_usd: Usd,
    free_usd: Usd,
    note: z
      .literal('included')
      .nullable()
      .describe(
        '`included`: the provider accounts for the requests, at a price that is not known here; the amounts are no bill.',
      ),
  }),
  cost_per_result_usd: z.number().nullable().describe('Settled and held, divided by the number of results.'),
  limits: Limits.describe('As last raised.'),

  models: z.object({
    provider: RunConfig.shape.model.shape.provider,
    requested: z.string(),
    embedding_requested: z.string().nullable(),
    answered: z.array(z.object({ model: z.string(), calls: Count })).describe('As the server named them.'),
    system_fingerprints: z.array(z.object({ system_fingerprint: z.string(), calls: Count })),
  }),
  requests: z.object({ made: Count, limit: Count.nullable().describe('Null: no such limit.') }),
  tokens: z.object({
    input: Count,
    cached: Count.describe('Part of input.'),
    output: Count,
    held: Count.describe('Of requests of unknown outcome, at their worst case.'),
    reserved: Count.describe('Of requests under way.'),
    limit: Count.nullable().describe('Of input, output, held and reserved together. Null: no such limit.'),
  }),
  agents: z.array(
    z.object({
      agent: Agent,
      calls: Count,
      settled: Count,
      held: Count,
      released: Count,
      input_tokens: Count,
      cached_tokens: Count,
      output_tokens: Count,
      cost_usd: Usd.describe('Settled and held.'),
      latency_ms: z
        .object({ mean: z.number(), p50: z.number(), p95: z.number(), max: z.number() })
        .nullable()
        .describe('Of settled calls; percentiles by nearest rank.'),
    }),
  ),

  task_counts: z.object({ pending: Count, blocked: Count, running: Count, done: Count, failed: Count, removed: Count }),
  tasks: z
    .array(
      z.object({
        task_id: z.string(),
        text: z.string(),
        state: z
          .enum(['pending', 'blocked', 'running', 'done', 'failed', 'removed'])
          .describe('`blocked`: it waits, and a person holds it back.'),
        created_by: z.enum(['initial', 'loop', 'user']),
        parent_task_id: z.string().nullable(),
        iteration: Count.nullable().describe('The iteration that took it.'),
        error: ErrorRecord.nullable(),
        removed_why: z.string().nullable(),
        blocked_why: z.string().nullable(),
      }),
    )
    .describe('All tasks, in the order in which they were made.'),
  queue: z.array(z.string()).describe('Ids of the waiting tasks, next one first; blocked ones at their places.'),
  suppressed: z
    .array(
      z.object({
        text: z.string(),
        duplicate_of: z.string().nullable(),
        similarity: z.number().nullable(),
        why: z.enum(['same_text', 'similar', 'too_many', 'queue_full']),
        iteration: Count,
      }),
    )
    .describe('Tasks that were proposed and not taken up.'),
  results: z
    .array(z.object({ task_id: z.string(), task_text: z.string(), result_text: z.string() }))
    .describe('The result of every task that is done.'),
  iteration_records: z.array(
    z.object({
      iteration: Count,
      task_id: z.string(),
      failed: z.boolean(),
      cost_usd: Usd.describe('Settled and held.'),
      latency_ms: z.number().describe('Sum over its calls.'),
      created: Count,
      suppressed: Count,
      queue: Count.describe('Pending tasks after it.'),
      ended_at: z.string(),
    }),
  ),

  reviews: z.array(
    z.object({
      review_id: z.string(),
      decision: z.enum(['approve', 'stop']),
      by: z.string(),
      via: z.string(),
      at: z.string(),
    }),
  ),
  limit_raises: z.array(
    z.object({
      limit: z.string(),
      from: z.number().nullable().describe('Null: the run was started without this limit.'),
      to: z.number(),
      by: z.string(),
      at: z.string(),
    }),
  ),
  guidance: z.array(z.string()).describe('What people told the run on its way.'),
  hosts_contacted: z
    .array(z.object({ origin: z.string(), requests: Count }))
    .describe('Of a collector of traces not its requests, but how often sending to it began.'),
  redactions: z
    .object({ total: Count, by_rule: z.record(z.string(), Count) })
    .describe('Marks in the record of the run that stand in the place of secrets.'),
  files: z
    .array(z.object({ name: z.string(), bytes: Count, sha256: z.string(), task_id: z.string().nullable() }))
    .describe('What the agents wrote, below output/.'),
  notices: z.array(
    z.object({
      notice_id: z.string(),
      kind: z.string(),
      status: z.enum(['queued', 'sent', 'failed']),
      error: ErrorRecord.nullable(),
    }),
  ),
});
export type Summary = z.infer<typeof Summary>;

/** `unlogged`: how the run ended, where its log could not be written any more. */
export function summarize(state: RunState, unlogged: Ending | null = null): Summary {
  const { config, money, limits } = state;
  const cap = picoFromUsd(limits.max_cost_usd);
  const end = state.end ?? (unlogged && { ...unlogged, at: state.updatedAt });
  // What a fork took over is on the books of the other run.
  const { forked_from: forked } = config;
  const calls = ownCalls(state);
  const tasks = [...state.tasks.values()];
  const settled = calls.filter(({ status }) => status === 'settled');
  const results = tasks.flatMap((task) => {
    const result = resultOf(state, task);
    return result === null ? [] : [{ task_id: task.id, task_text: task.text, result_text: result }];
  });
  const paid = paidResults(state);
  const inState = (wanted: string) => tasks.filter((task) => task.state === wanted).length;
  return {
    format_version: FORMAT_VERSION,
    run_id: config.run_id,
    run_folder: folderName(config),
    events: state.lastSeq,
    objective: config.objective,
    acceptance_criteria: config.acceptance_criteria.map((text, index) => ({
      text,
      met: state.judged?.met[index] ?? null,
    })),
    strategy: config.strategy,
    ...(forked ? { forked_from: { run_id: forked.run_id, iteration: forked.iteration } } : {}),

    stop_reason: end?.reason ?? null,
    detail: end?.detail ?? null,
    limit_reached: end?.limit ?? null,
    meaning: end && explainStop(end, state.review !== null).meaning,
    next: end && explainStop(end, state.review !== null).next,
    continue_with: end && continueWith(state, end.reason),
    error: end?.error ?? null,
    end_is_logged: state.end !== null,
    started_at: state.startedAt,
    ended_at: end?.at ?? null,
    active_ms: Math.round(activeMs(state)),
    epochs: state.epoch,

    iterations: { done: state.iteration, limit: limits.max_iterations },
    cost: {
      settled_usd: usdFromPico(money.settled),
      held_usd: usdFromPico(money.held),
      reserved_usd: usdFromPico(money.reserved),
      limit_usd: limits.max_cost_usd,
      free_usd: usdFromPico(cap - money.settled - money.held - money.reserved),
      note: isIncluded(config) ? INCLUDED : null,
    },
    cost_per_result_usd: paid === 0 ? null : usdFromPico((money.settled + money.held) / BigInt(paid)),
    limits: { ...limits },

    models: {
      provider: config.model.provider,
      requested: config.model.requested,
      embedding_requested: config.embedding?.model ?? null,
      answered: counted(settled.map(({ model }) => model)).map(([model, count]) => ({ model, calls: count })),
      system_fingerprints: counted(settled.flatMap(({ fingerprint }) => fingerprint ?? [])).map(
        ([fingerprint, count]) => ({
          system_fingerprint: fingerprint,
          calls: count,
        }),
      ),
    },
    requests: { made: calls.length, limit: limits.max_requests ?? null },
    tokens: {
      input: sum(calls, (call) => call.inputTokens),
      cached: sum(calls, (call) => call.cachedTokens),
      output: sum(calls, (call) => call.outputTokens),
      held: state.tokens.held,
      reserved: state.tokens.reserved,
      limit: limits.max_tokens ?? null,
    },
    agents: AGENTS.flatMap((agent) =>
      usageOf(
        agent,
        calls.filter((call) => call.agent === agent),
      ),
    ),

    task_counts: {
      pending: inState('pending'),
      blocked: inState('blocked'),
      running: inState('running'),
      done: inState('done'),
      failed: inState('failed'),
      removed: inState('removed'),
    },
    tasks: tasks.map((task) => ({
      task_id: task.id,
      text: task.text,
      state: task.state,
      created_by: task.createdBy,
      parent_task_id: task.parentId,
      iteration: task.iteration,
      error: task.error,
      removed_why: task.removedWhy,
      blocked_why: task.blockedWhy,
    })),
    queue: [...state.pending],
    suppressed: state.suppressed.map(({ text, duplicate_of, similarity, why, iteration }) => ({
      text,
      duplicate_of,
      similarity,
      why,
      iteration,
    })),
    results,
    iteration_records: state.iterations.map((record) => ({
      iteration: record.iteration,
      task_id: record.taskId,
      failed: record.failed,
      cost_usd: usdFromPico(record.cost),
      latency_ms: tenths(record.latencyMs),
      created: record.created,
      suppressed: record.suppressed,
      queue: record.queue,
      ended_at: record.at,
    })),

    reviews: state.reviews.map(({ review_id, decision, by, via, ts }) => ({ review_id, decision, by, via, at: ts })),
    limit_raises: state.raises.map((raise) => ({
      limit: raise.limit,
      from: raise.type === 'limit.raised' ? raise.from : null,
      to: raise.to,
      by: raise.by,
      at: raise.ts,
    })),
    guidance: [...state.guidance],
    // A rehearsal asks a program in this process, which is no host.
    hosts_contacted: [...state.origins]
      .filter(([origin]) => !origin.startsWith('local:'))
      .map(([origin, requests]) => ({ origin, requests })),
    redactions: redactionMarks(state),
    files: [...state.files.values()].map(({ name, bytes, sha256, task_id }) => ({ name, bytes, sha256, task_id })),
    notices: [...state.notices.values()].map(({ id, kind, status, error }) => ({ notice_id: id, kind, status, error })),
  };
}

/** The file, in pieces of one entry each: no run is too long for it to be written without a pause. */
export function* summaryJson(summary: Summary): Generator<string> {
  let before = '{\n';
  for (const [key, value] of Object.entries(summary)) {
    yield `${before}  ${asciiJson(key)}: `;
    yield* Array.isArray(value) && value.length > 0 ? listJson(value) : [asciiJson(value)];
    before = ',\n';
  }
  yield '\n}\n';
}

function* listJson(items: readonly unknown[]): Generator<string> {
  let before = '[\n';
  for (const item of items) {
    yield `${before}    ${asciiJson(item)}`;
    before = ',\n';
  }
  yield '\n  ]';
}

function usageOf(agent: Agent, calls: readonly Call[]): Summary['agents'] {
  if (calls.length === 0) return [];
  const inStatus = (wanted: Call['status']) => calls.filter(({ status }) => status === wanted);
  return [
    {
      agent,
      calls: calls.length,
      settled: inStatus('settled').length,
      held: inStatus('held').length,
      released: inStatus('released').length,
      input_tokens: sum(calls, (call) => call.inputTokens),
      cached_tokens: sum(calls, (call) => call.cachedTokens),
      output_tokens: sum(calls, (call) => call.outputTokens),
      cost_usd: usdFromPico(calls.reduce((total, call) => total + call.cost, 0n)),
      latency_ms: latencyOf(inStatus('settled').flatMap((call) => call.latencyMs ?? [])),
    },
  ];
}

/** Percentiles by nearest rank. */
export function latencyOf(latencies: number[]): Summary['agents'][number]['latency_ms'] {
  const sorted = latencies.sort((a, b) => a - b);
  const max = sorted.at(-1);
  if (max === undefined) return null;
  const percentile = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? max;
  return {
    mean: tenths(sum(sorted, (latency) => latency) / sorted.length),
    p50: percentile(0.5),
    p95: percentile(0.95),
    max,
  };
}

/**
 * A command line that goes on with the run in that folder, by default where it was started; as far again where a limit
 * ended it. Null where there is none.
 */
export function continueWith(
  state: RunState,
  reason: StopReason,
  folder = `${runsDirectory(state.config)}/${folderName(state.config)}`,
): string | null {
  const { config, limits } = state;
  const { provider, base_url } = config.model;
  // The terminal has no models of VS Code.
  if (provider === 'vscode-lm') return null;
  // The terminal sends a key to no other server than the usual one, unless it is named.
  const server = provider === 'openai' && base_url !== DEFAULTS.baseUrl ? ` --base-url ${shellWord(base_url)}` : '';
  // Without an approval a run that waits for a review ends again at once.
  const approval = state.review ? ' --approve-review' : '';
  const resume = `node dist/cli.js resume ${shellWord(folder)}${server}${approval}`;
  const raised = (flag: string, limit: LimitName) => {
    const room = LIMIT_RANGES[limit].most - (limits[limit] ?? 0);
    const first = config.limits[limit] ?? state.raises.find((raise) => raise.limit === limit)?.to ?? 0;
    const more = Number(Math.min(first, room).toFixed(6));
    return more > 0 ? `${resume} ${flag} ${more}` : null;
  };
  switch (reason) {
    case 'max_iterations':
      return raised('--add-iterations', 'max_iterations');
    case 'max_cost':
      // More for this run would not help against the limit of its key.
      return isKeyLimit(state.end) ? resume : raised('--add-cost-usd', 'max_cost_usd');
    case 'max_requests':
      return raised('--add-requests', 'max_requests');
    case 'max_tokens':
      return raised('--add-tokens', 'max_tokens');
    case 'max_wall_time':
      return raised('--add-minutes', 'max_wall_time_minutes');
    case 'stopped_by_user':
    case 'stopped_at_review':
    case 'stalled':
    case 'waiting_for_key':
    case 'disk_full':
    case 'quarantined':
    case 'error':
      return resume;
    case 'queue_empty':
      return isOnlyBlocked(state.end) ? `${resume} --unblock-tasks` : null;
    case 'objective_complete':
      return null;
  }
}

function folderName({ created_at, objective, run_id }: RunConfig): string {
  return runFolderName(Date.parse(created_at) || 0, objective, run_id);
}

function runsDirectory({ settings }: RunConfig): string {
  const flags = z.object({ flags: z.object({ 'runs-dir': z.string().min(1) }) }).safeParse(settings);
  return flags.success ? flags.data.flags['runs-dir'].replace(/[\\/]+$/, '') : '.babyagi/runs';
}

/** Quoted where a shell would see more in it than a word. */
function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function counted(names: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts];
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}
