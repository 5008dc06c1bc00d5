import * as vscode from 'vscode';
import { formatUsd, picoFromUsd } from '../budget/money.ts';
import { counted } from '../run/allowance.ts';
import { isIncluded } from '../run/cost-words.ts';
import { readyTasks } from '../run/queue.ts';
import type { RunState, Task } from '../run/state.ts';
import { printable } from '../safety/text.ts';
import { COMMANDS } from './ids.ts';
import { type Facet, runFacets, taskFacets } from './facets.ts';
import { runIcon, taskIcon } from './icons.ts';
import { untrusted } from './markdown-string.ts';
import type { GroupRow, MoreRow, NoteRow, RunRow, TaskRow } from './rows.ts';
import { figuresOf, groupWords, spokenRun, statusWords, taskStateWords } from './run-words.ts';
import type { RunEntry } from './runs.ts';
import { l10n } from './panel-l10n.ts';

const LABEL = 120;
/** Leaves room for the figures beside it; the tooltip has the whole. */
const RUN_LABEL = 60;
/** Of a task or a result, in a tooltip. */
const EXCERPT = 600;

export function runItem(row: RunRow, entry: RunEntry): vscode.TreeItem {
  const { brief } = entry;
  const objective = printable(brief.objective, LABEL);
  const live = entry.session !== null;
  // Only how it is first shown: what a person opens or closes stays so.
  const { Expanded, Collapsed } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(printable(objective, RUN_LABEL), live ? Expanded : Collapsed);
  item.id = row.id;
  const kind = [
    ...(brief.rehearsal ? [vscode.l10n.t('rehearsal')] : []),
    ...(brief.imported ? [vscode.l10n.t('imported')] : []),
  ];
  // What matters most comes first: the rest may not fit.
  const parts = [statusWords(brief), figuresOf(brief, live)];
  item.description = [...(brief.status === 'running' ? parts.reverse() : parts), ...kind].join(' · ');
  item.iconPath = runIcon(brief);
  item.contextValue = runFacets(entry);
  item.accessibilityInformation = { label: spokenRun(brief, objective) };
  return item;
}

/** The id of a task; in `classic` the number that the model gave it. */
function nameOf(state: RunState, task: Task): string {
  return state.config.strategy === 'classic' ? task.label : task.id;
}

/** `calls`: how many were made for it. `live`: its run is in progress in this window. */
export function taskItem(row: TaskRow, state: RunState, task: Task, calls: number, live: boolean): vscode.TreeItem {
  const text = printable(task.text, LABEL);
  const { Collapsed, None } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(text, calls > 0 ? Collapsed : None);
  item.id = row.id;
  const iteration = task.iteration === null ? '' : ` · ${vscode.l10n.t('iteration {0}', task.iteration)}`;
  // What matters most comes first: the rest may not fit.
  const blocked = task.state === 'blocked' ? `${taskStateWords(task.state)} · ` : '';
  item.description = `${blocked}${nameOf(state, task)}${iteration}`;
  item.iconPath = taskIcon(task.state);
  item.contextValue = taskFacets(task, live);
  item.accessibilityInformation = {
    label: vscode.l10n.t('Task {0}, {1}{2}', text, taskStateWords(task.state), iteration),
  };
  item.command = { command: COMMANDS.openSummary, title: vscode.l10n.t('Open Summary'), arguments: [row] };
  return item;
}

export function moreItem(row: MoreRow): vscode.TreeItem {
  const item = new vscode.TreeItem(moreLabel(row), vscode.TreeItemCollapsibleState.Collapsed);
  item.id = row.id;
  return item;
}

function moreLabel({ list, from, to, rest }: MoreRow): string {
  const what = list.of === 'tasks' ? taskStateWords(list.state) : vscode.l10n.t('calls');
  return rest ? vscode.l10n.t('… {0} more {1}', to - from, what) : vscode.l10n.t('{0}–{1} {2}', from + 1, to, what);
}

/** `today` is a day as runs-filter.ts names it. */
export function groupItem({ id, key, count }: GroupRow, today: string): vscode.TreeItem {
  const label = groupWords(key, today);
  const item = new vscode.TreeItem(label, vscode.TreeItemCollapsibleState.Expanded);
  item.id = id;
  item.description = String(count);
  item.contextValue = 'group' satisfies Facet;
  item.accessibilityInformation = {
    label: count === 1 ? vscode.l10n.t('{0}, 1 run', label) : vscode.l10n.t('{0}, {1} runs', label, count),
  };
  return item;
}

