import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { processTable, thisProcess } from '../../src/runlog/machine.ts';
import type { ExperimentBrief, TrialBrief, VariantBrief } from '../../src/vscode/experiment-brief.ts';
import type { ExperimentRow } from '../../src/vscode/experiment-rows.ts';
import type { ExperimentEntry, Experiments } from '../../src/vscode/experiments.ts';
import { ExperimentsTree } from '../../src/vscode/experiments-tree.ts';
import { COMMANDS } from '../../src/vscode/ids.ts';
import { RunFiles } from '../../src/vscode/run-files.ts';
import { Runs } from '../../src/vscode/runs.ts';
import { describe, it } from './suite.ts';

const SETTLED_MS = 600;

function trial(over: Partial<TrialBrief>): TrialBrief {
  return {
    trial: 1,
    seed: 42,
    status: 'waiting',
    runId: null,
    directory: null,
    reason: null,
    iterations: 0,
    spentUsd: 0,
    problem: null,
    ...over,
  };
}

const LIMITS = { max_iterations: 5, max_cost_usd: 1, max_wall_time_minutes: 60, task_timeout_seconds: 120 };

function variant(name: string, trials: readonly TrialBrief[]): VariantBrief {
  return { name, settings: { model: name }, limits: LIMITS, model: name, trials };
}

function brief(over: Partial<ExperimentBrief>): ExperimentBrief {
  return {
    id: 'one',
    name: 'Small against large',
    hypothesis: 'Small is <b>enough</b> [x](command:workbench.action.quit)',
    objective: 'Plan a small garden',
    rehearsal: false,
    status: 'working',
    spentUsd: 0.25,
    totalUsd: 4,
    variants: [
      variant('small', [
        trial({ status: 'result', runId: 'r1', reason: 'queue_empty', iterations: 3, spentUsd: 0.25 }),
        trial({ trial: 2, seed: 43, status: 'no_result', runId: 'r2', reason: 'error' }),
      ]),
      variant('large', [trial({ status: 'elsewhere', runId: 'r3', iterations: 1 }), trial({ trial: 2, seed: 43 })]),
    ],
    ...over,
  };
}

/** The view of these entries. */
class View {
  entries: ExperimentEntry[];
  readonly fired: (string | undefined)[] = [];
  readonly told = new vscode.EventEmitter<ExperimentEntry | null>();
  readonly tree: ExperimentsTree;

  constructor(...entries: ExperimentEntry[]) {
    this.entries = entries;
    const changed = new vscode.EventEmitter<ExperimentRow | undefined>();
    changed.event((row) => this.fired.push(row?.id));
    const listedNow = () => this.entries;
    const experiments = {
      get entries() {
        return listedNow();
      },
      older: 2,
      entry: (directory: string) => listedNow().find((entry) => entry.directory === directory),
      scan: () => Promise.resolve(listedNow()),
      watch: () => {},
      onDidChange: this.told.event,
    } as unknown as Experiments;
    const visibility = new vscode.EventEmitter<vscode.TreeViewVisibilityChangeEvent>();
    const view = {
      visible: true,
      onDidChangeVisibility: visibility.event,
    } as unknown as vscode.TreeView<ExperimentRow>;
    const runs = new Runs(new RunFiles(nodeDisk, thisProcess, processTable));
    this.tree = new ExperimentsTree(runs, experiments, view, changed);
  }

  async below(row?: ExperimentRow): Promise<ExperimentRow[]> {
    return this.tree.getChildren(row);
  }
}

const listed = (directory: string, of: ExperimentBrief | null, problem: string | null = null): ExperimentEntry => ({
  directory,
  brief: of,
  problem,
});
const iconOf = ({ iconPath }: vscode.TreeItem) => (iconPath instanceof vscode.ThemeIcon ? iconPath.id : null);

