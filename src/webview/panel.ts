import { l10n } from '../vscode/panel-l10n.ts';
import type { CallDetail, PanelAnswer, PanelSections, TaskDetail } from '../vscode/panel-messages.ts';
import { calls } from './calls.ts';
import { charts, type Hover } from './charts.ts';
import { type Child, h } from './dom.ts';
import { button, header } from './header.ts';
import { health } from './health.ts';
import { activity, progress } from './progress.ts';
import { reviewCard } from './review-card.ts';
import { tabs } from './tabs.ts';
import { result, tasks } from './tasks.ts';
import type { UiState } from './ui-state.ts';

/** All that the page is drawn from. */
export interface PanelModel {
  readonly ui: UiState;
  readonly sections: Partial<PanelSections>;
  readonly details: ReadonlyMap<string, TaskDetail>;
  readonly callDetails: ReadonlyMap<string, CallDetail>;
  readonly answer: PanelAnswer | null;
  readonly problem: string | null;
  /** Why the run is not there to be shown, empty where nobody knows; null where it is. */
  readonly gone: string | null;
  readonly hover: Hover | null;
  /** How long ago the progress was sent, milliseconds. */
  readonly sinceMs: number;
}

/** The whole page for a model. */
export function panel(model: PanelModel): HTMLElement {
  const { head, review, progress: figures } = model.sections;
  if (model.gone !== null) return h('main', { class: 'panel' }, ...unreadable(model.gone));
  if (!head || !figures) return h('main', { class: 'panel' }, loading());
  const unfolded = (what: string) => model.ui.unfolded.includes(what);
  const { tab } = model.ui.view;
  return h(
    'main',
    { class: 'panel' },
    h(
      'p',
      { class: 'sr-only', role: 'status', 'data-key': 'status' },
      [head.state, head.detail, head.end?.meaning].filter(Boolean).join('. '),
    ),
    header(head, unfolded),
    h(
      'div',
      { role: 'alert', 'data-key': 'problem', class: model.problem === null ? null : 'problem' },
      model.problem !== null && problem(model.problem),
    ),
    review && reviewCard(review),
    progress(figures, model.sinceMs),
    activity(figures, model.sinceMs),
    tabs(tab, figures),
    h(
      'div',
      {
        class: 'tab-panel',
        id: 'tab-panel',
        role: 'tabpanel',
        'aria-labelledby': `tab-${tab}`,
        'data-key': `panel-${tab}`,
      },
      tabContent(model, unfolded),
    ),
  );
}

function unreadable(why: string): Child[] {
  const words = l10n.t('The summary of this run cannot be shown.');
  if (why === '')
    return [h('p', { class: 'empty', role: 'status' }, words, ' ', l10n.t('Its folder was moved or deleted.'))];
  return [
    h('h1', {}, words),
    h('section', { class: 'ending failed', role: 'status' }, h('p', { dir: 'auto' }, why)),
    h('div', { class: 'actions' }, button('openLog', true)),
  ];
}

function problem(text: string): HTMLElement {
  return h('div', {}, h('span', {}, text), h('button', { class: 'link', 'data-do': 'dismiss' }, l10n.t('Dismiss')));
}

function tabContent(model: PanelModel, unfolded: (what: string) => boolean): Child {
  const { sections, ui } = model;
  switch (ui.view.tab) {
    case 'overview': {
      const { health: state, iterations, agents } = sections;
      if (!state || !iterations || !agents) return loading();
      return h(
        'div',
        {},
        health(state),
        charts(iterations, agents, model.hover, unfolded, sections.progress?.spend.cap !== null),
      );
    }
    case 'tasks':
      return sections.tasks && sections.progress
        ? tasks(sections.tasks, sections.progress.counts, model.details, unfolded)
        : loading();
    case 'calls':
      return sections.calls ? calls(sections.calls, model.callDetails, unfolded) : loading();
    case 'answer':
      return model.answer ? answer(model.answer) : loading();
  }
}

function answer({ markdown, note }: PanelAnswer): HTMLElement {
  if (markdown === null) return h('p', { class: 'empty' }, note);
  return h(
    'article',
    { class: 'answer', 'aria-label': l10n.t('Answer') },
    result(`answer ${markdown.length} ${note}`, markdown),
    h('p', { class: 'dim' }, note),
  );
}

function loading(): HTMLElement {
  return h('p', { class: 'empty' }, l10n.t('Loading…'));
}
