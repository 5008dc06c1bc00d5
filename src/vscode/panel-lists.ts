import { costWords, isIncluded } from '../run/cost-words.ts';
import type { RunEventOf } from '../run/events.ts';
import { type Call, type RunState, resultOf, type Task } from '../run/state.ts';
import { printable } from '../safety/text.ts';
import {
  type CallRow,
  type CallsSection,
  type PanelAnswer,
  type PanelView,
  TASK_GROUPS,
  type TaskDetail,
  type TaskGroup,
  type TaskRow,
  type TasksSection,
} from './panel-messages.ts';

const TASKS_ON_A_PAGE = 50;
const CALLS_ON_A_PAGE = 50;
const ROW_TEXT = 300;
/** Longer Markdown makes a page slow, and nobody reads it there. */
const MAX_MARKDOWN = 60_000;

type Listed = { readonly task: Task } | { readonly suppressed: RunEventOf<'task.suppressed'>; readonly index: number };

/** One page of the task list: what runs, what waits in order, then what is over, newest first. */
export function tasksSection(state: RunState, { taskFilter, taskPage }: PanelView): TasksSection {
  const groups = taskFilter === 'all' ? TASK_GROUPS : [taskFilter];
  const listed = groups.flatMap((group) => tasksOf(state, group));
  const { page, pages, start } = paged(listed.length, taskPage, TASKS_ON_A_PAGE);
  const rows = listed.slice(start, start + TASKS_ON_A_PAGE).map((each) => rowOf(state, each));
  return { filter: taskFilter, total: listed.length, page, pages, rows };
}

function tasksOf(state: RunState, group: TaskGroup): Listed[] {
  if (group === 'suppressed') return state.suppressed.map((suppressed, index) => ({ suppressed, index })).reverse();
  if (group === 'pending') {
    return state.pending.flatMap((id) => {
      const task = state.tasks.get(id);
      return task ? [{ task }] : [];
    });
  }
  const tasks = [...state.tasks.values()].filter((task) => task.state === group);
  return tasks.sort((a, b) => (b.iteration ?? 0) - (a.iteration ?? 0)).map((task) => ({ task }));
}

function rowOf(state: RunState, listed: Listed): TaskRow {
  if ('suppressed' in listed) {
    const { suppressed, index } = listed;
    const parent = suppressed.parent_task_id === null ? '' : ` from ${suppressed.parent_task_id}`;
    return {
      key: `suppressed-${index}`,
      taskId: null,
      group: 'suppressed',
      text: printable(suppressed.text, ROW_TEXT),
      lineage: `Proposed by the loop in iteration ${suppressed.iteration}${parent}, not taken up`,
      at: suppressed.ts,
      why: whySuppressed(state, suppressed),
      version: '',
    };
  }
  const { task } = listed;
  return {
    key: task.id,
    taskId: task.id,
    group: task.state,
    text: printable(task.text, ROW_TEXT),
    lineage: `${origin(task)}${fate(state, task)}`,
    at:
      state.iterations[task.createdIteration - 1]?.at ??
      (task.createdIteration === 0 ? state.startedAt : state.updatedAt),
    why: task.error ? printable(task.error.message, ROW_TEXT) : task.removedWhy,
    version: `${task.state} ${task.resultCallId ?? ''} ${task.text.length}`,
  };
}

function origin({ createdBy, createdIteration, parentId }: Task): string {
  switch (createdBy) {
    case 'initial':
      return 'The initial task';
    case 'user':
      return createdIteration === 0 ? 'Added by a person' : `Added by a person after iteration ${createdIteration}`;
    case 'loop':
      return `Created by the loop in iteration ${createdIteration}${parentId === null ? '' : ` from ${parentId}`}`;
  }
}

function fate(state: RunState, task: Task): string {
  switch (task.state) {
    case 'pending':
      return `, number ${state.pending.indexOf(task.id) + 1} in the queue`;
    case 'running':
      return `, under way in iteration ${task.iteration ?? '?'}`;
    case 'done':
      return `, done in iteration ${task.iteration ?? '?'}`;
    case 'failed':
      return `, failed in iteration ${task.iteration ?? '?'}`;
    case 'removed':
      return ', removed';
  }
}

