import { h } from './dom.ts';
import { formatCount } from './format.ts';

/** Buttons from page to page; nothing where there is one. `list` names the page number in the view. */
export function pager(list: 'taskPage' | 'callPage', page: number, pages: number, total: number): HTMLElement | null {
  if (pages <= 1) return null;
  const turn = (label: string, to: number, possible: boolean) =>
    h('button', { 'data-do': 'page', 'data-list': list, 'data-page': to, 'aria-disabled': String(!possible) }, label);
  return h(
    'nav',
    { class: 'pager', 'aria-label': 'Pages', 'data-key': 'pager' },
    turn('First', 0, page > 0),
    turn('Previous', page - 1, page > 0),
    h('span', {}, `Page ${formatCount(page + 1)} of ${formatCount(pages)}, ${formatCount(total)} in all`),
    turn('Next', page + 1, page < pages - 1),
    turn('Last', pages - 1, page < pages - 1),
  );
}
