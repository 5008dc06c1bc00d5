import * as vscode from 'vscode';
import type { Session } from '../../engine/session.ts';
import { firstReady } from '../../run/queue.ts';
import type { App } from '../app.ts';
import { inQuickPick } from '../labels.ts';
import { pickRun, taskIdOf } from '../pick-run.ts';
import type { RunEntry } from '../runs.ts';
import { askText } from '../steps.ts';
import { steer } from './control.ts';

const MAX_TASK = 4000;
/** A list to choose from need not be longer; the Runs view has all. */
const LISTED = 500;

const isLive = ({ session }: RunEntry) => session !== null;

export async function addTask(app: App, argument: unknown): Promise<void> {
  const title = vscode.l10n.t('Add Task');
  const entry = await pickRun(app, argument, title, isLive);
  if (!entry) return;
  const text = await askTaskText(title, '');
  if (text === undefined) return;
  await steer(app, entry, vscode.l10n.t('The task was not added.'), ({ steering }) => steering.addTask(text));
}

export async function editTask(app: App, argument: unknown): Promise<void> {
  const title = vscode.l10n.t('Edit Task');
  const found = await pickTask(app, argument, title);
  if (!found) return;
  const { entry, session, taskId } = found;
  const text = await askTaskText(title, session.state.tasks.get(taskId)?.text ?? '');
  if (text === undefined) return;
  await steer(app, entry, vscode.l10n.t('The task was not changed.'), ({ steering }) =>
    steering.editTask(taskId, text),
  );
}

export async function deleteTask(app: App, argument: unknown): Promise<void> {
  const found = await pickTask(app, argument, vscode.l10n.t('Delete Task'));
  if (!found) return;
  await steer(app, found.entry, vscode.l10n.t('The task was not deleted.'), ({ steering }) =>
    steering.removeTask(found.taskId),
  );
}

/** Holds a waiting task back, for a reason that need not be given. */
export async function blockTask(app: App, argument: unknown): Promise<void> {
  const found = await pickTask(app, argument, vscode.l10n.t('Block Task'), 'pending');
  if (!found) return;
  const why = await askWhyBlocked();
  if (why === undefined) return;
  await steer(app, found.entry, vscode.l10n.t('The task was not blocked.'), ({ steering }) =>
    steering.blockTask(found.taskId, why),
  );
}

/** Also asked in a review. May be empty; undefined: cancelled. */
export async function askWhyBlocked(): Promise<string | undefined> {
  const answer = await askText({
    title: vscode.l10n.t('Block Task'),
    prompt: vscode.l10n.t('Why is it held back? It is shown with the task. Leave empty for no reason.'),
    problem: (text) =>
      text.trim().length > MAX_TASK ? vscode.l10n.t('The text is longer than {0} characters.', MAX_TASK) : null,
  });
  return typeof answer === 'string' ? answer : undefined;
}

export async function unblockTask(app: App, argument: unknown): Promise<void> {
  const found = await pickTask(app, argument, vscode.l10n.t('Unblock Task'), 'blocked');
  if (!found) return;
  await steer(app, found.entry, vscode.l10n.t('The task was not unblocked.'), ({ steering }) =>
    steering.unblockTask(found.taskId),
  );
}

/** Moves a task to the head of the queue: the next iteration takes it. */
export async function runTaskNext(app: App, argument: unknown): Promise<void> {
  const found = await pickTask(app, argument, vscode.l10n.t('Run Next'), 'pending');
  if (!found) return;
  const { entry, session, taskId } = found;
  const first = firstReady(session.state);
  if (first === taskId) return tellQuietly(vscode.l10n.t('The task is the next one already.'));
  await steer(app, entry, vscode.l10n.t('The task was not moved.'), ({ steering }) =>
    steering.moveTask(taskId, first ?? null),
  );
}

/** `by` places: -1 is up. */
export async function moveTask(app: App, argument: unknown, by: -1 | 1): Promise<void> {
  const found = await pickTask(app, argument, by < 0 ? vscode.l10n.t('Move Task Up') : vscode.l10n.t('Move Task Down'));
  if (!found) return;
  const { pending } = found.session.state;
  if (pending.at(by < 0 ? 0 : -1) === found.taskId)
    return tellQuietly(
      by < 0 ? vscode.l10n.t('The task is the first one.') : vscode.l10n.t('The task is the last one.'),
    );
  await steer(app, found.entry, vscode.l10n.t('The task was not moved.'), (session) =>
    moveBy(session, found.taskId, by),
  );
}

/** For what is not worth an interruption: who presses a key again and again sees it once. */
function tellQuietly(message: string): void {
  vscode.window.setStatusBarMessage(message, 5000);
}

/** Also used in a review. Does nothing at the end of the list. */
export function moveBy({ state, steering }: Session, taskId: string, by: -1 | 1): void {
  const at = state.pending.indexOf(taskId);
  const to = at + by;
  if (at >= 0 && (to < 0 || to >= state.pending.length)) return;
  steering.moveTask(taskId, state.pending[by < 0 ? to : to + 1] ?? null);
}

/** The text of a task as a person types it. Undefined: cancelled. */
export async function askTaskText(title: string, value: string): Promise<string | undefined> {
  const answer = await askText({
    title,
    prompt: vscode.l10n.t('What is to be done?'),
    value,
    problem: (text) => {
      if (text.trim() === '') return vscode.l10n.t('The text is empty.');
      return text.trim().length > MAX_TASK ? vscode.l10n.t('The text is longer than {0} characters.', MAX_TASK) : null;
    },
  });
  return typeof answer === 'string' ? answer.trim() : undefined;
}

/** `only`: of the waiting tasks those that are blocked, or are not. */
async function pickTask(
  app: App,
  argument: unknown,
  title: string,
  only: 'pending' | 'blocked' | null = null,
): Promise<{ entry: RunEntry; session: Session; taskId: string } | undefined> {
  const entry = await pickRun(app, argument, title, isLive);
  if (!entry) return undefined;
  const { session } = entry;
  if (!session) {
    await steer(app, entry, title, () => {});
    return undefined;
  }
  const named = taskIdOf(argument);
  const { pending, tasks } = session.state;
  const fits = (id: string) => only === null || tasks.get(id)?.state === only;
  const choice = pending.filter(fits);
  if (named !== null) {
    if (pending.includes(named)) {
      if (fits(named)) return { entry, session, taskId: named };
      const blocked = vscode.l10n.t('The task is blocked: unblock it first.');
      tellQuietly(only === 'pending' ? blocked : vscode.l10n.t('The task is not blocked.'));
      return undefined;
    }
    void vscode.window.showInformationMessage(vscode.l10n.t('Only a task that waits can be changed.'));
    return undefined;
  }
  if (choice.length === 0) {
    const none = only === 'blocked' ? vscode.l10n.t('No task is blocked.') : vscode.l10n.t('No task is waiting.');
    void vscode.window.showInformationMessage(none);
    return undefined;
  }
  const items = choice.slice(0, LISTED).map((taskId) => ({
    label: inQuickPick(tasks.get(taskId)?.text ?? ''),
    description: taskId,
    taskId,
  }));
  const picked = await vscode.window.showQuickPick(items, {
    title,
    placeHolder: vscode.l10n.t('Choose a waiting task'),
  });
  return picked && { entry, session, taskId: picked.taskId };
}
