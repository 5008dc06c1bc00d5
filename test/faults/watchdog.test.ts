import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readRun } from '../../src/engine/read.ts';
import { startRun } from '../../src/engine/start.ts';
import type { Channel } from '../../src/notify/channel.ts';
import type { NoticeSettings } from '../../src/notify/settings.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { verifyRun } from '../../src/runlog/verify.ts';
import { brain } from '../support/brain.ts';
import { eventually } from '../support/eventually.ts';
import { startMailServer, textOf } from '../support/mail-server.ts';
import { startModelServer } from '../support/model-server.ts';
import { temporaryFolder, testHost, testSettings, testStart } from '../support/run-host.ts';
import { startWebhookServer } from '../support/webhook-server.ts';

const MAIN = fileURLToPath(new URL('./watchdog-main.mjs', import.meta.url));

interface Webhook {
  readonly url: string;
  readonly texts: string[];
  close(): void;
}

async function startWebhook(status: () => number = () => 200, address = '127.0.0.1'): Promise<Webhook> {
  const texts: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      const code = status();
      if (code === 200) texts.push((JSON.parse(body) as { text: string }).text);
      response.writeHead(code).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, texts, close };
}

interface Watched {
  readonly child: ChildProcess;
  readonly said: string[];
  readonly ended: Promise<number | null>;
}

const slackAt = (url: string): NoticeSettings => ({
  slack: { url, allowPrivate: false, kinds: ['hang', 'overdue', 'recovered'] },
});

function watched(directory: string, notices: NoticeSettings, ...args: (string | number)[]): Watched {
  return watchedWith({ notices, localOnly: false }, directory, args);
}

