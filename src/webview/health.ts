import { l10n } from '../vscode/panel-l10n.ts';
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
    {
      count: section.suppressed,
      one: l10n.t('1 duplicate left out'),
      many: (count: string) => l10n.t('{0} duplicates left out', count),
    },
    {
      count: section.repaired,
      one: l10n.t('1 reply repaired'),
      many: (count: string) => l10n.t('{0} replies repaired', count),
    },
    {
      count: section.rejected,
      one: l10n.t('1 reply unusable'),
      many: (count: string) => l10n.t('{0} replies unusable', count),
    },
    {
      count: section.failuresInARow,
      one: l10n.t('1 failure in a row'),
      many: (count: string) => l10n.t('{0} failures in a row', count),
    },
  ].filter(({ count }) => count > 0);
  const { window, created, done } = section;
  const span = window === 1 ? l10n.t('First iteration') : l10n.t('Last {0} iterations', window);
  return h(
    'section',
    { class: 'health', 'aria-labelledby': 'health-title' },
    h('h2', { id: 'health-title', class: 'sr-only' }, l10n.t('Loop health')),
    h('p', {}, icon(name, look), section.words),
    window > 0 &&
      h(
        'ul',
        { class: 'figures' },
        h('li', { class: 'dim' }, `${span}:`),
        h('li', {}, created === 1 ? l10n.t('1 new task') : l10n.t('{0} new tasks', formatCount(created))),
        h('li', {}, l10n.t('{0} done', formatCount(done))),
        ...troubles.map(({ count, one, many }) => h('li', {}, count === 1 ? one : many(formatCount(count)))),
      ),
  );
}
