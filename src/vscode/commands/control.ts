import * as vscode from 'vscode';
import type { App } from '../app.ts';
import { watchRun } from '../progress.ts';
import { pickRun } from '../pick-run.ts';
import type { RunEntry } from '../runs.ts';
import { tellProblem } from '../tell.ts';
import { continueRun, isLimit } from './continue-run.ts';
import { resumeFolder } from './resume-folder.ts';

const canPause = ({ session, brief }: RunEntry) => session !== null && brief.status === 'running';
const canResume = ({ brief }: RunEntry) =>
  brief.status === 'paused' || brief.status === 'interrupted' || brief.status === 'ended';

/** Pauses a run after the iteration in hand. */
export async function pauseRun(app: App, argument: unknown): Promise<void> {
  const entry = await pickRun(app, argument, vscode.l10n.t('Pause'), canPause);
  await steer(app, entry, vscode.l10n.t('The run was not paused.'), (session) => session.steering.pause());
}

/** Goes on with a run that is paused, was interrupted or has ended. */
export async function resumeRun(app: App, argument: unknown): Promise<void> {
  const entry = await pickRun(app, argument, vscode.l10n.t('Resume'), canResume);
  if (!entry) return;
  if (entry.session) {
    return steer(app, entry, vscode.l10n.t('The run was not resumed.'), (session) => session.steering.resume());
  }
  // It would end at once by the same limit.
  if (isLimit(entry.brief.stopReason)) return continueRun(app, entry.runId);
  const run = await resumeFolder(app, entry, {});
  if (run) watchRun(app.runs, run);
}

/** Ends a run at once, whatever it is doing. */
export async function stopRun(app: App, argument: unknown): Promise<void> {
  const entry = await pickRun(app, argument, vscode.l10n.t('Stop'), ({ session }) => session !== null);
  await steer(app, entry, vscode.l10n.t('The run was not stopped.'), (session) => session.stop());
}

/** Does something to a run in progress here; says so where it is not, and why where it is refused. */
export async function steer(
  app: App,
  entry: RunEntry | undefined,
  failed: string,
  act: (session: NonNullable<RunEntry['session']>) => unknown,
): Promise<void> {
  if (!entry) return;
  if (!entry.session) {
    void vscode.window.showWarningMessage(vscode.l10n.t('The run is not in progress in this window. Resume it first.'));
    return;
  }
  try {
    act(entry.session);
  } catch (error) {
    await tellProblem(app, failed, error);
  }
}
