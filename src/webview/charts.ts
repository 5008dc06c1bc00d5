import { l10n } from '../vscode/panel-l10n.ts';
import type { AgentRow, IterationPoint, IterationsSection } from '../vscode/panel-messages.ts';
import { h, svg } from './dom.ts';
import { formatCount, formatDollars, formatDuration } from './format.ts';
import { barPath, HEIGHT, markPath, niceMaximum, slotAt, stepPath, WIDTH } from './scale.ts';

interface Chart {
  readonly id: string;
  readonly title: string;
  readonly value: (point: IterationPoint) => number;
  /** The greatest of the iterations that a point stands for. */
  readonly most: (point: IterationPoint) => number;
  readonly format: (value: number) => string;
  readonly shape: 'bars' | 'steps';
  /** Whether the mean says something. */
  readonly mean: boolean;
}

const CHARTS = (): readonly Chart[] => [
  {
    id: 'cost',
    title: l10n.t('Cost per iteration'),
    value: (point) => point.cost,
    most: (point) => point.costMax,
    format: formatDollars,
    shape: 'bars',
    mean: true,
  },
  {
    id: 'latency',
    title: l10n.t('Latency per iteration'),
    value: (point) => point.latency,
    most: (point) => point.latencyMax,
    format: formatDuration,
    shape: 'bars',
    mean: true,
  },
  {
    id: 'queue',
    title: l10n.t('Queue depth'),
    value: (point) => point.queue,
    most: (point) => point.queue,
    format: formatCount,
    shape: 'steps',
    mean: false,
  },
];

/** What the pointer is over. */
export interface Hover {
  readonly chart: string;
  /** Part of the width, 0 to 1. */
  readonly at: number;
}

/** `priced`: whether the requests of the run have a price; else there is no cost to draw. */
export function charts(
  section: IterationsSection,
  agents: readonly AgentRow[],
  hover: Hover | null,
  unfolded: (what: string) => boolean,
  priced: boolean,
): HTMLElement {
  if (section.points.length === 0)
    return h('p', { class: 'empty' }, l10n.t('The charts begin with the first iteration.'));
  return h(
    'div',
    { class: 'charts' },
    ...CHARTS()
      .filter(({ id }) => priced || id !== 'cost')
      .map((chart) =>
        figure(chart, section, hover?.chart === chart.id ? hover.at : null, unfolded(`table/${chart.id}`)),
      ),
    agents.length > 0 && agentFigure(agents, unfolded('table/agents')),
  );
}

function figure(chart: Chart, section: IterationsSection, at: number | null, open: boolean): HTMLElement | null {
  const { points, per } = section;
  const { id, title, format } = chart;
  const last = points.at(-1);
  if (!last) return null;
  const values = points.map(chart.value);
  const most = Math.max(...points.map(chart.most));
  const maximum = niceMaximum(most);
  const hovered = at === null ? undefined : points[slotAt(at, points.length)];
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const summary = chart.mean
    ? l10n.t('mean {0}, most {1}', format(mean), format(most))
    : l10n.t('now {0}, most {1}', format(chart.value(last)), format(most));
  const first = points[0]?.from ?? 1;
  const label = l10n.t('{0}, iterations {1} to {2}: {3}.', title, first, last.to, summary);
  return frame(
    id,
    title,
    hovered ? readout(chart, hovered) : summary,
    h(
      'div',
      { class: 'plot' },
      h(
        'div',
        { class: 'y-axis', 'aria-hidden': 'true' },
        h('span', {}, format(maximum)),
        h('span', {}, format(maximum / 2)),
        h('span', {}, '0'),
      ),
      plot(chart, points, maximum, label, at),
    ),
    h(
      'div',
      { class: 'x-axis', 'aria-hidden': 'true' },
      h('span', {}, first),
      h('span', {}, axisLabel(section)),
      h('span', {}, last.to),
    ),
    table(
      id,
      title,
      open,
      [l10n.t('Iteration'), title, ...(per > 1 && chart.mean ? [l10n.t('Most')] : []), l10n.t('Failed')],
      () =>
        [...points]
          .reverse()
          .map((point) => [
            stretch(point),
            format(chart.value(point)),
            ...(per > 1 && chart.mean ? [format(chart.most(point))] : []),
            point.failed === 0 ? '' : String(point.failed),
          ]),
    ),
  );
}

function plot(
  { id, shape, value, most }: Chart,
  points: readonly IterationPoint[],
  maximum: number,
  label: string,
  at: number | null,
): SVGElement {
  const values = points.map(value);
  const slot = WIDTH / points.length;
  const failed = points.map((point) => point.failed > 0);
  const cursor = at === null ? null : (slotAt(at, points.length) + 0.5) * slot;
  return svg(
    'svg',
    {
      class: `chart-${id}`,
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-labelledby': `title-${id} desc-${id}`,
      'data-chart': id,
    },
    svg('title', { id: `title-${id}` }, label),
    svg(
      'desc',
      { id: `desc-${id}` },
      l10n.t('Marks at the top stand for failed tasks. The table below has every value.'),
    ),
    svg('path', { class: 'grid', d: `M0 0.5H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT - 0.5}H${WIDTH}` }),
    shape === 'bars' && svg('path', { class: 'most', d: barPath(points.map(most), maximum) }),
    shape === 'bars'
      ? svg('path', { class: 'bars', d: barPath(values, maximum) })
      : svg('path', { class: 'area', d: stepPath(values, maximum, true) }),
    shape === 'steps' && svg('path', { class: 'line', d: stepPath(values, maximum, false) }),
    svg('path', { class: 'failed', d: markPath(failed) }),
    cursor !== null && svg('path', { class: 'cursor', d: `M${cursor} 0V${HEIGHT}` }),
  );
}

