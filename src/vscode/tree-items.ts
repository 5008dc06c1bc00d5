import * as vscode from 'vscode';
import type { RunState, Task } from '../run/state.ts';
import { printable } from '../safety/text.ts';
import { COMMANDS } from './ids.ts';
import { type Facet, runFacets, taskFacets } from './facets.ts';
import { runIcon, taskIcon, unreadableIcon } from './icons.ts';
import type { GroupRow, MoreRow, NoteRow, RunRow, TaskRow } from './rows.ts';
import { figuresOf, groupWords, spokenRun, standingWords, statusWords, taskStateWords } from './run-words.ts';
import type { RunEntry } from './runs.ts';

const LABEL = 120;
/** Leaves room for the figures beside it in a narrow side bar; the tooltip has the whole. */
const RUN_LABEL = 20;
export function runItem(row: RunRow, entry: RunEntry): vscode.TreeItem {
  const { brief, problem } = entry;
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
  const standing =
    brief.status === 'running' ? [...figuresOf(brief, live), statusWords(brief)] : [standingWords(brief, live)];
  item.description = [...standing, ...kind].join(' · ');
  item.iconPath = runIcon(brief);
  item.contextValue = runFacets(entry);
  item.accessibilityInformation = { label: spokenRun(brief, objective) };
  if (problem !== null) {
    const words = vscode.l10n.t('cannot be read');
    item.description = words;
    item.iconPath = unreadableIcon();
    item.accessibilityInformation = { label: vscode.l10n.t('Run {0}, {1}.', objective, words) };
  }
  return item;
}

/** The id of a task; in `classic` the number that the model gave it. */
export function taskName(state: RunState, task: Task): string {
  return state.config.strategy === 'classic' ? task.label : task.id;
}

/** `calls`: how many were made for it. `live`: its run is in progress, and `here`, in this window. */
export function taskItem(
  row: TaskRow,
  state: RunState,
  task: Task,
  calls: number,
  { live, here }: { live: boolean; here: boolean },
): vscode.TreeItem {
  const text = printable(task.text, LABEL);
  const { Collapsed, None } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(text, calls > 0 ? Collapsed : None);
  item.id = row.id;
  const iteration = task.iteration === null ? '' : ` · ${vscode.l10n.t('iteration {0}', task.iteration)}`;
  const words = taskStateWords(task.state, live);
  item.description = `${words} · ${taskName(state, task)}${iteration}`;
  item.iconPath = taskIcon(task.state, live);
  item.contextValue = taskFacets(task, here);
  item.accessibilityInformation = {
    label: vscode.l10n.t('Task {0}, {1}{2}', text, words, iteration),
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
