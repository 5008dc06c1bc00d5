import { l10n } from '../vscode/panel-l10n.ts';
import type { HeadSection, PanelAction, StateKind } from '../vscode/panel-messages.ts';
import { h } from './dom.ts';
import { icon, type IconName } from './icons.ts';

const STATE_ICONS: Record<StateKind, IconName> = {
  waiting: 'clock',
  running: 'play',
  paused: 'pause',
  review: 'eye',
  complete: 'check',
  limit: 'limit',
  stopped: 'stop',
  failed: 'warning',
};

const ACTIONS = (): Record<PanelAction, { label: string; icon: IconName }> => ({
  pause: { label: l10n.t('Pause'), icon: 'pause' },
  resume: { label: l10n.t('Resume'), icon: 'play' },
  stop: { label: l10n.t('Stop'), icon: 'stop' },
  review: { label: l10n.t('Review…'), icon: 'eye' },
  continue: { label: l10n.t('Continue with More…'), icon: 'more' },
  raiseLimit: { label: l10n.t('Raise a Limit…'), icon: 'more' },
  forkRun: { label: l10n.t('Fork Run…'), icon: 'fork' },
  openAnswer: { label: l10n.t('Open Answer'), icon: 'document' },
  openSummaryDocument: { label: l10n.t('Open Summary Document'), icon: 'document' },
  openLog: { label: l10n.t('Open Log'), icon: 'lines' },
});

/** Above this length the objective is folded. */
const LONG_OBJECTIVE = 220;

/** Who, in what state, why, and what can be done. */
export function header(head: HeadSection, unfolded: (what: string) => boolean): HTMLElement {
  const long = head.objective.length > LONG_OBJECTIVE;
  const whole = !long || unfolded('objective');
  return h(
    'header',
    { class: `head ${head.kind}`, 'data-key': 'head' },
    h(
      'div',
      { class: 'state-line' },
      h('span', { class: `state ${head.kind}` }, icon(STATE_ICONS[head.kind]), h('strong', {}, head.state)),
      head.detail !== '' && h('span', { class: 'state-detail', dir: 'auto' }, head.detail),
      h('span', { class: 'facts' }, head.facts.join(' · ')),
    ),
    h('h1', { class: whole ? null : 'clamped', dir: 'auto' }, head.objective),
    long &&
      h(
        'button',
        { class: 'link', 'data-do': 'unfold', 'data-what': 'objective', 'aria-expanded': String(whole) },
        whole ? l10n.t('Show less') : l10n.t('Show the whole objective'),
      ),
    head.criteria.length > 0 && criteria(head, unfolded('criteria')),
    head.end && ending(head.end, head.kind),
    h(
      'div',
      { class: 'actions', 'data-key': 'actions', role: 'group', 'aria-label': l10n.t('Controls of the run') },
      ...head.actions.map((action, index) => button(action, index === 0 && action !== 'stop')),
    ),
  );
}

export function button(action: PanelAction, main: boolean): HTMLElement {
  const { label, icon: name } = ACTIONS()[action];
  // One button for both, so that the focus stays on it when the one turns into the other.
  const key = action === 'resume' ? 'pause' : action;
  const attributes = { 'data-key': key, 'data-do': 'action', 'data-action': action, class: main ? 'main' : null };
  return h('button', attributes, icon(name), label);
}

function criteria({ criteria: list, end }: HeadSection, open: boolean): HTMLElement {
  const met = list.filter((each) => each.met === true).length;
  const ended = end !== null;
  const judged = list.some((each) => each.met !== null);
  const rows = list.map(({ text, met: is }) =>
    h(
      'li',
      {},
      icon(is === null ? 'circle' : is ? 'check' : 'cross', is === null ? '' : is ? 'good' : 'bad'),
      h('span', { dir: 'auto' }, text),
      is !== null && h('span', { class: 'dim' }, is ? l10n.t('met') : l10n.t('not met')),
    ),
  );
  return h(
    'details',
    { class: 'criteria', 'data-key': 'criteria', 'data-what': 'criteria', open },
    h(
      'summary',
      {},
      judged
        ? l10n.t('Acceptance criteria: {0} of {1} met', met, list.length)
        : ended
          ? l10n.t('Acceptance criteria: {0}, not judged', list.length)
          : l10n.t('Acceptance criteria: {0}, not judged yet', list.length),
    ),
    h('ul', {}, ...rows),
  );
}

function ending(end: NonNullable<HeadSection['end']>, kind: StateKind): HTMLElement {
  return h(
    'section',
    { class: `ending ${kind}`, 'aria-label': l10n.t('Why the run ended') },
    h('p', {}, h('code', {}, end.reason), ` ${end.meaning}`),
    end.detail !== '' && h('p', { dir: 'auto' }, end.detail),
    end.error !== null && h('p', { class: 'error', dir: 'auto' }, end.error),
    h('p', {}, h('strong', {}, `${l10n.t('Next:')} `), end.next),
  );
}
