import { setTimeout } from 'node:timers/promises';
import * as vscode from 'vscode';
import { nodeDisk } from '../runlog/disk.ts';
import type { App } from './app.ts';
import type { KnownRun } from './known-runs.ts';
import { settingsOf } from './workspace.ts';

/**
 * After a reload the host before this one may still be letting go, which takes it five seconds at the most; each attempt
 * watches it for at least two.
 */
const ATTEMPTS = 6;
const RETRY_MS = 200;

/**
 * Takes up the runs and the experiments of this workspace that this machine had in progress when the window closed or its host died. A run
 * that another window is at stays there; a paused one stays paused, one that waits for a review waits again.
 */
export async function pickUpRuns(app: App): Promise<void> {
  // At once: one whose owner hangs is not to hold up the others.
  await Promise.all((await app.known.all()).map((known) => pickUpRun(app, known)));
  // What experiments need is read from disk where there was one.
  if ((await nodeDisk.list(app.stored('experiments')).catch(() => [])).length === 0) return;
  const { pickUpExperiments } = await import('./pick-up-experiments.ts');
  await pickUpExperiments(app);
}

async function pickUpRun(app: App, known: KnownRun): Promise<void> {
  const folder = vscode.workspace.getWorkspaceFolder(vscode.Uri.file(known.directory));
  if (!folder || app.runs.find(known.run_id)?.session) return;
  if (await isGone(known.directory)) await app.known.forget(known.run_id);
  else if (known.in_progress) await takeUp(app, known, folder);
}

/** The workspace is there, and the run folder in it was deleted. */
async function isGone(directory: string): Promise<boolean> {
  return nodeDisk.list(directory).then(
    () => false,
    (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT',
  );
}

async function takeUp(app: App, known: KnownRun, folder: vscode.WorkspaceFolder): Promise<void> {
  const { run_id, directory } = known;
  if (!(await app.known.vouchesFor(run_id, directory))) return;
  const { readRunConfig } = await import('../engine/read.ts');
  for (let attempt = 1; ; attempt++) {
    try {
      // Not by way of the list, which may still be looking through hundreds of folders.
      const config = await readRunConfig(nodeDisk, directory);
      if (config.run_id !== run_id) return;
      const run = { directory, state: { config } };
      const options = { raise: {}, byPerson: false, unlessEndedAfter: 0 };
      await app.control.resume(run, settingsOf(folder), folder.uri.fsPath, options);
      app.output.info(`Run ${run_id} goes on in this window.`);
      return;
    } catch (error) {
      const reason = error instanceof Error && 'reason' in error ? error.reason : null;
      if (reason === 'has_ended') return app.known.put(run_id, directory, false);
      if (reason === 'owned_elsewhere' && attempt < ATTEMPTS) {
        await setTimeout(RETRY_MS);
        continue;
      }
      // It stays in the list, where a person can resume it and is told why it cannot go on.
      app.output.error(`Run ${run_id} could not be taken up.`, error);
      return;
    }
  }
}
