import { l10n } from '../vscode/panel-l10n.ts';
import { h } from './dom.ts';
import { formatCount } from './format.ts';

/** Buttons from page to page; nothing where there is one. `list` names the page number in the view. */
export function pager(list: 'taskPage' | 'callPage', page: number, pages: number, total: number): HTMLElement | null {
  if (pages <= 1) return null;
  const turn = (label: string, to: number, possible: boolean) =>
    h('button', { 'data-do': 'page', 'data-list': list, 'data-page': to, 'aria-disabled': String(!possible) }, label);
  return h(
    'nav',
    { class: 'pager', 'aria-label': l10n.t('Pages'), 'data-key': 'pager' },
    turn(l10n.t('First'), 0, page > 0),
    turn(l10n.t('Previous'), page - 1, page > 0),
    h('span', {}, l10n.t('Page {0} of {1}, {2} in all', formatCount(page + 1), formatCount(pages), formatCount(total))),
    turn(l10n.t('Next'), page + 1, page < pages - 1),
    turn(l10n.t('Last'), pages - 1, page < pages - 1),
  );
}
