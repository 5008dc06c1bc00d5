import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { PagerDuty } from '../../../src/notify/pagerduty.ts';
import { DEFAULT_KINDS } from '../../../src/notify/settings.ts';
import { NOTICE_KINDS, type NoticeKind } from '../../../src/run/notice.ts';
import { Egress } from '../../../src/safety/egress.ts';
import { message, RUN_ID } from '../../support/notice-message.ts';
import { startWebhookServer } from '../../support/webhook-server.ts';

const ROUTING_KEY = '0123456789abcdef0123456789abcdef';
const RUN = `babyagi/${RUN_ID}`;
const WATCHDOG = `babyagi/${RUN_ID}/watchdog`;

interface Event {
  readonly routing_key: string;
  readonly event_action: string;
  readonly dedup_key: string;
  readonly payload?: Record<string, unknown>;
}

async function pagerduty(
  t: TestContext,
  kinds: readonly NoticeKind[] = DEFAULT_KINDS.pagerduty ?? [],
  answer?: Parameters<typeof startWebhookServer>[1],
) {
  const server = await startWebhookServer('/v2/enqueue', answer);
  const egress = new Egress({ allowedOrigins: [server.origin] });
  t.after(async () => {
    egress.close();
    await server.close();
  });
  const channel = new PagerDuty({ url: server.url, allowPrivate: false, routingKey: ROUTING_KEY, kinds }, egress);
  const events = () => server.requests.map(({ body }) => JSON.parse(body) as Event);
  return { channel, events, told: () => events().map(({ event_action, dedup_key }) => `${event_action} ${dedup_key}`) };
}

const { signal } = new AbortController();

describe('PagerDuty', () => {
  const expected: Readonly<Record<NoticeKind, string[]>> = {
    started: [],
    resumed: [`resolve ${RUN}`, `resolve ${WATCHDOG}`],
    review: [`trigger ${RUN}`],
    paused: [`trigger ${RUN}`],
    continued: [`resolve ${RUN}`],
    ended: [`resolve ${RUN}`],
    limit: [`trigger ${RUN}`],
    failed: [`trigger ${RUN}`],
    heartbeat: [],
    hang: [`trigger ${WATCHDOG}`],
    overdue: [`trigger ${WATCHDOG}`],
    recovered: [`resolve ${WATCHDOG}`],
  };
  for (const kind of NOTICE_KINDS) {
    it(`is told of ${kind}: ${expected[kind].join(', ').replaceAll(RUN_ID, 'run') || 'nothing'}`, async (t) => {
      const { channel, told } = await pagerduty(t);
      assert.equal(channel.takes(kind), expected[kind].length > 0);
      if (channel.takes(kind)) assert.equal(await channel.send(message({ kind }), signal), null);
      assert.deepEqual(told(), expected[kind]);
    });
  }

  it('is told all that its API asks for', async (t) => {
    const { channel, events } = await pagerduty(t);
    await channel.send(message({ kind: 'failed', text: 'x'.repeat(5000) }), signal);
    const [event] = events();
    assert.equal(event?.routing_key, ROUTING_KEY);
    const { summary, source, severity, timestamp, class: kind, custom_details } = event?.payload ?? {};
    assert.equal(String(summary).length, 1024);
    await channel.send(message({ kind: 'failed', text: `x${'🙂'.repeat(2000)}` }), signal);
    assert.match(String(events().at(-1)?.payload?.['summary']), /^x(?:🙂)+…$/u, 'no character is cut in two');
    assert.ok(typeof source === 'string' && source !== '');
    assert.deepEqual([severity, timestamp, kind], ['critical', '2026-05-17T10:00:00.000Z', 'failed']);
    assert.deepEqual(custom_details, {
      notice_id: 'n1',
      run_id: RUN_ID,
      reason: 'objective_complete',
      iterations: 3,
      settled_usd: 0.25,
      held_usd: 0,
      limit_usd: 1,
    });
  });

  it('calls nobody by what is not chosen, and an end by a limit resolves then', async (t) => {
    const { channel, told } = await pagerduty(t, ['failed']);
    assert.equal(channel.takes('review'), false);
    assert.equal(channel.takes('hang'), false);
    await channel.send(message({ kind: 'limit' }), signal);
    assert.deepEqual(told(), [`resolve ${RUN}`]);
  });

  it('is told all of a resumption again where only a part arrived', async (t) => {
    const { channel, told } = await pagerduty(t, undefined, (response, count) =>
      response.writeHead(count === 2 ? 503 : 202).end(),
    );
    assert.equal((await channel.send(message({ kind: 'resumed' }), signal))?.permanent, false);
    assert.equal(await channel.send(message({ kind: 'resumed' }), signal), null);
    assert.deepEqual(told().slice(-2), [`resolve ${RUN}`, `resolve ${WATCHDOG}`]);
  });

  it('that refuses the key is given up, and the key is not told', async (t) => {
    const { channel } = await pagerduty(t, undefined, (response) => response.writeHead(400).end(ROUTING_KEY));
    const failure = await channel.send(message({ kind: 'failed' }), signal);
    assert.equal(failure?.permanent, true);
    assert.match(failure?.error.message ?? '', /^PagerDuty at http:\/\/127\.0\.0\.1:\d+ answered 400\.$/);
  });

  it('is tested by an incident that is over at once', async (t) => {
    const { channel, events, told } = await pagerduty(t);
    await channel.send(message({ kind: 'test' }), signal);
    assert.deepEqual(told(), [`trigger ${RUN}`, `resolve ${RUN}`]);
    assert.equal(events()[0]?.payload?.['severity'], 'info');
  });
});
