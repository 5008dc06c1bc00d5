import * as vscode from 'vscode';
import type { App } from './app.ts';
import type { ExperimentBrief } from './experiment-brief.ts';
import { experimentDescription } from './experiment-words.ts';
import { inQuickPick } from './labels.ts';

export interface PickedExperiment {
  readonly directory: string;
  readonly brief: ExperimentBrief;
}

/**
 * The experiment that a command is about: the one of its row, the only one that fits, or the one that a person picks. Undefined:
 * none, which is said, or cancelled.
 */
export async function pickExperiment(
  app: App,
  argument: unknown,
  title: string,
  fits: (brief: ExperimentBrief) => boolean,
): Promise<PickedExperiment | undefined> {
  const entries = await (await app.experiments()).scan();
  const all = entries.flatMap(({ directory, brief }) => (brief === null ? [] : [{ directory, brief }]));
  const named = directoryOf(argument);
  if (named !== null) {
    const found = all.find(({ directory }) => directory === named);
    if (!found)
      void vscode.window.showWarningMessage(
        entries.find(({ directory }) => directory === named)?.problem ??
          vscode.l10n.t('This experiment is not there any more.'),
      );
    return found;
  }
  const candidates = all.filter(({ brief }) => fits(brief));
  if (candidates.length < 2) {
    if (candidates.length === 0)
      void vscode.window.showInformationMessage(vscode.l10n.t('There is no experiment for this: {0}.', title));
    return candidates[0];
  }
  const items = candidates.map((each) => ({
    label: inQuickPick(each.brief.name, 80),
    description: experimentDescription(each.brief),
    each,
  }));
  const placeHolder = vscode.l10n.t('Choose an experiment');
  return (await vscode.window.showQuickPick(items, { title, placeHolder }))?.each;
}

/** Of a row, or of a button of a notice. */
function directoryOf(argument: unknown): string | null {
  const directory =
    typeof argument === 'object' && argument !== null && 'directory' in argument ? argument.directory : null;
  return typeof directory === 'string' ? directory : null;
}
