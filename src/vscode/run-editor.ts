import * as vscode from 'vscode';
import type { App } from './app.ts';
import { RUN_EDITOR } from './ids.ts';
import { runsDirectories } from './workspace.ts';

/** Offers the summary of a run as a read-only editor of its summary.json; as text that opens as ever. */
export function registerRunEditor(app: App): vscode.Disposable {
  return vscode.window.registerCustomEditorProvider(RUN_EDITOR, {
    openCustomDocument: (uri): vscode.CustomDocument => ({ uri, dispose: () => {} }),
    resolveCustomEditor: async ({ uri }, panel) => {
      const runId = await listedRun(app, vscode.Uri.joinPath(uri, '..').fsPath);
      if (runId === undefined) {
        panel.webview.html = note(
          vscode.l10n.t('This run is not listed: it is not in a runs folder of this workspace.'),
        );
        return;
      }
      (await app.panels()).fill(panel, runId);
    },
  });
}

/** The run in this folder, which may be a trial. An editor that comes back with its window may be there before the runs are listed. */
async function listedRun(app: App, directory: string): Promise<string | undefined> {
  const found = () => app.runs.entries.find((entry) => entry.directory === directory)?.runId;
  if (found() === undefined) {
    await app.runs.scan(runsDirectories());
  }
  return found() ?? (await (await app.experiments()).trialIn(directory)) ?? undefined;
}

/** `text` is ours: it has nothing in it that is HTML. */
function note(text: string): string {
  const policy = "default-src 'none'";
  return `<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><p>${text}</p>`;
}
