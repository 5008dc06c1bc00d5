import * as vscode from 'vscode';
import type { Call, TaskState } from '../run/state.ts';
import type { RunBrief } from './run-brief.ts';

// Each state has a shape of its own; the colour only repeats it.

export const BLUE = 'charts.blue';
export const YELLOW = 'list.warningForeground';
export const GREEN = 'charts.green';
const RED = 'testing.iconFailed';
export const GREY = 'descriptionForeground';

export function runIcon({ status, stopReason, onlyBlocked }: RunBrief): vscode.ThemeIcon {
  switch (status) {
    case 'running':
      return icon('sync~spin', BLUE);
    case 'paused':
      return icon('debug-pause', YELLOW);
    case 'review':
      return icon('bell-dot', YELLOW);
    case 'interrupted':
      return icon('debug-disconnect', YELLOW);
    case 'elsewhere':
      return icon('remote', BLUE);
    case 'review_elsewhere':
      return icon('bell-dot', YELLOW);
    case 'ended':
      return onlyBlocked ? icon('lock', YELLOW) : endIcon(stopReason);
    default:
      return status satisfies never;
  }
}

/** Of a run whose folder is not what it should be. */
export function unreadableIcon(): vscode.ThemeIcon {
  return icon('warning', YELLOW);
}

export function endIcon(reason: RunBrief['stopReason']): vscode.ThemeIcon {
  switch (reason) {
    case 'objective_complete':
    case 'queue_empty':
      return icon('pass-filled', GREEN);
    case 'max_iterations':
    case 'max_cost':
    case 'max_requests':
    case 'max_tokens':
    case 'max_wall_time':
      return icon('flag', GREEN);
    case 'stopped_by_user':
    case 'stopped_at_review':
      return icon('debug-stop', GREY);
    case 'stalled':
    case 'waiting_for_key':
    case 'disk_full':
    case 'quarantined':
      return icon('warning', YELLOW);
    case 'error':
      return icon('error', RED);
    case null:
      return icon('circle-outline', GREY);
    default:
      return reason satisfies never;
  }
}

/** `live`: its run is in progress. */
export function taskIcon(state: TaskState, live: boolean): vscode.ThemeIcon {
  switch (state) {
    case 'running':
      return live ? icon('loading~spin', BLUE) : icon('debug-pause', BLUE);
    case 'blocked':
      return icon('lock', YELLOW);
    case 'pending':
      return icon('circle-outline');
    case 'done':
      return icon('pass', GREEN);
    case 'failed':
      return icon('error', RED);
    case 'removed':
      return icon('circle-slash', GREY);
    default:
      return state satisfies never;
  }
}

/** `live`: its run is in progress, so that an outcome is on its way. */
export function callIcon(status: Call['status'], live: boolean): vscode.ThemeIcon {
  switch (status) {
    case 'reserved':
      return live ? icon('loading~spin', BLUE) : icon('debug-disconnect', YELLOW);
    case 'settled':
      return icon('check', GREEN);
    case 'held':
      return icon('question', YELLOW);
    case 'released':
      return icon('close', RED);
    default:
      return status satisfies never;
  }
}

export function icon(name: string, color?: string): vscode.ThemeIcon {
  return new vscode.ThemeIcon(name, color === undefined ? undefined : new vscode.ThemeColor(color));
}
