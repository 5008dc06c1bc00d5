import { checkNotices, type NoticeField, type NoticeReader } from '../notify/check.ts';
import { SECRET_FIELDS, type SecretField } from '../notify/secret-fields.ts';
import type { NoticeSettings } from '../notify/settings.ts';
import { wordsOf } from '../run/translate.ts';
import type { Keys } from './keys.ts';
import { l10n } from './panel-l10n.ts';
import type { Configured } from './settings.ts';

/** Whom this window tells: what the settings say, and the secrets of Set Up Notices…. Or one sentence for each problem. */
export async function noticesOf(
  keys: Pick<Keys, 'noticeSecret'>,
  configured: Pick<Configured, 'notices' | 'privateOrigins'>,
): Promise<{ settings: NoticeSettings } | { problems: string[] }> {
  const { notices, email, pagerdutyUrl } = configured.notices;
  const fields = Object.keys(SECRET_FIELDS) as SecretField[];
  // Side by side: a keyring that does not answer is waited for once.
  const secrets = await Promise.all(fields.map(async (field) => [field, await keys.noticeSecret(field)] as const));
  const raw: Record<string, unknown> = { pagerduty_url: pagerdutyUrl };
  for (const [channel, value] of entriesOf(notices)) raw[`${channel}_notices`] = value;
  for (const [name, value] of entriesOf(email)) raw[`email_${name}`] = value;
  return checkNotices({ ...raw, ...Object.fromEntries(secrets) }, noticeReader(configured));
}

export function noticeReader({ privateOrigins }: Pick<Configured, 'privateOrigins'>): NoticeReader {
  return {
    nameOf,
    translated: l10n.t,
    wordsOf: (error) => wordsOf(error, l10n.t),
    allowPrivate: (url) => privateOrigins.includes(new URL(url).origin),
  };
}

/** The setting, or what Set Up Notices… calls it. */
function nameOf(field: NoticeField): string {
  switch (field) {
    case 'slack_url':
      return l10n.t('The Slack-compatible webhook');
    case 'json_webhook_url':
      return l10n.t('The JSON webhook');
    case 'json_webhook_secret':
      return l10n.t('The secret of the JSON webhook');
    case 'pagerduty_routing_key':
      return l10n.t('The routing key of PagerDuty');
    case 'email_password':
      return l10n.t('The password of the mail server');
    case 'dead_man_url':
      return l10n.t("The address of the dead-man's switch");
    case 'pagerduty_url':
      return 'babyagi.pagerdutyUrl';
    case 'slack_notices':
    case 'json_webhook_notices':
    case 'pagerduty_notices':
    case 'email_notices':
      return `babyagi.notices "${field.replace('_notices', '')}"`;
    case 'email_server':
    case 'email_user':
    case 'email_from':
    case 'email_to':
      return `babyagi.email "${field.replace('email_', '')}"`;
  }
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}
