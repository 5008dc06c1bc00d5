import * as vscode from 'vscode';
import { wordsOf } from '../../run/translate.ts';
import { OriginError, parseOrigin } from '../../safety/origin.ts';
import type { App } from '../app.ts';
import { l10n } from '../panel-l10n.ts';
import { askText } from '../steps.ts';
import { settingsOf } from '../workspace.ts';

/** Asks for the address that is told when a run ends or needs a person; it is a secret. */
export async function setWebhook(app: App): Promise<void> {
  const { privateOrigins } = settingsOf();
  const answer = await askText({
    title: vscode.l10n.t('Set Webhook'),
    prompt: vscode.l10n.t(
      'A Slack-compatible webhook address. It is told when a run ends or waits for you. Leave empty for none.',
    ),
    password: true,
    problem: (text) => (text.trim() === '' ? null : webhookProblem(text.trim(), privateOrigins)),
  });
  if (typeof answer !== 'string') return;
  const url = answer.trim();
  await app.keys.setWebhook(url === '' ? null : url);
  const message =
    url === ''
      ? vscode.l10n.t('The webhook is removed.')
      : vscode.l10n.t('The webhook is set for runs that start or resume from now on.');
  void vscode.window.showInformationMessage(message);
}

function webhookProblem(url: string, privateOrigins: readonly string[]): string | null {
  try {
    const origin = URL.canParse(url) ? new URL(url).origin : '';
    parseOrigin(url, { allowPrivate: privateOrigins.includes(origin) });
    return url.length < 16 ? vscode.l10n.t('The address is too short for a webhook.') : null;
  } catch (error) {
    if (error instanceof OriginError) return wordsOf(error, l10n.t);
    throw error;
  }
}
