import * as vscode from 'vscode';
import type { RunSettings } from '../../run/settings.ts';
import type { App } from '../app.ts';
import { VIEW_CONTAINER } from '../ids.ts';
import { pricesFor } from '../prices-for.ts';
import type { StartRequest } from '../run-control.ts';
import { watchRun } from '../progress.ts';
import type { Configured } from '../settings.ts';
import { tellProblem } from '../tell.ts';
import { promptsDirectoryOf, runsDirectoryOf } from '../workspace.ts';

interface Launch {
  readonly settings: RunSettings;
  readonly provider: StartRequest['provider'];
  readonly configured: Configured;
  readonly folder: vscode.WorkspaceFolder;
  readonly from?: NonNullable<StartRequest['from']>;
}

/** A run with these settings in this folder. */
export function requestOf({ folder, ...launch }: Launch): StartRequest {
  return {
    ...launch,
    prices: pricesFor(launch.provider, launch.configured),
    workspace: folder.uri.fsPath,
    runsDirectory: runsDirectoryOf(folder, launch.configured),
    promptsDirectory: promptsDirectoryOf(folder, launch.configured),
  };
}

/** Starts a run and shows it: in the Runs view, in the status bar and as a notification that can stop it. */
export async function launch(app: App, request: Launch): Promise<void> {
  try {
    const run = await app.control.start(requestOf(request));
    watchRun(app.runs, run);
    await vscode.commands.executeCommand(`workbench.view.extension.${VIEW_CONTAINER}`);
    await app.tree.reveal(run.runId);
  } catch (error) {
    await tellProblem(app, vscode.l10n.t('The run was not started.'), error);
  }
}
