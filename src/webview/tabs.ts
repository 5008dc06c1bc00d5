import { l10n } from '../vscode/panel-l10n.ts';
import { PANEL_TABS, type PanelTab, type ProgressSection } from '../vscode/panel-messages.ts';
import { h } from './dom.ts';
import { formatCount } from './format.ts';

const NAMES = (): Record<PanelTab, string> => ({
  overview: l10n.t('Overview'),
  tasks: l10n.t('Tasks'),
  calls: l10n.t('Calls'),
  answer: l10n.t('Answer'),
});

export function tabs(chosen: PanelTab, progress: ProgressSection): HTMLElement {
  const { suppressed: _, ...tasks } = progress.counts;
  const counts: Partial<Record<PanelTab, number>> = {
    tasks: Object.values(tasks).reduce((sum, count) => sum + count, 0),
    calls: progress.calls,
  };
  const names = NAMES();
  const buttons = PANEL_TABS.map((tab) => {
    const count = counts[tab];
    return h(
      'button',
      {
        role: 'tab',
        id: `tab-${tab}`,
        'data-key': tab,
        'data-do': 'tab',
        'data-tab': tab,
        'aria-selected': String(tab === chosen),
        'aria-controls': 'tab-panel',
        tabindex: tab === chosen ? 0 : -1,
      },
      names[tab],
      count !== undefined && h('span', { class: 'count' }, formatCount(count)),
    );
  });
  return h(
    'div',
    { class: 'tabs', 'data-key': 'tabs', role: 'tablist', 'aria-label': l10n.t('Parts of the summary') },
    ...buttons,
  );
}

/** The tab that a key leads to from this one, or null. */
export function tabAfterKey(from: PanelTab, key: string): PanelTab | null {
  const at = PANEL_TABS.indexOf(from);
  switch (key) {
    case 'ArrowRight':
      return PANEL_TABS[(at + 1) % PANEL_TABS.length] ?? null;
    case 'ArrowLeft':
      return PANEL_TABS.at(at - 1) ?? null;
    case 'Home':
      return PANEL_TABS[0];
    case 'End':
      return PANEL_TABS.at(-1) ?? null;
    default:
      return null;
  }
}
