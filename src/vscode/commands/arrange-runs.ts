import * as vscode from 'vscode';
import type { App } from '../app.ts';
import { inQuickPick } from '../labels.ts';
import { filterWords, groupingWords } from '../run-words.ts';
import { GROUPINGS, type Grouping, isShown, PLAIN, RUN_FILTERS, type RunFilter } from '../runs-filter.ts';
import { askPick } from '../steps.ts';

interface FilterItem extends vscode.QuickPickItem {
  readonly change: { readonly filter?: RunFilter; readonly text?: string };
}

/** Asks which runs are to be shown: those that stand in some way, and those whose objective has a text. */
export async function filterRuns({ runs, choice }: App): Promise<void> {
  const { filter, text } = choice.arrangement;
  const items: FilterItem[] = RUN_FILTERS.map((each) => {
    // A text that was chosen goes on to count, unless all are to be shown.
    const change = each === 'all' ? { filter: each, text: '' } : { filter: each };
    const count = runs.entries.filter(({ brief }) => isShown(brief, { ...choice.arrangement, ...change })).length;
    return { label: filterWords(each), description: String(count), change, ...chosenMark(each === filter) };
  });
  const picked = await askPick<FilterItem>({
    title: vscode.l10n.t('Filter Runs'),
    placeholder:
      text === ''
        ? vscode.l10n.t('Choose which runs to show, or type a text of the objective')
        : vscode.l10n.t('Now with “{0}” in the objective: choose which runs to show, or type another text', text),
    items,
    active: items.find(({ change }) => change.filter === filter),
    typed: (typed) => ({
      label: inQuickPick(typed),
      description: vscode.l10n.t('runs with this text in their objective'),
      change: { text: typed },
    }),
  });
  if (typeof picked === 'object') await choice.choose(picked.change);
}

/** Shows all runs again; groups stay. */
export async function showAllRuns({ choice }: App): Promise<void> {
  await choice.choose({ filter: PLAIN.filter, text: PLAIN.text });
}

/** Asks how the runs are to be grouped. */
export async function groupRuns({ choice }: App): Promise<void> {
  const now = choice.arrangement.grouping;
  const items = GROUPINGS.map((grouping): vscode.QuickPickItem & { grouping: Grouping } => ({
    label: groupingWords(grouping),
    grouping,
    ...chosenMark(grouping === now),
  }));
  const picked = await askPick({
    title: vscode.l10n.t('Group Runs'),
    placeholder: vscode.l10n.t('How are the runs to be grouped?'),
    items,
    active: items.find(({ grouping }) => grouping === now),
  });
  if (typeof picked === 'object') await choice.choose({ grouping: picked.grouping });
}

function chosenMark(chosen: boolean): { iconPath: vscode.ThemeIcon } {
  return { iconPath: new vscode.ThemeIcon(chosen ? 'check' : 'blank') };
}
