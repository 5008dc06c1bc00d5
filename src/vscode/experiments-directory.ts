import { join } from 'node:path';
import type * as vscode from 'vscode';

/** Where the experiments of a workspace folder are. */
export function experimentsDirectoryOf(folder: vscode.WorkspaceFolder): string {
  return join(folder.uri.fsPath, '.babyagi', 'experiments');
}
