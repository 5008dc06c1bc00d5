import { l10n } from '../vscode/panel-l10n.ts';
import {
  type HistoryLine,
  TASK_FILTERS,
  type TaskDetail,
  type TaskFilter,
  type TaskGroup,
  type TaskRow,
  type TasksSection,
} from '../vscode/panel-messages.ts';
import { h } from './dom.ts';
import { formatCount, formatTime } from './format.ts';
import { icon, type IconName } from './icons.ts';
import { renderMarkdown } from './markdown.ts';
import { pager } from './pager.ts';

const GROUPS = (): Record<TaskGroup, { name: string; icon: IconName; look: string }> => ({
  running: { name: l10n.t('Running'), icon: 'play', look: 'active' },
  pending: { name: l10n.t('Waiting'), icon: 'circle', look: '' },
  blocked: { name: l10n.t('Blocked'), icon: 'lock', look: 'watch' },
  done: { name: l10n.t('Done'), icon: 'check', look: 'good' },
  failed: { name: l10n.t('Failed'), icon: 'cross', look: 'bad' },
  removed: { name: l10n.t('Removed'), icon: 'removed', look: 'faint' },
  suppressed: { name: l10n.t('Left out'), icon: 'copies', look: 'faint' },
});

/** The details that the host has sent, by task id. */
export type Details = ReadonlyMap<string, TaskDetail>;

export function tasks(
  section: TasksSection,
  counts: Readonly<Record<TaskGroup, number>>,
  details: Details,
  unfolded: (what: string) => boolean,
): HTMLElement {
  const groups = GROUPS();
  const rows: HTMLElement[] = [];
  let group: TaskGroup | null = null;
  for (const row of section.rows) {
    if (row.group !== group && section.filter === 'all') {
      rows.push(
        h(
          'li',
          { class: 'group', 'data-key': `group-${row.group}` },
          h('h3', {}, `${groups[row.group].name} (${formatCount(counts[row.group])})`),
        ),
      );
    }
    group = row.group;
    rows.push(taskRow(row, groups[row.group], details, row.taskId !== null && unfolded(`task/${row.taskId}`)));
  }
  return h(
    'div',
    {},
    filters(section.filter, counts),
    rows.length === 0 ? h('p', { class: 'empty' }, l10n.t('No such task.')) : h('ul', { class: 'tasks' }, ...rows),
    pager('taskPage', section.page, section.pages, section.total),
  );
}

function filters(chosen: TaskFilter, counts: Readonly<Record<TaskGroup, number>>): HTMLElement {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const groups = GROUPS();
  const buttons = TASK_FILTERS.map((filter) => {
    const [name, count] = filter === 'all' ? [l10n.t('All'), all] : [groups[filter].name, counts[filter]];
    const attributes = {
      'data-key': filter,
      'data-do': 'filter',
      'data-filter': filter,
      'aria-pressed': String(filter === chosen),
    };
    return h('button', attributes, name, h('span', { class: 'count' }, formatCount(count)));
  });
  return h('div', { class: 'filters', role: 'group', 'aria-label': l10n.t('Which tasks') }, ...buttons);
}

function taskRow(
  row: TaskRow,
  { icon: name, look, name: word }: ReturnType<typeof GROUPS>[TaskGroup],
  details: Details,
  open: boolean,
): HTMLElement {
  const head = [
    icon(name, look),
    h('span', { class: 'sr-only' }, `${word}: `),
    row.taskId !== null && h('span', { class: 'task-id' }, row.taskId),
    h('span', { class: 'task-text', dir: 'auto' }, row.text),
  ];
  return h(
    'li',
    { class: `task ${row.group}`, 'data-key': row.key },
    row.taskId === null
      ? h('div', { class: 'task-head' }, h('span', { class: 'chevron-space' }), ...head)
      : h(
          'button',
          { class: 'task-head', 'data-do': 'unfold', 'data-what': `task/${row.taskId}`, 'aria-expanded': String(open) },
          icon('chevron', 'chevron'),
          ...head,
        ),
    h('p', { class: 'lineage' }, row.lineage, ' · ', h('time', { datetime: row.at }, formatTime(row.at))),
    row.why !== null && h('p', { class: `why ${row.group}`, dir: 'auto' }, row.why),
    open && row.taskId !== null && detailOf(row.taskId, row.text, details.get(row.taskId)),
  );
}

function detailOf(taskId: string, shown: string, detail: TaskDetail | undefined): HTMLElement {
  if (!detail) return h('p', { class: 'detail dim' }, l10n.t('Loading…'));
  const cut = detail.text !== shown;
  return h(
    'div',
    { class: 'detail' },
    cut && h('p', { class: 'whole', dir: 'auto' }, detail.text),
    detail.result === null
      ? h('p', { class: 'dim' }, l10n.t('No result yet.'))
      : result(`${taskId} ${detail.result.length}`, detail.result),
    detail.note !== null && h('p', { class: 'dim' }, detail.note),
    detail.history !== null && detail.history.length > 0 && history(detail.history),
  );
}

/** Who made the task, moved it, changed it, and why. */
function history(lines: readonly HistoryLine[]): HTMLElement {
  const rows = lines.map(({ at, text }) =>
    h('li', {}, h('time', { datetime: at }, formatTime(at)), h('span', { dir: 'auto' }, text)),
  );
  return h('section', { class: 'history' }, h('h4', {}, l10n.t('History')), h('ol', {}, ...rows));
}

/** Markdown of a model; it is rendered once, `version` says when anew. */
export function result(version: string, markdown: string): HTMLElement {
  const box = h('div', { class: 'markdown', dir: 'auto', 'data-fixed': version });
  box.append(rendered(version, markdown));
  return box;
}

const CACHE_SIZE = 40;
const cache = new Map<string, DocumentFragment>();

function rendered(version: string, markdown: string): Node {
  const known = cache.get(version);
  if (known) return known.cloneNode(true);
  const fragment = renderMarkdown(markdown);
  const [oldest] = cache.keys();
  if (cache.size >= CACHE_SIZE && oldest !== undefined) cache.delete(oldest);
  cache.set(version, fragment);
  return fragment.cloneNode(true);
}
