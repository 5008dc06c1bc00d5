import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { DeadMan } from '../../../src/notify/dead-man.ts';
import { NOTICE_KINDS } from '../../../src/run/notice.ts';
import { Egress } from '../../../src/safety/egress.ts';
import { message, RUN_ID } from '../../support/notice-message.ts';
import { startWebhookServer } from '../../support/webhook-server.ts';

async function deadMan(t: TestContext, more = '') {
  const server = await startWebhookServer('/ping/7f3a');
  const egress = new Egress({ allowedOrigins: [server.origin] });
  t.after(async () => {
    egress.close();
    await server.close();
  });
  const channel = new DeadMan({ url: `${server.url}${more}`, allowPrivate: false }, egress);
  return { channel, server, paths: () => server.requests.map(({ path }) => path) };
}

const { signal } = new AbortController();

describe("a dead-man's switch", () => {
  it('is told that a run begins, goes on, ends and fails, and of nothing else', async (t) => {
    const { channel, paths, server } = await deadMan(t);
    const told: string[] = [];
    for (const kind of NOTICE_KINDS.filter((each) => channel.takes(each))) {
      const before = paths().length;
      assert.equal(await channel.send(message({ kind }), signal), null, kind);
      told.push(`${kind} ${paths().slice(before).join(' ').replaceAll(RUN_ID, 'run')}`);
    }
    assert.deepEqual(told, [
      'started /ping/7f3a/start?rid=run',
      'resumed /ping/7f3a?rid=run /ping/7f3a/start?rid=run',
      'review /ping/7f3a/start?rid=run',
      'ended /ping/7f3a?rid=run',
      'limit /ping/7f3a?rid=run',
      'failed /ping/7f3a/fail?rid=run',
    ]);
    assert.equal(server.requests[0]?.body, 'Hello');
  });

  it('does not miss a run whose process ended for want of a person', async (t) => {
    const { channel, paths } = await deadMan(t);
    const { standing } = message();
    assert.ok(standing);
    await channel.send(message({ kind: 'review', standing: { ...standing, reason: 'stopped_at_review' } }), signal);
    assert.deepEqual(paths(), [`/ping/7f3a?rid=${RUN_ID}`]);
  });

  it('hears every minute that the run lives, at an address with a slash and a query too', async (t) => {
    const { channel, paths } = await deadMan(t, '/?create=1');
    assert.equal(channel.pulse.everyMs, 60_000);
    await channel.pulse.send(RUN_ID, signal);
    assert.deepEqual(paths(), [`/ping/7f3a/start?create=1&rid=${RUN_ID}`]);
  });
});
