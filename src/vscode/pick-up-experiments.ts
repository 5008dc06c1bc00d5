import * as vscode from 'vscode';
import { isExperiment, readExperiment } from '../research/experiment.ts';
import { nodeDisk } from '../runlog/disk.ts';
import type { App } from './app.ts';
import { resumeProblems, serverOf } from './experiment-check.ts';
import type { KnownRun } from './known-runs.ts';
import { settingsOf } from './workspace.ts';

/** How soon to look again whether another window is still at it: one that was reloaded lets go within seconds. */
const AGAIN_MS = [500, 1000, 2000, 4000];
const LATER_MS = 30_000;

/** Goes on with the experiments of this workspace that a window had in hand when it closed or its host died. */
export async function pickUpExperiments(app: App): Promise<void> {
  const { control } = await app.experiments();
  await Promise.all((await control.known.all()).map(({ run_id: id }) => pickUpSoon(app, id, 0)));
}

async function pickUpSoon(app: App, id: string, looks: number): Promise<void> {
  const { control } = await app.experiments();
  try {
    const known = (await control.known.all()).find(({ run_id }) => run_id === id);
    if (known?.in_progress === true && (await control.holder.isHeld(id))) {
      setTimeout(() => void pickUpSoon(app, id, looks + 1), AGAIN_MS[looks] ?? LATER_MS).unref();
    } else if (known) await pickUp(app, known);
  } catch (error) {
    // It stays in the list, where a person can go on with it and is told why that cannot be.
    app.output.error(`Experiment ${id} could not be taken up.`, error);
  }
}

async function pickUp(app: App, { run_id: id, directory, in_progress }: KnownRun): Promise<void> {
  const { control } = await app.experiments();
  const folder = vscode.workspace.getWorkspaceFolder(vscode.Uri.file(directory));
  if (!folder || control.worksOn(directory)) return;
  if (!(await isExperiment(nodeDisk, directory))) return control.known.forget(id);
  if (!in_progress || !(await control.known.vouchesFor(id, directory))) return;
  const configured = settingsOf(folder);
  const experiment = await readExperiment(nodeDisk, directory);
  const { record } = experiment;
  const problems = [...configured.problems, ...resumeProblems(experiment, configured)];
  if (problems.length > 0) return app.output.info(`Experiment ${id} does not go on: ${problems.join(' ')}`);
  const baseUrl = record.provider === 'rehearsal' ? null : serverOf(configured);
  await control.goOn(directory, { configured, baseUrl, workspace: folder.uri.fsPath, parallel: 1 });
  app.output.info(`Experiment ${id} goes on in this window.`);
}
