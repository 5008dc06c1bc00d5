import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { SlackWebhook } from '../../../src/notify/slack.ts';
import { Egress } from '../../../src/safety/egress.ts';
import { startModelServer } from '../../support/model-server.ts';
import { message } from '../../support/notice-message.ts';

const slackAt = (url: string, egress: Egress) =>
  new SlackWebhook({ url, allowPrivate: false, kinds: ['ended'] }, egress);

describe('a Slack-compatible webhook', () => {
  async function hook(t: TestContext) {
    const server = await startModelServer();
    const egress = new Egress({ allowedOrigins: [server.url] });
    t.after(async () => {
      egress.close();
      await server.close();
    });
    const webhook = slackAt(`${server.url}/services/secret`, egress);
    return { webhook, server };
  }

  for (const [status, permanent] of [
    [500, false],
    [503, false],
    [429, false],
    [408, false],
    [404, true],
    [410, true],
    [403, true],
  ] as const) {
    it(`${permanent ? 'is given up' : 'is tried again'} after ${status}`, async () => {
      const answer = { status, headers: { 'retry-after': '30' }, body: new Uint8Array() };
      const egress = { request: () => Promise.resolve(answer) } as unknown as Egress;
      const failure = await slackAt('https://hooks.example.com/services/secret', egress).send(
        message(),
        new AbortController().signal,
      );
      assert.deepEqual(
        [failure?.permanent, failure?.retryAfterMs, failure?.error.class],
        [permanent, 30_000, `status_${status}`],
      );
      assert.ok(!JSON.stringify(failure).includes('secret'));
    });
  }

  it('gets the text with the id of the notice', async (t) => {
    const { webhook, server } = await hook(t);
    await webhook.send(message(), new AbortController().signal);
    assert.deepEqual(JSON.parse(server.requests[0]?.raw.toString() ?? ''), { text: 'Hello [n1]' });
  });

  it('gets a text that calls nobody and hides no link', async (t) => {
    const { webhook, server } = await hook(t);
    const text = 'Objective: <!channel> & <https://evil.example|your bank>';
    await webhook.send(message({ text }), new AbortController().signal);
    const sent = { text: 'Objective: &lt;!channel&gt; &amp; &lt;https://evil.example|your bank&gt; [n1]' };
    assert.deepEqual(JSON.parse(server.requests[0]?.raw.toString() ?? ''), sent);
  });

  it('may say until when it wants to be left alone', async () => {
    const headers = { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() };
    const egress = { request: () => Promise.resolve({ status: 429, headers, body: new Uint8Array() }) };
    const webhook = slackAt('https://hooks.example.com/services/x', egress as unknown as Egress);
    const failure = await webhook.send(message(), new AbortController().signal);
    assert.ok((failure?.retryAfterMs ?? 0) > 3_000_000);
  });

  it('that is not there is tried again, and its path is not told', async (t) => {
    const { webhook, server } = await hook(t);
    await server.close();
    const failure = await webhook.send(message(), new AbortController().signal);
    assert.equal(failure?.permanent, false);
    assert.ok(!JSON.stringify(failure).includes('secret'));
  });
});
