import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { JsonWebhook } from '../../../src/notify/json-webhook.ts';
import { NoticeBody } from '../../../src/notify/notice-body.ts';
import { Egress } from '../../../src/safety/egress.ts';
import { message, RUN_ID } from '../../support/notice-message.ts';
import { startWebhookServer } from '../../support/webhook-server.ts';

const PLAIN = 'a secret that both sides know';
const BASE64 = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;

async function sent(t: TestContext, secret: string | null, more: Parameters<typeof message>[0] = {}) {
  const server = await startWebhookServer('/in/7f3a');
  const egress = new Egress({ allowedOrigins: [server.origin] });
  t.after(async () => {
    egress.close();
    await server.close();
  });
  const channel = new JsonWebhook({ url: server.url, allowPrivate: false, secret, kinds: ['ended'] }, egress);
  assert.equal(await channel.send(message(more), new AbortController().signal), null);
  const [request] = server.requests;
  assert.ok(request);
  return { body: request.body, headers: request.headers as Record<string, string>, path: request.path };
}

describe('a JSON webhook', () => {
  it('is sent what its schema says', async (t) => {
    const { body, headers, path } = await sent(t, null);
    assert.equal(path, '/in/7f3a');
    assert.deepEqual(NoticeBody.strict().parse(JSON.parse(body)), {
      version: 1,
      id: 'n1',
      kind: 'ended',
      run_id: RUN_ID,
      at: '2026-05-17T10:00:00.000Z',
      reason: 'objective_complete',
      text: 'Hello',
      iterations: 3,
      money: { settled_usd: 0.25, held_usd: 0, reserved_usd: 0, limit_usd: 1 },
    });
    assert.equal(headers['webhook-id'], 'n1');
    assert.equal(headers['webhook-signature'], undefined);
  });

  it('is told by the watchdog what that knows', async (t) => {
    const { body } = await sent(t, null, { kind: 'hang', standing: null });
    const { reason, iterations, money } = NoticeBody.parse(JSON.parse(body));
    assert.deepEqual([reason, iterations, money], [null, null, null]);
  });

  for (const [what, secret, key] of [
    ['a secret in base64', BASE64, BASE64],
    ['any other secret', PLAIN, Buffer.from(PLAIN).toString('base64')],
  ] as const) {
    it(`can tell by ${what} that it is ours, whole and new`, async (t) => {
      const { body, headers } = await sent(t, secret);
      const verifier = new Webhook(key);
      assert.deepEqual(verifier.verify(body, headers), JSON.parse(body));
      assert.throws(() => verifier.verify(body.replace('Hello', 'Hullo'), headers));
      const old = String(Number(headers['webhook-timestamp']) - 3600);
      assert.throws(() => verifier.verify(body, { ...headers, 'webhook-timestamp': old }));
      assert.ok(!body.includes(secret) && !JSON.stringify(headers).includes(secret));
    });
  }
});
