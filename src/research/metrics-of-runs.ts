import { money } from '../runlog/summary-markdown.ts';
import type { RunFigures } from './compare.ts';

/** What of a run is compared over trials. */
export interface Metric {
  /** As reports and CSV name it. */
  readonly name: string;
  /** For people. */
  readonly words: string;
  /** Null: there is nothing to reckon it from. */
  readonly of: (figures: RunFigures) => number | null;
  readonly show: (value: number) => string;
}

/** In the order in which people ask. All of them are tested, and the p values are adjusted for that. */
export const METRICS: readonly Metric[] = [
  { name: 'cost_usd', words: 'cost', of: ({ costUsd }) => costUsd, show: money },
  {
    name: 'cost_per_useful_result_usd',
    words: 'cost per useful result',
    of: ({ costPerUsefulResultUsd }) => costPerUsefulResultUsd,
    show: money,
  },
  { name: 'useful_results', words: 'useful results', of: ({ usefulResults }) => usefulResults, show: number },
  { name: 'iterations', words: 'iterations', of: ({ iterations }) => iterations, show: number },
  { name: 'input_tokens', words: 'prompt tokens', of: ({ inputTokens }) => inputTokens, show: number },
  { name: 'output_tokens', words: 'completion tokens', of: ({ outputTokens }) => outputTokens, show: number },
  {
    name: 'requests_per_iteration',
    words: 'requests per iteration',
    of: ({ requestsPerIteration }) => requestsPerIteration,
    show: number,
  },
  { name: 'latency_p50_ms', words: 'latency p50', of: ({ latencyMs }) => latencyMs?.p50 ?? null, show: milliseconds },
  { name: 'active_ms', words: 'active time', of: ({ activeMs }) => activeMs, show: milliseconds },
  {
    name: 'duplicates_suppressed',
    words: 'duplicates suppressed',
    of: ({ duplicatesSuppressed }) => duplicatesSuppressed,
    show: number,
  },
  { name: 'duplicates_done', words: 'duplicates done again', of: ({ duplicatesDone }) => duplicatesDone, show: number },
  { name: 'tasks_lost', words: 'tasks lost', of: ({ tasksLost }) => tasksLost, show: number },
  {
    name: 'repair_rate',
    words: 'iterations with a reply to repair',
    of: ({ repairRate }) => repairRate,
    show: percent,
  },
  {
    name: 'queue_growth',
    words: 'growth of the list per iteration',
    of: ({ queueGrowth }) => queueGrowth,
    show: number,
  },
];

/** Four significant digits, and as many before the point as there are. */
function number(value: number): string {
  return String(Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4)));
}

function milliseconds(value: number): string {
  return `${number(value)} ms`;
}

function percent(value: number): string {
  return `${number(100 * value)} %`;
}
