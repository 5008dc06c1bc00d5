import * as vscode from 'vscode';
import { printable } from '../safety/text.ts';
import { Coalescer } from './coalesce.ts';
import { COMMANDS } from './ids.ts';
import { inQuickPick } from './labels.ts';
import { untrusted } from './markdown-string.ts';
import type { ProjectionWords, projectionWords } from './projection-words.ts';
import { spentWords } from './run-brief.ts';
import { spokenRun, standingWords, statusWords } from './run-words.ts';
import type { RunEntry, Runs } from './runs.ts';

const REFRESH_MS = 200;

type ProjectionOf = typeof projectionWords;

/** The one status bar item: the run that needs a person first, else the newest one in progress here. */
export function showStatusBar(runs: Runs): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('babyagi.status', vscode.StatusBarAlignment.Left, 50);
  item.name = 'BabyAGI';
  let projectionOf: ProjectionOf | null = null;
  const refreshes = new Coalescer<void>(REFRESH_MS, () => {
    // Read from disk with the first run.
    if (projectionOf === null && runs.live().length > 0) {
      void import('./projection-words.ts').then(({ projectionWords }) => {
        projectionOf = projectionWords;
        refreshes.add(undefined);
      });
    }
    draw(item, runs, projectionOf);
  });
  const subscriptions = [
    item,
    refreshes,
    runs.onDidChangeEntry(() => refreshes.add(undefined)),
    runs.onDidChangeList(() => refreshes.add(undefined)),
  ];
  return vscode.Disposable.from(...subscriptions);
}

function draw(item: vscode.StatusBarItem, runs: Runs, projectionOf: ProjectionOf | null): void {
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
  const projection = projectionOf !== null && shown.view !== null ? projectionOf(shown.view.state) : null;
  item.tooltip = tooltipOf(shown, projection);
  const spoken = [spokenRun(brief, inQuickPick(brief.objective, 80)), projection?.text ?? ''];
  item.accessibilityInformation = { label: `BabyAGI. ${spoken.join(' ').trim()}` };
  const waits = brief.status === 'review';
  item.backgroundColor = waits ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
  item.command = { command: COMMANDS.openSummary, title: vscode.l10n.t('Open Summary'), arguments: [brief.runId] };
  item.show();
}

const LEVELS = {
  ok: { icon: 'check', color: 'charts-green' },
  near: { icon: 'warning', color: 'editorWarning-foreground' },
  over: { icon: 'error', color: 'errorForeground' },
} as const;

function tooltipOf({ brief }: RunEntry, projection: ProjectionWords | null): vscode.MarkdownString {
  const text = untrusted();
  // For the icon and its colour; what runs and models say goes in as text, which is escaped.
  text.supportThemeIcons = true;
  text.supportHtml = true;
  text.appendText(printable(brief.objective, 200)).appendMarkdown('\n\n');
  text.appendText(standingWords(brief, true));
  if (projection === null) return text;
  const { icon, color } = LEVELS[projection.level];
  text.appendMarkdown(`\n\n<span style="color:var(--vscode-${color});">$(${icon})</span> `);
  return text.appendText(projection.text);
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
