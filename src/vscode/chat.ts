import * as vscode from 'vscode';
import { containedMarkdown, plainText } from '../runlog/markdown.ts';
import type { App } from './app.ts';
import { COMMANDS } from './ids.ts';
import { inQuickPick } from './labels.ts';
import { untrusted } from './markdown-string.ts';
import { closingAnswer } from './panel-lists.ts';
import { standingWords } from './run-words.ts';
import type { RunEntry } from './runs.ts';
import { runsDirectories } from './workspace.ts';

const LISTED = 15;
const BUTTONS = 3;
const LINE = 200;

/** What of a chat request counts here. */
export type Asked = Pick<vscode.ChatRequest, 'command' | 'prompt'>;
/** What is written to. */
export type Reply = Pick<vscode.ChatResponseStream, 'markdown' | 'button'>;

/** Answers a request to `@babyagi`. It only shows, and offers buttons: nothing is started or changed by it. */
export async function respond(app: App, { command, prompt }: Asked, reply: Reply): Promise<void> {
  switch (command) {
    case 'start':
      return offerStart(prompt.trim(), reply);
    case 'status':
      return showStatus(app, reply);
    case 'answer':
      return showAnswer(app, prompt.trim(), reply);
    default:
      say(
        reply,
        vscode.l10n.t(
          'Write /start and an objective to set up a run, /status to see how runs stand, or /answer to read what a run found out.',
        ),
      );
  }
}

function offerStart(objective: string, reply: Reply): void {
  if (!vscode.workspace.isTrusted) {
    return say(
      reply,
      vscode.l10n.t('This workspace is in Restricted Mode: runs can be looked at, none can be started.'),
    );
  }
  if (objective === '') return say(reply, vscode.l10n.t('Write the objective behind /start, in one sentence.'));
  reply.markdown(untrusted(`> ${plainText(objective, 1000)}\n\n`));
  say(
    reply,
    vscode.l10n.t(
      'Nothing is started yet. The button asks for the model and the limits, and shows all of it once more.',
    ),
  );
  reply.button({ command: COMMANDS.run, title: vscode.l10n.t('Run Objective…'), arguments: [{ objective }] });
}

async function showStatus(app: App, reply: Reply): Promise<void> {
  await app.runs.scan(runsDirectories());
  const { entries } = app.runs;
  if (entries.length === 0) return say(reply, vscode.l10n.t('There is no run in this workspace yet.'));
  const lines = entries.slice(0, LISTED).map(({ brief, session }) => {
    const standing = standingWords(brief, session !== null);
    return `- **${plainText(standing, LINE)}** ${plainText(brief.objective, LINE)}\n`;
  });
  reply.markdown(untrusted(`${lines.join('')}\n`));
  for (const { runId, brief } of entries.slice(0, BUTTONS)) {
    const title = vscode.l10n.t('Open: {0}', inQuickPick(brief.objective, 40));
    reply.button({ command: COMMANDS.openSummary, title, arguments: [runId] });
  }
}

/** Of the run whose id or objective contains the words, or of the newest one that has ended. */
async function showAnswer(app: App, words: string, reply: Reply): Promise<void> {
  await app.runs.scan(runsDirectories());
  const entry = app.runs.entries.find((each) => (words === '' ? each.brief.status === 'ended' : isMeant(each, words)));
  if (entry === undefined) {
    return say(
      reply,
      words === ''
        ? vscode.l10n.t('No run in this workspace has ended yet.')
        : vscode.l10n.t('No run in this workspace has this id or these words in its objective.'),
    );
  }
  const run = await app.runs.open(entry.runId);
  reply.markdown(untrusted(`**${plainText(entry.brief.objective, LINE)}**\n\n`));
  if (run === undefined) return say(reply, entry.problem ?? vscode.l10n.t('The run cannot be read.'));
  const { markdown, note } = closingAnswer(run.state, [...run.state.calls.values()]);
  if (markdown !== null) {
    const frame = { prefix: '', lower: 2, tasks: new Set<string>(), file: '' };
    reply.markdown(untrusted(`${containedMarkdown(markdown, frame).join('\n')}\n\n`));
  }
  say(reply, note);
  if (entry.brief.status === 'ended') {
    reply.button({ command: COMMANDS.openAnswer, title: vscode.l10n.t('Open Answer'), arguments: [entry.runId] });
  }
  reply.button({ command: COMMANDS.openSummary, title: vscode.l10n.t('Open Summary'), arguments: [entry.runId] });
}

function isMeant({ runId, brief }: RunEntry, words: string): boolean {
  return runId === words || brief.objective.toLowerCase().includes(words.toLowerCase());
}

function say(reply: Reply, text: string): void {
  // Text that is appended to a MarkdownString keeps its spaces together: a chat could not wrap its lines.
  reply.markdown(untrusted(`${plainText(text, 1000)}\n\n`));
}
