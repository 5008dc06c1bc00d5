import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fold } from '../../../src/run/fold.ts';
import { STOP_REASONS } from '../../../src/run/stop-reason.ts';
import { exposition } from '../../../src/telemetry/exposition.ts';
import { metricsOf } from '../../../src/telemetry/metrics.ts';
import { parsedMetrics } from '../../support/metrics-text.ts';
import { spansOf } from '../../../src/telemetry/traces.ts';
import { ended, events, iteration, makeConfig, startOfRun, task, unanswered } from '../../support/run-events.ts';

const ALERTS = readFileSync('docs/prometheus/alerts.yml', 'utf8');
const DASHBOARD = readFileSync('docs/prometheus/grafana-dashboard.json', 'utf8');
const RUNBOOK = readFileSync('docs/runbook.md', 'utf8');

const { families } = parsedMetrics(
  exposition(
    metricsOf([
      fold(
        makeConfig(),
        events(...startOfRun(), ...iteration(1, 't1', 'One.', task('t2', 'Two')), ended('queue_empty')),
      ),
    ]),
  ),
);
/** Each metric with the names of its labels and, of those with few values, the values. */
const samples = [...families.values()].flatMap((family) => family.samples);

function expressions(): string[] {
  const { panels } = JSON.parse(DASHBOARD) as { panels: { targets: { expr: string }[] }[] };
  const alerts = [...ALERTS.matchAll(/expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)/g)].map(
    ([, block, line]) => block ?? line ?? '',
  );
  return [...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)), ...alerts];
}

describe('the traces', () => {
  it('are told in the runbook, with every field', () => {
    const state = fold(
      makeConfig(),
      events(...startOfRun(), ...iteration(1, 't1', 'One.'), ...unanswered('c1', 'held', 'No.'), {
        type: 'run.ended',
        stop_reason: 'error',
        error: null,
        detail: 'No.',
      }),
    );
    const names = new Set(spansOf(state).flatMap(({ attributes }) => attributes.map(({ key }) => key)));
    assert.ok(names.size > 20);
    for (const name of names) assert.ok(RUNBOOK.includes(`\`${name}\``), name);
  });
});

describe('the examples for Prometheus and Grafana', () => {
  it('name metrics and labels that there are', () => {
    const found = new Set<string>();
    for (const expression of expressions()) {
      for (const [, name = '', selectors = ''] of expression.matchAll(/\b(babyagi_\w+)(?:\{([^}]*)\})?/g)) {
        const fitting = samples.filter((sample) => sample.name === name);
        assert.ok(fitting.length > 0, `${name} is no metric: ${expression}`);
        found.add(name.replace(/_(bucket|sum|count)$/, ''));
        for (const [, label = '', operator, text = ''] of selectors.matchAll(/(\w+)(=~|!=|=)"([^"]*)"/g)) {
          assert.ok(
            fitting.some(({ labels }) => label in labels),
            `${name} has no label ${label}`,
          );
          if (operator !== '=' || label === 'run_id') continue;
          assert.ok(
            fitting.some(({ labels }) => labels[label] === text),
            `${name} has no ${label} ${text}`,
          );
        }
      }
      for (const [, list = ''] of expression.matchAll(/\b(?:by|on) \(([^)]*)\)/g))
        for (const label of list.split(', '))
          assert.ok(
            samples.some(({ labels }) => label in labels),
            `there is no label ${label}: ${expression}`,
          );
    }
    assert.deepEqual([...found].sort(), [...families.keys()].sort(), 'every metric is shown somewhere');
  });

  it('show how things stand by what is there now, and not by all that there was', () => {
    const { panels } = JSON.parse(DASHBOARD) as {
      panels: { title: string; type: string; targets: { instant?: boolean }[] }[];
    };
    for (const { title, type, targets } of panels)
      for (const { instant = false } of targets) assert.equal(instant, type !== 'timeseries', title);
  });

  it('name stop reasons that there are', () => {
    const [, failures = ''] = /reason=~"(error[^"]*)"/.exec(ALERTS) ?? [];
    for (const reason of failures.split('|'))
      assert.ok(
        STOP_REASONS.some((known) => known === reason),
        reason,
      );
  });

  it('are told in the runbook, with every metric', () => {
    for (const name of families.keys()) assert.ok(RUNBOOK.includes(`\`${name}\``), name);
  });
});
