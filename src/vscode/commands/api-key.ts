import * as vscode from 'vscode';
import { wordsOf } from '../../run/translate.ts';
import { KeyError, OriginError, parseApiKey, parseOrigin } from '../../safety/origin.ts';
import { nodeDisk } from '../../runlog/disk.ts';
import type { App } from '../app.ts';
import { l10n } from '../panel-l10n.ts';
import { COMMANDS } from '../ids.ts';
import { inMessage } from '../labels.ts';
import type { RunEntry } from '../runs.ts';
import { askText } from '../steps.ts';
import { settingsOf } from '../workspace.ts';

const DEFAULT_BASE_URL = 'https://api.openai.com/v1';

/** Asks for an API key and the origin that it is for. `argument` may name the origin. True where a key was set. */
export async function setApiKey(app: App, argument?: unknown): Promise<boolean> {
  const { raw, privateOrigins } = settingsOf();
  const configured = typeof raw.baseUrl === 'string' && raw.baseUrl !== '' ? raw.baseUrl : DEFAULT_BASE_URL;
  const title = vscode.l10n.t('Set API Key');
  const named = typeof argument === 'string' ? argument : undefined;
  const server =
    named ??
    (await askText({
      title,
      step: 1,
      totalSteps: 2,
      prompt: vscode.l10n.t('The server that the key is for. The key is sent nowhere else.'),
      value: originOrNull(configured, privateOrigins) ?? configured,
      problem: (text) => originProblem(text, privateOrigins),
    }));
  if (typeof server !== 'string') return false;
  const origin = originOrNull(server, privateOrigins);
  if (origin === null) return false;
  const text = await askText({
    title,
    ...(named === undefined && { step: 2, totalSteps: 2 }),
    prompt: vscode.l10n.t(
      'The API key for {0}. It is kept in the secret storage of VS Code, on the machine that the window works on.',
      origin,
    ),
    password: true,
    problem: keyProblem,
  });
  if (typeof text !== 'string') return false;
  await app.keys.setKey(origin, parseApiKey(text));
  // A keyring may take a secret and lose it.
  if ((await app.keys.keyFor(origin)) === null) {
    void vscode.window.showWarningMessage(
      vscode.l10n.t('The secret storage did not keep the key. Check the keyring of this machine.'),
    );
    return false;
  }
  void vscode.window.setStatusBarMessage(`$(key) ${vscode.l10n.t('The API key for {0} is set.', origin)}`, 5000);
  // Who named the origin asks for the key in order to go on.
  if (named === undefined) void offerToResume(app, origin);
  return true;
}

/** Runs of this workspace that ended for want of a key for this origin go on by one click. */
async function offerToResume(app: App, origin: string): Promise<void> {
  const { readRunConfig } = await import('../../engine/read.ts');
  const ended = app.runs.entries.filter(({ brief }) => brief.stopReason === 'waiting_for_key' && !brief.imported);
  const waits = async ({ directory }: RunEntry) => {
    const config = await readRunConfig(nodeDisk, directory).catch(() => null);
    const address = config?.model.provider === 'openai' ? config.model.base_url : '';
    return URL.canParse(address) && new URL(address).origin === origin;
  };
  const checked = await Promise.all(ended.map(async (entry) => ((await waits(entry)) ? [entry] : [])));
  const waiting = checked.flat();
  const [first] = waiting;
  if (first === undefined) return;
  const resume = waiting.length === 1 ? vscode.l10n.t('Resume') : vscode.l10n.t('Resume All');
  const message =
    waiting.length === 1
      ? vscode.l10n.t('A BabyAGI run waits for this API key. “{0}”', inMessage(first.brief.objective, 60))
      : vscode.l10n.t('{0} BabyAGI runs wait for this API key.', waiting.length);
  if ((await vscode.window.showInformationMessage(message, resume)) !== resume) return;
  for (const { runId } of waiting) await vscode.commands.executeCommand(COMMANDS.resume, runId);
}

export async function removeApiKey(app: App): Promise<void> {
  const origins = app.keys.origins();
  if (origins.length === 0) {
    void vscode.window.showInformationMessage(vscode.l10n.t('No API key is stored.'));
    return;
  }
  const title = vscode.l10n.t('Remove API Key');
  const origin = await vscode.window.showQuickPick([...origins], {
    title,
    placeHolder: vscode.l10n.t('The key for which server?'),
  });
  if (origin === undefined) return;
  await app.keys.removeKey(origin);
  void vscode.window.showInformationMessage(vscode.l10n.t('The API key for {0} is removed.', origin));
}

function keyProblem(text: string): string | null {
  try {
    parseApiKey(text);
    return null;
  } catch (error) {
    if (error instanceof KeyError) return wordsOf(error, l10n.t);
    throw error;
  }
}

function originProblem(text: string, privateOrigins: readonly string[]): string | null {
  try {
    originText(text, privateOrigins);
    return null;
  } catch (error) {
    if (error instanceof OriginError) return wordsOf(error, l10n.t);
    throw error;
  }
}

function originOrNull(text: string, privateOrigins: readonly string[]): string | null {
  return originProblem(text, privateOrigins) === null ? originText(text, privateOrigins) : null;
}

function originText(text: string, privateOrigins: readonly string[]): string {
  const url = text.trim();
  return parseOrigin(url, { allowPrivate: URL.canParse(url) && privateOrigins.includes(new URL(url).origin) }).text;
}
