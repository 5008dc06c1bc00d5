import * as vscode from 'vscode';
import type { Outcome } from '../engine/host.ts';
import { spentOfLimit } from '../run/cost-words.ts';
import { reviewDigest } from '../run/review.ts';
import type { RunState } from '../run/state.ts';
import { endDetail, explainStop, isKeyLimit } from '../run/stop-reason.ts';
import type { App } from './app.ts';
import { reachedLimit } from './commands/continue-run.ts';
import { decideReview } from './commands/review.ts';
import { COMMANDS, SECTION } from './ids.ts';
import { reviewFate } from './review-fate.ts';
import { reviewReason } from '../research/review-reason.ts';
import { inMessage } from './labels.ts';
import type { RunView } from './run-view.ts';
import type { Action } from './tell.ts';
import { l10n } from './panel-l10n.ts';
import { inWindow } from './panel-words.ts';

// A person is interrupted for two things only: a run that ended, and one that waits for them.

/** Tells the end of a run, unless the person looks at its panel. */
export async function tellEnd(app: App, run: RunView, outcome: Outcome): Promise<void> {
  if ((await app.panels()).isVisible(run.runId)) return;
  const { stopReason } = outcome;
  const { limits, money, end, review } = run.state;
  const { meaning } = explainStop(end ?? { reason: stopReason }, review !== null, l10n.t);
  const figures = vscode.l10n.t(
    '{0} of {1} iterations, {2}',
    run.state.iteration,
    limits.max_iterations,
    spentOfLimit(run.state, money.settled + money.held, l10n.t),
  );
  const rehearsed = run.state.config.model.provider === 'rehearsal';
  const isTrouble = stopReason === 'error' || stopReason === 'stalled' || stopReason === 'quarantined';
  const said = end === null ? outcome.detail : endDetail(end, inWindow());
  const detail = isTrouble && said !== '' ? ` ${said}` : '';
  const objective = inMessage(run.state.config.objective, 60);
  const message = inMessage(
    vscode.l10n.t(
      'BabyAGI run ended: {0}{1} {2}. “{3}”',
      meaning,
      detail,
      rehearsed ? vscode.l10n.t('{0}, rehearsed: nothing was spent', figures) : figures,
      objective,
    ),
    600,
  );
  const chosen = await showFor(stopReason)(message, ...actionsFor(run.state, stopReason));
  await chosen?.run();
}

function showFor(
  reason: Outcome['stopReason'],
): (message: string, ...actions: Action[]) => Thenable<Action | undefined> {
  switch (reason) {
    case 'error':
    case 'disk_full':
      return (message, ...actions) => vscode.window.showErrorMessage(message, ...actions);
    case 'stalled':
    case 'waiting_for_key':
    case 'quarantined':
      return (message, ...actions) => vscode.window.showWarningMessage(message, ...actions);
    case 'objective_complete':
    case 'queue_empty':
    case 'max_iterations':
    case 'max_cost':
    case 'max_requests':
    case 'max_tokens':
    case 'max_wall_time':
    case 'stopped_by_user':
    case 'stopped_at_review':
      return (message, ...actions) => vscode.window.showInformationMessage(message, ...actions);
    default:
      return reason satisfies never;
  }
}

function actionsFor(state: RunState, reason: Outcome['stopReason']): Action[] {
  const { run_id: runId, model } = state.config;
  const action = (title: string, command: string, ...args: unknown[]): Action => ({
    title,
    run: () => vscode.commands.executeCommand(command, ...args),
  });
  return [
    action(vscode.l10n.t('Open Summary'), COMMANDS.openSummary, runId),
    ...(reachedLimit(state) ? [action(vscode.l10n.t('Continue with More…'), COMMANDS.continue, runId)] : []),
    ...(isKeyLimit(state.end)
      ? [action(vscode.l10n.t('Open Settings'), 'workbench.action.openSettings', `${SECTION}.maxKeyUsdPerDay`)]
      : []),
    ...(reason === 'waiting_for_key'
      ? [{ title: vscode.l10n.t('Set API Key…'), run: () => setKeyAndResume(runId, new URL(model.base_url).origin) }]
      : []),
  ];
}

/** Who enters the key that a run waits for wants it to go on. */
async function setKeyAndResume(runId: string, origin: string): Promise<void> {
  const isSet = await vscode.commands.executeCommand<boolean>(COMMANDS.setApiKey, origin);
  if (isSet) await vscode.commands.executeCommand(COMMANDS.resume, runId);
}

/** Asks for the pending review of a run; its buttons decide for the state at this moment. */
export async function askForReview(app: App, run: RunView): Promise<void> {
  const { session, state } = run;
  if (!session || !state.review) return;
  const digest = reviewDigest(state);
  const { id } = state.review;
  const approve = vscode.l10n.t('Approve');
  const review = vscode.l10n.t('Review…');
  const stop = vscode.l10n.t('Stop Run');
  const { iteration, reason } = state.review;
  const words = [inMessage(reviewReason(state, vscode.l10n.t), 300), inMessage(state.config.objective, 60)];
  const message =
    reason === 'first_use'
      ? vscode.l10n.t('BabyAGI waits for your review in iteration {0}: {1}. “{2}”', iteration + 1, ...words)
      : vscode.l10n.t('BabyAGI waits for your review after iteration {0}: {1}. “{2}”', iteration, ...words);
  const chosen = await vscode.window.showInformationMessage(inMessage(message, 500), approve, review, stop);
  // Nothing takes a message off the screen that is answered elsewhere: who answers it late is told what became of it.
  const fate = chosen === undefined ? null : reviewFate(session.state, id);
  if (fate !== null) return tellFate(run, fate);
  if (chosen === approve) await decideReview(app, session, 'approve', digest);
  else if (chosen === stop) await decideReview(app, session, 'stop', digest);
  else if (chosen === review) await vscode.commands.executeCommand(COMMANDS.review, run.runId);
}

async function tellFate({ runId, state }: RunView, fate: string): Promise<void> {
  const open = vscode.l10n.t('Open Summary');
  // Another review may be pending by now.
  const review = vscode.l10n.t('Review…');
  const message = `${fate} “${inMessage(state.config.objective, 60)}”`;
  const chosen = await vscode.window.showInformationMessage(message, ...(state.review ? [review] : []), open);
  if (chosen === review) await vscode.commands.executeCommand(COMMANDS.review, runId);
  else if (chosen === open) await vscode.commands.executeCommand(COMMANDS.openSummary, runId);
}

/** A loop that failed several times in a row pauses itself: somebody has to look. */
export async function tellPaused(run: RunView, why: string): Promise<void> {
  const open = vscode.l10n.t('Open Summary');
  const resume = vscode.l10n.t('Resume');
  const message = vscode.l10n.t(
    'BabyAGI paused a run: {0} “{1}”',
    l10n.known(why),
    inMessage(run.state.config.objective, 60),
  );
  const chosen = await vscode.window.showWarningMessage(inMessage(message, 300), open, resume);
  if (chosen === open) await vscode.commands.executeCommand(COMMANDS.openSummary, run.runId);
  else if (chosen === resume) await vscode.commands.executeCommand(COMMANDS.resume, run.runId);
}
