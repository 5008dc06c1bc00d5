import * as vscode from 'vscode';
import { wordsOf } from '../run/translate.ts';
import type { App } from './app.ts';
import { COMMANDS } from './ids.ts';
import { inMessage } from './labels.ts';
import { l10n } from './panel-l10n.ts';

/**
 * Shows what kept something from being done: sentences for known errors, with a button where one helps; for others the
 * message, and the log. Resolves when the person has answered.
 */
export async function tellProblem(app: Pick<App, 'output'>, what: string, error: unknown): Promise<void> {
  const words = wordsOf(error, l10n.t);
  const { sentences, actions } = explain(error, words);
  if (sentences === null) app.output.error(what, error);
  const message = [what, ...(sentences ?? [words])].join(' ');
  const buttons = sentences === null ? [showLog()] : actions;
  const chosen = await vscode.window.showErrorMessage(inMessage(message, 1000), ...buttons);
  await chosen?.run();
}

export interface Action extends vscode.MessageItem {
  readonly run: () => Thenable<unknown>;
}

/** `words`: the error in the language of the window. */
function explain(error: unknown, words: string): { sentences: readonly string[] | null; actions: readonly Action[] } {
  if (!(error instanceof Error) || !('reason' in error)) return { sentences: null, actions: [] };
  switch (error.name) {
    case 'EngineError':
      return { sentences: words.split('\n'), actions: error.reason === 'configuration' ? [openSettings()] : [] };
    case 'ServerRefused':
      return {
        sentences: [error.message],
        actions: [error.reason === 'notices' ? setUpNotices() : openSettings('babyagi.baseUrl')],
      };
    case 'ArchiveError':
    case 'SteerError':
      return { sentences: [words], actions: [] };
    default:
      return { sentences: null, actions: [] };
  }
}

export function openSettings(query = '@ext:babyagi-vscode.babyagi-vscode'): Action {
  return {
    title: vscode.l10n.t('Open Settings'),
    run: () => vscode.commands.executeCommand('workbench.action.openSettings', query),
  };
}

export function setApiKey(origin?: string): Action {
  return {
    title: vscode.l10n.t('Set API Key…'),
    run: () => vscode.commands.executeCommand(COMMANDS.setApiKey, origin),
  };
}

function setUpNotices(): Action {
  return { title: vscode.l10n.t('Set Up Notices…'), run: () => vscode.commands.executeCommand(COMMANDS.setUpNotices) };
}

function showLog(): Action {
  return { title: vscode.l10n.t('Show Log Output'), run: () => vscode.commands.executeCommand(COMMANDS.showOutput) };
}
