import type { RunState } from '../run/state.ts';

/** Iterations that a judgement looks back on. */
const WINDOW = 10;
/** Fewer iterations than this say nothing. */
const ENOUGH = 3;
/** Of tasks that fail, or replies that need a repair, before it is worth a word. */
const SHARE = 0.25;

/** What is odd about how a loop goes: one sentence each, the worst first, each with what helps. */
export function loopRemarks(state: RunState): string[] {
  return [failures(state), replies(state), repetition(state), growth(state), files(state), notices(state)].flatMap(
    (remark) => remark ?? [],
  );
}

function failures(state: RunState): string | null {
  const failed = state.iterations.filter((record) => record.failed);
  const classes = failed.flatMap(({ taskId }) => state.tasks.get(taskId)?.error?.class ?? []);
  const usual = mostFrequent(classes);
  const why = usual === null ? '' : ` (${usual})`;
  if (state.failuresInARow >= 2) return `The last ${state.failuresInARow} tasks failed${why}.`;
  if (failed.length >= ENOUGH && failed.length >= SHARE * state.iterations.length) {
    return `${failed.length} of ${state.iterations.length} tasks failed${why}: smaller tasks or another model may go better.`;
  }
  return null;
}

function replies({ iterations, strikes }: RunState): string | null {
  if (strikes >= 2) return `The last ${strikes} planning replies were unusable: choose a model that keeps to a form.`;
  const recent = iterations.slice(-WINDOW);
  const bad = recent.filter(({ repaired, rejected }) => repaired || rejected).length;
  if (recent.length < ENOUGH || bad <= SHARE * recent.length) return null;
  return `In ${bad} of the last ${recent.length} iterations a reply had to be repaired or was unusable: choose a model that keeps to a form.`;
}

function repetition({ iterations }: RunState): string | null {
  const recent = iterations.slice(-WINDOW);
  const suppressed = recent.reduce((sum, record) => sum + record.suppressed, 0);
  const created = recent.reduce((sum, record) => sum + record.created, 0);
  if (recent.length < ENOUGH || suppressed <= created) return null;
  return `${suppressed} of the last ${suppressed + created} proposed tasks were not taken up, most of them as duplicates: the loop goes in circles. Guide it, or narrow the objective.`;
}

function growth({ iterations, pending, limits, iteration }: RunState): string | null {
  const recent = iterations.slice(-WINDOW);
  const [first] = recent;
  const last = recent.at(-1);
  if (first === undefined || last === undefined || recent.length < ENOUGH) return null;
  const pace = (last.queue - first.queue) / (recent.length - 1);
  const left = limits.max_iterations - iteration;
  if (pace <= 1 || pending.length <= left) return null;
  return `The list grows by ${Math.round(pace * 10) / 10} tasks an iteration: ${pending.length} wait, and ${left} iterations are left. Narrow the objective, or allow fewer new tasks.`;
}

function files({ refusedFiles }: RunState): string | null {
  const last = refusedFiles.at(-1);
  if (last === undefined) return null;
  return `${refusedFiles.length === 1 ? '1 file was' : `${refusedFiles.length} files were`} refused, the last one because: ${last.error.message}`;
}

function notices({ notices: all }: RunState): string | null {
  const failed = [...all.values()].filter(({ status }) => status === 'failed').length;
  return failed === 0
    ? null
    : `${failed === 1 ? '1 notice' : `${failed} notices`} could not be delivered: look at the webhook.`;
}

function mostFrequent(names: readonly string[]): string | null {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? null;
}
