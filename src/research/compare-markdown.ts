import { plainText } from '../runlog/markdown.ts';
import { money, table } from '../runlog/summary-markdown.ts';
import type { ComparedRun, Comparison, RunFigures } from './compare.ts';

const CELL = 80;

/** A comparison as tables for people. Runs have letters, in the order in which they were named. */
export function comparisonMarkdown({ runs, differences }: Comparison): string {
  const letters = runs.map((_, index) => letterOf(index));
  const rows = runs.map((run, index) => [letters[index] ?? '', ...describe(run)]);
  const told = differences.map(({ at, values }) => [plainText(at, CELL), ...values.map(shown)]);
  const figures = FIGURES.map(([name, show]) => [name, ...runs.map((run) => show(run.figures))]);
  return [
    '# Comparison\n\n',
    table(['', 'strategy', 'model', 'objective', 'run'], rows),
    '## What they were started with, where it differs\n\n',
    told.length === 0 ? 'Nothing differs.\n\n' : table(['', ...letters], told),
    '## What came of it\n\n',
    table(['', ...letters], figures, 1),
    'A useful result has a text, and no task of the same words was done before it. Costs are what is settled and held. Tasks are lost or invented where a prioritized list replaces the list, as in `classic`. What a fork took over is in the figures of the other run.\n',
  ].join('');
}

const FIGURES: readonly (readonly [string, (figures: RunFigures) => string])[] = [
  ['ended by', ({ stopReason }) => stopReason ?? 'not ended'],
  ['iterations', ({ iterations }) => String(iterations)],
  ['of them taken over by a fork', ({ iterationsTakenOver }) => String(iterationsTakenOver)],
  ['results', ({ results }) => String(results)],
  ['useful results', ({ usefulResults }) => String(usefulResults)],
  ['cost', ({ costUsd }) => money(costUsd)],
  ['of it held', ({ heldUsd }) => money(heldUsd)],
  ['cost per useful result', (figures) => or(figures.costPerUsefulResultUsd, money)],
  ['prompt tokens', ({ inputTokens }) => String(inputTokens)],
  ['completion tokens', ({ outputTokens }) => String(outputTokens)],
  ['requests', ({ requests }) => String(requests)],
  ['requests per iteration', (figures) => or(figures.requestsPerIteration)],
  ['failed requests', ({ failedRequests }) => String(failedRequests)],
  ['latency p50', ({ latencyMs }) => or(latencyMs?.p50 ?? null, milliseconds)],
  ['latency p95', ({ latencyMs }) => or(latencyMs?.p95 ?? null, milliseconds)],
  ['active time', ({ activeMs }) => `${Math.round(activeMs / 100) / 10} s`],
  ['tasks made by the loop', ({ tasksCreated }) => String(tasksCreated)],
  ['tasks failed', ({ tasksFailed }) => String(tasksFailed)],
  ['tasks waiting', ({ tasksWaiting }) => String(tasksWaiting)],
  ['duplicates suppressed', ({ duplicatesSuppressed }) => String(duplicatesSuppressed)],
  ['duplicates done again', ({ duplicatesDone }) => String(duplicatesDone)],
  ['tasks lost', ({ tasksLost }) => String(tasksLost)],
  ['tasks renamed or invented', ({ tasksInvented }) => String(tasksInvented)],
  ['iterations with a reply to repair', (figures) => or(figures.repairRate, percent)],
  ['growth of the list per iteration', (figures) => or(figures.queueGrowth)],
];

function describe({ strategy, model, objective, run }: ComparedRun): string[] {
  return [strategy, model, objective, run].map((text) => plainText(text, CELL));
}

/** A, B … Z, A2, B2 … */
function letterOf(index: number): string {
  const letter = String.fromCharCode(65 + (index % 26));
  return index < 26 ? letter : `${letter}${Math.floor(index / 26) + 1}`;
}

function shown(value: unknown): string {
  if (value === null) return '–';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return plainText(/^[0-9a-f]{64}$/.test(text) ? text.slice(0, 12) : text, CELL);
}

function or(value: number | null, show: (value: number) => string = String): string {
  return value === null ? '–' : show(value);
}

function milliseconds(value: number): string {
  return `${Math.round(value)} ms`;
}

function percent(value: number): string {
  return `${Math.round(value * 1000) / 10} %`;
}
