import { l10n } from '../vscode/panel-l10n.ts';
import type { ReviewDecision, ReviewSection } from '../vscode/panel-messages.ts';
import { type Child, h } from './dom.ts';
import { formatTime } from './format.ts';
import { icon, type IconName } from './icons.ts';

/** The pending review: what happened since the last one, what comes next, and the decision. */
export function reviewCard(review: ReviewSection): HTMLElement {
  const done = review.done.map(({ id, text, failed }) =>
    taskLine(id, text, icon(failed ? 'cross' : 'check', failed ? 'bad' : 'good'), failed ? l10n.t('failed') : null),
  );
  const next = review.next.map(({ id, text }) => taskLine(id, text, icon('circle'), null));
  const files = review.firstUse.map(({ name, content }) =>
    h('details', {}, h('summary', { dir: 'auto' }, name), h('pre', {}, content)),
  );
  const asksToWrite = files.length > 0;
  return h(
    'section',
    { class: 'review-card', 'data-key': 'review', 'aria-labelledby': 'review-title' },
    h('h2', { id: 'review-title' }, icon('eye'), review.title),
    h('p', { dir: 'auto' }, l10n.t('Reason: {0}.', review.why)),
    h('p', { class: 'dim' }, `${l10n.t('It has waited since {0}.', formatTime(review.since))} ${review.unattended}`),
    h('ul', { class: 'facts-list' }, ...review.happened.map((line) => h('li', {}, line))),
    asksToWrite && h('div', { class: 'waiting-files' }, h('h3', {}, l10n.t('Files that wait to be written')), ...files),
    h(
      'div',
      { class: 'columns' },
      h(
        'div',
        {},
        h('h3', {}, l10n.t('Since the last review')),
        list(done, review.doneMore, l10n.t('Nothing was done.')),
      ),
      h(
        'div',
        {},
        h('h3', {}, l10n.t('Next tasks')),
        list(next, review.nextMore, asksToWrite ? l10n.t('No task waits yet.') : l10n.t('No task is left.')),
      ),
    ),
    decision(review),
  );
}

function decision({ digest, undecidable, elsewhere, firstUse }: ReviewSection): HTMLElement {
  const review = h('button', { 'data-do': 'action', 'data-action': 'review' }, icon('eye'), l10n.t('Review…'));
  // The window that the run is in is asked by a dialog of its own.
  if (elsewhere) return h('div', { class: 'actions' }, review, h('span', { class: 'dim' }, undecidable));
  if (undecidable !== null) return h('p', { class: 'dim' }, undecidable);
  const decide = (name: ReviewDecision, look: IconName, label: string) => {
    const main = name === 'approve' ? 'main' : null;
    const attributes = { class: main, 'data-do': 'decide', 'data-decision': name, 'data-digest': digest };
    return h('button', attributes, icon(look), label);
  };
  const what =
    firstUse.length > 0
      ? l10n.t('Approving writes these files, and later ones without asking.')
      : l10n.t('Approving goes on with exactly this list.');
  return h(
    'div',
    { class: 'actions' },
    decide('approve', 'check', l10n.t('Approve')),
    review,
    decide('stop', 'stop', l10n.t('Stop')),
    h('span', { class: 'dim' }, what),
  );
}

function taskLine(id: string, text: string, mark: Child, word: string | null): HTMLElement {
  return h(
    'li',
    {},
    mark,
    h('span', { class: 'task-id' }, id),
    h('span', { dir: 'auto' }, text),
    word !== null && h('span', { class: 'bad-word' }, word),
  );
}

function list(rows: readonly HTMLElement[], more: number, none: string): HTMLElement {
  if (rows.length === 0) return h('p', { class: 'dim' }, none);
  return h('ul', { class: 'task-lines' }, ...rows, more > 0 && h('li', { class: 'dim' }, l10n.t('and {0} more', more)));
}
