import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import { COMMANDS, LOG_SCHEME, RUN_EDITOR, WALKTHROUGH, WHY_SCHEME } from '../../src/vscode/ids.ts';
import { LogDocuments } from '../../src/vscode/log-documents.ts';
import type { RunChange, RunView } from '../../src/vscode/run-view.ts';
import { RunEntry } from '../../src/vscode/runs.ts';
import { briefOfState } from '../../src/vscode/run-brief.ts';
import { fold } from '../../src/run/fold.ts';
import { runFolderName } from '../../src/runlog/folder.ts';
import { eventually } from '../support/eventually.ts';
import { events, makeConfig, RUN_ID, startOfRun } from '../support/run-events.ts';
import { describe, it } from './suite.ts';

interface Manifest {
  readonly publisher: string;
  readonly name: string;
  readonly contributes: {
    readonly walkthroughs: readonly { id: string }[];
    readonly customEditors: readonly {
      viewType: string;
      priority: string;
      selector: readonly { filenamePattern: string }[];
    }[];
  };
}

async function manifest(): Promise<Manifest> {
  const found = vscode.extensions.all.find(({ packageJSON }) => (packageJSON as Manifest).name === 'babyagi-vscode');
  assert.ok(found, 'the extension is not installed');
  await found.activate();
  return found.packageJSON as Manifest;
}

describe('documents about runs', () => {
  it('have the ids that the manifest declares', async () => {
    const { publisher, name, contributes } = await manifest();
    assert.deepEqual(
      contributes.walkthroughs.map(({ id }) => `${publisher}.${name}#${id}`),
      [WALKTHROUGH],
    );
    // As text a summary.json opens as ever.
    assert.deepEqual(
      contributes.customEditors.map(({ viewType, priority }) => [viewType, priority]),
      [[RUN_EDITOR, 'option']],
    );
  });

  it('have their editor and their schemas wherever the runs folder is, and no other file has', async () => {
    const { contributes } = await manifest();
    const root = mkdtempSync(path.join(tmpdir(), 'babyagi-anywhere-'));
    const opened = (folder: string, name: string) => {
      mkdirSync(path.join(root, folder), { recursive: true });
      writeFileSync(path.join(root, folder, name), '{}');
      return vscode.workspace.openTextDocument(path.join(root, folder, name));
    };
    const run = path.join('my runs', runFolderName(Date.UTC(2025, 0, 2), 'Compare: three databases', RUN_ID));
    const other = path.join('my runs', '2025-notes-7c9e');
    const pattern = contributes.customEditors[0]?.selector[0]?.filenamePattern ?? '';
    assert.ok(vscode.languages.match({ pattern }, await opened(run, 'summary.json')) > 0);
    assert.equal(vscode.languages.match({ pattern }, await opened(other, 'summary.json')), 0);
    const strange = await opened(other, 'config.json');
    await vscode.window.showTextDocument(strange, { preview: false });
    for (const name of ['config.json', 'summary.json', 'results.json', 'checkpoints/000001.json']) {
      const { uri } = await opened(path.join(run, path.dirname(name)), path.basename(name));
      // Only what is shown is checked.
      await vscode.window.showTextDocument(uri, { preview: false });
      await eventually(`a problem in ${name}`, () =>
        Promise.resolve(
          vscode.languages.getDiagnostics(uri).some(({ message }) => /format_version|Incorrect type/.test(message)),
        ),
      );
    }
    assert.deepEqual(vscode.languages.getDiagnostics(strange.uri), []);
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    rmSync(root, { recursive: true });
  });

  it('say so where the run is not there', async () => {
    await manifest();
    for (const scheme of [LOG_SCHEME, WHY_SCHEME]) {
      const uri = vscode.Uri.from({ scheme, path: '/x', query: 'no-such-run' });
      const document = await vscode.workspace.openTextDocument(uri);
      assert.equal(document.getText(), 'This run is not there any more.\n');
    }
  });

  it('answer commands for a run that is not there', async () => {
    for (const command of [
      COMMANDS.openLog,
      COMMANDS.openRawLog,
      COMMANDS.whyStopped,
      COMMANDS.replayRun,
      COMMANDS.exportRun,
    ]) {
      await vscode.commands.executeCommand(command, 'no-such-run');
    }
  });

  it('open a summary.json of a run that is not listed', async () => {
    const root = mkdtempSync(path.join(tmpdir(), 'babyagi-editor-'));
    const folder = path.join(root, '.babyagi', 'runs', 'one');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'summary.json'), '{}');
    const uri = vscode.Uri.file(path.join(folder, 'summary.json'));
    await vscode.commands.executeCommand('vscode.openWith', uri, RUN_EDITOR);
    const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
    assert.ok(input instanceof vscode.TabInputCustom);
    assert.equal(input.viewType, RUN_EDITOR);
    await vscode.commands.executeCommand('workbench.action.closeActiveEditor');
    rmSync(root, { recursive: true });
  });
});

describe('a log that somebody looks at', () => {
  it('goes on with the events of the run, and is read again where some were missed', async () => {
    const root = mkdtempSync(path.join(tmpdir(), 'babyagi-log-'));
    mkdirSync(path.join(root, 'log'));
    const state = fold(makeConfig(), events(...startOfRun()));
    const entry = new RunEntry(root, briefOfState(state, true));
    const changes = new vscode.EventEmitter<RunChange>();
    const entries = new vscode.EventEmitter<RunEntry>();
    let refreshed = () => {};
    const runs = { locate: () => Promise.resolve(entry), onDidChange: changes.event, onDidChangeEntry: entries.event };
    const logs = new LogDocuments(runs, () => refreshed());
    const nextRefresh = () =>
      new Promise<void>((resolve) => {
        refreshed = resolve;
      });
    const run: RunView = { runId: RUN_ID, directory: root, state, session: null };
    const lines = async () => (await logs.text(RUN_ID)).trimEnd().split('\n').slice(1);
    const [created, opened, , late] = events(...startOfRun(), ...startOfRun());
    assert.ok(created && opened && late);
    try {
      assert.deepEqual(await lines(), []);
      const refresh = nextRefresh();
      changes.fire({ run, event: created });
      changes.fire({ run, event: created });
      changes.fire({ run, event: opened });
      await refresh;
      const [day, ...rest] = await lines();
      assert.equal(day, '2025-01-02');
      assert.deepEqual(
        rest.map((line) => line.split(/ +/)[1]),
        ['run.created', 'epoch.opened'],
      );
      // What was missed is on disk; here that has nothing.
      changes.fire({ run, event: late });
      assert.deepEqual(await lines(), []);
    } finally {
      logs.dispose();
      rmSync(root, { recursive: true });
    }
  });
});
