import * as vscode from 'vscode';
import { formatUsd, picoFromUsd } from '../../budget/money.ts';
import { isIncluded } from '../../run/cost-words.ts';
import type { LimitName } from '../../run/limits.ts';
import { needsKey } from '../../safety/origin.ts';
import type { App } from '../app.ts';
import { inMessage } from '../labels.ts';
import type { RunView } from '../run-view.ts';
import type { RunEntry } from '../runs.ts';
import { setApiKey, tellProblem } from '../tell.ts';
import { folderOf, mayRun, settingsOf } from '../workspace.ts';

/** A person goes on with a run that is not in progress here. Undefined where it does not; the person knows why. */
export async function resumeFolder(
  app: App,
  entry: RunEntry,
  raise: Partial<Record<LimitName, number>>,
): Promise<RunView | undefined> {
  if (!(await mayRun())) return undefined;
  if (entry.isTrial) {
    const message = vscode.l10n.t('The run is a trial of an experiment: go on with the experiment.');
    void vscode.window.showWarningMessage(message);
    return undefined;
  }
  const failed = vscode.l10n.t('The run was not resumed.');
  const run = await app.runs.open(entry.runId);
  if (!run) {
    void vscode.window.showErrorMessage(inMessage(`${failed} ${entry.problem ?? ''}`, 500));
    return undefined;
  }
  if (!(await isOurs(app, run)) || !(await keyIsThere(app, run))) return undefined;
  const folder = folderOf(run.directory);
  try {
    return await app.control.resume(run, settingsOf(folder), folder?.uri.fsPath ?? run.directory, {
      raise,
      byPerson: true,
    });
  } catch (error) {
    await tellProblem(app, failed, error);
    return undefined;
  }
}

/** A run that came with a repository may be anybody's: a person takes it over knowingly, or not at all. */
async function isOurs(app: App, run: RunView): Promise<boolean> {
  if (await app.known.vouchesFor(run.runId, run.directory)) return true;
  const { config, limits, money } = run.state;
  const takeOver = vscode.l10n.t('Take Over and Resume');
  const detail = [
    vscode.l10n.t('Objective: {0}', inMessage(config.objective, 300)),
    vscode.l10n.t('Server: {0}', config.model.base_url),
    ...(isIncluded(config)
      ? []
      : [
          vscode.l10n.t(
            'Cost limit: {0}, spent: {1}',
            formatUsd(picoFromUsd(limits.max_cost_usd)),
            formatUsd(money.settled + money.held),
          ),
        ]),
    vscode.l10n.t('Iterations: {0} of {1}', run.state.iteration, limits.max_iterations),
  ].join('\n');
  const message = vscode.l10n.t('This run was not started by VS Code on this machine. Go on with it here?');
  return (await vscode.window.showWarningMessage(message, { modal: true, detail }, takeOver)) === takeOver;
}

async function keyIsThere(app: App, { state }: RunView): Promise<boolean> {
  const { provider, base_url } = state.config.model;
  if (provider !== 'openai' || !URL.canParse(base_url)) return true;
  const { origin } = new URL(base_url);
  if (!needsKey(base_url) || (await app.keys.keyFor(origin)) !== null) return true;
  const action = setApiKey(origin);
  const message = vscode.l10n.t('There is no API key for {0}, so the run cannot go on.', origin);
  const chosen = await vscode.window.showWarningMessage(message, action);
  return (await chosen?.run()) === true;
}
