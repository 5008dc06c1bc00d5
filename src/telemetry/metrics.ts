import { usdFromPico } from '../budget/money.ts';
import { type Call, ownCalls, type RunState } from '../run/state.ts';
import { VERSION } from '../run/version.ts';
import type { Distribution, Family, Sample } from './exposition.ts';

/** Seconds. A fast local model answers in tenths of one, a slow one in minutes. */
const LATENCY_BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600] as const;

const STATUSES = ['created', 'running', 'paused', 'review', 'ended'] as const satisfies readonly RunState['status'][];
const OUTCOMES = ['settled', 'held', 'released'] as const satisfies readonly Call['status'][];

/**
 * The figures of runs, read out of their states: nothing is counted beside the log, so that a run that was resumed goes on
 * counting, and two readers see the same. Neither texts nor addresses are among them.
 */
export function metricsOf(states: readonly RunState[]): Family[] {
  const runs = states.map((state) => ({ state, run: { run_id: state.config.run_id }, calls: callFigures(state) }));
  const each = (read: (state: RunState) => number | null): Sample[] =>
    runs.flatMap(({ state, run }) => {
      const value = read(state);
      return value === null ? [] : [{ labels: run, value }];
    });
  const eachOf = (
    read: (state: RunState) => readonly (readonly [label: Readonly<Record<string, string>>, value: number])[],
  ) => runs.flatMap(({ state, run }) => read(state).map(([label, value]) => ({ labels: { ...run, ...label }, value })));
  const byAgent = (read: (figures: AgentFigures) => readonly (readonly [Readonly<Record<string, string>>, number])[]) =>
    runs.flatMap(({ run, calls }) =>
      [...calls].flatMap(([agent, figures]) =>
        read(figures).map(([label, value]) => ({ labels: { ...run, agent, ...label }, value })),
      ),
    );

  return [
    gauge(
      'babyagi_run_info',
      'What the run is; always 1.',
      eachOf(({ config }) => [[infoOf(config), 1]]),
    ),
    gauge(
      'babyagi_run_status',
      'Whether the run is in this status.',
      eachOf(({ status }) => STATUSES.map((one) => [{ status: one }, Number(one === status)])),
    ),
    gauge(
      'babyagi_run_stop_reason',
      'Why the run ended; 1 for that reason, absent while it has not ended.',
      eachOf(({ end }) => (end ? [[{ reason: end.reason }, 1]] : [])),
    ),
    gauge(
      'babyagi_run_last_event_timestamp_seconds',
      'When the last event of the run was logged.',
      each(({ updatedAt }) => secondsOf(updatedAt)),
    ),
    gauge(
      'babyagi_run_review_waiting',
      'Whether a checkpoint review waits.',
      each(({ review }) => Number(review !== null)),
    ),
    counter(
      'babyagi_run_active_seconds_total',
      'Time that the run was in progress, up to its last event.',
      each(({ earlierMs, epochMs }) => (earlierMs + epochMs) / 1000),
    ),
    gauge(
      'babyagi_run_active_limit_seconds',
      'Its time limit.',
      each(({ limits }) => limits.max_wall_time_minutes * 60),
    ),
    counter(
      'babyagi_iterations_total',
      'Iterations that are complete.',
      each(({ iteration }) => iteration),
    ),
    gauge(
      'babyagi_iterations_limit',
      'The iteration limit.',
      each(({ limits }) => limits.max_iterations),
    ),
    gauge(
      'babyagi_queue_tasks',
      'Tasks that wait: ready ones, and those that a person holds back.',
      eachOf(({ pending, tasks }) => {
        const blocked = pending.filter((id) => tasks.get(id)?.state === 'blocked').length;
        return [
          [{ state: 'ready' }, pending.length - blocked],
          [{ state: 'blocked' }, blocked],
        ];
      }),
    ),
    counter(
      'babyagi_tasks_finished_total',
      'Tasks that an iteration was spent on.',
      eachOf(({ iterations }) => {
        const failed = iterations.filter((record) => record.failed).length;
        return [
          [{ outcome: 'done' }, iterations.length - failed],
          [{ outcome: 'failed' }, failed],
        ];
      }),
    ),
    gauge(
      'babyagi_cost_usd',
      'Money, US dollars: settled, held for requests of unknown outcome, reserved for those under way.',
      eachOf(({ money }) =>
        (['settled', 'held', 'reserved'] as const).map((state) => [{ state }, usdFromPico(money[state])]),
      ),
    ),
    gauge(
      'babyagi_cost_limit_usd',
      'The cost limit, US dollars.',
      each(({ limits }) => limits.max_cost_usd),
    ),
    counter(
      'babyagi_calls_total',
      'Requests with an outcome: settled, held at their worst case, or released as not billed.',
      byAgent(({ outcomes }) => OUTCOMES.map((outcome) => [{ outcome }, outcomes[outcome]])),
    ),
    gauge(
      'babyagi_calls_in_flight',
      'Requests under way.',
      byAgent(({ outcomes }) => [[{}, outcomes.reserved]]),
    ),
    counter(
      'babyagi_tokens_total',
      'Tokens of settled requests: prompts, and answers.',
      byAgent(({ input, output }) => [
        [{ direction: 'input' }, input],
        [{ direction: 'output' }, output],
      ]),
    ),
    counter(
      'babyagi_cached_tokens_total',
      'Tokens of prompts that the server had in its cache; they are part of the input.',
      byAgent(({ cached }) => [[{}, cached]]),
    ),
    {
      name: 'babyagi_call_duration_seconds',
      help: 'How long settled requests took.',
      type: 'histogram',
      samples: runs.flatMap(({ run, calls }) =>
        [...calls].map(
          ([agent, { latency }]): Distribution => ({
            labels: { ...run, agent },
            bounds: LATENCY_BOUNDS,
            counts: latency.counts,
            sum: latency.sum,
          }),
        ),
      ),
    },
    gauge(
      'babyagi_notices',
      'Notices by what became of them; failed ones reached not everybody they are for.',
      eachOf(({ notices }) => {
        const all = [...notices.values()];
        return (['queued', 'sent', 'failed'] as const).map((status) => [
          { status },
          all.filter((notice) => notice.status === status).length,
        ]);
      }),
    ),
  ];
}

