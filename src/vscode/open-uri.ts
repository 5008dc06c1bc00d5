import type * as vscode from 'vscode';
import type { App } from './app.ts';
import { openSummary } from './commands/documents.ts';
import { runsDirectories } from './workspace.ts';

/**
 * Opens what `vscode://<extension>/run?id=<run id>` names: the panel of that run, or else the list of runs. An address may
 * come from anywhere, so it starts nothing and changes nothing, and its words are not shown.
 */
export async function openUri(
  app: App,
  uri: Pick<vscode.Uri, 'path' | 'query'>,
  showRuns: () => unknown,
): Promise<void> {
  const runId = uri.path === '/run' ? new URLSearchParams(uri.query).get('id') : null;
  await app.runs.scan(runsDirectories());
  if (runId !== null && (await app.runs.locate(runId)) !== undefined) await openSummary(app, runId);
  else await showRuns();
}
