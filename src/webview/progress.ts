import { l10n } from '../vscode/panel-l10n.ts';
import type { ProgressSection, SpendPart } from '../vscode/panel-messages.ts';
import { type Child, h } from './dom.ts';
import { formatCount, formatDuration, formatElapsed } from './format.ts';
import { icon } from './icons.ts';

const PARTS = (): Record<SpendPart, { name: (amount: string) => string; means: string }> => ({
  settled: { name: (amount) => l10n.t('{0} settled', amount), means: l10n.t('Answered requests, at their price') },
  held: {
    name: (amount) => l10n.t('{0} held', amount),
    means: l10n.t('Requests of unknown outcome, counted at their worst case'),
  },
  reserved: { name: (amount) => l10n.t('{0} reserved', amount), means: l10n.t('The worst case of requests under way') },
  free: { name: (amount) => l10n.t('{0} free', amount), means: l10n.t('Left of the cost limit') },
});

/** From here on a limit is near. */
const NEAR = 0.9;

/** What was used of each limit. `sinceMs`: how long ago the figures were sent. */
export function progress(section: ProgressSection, sinceMs: number): HTMLElement {
  const { spend, projection, drawn, iterations, time, queue, counts } = section;
  const active = time.activeMs + (time.runs ? sinceMs : 0);
  return h(
    'section',
    {
      class: ['progress', ...(drawn.length === 0 ? [] : ['more', `more-${drawn.length}`])].join(' '),
      'data-key': 'progress',
      'aria-label': l10n.t('Progress against the limits'),
    },
    spendTile(spend),
    ...drawn.map(drawnTile),
    tile(
      l10n.t('Iterations'),
      [formatCount(iterations.done), l10n.t('of {0}', formatCount(iterations.limit))],
      meter(iterations.done / iterations.limit),
      note(outcomes(counts)),
    ),
    tile(
      l10n.t('Active time'),
      [formatElapsed(active), l10n.t('of {0}', formatElapsed(time.limitMs))],
      meter(active / time.limitMs),
      iterations.done > 0 && note(l10n.t('{0} per iteration', formatDuration(active / iterations.done))),
    ),
    tile(
      l10n.t('Queue'),
      [formatCount(queue.waiting), queue.waiting === 1 ? l10n.t('task waits') : l10n.t('tasks wait')],
      h(
        'p',
        { class: 'next', dir: 'auto' },
        queue.next === null ? l10n.t('Nothing is next.') : l10n.t('Next: {0}', queue.next),
      ),
      counts.blocked > 0 &&
        note(counts.blocked === 1 ? l10n.t('1 blocked') : l10n.t('{0} blocked', formatCount(counts.blocked))),
    ),
    projection && projected(projection),
  );
}

/** What is being done right now, and for how long. */
export function activity(section: ProgressSection, sinceMs: number): HTMLElement | null {
  if (section.activity === null) return null;
  const { text, ms } = section.activity;
  return h(
    'p',
    { class: 'activity', 'data-key': 'activity' },
    icon('clock', 'pulse'),
    h('span', { dir: 'auto' }, text),
    h('span', { class: 'dim' }, formatElapsed(ms + sinceMs)),
  );
}

function spendTile({ cap, spent, parts, rehearsed }: ProgressSection['spend']): HTMLElement {
  const title = l10n.t('Spend');
  if (cap === null) return tile(title, [spent, l10n.t('at a price that is not known here')]);
  const names = PARTS();
  const words = parts.map(({ part, amount }) => names[part].name(amount)).join(', ');
  const bars = parts
    .filter(({ part }) => part !== 'free')
    .map(({ part, share }) => h('span', { class: `part ${part}`, 'width%': share * 100, hidden: share === 0 }));
  const legend = parts
    .filter(({ part, share }) => share > 0 || part === 'settled' || part === 'free')
    .map(({ part, amount }) =>
      h('li', { title: names[part].means }, h('span', { class: `swatch ${part}` }), names[part].name(amount)),
    );
  return tile(
    title,
    [spent, l10n.t('of {0}', cap)],
    h('div', { class: 'bar', role: 'img', 'aria-label': l10n.t('Of {0}: {1}', cap, words) }, ...bars),
    h('ul', { class: 'legend number' }, ...legend),
    rehearsed && note(l10n.t('Rehearsal: costs are what the model would cost; nothing is spent.')),
  );
}

function drawnTile({ limit, used, cap }: ProgressSection['drawn'][number]): HTMLElement {
  const requests = limit === 'max_requests';
  return tile(
    requests ? l10n.t('Requests') : l10n.t('Tokens'),
    [formatCount(used), l10n.t('of {0}', formatCount(cap))],
    meter(used / cap),
    note(requests ? l10n.t('Of all agents') : l10n.t('Of prompts and answers')),
  );
}

const LEVELS = {
  ok: { icon: 'check', look: 'good' },
  near: { icon: 'warning', look: 'watch' },
  over: { icon: 'limit', look: 'bad' },
} as const;

/** Where the run goes: by an icon of its own for each level, its colour, and first of all in words. */
function projected({ level, text }: NonNullable<ProgressSection['projection']>): HTMLElement {
  const { icon: name, look } = LEVELS[level];
  return h('p', { class: `projection ${level}` }, icon(name, look), h('span', {}, text));
}

function tile(name: string, [value, of]: readonly [string, string], ...more: readonly Child[]): HTMLElement {
  return h(
    'div',
    { class: 'tile' },
    h('h2', {}, name),
    h('p', { class: 'value' }, h('strong', {}, value), ' ', h('span', { class: 'of' }, of)),
    ...more,
  );
}

function outcomes({ done, failed }: ProgressSection['counts']): string {
  const words = done === 1 ? l10n.t('1 task done') : l10n.t('{0} tasks done', formatCount(done));
  return failed === 0 ? words : `${words}, ${l10n.t('{0} failed', formatCount(failed))}`;
}

function note(text: string): HTMLElement {
  return h('p', { class: 'note' }, text);
}

/** The numbers stand above it, so it is for the eye alone. */
function meter(share: number): HTMLElement {
  const near = share >= NEAR ? 'near' : '';
  return h(
    'div',
    { class: 'bar', 'aria-hidden': 'true' },
    h('span', { class: `part used ${near}`, 'width%': Math.min(1, share) * 100, hidden: share <= 0 }),
  );
}
