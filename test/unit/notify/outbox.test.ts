import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Host } from '../../../src/engine/host.ts';
import type { Channel, DeliveryFailure } from '../../../src/notify/channel.ts';
import { SlackWebhook } from '../../../src/notify/slack.ts';
import { Egress } from '../../../src/safety/egress.ts';
import { brain } from '../../support/brain.ts';
import { startModelServer } from '../../support/model-server.ts';
import { oneRun, resumed } from '../../support/one-run.ts';
import { RecordedClock } from '../../support/recorded-clock.ts';
import { testHost } from '../../support/run-host.ts';

const SETTINGS = { max_iterations: 1, synthesis: false };

/** A channel that answers with the given outcomes in turn, the last one again and again. */
function channel(
  ...outcomes: (DeliveryFailure | null | 'hang')[]
): Channel & { readonly sent: { id: string; kind: string; text: string }[] } {
  const sent: { id: string; kind: string; text: string }[] = [];
  return {
    name: 'test',
    origin: 'https://hooks.example.com',
    sent,
    send: (notice, signal) => {
      const outcome = outcomes[Math.min(sent.length, outcomes.length - 1)] ?? null;
      sent.push({ id: notice.id, kind: notice.kind, text: notice.text });
      if (outcome !== 'hang') return Promise.resolve(outcome);
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(failed()), { once: true }));
    },
  };
}

function failed(more: Partial<DeliveryFailure> = {}): DeliveryFailure {
  return { error: { class: 'status_500', message: 'It answered 500.' }, permanent: false, retryAfterMs: null, ...more };
}

const run = (t: TestContext, channels: readonly Channel[], host: Partial<Host> = {}) =>
  oneRun(t, {
    server: { reply: brain() },
    settings: SETTINGS,
    host: { channels, clock: new RecordedClock(), ...host },
  });

describe('the outbox', () => {
  it('tells the end of a run, and why', async (t) => {
    const one = channel(null);
    const { state } = await run(t, [one]);
    assert.deepEqual(
      one.sent.map(({ kind }) => kind),
      ['ended'],
    );
    assert.match(one.sent[0]?.text ?? '', /max_iterations.*1 iterations.*Plan a small garden/);
    assert.deepEqual(
      [...state.notices.values()].map(({ status }) => status),
      ['sent'],
    );
    assert.equal(state.origins.get('https://hooks.example.com'), 1);
  });

  it('tries again until it is delivered, with the same id', async (t) => {
    const one = channel(failed(), failed({ retryAfterMs: 3000 }), null);
    const clock = new RecordedClock();
    const { state, events } = await run(t, [one], { clock });
    assert.equal(new Set(one.sent.map(({ id }) => id)).size, 1);
    assert.equal(one.sent.length, 3);
    assert.ok(clock.slept.includes(3000), 'the server said when to come back');
    assert.deepEqual(
      [...state.notices.values()].map(({ status }) => status),
      ['sent'],
    );
    assert.deepEqual(
      events.flatMap((event) => (event.type === 'notice.failed' ? [event.final] : [])),
      [false, false],
    );
  });

  it('gives up at once where trying again cannot help', async (t) => {
    const one = channel(failed({ permanent: true, error: { class: 'status_410', message: 'It is gone.' } }));
    const { state } = await run(t, [one]);
    assert.equal(one.sent.length, 1);
    assert.deepEqual(
      [...state.notices.values()].map(({ status, error }) => [status, error?.class]),
      [['failed', 'status_410']],
    );
  });

  it('does not hold up the end of a run for long; the next owner delivers what is left', async (t) => {
    const dead = channel('hang');
    const { outcome, state, server } = await run(t, [dead]);
    assert.equal(outcome.stopReason, 'max_iterations');
    assert.deepEqual(
      [...state.notices.values()].map(({ status }) => status),
      ['queued'],
    );
    const [left] = [...state.notices.values()];
    const alive = channel(null);
    const host = testHost(server.url, { channels: [alive], clock: new RecordedClock() });
    t.after(() => host.egress.close());
    const again = await resumed(t, outcome.runDirectory, host);
    assert.equal(alive.sent[0]?.id, left?.id);
    assert.ok([...again.state.notices.values()].every(({ status }) => status === 'sent'));
  });

  it('delivers nothing twice that is on record as sent', async (t) => {
    const one = channel(null);
    const { outcome, server } = await run(t, [one]);
    const two = channel(null);
    const host = testHost(server.url, { channels: [two] });
    t.after(() => host.egress.close());
    await resumed(t, outcome.runDirectory, host);
    assert.ok(two.sent.every(({ id }) => id !== one.sent[0]?.id));
  });

  it('tells of a review that waits', async (t) => {
    const one = channel(null);
    await oneRun(t, {
      server: { reply: brain() },
      settings: { max_iterations: 2, reviewEvery: 1, synthesis: false },
      host: { channels: [one] },
    });
    assert.deepEqual(
      one.sent.map(({ kind }) => kind),
      ['review', 'ended'],
    );
  });

  it('queues nothing where nobody listens', async (t) => {
    assert.equal((await run(t, [])).state.notices.size, 0);
  });
});

describe('a Slack-compatible webhook', () => {
  async function hook(t: TestContext) {
    const server = await startModelServer();
    const egress = new Egress({ allowedOrigins: [server.url] });
    t.after(async () => {
      egress.close();
      await server.close();
    });
    const webhook = new SlackWebhook(`${server.url}/services/secret`, egress);
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
      const failure = await new SlackWebhook('https://hooks.example.com/services/secret', egress).send(
        { id: 'n1', text: 'Hello' },
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
    await webhook.send({ id: 'n1', text: 'Hello' }, new AbortController().signal);
    assert.deepEqual(JSON.parse(server.requests[0]?.raw.toString() ?? ''), { text: 'Hello [n1]' });
  });

  it('gets a text that calls nobody and hides no link', async (t) => {
    const { webhook, server } = await hook(t);
    const text = 'Objective: <!channel> & <https://evil.example|your bank>';
    await webhook.send({ id: 'n1', text }, new AbortController().signal);
    const sent = { text: 'Objective: &lt;!channel&gt; &amp; &lt;https://evil.example|your bank&gt; [n1]' };
    assert.deepEqual(JSON.parse(server.requests[0]?.raw.toString() ?? ''), sent);
  });

  it('may say until when it wants to be left alone', async () => {
    const headers = { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() };
    const egress = { request: () => Promise.resolve({ status: 429, headers, body: new Uint8Array() }) };
    const webhook = new SlackWebhook('https://hooks.example.com/services/x', egress as unknown as Egress);
    const failure = await webhook.send({ id: 'n1', text: 'Hello' }, new AbortController().signal);
    assert.ok((failure?.retryAfterMs ?? 0) > 3_000_000);
  });

  it('that is not there is tried again, and its path is not told', async (t) => {
    const { webhook, server } = await hook(t);
    await server.close();
    const failure = await webhook.send({ id: 'n1', text: 'Hello' }, new AbortController().signal);
    assert.equal(failure?.permanent, false);
    assert.ok(!JSON.stringify(failure).includes('secret'));
  });
});
