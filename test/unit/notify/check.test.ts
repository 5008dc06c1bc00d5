import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkNotices, type RawNotices } from '../../../src/notify/check.ts';
import { NOTICE_KINDS } from '../../../src/run/notice.ts';
import { inEnglish } from '../../../src/run/translate.ts';

const check = (raw: RawNotices, isPrivate = false) =>
  checkNotices(raw, {
    nameOf: (field) => field.toUpperCase(),
    translated: inEnglish,
    wordsOf: (error) => error.message,
    allowPrivate: () => isPrivate,
  });

function settingsOf(raw: RawNotices) {
  const checked = check(raw);
  assert.ok('settings' in checked, JSON.stringify(checked));
  return checked.settings;
}

function problemsOf(raw: RawNotices): string[] {
  const checked = check(raw);
  assert.ok('problems' in checked);
  return checked.problems;
}

const MAIL = {
  email_server: 'smtp://mail.example.com',
  email_from: 'a@example.com',
  email_to: 'b@example.com, c@example.com',
};

describe('who is told', () => {
  it('is nobody where nothing is given', () => {
    assert.deepEqual(settingsOf({}), {});
    assert.deepEqual(settingsOf({ slack_url: ' ', email_to: [], pagerduty_url: 'https://events.example.com/' }), {});
  });

  it('is whoever is given, each of what is usual for it', () => {
    const { slack, json_webhook, pagerduty, email, dead_man } = settingsOf({
      slack_url: ' https://hooks.example.com/7f3a ',
      json_webhook_url: 'https://in.example.com/7f3a',
      pagerduty_routing_key: '0123456789abcdef0123456789abcdef',
      ...MAIL,
      dead_man_url: 'https://hc.example.com/7f3a',
    });
    assert.equal(slack?.url, 'https://hooks.example.com/7f3a');
    assert.ok(slack.kinds.includes('heartbeat') && !slack.kinds.includes('started'));
    assert.deepEqual([json_webhook?.secret, json_webhook?.kinds], [null, NOTICE_KINDS]);
    assert.equal(pagerduty?.url, 'https://events.pagerduty.com/v2/enqueue');
    assert.deepEqual(pagerduty.kinds, ['review', 'paused', 'limit', 'failed', 'hang', 'overdue']);
    assert.deepEqual([email?.to, email?.login], [['b@example.com', 'c@example.com'], null]);
    assert.ok(email?.kinds.includes('failed') && !email.kinds.includes('heartbeat'));
    assert.deepEqual(dead_man, { url: 'https://hc.example.com/7f3a', allowPrivate: false });
  });

  it('is told of the kinds that are chosen, in a text or a list', () => {
    const slack_url = 'https://hooks.example.com/7f3a';
    assert.deepEqual(settingsOf({ slack_url, slack_notices: 'hang, failed' }).slack?.kinds, ['failed', 'hang']);
    assert.deepEqual(settingsOf({ slack_url, slack_notices: ['limit'] }).slack?.kinds, ['limit']);
    assert.deepEqual(settingsOf({ slack_url, slack_notices: 'all' }).slack?.kinds, NOTICE_KINDS);
    assert.deepEqual(settingsOf({ slack_url, slack_notices: [] }).slack?.kinds, []);
    const [problem] = problemsOf({ slack_url, slack_notices: 'hang, fail' });
    assert.match(problem ?? '', /^SLACK_NOTICES: "fail" is not valid: give all, or some of started, resumed, /);
    const [other] = problemsOf({
      pagerduty_routing_key: '0123456789abcdef0123456789abcdef',
      pagerduty_notices: 'heartbeat',
    });
    assert.match(other ?? '', /give all, or some of review, paused, limit, failed, hang, overdue\.$/);
  });

  it('is said all that is wrong at once, without any secret', () => {
    const problems = problemsOf({
      slack_url: 'hooks/7f3asecret',
      json_webhook_url: 'http://example.com/7f3asecret',
      json_webhook_secret: '7f3asecret',
      pagerduty_routing_key: '7f3asecret',
      dead_man_url: 'https://me:7f3asecret@hc.example.com/',
      email_server: 'mail.example.com',
      email_user: 'me',
      email_password: '7f3',
      email_from: 'Me <a@example.com>',
    });
    assert.deepEqual(problems, [
      'SLACK_URL cannot be used: it is not a complete URL. Write it like https://hooks.slack.com/services/….',
      'JSON_WEBHOOK_URL cannot be used: Plain http to example.com would show the key to the network. Use https.',
      'PAGERDUTY_ROUTING_KEY is not valid: it must have at least 20 characters, on one line.',
      'DEAD_MAN_URL cannot be used: The address of hc.example.com holds a user name or password. Remove it; keys are entered on their own.',
      'EMAIL_TO is missing: give me@example.com.',
      'EMAIL_FROM: "Me <a@example.com>" is no e-mail address: give one like me@example.com.',
      'EMAIL_SERVER cannot be used: The mail server is not complete. Write it like smtp://mail.example.com:587 or smtps://mail.example.com.',
      'EMAIL_PASSWORD is not valid: it must have at least 6 characters, on one line.',
    ]);
  });

  it('is no secret that would sign with nothing', () => {
    const json_webhook_url = 'https://example.com/hook';
    for (const secret of ['whsec_!!!!!!!!!!!!!!!!!!!!', 'whsec_', 'whsec_c2hvcnQ='])
      assert.deepEqual(problemsOf({ json_webhook_url, json_webhook_secret: secret }), [
        'JSON_WEBHOOK_SECRET is not valid: behind whsec_ it must be the base64 of a key.',
      ]);
  });

  it('gets a password only with a user, and a user only with a password', () => {
    assert.equal(settingsOf({ ...MAIL, email_password: 'left over' }).email?.login, null);
    assert.deepEqual(problemsOf({ ...MAIL, email_user: 'me' }), [
      'EMAIL_PASSWORD is missing: it belongs to EMAIL_USER.',
    ]);
    assert.deepEqual(settingsOf({ ...MAIL, email_user: 'me', email_password: 'secret word' }).email?.login, {
      user: 'me',
      password: 'secret word',
    });
  });

  for (const address of ['a@b\r\nBcc: c@d', 'a@b>,<c@d', 'a b@c', 'a', '@b', 'a@', 'a@b@c', '"a"@b']) {
    it(`gets no mail at ${JSON.stringify(address)}`, () => {
      assert.equal(problemsOf({ ...MAIL, email_to: [address] }).length, 1);
    });
  }
});
