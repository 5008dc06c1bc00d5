import * as vscode from 'vscode';
import { fieldProblem } from '../../notify/check.ts';
import { channelsFor } from '../../notify/channels.ts';
import type { SecretField } from '../../notify/secret-fields.ts';
import { sendTestNotice } from '../../notify/test-notice.ts';
import { Egress } from '../../safety/egress.ts';
import type { App } from '../app.ts';
import { inMessage } from '../labels.ts';
import { noticeReader, noticesOf } from '../notice-settings.ts';
import { ServerRefused } from '../run-world.ts';
import { askPick, askText } from '../steps.ts';
import { openSettings } from '../tell.ts';
import { settingsOf } from '../workspace.ts';

interface Choice extends vscode.QuickPickItem {
  readonly does: () => Promise<unknown>;
}

/** Asks for what is secret of the ways by which people are told of runs; the rest are settings. Tries them out, too. */
export async function setUpNotices(app: App): Promise<void> {
  const questions = questionsOf();
  const fields = Object.keys(questions) as SecretField[];
  const isSet = await Promise.all(fields.map(async (field) => (await app.keys.noticeSecret(field)) !== null));
  const items = fields.map((field, index): Choice => {
    const { label, detail } = questions[field];
    const description = isSet[index] ? vscode.l10n.t('set') : '';
    return { label, detail, description, does: () => askSecret(app, field, questions[field]) };
  });
  const chosen = await askPick<Choice>({
    title: vscode.l10n.t('Set Up Notices'),
    placeholder: vscode.l10n.t('Who is told when a run ends, needs a person or hangs'),
    items: [
      ...items,
      {
        label: vscode.l10n.t('Mail Server, Recipients and Kinds of Notices'),
        detail: vscode.l10n.t('Opens the settings, which hold nothing secret.'),
        does: async () => openSettings('@ext:babyagi-vscode.babyagi-vscode notices').run(),
      },
      {
        label: vscode.l10n.t('Send a Test Notice'),
        detail: vscode.l10n.t('One to each that is set up, to see whether it arrives.'),
        does: () => sendTest(app),
      },
    ],
  });
  if (typeof chosen === 'object') await chosen.does();
}

interface Question {
  readonly label: string;
  readonly detail: string;
}

function questionsOf(): Record<SecretField, Question> {
  return {
    slack_url: {
      label: vscode.l10n.t('Slack-Compatible Webhook'),
      detail: vscode.l10n.t('An address of Slack, Mattermost, Rocket.Chat or Discord (with /slack) that takes texts.'),
    },
    json_webhook_url: {
      label: vscode.l10n.t('JSON Webhook'),
      detail: vscode.l10n.t('An address of your own that takes JSON with the run, the reason, the cost and the text.'),
    },
    json_webhook_secret: {
      label: vscode.l10n.t('Secret of the JSON Webhook'),
      detail: vscode.l10n.t('Signs what the JSON webhook is sent, as Standard Webhooks says.'),
    },
    pagerduty_routing_key: {
      label: vscode.l10n.t('Routing Key of PagerDuty'),
      detail: vscode.l10n.t('The integration key of a service with the Events API v2.'),
    },
    email_password: {
      label: vscode.l10n.t('Password of the Mail Server'),
      detail: vscode.l10n.t('For the user in the setting babyagi.email.'),
    },
    dead_man_url: {
      label: vscode.l10n.t("Address of a Dead-Man's Switch"),
      detail: vscode.l10n.t('A check like those of healthchecks.io: it raises the alarm when a run falls silent.'),
    },
  };
}

async function askSecret({ keys }: App, field: SecretField, { label, detail }: Question): Promise<void> {
  const reader = noticeReader(settingsOf());
  const answer = await askText({
    title: label,
    prompt: vscode.l10n.t('{0} Leave empty for none.', detail),
    password: true,
    problem: (text) => (text.trim() === '' ? null : fieldProblem(field, text.trim(), reader)),
  });
  if (typeof answer !== 'string') return;
  const secret = answer.trim();
  await keys.setNoticeSecret(field, secret === '' ? null : secret);
  // A keyring may take a secret and lose it.
  if (secret !== '' && (await keys.noticeSecret(field)) === null) {
    const lost = vscode.l10n.t('The secret storage did not keep it. Check the keyring of this machine.');
    void vscode.window.showWarningMessage(lost);
    return;
  }
  const message =
    secret === ''
      ? vscode.l10n.t('{0}: removed.', label)
      : vscode.l10n.t('{0}: set for runs that start or resume from now on.', label);
  void vscode.window.showInformationMessage(message);
}

async function sendTest({ keys }: App): Promise<void> {
  const configured = settingsOf();
  const checked = await noticesOf(keys, configured);
  if ('problems' in checked) throw new ServerRefused('notices', checked.problems.join(' '));
  const egress = new Egress({ allowedOrigins: [], localOnly: configured.localOnly });
  try {
    const channels = channelsFor(checked.settings, egress);
    if (channels.length === 0) {
      void vscode.window.showWarningMessage(vscode.l10n.t('Nobody is to be told yet.'));
      return;
    }
    const text = vscode.l10n.t('This is a test notice of BabyAGI.');
    const outcomes = await vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: vscode.l10n.t('Sending a test notice'),
        cancellable: true,
      },
      (_progress, token) => {
        const stopping = new AbortController();
        token.onCancellationRequested(() => stopping.abort());
        return sendTestNotice(channels, text, stopping.signal);
      },
    );
    const failed = outcomes.flatMap(({ failure }) => failure?.error.message ?? []);
    if (failed.length === 0)
      void vscode.window.showInformationMessage(vscode.l10n.t('The test notice was taken: {0}.', namesOf(outcomes)));
    else void vscode.window.showErrorMessage(inMessage(failed.join(' '), 1000));
  } finally {
    egress.close();
  }
}

function namesOf(outcomes: Awaited<ReturnType<typeof sendTestNotice>>): string {
  return outcomes.map(({ channel }) => channel.name).join(', ');
}
