import * as vscode from 'vscode';
import { formatUsd, picoFromUsd } from '../../budget/money.ts';
import type { Session } from '../../engine/session.ts';
import { iterationsInWords, reviewReport } from '../../research/review-report.ts';
import { spentOfLimit } from '../../run/cost-words.ts';
import { LIMIT_WORDS } from '../../run/limits.ts';
import { reviewDigest } from '../../run/review.ts';
import type { RunState } from '../../run/state.ts';
import type { App } from '../app.ts';
import { inQuickPick } from '../labels.ts';
import { l10n } from '../panel-l10n.ts';
import { pickRun } from '../pick-run.ts';
import { reviewReason } from '../../research/review-reason.ts';
import { askPick, BACK } from '../steps.ts';
import type { RunView } from '../run-view.ts';
import type { RunEntry } from '../runs.ts';
import { tellProblem } from '../tell.ts';
import { askOwner } from './ask-owner.ts';
import { askRaise, pickLimit } from './continue-run.ts';
import { steer } from './control.ts';
import { openSummary } from './documents.ts';
import { askTaskText, askWhyBlocked, moveBy } from './tasks.ts';
import { taskStateWords } from '../run-words.ts';

const SHOWN = 200;

type What =
  | 'approve'
  | 'stop'
  | 'add'
  | 'guide'
  | 'raise'
  | 'task'
  | 'edit'
  | 'up'
  | 'down'
  | 'front'
  | 'delete'
  | 'block'
  | 'unblock'
  | 'look'
  | 'none';

interface Item extends vscode.QuickPickItem {
  readonly what: What;
  readonly taskId?: string;
}

interface TaskButton extends vscode.QuickInputButton {
  readonly what: What;
}

/** Lets a person look at what comes next, change it, and decide, until the review is decided or left. */
export async function reviewRun(app: App, argument: unknown): Promise<void> {
  const entry = await pickRun(
    app,
    argument,
    vscode.l10n.t('Review'),
    ({ brief }) => brief.status === 'review' || brief.status === 'review_elsewhere',
  );
  if (!entry) return;
  if (entry.isElsewhere) return reviewElsewhere(app, entry);
  if (!entry.session) return steer(app, entry, '', () => {});
  const { session } = entry;
  if (!isPending(session)) {
    void vscode.window.showInformationMessage(vscode.l10n.t('No review is pending for this run.'));
    return;
  }
  while (isPending(session)) {
    // A decision holds for what is shown from here on.
    const digest = reviewDigest(session.state);
    const picked = await askPick<Item>({
      title: titleOf(session),
      placeholder: vscode.l10n.t('Approve, stop, or change what comes next'),
      items: itemsOf(session),
      onButton: (item, button) => ({ ...item, what: (button as TaskButton).what }),
    });
    if (picked === undefined || picked === BACK) return;
    if (picked.what === 'look') return openSummary(app, entry.runId);
    try {
      await act(session, picked, digest);
    } catch (error) {
      await tellProblem(app, vscode.l10n.t('That was not done.'), error);
    }
  }
}

/** From here a review that waits in another window can be looked at and decided. */
async function reviewElsewhere(app: App, entry: RunEntry): Promise<void> {
  const { view } = entry;
  if (!view?.state.review) {
    void vscode.window.showInformationMessage(vscode.l10n.t('No review is pending for this run.'));
    return;
  }
  const digest = reviewDigest(view.state);
  const picked = await askPick<Item>({
    title: titleOf(view),
    placeholder: vscode.l10n.t('Approve or stop; the tasks can be changed in the window that the run is in'),
    items: itemsOf(view)
      .filter(({ what }) => what === 'approve' || what === 'stop' || what === 'none' || what === 'task')
      .map(({ buttons: _, ...item }) => item),
  });
  if (picked === undefined || picked === BACK || (picked.what !== 'approve' && picked.what !== 'stop')) return;
  const what = picked.what === 'approve' ? 'approve_review' : 'stop_at_review';
  await askOwner(app, entry, { do: what, digest }, vscode.l10n.t('The review was not decided.'));
}

function isPending({ state }: Session): boolean {
  return state.review !== null;
}

