import { usdFromPico } from '../budget/money.ts';
import { readRun } from '../engine/read.ts';
import { normalized } from '../memory/text.ts';
import { LEFT_OUT } from '../run/fold-tasks.ts';
import { ownCalls, ownIterations, resultOf, type RunState, type Task } from '../run/state.ts';
import type { StopReason } from '../run/stop-reason.ts';
import type { Disk } from '../runlog/disk.ts';
import { latencyOf, type Summary, summarize } from '../runlog/summary.ts';

/** What one run did, in figures that those of another run can stand beside. Null: there is nothing to reckon it from. */
export interface RunFigures {
  readonly iterations: number;
  /** Of them, those that a fork took over. All other figures are without them. */
  readonly iterationsTakenOver: number;
  /** Null: the run has not ended. */
  readonly stopReason: StopReason | null;
  /** Tasks that are done, with what the model gave for them. */
  readonly results: number;
  /** Of them, those with any text whose task was not done before in other letters. */
  readonly usefulResults: number;
  readonly costUsd: number;
  /** Of it, what is held for requests of unknown outcome. */
  readonly heldUsd: number;
  readonly costPerUsefulResultUsd: number | null;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly requests: number;
  /** Without the closing answer. */
  readonly requestsPerIteration: number | null;
  readonly failedRequests: number;
  /** Of answered chat requests; percentiles by nearest rank. */
  readonly latencyMs: Summary['agents'][number]['latency_ms'];
  readonly activeMs: number;
  readonly tasksCreated: number;
  readonly tasksFailed: number;
  readonly tasksWaiting: number;
  /** Proposed tasks that were known already, and so not taken up. */
  readonly duplicatesSuppressed: number;
  /** Tasks that were done though one of the same words was done before. */
  readonly duplicatesDone: number;
  /** `classic`: tasks that a prioritized list left out, and entries of such lists that were no task: renamed or invented. */
  readonly tasksLost: number;
  readonly tasksInvented: number;
  /** Share of the iterations with a reply that was repaired or could not be used. */
  readonly repairRate: number | null;
  /** By how many tasks the list grew in an iteration. */
  readonly queueGrowth: number | null;
}

export interface ComparedRun {
  readonly run: string;
  readonly runId: string;
  readonly objective: string;
  readonly strategy: string;
  readonly model: string;
  readonly figures: RunFigures;
}

export interface Comparison {
  readonly runs: readonly ComparedRun[];
  /** What they were started with that is not the same in all: places in config.json, and the value of each run; prompts by sha256. */
  readonly differences: readonly { readonly at: string; readonly values: readonly unknown[] }[];
}

/** Puts runs side by side. Throws EngineError where one cannot be read. */
export async function compareRuns(
  disk: Disk,
  folders: readonly { readonly directory: string; readonly name: string }[],
): Promise<Comparison> {
  const runs: NamedRun[] = [];
  for (const { directory, name } of folders) runs.push({ name, state: await readRun(disk, directory) });
  return compareStates(runs);
}

interface NamedRun {
  readonly name: string;
  readonly state: RunState;
}

export function compareStates(runs: readonly NamedRun[]): Comparison {
  return {
    runs: runs.map(({ name, state }) => ({
      run: name,
      runId: state.config.run_id,
      objective: state.config.objective,
      strategy: state.config.strategy,
      model: state.config.model.requested,
      figures: figuresOf(state),
    })),
    differences: differencesOf(runs.map(({ state }) => state.config)),
  };
}

