import * as vscode from 'vscode';
import type { WorkerStop } from '../research/work-experiment.ts';
import type { App } from './app.ts';
import type { ExperimentEnd } from './experiment-control.ts';
import { countsOf, dollars } from './experiment-words.ts';
import { COMMANDS } from './ids.ts';
import { inMessage } from './labels.ts';
import { type Action, setApiKey, tellProblem } from './tell.ts';

/** Tells that the work on an experiment came to an end in this window. */
export async function tellExperimentEnd(app: App, { directory, stop, problem }: ExperimentEnd): Promise<void> {
  if (problem !== null) return tellProblem(app, vscode.l10n.t('The experiment does not go on.'), problem);
  const experiments = await app.experiments();
  await experiments.scan();
  const brief = experiments.entry(directory)?.brief;
  if (!brief) return;
  const { results, trials } = countsOf(brief.variants);
  const spent = vscode.l10n.t('{0} of {1}', dollars(brief.spentUsd), dollars(brief.totalUsd));
  const message = vscode.l10n.t(
    'Experiment “{0}”: {1} {2} of {3} trials have a result; {4}',
    inMessage(brief.name, 60),
    stopWords(stop),
    results,
    trials,
    brief.rehearsal ? vscode.l10n.t('{0}, rehearsed: nothing was spent', spent) : spent,
  );
  const shown = inMessage(message, 600);
  const actions = actionsFor(stop, directory, results < trials);
  const chosen = await (stop === 'error' || stop === 'disk_full'
    ? vscode.window.showErrorMessage(shown, ...actions)
    : stop === 'waiting_for_key' || stop === 'key_limit'
      ? vscode.window.showWarningMessage(shown, ...actions)
      : vscode.window.showInformationMessage(shown, ...actions));
  await chosen?.run();
}

function stopWords(stop: WorkerStop): string {
  switch (stop) {
    case 'completed':
      return vscode.l10n.t('It is complete.');
    case 'max_cost':
      return vscode.l10n.t('The next trial does not fit into what is left of the cap.');
    case 'stopped_by_user':
      return vscode.l10n.t('It was stopped.');
    case 'waiting_for_key':
      return vscode.l10n.t('No API key could be read, or the server refused it: set it, then go on.');
    case 'disk_full':
      return vscode.l10n.t('The disk is full: free some space, then go on.');
    case 'key_limit':
      return vscode.l10n.t('The daily limit of the API key was reached: go on tomorrow, or raise it.');
    case 'error':
      return vscode.l10n.t('Trials ended without a result: mend the cause, then go on.');
    default:
      return stop satisfies never;
  }
}

function actionsFor(stop: WorkerStop, directory: string, isLeft: boolean): Action[] {
  const action = (title: string, command: string): Action => ({
    title,
    run: () => vscode.commands.executeCommand(command, { directory }),
  });
  return [
    action(vscode.l10n.t('Open Report'), COMMANDS.openReport),
    ...(stop === 'waiting_for_key' ? [setApiKey()] : []),
    ...(isLeft && stop !== 'max_cost' ? [action(vscode.l10n.t('Go On'), COMMANDS.resumeExperiment)] : []),
  ];
}
