import type { RunState, Task, TaskState } from '../run/state.ts';

/** A row of the Runs view. `id` is stable over refreshes and reloads. */
export type Row = GroupRow | RunRow | TaskRow | CallsRow | CallRow | MoreRow | NoteRow;

/** Runs that belong together; `key` is that of runs-filter.ts. */
export interface GroupRow {
  readonly kind: 'group';
  readonly id: string;
  readonly runId: null;
  readonly key: string;
  readonly count: number;
}

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

/** The calls that were made for no task. */
export interface CallsRow {
  readonly kind: 'calls';
  readonly id: string;
  readonly runId: string;
  readonly count: number;
}

export interface CallRow {
  readonly kind: 'call';
  readonly id: string;
  readonly runId: string;
  readonly callId: string;
}

/** A list that is shown in pages: the tasks of one state, or the calls of a task (null: of none). */
export type RowList =
  | { readonly of: 'tasks'; readonly state: TaskState }
  | { readonly of: 'calls'; readonly taskId: string | null };

/** What of a list is shown when this row is opened: from the `from`-th up to before the `to`-th, counted from 0. */
export interface MoreRow {
  readonly kind: 'more';
  readonly id: string;
  readonly runId: string;
  readonly list: RowList;
  readonly from: number;
  readonly to: number;
  /** All that the first page leaves out, rather than one page of it. */
  readonly rest: boolean;
}

export interface NoteRow {
  readonly kind: 'note';
  readonly id: string;
  readonly runId: string | null;
  readonly note: 'suppressed' | 'problem' | 'older';
  readonly count: number;
}

/** The ids of a task's calls, oldest first; null: of the calls that are for no task. */
export type CallsOf = (taskId: string | null) => readonly string[];

/** Rows of one list that are made at once, at the most. */
export const PAGE = 100;

/** Waiting tasks come in their order, finished ones latest first. */
const ORDER: readonly TaskState[] = ['running', 'pending', 'done', 'failed', 'removed'];

export function runRow(runId: string): RunRow {
  return { kind: 'run', id: runId, runId };
}

export function taskRowId(runId: string, taskId: string): string {
  return `${runId}/task/${taskId}`;
}

export function callsRowId(runId: string): string {
  return `${runId}/calls`;
}

/** What is below a run: its tasks by state, the calls that are for no task, and how many proposals were not taken up. */
export function rowsOfRun(state: RunState, callsOf: CallsOf): Row[] {
  const tasks = tasksByState(state);
  const runId = state.config.run_id;
  const rows: Row[] = ORDER.flatMap((group) => firstPage(runId, { of: 'tasks', state: group }, tasks[group]));
  const others = callsOf(null).length;
  if (others > 0) rows.push({ kind: 'calls', id: callsRowId(runId), runId, count: others });
  const suppressed = state.suppressed.length;
  if (suppressed > 0)
    rows.push({ kind: 'note', id: `${runId}/suppressed`, runId, note: 'suppressed', count: suppressed });
  return rows;
}

/** The calls of a task, in the order in which they were made. */
export function rowsOfTask({ runId, taskId }: { runId: string; taskId: string | null }, callsOf: CallsOf): Row[] {
  return firstPage(runId, { of: 'calls', taskId }, callsOf(taskId));
}

/** Behind a page are its rows; behind all the rest are pages, and pages of pages where those are too many. */
export function rowsOfMore(state: RunState, { runId, list, from, to, rest }: MoreRow, callsOf: CallsOf): Row[] {
  const ids = list.of === 'tasks' ? tasksByState(state)[list.state] : callsOf(list.taskId);
  const end = rest ? ids.length : Math.min(to, ids.length);
  if (end - from <= PAGE) return ids.slice(from, end).map((id) => rowOf(runId, list, id));
  let size = PAGE;
  while ((end - from) / size > PAGE) size *= PAGE;
  const pages: Row[] = [];
  for (let at = from; at < end; at += size) pages.push(moreRow(runId, list, at, Math.min(at + size, end), false));
  return pages;
}

function firstPage(runId: string, list: RowList, ids: readonly string[]): Row[] {
  const rows: Row[] = ids.slice(0, PAGE).map((id) => rowOf(runId, list, id));
  if (ids.length > PAGE) rows.push(moreRow(runId, list, PAGE, ids.length, true));
  return rows;
}

function rowOf(runId: string, list: RowList, id: string): Row {
  if (list.of === 'tasks') return { kind: 'task', id: taskRowId(runId, id), runId, taskId: id };
  return { kind: 'call', id: `${runId}/call/${id}`, runId, callId: id };
}

function moreRow(runId: string, list: RowList, from: number, to: number, rest: boolean): MoreRow {
  const name = list.of === 'tasks' ? list.state : `calls/${list.taskId ?? ''}`;
  const id = `${runId}/more/${name}/${rest ? 'rest' : `${from}-${to - from > PAGE ? 'pages' : 'page'}`}`;
  return { kind: 'more', id, runId, list, from, to, rest };
}

function tasksByState(state: RunState): Record<TaskState, readonly string[]> {
  const groups: Record<Exclude<TaskState, 'pending' | 'blocked'>, Task[]> = {
    running: [],
    done: [],
    failed: [],
    removed: [],
  };
  for (const task of state.tasks.values()) {
    if (task.state !== 'pending' && task.state !== 'blocked') groups[task.state].push(task);
  }
  const latestFirst = (a: Task, b: Task) => (b.iteration ?? 0) - (a.iteration ?? 0);
  groups.done.sort(latestFirst);
  groups.failed.sort(latestFirst);
  const ids = (tasks: readonly Task[]) => tasks.map(({ id }) => id);
  return {
    running: ids(groups.running),
    pending: state.pending,
    // At their places among those that wait.
    blocked: [],
    done: ids(groups.done),
    failed: ids(groups.failed),
    removed: ids(groups.removed),
  };
}
