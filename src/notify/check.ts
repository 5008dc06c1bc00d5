import { NOTICE_KINDS, type NoticeKind } from '../run/notice.ts';
import type { Translate } from '../run/translate.ts';
import { OriginError, parseMailServer, parseOrigin } from '../safety/origin.ts';
import { ENCODED, type SecretField } from './secret-fields.ts';
import {
  type ChoosingChannel,
  DEFAULT_KINDS,
  type NoticeSettings,
  POSSIBLE_KINDS,
  type WebAddress,
} from './settings.ts';

/** What a person gives to be told of runs. Each channel exists where its address or key is given. */
export const NOTICE_FIELDS = [
  'slack_url',
  'slack_notices',
  'json_webhook_url',
  'json_webhook_secret',
  'json_webhook_notices',
  'pagerduty_routing_key',
  'pagerduty_url',
  'pagerduty_notices',
  'email_server',
  'email_user',
  'email_password',
  'email_from',
  'email_to',
  'email_notices',
  'dead_man_url',
] as const;

export type NoticeField = (typeof NOTICE_FIELDS)[number];

/** Raw values as typed or configured; anything may be missing or wrong. */
export type RawNotices = Readonly<Partial<Record<NoticeField, unknown>>>;

/** How somebody gave a field, and reads what is wrong with it. */
export interface NoticeReader {
  readonly nameOf: (field: NoticeField) => string;
  readonly translated: Translate;
  readonly wordsOf: (error: OriginError) => string;
  /** Whether the address may be on the own network. */
  readonly allowPrivate: (url: string) => boolean;
}

const PAGERDUTY = 'https://events.pagerduty.com/v2/enqueue';
const ADDRESS = /^[^\s@<>,;:"()[\]\\]+@[^\s@<>,;:"()[\]\\]+$/;
const EXAMPLES: Readonly<Partial<Record<NoticeField, string>>> = {
  slack_url: 'https://hooks.slack.com/services/…',
  pagerduty_url: PAGERDUTY,
  dead_man_url: 'https://hc-ping.com/…',
};

