import * as vscode from 'vscode';
import { fieldProblem } from '../../notify/check.ts';
import { channelsFor } from '../../notify/channels.ts';
import type { SecretField } from '../../notify/secret-fields.ts';
import { sendTestNotice } from '../../notify/test-notice.ts';
import { wordsOf } from '../../run/translate.ts';
import { Egress } from '../../safety/egress.ts';
import type { App } from '../app.ts';
import { inMessage } from '../labels.ts';
import { l10n } from '../panel-l10n.ts';
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
    return { label, detail, description, does: () => askSecret(keptField(app, field), questions[field]) };
  });
  const chosen = await askPick<Choice>({
    title: vscode.l10n.t('Set Up Notices'),
    placeholder: vscode.l10n.t('Who is told when a run ends, needs a person or hangs'),
    items: [
      ...items,
      ...(await headersChoice(app)),
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

/** The headers of the collector of traces that is set, if one is: they are for its origin alone. */
async function headersChoice({ keys }: App): Promise<Choice[]> {
  const configured = settingsOf();
  if (configured.otlpEndpoint === '') return [];
  const { CollectorError, headersOf, originOf } = await import('../../telemetry/collector.ts');
  const problemOf = (work: () => unknown): string | null => {
    try {
      work();
      return null;
    } catch (error) {
      if (!(error instanceof CollectorError)) throw error;
      return wordsOf(error, l10n.t);
    }
  };
  const endpoint = configured.otlpEndpoint;
  const allowPrivate = URL.canParse(endpoint) && configured.privateOrigins.includes(new URL(endpoint).origin);
  if (problemOf(() => originOf(endpoint, allowPrivate)) !== null) return [];
  const origin = originOf(endpoint, allowPrivate);
  const question = {
    label: vscode.l10n.t('Headers for Traces'),
    detail: vscode.l10n.t(
      'What the collector at {0} wants to see: authorization=Bearer%20…, with commas between.',
      origin,
    ),
  };
  const kept: Kept = {
    read: () => keys.traceHeaders(origin),
    write: (secret) => keys.setTraceHeaders(origin, secret),
    problem: (text) => problemOf(() => headersOf(text)),
  };
  const description = (await kept.read()) === null ? '' : vscode.l10n.t('set');
  return [{ ...question, description, does: () => askSecret(kept, question) }];
}

interface Kept {
  readonly read: () => Promise<string | null>;
  readonly write: (secret: string | null) => Promise<void>;
  /** A sentence where what is given is refused. */
  readonly problem: (text: string) => string | null;
}

function keptField({ keys }: App, field: SecretField): Kept {
  const reader = noticeReader(settingsOf());
  return {
    read: () => keys.noticeSecret(field),
    write: (secret) => keys.setNoticeSecret(field, secret),
    problem: (text) => fieldProblem(field, text, reader),
  };
}

async function askSecret(kept: Kept, { label, detail }: Question): Promise<void> {
  const answer = await askText({
    title: label,
    prompt: vscode.l10n.t('{0} Leave empty for none.', detail),
    password: true,
    problem: (text) => (text.trim() === '' ? null : kept.problem(text.trim())),
  });
  if (typeof answer !== 'string') return;
  const secret = answer.trim();
  await kept.write(secret === '' ? null : secret);
  // A keyring may take a secret and lose it.
  if (secret !== '' && (await kept.read()) === null) {
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
