import * as vscode from 'vscode';
import type { TaskState } from '../run/state.ts';
import { duration } from './labels.ts';
import { type RunBrief, spentWords, stopWords } from './run-brief.ts';

/** `running`, `waits for review`, `ended: The iteration limit was reached.`: the state of a run in words. */
export function statusWords({ status, stopReason }: RunBrief): string {
  switch (status) {
    case 'running':
      return vscode.l10n.t('running');
    case 'paused':
      return vscode.l10n.t('paused');
    case 'review':
      return vscode.l10n.t('waits for review');
    case 'interrupted':
      return vscode.l10n.t('interrupted');
    case 'elsewhere':
      return vscode.l10n.t('in progress in another process');
    case 'review_elsewhere':
      return vscode.l10n.t('waits for review in another process');
    case 'ended':
      return stopReason === null ? vscode.l10n.t('ended') : stopLabel(stopReason);
    default:
      return status satisfies never;
  }
}

/** A stop reason in one or two words. */
function stopLabel(reason: NonNullable<RunBrief['stopReason']>): string {
  switch (reason) {
    case 'objective_complete':
      return vscode.l10n.t('complete');
    case 'queue_empty':
      return vscode.l10n.t('no task left');
    case 'max_iterations':
      return vscode.l10n.t('iteration limit');
    case 'max_cost':
      return vscode.l10n.t('cost limit');
    case 'max_wall_time':
      return vscode.l10n.t('time limit');
    case 'stopped_by_user':
      return vscode.l10n.t('stopped');
    case 'stopped_at_review':
      return vscode.l10n.t('stopped at review');
    case 'stalled':
      return vscode.l10n.t('stalled');
    case 'waiting_for_key':
      return vscode.l10n.t('no API key');
    case 'disk_full':
      return vscode.l10n.t('disk full');
    case 'quarantined':
      return vscode.l10n.t('quarantined');
    case 'error':
      return vscode.l10n.t('error');
    default:
      return reason satisfies never;
  }
}

/** `iteration 3/20 · $0.0123 of $1.00 · 12 min`. */
export function figuresOf(brief: RunBrief, live: boolean): string {
  const figures = [
    vscode.l10n.t('{0}/{1}', brief.iterations, brief.maxIterations),
    spentWords(brief),
    ...(live && brief.activeMs !== null ? [duration(brief.activeMs)] : []),
  ];
  return figures.join(' · ');
}

/** What a screen reader says of a run. */
export function spokenRun(brief: RunBrief, objective: string): string {
  const ended = brief.stopReason === null ? '' : ` ${stopWords(brief.stopReason)}`;
  return vscode.l10n.t(
    'Run {0}, {1}.{2} Iteration {3} of {4}, {5}',
    objective,
    statusWords(brief),
    ended,
    brief.iterations,
    brief.maxIterations,
    brief.included ? spentWords(brief) : vscode.l10n.t('{0} spent', spentWords(brief)),
  );
}

export function taskStateWords(state: TaskState): string {
  switch (state) {
    case 'pending':
      return vscode.l10n.t('waiting');
    case 'running':
      return vscode.l10n.t('running');
    case 'done':
      return vscode.l10n.t('done');
    case 'failed':
      return vscode.l10n.t('failed');
    case 'removed':
      return vscode.l10n.t('removed');
    default:
      return state satisfies never;
  }
}
