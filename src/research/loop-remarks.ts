import type { RunState } from '../run/state.ts';
import { inEnglish, type Translate } from '../run/translate.ts';

/** Iterations that a judgement looks back on. */
const WINDOW = 10;
/** Fewer iterations than this say nothing. */
const ENOUGH = 3;
/** Of tasks that fail, or replies that need a repair, before it is worth a word. */
const SHARE = 0.25;

/** What is odd about how a loop goes: one sentence each, the worst first, each with what helps. */
export function loopRemarks(state: RunState, translated: Translate = inEnglish): string[] {
  const remarks = [failures, replies, repetition, growth, files, notices];
  return remarks.flatMap((remarkOn) => remarkOn(state, translated) ?? []);
}

function failures(state: RunState, translated: Translate): string | null {
  const failed = state.iterations.filter((record) => record.failed);
  const classes = failed.flatMap(({ taskId }) => state.tasks.get(taskId)?.error?.class ?? []);
  const usual = mostFrequent(classes);
  const why = usual === null ? '' : ` (${usual})`;
  if (state.failuresInARow >= 2) return translated('The last {0} tasks failed{1}.', state.failuresInARow, why);
  if (failed.length >= ENOUGH && failed.length >= SHARE * state.iterations.length) {
    return translated(
      '{0} of {1} tasks failed{2}: smaller tasks or another model may go better.',
      failed.length,
      state.iterations.length,
      why,
    );
  }
  return null;
}

function replies({ iterations, strikes }: RunState, translated: Translate): string | null {
  if (strikes >= 2)
    return translated('The last {0} planning replies were unusable: choose a model that keeps to a form.', strikes);
  const recent = iterations.slice(-WINDOW);
  const bad = recent.filter(({ repaired, rejected }) => repaired || rejected).length;
  if (recent.length < ENOUGH || bad <= SHARE * recent.length) return null;
  return translated(
    'In {0} of the last {1} iterations a reply had to be repaired or was unusable: choose a model that keeps to a form.',
    bad,
    recent.length,
  );
}

function repetition({ iterations }: RunState, translated: Translate): string | null {
  const recent = iterations.slice(-WINDOW);
  const suppressed = recent.reduce((sum, record) => sum + record.suppressed, 0);
  const created = recent.reduce((sum, record) => sum + record.created, 0);
  if (recent.length < ENOUGH || suppressed <= created) return null;
  return translated(
    '{0} of the last {1} proposed tasks were not taken up, most of them as duplicates: the loop goes in circles. Guide it, or narrow the objective.',
    suppressed,
    suppressed + created,
  );
}

function growth({ iterations, pending, limits, iteration }: RunState, translated: Translate): string | null {
  const recent = iterations.slice(-WINDOW);
  const [first] = recent;
  const last = recent.at(-1);
  if (first === undefined || last === undefined || recent.length < ENOUGH) return null;
  const pace = (last.queue - first.queue) / (recent.length - 1);
  const left = limits.max_iterations - iteration;
  if (pace <= 1 || pending.length <= left) return null;
  return translated(
    'The list grows by {0} tasks an iteration: {1} wait, and {2} iterations are left. Narrow the objective, or allow fewer new tasks.',
    Math.round(pace * 10) / 10,
    pending.length,
    left,
  );
}

function files({ refusedFiles }: RunState, translated: Translate): string | null {
  const last = refusedFiles.at(-1);
  if (last === undefined) return null;
  return refusedFiles.length === 1
    ? translated('1 file was refused: {0}', last.error.message)
    : translated('{0} files were refused, the last one because: {1}', refusedFiles.length, last.error.message);
}

function notices({ notices: all }: RunState, translated: Translate): string | null {
  const failed = [...all.values()].filter(({ status }) => status === 'failed').length;
  if (failed === 0) return null;
  return failed === 1
    ? translated('1 notice could not be delivered to everybody: look at how notices are set up.')
    : translated('{0} notices could not be delivered to everybody: look at how notices are set up.', failed);
}

function mostFrequent(names: readonly string[]): string | null {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? null;
}
