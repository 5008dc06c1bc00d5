import { l10n } from '../vscode/panel-l10n.ts';
import type { CallRow, CallsSection } from '../vscode/panel-messages.ts';
import { type Child, h } from './dom.ts';
import { formatCount, formatDuration, formatTime } from './format.ts';
import { icon, type IconName } from './icons.ts';
import { pager } from './pager.ts';

const OUTCOMES: Record<CallRow['status'], { icon: IconName; look: string }> = {
  reserved: { icon: 'clock', look: 'active' },
  settled: { icon: 'check', look: 'good' },
  held: { icon: 'warning', look: 'watch' },
  released: { icon: 'cross', look: 'bad' },
};

interface Column {
  readonly name: string;
  readonly title: string;
  readonly number: boolean;
  readonly cell: (row: CallRow) => Child;
}

function columns(): readonly Column[] {
  const text = (name: string, title: string, cell: Column['cell']) => ({ name, title, number: false, cell });
  const number = (name: string, title: string, cell: Column['cell']) => ({ name, title, number: true, cell });
  const count = (tokens: number | null) => (tokens === null ? '–' : formatCount(tokens));
  return [
    text('time', l10n.t('Time'), ({ at }) => formatTime(at)),
    text('agent', l10n.t('Agent'), ({ agent, attempt }) =>
      attempt > 1 ? l10n.t('{0}, attempt {1}', agent, attempt) : agent,
    ),
    text('task', l10n.t('Task'), ({ taskId }) => taskId ?? '–'),
    text('model', l10n.t('Model'), ({ model }) => model),
    number('in', l10n.t('In'), ({ input }) => count(input)),
    number('out', l10n.t('Out'), ({ output }) => count(output)),
    number('latency', l10n.t('Latency'), ({ latencyMs }) => (latencyMs === null ? '–' : formatDuration(latencyMs))),
    number('cost', l10n.t('Cost'), ({ cost }) => cost),
    text('outcome', l10n.t('Outcome'), ({ status, outcome }) => {
      const { icon: name, look } = OUTCOMES[status];
      return h('span', { class: 'said' }, icon(name, look), h('span', { dir: 'auto' }, outcome));
    }),
  ];
}

/** The model calls, newest first. Roles are spelled out because a narrow panel lays the cells out as a list. */
export function calls(section: CallsSection): HTMLElement {
  if (section.total === 0) return h('p', { class: 'empty' }, l10n.t('No call has been made yet.'));
  const shown = columns();
  const header = shown.map(({ title, number }) =>
    h('th', { role: 'columnheader', scope: 'col', class: number ? 'number' : null }, title),
  );
  return h(
    'div',
    {},
    h(
      'table',
      { class: 'calls', role: 'table', 'aria-label': l10n.t('Calls, newest first') },
      h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...header)),
      h('tbody', { role: 'rowgroup' }, ...section.rows.map((row) => callRow(row, shown))),
    ),
    pager('callPage', section.page, section.pages, section.total),
  );
}

function callRow(row: CallRow, shown: readonly Column[]): HTMLElement {
  return h(
    'tr',
    { role: 'row', 'data-key': row.id, class: row.status },
    ...shown.map(({ name, title, number, cell }) =>
      h('td', { role: 'cell', 'data-label': title, class: `${name}${number ? ' number' : ''}` }, cell(row)),
    ),
  );
}
