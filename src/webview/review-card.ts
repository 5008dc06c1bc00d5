import type { ReviewSection } from '../vscode/panel-messages.ts';
import { type Child, h } from './dom.ts';
import { formatTime } from './format.ts';
import { icon } from './icons.ts';

/** The pending review: what happened since the last one, what comes next, and the decision. */
export function reviewCard(review: ReviewSection): HTMLElement {
  const done = review.done.map(({ id, text, failed }) =>
    taskLine(id, text, icon(failed ? 'cross' : 'check', failed ? 'bad' : 'good'), failed ? 'failed' : null),
  );
  const next = review.next.map(({ id, text }) => taskLine(id, text, icon('circle'), null));
  const files = review.firstUse.map(({ name, content }) =>
    h('details', {}, h('summary', { dir: 'auto' }, name), h('pre', {}, content)),
  );
  const asksToWrite = files.length > 0;
  return h(
    'section',
    { class: 'review-card', 'data-key': 'review', 'aria-labelledby': 'review-title' },
    h('h2', { id: 'review-title' }, icon('eye'), `Checkpoint review ${review.place}`),
    h('p', { dir: 'auto' }, `Reason: ${review.why}.`),
    h('p', { class: 'dim' }, `It waits since ${formatTime(review.since)}. ${review.unattended}`),
    h('ul', { class: 'facts-list' }, ...review.happened.map((line) => h('li', {}, line))),
    asksToWrite && h('div', { class: 'waiting-files' }, h('h3', {}, 'Files that wait to be written'), ...files),
    h(
      'div',
      { class: 'columns' },
      h('div', {}, h('h3', {}, 'Since the last review'), list(done, review.doneMore, 'Nothing was done.')),
      h(
        'div',
        {},
        h('h3', {}, 'Next tasks'),
        list(next, review.nextMore, asksToWrite ? 'No task waits yet.' : 'No task is left.'),
      ),
    ),
    review.decidable
      ? h(
          'div',
          { class: 'actions' },
          h('button', { class: 'main', 'data-do': 'approve', 'data-digest': review.digest }, icon('check'), 'Approve'),
          h('button', { 'data-do': 'action', 'data-action': 'review' }, icon('eye'), 'Review…'),
          h('button', { 'data-do': 'action', 'data-action': 'stop' }, icon('stop'), 'Stop'),
          h(
            'span',
            { class: 'dim' },
            asksToWrite
              ? 'Approving writes these files, and later ones without asking.'
              : 'Approving goes on with exactly this list.',
          ),
        )
      : h('p', { class: 'dim' }, 'Resume the run in this window to decide here.'),
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
  return h('ul', { class: 'task-lines' }, ...rows, more > 0 && h('li', { class: 'dim' }, `and ${more} more`));
}
