import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import { describe, it } from './suite.ts';

describe('VS Code', () => {
  it('is at least the oldest version that is supported', () => {
    const [major = 0, minor = 0] = vscode.version.split('.').map(Number);
    assert.ok(major === 1 && minor >= 101, vscode.version);
  });

  it('opens the workspace, reads and writes its files', async () => {
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
    assert.ok(folder);
    const uri = vscode.Uri.joinPath(folder, 'smoke.txt');
    await vscode.workspace.fs.writeFile(uri, Buffer.from('written by the host\n'));
    const document = await vscode.workspace.openTextDocument(uri);
    assert.equal(document.getText(), 'written by the host\n');
    assert.equal(await readFile(path.join(folder.fsPath, 'smoke.txt'), 'utf8'), document.getText());
  });

  it('runs commands', async () => {
    const document = await vscode.workspace.openTextDocument({ content: 'one' });
    const editor = await vscode.window.showTextDocument(document);
    await vscode.commands.executeCommand('type', { text: 'more than ' });
    assert.equal(editor.document.getText(), 'more than one');
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
  });
});
