import type { RunState, Task, TaskState } from '../run/state.ts';

/** A row of the Runs view. `id` is stable over refreshes and reloads. */
export type Row = RunRow | TaskRow | MoreRow | NoteRow;

export interface RunRow {
  readonly kind: 'run';
  readonly id: string;
  readonly runId: string;
}

export interface TaskRow {
  readonly kind: 'task';
  readonly id: string;
  readonly runId: string;
  readonly taskId: string;
}

/** The tasks of one state from the `from`-th on, shown when it is opened. */
export interface MoreRow {
  readonly kind: 'more';
  readonly id: string;
  readonly runId: string;
  readonly state: TaskState;
  readonly from: number;
  readonly count: number;
}

export interface NoteRow {
  readonly kind: 'note';
  readonly id: string;
  readonly runId: string | null;
  readonly note: 'suppressed' | 'problem' | 'older';
  readonly count: number;
}

/** Rows of one state that are shown at once. */
export const PAGE = 200;

/** Waiting tasks come in their order, finished ones latest first. */
const ORDER: readonly TaskState[] = ['running', 'pending', 'done', 'failed', 'removed'];

export function runRow(runId: string): RunRow {
  return { kind: 'run', id: runId, runId };
}

/** What is below a run: its tasks by state, and how many proposals were not taken up. */
export function rowsOfRun(state: RunState): Row[] {
  const tasks = tasksByState(state);
  const runId = state.config.run_id;
  const rows: Row[] = ORDER.flatMap((group) => page(runId, group, tasks[group], 0));
  const suppressed = state.suppressed.length;
  if (suppressed > 0)
    rows.push({ kind: 'note', id: `${runId}/suppressed`, runId, note: 'suppressed', count: suppressed });
  return rows;
}

export function rowsOfMore(state: RunState, { runId, state: group, from }: MoreRow): Row[] {
  return page(runId, group, tasksByState(state)[group], from);
}

function page(runId: string, state: TaskState, tasks: readonly Task[], from: number): Row[] {
  const rows: Row[] = tasks
    .slice(from, from + PAGE)
    .map(({ id }) => ({ kind: 'task', id: `${runId}/${id}`, runId, taskId: id }));
  const count = tasks.length - from - PAGE;
  if (count > 0)
    rows.push({ kind: 'more', id: `${runId}/more/${state}/${from + PAGE}`, runId, state, from: from + PAGE, count });
  return rows;
}

function tasksByState(state: RunState): Record<TaskState, Task[]> {
  const groups: Record<TaskState, Task[]> = { running: [], pending: [], done: [], failed: [], removed: [] };
  for (const task of state.tasks.values()) if (task.state !== 'pending') groups[task.state].push(task);
  for (const id of state.pending) {
    const task = state.tasks.get(id);
    if (task) groups.pending.push(task);
  }
  const latestFirst = (a: Task, b: Task) => (b.iteration ?? 0) - (a.iteration ?? 0);
  groups.done.sort(latestFirst);
  groups.failed.sort(latestFirst);
  return groups;
}
