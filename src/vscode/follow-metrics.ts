import * as vscode from 'vscode';
import { SECTION } from './ids.ts';
import type { Output } from './output.ts';
import type { Runs } from './runs.ts';
import { ownValue } from './settings.ts';

const SETTING = 'metricsPort';

/** Serves metrics as long as a port is set for them; what that takes is read from disk then. */
export function followMetrics(runs: Runs, output: Output): vscode.Disposable {
  let serving: Promise<vscode.Disposable | null> = Promise.resolve(null);
  const follow = () => {
    // It alone: reading all settings takes most of an activation.
    const port = ownValue(vscode.workspace.getConfiguration(SECTION, null).inspect(SETTING) ?? {});
    serving = serving.then(async (before) => {
      before?.dispose();
      if (typeof port !== 'number') return null;
      const { serveRuns } = await import('./metrics.ts');
      return serveRuns(runs, output, port);
    });
  };
  follow();
  return vscode.Disposable.from(
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration(`${SECTION}.${SETTING}`)) follow();
    }),
    {
      dispose: () => {
        void serving.then((last) => {
          last?.dispose();
        });
      },
    },
  );
}
