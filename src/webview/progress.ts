import type { ProgressSection, SpendPart } from '../vscode/panel-messages.ts';
import { type Child, h } from './dom.ts';
import { formatCount, formatDuration, formatElapsed } from './format.ts';
import { icon } from './icons.ts';

const PARTS: Record<SpendPart, { name: string; means: string }> = {
  settled: { name: 'settled', means: 'Answered requests, at their price' },
  held: { name: 'held', means: 'Requests of unknown outcome, counted at their worst case' },
  reserved: { name: 'reserved', means: 'The worst case of requests under way' },
  free: { name: 'free', means: 'Left of the cost limit' },
};

/** From here on a limit is near. */
const NEAR = 0.9;

/** What was used of each limit. `sinceMs`: how long ago the figures were sent. */
export function progress(section: ProgressSection, sinceMs: number): HTMLElement {
  const { spend, iterations, time, queue, counts } = section;
  const active = time.activeMs + (time.runs ? sinceMs : 0);
  return h(
    'section',
    { class: 'progress', 'data-key': 'progress', 'aria-label': 'Progress against the limits' },
    spendTile(spend),
    tile(
      'Iterations',
      [formatCount(iterations.done), `of ${formatCount(iterations.limit)}`],
      meter(iterations.done / iterations.limit),
      note(outcomes(counts)),
    ),
    tile(
      'Active time',
      [formatElapsed(active), `of ${formatElapsed(time.limitMs)}`],
      meter(active / time.limitMs),
      iterations.done > 0 && note(`${formatDuration(active / iterations.done)} per iteration`),
    ),
    tile(
      'Queue',
      [formatCount(queue.waiting), queue.waiting === 1 ? 'task waits' : 'tasks wait'],
      h('p', { class: 'next', dir: 'auto' }, queue.next === null ? 'Nothing is next.' : `Next: ${queue.next}`),
    ),
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

function spendTile({ cap, spent, parts }: ProgressSection['spend']): HTMLElement {
  if (cap === null) return tile('Spend', [spent, 'at a price that is not known here']);
  const words = parts.map(({ part, amount }) => `${amount} ${PARTS[part].name}`).join(', ');
  const bars = parts
    .filter(({ part }) => part !== 'free')
    .map(({ part, share }) => h('span', { class: `part ${part}`, 'width%': share * 100, hidden: share === 0 }));
  const legend = parts.map(({ part, amount }) =>
    h(
      'li',
      { title: PARTS[part].means },
      h('span', { class: `swatch ${part}` }),
      h('span', { class: 'number' }, amount),
      ` ${PARTS[part].name}`,
    ),
  );
  return tile(
    'Spend',
    [spent, `of ${cap}`],
    h('div', { class: 'bar', role: 'img', 'aria-label': `Of ${cap}: ${words}` }, ...bars),
    h('ul', { class: 'legend' }, ...legend),
  );
}

function tile(name: string, [value, of]: readonly [string, string], ...more: readonly Child[]): HTMLElement {
  return h(
    'div',
    { class: `tile ${name === 'Spend' ? 'wide' : ''}` },
    h('h2', {}, name),
    h('p', { class: 'value' }, h('strong', {}, value), ' ', h('span', { class: 'of' }, of)),
    ...more,
  );
}

function outcomes({ done, failed }: ProgressSection['counts']): string {
  const words = `${formatCount(done)} ${done === 1 ? 'task' : 'tasks'} done`;
  return failed === 0 ? words : `${words}, ${formatCount(failed)} failed`;
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
