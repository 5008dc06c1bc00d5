import { isAbsolute, join } from 'node:path';
import * as vscode from 'vscode';
import { SECTION } from './ids.ts';
import { type Configured, readSettings } from './settings.ts';

/** The settings as they count for a folder of the workspace. */
export function settingsOf(folder?: vscode.WorkspaceFolder): Configured {
  const configuration = vscode.workspace.getConfiguration(SECTION, folder ?? null);
  return readSettings((name) => configuration.inspect(name));
}

/** Folders on this machine's disk, which is where runs can be. */
export function localFolders(): readonly vscode.WorkspaceFolder[] {
  return (vscode.workspace.workspaceFolders ?? []).filter(
    ({ uri }) => uri.scheme === 'file' || uri.scheme === 'vscode-remote',
  );
}

export function runsDirectoryOf(folder: vscode.WorkspaceFolder, { runsFolder }: Configured): string {
  return below(folder, runsFolder);
}

export function promptsDirectoryOf(folder: vscode.WorkspaceFolder, { promptsFolder }: Configured): string {
  return below(folder, promptsFolder);
}

function below(folder: vscode.WorkspaceFolder, path: string): string {
  return isAbsolute(path) ? path : join(folder.uri.fsPath, path);
}

/** The runs folders of all workspace folders. */
export function runsDirectories(): readonly string[] {
  return [...new Set(localFolders().map((folder) => runsDirectoryOf(folder, settingsOf(folder))))];
}

/** The workspace folder that a run folder is in, or the first one. */
export function folderOf(directory: string): vscode.WorkspaceFolder | undefined {
  const folder = vscode.workspace.getWorkspaceFolder(vscode.Uri.file(directory));
  return folder ?? localFolders()[0];
}

/** The folder to run in: the only one, or the one that a person picks. Undefined: there is none, which is said, or cancelled. */
export async function askFolder(): Promise<vscode.WorkspaceFolder | undefined> {
  return (await mayRun()) ? pickFolder() : undefined;
}

/** The same, also where nothing may run: to keep a run that is only looked at. */
export async function pickFolder(): Promise<vscode.WorkspaceFolder | undefined> {
  const folders = localFolders();
  if (folders.length === 0) {
    const open = vscode.l10n.t('Open Folder…');
    const message = vscode.l10n.t('BabyAGI keeps a run in a folder of the workspace: open a folder on disk first.');
    if ((await vscode.window.showWarningMessage(message, open)) === open)
      void vscode.commands.executeCommand('vscode.openFolder');
    return undefined;
  }
  if (folders.length === 1) return folders[0];
  const placeHolder = vscode.l10n.t('The folder that the run is kept in');
  return vscode.window.showWorkspaceFolderPick({ placeHolder, ignoreFocusOut: true });
}

/** Whether this workspace may run anything; says what to do where it may not. */
export async function mayRun(): Promise<boolean> {
  if (vscode.workspace.isTrusted) return true;
  const manage = vscode.l10n.t('Manage Workspace Trust');
  const message = vscode.l10n.t(
    'In Restricted Mode BabyAGI shows runs, but starts none. Trust the workspace to run an objective.',
  );
  if ((await vscode.window.showWarningMessage(message, manage)) === manage)
    void vscode.commands.executeCommand('workbench.trust.manage');
  return false;
}
