import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

// VS Code alone, without the extension: what breaks here is the host or the harness.
describe('a real VS Code', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'vscode-smoke-'));
  const workspace = path.join(root, 'workspace');
  let server: VscodeServer;
  let workbench: Workbench;

  before(async () => {
    mkdirSync(path.join(workspace, 'folder'), { recursive: true });
    writeFileSync(path.join(workspace, 'folder', 'note.txt'), 'first line\nsecond  line\n');
    server = await startVscodeServer({ workspace, dataDir: path.join(root, 'data') });
    workbench = await openWorkbench(server);
  });

  after(async () => {
    await workbench?.close();
    await server?.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('shows a tree and opens a file from it', async () => {
    await workbench.openView('Explorer');
    const tree = workbench.view('workspace');
    assert.equal((await tree.waitForRow('folder')).expanded, false);
    await tree.expand('folder');
    assert.equal((await tree.waitForRow('note.txt')).level, 2);
    await tree.click('note.txt');
    await eventually('the text of the file', async () => {
      return (await workbench.activeEditorText()).startsWith('first line\nsecond  line');
    });
    assert.deepEqual(await workbench.editorTabs(), [{ label: 'note.txt', active: true, dirty: false }]);
  });

  it('runs a command from the palette', async () => {
    await workbench.runCommand('File: New Folder...');
    await workbench.page.keyboard.type('another');
    await workbench.page.keyboard.press('Enter');
    await workbench.view('workspace').waitForRow('another');
  });

  it('keeps its theme over a reload', async () => {
    await workbench.setTheme('hc-light');
    await workbench.reload();
    await workbench.page.locator('.monaco-workbench.hc-light').waitFor();
    await workbench.setTheme('dark');
  });

  it('shows no errors of its own', () => {
    assert.deepEqual(workbench.consoleErrors(), []);
  });

  it('starts the extension host again after kill -9', async () => {
    const killed = await eventually('an extension host', () => {
      const pids = server.extensionHostPids();
      return pids.length > 0 && pids;
    });
    // The host of the window before the reload may still be there: nobody starts that one again.
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    await eventually('a new extension host', () => server.extensionHostPids().some((pid) => !killed.includes(pid)));
  });
});
