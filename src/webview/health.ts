import type { HealthSection } from '../vscode/panel-messages.ts';
import { h } from './dom.ts';
import { formatCount } from './format.ts';
import { icon } from './icons.ts';

const LOOKS = {
  good: { icon: 'check', look: 'good' },
  watch: { icon: 'warning', look: 'watch' },
  poor: { icon: 'warning', look: 'bad' },
  unknown: { icon: 'clock', look: '' },
} as const;

/** Whether the loop gets anywhere, in a sentence and the figures behind it. */
export function health(section: HealthSection): HTMLElement {
  const { icon: name, look } = LOOKS[section.verdict];
  const troubles = [
    { count: section.suppressed, one: 'duplicate left out', many: 'duplicates left out' },
    { count: section.repaired, one: 'reply repaired', many: 'replies repaired' },
    { count: section.rejected, one: 'reply unusable', many: 'replies unusable' },
    { count: section.failuresInARow, one: 'failure in a row', many: 'failures in a row' },
  ].filter(({ count }) => count > 0);
  const span =
    section.window === 0
      ? 'No iteration yet'
      : section.window === 1
        ? 'First iteration'
        : `Last ${section.window} iterations`;
  return h(
    'section',
    { class: 'health', 'aria-labelledby': 'health-title' },
    h('h2', { id: 'health-title', class: 'sr-only' }, 'Loop health'),
    h('p', {}, icon(name, look), section.words),
    h(
      'ul',
      { class: 'figures' },
      h('li', { class: 'dim' }, `${span}:`),
      figure(section.created, section.created === 1 ? 'new task' : 'new tasks'),
      figure(section.done, 'done'),
      ...troubles.map(({ count, one, many }) => figure(count, count === 1 ? one : many)),
    ),
  );
}

function figure(count: number, what: string): HTMLElement {
  return h('li', {}, h('span', { class: 'number' }, formatCount(count)), ` ${what}`);
}
