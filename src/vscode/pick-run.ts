import * as vscode from 'vscode';
import type { App } from './app.ts';
import { inQuickPick } from './labels.ts';
import { standingWords } from './run-words.ts';
import type { RunEntry } from './runs.ts';

/** The run id in a command's argument: an id, or a tree row, view or panel that has one. */
export function runIdOf(argument: unknown): string | null {
  if (typeof argument === 'string') return argument;
  const runId = typeof argument === 'object' && argument !== null && 'runId' in argument ? argument.runId : null;
  return typeof runId === 'string' ? runId : null;
}

/** The task id in a command's argument, where it is a task's row. */
export function taskIdOf(argument: unknown): string | null {
  const taskId = typeof argument === 'object' && argument !== null && 'taskId' in argument ? argument.taskId : null;
  return typeof taskId === 'string' ? taskId : null;
}

/** The call id in a command's argument, where it is a call's row. */
export function callIdOf(argument: unknown): string | null {
  const callId = typeof argument === 'object' && argument !== null && 'callId' in argument ? argument.callId : null;
  return typeof callId === 'string' ? callId : null;
}

/**
 * The run that a command is about: the one in its argument, the only one that fits, or the one that a person picks.
 * Undefined: none, which is said, or cancelled.
 */
export async function pickRun(
  app: App,
  argument: unknown,
  title: string,
  fits: (entry: RunEntry) => boolean,
): Promise<RunEntry | undefined> {
  const named = runIdOf(argument);
  if (named !== null) {
    const entry = await app.runs.locate(named);
    if (entry === undefined) void vscode.window.showWarningMessage(vscode.l10n.t('This run is not there any more.'));
    return entry;
  }
  const candidates = app.runs.entries.filter(fits);
  if (candidates.length < 2) {
    if (candidates.length === 0)
      void vscode.window.showInformationMessage(vscode.l10n.t('There is no run for this: {0}.', title));
    return candidates[0];
  }
  const items = candidates.map((entry) => ({
    label: inQuickPick(entry.brief.objective, 80),
    description: standingWords(entry.brief, entry.session !== null),
    entry,
  }));
  const picked = await vscode.window.showQuickPick(items, { title, placeHolder: vscode.l10n.t('Choose a run') });
  return picked?.entry;
}