function infoOf({ strategy, model }: RunState['config']): Record<string, string> {
  return { strategy, provider: model.provider, model: model.requested, version: VERSION };
}

interface AgentFigures {
  readonly outcomes: Record<Call['status'], number>;
  input: number;
  cached: number;
  output: number;
  readonly latency: { readonly counts: number[]; sum: number };
}

/** By agent. One pass over the calls; what a fork took over was counted where it was made. */
function callFigures(state: RunState): Map<string, AgentFigures> {
  const agents = new Map<string, AgentFigures>();
  for (const call of ownCalls(state)) {
    const figures = agents.get(call.agent) ?? noFigures();
    agents.set(call.agent, figures);
    figures.outcomes[call.status] += 1;
    if (call.status !== 'settled') continue;
    figures.input += call.inputTokens;
    figures.cached += call.cachedTokens;
    figures.output += call.outputTokens;
    if (call.latencyMs === null) continue;
    const seconds = call.latencyMs / 1000;
    const place = LATENCY_BOUNDS.findIndex((bound) => seconds <= bound);
    const bucket = place === -1 ? LATENCY_BOUNDS.length : place;
    figures.latency.counts[bucket] = (figures.latency.counts[bucket] ?? 0) + 1;
    figures.latency.sum += seconds;
  }
  return agents;
}

function noFigures(): AgentFigures {
  return {
    outcomes: { reserved: 0, settled: 0, held: 0, released: 0 },
    input: 0,
    cached: 0,
    output: 0,
    latency: { counts: Array.from({ length: LATENCY_BOUNDS.length + 1 }, () => 0), sum: 0 },
  };
}

/** Null for what is no time: a log may say anything. */
function secondsOf(time: string): number | null {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? null : ms / 1000;
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help, type: 'gauge', samples };
}

function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help, type: 'counter', samples };
}
