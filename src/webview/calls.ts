import type { CallRow, CallsSection } from '../vscode/panel-messages.ts';
import { type Child, h } from './dom.ts';
import { formatCount, formatDuration, formatTime, sentence } from './format.ts';
import { icon, type IconName } from './icons.ts';
import { pager } from './pager.ts';

const OUTCOMES: Record<CallRow['status'], { icon: IconName; look: string }> = {
  reserved: { icon: 'clock', look: 'active' },
  settled: { icon: 'check', look: 'good' },
  held: { icon: 'warning', look: 'watch' },
  released: { icon: 'cross', look: 'bad' },
};

const COLUMNS = ['Time', 'Agent', 'Task', 'Model', 'In', 'Out', 'Latency', 'Cost', 'Outcome'] as const;
const NUMBERS: ReadonlySet<string> = new Set(['In', 'Out', 'Latency', 'Cost']);

/** The model calls, newest first. Roles are spelled out because a narrow panel lays the cells out as a list. */
export function calls(section: CallsSection): HTMLElement {
  if (section.total === 0) return h('p', { class: 'empty' }, 'No call has been made yet.');
  const header = COLUMNS.map((name) =>
    h('th', { role: 'columnheader', scope: 'col', class: NUMBERS.has(name) ? 'number' : null }, name),
  );
  return h(
    'div',
    {},
    h(
      'table',
      { class: 'calls', role: 'table', 'aria-label': 'Calls, newest first' },
      h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...header)),
      h('tbody', { role: 'rowgroup' }, ...section.rows.map(callRow)),
    ),
    pager('callPage', section.page, section.pages, section.total),
  );
}

function callRow(row: CallRow): HTMLElement {
  const { icon: name, look } = OUTCOMES[row.status];
  const count = (tokens: number | null) => (tokens === null ? '–' : formatCount(tokens));
  const again = row.attempt > 1 ? `, attempt ${row.attempt}` : '';
  const cells: Record<(typeof COLUMNS)[number], Child> = {
    Time: formatTime(row.at),
    Agent: `${sentence(row.agent)}${again}`,
    Task: row.taskId ?? '–',
    Model: row.model,
    In: count(row.input),
    Out: count(row.output),
    Latency: row.latencyMs === null ? '–' : formatDuration(row.latencyMs),
    Cost: row.cost,
    Outcome: h('span', { class: 'said' }, icon(name, look), h('span', { dir: 'auto' }, row.outcome)),
  };
  return h(
    'tr',
    { role: 'row', 'data-key': row.id, class: row.status },
    ...COLUMNS.map((column) =>
      h(
        'td',
        { role: 'cell', 'data-label': column, class: NUMBERS.has(column) ? 'number' : column.toLowerCase() },
        cells[column],
      ),
    ),
  );
}