function whySuppressed(state: RunState, event: RunEventOf<'task.suppressed'>): string {
  const other = event.duplicate_of ?? 'another task';
  switch (event.why) {
    case 'same_text':
      return `It says the same as ${other}.`;
    case 'similar':
      return `It is a duplicate of ${other}${event.similarity === null ? '' : ` (${Math.round(event.similarity * 100)} % alike)`}.`;
    case 'too_many':
      return `One iteration may add ${state.config.loop.max_new_tasks_per_iteration} tasks.`;
    case 'queue_full':
      return `${state.config.loop.max_pending_tasks} tasks may wait at once.`;
  }
}

/** One page of the calls, newest first. `calls` is in the order of their reservations. */
export function callsSection({ config }: RunState, calls: readonly Call[], { callPage }: PanelView): CallsSection {
  const { page, pages, start } = paged(calls.length, callPage, CALLS_ON_A_PAGE);
  const end = calls.length - start;
  const rows = calls.slice(Math.max(0, end - CALLS_ON_A_PAGE), end).reverse();
  return { total: calls.length, page, pages, rows: rows.map((call) => callRow(config, call)) };
}

function callRow(config: RunState['config'], call: Call): CallRow {
  const settled = call.status === 'settled';
  return {
    id: call.id,
    at: call.reservedAt,
    agent: call.agent,
    taskId: call.taskId,
    iteration: call.iteration,
    attempt: call.attempt,
    model: printable(call.model, 80),
    input: settled ? call.inputTokens : null,
    output: settled ? call.outputTokens : null,
    latencyMs: call.latencyMs,
    cost: costWords(config, call.status === 'reserved' ? call.reserved : call.cost),
    status: call.status,
    outcome: outcomeOf(call),
  };
}

function outcomeOf(call: Call): string {
  const why = call.error ? printable(call.error.message, ROW_TEXT) : '';
  switch (call.status) {
    case 'reserved':
      return 'Under way';
    case 'settled':
      return call.finishReason === 'length' ? 'Answered, cut off at the length limit' : 'Answered';
    case 'held':
      return `Outcome unknown, counted in full${why === '' ? '' : `: ${why}`}`;
    case 'released':
      return `Failed, not charged${why === '' ? '' : `: ${why}`}`;
  }
}

/** The whole text of a task and its result, or null where there is no such task. */
export function taskDetail(state: RunState, taskId: string): TaskDetail | null {
  const task = state.tasks.get(taskId);
  if (!task) return null;
  const result = resultOf(state, task);
  return { taskId, text: visible(task.text), ...cut(result) };
}

function cut(result: string | null): Pick<TaskDetail, 'result' | 'note'> {
  if (result === null) return { result: null, note: null };
  const long = result.length > MAX_MARKDOWN;
  return {
    result: visible(result.slice(0, MAX_MARKDOWN)),
    note: long ? 'The result is longer; the whole is in the summary document.' : null,
  };
}

/** The closing answer, as last written. */
export function closingAnswer(state: RunState, calls: readonly Call[]): PanelAnswer {
  const call = calls.findLast(
    ({ agent, status, answer }) => agent === 'synthesis' && status === 'settled' && (answer ?? '').trim() !== '',
  );
  if (!call?.answer) {
    const none = state.config.loop.synthesis
      ? 'No closing answer was written.'
      : 'The run was started without a closing answer.';
    const later = state.config.loop.synthesis ? 'The closing answer is written when the run ends.' : none;
    return { markdown: null, note: state.status === 'ended' ? none : later };
  }
  const parts = [
    `Written after iteration ${call.iteration} by ${printable(call.model, 80)}${isIncluded(state.config) ? '' : ` for ${costWords(state.config, call.cost)}`}.`,
  ];
  if (state.iteration > call.iteration) parts.push(`The run went on to iteration ${state.iteration}.`);
  if (call.finishReason === 'length') parts.push('It was cut off at the limit of its length.');
  if (call.answer.length > MAX_MARKDOWN) parts.push('It is longer; the whole is in the answer file.');
  return { markdown: visible(call.answer.slice(0, MAX_MARKDOWN)), note: parts.join(' ') };
}

// Characters that change the direction of the text around them could make a text look like another.
const DIRECTION = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text of a model, on lines as it is. */
export function visible(text: string): string {
  return text.replace(DIRECTION, '');
}

function paged(total: number, wanted: number, size: number): { page: number; pages: number; start: number } {
  const pages = Math.max(1, Math.ceil(total / size));
  const page = Math.min(wanted, pages - 1);
  return { page, pages, start: page * size };
}