export function figuresOf(state: RunState): RunFigures {
  const { money } = state;
  const { iteration: takenOver, through } = state.config.forked_from ?? { iteration: 0, through: 0 };
  const iterations = ownIterations(state);
  const { requests, tokens, active_ms: activeMs, task_counts: tasks } = summarize(state);
  const calls = ownCalls(state);
  const all = [...state.tasks.values()];
  const isOwn = (iteration: number | null) => (iteration ?? 0) > takenOver;
  const withResult = all.filter((task) => resultOf(state, task) !== null);
  const done = withResult.filter(({ iteration }) => isOwn(iteration));
  const repeated = new Set([...repeatedOf(withResult)].filter(({ iteration }) => isOwn(iteration)));
  const usefulResults = done.filter((task) => !repeated.has(task) && resultOf(state, task)?.trim() !== '').length;
  const spent = money.settled + money.held;
  const made = all.filter(({ createdBy, createdIteration }) => createdBy === 'loop' && isOwn(createdIteration));
  return {
    iterations: state.iteration,
    iterationsTakenOver: takenOver,
    stopReason: state.end?.reason ?? null,
    results: done.length,
    usefulResults,
    costUsd: usdFromPico(spent),
    heldUsd: usdFromPico(money.held),
    costPerUsefulResultUsd: usefulResults === 0 ? null : usdFromPico(spent / BigInt(usefulResults)),
    inputTokens: tokens.input,
    outputTokens: tokens.output,
    requests: requests.made,
    requestsPerIteration: share(calls.filter(({ agent }) => agent !== 'synthesis').length, iterations.length),
    failedRequests: calls.filter(({ status }) => status === 'held' || status === 'released').length,
    latencyMs: latencyOf(
      calls.flatMap(({ status, agent, latencyMs }) =>
        status === 'settled' && agent !== 'embedding' ? (latencyMs ?? []) : [],
      ),
    ),
    activeMs,
    tasksCreated: made.length,
    tasksFailed: all.filter(({ state: how, iteration }) => how === 'failed' && isOwn(iteration)).length,
    tasksWaiting: tasks.pending + tasks.blocked,
    duplicatesSuppressed: state.suppressed.filter(
      ({ why, seq }) => seq > through && (why === 'same_text' || why === 'similar'),
    ).length,
    duplicatesDone: repeated.size,
    tasksLost: all.filter(({ removedWhy, changedSeq }) => removedWhy === LEFT_OUT && changedSeq > through).length,
    tasksInvented: made.filter(({ parentId }) => parentId === null).length,
    repairRate: share(iterations.filter(({ repaired, rejected }) => repaired || rejected).length, iterations.length),
    queueGrowth: share((iterations.at(-1)?.queue ?? 0) - (iterations[0]?.queue ?? 0), iterations.length - 1),
  };
}

/** Tasks of the same words as one that was done before them. */
function repeatedOf(done: readonly Task[]): Set<Task> {
  const known = new Set<string>();
  const inOrder = [...done].sort((one, other) => (one.iteration ?? 0) - (other.iteration ?? 0));
  return new Set(
    inOrder.filter((task) => {
      const text = normalized(task.text);
      const isKnown = known.has(text);
      known.add(text);
      return isKnown;
    }),
  );
}

function share(part: number, of: number): number | null {
  return of <= 0 ? null : Math.round((part / of) * 1000) / 1000;
}

/** What a run is by itself, or on its machine, and what its hash stands for. */
const OWN =
  /^(run_id|created_at|settings|environment\.(packages|git|platform|node_version|vscode_version))(\.|$)|^prompts\.[^.]+\.(text|source)$/;

/** The values of a configuration by their places; a list of plain values is one. */
function flat(value: unknown, at = ''): Map<string, unknown> {
  const found = new Map<string, unknown>();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return found.set(at, value);
  for (const [key, item] of Object.entries(value)) {
    const place = at === '' ? key : `${at}.${key}`;
    if (!OWN.test(place)) for (const [inner, leaf] of flat(item, place)) found.set(inner, leaf);
  }
  return found;
}

/** Where configurations of runs are not the same. */
export function differencesOf(values: readonly unknown[]): Comparison['differences'] {
  const configs = values.map((value) => flat(value));
  const places = new Set(configs.flatMap((config) => [...config.keys()]));
  return [...places].flatMap((at) => {
    const found = configs.map((config) => config.get(at) ?? null);
    const isSame = found.every((value) => JSON.stringify(value) === JSON.stringify(found[0]));
    return isSame ? [] : [{ at, values: found }];
  });
}
