import * as vscode from 'vscode';
import { nodeDisk } from '../runlog/disk.ts';
import { runFolder } from '../runlog/folder.ts';
import type { Runs } from './runs.ts';
import { whyDocument } from './why-document.ts';

/** The text of a `babyagi-why:` document. */
export async function whyText(runs: Runs, runId: string): Promise<string> {
  const entry = runs.entry(runId);
  const run = await runs.open(runId);
  if (!entry || !run) return `${entry?.problem ?? vscode.l10n.t('This run is not there any more.')}\n`;
  const owned = entry.session !== null || entry.isElsewhere;
  const imported = await nodeDisk.exists(runFolder(run.directory).imported);
  return whyDocument(run.state, { directory: run.directory, owned, imported });
}