/** A decision from a notification's button, for the state that it was shown with. */
export async function decideReview(
  app: App,
  session: Session,
  decision: 'approve' | 'stop',
  digest: string,
): Promise<void> {
  try {
    session.steering.decideReview(decision, digest, 'vscode');
  } catch (error) {
    await tellProblem(app, vscode.l10n.t('The review was not decided.'), error);
  }
}

function titleOf({ state }: Pick<RunView, 'state'>): string {
  const { iteration, money, limits } = state;
  const spent = spentOfLimit(state, money.settled + money.held, l10n.t);
  return vscode.l10n.t('Checkpoint review: {0} of {1} iterations, {2}', iteration, limits.max_iterations, spent);
}

/** What happened since the last review, and what it costs until the next one. Choosing one of these does nothing. */
function factsOf(state: RunState): Item[] {
  const { done, failed, created, suppressed, cost, ahead } = reviewReport(state);
  const to =
    ahead.iterations === null
      ? vscode.l10n.t('Until the next review')
      : ahead.toReview
        ? vscode.l10n.t('Until the next review ({0})', iterationsInWords(ahead.iterations, vscode.l10n.t))
        : vscode.l10n.t('Up to the iteration limit ({0})', iterationsInWords(ahead.iterations, vscode.l10n.t));
  const spend = cost === null ? vscode.l10n.t('cost included') : vscode.l10n.t('{0} spent', formatUsd(cost));
  const price =
    ahead.usd !== null
      ? vscode.l10n.t('about {0}', formatUsd(picoFromUsd(ahead.usd)))
      : cost === null
        ? ''
        : vscode.l10n.t('cost not known before an iteration is complete');
  const end =
    ahead.ends === null
      ? ''
      : vscode.l10n.t('{0} after {1} iterations', l10n.known(LIMIT_WORDS[ahead.ends.limit].name), ahead.ends.after);
  const files = state.review?.firstUse?.files ?? [];
  const fact = (label: string, ...words: string[]): Item => ({
    what: 'none',
    label,
    description: words.filter(Boolean).join(' · '),
  });
  return [
    fact(`$(question) ${vscode.l10n.t('Reason')}`, inQuickPick(reviewReason(state, vscode.l10n.t), 300)),
    ...files.map((name): Item => {
      const label = `$(new-file) ${inQuickPick(name)}`;
      return { what: 'look', label, description: vscode.l10n.t('waits to be written; look at it in the summary') };
    }),
    fact(
      `$(history) ${vscode.l10n.t('Since the last review')}`,
      vscode.l10n.t('{0} done, {1} failed, {2} new, {3} left out', done, failed, created, suppressed),
      spend,
    ),
    fact(`$(graph-line) ${to}`, price, end),
  ];
}

function itemsOf({ state }: Pick<RunView, 'state'>): Item[] {
  const { pending, tasks } = state;
  const buttons: TaskButton[] = [
    { what: 'up', iconPath: new vscode.ThemeIcon('arrow-up'), tooltip: vscode.l10n.t('Move Up') },
    { what: 'down', iconPath: new vscode.ThemeIcon('arrow-down'), tooltip: vscode.l10n.t('Move Down') },
    { what: 'edit', iconPath: new vscode.ThemeIcon('edit'), tooltip: vscode.l10n.t('Edit…') },
    { what: 'delete', iconPath: new vscode.ThemeIcon('trash'), tooltip: vscode.l10n.t('Delete') },
  ];
  const next = vscode.l10n.t('Next tasks');
  const guide: Item = {
    what: 'guide',
    label: `$(comment) ${vscode.l10n.t('Give guidance…')}`,
    description: vscode.l10n.t('told to the agents from now on'),
  };
  return [
    {
      what: 'approve',
      label: `$(check) ${vscode.l10n.t('Approve')}`,
      description: state.review?.firstUse
        ? vscode.l10n.t('write these files, and later ones without asking')
        : vscode.l10n.t('go on with these tasks'),
    },
    { what: 'add', label: `$(add) ${vscode.l10n.t('Add task…')}` },
    ...(state.config.strategy === 'classic' ? [] : [guide]),
    { what: 'raise', label: `$(arrow-circle-up) ${vscode.l10n.t('Raise a limit…')}` },
    {
      what: 'stop',
      label: `$(debug-stop) ${vscode.l10n.t('Stop run')}`,
      description: vscode.l10n.t('it can be resumed'),
    },
    { what: 'none', label: vscode.l10n.t('What happened, and what comes'), kind: vscode.QuickPickItemKind.Separator },
    ...factsOf(state),
    {
      what: 'none',
      label: pending.length > SHOWN ? vscode.l10n.t('Next {0} of {1} tasks', SHOWN, pending.length) : next,
      kind: vscode.QuickPickItemKind.Separator,
    },
    ...pending.slice(0, SHOWN).map(
      (taskId, index): Item => ({
        what: 'task',
        taskId,
        label: `${index + 1}. ${inQuickPick(tasks.get(taskId)?.text ?? '')}`,
        description: tasks.get(taskId)?.state === 'blocked' ? `${taskId} · ${taskStateWords('blocked')}` : taskId,
        buttons,
      }),
    ),
  ];
}