describe('the Experiments view', () => {
  it('shows an experiment, its variants and its trials', async () => {
    const { tree } = new View(listed('/e/one', brief({})));
    const [head, older] = await tree.getChildren();
    assert.ok(head && older);
    const item = tree.getTreeItem(head);
    assert.equal(item.label, 'Small against large');
    assert.equal(item.description, '1/4 · $0.25 of $4.00 · running');
    assert.deepEqual([iconOf(item), item.contextValue], ['sync~spin', 'experiment working']);
    assert.match(
      item.accessibilityInformation?.label ?? '',
      /^Experiment Small against large, running\. 1 of 4 trials/,
    );
    assert.equal(tree.getTreeItem(older).label, '2 older experiments');
    const [small, large] = await tree.getChildren(head);
    assert.ok(small && large);
    assert.equal(tree.getTreeItem(small).description, '1/2 · $0.25 · baseline');
    const trials = [...(await tree.getChildren(small)), ...(await tree.getChildren(large))];
    const items = trials.map((row) => tree.getTreeItem(row));
    assert.deepEqual(
      items.map(({ label, description }) => [label, description]),
      [
        ['Trial 1', '3/5 · $0.25 · no task left · seed 42'],
        ['Trial 2', 'no result: error · 0/5 · $0.00 · seed 43'],
        ['Trial 1', 'in progress in another process · 1/5 · $0.00 · seed 42'],
        ['Trial 2', 'waiting · seed 43'],
      ],
    );
    assert.deepEqual(items.map(iconOf), ['pass-filled', 'error', 'remote', 'circle-outline']);
    assert.deepEqual(
      items.map(({ command }) => command?.command),
      [COMMANDS.openSummary, COMMANDS.openSummary, COMMANDS.openSummary, undefined],
    );
    // By the id of its run, as every command about a run takes it.
    const [row] = (items[0]?.command?.arguments ?? []) as { runId?: unknown }[];
    assert.equal(row?.runId, 'r1');
  });

  it('says more when somebody hovers, and texts of files are text there', async () => {
    const { tree } = new View(listed('/e/one', brief({})));
    const [head] = await tree.getChildren();
    assert.ok(head);
    const { tooltip } = await tree.resolveTreeItem(tree.getTreeItem(head), head);
    assert.ok(tooltip instanceof vscode.MarkdownString);
    assert.equal(tooltip.isTrusted ?? false, false);
    assert.ok(!tooltip.value.includes('<b>') && !tooltip.value.includes('](command'), tooltip.value);
    for (const part of ['Hypothesis', 'of at most', '60', 'small', 'baseline', 'model'])
      assert.ok(tooltip.value.replaceAll('&nbsp;', ' ').includes(part), `${part} in ${tooltip.value}`);
  });

  it('refreshes the one that changed, with the object that VS Code knows', async () => {
    const view = new View(listed('/e/one', brief({})), listed('/e/two', brief({ id: 'two' })));
    const [first] = await view.below();
    const [small] = await view.below(first);
    const [waiting] = (await view.below(small)).slice(-1);
    view.entries = [listed('/e/one', brief({ status: 'completed' })), ...view.entries.slice(1)];
    view.told.fire(view.entries[0] ?? null);
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
    assert.deepEqual(view.fired, ['/e/one']);
    assert.equal((await view.below())[0], first);
    assert.equal((await view.below(small)).at(-1), waiting);
  });

  it('says of one that cannot be read that it cannot, and why', async () => {
    const { tree } = new View(listed('/e/20260101T000000Z-bad-0000', null, 'claims/000001.json is missing'));
    const [head] = await tree.getChildren();
    assert.ok(head);
    const item = tree.getTreeItem(head);
    assert.deepEqual(
      [item.label, item.description, item.tooltip, iconOf(item)],
      ['20260101T000000Z-bad-0000', 'cannot be read', 'claims/000001.json is missing', 'warning'],
    );
    assert.deepEqual(await tree.getChildren(head), []);
  });
});
