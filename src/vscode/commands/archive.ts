import { homedir } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { runFolder } from '../../runlog/folder.ts';
import type { App } from '../app.ts';
import { experimentsDirectoryOf } from '../experiments-directory.ts';
import { EXPERIMENTS_VIEW } from '../ids.ts';
import { inMessage } from '../labels.ts';
import { pickRun } from '../pick-run.ts';
import { withProgress } from '../with-progress.ts';
import { tellProblem } from '../tell.ts';
import { folderOf, pickFolder, runsDirectories, runsDirectoryOf, settingsOf } from '../workspace.ts';

const FILTERS = () => ({ [vscode.l10n.t('Run archive')]: ['zip'] });

/** Writes a run as one zip where the person wants it; a run in progress as it is now. */
export async function exportRun(app: App, argument: unknown): Promise<void> {
  const title = vscode.l10n.t('Export Run Archive');
  const entry = await pickRun(app, argument, title, () => true);
  if (entry) await exportFolder(app, entry.directory, title, vscode.l10n.t('The run was not exported.'));
}

/** The folder of a run or an experiment. */
export async function exportFolder(app: App, directory: string, title: string, failed: string): Promise<void> {
  try {
    const { archiveName, exportArchive } = await import('../../research/export-archive.ts');
    const near = folderOf(directory)?.uri ?? vscode.Uri.file(homedir());
    const defaultUri = vscode.Uri.joinPath(near, `${await archiveName(directory)}.zip`);
    const saveLabel = vscode.l10n.t('Export');
    const target = await vscode.window.showSaveDialog({ defaultUri, filters: FILTERS(), saveLabel, title });
    if (!target) return;
    const exported = await withProgress(vscode.l10n.t('Writing the archive'), (options) =>
      exportArchive(directory, target.fsPath, options),
    );
    if (!exported) return;
    for (const path of exported.leftOut) app.output.info(`Not in the archive: ${path}`);
    const figures = vscode.l10n.t('{0} files, {1} MB', exported.files, megabytes(exported.bytes));
    const left = exported.leftOut.length;
    const message =
      left === 0
        ? vscode.l10n.t(
            'The archive was written to {0} ({1}).',
            vscode.workspace.asRelativePath(exported.file),
            figures,
          )
        : vscode.l10n.t(
            'The archive was written to {0} ({1}). {2} files were left out; the log output names them.',
            vscode.workspace.asRelativePath(exported.file),
            figures,
            left,
          );
    void offerToReveal(message, vscode.Uri.file(exported.file));
  } catch (error) {
    await tellProblem(app, failed, error);
  }
}

/** Takes the archive of a run or an experiment in, for looking, and shows it. */
export async function importRun(app: App): Promise<void> {
  const title = vscode.l10n.t('Import Run Archive');
  const folder = await pickFolder();
  if (!folder) return;
  const openLabel = vscode.l10n.t('Import');
  const [file] =
    (await vscode.window.showOpenDialog({ defaultUri: folder.uri, filters: FILTERS(), openLabel, title })) ?? [];
  if (!file) return;
  try {
    const { importArchive } = await import('../../research/import-archive.ts');
    const runsDirectory = runsDirectoryOf(folder, settingsOf(folder));
    const imported = await withProgress(vscode.l10n.t('Importing the run'), (options) =>
      importArchive(file.fsPath, runsDirectory, {
        ...options,
        experimentsDirectory: experimentsDirectoryOf(folder),
        now: Date.now,
      }),
    );
    if (!imported) return;
    const { runDirectory, isExperiment } = imported;
    if (isExperiment) return await showImported(app, runDirectory);
    const found = () => app.runs.entries.find(({ directory }) => directory === runDirectory);
    // A listing that was under way may have begun before the folder was there.
    for (let scans = 0; scans < 2 && !found(); scans++) await app.runs.scan(runsDirectories());
    const entry = found();
    const run = entry && (await app.runs.open(entry.runId));
    void offerToReveal(
      vscode.l10n.t(
        'The run was imported to {0}. It can be looked at and forked, not resumed.',
        vscode.workspace.asRelativePath(runDirectory),
      ),
      vscode.Uri.file(runFolder(runDirectory).config),
    );
    if (!run) return;
    await app.tree.reveal(run.runId);
    (await app.panels()).show(run.runId, run.state.config.objective);
  } catch (error) {
    await tellProblem(app, vscode.l10n.t('The run was not imported.'), error);
  }
}

async function showImported(app: App, directory: string): Promise<void> {
  await (await app.experiments()).scan();
  await vscode.commands.executeCommand(`${EXPERIMENTS_VIEW}.focus`);
  const where = vscode.workspace.asRelativePath(directory);
  void offerToReveal(
    vscode.l10n.t('The experiment was imported to {0}. It can be looked at, not gone on with.', where),
    vscode.Uri.file(join(directory, 'experiment.json')),
  );
}

async function offerToReveal(message: string, uri: vscode.Uri): Promise<void> {
  const reveal = vscode.l10n.t('Reveal');
  if ((await vscode.window.showInformationMessage(inMessage(message, 600), reveal)) !== reveal) return;
  const inWorkspace = vscode.workspace.getWorkspaceFolder(uri) !== undefined;
  await vscode.commands.executeCommand(inWorkspace ? 'revealInExplorer' : 'revealFileInOS', uri);
}

function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(2);
}