function watchedWith(
  { notices, localOnly }: { notices: NoticeSettings; localOnly: boolean },
  directory: string,
  args: readonly (string | number)[],
): Watched {
  const child = spawn(
    process.execPath,
    [MAIN, directory, JSON.stringify({ notices, localOnly }), ...args.map(String)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const said: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => said.push(...text.trim().split('\n')));
  return { child, said, ended: new Promise((resolve) => child.on('close', (code) => resolve(code))) };
}

function hangs(directory: string): Record<string, unknown>[] {
  const names = readdirSync(directory)
    .filter((name) => name.startsWith('hang-'))
    .sort();
  return names.map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')) as Record<string, unknown>);
}

async function scene(
  t: TestContext,
  status?: () => number,
  address?: string,
): Promise<{ webhook: Webhook; directory: string }> {
  const webhook = await startWebhook(status, address);
  t.after(() => webhook.close());
  return { webhook, directory: temporaryFolder() };
}

/** Takes what is sent, and does not come back to it. */
const waiting: Channel = {
  name: 'waiting',
  origin: 'https://hooks.example.com',
  takes: () => true,
  send: (_message, signal) =>
    new Promise((resolve) => {
      const failure = { error: { class: 'aborted', message: 'Not waited for.' }, permanent: false, retryAfterMs: null };
      signal.addEventListener('abort', () => resolve(failure), { once: true });
    }),
};

describe('the watchdog', { concurrency: 5 }, () => {
  it('tells somebody while the loop is blocked, once, and again when it reacts', async (t) => {
    const { webhook, directory } = await scene(t);
    const { said, ended } = watched(directory, slackAt(webhook.url), 1000, 'block', 4000);
    await eventually('the blocking', () => said.includes('begins'));
    const blocked = performance.now();
    await eventually('the alert', () => webhook.texts.length > 0, 10_000);
    console.log(
      `watchdog: alert ${Math.round(performance.now() - blocked)} ms after the thread was blocked, limit 1000 ms`,
    );
    assert.equal(said.includes('reacts'), false, 'the alert came while the thread was blocked');
    assert.match(webhook.texts[0] ?? '', /^BabyAGI run hangs: .* Objective: Plan a small garden \[01234567-hang-1\]$/);
    const open = await eventually('the note in the run folder', () => hangs(directory)[0]);
    assert.deepEqual([open?.what, open?.limit_ms, open?.recovered_at], ['hang', 1000, null]);
    assert.equal(await ended, 0);
    assert.deepEqual(
      webhook.texts.map((text) => /\[(.*)\]$/.exec(text)?.[1]),
      ['01234567-hang-1', '01234567-recovered-1'],
    );
    const [closed, ...others] = hangs(directory);
    assert.deepEqual(others, []);
    assert.ok(typeof closed?.recovered_at === 'string' && Number(closed.lasted_ms) >= 3500, JSON.stringify(closed));
  });

  it('tells everybody by all ways, also while one of them hangs', async (t) => {
    const server = await startWebhookServer('/');
    const mail = await startMailServer();
    const hanging = createServer(() => {});
    await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve));
    t.after(async () => {
      hanging.closeAllConnections();
      hanging.close();
      await mail.close();
      await server.close();
    });
    const kinds = ['hang', 'recovered'] as const;
    const web = (url: string) => ({ url, allowPrivate: false, kinds });
    const notices: NoticeSettings = {
      ...slackAt(`http://127.0.0.1:${(hanging.address() as AddressInfo).port}/`),
      json_webhook: { ...web(`${server.origin}/json`), secret: null },
      pagerduty: { ...web(`${server.origin}/pagerduty`), routingKey: 'x'.repeat(32) },
      email: {
        server: `smtp://127.0.0.1:${mail.port}`,
        from: 'a@example.com',
        to: ['b@example.com'],
        login: null,
        kinds,
      },
      dead_man: web(`${server.origin}/dead-man`),
    };
    const { ended } = watched(temporaryFolder(), notices, 1000, 'block', 3000);
    await eventually('all alerts', () => server.requests.length >= 2 && mail.mails.length >= 1, 10_000);
    assert.deepEqual(server.requests.map(({ path }) => path).sort(), ['/json', '/pagerduty']);
    const bodies = server.requests.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    assert.deepEqual(bodies.map(({ kind, event_action }) => String(kind ?? event_action)).sort(), ['hang', 'trigger']);
    assert.match(textOf(mail.mails[0] ?? assert.fail()), /^BabyAGI run hangs: /);
    await ended;
  });

  it('tries again where the webhook fails', async (t) => {
    let times = 0;
    const { webhook, directory } = await scene(t, () => (++times < 2 ? 503 : 200));
    const { ended } = watched(directory, slackAt(webhook.url), 500, 'block', 4000);
    await eventually('the alert', () => webhook.texts.length > 0, 10_000);
    await ended;
    assert.ok(times >= 2);
  });

  it('says that a run goes on past its time limit', async (t) => {
    const { webhook, directory } = await scene(t);
    const { ended } = watched(directory, slackAt(webhook.url), 60_000, 'overdue', 6500);
    await ended;
    const [alarm = '', over = '', ...others] = webhook.texts;
    assert.match(alarm, /is past its time limit by \d+ s.*-overdue-1\]$/);
    // Nobody else would say so: an incident would stay open.
    assert.match(over, /has ended.* \d+ s after its time limit\. Objective: .*-recovered-1\]$/);
    assert.deepEqual(others, []);
    assert.deepEqual(
      hangs(directory).map(({ what, recovered_at }) => [what, typeof recovered_at]),
      [['overdue', 'string']],
    );
  });

  it('says nothing of a run that has ended and waits for a channel', async (t) => {
    const { webhook } = await scene(t);
    const server = await startModelServer({ reply: brain() });
    t.after(() => server.close());
    const host = testHost(server.url, {
      channels: [waiting],
      watchdog: { limitMs: 60_000, notices: slackAt(webhook.url) },
    });
    t.after(() => host.egress.close());
    const settings = testSettings(server.baseUrl, { max_wall_time_minutes: 0.01, sleepSeconds: 5 });
    const session = await startRun(settings, testStart(temporaryFolder()), host);
    assert.equal((await session.done).stopReason, 'max_wall_time');
    assert.deepEqual([webhook.texts, hangs(session.folder.path)], [[], []]);
  });

  it('tells nobody elsewhere where only this machine may be contacted', async (t) => {
    // It may be on this machine, but its name does not say so.
    const { address } = await lookup(hostname(), { family: 4 }).catch(() => ({ address: '127.0.0.1' }));
    const { webhook, directory } = await scene(t, () => 200, address);
    const url = webhook.url.replace('127.0.0.1', hostname());
    const notices: NoticeSettings = { slack: { url, allowPrivate: true, kinds: ['hang', 'recovered'] } };
    await watchedWith({ notices, localOnly: true }, directory, [500, 'block', 2000]).ended;
    assert.deepEqual(webhook.texts, []);
    assert.equal(hangs(directory).length, 1, 'it was seen');
  });

  // Windows cannot suspend a process from outside.
  if (process.platform !== 'win32') {
    it('says nothing of a process that was suspended as a whole', async (t) => {
      const { webhook, directory } = await scene(t);
      const { child, said, ended } = watched(directory, slackAt(webhook.url), 1000, 'idle', 3000);
      await eventually('the beginning', () => said.includes('begins'));
      child.kill('SIGSTOP');
      await delay(4000);
      child.kill('SIGCONT');
      assert.equal(await ended, 0);
      assert.deepEqual(webhook.texts, []);
      assert.deepEqual(hangs(directory), []);
    });
  }

  it('watches the runs of a host that asks for it, and ends with them', async (t) => {
    const { webhook } = await scene(t);
    const server = await startModelServer({ reply: brain() });
    t.after(() => server.close());
    const workers = () => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
    const before = workers();
    const host = testHost(server.url, {
      watchdog: { limitMs: 500, notices: slackAt(webhook.url) },
    });
    t.after(() => host.egress.close());
    let blocked = false;
    const session = await startRun(
      testSettings(server.baseUrl, { max_iterations: 2, sleepSeconds: 1.5 }),
      testStart(temporaryFolder()),
      host,
    );
    session.subscribe((event) => {
      if (event.type !== 'iteration.completed' || blocked) return;
      blocked = true;
      const end = performance.now() + 2000;
      while (performance.now() < end) Math.sqrt(end);
    });
    await session.done;
    await eventually('both texts', () => webhook.texts.length === 2, 10_000);
    assert.deepEqual(
      webhook.texts.map((text) => /-(hang|recovered)-1\]$/.exec(text)?.[1]),
      ['hang', 'recovered'],
    );
    assert.equal(hangs(session.folder.path).length, 1);
    assert.equal((await readRun(nodeDisk, session.folder.path)).status, 'ended');
    const { ok, firstProblem } = await verifyRun(nodeDisk, session.folder.path);
    assert.ok(ok, String(firstProblem));
    await eventually('the end of the worker', () => workers() <= before, 10_000);
  });
});
