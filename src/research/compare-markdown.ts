import { inEnglish, type Translate } from '../run/translate.ts';
import { plainText } from '../runlog/markdown.ts';
import { money, table } from '../runlog/summary-markdown.ts';
import type { ComparedRun, Comparison, RunFigures } from './compare.ts';

const CELL = 80;

/** A comparison as tables for people. Runs have letters, in the order in which they were named. */
export function comparisonMarkdown({ runs, differences }: Comparison, translated: Translate = inEnglish): string {
  const letters = runs.map((_, index) => letterOf(index));
  const rows = runs.map((run, index) => [letters[index] ?? '', ...describe(run)]);
  const told = differences.map(({ at, values }) => [plainText(at, CELL), ...values.map(shown)]);
  const figures = figuresIn(translated).map(([name, show]) => [name, ...runs.map((run) => show(run.figures))]);
  return [
    `# ${translated('Comparison')}\n\n`,
    table(['', translated('strategy'), translated('model'), translated('objective'), translated('run')], rows),
    `## ${translated('What they were started with, where it differs')}\n\n`,
    told.length === 0 ? `${translated('Nothing differs.')}\n\n` : table(['', ...letters], told),
    `## ${translated('What came of it')}\n\n`,
    table(['', ...letters], figures, 1),
    `${translated('A useful result has a text, and no task of the same words was done before it. Costs are what is settled and held. Tasks are lost or invented where a prioritized list replaces the list, as the original does. What a fork took over is in the figures of the other run.')}\n`,
  ].join('');
}

type Figure = readonly [name: string, show: (figures: RunFigures) => string];

function figuresIn(translated: Translate): readonly Figure[] {
  return [
    [translated('ended by'), ({ stopReason }) => stopReason ?? translated('not ended')],
    [translated('iterations'), ({ iterations }) => String(iterations)],
    [translated('of them taken over by a fork'), ({ iterationsTakenOver }) => String(iterationsTakenOver)],
    [translated('results'), ({ results }) => String(results)],
    [translated('useful results'), ({ usefulResults }) => String(usefulResults)],
    [translated('cost'), ({ costUsd }) => money(costUsd)],
    [translated('of it held'), ({ heldUsd }) => money(heldUsd)],
    [translated('cost per useful result'), (figures) => or(figures.costPerUsefulResultUsd, money)],
    [translated('prompt tokens'), ({ inputTokens }) => String(inputTokens)],
    [translated('completion tokens'), ({ outputTokens }) => String(outputTokens)],
    [translated('requests'), ({ requests }) => String(requests)],
    [translated('requests per iteration'), (figures) => or(figures.requestsPerIteration)],
    [translated('failed requests'), ({ failedRequests }) => String(failedRequests)],
    [translated('latency p50'), ({ latencyMs }) => or(latencyMs?.p50 ?? null, milliseconds)],
    [translated('latency p95'), ({ latencyMs }) => or(latencyMs?.p95 ?? null, milliseconds)],
    [translated('active time'), ({ activeMs }) => `${Math.round(activeMs / 100) / 10} s`],
    [translated('tasks made by the loop'), ({ tasksCreated }) => String(tasksCreated)],
    [translated('tasks failed'), ({ tasksFailed }) => String(tasksFailed)],
    [translated('tasks waiting'), ({ tasksWaiting }) => String(tasksWaiting)],
    [translated('duplicates suppressed'), ({ duplicatesSuppressed }) => String(duplicatesSuppressed)],
    [translated('duplicates done again'), ({ duplicatesDone }) => String(duplicatesDone)],
    [translated('tasks lost'), ({ tasksLost }) => String(tasksLost)],
    [translated('tasks renamed or invented'), ({ tasksInvented }) => String(tasksInvented)],
    [translated('iterations with a reply to repair'), (figures) => or(figures.repairRate, percent)],
    [translated('growth of the list per iteration'), (figures) => or(figures.queueGrowth)],
  ];
}

function describe({ strategy, model, objective, run }: ComparedRun): string[] {
  return [strategy, model, objective, run].map((text) => plainText(text, CELL));
}

/** A, B … Z, A2, B2 … */
function letterOf(index: number): string {
  const letter = String.fromCharCode(65 + (index % 26));
  return index < 26 ? letter : `${letter}${Math.floor(index / 26) + 1}`;
}

/** A value of a configuration in a cell. */
export function shown(value: unknown): string {
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
