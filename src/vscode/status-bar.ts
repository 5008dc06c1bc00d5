import * as vscode from 'vscode';
import { Coalescer } from './coalesce.ts';
import { COMMANDS } from './ids.ts';
import { inQuickPick } from './labels.ts';
import { spentWords } from './run-brief.ts';
import { figuresOf, spokenRun, statusWords } from './run-words.ts';
import type { RunEntry, Runs } from './runs.ts';

const REFRESH_MS = 200;

/** The one status bar item: the run that needs a person first, else the newest one in progress here. */
export function showStatusBar(runs: Runs): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('babyagi.status', vscode.StatusBarAlignment.Left, 50);
  item.name = 'BabyAGI';
  const refreshes = new Coalescer<void>(REFRESH_MS, () => draw(item, runs));
  const subscriptions = [
    item,
    refreshes,
    runs.onDidChangeEntry(() => refreshes.add(undefined)),
    runs.onDidChangeList(() => refreshes.add(undefined)),
  ];
  return vscode.Disposable.from(...subscriptions);
}

function draw(item: vscode.StatusBarItem, runs: Runs): void {
  const live = runs.live().map(({ entry }) => entry);
  const shown =
    live.find(({ brief }) => brief.status === 'review') ??
    live.find(({ brief }) => brief.status === 'running') ??
    live[0];
  if (shown === undefined) {
    item.hide();
    return;
  }
  const { brief } = shown;
  item.text = `${iconOf(shown)} BabyAGI ${textOf(shown)}${live.length > 1 ? ` (+${live.length - 1})` : ''}`;
  item.tooltip = `${inQuickPick(brief.objective, 200)}\n${statusWords(brief)} · ${figuresOf(brief, true)}`;
  item.accessibilityInformation = { label: `BabyAGI. ${spokenRun(brief, inQuickPick(brief.objective, 80))}` };
  const waits = brief.status === 'review';
  item.backgroundColor = waits ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
  item.command = { command: COMMANDS.openSummary, title: vscode.l10n.t('Open Summary'), arguments: [brief.runId] };
  item.show();
}

function iconOf({ brief }: RunEntry): string {
  if (brief.status === 'review') return '$(bell-dot)';
  return brief.status === 'paused' ? '$(debug-pause)' : '$(sync~spin)';
}

function textOf({ brief }: RunEntry): string {
  if (brief.status === 'review') return vscode.l10n.t('waits for review');
  const paused = brief.status === 'paused' ? `${statusWords(brief)} · ` : '';
  return `${paused}${brief.iterations}/${brief.maxIterations} · ${spentWords(brief)}`;
}
