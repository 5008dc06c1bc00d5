import { type Pico, usdFromPico } from '../budget/money.ts';
import type { IterationRecord } from '../run/state.ts';
import type { IterationPoint, IterationsSection } from './panel-messages.ts';

/** More points than that are no more to see in a chart, and cost time in every update. */
export const MAX_POINTS = 300;

/** The rows of the charts: one for each iteration, or for as many as make at most MAX_POINTS of them. */
export function chartPoints(records: readonly IterationRecord[]): IterationsSection {
  const per = Math.max(1, Math.ceil(records.length / MAX_POINTS));
  const points: IterationPoint[] = [];
  for (let start = 0; start < records.length; start += per) {
    const point = pointOf(records.slice(start, start + per));
    if (point) points.push(point);
  }
  return { points, per };
}

function pointOf(records: readonly IterationRecord[]): IterationPoint | null {
  const [first] = records;
  const last = records.at(-1);
  if (!first || !last) return null;
  const cost = records.reduce((sum, record) => sum + record.cost, 0n);
  const costMax = records.reduce((most, record) => (record.cost > most ? record.cost : most), 0n as Pico);
  const latency = records.reduce((sum, record) => sum + record.latencyMs, 0);
  return {
    from: first.iteration,
    to: last.iteration,
    cost: usdFromPico(cost) / records.length,
    costMax: usdFromPico(costMax),
    latency: Math.round(latency / records.length),
    latencyMax: Math.round(Math.max(...records.map((record) => record.latencyMs))),
    queue: last.queue,
    failed: records.filter((record) => record.failed).length,
  };
}
