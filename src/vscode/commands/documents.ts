import { join } from 'node:path';
import * as vscode from 'vscode';
import { type RunFolder, runFolder } from '../../runlog/folder.ts';
import { nodeDisk } from '../../runlog/disk.ts';
import type { App } from '../app.ts';
import { lineOfCall } from '../log-lines.ts';
import { callIdOf, pickRun } from '../pick-run.ts';
import type { RunEntry } from '../runs.ts';

/** Twice the time after which an open log follows its run. */
const CHANGE_MS = 1000;

const isAny = () => true;
const hasEnded = ({ brief }: RunEntry) => brief.status === 'ended';

/** The panel of a run; what is not open yet is read first. */
export async function openSummary(app: App, argument: unknown): Promise<void> {
  const entry = await pickRun(app, argument, vscode.l10n.t('Open Summary'), isAny);
  if (!entry) return;
  // The page is made while the log is read; it says itself where that cannot be.
  void app.runs.open(entry.runId);
  (await app.panels()).show(entry.runId, entry.brief.objective);
}

export async function openSummaryDocument(app: App, argument: unknown): Promise<void> {
  const entry = await pickRun(app, argument, vscode.l10n.t('Open Summary Document'), hasEnded);
  await preview(
    entry,
    ({ summaryMarkdown }) => summaryMarkdown,
    vscode.l10n.t('This run has no summary.md: it is written when the run ends.'),
  );
}

export async function openAnswer(app: App, argument: unknown): Promise<void> {
  const entry = await pickRun(app, argument, vscode.l10n.t('Open Answer'), hasEnded);
  await preview(
    entry,
    ({ answer }) => answer,
    vscode.l10n.t('This run has no answer.md: it is written when the run ends with results.'),
  );
}

/** The log as one line for each event, at the place of a call where one is named; it goes on while the run does. */
export async function openLog(app: App, argument: unknown): Promise<void> {
  const entry = await pickRun(app, argument, vscode.l10n.t('Open Log'), isAny);
  if (!entry) return;
  const document = await vscode.workspace.openTextDocument(app.documents.log(entry));
  const editor = await vscode.window.showTextDocument(document, { preview: true });
  const callId = callIdOf(argument);
  if (callId !== null) return showCall(editor, callId);
  // What a run does now is at the end.
  if (entry.session) editor.revealRange(document.lineAt(document.lineCount - 1).range);
}

async function showCall(editor: vscode.TextEditor, callId: string): Promise<void> {
  const { document } = editor;
  const find = () => lineOfCall(document.getText().split('\n'), callId);
  if (find() < 0) await nextChange(document);
  const at = find();
  if (at < 0) {
    void vscode.window.showInformationMessage(
      vscode.l10n.t('The call is not among the newest events, which are shown here; the raw log has it.'),
    );
    return;
  }
  const { range } = document.lineAt(at);
  editor.selection = new vscode.Selection(range.end, range.start);
  editor.revealRange(new vscode.Range(range.start, range.start), vscode.TextEditorRevealType.InCenter);
}

/** An open log shows what just happened a little later. */
function nextChange(document: vscode.TextDocument): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      listening.dispose();
      resolve();
    };
    const timer = setTimeout(done, CHANGE_MS);
    const listening = vscode.workspace.onDidChangeTextDocument((change) => {
      if (change.document === document) done();
    });
  });
}

/** The newest segment of the log as it is: JSON, a line for each event. */
export async function openRawLog(app: App, argument: unknown): Promise<void> {
  // The button of a log document hands over its address.
  const named = argument instanceof vscode.Uri ? argument.query : argument;
  const entry = await pickRun(app, named, vscode.l10n.t('Open Raw Log'), isAny);
  if (!entry) return;
  const { log } = runFolder(entry.directory);
  const names = await nodeDisk.list(log).catch(() => [] as string[]);
  const newest = names
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .at(-1);
  if (newest === undefined) {
    void vscode.window.showInformationMessage(vscode.l10n.t('This run has no log yet.'));
    return;
  }
  await vscode.window.showTextDocument(uriOf(join(log, newest)), { preview: true });
}

/** Why a run stopped, what it cost and what to do now. */
export async function whyStopped(app: App, argument: unknown): Promise<void> {
  const entry = await pickRun(app, argument, vscode.l10n.t('Why Did It Stop?'), isAny);
  if (entry) await showMarkdown(app.documents.why(entry));
}

export async function revealRunFolder(app: App, argument: unknown): Promise<void> {
  const entry = await pickRun(app, argument, vscode.l10n.t('Reveal Run Folder'), isAny);
  if (!entry) return;
  const uri = uriOf(runFolder(entry.directory).config);
  const inWorkspace = vscode.workspace.getWorkspaceFolder(uri) !== undefined;
  await vscode.commands.executeCommand(inWorkspace ? 'revealInExplorer' : 'revealFileInOS', uri);
}

async function preview(
  entry: RunEntry | undefined,
  fileOf: (folder: RunFolder) => string,
  missing: string,
): Promise<void> {
  if (!entry) return;
  const uri = uriOf(fileOf(runFolder(entry.directory)));
  try {
    await vscode.workspace.fs.stat(uri);
  } catch {
    void vscode.window.showInformationMessage(missing);
    return;
  }
  await showMarkdown(uri);
}

export async function showMarkdown(uri: vscode.Uri): Promise<void> {
  try {
    await vscode.commands.executeCommand('markdown.showPreview', uri);
  } catch {
    // The built-in Markdown extension may be disabled.
    await vscode.window.showTextDocument(uri);
  }
}

function uriOf(path: string): vscode.Uri {
  return vscode.Uri.file(path);
}
