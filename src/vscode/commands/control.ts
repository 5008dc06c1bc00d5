import * as vscode from 'vscode';
import type { App } from '../app.ts';
import { watchRun } from '../progress.ts';
import type { Command } from '../inbox.ts';
import { pickRun } from '../pick-run.ts';
import type { RunEntry } from '../runs.ts';
import { tellProblem } from '../tell.ts';
import { askOwner } from './ask-owner.ts';
import { continueRun, isLimit, reachedLimit } from './continue-run.ts';
import { resumeFolder } from './resume-folder.ts';

const canPause = ({ brief }: RunEntry) => brief.status === 'running' || brief.status === 'elsewhere';
const canResume = ({ brief }: RunEntry) =>
  !brief.imported && ['paused', 'interrupted', 'ended', 'elsewhere'].includes(brief.status);

/** Pauses a run after the iteration in hand. */
export async function pauseRun(app: App, argument: unknown): Promise<void> {
  const entry = await pickRun(app, argument, vscode.l10n.t('Pause'), canPause);
  await steer(app, entry, vscode.l10n.t('The run was not paused.'), (session) => session.steering.pause(), {
    do: 'pause',
  });
}

/** Goes on with a run that is paused, was interrupted or has ended. */
export async function resumeRun(app: App, argument: unknown): Promise<void> {
  const entry = await pickRun(app, argument, vscode.l10n.t('Resume'), canResume);
  if (!entry) return;
  if (entry.session || entry.isElsewhere) {
    return steer(app, entry, vscode.l10n.t('The run was not resumed.'), (session) => session.steering.resume(), {
      do: 'resume',
    });
  }
  // It would end at once by the same limit.
  const view = isLimit(entry.brief.stopReason) ? await app.runs.open(entry.runId) : undefined;
  if (view && reachedLimit(view.state) !== undefined) return continueRun(app, entry.runId);
  const run = await resumeFolder(app, entry, {});
  if (run) watchRun(app.runs, run);
}

/** Ends a run at once, whatever it is doing. */
export async function stopRun(app: App, argument: unknown): Promise<void> {
  const entry = await pickRun(
    app,
    argument,
    vscode.l10n.t('Stop'),
    ({ session, isElsewhere }) => session !== null || isElsewhere,
  );
  await steer(app, entry, vscode.l10n.t('The run was not stopped.'), (session) => session.stop(), { do: 'stop' });
}

/**
 * Does something to a run in progress here, or asks the window that it is in where there is a command for it; says where
 * that cannot be, and why where it is refused.
 */
export async function steer(
  app: App,
  entry: RunEntry | undefined,
  failed: string,
  act: (session: NonNullable<RunEntry['session']>) => unknown,
  command?: Command,
): Promise<void> {
  if (!entry) return;
  if (entry.isElsewhere) {
    if (command) return askOwner(app, entry, command, failed);
    void vscode.window.showWarningMessage(vscode.l10n.t('The run is in progress in another window: do it there.'));
    return;
  }
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
