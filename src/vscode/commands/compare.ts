import * as vscode from 'vscode';
import type { App } from '../app.ts';
import { WHY_SCHEME } from '../ids.ts';
import { inQuickPick } from '../labels.ts';
import { runIdOf } from '../pick-run.ts';
import { standingWords } from '../run-words.ts';
import { showMarkdown } from './documents.ts';

/** Puts the runs that a person picks side by side, in a document. */
export async function compareRuns(app: App, argument: unknown): Promise<void> {
  const named = runIdOf(argument);
  const items = app.runs.entries.map((entry) => ({
    label: inQuickPick(entry.brief.objective, 80),
    description: standingWords(entry.brief, entry.session !== null),
    picked: entry.runId === named,
    runId: entry.runId,
  }));
  const picked = await vscode.window.showQuickPick(items, {
    canPickMany: true,
    title: vscode.l10n.t('Compare Runs'),
    placeHolder: vscode.l10n.t('Choose two runs or more'),
  });
  if (picked === undefined) return;
  if (picked.length < 2) {
    void vscode.window.showInformationMessage(vscode.l10n.t('A comparison needs two runs or more.'));
    return;
  }
  // Oldest first: what is compared usually came before what it is compared with.
  const query = picked.map(({ runId }) => runId).reverse();
  const path = `/${vscode.l10n.t('Comparison')}.md`;
  await showMarkdown(vscode.Uri.from({ scheme: WHY_SCHEME, path, query: query.join(',') }));
}