function axisLabel({ points, per }: IterationsSection): string {
  const iterations = per > 1 ? l10n.t('iterations, {0} a bar', per) : l10n.t('iterations');
  return points.some((point) => point.failed > 0) ? `${iterations}, ${l10n.t('red marks: failed')}` : iterations;
}

function readout(chart: Chart, point: IterationPoint): string {
  const one = point.from === point.to;
  const value = chart.format(chart.value(point));
  const words = [
    one ? l10n.t('iteration {0}: {1}', stretch(point), value) : l10n.t('iterations {0}: {1}', stretch(point), value),
  ];
  if (!one && chart.mean) words.push(l10n.t('at most {0}', chart.format(chart.most(point))));
  if (point.failed > 0) words.push(one ? l10n.t('failed') : l10n.t('{0} failed', point.failed));
  return words.join(', ');
}

function stretch({ from, to }: IterationPoint): string {
  return from === to ? String(from) : `${from}–${to}`;
}

/** Rows of this height, in the page and in the drawing. */
const ROW = 20;

function agentFigure(agents: readonly AgentRow[], open: boolean): HTMLElement {
  const title = l10n.t('Tokens by agent');
  const maximum = Math.max(1, ...agents.map(({ input, output }) => input + output));
  const all = agents.reduce((sum, { input, output }) => sum + input + output, 0);
  const bars = agents.flatMap(({ input, output }, row) => {
    const place = { y: row * ROW + 4, height: ROW - 8 };
    const width = (input / maximum) * WIDTH;
    return [
      svg('rect', { class: 'input', x: 0, width, ...place }),
      svg('rect', { class: 'output', x: width, width: (output / maximum) * WIDTH, ...place }),
    ];
  });
  const words = agents
    .map(({ agent, input, output }) => l10n.t('{0}: {1} in, {2} out', agent, formatCount(input), formatCount(output)))
    .join('; ');
  return frame(
    'agents',
    title,
    l10n.t('{0} in all', formatCount(all)),
    h(
      'div',
      { class: 'agent-rows' },
      h('ul', { 'aria-hidden': 'true' }, ...agents.map(({ agent }) => h('li', {}, agent))),
      svg(
        'svg',
        {
          viewBox: `0 0 ${WIDTH} ${agents.length * ROW}`,
          height: agents.length * ROW,
          preserveAspectRatio: 'none',
          role: 'img',
          'aria-labelledby': 'title-agents desc-agents',
        },
        svg('title', { id: 'title-agents' }, title),
        svg('desc', { id: 'desc-agents' }, words),
        ...bars,
      ),
      h(
        'ul',
        { class: 'numbers', 'aria-hidden': 'true' },
        ...agents.map(({ input, output }) => h('li', {}, `${formatCount(input)} + ${formatCount(output)}`)),
      ),
    ),
    h(
      'div',
      { class: 'legend', 'aria-hidden': 'true' },
      h('span', { class: 'swatch input' }),
      l10n.t('input'),
      h('span', { class: 'swatch output' }),
      l10n.t('output'),
    ),
    table(
      'agents',
      title,
      open,
      [l10n.t('Agent'), l10n.t('Calls'), l10n.t('Input'), l10n.t('of it cached'), l10n.t('Output'), l10n.t('Cost')],
      () =>
        agents.map(({ agent, calls, input, cached, output, cost }) => [
          agent,
          formatCount(calls),
          formatCount(input),
          formatCount(cached),
          formatCount(output),
          cost,
        ]),
    ),
  );
}

function frame(id: string, title: string, note: string, ...content: readonly (Node | null)[]): HTMLElement {
  return h(
    'figure',
    { 'data-key': id },
    h('figcaption', {}, h('h3', {}, title), h('span', { class: 'readout' }, note)),
    ...content,
  );
}

/** The same figures as a table; its rows are made only while it is open. */
function table(
  id: string,
  title: string,
  open: boolean,
  head: readonly string[],
  rows: () => readonly (readonly string[])[],
): HTMLElement {
  const what = `table/${id}`;
  const body = open
    ? h(
        'div',
        { class: 'table-scroll', tabindex: 0, role: 'region', 'aria-label': l10n.t('Table: {0}', title) },
        h(
          'table',
          { class: 'numbers' },
          h('thead', {}, h('tr', {}, ...head.map((name) => h('th', { scope: 'col' }, name)))),
          h(
            'tbody',
            {},
            ...rows().map(([first = '', ...rest]) =>
              h('tr', {}, h('th', { scope: 'row' }, first), ...rest.map((cell) => h('td', {}, cell))),
            ),
          ),
        ),
      )
    : null;
  return h(
    'details',
    { 'data-what': what, open },
    h('summary', {}, l10n.t('Table'), h('span', { class: 'sr-only' }, ` – ${title}`)),
    body,
  );
}
