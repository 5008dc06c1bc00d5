import * as vscode from 'vscode';
import { printable } from '../safety/text.ts';
import { Coalescer } from './coalesce.ts';
import { inMessage } from './labels.ts';
import { spentWords } from './run-brief.ts';
import type { RunView } from './run-view.ts';
import type { Runs } from './runs.ts';

const REPORT_MS = 250;

/** Shows a run in progress as a notification; its Cancel button stops the run. */
export function watchRun(runs: Runs, run: RunView): void {
  const { session } = run;
  if (!session) return;
  const title = `BabyAGI: ${inMessage(run.state.config.objective, 60)}`;
  void vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (progress, token) => {
      token.onCancellationRequested(() => session.stop());
      let shown = 0;
      const report = () => {
        const brief = runs.entry(run.runId)?.brief;
        if (!brief) return;
        const done = Math.min(100, (100 * brief.iterations) / brief.maxIterations);
        const task = run.state.current ? (run.state.tasks.get(run.state.current.taskId)?.text ?? '') : '';
        const message = `${brief.iterations}/${brief.maxIterations} · ${spentWords(brief)}${task === '' ? '' : ` · ${printable(task, 60)}`}`;
        progress.report({ message: inMessage(message, 160), increment: Math.max(0, done - shown) });
        shown = Math.max(shown, done);
      };
      const reports = new Coalescer<void>(REPORT_MS, report);
      const subscription = runs.onDidChangeEntry(({ runId }) => {
        if (runId === run.runId) reports.add(undefined);
      });
      report();
      try {
        await session.done;
      } finally {
        reports.dispose();
        subscription.dispose();
      }
    },
  );
}
