import * as vscode from 'vscode';
import { wordsOf } from '../run/translate.ts';
import { type Endpoint, serveMetrics } from '../telemetry/endpoint.ts';
import { inMessage } from './labels.ts';
import { l10n } from './panel-l10n.ts';
import type { Output } from './output.ts';
import type { Runs } from './runs.ts';

/** Serves the metrics of the runs that this window has or had in progress. A window without metrics is as good as before. */
export async function serveRuns(runs: Runs, output: Output, port: number): Promise<vscode.Disposable | null> {
  const own = new Set<string>();
  const note = () => {
    for (const { runId, session } of runs.runs) if (session !== null) own.add(runId);
  };
  note();
  const noting = runs.onDidChangeEntry(({ runId, session }) => {
    if (session !== null) own.add(runId);
  });
  let endpoint: Endpoint;
  try {
    endpoint = await serveMetrics(port, () =>
      runs.runs.filter(({ runId }) => own.has(runId)).map(({ state }) => state),
    );
  } catch (error) {
    noting.dispose();
    // Another window of this machine may serve its own there.
    output.info(`Metrics are not served by this window. ${inMessage(wordsOf(error, l10n.t))}`);
    return null;
  }
  output.info(`Metrics are served at http://127.0.0.1:${endpoint.port}/metrics.`);
  return vscode.Disposable.from(noting, { dispose: () => endpoint.close() });
}
