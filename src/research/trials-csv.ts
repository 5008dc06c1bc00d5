import type { ExperimentReport } from './experiment-report.ts';
import { METRICS } from './metrics-of-runs.ts';

/** trials.csv: one line for each trial, for statistics programs (RFC 4180). What there is not is empty. */
export function trialsCsv({ runs }: ExperimentReport): string {
  const head = [
    ...[
      'place',
      'variant',
      'trial',
      'seed',
      'state',
      'stop_reason',
      'is_result',
      'run_id',
      'run',
      'interruptions',
      'events',
      'chain_hash',
    ],
    ...METRICS.map(({ name }) => name),
  ];
  const lines = runs.map((run) => [
    ...[run.place, run.variant, run.trial, run.seed, run.state, run.stop_reason, run.is_result, run.run_id, run.run],
    ...[run.interruptions, run.events, run.chain_hash],
    ...METRICS.map(({ of }) => run.figures && of(run.figures)),
  ]);
  return [head, ...lines].map((line) => `${line.map(cell).join(',')}\r\n`).join('');
}

function cell(value: string | number | boolean | null): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
