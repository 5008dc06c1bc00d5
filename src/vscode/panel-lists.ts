import { isIncluded } from '../run/cost-words.ts';
import type { RunEventOf } from '../run/events.ts';
import { type Call, type RunState, resultOf, type Task } from '../run/state.ts';
import { printable } from '../safety/text.ts';
import { l10n } from './panel-l10n.ts';
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
import { agentWord, amountWords } from './panel-words.ts';

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
  if (group === 'pending' || group === 'blocked') {
    return state.pending.flatMap((id) => {
      const task = state.tasks.get(id);
      return task?.state === group ? [{ task }] : [];
    });
  }
  const tasks = [...state.tasks.values()].filter((task) => task.state === group);
  return tasks.sort((a, b) => (b.iteration ?? 0) - (a.iteration ?? 0)).map((task) => ({ task }));
}

function rowOf(state: RunState, listed: Listed): TaskRow {
  if ('suppressed' in listed) {
    const { suppressed, index } = listed;
    return {
      key: `suppressed-${index}`,
      taskId: null,
      group: 'suppressed',
      text: printable(suppressed.text, ROW_TEXT),
      lineage: proposedWords(suppressed),
      at: suppressed.ts,
      why: whySuppressed(state, suppressed),
      version: '',
    };
  }
  const { task } = listed;
  const place = state.pending.indexOf(task.id) + 1;
  return {
    key: task.id,
    taskId: task.id,
    group: task.state,
    text: printable(task.text, ROW_TEXT),
    lineage: `${origin(task)}, ${fate(task, place)}`,
    at:
      state.iterations[task.createdIteration - 1]?.at ??
      (task.createdIteration === 0 ? state.startedAt : state.updatedAt),
    why: whyOf(task),
    version: `${task.state} ${place} ${task.resultCallId ?? ''} ${task.text}`,
  };
}

/** Why it failed, was removed or is blocked, as far as it was said. */
function whyOf({ error, removedWhy, blockedWhy }: Task): string | null {
  if (error) return printable(error.message, ROW_TEXT);
  return removedWhy === null ? blockedWhy && printable(blockedWhy, ROW_TEXT) : removedWords(removedWhy);
}

function proposedWords({ iteration, parent_task_id }: RunEventOf<'task.suppressed'>): string {
  return parent_task_id === null
    ? l10n.t('Proposed by the loop in iteration {0}, not taken up', iteration)
    : l10n.t('Proposed by the loop in iteration {0} from {1}, not taken up', iteration, parent_task_id);
}

/** The reason is a phrase of this program in most cases. */
function removedWords(why: string): string {
  return l10n.known(printable(why, ROW_TEXT));
}

function origin({ createdBy, createdIteration, parentId }: Task): string {
  switch (createdBy) {
    case 'initial':
      return l10n.t('The initial task');
    case 'user':
      return createdIteration === 0
        ? l10n.t('Added by a person')
        : l10n.t('Added by a person after iteration {0}', createdIteration);
    case 'loop':
      return parentId === null
        ? l10n.t('Created by the loop in iteration {0}', createdIteration)
        : l10n.t('Created by the loop in iteration {0} from {1}', createdIteration, parentId);
    default:
      return createdBy satisfies never;
  }
}

function fate(task: Task, place: number): string {
  const iteration = task.iteration ?? '?';
  switch (task.state) {
    case 'pending':
      return l10n.t('number {0} in the queue', place);
    case 'blocked':
      return l10n.t('held back at number {0} of the queue', place);
    case 'running':
      return l10n.t('under way in iteration {0}', iteration);
    case 'done':
      return l10n.t('done in iteration {0}', iteration);
    case 'failed':
      return l10n.t('failed in iteration {0}', iteration);
    case 'removed':
      return l10n.t('removed');
    default:
      return task.state satisfies never;
  }
}

function whySuppressed(state: RunState, event: RunEventOf<'task.suppressed'>): string {
  const other = event.duplicate_of ?? l10n.t('another task');
  switch (event.why) {
    case 'same_text':
      return l10n.t('It says the same as {0}.', other);
    case 'similar':
      return event.similarity === null
        ? l10n.t('It is a duplicate of {0}.', other)
        : l10n.t('It is a duplicate of {0} ({1} % alike).', other, Math.round(event.similarity * 100));
    case 'too_many':
      return l10n.t('One iteration may add {0} tasks.', state.config.loop.max_new_tasks_per_iteration);
    case 'queue_full':
      return l10n.t('{0} tasks may wait at once.', state.config.loop.max_pending_tasks);
    default:
      return event.why satisfies never;
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
    agent: agentWord(call.agent),
    taskId: call.taskId,
    iteration: call.iteration,
    attempt: call.attempt,
    model: printable(call.model, 80),
    input: settled ? call.inputTokens : null,
    output: settled ? call.outputTokens : null,
    latencyMs: call.latencyMs,
    cost: amountWords(config, call.status === 'reserved' ? call.reserved : call.cost),
    status: call.status,
    outcome: outcomeOf(call),
  };
}

function outcomeOf(call: Call): string {
  const why = call.error ? printable(call.error.message, ROW_TEXT) : '';
  switch (call.status) {
    case 'reserved':
      return l10n.t('Under way');
    case 'settled':
      return call.finishReason === 'length' ? l10n.t('Answered, cut off at the length limit') : l10n.t('Answered');
    case 'held':
      return why === ''
        ? l10n.t('Outcome unknown, counted in full')
        : l10n.t('Outcome unknown, counted in full: {0}', why);
    case 'released':
      return why === '' ? l10n.t('Failed, not charged') : l10n.t('Failed, not charged: {0}', why);
    default:
      return call.status satisfies never;
  }
}

/** The whole text of a task and its result, or null where there is no such task. The history comes from the log. */
export function taskDetail(state: RunState, taskId: string): TaskDetail | null {
  const task = state.tasks.get(taskId);
  if (!task) return null;
  const result = resultOf(state, task);
  return { taskId, text: visible(task.text), ...cut(result), history: null };
}

function cut(result: string | null): Pick<TaskDetail, 'result' | 'note'> {
  if (result === null) return { result: null, note: null };
  const long = result.length > MAX_MARKDOWN;
  return {
    result: visible(result.slice(0, MAX_MARKDOWN)),
    note: long ? l10n.t('The result is longer; the whole is in the summary document.') : null,
  };
}

/** The closing answer, as last written. */
export function closingAnswer(state: RunState, calls: readonly Call[]): PanelAnswer {
  const call = calls.findLast(
    ({ agent, status, answer }) => agent === 'synthesis' && status === 'settled' && (answer ?? '').trim() !== '',
  );
  if (!call?.answer) {
    if (!state.config.loop.synthesis)
      return { markdown: null, note: l10n.t('The run was started without a closing answer.') };
    const note = state.end
      ? l10n.t('No closing answer was written.')
      : l10n.t('The closing answer is written when the run ends.');
    return { markdown: null, note };
  }
  const model = printable(call.model, 80);
  const parts = [
    isIncluded(state.config)
      ? l10n.t('Written after iteration {0} by {1}.', call.iteration, model)
      : l10n.t(
          'Written after iteration {0} by {1} for {2}.',
          call.iteration,
          model,
          amountWords(state.config, call.cost),
        ),
  ];
  if (state.iteration > call.iteration) parts.push(l10n.t('The run went on to iteration {0}.', state.iteration));
  if (call.finishReason === 'length') parts.push(l10n.t('It was cut off at the limit of its length.'));
  if (call.answer.length > MAX_MARKDOWN) parts.push(l10n.t('It is longer; the whole is in the answer file.'));
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
