import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { activeMs } from '../run/state.ts';
import { wordsOf } from '../run/translate.ts';
import { printable } from '../safety/text.ts';
import type { CallReader } from './call-reader.ts';
import { HistoryReader } from './history-reader.ts';
import { callDetail, callRequest } from './panel-call.ts';
import { type Moment, panelSections } from './panel-data.ts';
import { l10n } from './panel-l10n.ts';
import { closingAnswer, taskDetail } from './panel-lists.ts';
import {
  FIRST_VIEW,
  type PanelReply,
  type PanelRequest,
  type PanelSections,
  type PanelView,
  parsePanelRequest,
} from './panel-messages.ts';
import type { RunRegistry } from './run-registry.ts';
import type { RunView } from './run-view.ts';

const VIEW_TYPE = 'babyagi.summary';
/** At most twenty updates a second, and at most a twentieth of the host's time. */
const UPDATE_MS = 50;
const HOST_SHARE = 20;

export interface SummaryPanels {
  /** Opens the panel of a run, or brings it to the front. */
  show(runId: string, objective: string): void;
  /** Shows the run in the panel of an editor. */
  fill(panel: vscode.WebviewPanel, runId: string): void;
  /** Whether a person can see the panel of this run now. */
  isVisible(runId: string): boolean;
}

/** The summary panels, one a run beside those in editors; they come back when the window is reloaded. */
export function registerSummaryPanel(context: vscode.ExtensionContext, runs: RunRegistry): SummaryPanels {
  const panels = new Map<string, SummaryPanel>();
  const all = new Set<SummaryPanel>();
  const roots = [vscode.Uri.joinPath(context.extensionUri, 'dist'), vscode.Uri.joinPath(context.extensionUri, 'media')];
  const fill = (panel: vscode.WebviewPanel, runId: string): SummaryPanel => {
    panel.webview.options = { enableScripts: true, enableCommandUris: false, localResourceRoots: roots };
    const filled = new SummaryPanel(panel, runId, runs, context.extensionUri);
    all.add(filled);
    panel.onDidDispose(() => all.delete(filled));
    return filled;
  };
  const adopt = (panel: vscode.WebviewPanel, runId: string): void => {
    panels.set(runId, fill(panel, runId));
    panel.onDidDispose(() => panels.delete(runId));
  };
  context.subscriptions.push(
    runs.onDidChange(({ run }) => {
      for (const panel of all) if (panel.runId === run.runId) panel.changed();
    }),
    vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
      deserializeWebviewPanel: async (panel, saved: unknown) => {
        const request = parsePanelRequest({ ...(typeof saved === 'object' ? saved : null), type: 'answer' });
        // Nothing was saved before the script first ran, and a run has one panel.
        if (request === null || panels.has(request.runId)) panel.dispose();
        else adopt(panel, request.runId);
      },
    }),
    new vscode.Disposable(() => {
      for (const panel of all) panel.dispose();
    }),
  );
  return {
    show: (runId, objective) => {
      const shown = panels.get(runId);
      if (shown) return shown.reveal();
      const title = titleOf(objective);
      adopt(vscode.window.createWebviewPanel(VIEW_TYPE, title, vscode.ViewColumn.Active, {}), runId);
    },
    fill,
    isVisible: (runId) => [...all].some((panel) => panel.runId === runId && panel.visible),
  };
}

function titleOf(objective: string): string {
  return printable(objective, 40);
}

class SummaryPanel {
  readonly runId: string;
  private readonly panel: vscode.WebviewPanel;
  private readonly runs: RunRegistry;
  /** Null while nobody is there to receive: a hidden panel has no page. */
  private view: PanelView | null = null;
  /** JSON of each section as it was sent last. */
  private readonly sent = new Map<string, string>();
  private timer: NodeJS.Timeout | null = null;
  private lastUpdateTook = 0;
  private readonly histories = new HistoryReader();
  private readonly distDirectory: string;
  private callReader: Promise<CallReader> | null = null;

  constructor(panel: vscode.WebviewPanel, runId: string, runs: RunRegistry, extension: vscode.Uri) {
    this.panel = panel;
    this.runId = runId;
    this.runs = runs;
    this.distDirectory = vscode.Uri.joinPath(extension, 'dist').fsPath;
    panel.webview.onDidReceiveMessage((message: unknown) => this.receive(message));
    panel.onDidChangeViewState(() => {
      if (!panel.visible) this.rest();
    });
    panel.onDidDispose(() => this.rest());
    panel.webview.html = page(panel.webview, extension, runId);
  }

  get visible(): boolean {
    return this.panel.visible;
  }

  reveal(): void {
    this.panel.reveal();
  }

  dispose(): void {
    this.panel.dispose();
  }

  /** The run has changed: the page is told soon. */
  changed(): void {
    if (this.view === null || this.timer !== null) return;
    const wait = Math.max(UPDATE_MS, HOST_SHARE * this.lastUpdateTook);
    this.timer = setTimeout(() => this.update(), wait);
  }

