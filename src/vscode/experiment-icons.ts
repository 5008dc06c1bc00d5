import type * as vscode from 'vscode';
import type { ExperimentStatus, TrialBrief } from './experiment-brief.ts';
import { BLUE, endIcon, GREEN, GREY, icon, unreadableIcon, YELLOW } from './icons.ts';

// Each state has a shape of its own; the colour only repeats it.

export function experimentIcon(status: ExperimentStatus): vscode.ThemeIcon {
  switch (status) {
    case 'working':
      return icon('sync~spin', BLUE);
    case 'elsewhere':
      return icon('remote', BLUE);
    case 'incomplete':
      return icon('debug-pause', YELLOW);
    case 'short':
      return icon('flag', YELLOW);
    case 'completed':
      return icon('beaker', GREEN);
    case 'imported':
      return icon('package', GREY);
    default:
      return status satisfies never;
  }
}

export function trialIcon({ status, reason }: Pick<TrialBrief, 'status' | 'reason'>): vscode.ThemeIcon {
  switch (status) {
    case 'waiting':
      return icon('circle-outline');
    case 'claimed':
      return icon('loading~spin', BLUE);
    case 'running':
      return icon('sync~spin', BLUE);
    case 'elsewhere':
      return icon('remote', BLUE);
    case 'interrupted':
      return icon('debug-disconnect', YELLOW);
    case 'result':
    case 'no_result':
      return endIcon(reason);
    case 'unreadable':
      return unreadableIcon();
    default:
      return status satisfies never;
  }
}
