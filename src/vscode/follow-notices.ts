import * as vscode from 'vscode';
import type { App } from './app.ts';

/** Interrupts the person when a run ends, waits for them, or paused itself. */
export function followNotices(app: App): vscode.Disposable {
  const notices = () => import('./notices.ts');
  return vscode.Disposable.from(
    app.control.onDidEnd(({ run, outcome }) => void notices().then(({ tellEnd }) => tellEnd(app, run, outcome))),
    app.runs.onDidChange(({ run, event }) => {
      // Without an event: a run that was taken up, perhaps with a review still pending.
      const reviewed =
        event === null ? run.session !== null && run.state.review !== null : event.type === 'review.requested';
      if (reviewed) void notices().then(({ askForReview }) => askForReview(app, run));
      if (event?.type === 'run.paused' && event.by === 'loop')
        void notices().then(({ tellPaused }) => tellPaused(run, event.why));
    }),
  );
}
