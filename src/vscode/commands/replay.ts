import * as vscode from 'vscode';
import { nodeDisk } from '../../runlog/disk.ts';
import type { App } from '../app.ts';
import { inMessage } from '../labels.ts';
import { inWindow } from '../panel-words.ts';
import { pickRun } from '../pick-run.ts';
import { tellProblem } from '../tell.ts';
import { withProgress } from '../with-progress.ts';

/** Runs the loop of a run again from its recorded answers, and tells whether it does what the log says. */
export async function replayRun(app: App, argument: unknown): Promise<void> {
  const entry = await pickRun(app, argument, vscode.l10n.t('Replay Run'), () => true);
  if (!entry) return;
  try {
    const [replay, { replaySentences }] = await Promise.all([
      import('../../research/replay.ts'),
      import('../../research/replay-words.ts'),
    ]);
    const result = await withProgress(vscode.l10n.t('Replaying the run'), ({ signal }) =>
      replay.replayRun(entry.directory, { disk: nodeDisk, distDirectory: __dirname, signal }),
    );
    if (!result) return;
    for (const note of result.notes) app.output.info(note);
    const message = inMessage(replaySentences(result, inWindow()).join(' '), 1000);
    if (result.identical) void vscode.window.showInformationMessage(message);
    else void vscode.window.showWarningMessage(message);
  } catch (error) {
    await tellProblem(app, vscode.l10n.t('The run was not replayed.'), error);
  }
}
