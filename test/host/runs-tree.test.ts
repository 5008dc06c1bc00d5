import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { processTable, thisProcess } from '../../src/runlog/machine.ts';
import { RunFiles } from '../../src/vscode/run-files.ts';
import { Runs } from '../../src/vscode/runs.ts';
import { RunsChoice } from '../../src/vscode/runs-choice.ts';
import { RunsTree } from '../../src/vscode/runs-tree.ts';
import { memoryMemento } from '../support/memento.ts';
import { describe, it } from './suite.ts';

/** A folder of runs, of which only what a list reads is there. */
function runsFolder(objectives: readonly string[]): string {
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-tree-'));
  objectives.forEach((objective, index) => {
    const folder = path.join(root, `20260101T0000${String(index).padStart(2, '0')}Z-run-000${index}`);
    mkdirSync(folder);
    const config = {
      run_id: `run-${index}`,
      objective,
      created_at: `2026-01-01T00:00:${String(index).padStart(2, '0')}Z`,
      limits: { max_iterations: 10, max_cost_usd: 1 },
    };
    writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config));
  });
  return root;
}

function treeOf(): { runs: Runs; tree: RunsTree } {
  const runs = new Runs(new RunFiles(nodeDisk, thisProcess, processTable));
  return { runs, tree: new RunsTree(runs, new RunsChoice(memoryMemento())) };
}

describe('the tree of runs', () => {
  it('lists the runs of a folder, newest first, without reading their logs', async () => {
    const root = runsFolder(['older', 'newer']);
    const { runs, tree } = treeOf();
    await runs.scan([root]);
    const items = (await tree.getChildren()).map((row) => tree.getTreeItem(row));
    assert.deepEqual(
      items.map(({ label, description, id }) => [label, description, id]),
      [
        ['newer', 'interrupted', 'run-1'],
        ['older', 'interrupted', 'run-0'],
      ],
    );
    assert.match(items[0]?.accessibilityInformation?.label ?? '', /^Run newer, interrupted\./);
    assert.match(items[0]?.contextValue ?? '', /^run idle interrupted resumable/);
    assert.deepEqual(runs.runs, []);
    rmSync(root, { recursive: true });
  });

  it('does not list the trials of experiments, which are found by their id to be looked at', async () => {
    const root = runsFolder(['listed']);
    const trials = runsFolder(['a trial', 'another trial']);
    const folder = path.join(trials, '20260101T000001Z-run-0001');
    const runs = new Runs(new RunFiles(nodeDisk, thisProcess, processTable), (runId) =>
      Promise.resolve(runId === 'run-1' ? folder : null),
    );
    const tree = new RunsTree(runs, new RunsChoice(memoryMemento()));
    await runs.scan([root]);
    const entry = await runs.locate('run-1');
    assert.deepEqual([entry?.directory, entry?.isTrial, runs.whereIs('run-1')], [folder, true, 'trial']);
    assert.equal(await runs.locate('run-2'), undefined);
    await runs.scan([root]);
    assert.equal(await runs.locate('run-1'), entry);
    assert.deepEqual(
      (await tree.getChildren()).map(({ id }) => id),
      ['run-0'],
    );
    tree.dispose();
    rmSync(root, { recursive: true });
    rmSync(trials, { recursive: true });
  });

  it('shows hostile objectives as plain text', async () => {
    const root = runsFolder(['a\u202Eb\n[x](command:workbench.action.quit) $(trash) <b>']);
    const { runs, tree } = treeOf();
    await runs.scan([root]);
    const [row] = await tree.getChildren();
    assert.ok(row);
    const item = tree.getTreeItem(row);
    assert.equal(item.label, 'ab [x](command:work…');
    const { tooltip } = await tree.resolveTreeItem(item, row);
    assert.ok(tooltip instanceof vscode.MarkdownString);
    assert.equal(tooltip.isTrusted, false);
    assert.ok(!tooltip.value.includes('](command'), tooltip.value);
    rmSync(root, { recursive: true });
  });

  it('says why a run cannot be shown, and drops runs that are gone', async () => {
    const root = runsFolder(['broken']);
    const { runs, tree } = treeOf();
    await runs.scan([root]);
    const [row] = await tree.getChildren();
    const [note] = await tree.getChildren(row);
    assert.ok(note);
    const { label } = tree.getTreeItem(note);
    assert.ok(typeof label === 'string');
    assert.match(label, /is not a valid run configuration/);
    rmSync(root, { recursive: true });
    await runs.scan([root]);
    assert.deepEqual(await tree.getChildren(), []);
  });

  it('refreshes many changes of a run at once', async () => {
    const root = runsFolder(['busy']);
    const { runs, tree } = treeOf();
    await runs.scan([root]);
    await tree.getChildren();
    const fired: unknown[] = [];
    await new Promise((resolve) => setTimeout(resolve, 200));
    tree.onDidChangeTreeData((row) => fired.push(row));
    for (let index = 0; index < 1000; index++) await runs.open('run-0');
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(fired.length >= 1 && fired.length <= 30, `${fired.length} refreshes`);
    rmSync(root, { recursive: true });
  });
});