async function act(session: Session, { what, taskId = '' }: Item, digest: string): Promise<void> {
  const { steering, state } = session;
  switch (what) {
    case 'approve':
    case 'stop':
      return steering.decideReview(what, digest, 'vscode');
    case 'add': {
      const text = await askTaskText(vscode.l10n.t('Add Task'), '');
      // In front: who adds a task in a review wants to see it done.
      if (text !== undefined) steering.addTask(text, state.pending[0] ?? null);
      return;
    }
    case 'guide': {
      const text = await askTaskText(vscode.l10n.t('Give Guidance'), '');
      if (text !== undefined) steering.guide(text);
      return;
    }
    case 'raise': {
      const title = vscode.l10n.t('Raise a Limit');
      const limit = await pickLimit(state, title);
      const to = limit && (await askRaise(state, limit, title));
      if (limit !== undefined && to !== undefined) steering.raiseLimit(limit, to);
      return;
    }
    case 'task': {
      const chosen = await askTask(session, taskId);
      if (chosen !== undefined) await act(session, { label: '', what: chosen, taskId }, digest);
      return;
    }
    case 'edit': {
      const text = await askTaskText(vscode.l10n.t('Edit Task'), state.tasks.get(taskId)?.text ?? '');
      if (text !== undefined) steering.editTask(taskId, text);
      return;
    }
    case 'up':
      return moveBy(session, taskId, -1);
    case 'down':
      return moveBy(session, taskId, 1);
    case 'front':
      return steering.moveTask(taskId, state.pending.find((id) => id !== taskId) ?? null);
    case 'delete':
      return steering.removeTask(taskId);
    case 'block': {
      const why = await askWhyBlocked();
      if (why !== undefined) steering.blockTask(taskId, why);
      return;
    }
    case 'unblock':
      return steering.unblockTask(taskId);
    case 'look':
    case 'none':
      return;
    default:
      what satisfies never;
  }
}

/** What to do with a task: the buttons of its row, for the keyboard. */
async function askTask({ state }: Session, taskId: string): Promise<What | undefined> {
  const items: Item[] = [
    { what: 'edit', label: `$(edit) ${vscode.l10n.t('Edit…')}` },
    { what: 'front', label: `$(triangle-up) ${vscode.l10n.t('Move to front')}` },
    { what: 'up', label: `$(arrow-up) ${vscode.l10n.t('Move up')}` },
    { what: 'down', label: `$(arrow-down) ${vscode.l10n.t('Move down')}` },
    state.tasks.get(taskId)?.state === 'blocked'
      ? { what: 'unblock', label: `$(unlock) ${vscode.l10n.t('Unblock')}` }
      : { what: 'block', label: `$(lock) ${vscode.l10n.t('Block…')}` },
    { what: 'delete', label: `$(trash) ${vscode.l10n.t('Delete')}` },
  ];
  const title = inQuickPick(state.tasks.get(taskId)?.text ?? taskId, 80);
  const picked = await askPick<Item>({
    title,
    placeholder: vscode.l10n.t('What is to be done with this task?'),
    items,
  });
  return picked === undefined || picked === BACK ? undefined : picked.what;
}