  private rest(): void {
    this.view = null;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private receive(message: unknown): void {
    const request = parsePanelRequest(message);
    if (request === null || request.runId !== this.runId) return;
    this.answer(request).catch((error: unknown) => this.post({ type: 'problem', text: wordsOf(error, l10n.t) }));
  }

  private async answer(request: PanelRequest): Promise<void> {
    if (request.type === 'ready') return this.begin(request.view);
    // A command says itself what it needs; the log opens also where the run cannot be read.
    if (request.type === 'action') {
      await vscode.commands.executeCommand(`babyagi.${request.action}`, this.runId);
      return;
    }
    const run = await this.run();
    if (!run) return this.tellGone();
    switch (request.type) {
      case 'view':
        this.view = request.view;
        return this.update();
      case 'decide':
        if (run.session) return run.session.steering.decideReview(request.decision, request.digest, 'panel');
        // In progress in another window, or in none: the review asks there, or says what to do.
        await vscode.commands.executeCommand('babyagi.review', this.runId);
        return;
      case 'task':
        return this.sendTask(run, request.taskId);
      case 'call':
        return this.sendCall(run, request.callId);
      case 'answer':
        return this.post({ type: 'answer', answer: closingAnswer(run.state, [...run.state.calls.values()]) });
    }
  }

  /** At once what is known, and the history as soon as the log has been read. */
  private async sendTask({ state, directory }: RunView, taskId: string): Promise<void> {
    const detail = taskDetail(state, taskId);
    if (detail === null) return;
    this.post({ type: 'task', detail });
    const histories = await this.histories.of(state, directory);
    this.post({ type: 'task', detail: { ...detail, history: histories.get(taskId) ?? [] } });
  }

  /** At once the answer, and the request as soon as it has been made again from the log. */
  private async sendCall({ state, directory }: RunView, callId: string): Promise<void> {
    const detail = callDetail(state, callId);
    const call = state.calls.get(callId);
    if (detail === null || !call) return;
    this.post({ type: 'call', detail });
    this.callReader ??= import('./call-reader.ts').then((module) => new module.CallReader(this.distDirectory));
    const { again, usageNote } = await (await this.callReader).of(state, directory, callId);
    const notes = usageNote === null ? [] : [l10n.t('Usage: {0}.', l10n.known(usageNote))];
    const request = callRequest(again, call);
    this.post({ type: 'call', detail: { ...detail, notes: [...detail.notes, ...notes], request } });
  }

  private async begin(view: PanelView): Promise<void> {
    this.sent.clear();
    this.view = view;
    const run = await this.run();
    if (!run) return this.tellGone();
    this.panel.title = titleOf(run.state.config.objective);
    this.update();
  }

  /** After a reload it may not have been read yet. */
  private async run(): Promise<RunView | undefined> {
    return this.runs.find(this.runId) ?? (await this.runs.open(this.runId));
  }

  private update(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const run = this.runs.find(this.runId);
    if (!this.panel.visible) return;
    if (!run) return this.tellGone();
    const started = performance.now();
    const sections = this.unsent(panelSections(run.state, this.view ?? FIRST_VIEW, this.momentOf(run)));
    if (Object.keys(sections).length > 0) this.post({ type: 'sections', sections });
    this.lastUpdateTook = performance.now() - started;
  }

  private momentOf({ session, state }: RunView): Moment {
    const elapsed = session?.log.activeMs() ?? activeMs(state);
    return { now: Date.now(), activeMs: elapsed, where: this.runs.whereIs(this.runId) };
  }

  private unsent(sections: Partial<PanelSections>): Partial<PanelSections> {
    const changed = Object.entries(sections).filter(([name, section]) => {
      const json = JSON.stringify(section);
      if (this.sent.get(name) === json) return false;
      this.sent.set(name, json);
      return true;
    });
    return Object.fromEntries(changed);
  }

  private tellGone(): void {
    this.post({ type: 'gone', why: this.runs.problemOf(this.runId) });
  }

  private post(reply: PanelReply): void {
    // Resolves to false when the page has gone meanwhile; the next one asks for everything anew.
    void this.panel.webview.postMessage(reply);
  }
}

function page(webview: vscode.Webview, extension: vscode.Uri, runId: string): string {
  const nonce = randomBytes(16).toString('base64url');
  const script = webview.asWebviewUri(vscode.Uri.joinPath(extension, 'dist', 'webview.js')).toString();
  const style = webview.asWebviewUri(vscode.Uri.joinPath(extension, 'media', 'panel.css')).toString();
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types dompurify',
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="${attribute(l10n.language ?? 'en')}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${style}">
<title>${attribute(l10n.t('Summary of the run'))}</title>
</head>
<body data-run-id="${runId}" data-texts="${attribute(JSON.stringify(vscode.l10n.bundle ?? null))}">
<script nonce="${nonce}" src="${script}"></script>
</body>
</html>`;
}

/** For a place between quotes, or between tags. */
function attribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}
