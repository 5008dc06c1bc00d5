import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SecretField } from '../../../src/notify/secret-fields.ts';
import type { SettingName } from '../../../src/vscode/ids.ts';
import { noticesOf } from '../../../src/vscode/notice-settings.ts';
import { type Inspected, readSettings } from '../../../src/vscode/settings.ts';

const EMAIL = { server: 'smtp://mail.example.com', user: 'me', from: 'a@example.com', to: ['b@example.com'] };

function noticesWith(settings: Partial<Record<SettingName, Inspected>>, secrets: Partial<Record<SecretField, string>>) {
  const keys = { noticeSecret: (field: SecretField) => Promise.resolve(secrets[field] ?? null) };
  return noticesOf(
    keys,
    readSettings((name) => settings[name]),
  );
}

describe('the notices of a window', () => {
  it('are made of settings and secrets', async () => {
    const checked = await noticesWith(
      {
        notices: { globalValue: { slack: ['failed'], email: ['hang'] } },
        email: { globalValue: EMAIL },
        pagerdutyUrl: { defaultValue: 'https://events.pagerduty.com/v2/enqueue' },
      },
      {
        slack_url: 'https://hooks.example.com/7f3a',
        pagerduty_routing_key: '0123456789abcdef0123456789abcdef',
        email_password: 'a password',
      },
    );
    assert.ok('settings' in checked, JSON.stringify(checked));
    const { slack, json_webhook, pagerduty, email, dead_man } = checked.settings;
    assert.deepEqual(slack, { url: 'https://hooks.example.com/7f3a', allowPrivate: false, kinds: ['failed'] });
    assert.equal(pagerduty?.url, 'https://events.pagerduty.com/v2/enqueue');
    assert.deepEqual([email?.login, email?.kinds], [{ user: 'me', password: 'a password' }, ['hang']]);
    assert.deepEqual([json_webhook, dead_man], [undefined, undefined]);
  });

  it('are none of the workspace', async () => {
    const theirs = (value: unknown) => ({ workspaceValue: value, workspaceFolderValue: value });
    const checked = await noticesWith(
      {
        notices: theirs({ slack: [] }),
        email: theirs(EMAIL),
        pagerdutyUrl: { defaultValue: 'https://events.pagerduty.com/v2/enqueue', ...theirs('https://evil.example/') },
      },
      {
        slack_url: 'https://hooks.example.com/7f3a',
        pagerduty_routing_key: '0123456789abcdef0123456789abcdef',
        email_password: 'a password',
      },
    );
    assert.ok('settings' in checked);
    assert.equal(checked.settings.email, undefined);
    assert.equal(checked.settings.pagerduty?.url, 'https://events.pagerduty.com/v2/enqueue');
    assert.ok((checked.settings.slack?.kinds.length ?? 0) > 0);
  });

  it('may go to the own network where the user says so', async () => {
    const secrets = { slack_url: 'http://192.168.1.20:8065/hooks/7f3a' };
    const refused = await noticesWith({}, secrets);
    assert.match(
      'problems' in refused ? refused.problems.join() : '',
      /^The Slack-compatible webhook cannot be used: /,
    );
    const allowed = await noticesWith({ privateServers: { globalValue: ['http://192.168.1.20:8065'] } }, secrets);
    assert.equal('settings' in allowed && allowed.settings.slack?.allowPrivate, true);
  });

  it('say where to mend what is wrong', async () => {
    const checked = await noticesWith(
      { notices: { globalValue: { slack: ['loud'] } }, email: { globalValue: { ...EMAIL, to: [] } } },
      { slack_url: 'https://hooks.example.com/7f3a' },
    );
    const problems = 'problems' in checked ? checked.problems : [];
    assert.equal(problems.length, 3);
    assert.match(problems.join('\n'), /^babyagi\.email "to" is missing/m);
    assert.match(
      problems.join('\n'),
      /^The password of the mail server is missing: it belongs to babyagi\.email "user"\.$/m,
    );
    assert.match(problems.join('\n'), /^babyagi\.notices "slack": "loud" is not valid/m);
  });

  it('are not on record as far as they name people', () => {
    const { snapshot } = readSettings((name) => (name === 'email' ? { globalValue: EMAIL } : undefined));
    assert.equal(snapshot['email'], null);
  });
});
