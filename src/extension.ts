import * as vscode from 'vscode';
import { messageOf } from './run/message.ts';
import { VERSION } from './run/version.ts';
import { nodeDisk } from './runlog/disk.ts';
import { processTable, thisProcess } from './runlog/machine.ts';
import type { OwnerIdentity } from './runlog/owner-file.ts';
import { Redactor } from './safety/redaction.ts';
import type { App } from './vscode/app.ts';
import { followContextKeys } from './vscode/context-keys.ts';
import type { Experiments } from './vscode/experiments.ts';
import { registerExperimentsView } from './vscode/experiments-view.ts';
import { followElsewhere } from './vscode/follow-elsewhere.ts';
import { Keys } from './vscode/keys.ts';
import { KnownRuns } from './vscode/known-runs.ts';
import { followMetrics } from './vscode/follow-metrics.ts';
import { followNotices } from './vscode/follow-notices.ts';
import { Output } from './vscode/output.ts';
import { l10n } from './vscode/panel-l10n.ts';
import { registerChat } from './vscode/register-chat.ts';
import { registerCommands } from './vscode/register-commands.ts';
import { RunControl } from './vscode/run-control.ts';
import { registerRunEditor } from './vscode/run-editor.ts';
import { RunFiles } from './vscode/run-files.ts';
import { Runs } from './vscode/runs.ts';
import { RunsChoice } from './vscode/runs-choice.ts';
import { RunsTree } from './vscode/runs-tree.ts';
import { showStatusBar } from './vscode/status-bar.ts';
import type { SummaryPanels } from './vscode/summary-panel.ts';
import { TaskDrag } from './vscode/task-drag.ts';
import { VirtualDocuments } from './vscode/virtual-documents.ts';
import { followRunsFolders } from './vscode/watch.ts';

/**
 * The composition root for VS Code. Activation only wires: the engine, its models and the checks of settings are read
 * from disk on first use, by `import()`.
 */

let control: RunControl | undefined;
let experiments: Promise<Experiments> | undefined;

export function activate(context: vscode.ExtensionContext): void {
  try {
    wire(context);
  } catch (error) {
    const reason = messageOf(error);
    void vscode.window.showErrorMessage(vscode.l10n.t('BabyAGI could not start in this window: {0}', reason));
    throw error;
  }
}

/** VS Code waits five seconds for this; its API is gone by then. */
export async function deactivate(): Promise<void> {
  await Promise.all([control?.close(), experiments?.then((loaded) => loaded.control.close())]);
}

function wire(context: vscode.ExtensionContext): void {
  l10n.use(vscode.l10n.bundle, vscode.env.language);
  const redactor = new Redactor();
  const channel = vscode.window.createOutputChannel('BabyAGI', { log: true });
  const output = new Output(channel, redactor);
  const stored = (name: string) => vscode.Uri.joinPath(context.globalStorageUri, name).fsPath;
  const keys = new Keys(context.secrets, context.globalState, redactor);
  const known = new KnownRuns(nodeDisk, stored('runs'));
  let own: OwnerIdentity | undefined;
  // On first use: it asks the operating system.
  const identity = () => (own ??= thisProcess());
  const runs = new Runs(new RunFiles(nodeDisk, identity, processTable), async (runId) =>
    (await openExperiments()).findTrial(runId),
  );
  const choice = new RunsChoice(context.workspaceState);
  const tree = new RunsTree(runs, choice);
  const world = {
    redactor,
    keys,
    output,
    identity,
    ledgerDirectory: stored('keys'),
    inboxDirectory: stored('inbox'),
    distDirectory: context.asAbsolutePath('dist'),
    extensionVersion: VERSION,
    vscodeVersion: vscode.version,
  };
  control = new RunControl(world, runs, known);
  const openExperiments = () =>
    (experiments ??= import('./vscode/experiments.ts').then((module) => {
      const made = new module.Experiments(world, runs, stored('experiments'));
      const telling = made.control.onDidEnd(async (end) => {
        const { tellExperimentEnd } = await import('./vscode/experiment-notices.ts');
        await tellExperimentEnd(app, end);
      });
      context.subscriptions.push(made, telling);
      return made;
    }));
  let loaded: Promise<SummaryPanels> | undefined;
  const panels = () =>
    (loaded ??= import('./vscode/summary-panel.ts').then(({ registerSummaryPanel }) =>
      registerSummaryPanel(context, runs),
    ));
  const documents = new VirtualDocuments(runs);
  const app: App = {
    runs,
    tree,
    choice,
    control,
    known,
    keys,
    output,
    documents,
    panels,
    experiments: openExperiments,
    stored,
  };
  context.subscriptions.push(
    channel,
    keys.watch(),
    tree.register(new TaskDrag(runs, tree)),
    tree,
    choice,
    registerExperimentsView(app),
    showStatusBar(runs),
    followContextKeys(runs, choice, keys),
    documents.register(),
    registerRunEditor(app),
    registerCommands(app),
    registerChat(app),
    followNotices(app),
    followMetrics(runs, output),
    followRunsFolders(runs, () => void pickUp(app)),
    followElsewhere(runs, () => void pickUp(app)),
    runs,
  );
}

/** What restores the state before a reload, once the window has had its turn: panels, and runs that were in progress. */
async function pickUp(app: App): Promise<void> {
  try {
    await app.panels();
    if (!vscode.workspace.isTrusted) return;
    const { pickUpRuns } = await import('./vscode/pick-up.ts');
    await pickUpRuns(app);
  } catch (error) {
    app.output.error('Interrupted runs could not be taken up.', error);
  }
}
