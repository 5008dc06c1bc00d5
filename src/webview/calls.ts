import { l10n } from '../vscode/panel-l10n.ts';
import type { CallDetail, CallRequest, CallRow, CallsSection } from '../vscode/panel-messages.ts';
import { type Child, h } from './dom.ts';
import { formatCount, formatDuration, formatTime } from './format.ts';
import { icon, type IconName } from './icons.ts';
import { pager } from './pager.ts';
import { result } from './tasks.ts';

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
export function calls(
  section: CallsSection,
  details: ReadonlyMap<string, CallDetail>,
  unfolded: (what: string) => boolean,
): HTMLElement {
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
      h(
        'tbody',
        { role: 'rowgroup' },
        ...section.rows.flatMap((row) => {
          const open = unfolded(`call/${row.id}`);
          return [callRow(row, shown, open), ...(open ? [detailRow(row.id, shown.length, details.get(row.id))] : [])];
        }),
      ),
    ),
    pager('callPage', section.page, section.pages, section.total),
  );
}

function callRow(row: CallRow, shown: readonly Column[], open: boolean): HTMLElement {
  return h(
    'tr',
    { role: 'row', 'data-key': row.id, class: row.status },
    ...shown.map(({ name, title, number, cell }, index) =>
      h(
        'td',
        { role: 'cell', 'data-label': title, class: `${name}${number ? ' number' : ''}` },
        index === 0 ? opener(row, open, cell(row)) : cell(row),
      ),
    ),
  );
}

function opener({ id, agent }: CallRow, open: boolean, time: Child): HTMLElement {
  return h(
    'button',
    { class: 'call-head', 'data-do': 'unfold', 'data-what': `call/${id}`, 'aria-expanded': String(open) },
    icon('chevron', 'chevron'),
    time,
    h('span', { class: 'sr-only' }, ` ${l10n.t('{0}: prompt and answer', agent)}`),
  );
}

function detailRow(id: string, columns: number, detail: CallDetail | undefined): HTMLElement {
  const content = detail
    ? [requestOf(detail.request), answerOf(detail)]
    : [h('p', { class: 'dim' }, l10n.t('Loading…'))];
  return h(
    'tr',
    { role: 'row', 'data-key': `${id}/detail`, class: 'call-detail' },
    h('td', { role: 'cell', colspan: columns, 'aria-colspan': columns }, h('div', { class: 'detail' }, ...content)),
  );
}

/** The texts are shown as they are: what looks like Markdown in them is part of the request. */
function requestOf(request: CallRequest | null): HTMLElement {
  if (request === null)
    return part(l10n.t('Request'), h('p', { class: 'dim' }, l10n.t('It is made again from the log…')));
  const { proof, words, parameters, parts } = request;
  return part(
    l10n.t('Request'),
    h(
      'p',
      { class: 'said proof' },
      proof === 'same' ? icon('check', 'good') : icon('warning', 'watch'),
      h('span', {}, words),
    ),
    parameters.length > 0 && h('p', { class: 'dim' }, parameters.join(' · ')),
    ...parts.flatMap(({ title, text, cut }) => [
      h('h5', {}, title),
      verbatim(text),
      cut && h('p', { class: 'dim' }, l10n.t('It is longer; the whole is in the log.')),
    ]),
  );
}

function answerOf({ callId, status, answer, error, notes }: CallDetail): HTMLElement {
  return part(
    l10n.t('Answer'),
    error !== null && h('p', { class: `why ${status === 'held' ? '' : 'failed'}`, dir: 'auto' }, error),
    answer !== null &&
      answer.text !== '' &&
      (answer.markdown ? result(`call ${callId}`, answer.text) : verbatim(answer.text)),
    notes.length > 0 && h('p', { class: 'dim' }, notes.join(' ')),
  );
}

function part(title: string, ...children: readonly Child[]): HTMLElement {
  return h('section', { class: 'call-part' }, h('h4', {}, title), ...children);
}

function verbatim(text: string): HTMLElement {
  return h('pre', { class: 'verbatim', dir: 'auto' }, text);
}
