import * as vscode from 'vscode';
import type { RunSettings } from '../../run/settings.ts';
import type { App } from '../app.ts';
import { VIEW_CONTAINER } from '../ids.ts';
import { watchRun } from '../progress.ts';
import type { Configured } from '../settings.ts';
import { tellProblem } from '../tell.ts';
import { promptsDirectoryOf, runsDirectoryOf } from '../workspace.ts';

/** Starts a run and shows it: in the Runs view, in the status bar and as a notification that can stop it. */
export async function launch(
  app: App,
  request: {
    readonly settings: RunSettings;
    readonly provider: 'openai' | 'rehearsal';
    readonly configured: Configured;
    readonly folder: vscode.WorkspaceFolder;
  },
): Promise<void> {
  const { folder, configured } = request;
  try {
    const run = await app.control.start({
      ...request,
      workspace: folder.uri.fsPath,
      runsDirectory: runsDirectoryOf(folder, configured),
      promptsDirectory: promptsDirectoryOf(folder, configured),
    });
    watchRun(app.runs, run);
    await vscode.commands.executeCommand(`workbench.view.extension.${VIEW_CONTAINER}`);
    await app.tree.reveal(run.runId);
  } catch (error) {
    await tellProblem(app, vscode.l10n.t('The run was not started.'), error);
  }
}