/** The channels, or one sentence for each problem. No sentence quotes a secret. */
export function checkNotices(
  raw: RawNotices,
  reader: NoticeReader,
): { settings: NoticeSettings } | { problems: string[] } {
  const { nameOf, translated } = reader;
  const problems: string[] = [];
  const text = (field: NoticeField): string | null => {
    const value = raw[field];
    if (value === undefined || value === null || value === '') return null;
    if (typeof value === 'string') return value.trim() === '' ? null : value.trim();
    problems.push(translated('{0} is not valid: give a text.', nameOf(field)));
    return null;
  };
  const checked = (field: CheckedField, value: string | null = text(field)): string | null => {
    const problem = value === null ? null : fieldProblem(field, value, reader);
    if (problem === null) return value;
    problems.push(problem);
    return null;
  };
  const web = (field: CheckedField, fallback: string | null = null): WebAddress | null => {
    const url = checked(field, text(field) ?? fallback);
    return url === null ? null : { url, allowPrivate: reader.allowPrivate(url) };
  };
  const kinds = (channel: ChoosingChannel): readonly NoticeKind[] => {
    const possible = POSSIBLE_KINDS[channel] ?? NOTICE_KINDS;
    const field = `${channel}_notices` as const;
    const value = raw[field];
    if (value === undefined || value === null || value === '') return DEFAULT_KINDS[channel] ?? possible;
    const words = (Array.isArray(value) ? value : [value]).flatMap((each: unknown) => String(each).split(','));
    const given = words.map((word) => word.trim()).filter((word) => word !== '');
    if (given.length === 1 && given[0] === 'all') return possible;
    const known = possible.filter((kind) => given.includes(kind));
    const unknown = given.find((word) => !known.some((kind) => kind === word));
    if (unknown !== undefined) {
      const words = translated(
        '{0}: {1} is not valid: give all, or some of {2}.',
        nameOf(field),
        JSON.stringify(unknown.slice(0, 100)),
        possible.join(', '),
      );
      problems.push(words);
    }
    return known;
  };

  const slack = web('slack_url');
  const json = web('json_webhook_url');
  const routingKey = checked('pagerduty_routing_key');
  const pagerduty = routingKey === null ? null : web('pagerduty_url', PAGERDUTY);
  const deadMan = web('dead_man_url');
  const email = emailOf();
  const settings: NoticeSettings = {
    ...(slack && { slack: { ...slack, kinds: kinds('slack') } }),
    ...(json && { json_webhook: { ...json, secret: checked('json_webhook_secret'), kinds: kinds('json_webhook') } }),
    ...(pagerduty && routingKey !== null && { pagerduty: { ...pagerduty, routingKey, kinds: kinds('pagerduty') } }),
    ...(email && { email: { ...email, kinds: kinds('email') } }),
    ...(deadMan && { dead_man: deadMan }),
  };
  return problems.length > 0 ? { problems } : { settings };

  function emailOf() {
    const server = text('email_server');
    const from = text('email_from');
    const list = raw.email_to;
    const to = (Array.isArray(list) ? list.map(String) : (text('email_to') ?? '').split(','))
      .map((each) => each.trim())
      .filter((each) => each !== '');
    if (server === null && from === null && to.length === 0) return null;
    const before = problems.length;
    const missing = (field: NoticeField, words: string) =>
      problems.push(translated('{0} is missing: give {1}.', nameOf(field), words));
    if (server === null) missing('email_server', 'smtp://mail.example.com:587');
    if (from === null) missing('email_from', 'babyagi@example.com');
    if (to.length === 0) missing('email_to', 'me@example.com');
    for (const [field, address] of [['email_from', from], ...to.map((each) => ['email_to', each] as const)] as const) {
      if (address !== null && !ADDRESS.test(address)) {
        const quoted = JSON.stringify(address.slice(0, 100));
        problems.push(
          translated('{0}: {1} is no e-mail address: give one like me@example.com.', nameOf(field), quoted),
        );
      }
    }
    if (server !== null) {
      try {
        parseMailServer(server);
      } catch (error) {
        if (!(error instanceof OriginError)) throw error;
        problems.push(translated('{0} cannot be used: {1}', nameOf('email_server'), reader.wordsOf(error)));
      }
    }
    const user = text('email_user');
    const password = user === null ? null : checked('email_password');
    if (user !== null && password === null && text('email_password') === null)
      problems.push(translated('{0} is missing: it belongs to {1}.', nameOf('email_password'), nameOf('email_user')));
    if (server === null || from === null || problems.length > before) return null;
    return { server, from, to, login: user === null || password === null ? null : { user, password } };
  }
}

/** Fields that can be judged by themselves. */
type CheckedField = SecretField | 'pagerduty_url';

/** Characters that a secret which is no address must have: one that is shorter could not be told from ordinary text. */
const LEAST: Readonly<Partial<Record<CheckedField, number>>> = {
  json_webhook_secret: 16,
  pagerduty_routing_key: 20,
  email_password: 6,
};

/** A sentence where the value of a field is refused. It may be a secret, so what is wrong with it is all that is said. */
export function fieldProblem(field: CheckedField, value: string, reader: NoticeReader): string | null {
  const { nameOf, translated, wordsOf, allowPrivate } = reader;
  const least = LEAST[field];
  if (field === 'json_webhook_secret' && value.startsWith(ENCODED)) {
    // What is no base64 would sign with next to nothing, and anybody could.
    const isKey = /^[A-Za-z0-9+/]{20,}={0,2}$/.test(value.slice(ENCODED.length));
    return isKey
      ? null
      : translated('{0} is not valid: behind {1} it must be the base64 of a key.', nameOf(field), ENCODED);
  }
  if (least !== undefined) {
    return value.length >= least && !/[\r\n]/.test(value)
      ? null
      : translated('{0} is not valid: it must have at least {1} characters, on one line.', nameOf(field), least);
  }
  try {
    parseOrigin(value, { allowPrivate: URL.canParse(value) && allowPrivate(value) });
    return null;
  } catch (error) {
    if (!(error instanceof OriginError)) throw error;
    const example = EXAMPLES[field] ?? 'https://example.com/…';
    return error.reason === 'invalid_url'
      ? translated('{0} cannot be used: it is not a complete URL. Write it like {1}.', nameOf(field), example)
      : translated('{0} cannot be used: {1}', nameOf(field), wordsOf(error));
  }
}
