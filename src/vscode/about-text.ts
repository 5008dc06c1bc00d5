import * as vscode from 'vscode';
import { compareStates } from '../research/compare.ts';
import { comparisonMarkdown } from '../research/compare-markdown.ts';
import { nodeDisk } from '../runlog/disk.ts';
import { runFolder } from '../runlog/folder.ts';
import { inWindow } from './panel-words.ts';
import type { RunView } from './run-view.ts';
import type { Runs } from './runs.ts';
import { whyDocument } from './why-document.ts';

/** The text of a `babyagi-why:` document: about one run, or about several side by side. */
export async function aboutText(runs: Runs, query: string): Promise<string> {
  const ids = query.split(',');
  const views: RunView[] = [];
  for (const id of ids) {
    const view = await runs.open(id);
    if (!view) return `${runs.entry(id)?.problem ?? vscode.l10n.t('This run is not there any more.')}\n`;
    views.push(view);
  }
  const [view] = views;
  if (view === undefined || ids.length > 1) {
    const named = views.map(({ directory, state }) => ({ name: directory, state }));
    return comparisonMarkdown(compareStates(named), inWindow());
  }
  const entry = runs.entry(view.runId);
  const owned = entry !== undefined && (entry.session !== null || entry.isElsewhere);
  const imported = await nodeDisk.exists(runFolder(view.directory).imported);
  return whyDocument(view.state, { directory: view.directory, owned, imported });
}