export function noteItem(row: NoteRow, problem: string | null): vscode.TreeItem {
  const item = new vscode.TreeItem(noteLabel(row, problem), vscode.TreeItemCollapsibleState.None);
  item.id = row.id;
  const icons = { suppressed: 'filter', problem: 'warning', older: 'history' } as const;
  item.iconPath = new vscode.ThemeIcon(icons[row.note]);
  if (row.note === 'suppressed')
    item.tooltip = vscode.l10n.t('Proposed tasks that were duplicates or too many. The summary lists them.');
  if (row.note === 'older')
    item.tooltip = vscode.l10n.t('Older runs are in the runs folder; the newest are listed here.');
  return item;
}

function noteLabel({ note, count }: NoteRow, problem: string | null): string {
  switch (note) {
    case 'suppressed':
      return count === 1 ? vscode.l10n.t('1 proposal suppressed') : vscode.l10n.t('{0} proposals suppressed', count);
    case 'older':
      return count === 1 ? vscode.l10n.t('1 older run') : vscode.l10n.t('{0} older runs', count);
    case 'problem':
      return printable(problem ?? vscode.l10n.t('The run cannot be read.'), 300);
    default:
      return note satisfies never;
  }
}

export function runTooltip(entry: RunEntry): vscode.MarkdownString {
  const { brief, view } = entry;
  const text = untrusted();
  text.appendText(printable(brief.objective, EXCERPT)).appendMarkdown('\n\n');
  const rows: [string, string][] = [[vscode.l10n.t('State'), statusWords(brief)]];
  if (view !== null) rows.push(...moneyRows(view.state), ...countedRows(view.state));
  rows.push([vscode.l10n.t('Iterations'), `${brief.iterations}/${brief.maxIterations}`]);
  if (view !== null) {
    const ready = readyTasks(view.state).length;
    rows.push([vscode.l10n.t('Waiting tasks'), String(ready)]);
    const blocked = view.state.pending.length - ready;
    if (blocked > 0) rows.push([vscode.l10n.t('Blocked tasks'), String(blocked)]);
    rows.push([vscode.l10n.t('Model'), view.state.config.model.requested]);
  }
  for (const [name, value] of rows) text.appendMarkdown('- ').appendText(`${name}: ${value}`).appendMarkdown('\n');
  if (brief.stopWords !== null) {
    const { meaning, next } = brief.stopWords;
    text.appendMarkdown('\n').appendText(`${l10n.known(meaning)} ${l10n.known(next)}`);
  }
  if (brief.rehearsal)
    text
      .appendMarkdown('\n\n')
      .appendText(vscode.l10n.t('Rehearsal: costs are what the model would cost; nothing is spent.'));
  return text;
}

function moneyRows({ config, money, limits }: RunState): [string, string][] {
  if (isIncluded(config))
    return [[vscode.l10n.t('Cost'), vscode.l10n.t('included, at a price that is not known here')]];
  const parts = [
    vscode.l10n.t('{0} settled', formatUsd(money.settled)),
    ...(money.held > 0n ? [vscode.l10n.t('{0} held', formatUsd(money.held))] : []),
    ...(money.reserved > 0n ? [vscode.l10n.t('{0} reserved', formatUsd(money.reserved))] : []),
  ];
  return [
    [
      vscode.l10n.t('Cost'),
      vscode.l10n.t('{0}; limit {1}', parts.join(', '), formatUsd(picoFromUsd(limits.max_cost_usd))),
    ],
  ];
}

function countedRows(state: RunState): [string, string][] {
  return counted(state).map(({ limit, used, cap }) => [
    limit === 'max_requests' ? vscode.l10n.t('Requests') : vscode.l10n.t('Tokens'),
    vscode.l10n.t('{0} of {1}', used, cap),
  ]);
}

export function taskTooltip(state: RunState, task: Task): vscode.MarkdownString {
  const text = untrusted();
  text.appendText(`${nameOf(state, task)} · ${taskStateWords(task.state)}`).appendMarkdown('\n\n');
  text.appendText(printable(task.text, EXCERPT));
  const result = state.calls.get(task.resultCallId ?? '')?.answer;
  const more = task.error?.message ?? task.removedWhy ?? task.blockedWhy ?? result ?? null;
  if (more !== null) text.appendMarkdown('\n\n---\n\n').appendText(printable(more, EXCERPT));
  return text;
}
