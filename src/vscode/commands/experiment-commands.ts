import { join } from 'node:path';
import * as vscode from 'vscode';
import { experimentFolder } from '../../research/experiment-folder.ts';
import { readExperiment } from '../../research/experiment.ts';
import { nodeDisk } from '../../runlog/disk.ts';
import type { App } from '../app.ts';
import { resumeProblems, serverOf } from '../experiment-check.ts';
import { watchExperiment } from '../experiment-progress.ts';
import { countsOf, dollars } from '../experiment-words.ts';
import { inMessage } from '../labels.ts';
import { type PickedExperiment, pickExperiment } from '../pick-experiment.ts';
import { originOf } from '../run-world.ts';
import { openSettings, tellProblem } from '../tell.ts';
import { folderOf, mayRun, settingsOf } from '../workspace.ts';
import { exportFolder } from './archive.ts';
import { askOwner } from './ask-owner.ts';
import { showMarkdown } from './documents.ts';
import { accessTo } from './run-objective.ts';

/** Takes trials of an experiment that is there, beside other processes that do so. */
export async function resumeExperiment(app: App, argument: unknown): Promise<void> {
  if (!(await mayRun())) return;
  const title = vscode.l10n.t('Go On with Experiment');
  const left = ['incomplete', 'short', 'elsewhere'];
  const picked = await pickExperiment(app, argument, title, ({ status }) => left.includes(status));
  if (!picked) return;
  const { directory, brief } = picked;
  const failed = vscode.l10n.t('The experiment does not go on.');
  try {
    const { control } = await app.experiments();
    if (control.worksOn(directory)) return;
    const folder = folderOf(directory);
    const configured = settingsOf(folder);
    const experiment = await readExperiment(nodeDisk, directory);
    const { record } = experiment;
    const problems = [...configured.problems, ...resumeProblems(experiment, configured)];
    if (problems.length > 0) {
      const action = openSettings();
      const message = inMessage([failed, ...problems].join(' '), 1000);
      await (await vscode.window.showErrorMessage(message, action))?.run();
      return;
    }
    const baseUrl = record.provider === 'rehearsal' ? null : serverOf(configured);
    if (!(await isOurs(app, picked, baseUrl))) return;
    if (baseUrl !== null && (await accessTo(app, originOf(baseUrl, configured), Promise.resolve([]))) !== 'server')
      return;
    const workspace = folder?.uri.fsPath ?? directory;
    await control.goOn(directory, { configured, baseUrl, workspace, parallel: 1 });
    watchExperiment(await app.experiments(), directory, brief.name);
  } catch (error) {
    await tellProblem(app, failed, error);
  }
}

/** One that came with a repository may be anybody's: a person takes it over knowingly, or not at all. */
async function isOurs(app: App, { directory, brief }: PickedExperiment, baseUrl: string | null): Promise<boolean> {
  if (await (await app.experiments()).control.known.vouchesFor(brief.id, directory)) return true;
  const takeOver = vscode.l10n.t('Take Over and Go On');
  const { results, trials } = countsOf(brief.variants);
  const detail = [
    vscode.l10n.t('Objective: {0}', inMessage(brief.objective, 300)),
    vscode.l10n.t('Server: {0}', baseUrl ?? vscode.l10n.t('none, it is a rehearsal')),
    vscode.l10n.t('Cost cap of all runs: {0}, spent: {1}', dollars(brief.totalUsd), dollars(brief.spentUsd)),
    vscode.l10n.t('Trials with a result: {0} of {1}', results, trials),
  ].join('\n');
  const message = vscode.l10n.t('This experiment was not started by VS Code on this machine. Go on with it here?');
  return (await vscode.window.showWarningMessage(message, { modal: true, detail }, takeOver)) === takeOver;
}

/** Ends the runs under way. Every trial that has a result keeps it. */
export async function stopExperiment(app: App, argument: unknown): Promise<void> {
  const title = vscode.l10n.t('Stop Experiment');
  const live = ['working', 'elsewhere'];
  const picked = await pickExperiment(app, argument, title, ({ status }) => live.includes(status));
  if (!picked) return;
  const { control } = await app.experiments();
  if (control.stop(picked.directory)) return;
  const { known } = control;
  const owned = { runId: picked.brief.id, directory: picked.directory };
  await askOwner(
    { known, stored: app.stored },
    owned,
    { do: 'stop' },
    vscode.l10n.t('The experiment was not stopped.'),
  );
}

/** What the experiment has shown by now. */
export async function openReport(app: App, argument: unknown): Promise<void> {
  const picked = await pickExperiment(app, argument, vscode.l10n.t('Open Report'), () => true);
  if (!picked) return;
  const { directory, brief } = picked;
  try {
    // What is only looked at is left as it is.
    const isWritten = vscode.workspace.isTrusted && brief.status !== 'imported';
    if (isWritten) await (await app.experiments()).control.report(directory);
    const uri = vscode.Uri.file(experimentFolder(directory).reportMarkdown);
    const isThere = await nodeDisk.exists(uri.fsPath);
    if (isThere) await showMarkdown(uri);
    else void vscode.window.showInformationMessage(vscode.l10n.t('This experiment has no report.md.'));
  } catch (error) {
    await tellProblem(app, vscode.l10n.t('The report could not be made.'), error);
  }
}

export async function revealExperimentFolder(app: App, argument: unknown): Promise<void> {
  const picked = await pickExperiment(app, argument, vscode.l10n.t('Reveal Experiment Folder'), () => true);
  if (!picked) return;
  const uri = vscode.Uri.file(join(picked.directory, 'experiment.json'));
  const inWorkspace = vscode.workspace.getWorkspaceFolder(uri) !== undefined;
  await vscode.commands.executeCommand(inWorkspace ? 'revealInExplorer' : 'revealFileInOS', uri);
}

export async function exportExperiment(app: App, argument: unknown): Promise<void> {
  const title = vscode.l10n.t('Export Experiment Archive');
  const picked = await pickExperiment(app, argument, title, () => true);
  if (picked) await exportFolder(app, picked.directory, title, vscode.l10n.t('The experiment was not exported.'));
}
