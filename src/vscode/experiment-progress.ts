import * as vscode from 'vscode';
import { countsOf, dollars } from './experiment-words.ts';
import type { Experiments } from './experiments.ts';
import { inMessage } from './labels.ts';

/** Shows the work on an experiment as a notification; its Cancel button stops it. */
export function watchExperiment(experiments: Experiments, directory: string, name: string): void {
  const title = vscode.l10n.t('Experiment “{0}”', inMessage(name, 60));
  const { control } = experiments;
  if (!control.worksOn(directory)) return;
  void vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (progress, token) => {
      token.onCancellationRequested(() => control.stop(directory));
      let shown = 0;
      const report = () => {
        const brief = experiments.entry(directory)?.brief;
        if (!brief) return;
        const { results, trials } = countsOf(brief.variants);
        const done = (100 * results) / trials;
        const spent = vscode.l10n.t('{0} of {1}', dollars(brief.spentUsd), dollars(brief.totalUsd));
        const message = `${vscode.l10n.t('{0} of {1} trials', results, trials)} · ${spent}`;
        progress.report({ message, increment: Math.max(0, done - shown) });
        shown = Math.max(shown, done);
      };
      const subscription = experiments.onDidChange(report);
      report();
      try {
        await new Promise<void>((resolve) => {
          const ending = control.onDidEnd((end) => {
            if (end.directory !== directory) return;
            ending.dispose();
            resolve();
          });
        });
      } finally {
        subscription.dispose();
      }
    },
  );
}
