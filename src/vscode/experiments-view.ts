import * as vscode from 'vscode';
import type { App } from './app.ts';
import type { ExperimentRow } from './experiment-rows.ts';
import type { ExperimentsTree } from './experiments-tree.ts';
import { EXPERIMENTS_VIEW } from './ids.ts';

/** The Experiments view; what is in it is read from disk when it is first open. */
export function registerExperimentsView(app: App): vscode.Disposable {
  const changed = new vscode.EventEmitter<ExperimentRow | undefined>();
  const tree = async (): Promise<ExperimentsTree> => {
    const [{ ExperimentsTree }, experiments] = await Promise.all([import('./experiments-tree.ts'), app.experiments()]);
    return new ExperimentsTree(app.runs, experiments, view, changed);
  };
  let loaded: Promise<ExperimentsTree> | undefined;
  const load = () => (loaded ??= tree());
  const view = vscode.window.createTreeView<ExperimentRow>(EXPERIMENTS_VIEW, {
    showCollapseAll: true,
    treeDataProvider: {
      onDidChangeTreeData: changed.event,
      getChildren: async (row?: ExperimentRow) => (await load()).getChildren(row),
      getTreeItem: async (row) => (await load()).getTreeItem(row),
      resolveTreeItem: async (item, row) => (await load()).resolveTreeItem(item, row),
    },
  });
  return vscode.Disposable.from(view, changed);
}
