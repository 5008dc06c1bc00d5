import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Host, Outcome } from '../../src/engine/host.ts';
import { resumeRun } from '../../src/engine/resume.ts';
import type { Session } from '../../src/engine/session.ts';
import { startRun } from '../../src/engine/start.ts';
import { SlackWebhook } from '../../src/notify/slack.ts';
import { systemClock } from '../../src/run/clock.ts';
import type { Clock } from '../../src/run/ports.ts';
import type { RawSettings } from '../../src/run/settings.ts';
import { brain } from '../support/brain.ts';
import { eventually } from '../support/eventually.ts';
import type { Fault } from '../support/model-faults.ts';
import {
  type ChatRequestSeen,
  type ModelServer,
  type ModelServerOptions,
  type RequestSeen,
  startModelServer,
} from '../support/model-server.ts';
import { temporaryFolder, testHost, testSettings, testStart } from '../support/run-host.ts';

/** Promised is a second; the rest is for a machine that does other things as well. */
const DEADLINE_MS = 3000;

const cleanUp: (() => Promise<unknown> | undefined)[] = [];
after(async () => {
  for (const one of cleanUp) await one();
});

interface Scene {
  readonly server: ModelServer;
  readonly session: Session;
  readonly host: Host;
}

async function begin(
  options: ModelServerOptions,
  raw: RawSettings = {},
  overrides: Partial<Host> = {},
): Promise<Scene> {
  const server = await startModelServer({ reply: brain(), ...options });
  const host = testHost(server.url, overrides);
  cleanUp.push(async () => (host.egress.close(), server.close()));
  const session = await startRun(
    testSettings(server.baseUrl, { max_iterations: 50, ...raw }),
    testStart(temporaryFolder()),
    host,
  );
  return { server, session, host };
}

async function within<T>(ms: number, work: Promise<T>, what: string): Promise<T> {
  const giveUp = new AbortController();
  const late = delay(ms, null, { signal: giveUp.signal }).then(() => assert.fail(`${what} took more than ${ms} ms`));
  late.catch(() => {});
  return Promise.race([work, late]).finally(() => giveUp.abort());
}

/** Stops the run; resolves to how it ended. No request may leave any more. */
async function stop({ session, server }: Scene): Promise<Outcome> {
  const requests = server.requests.length;
  session.stop();
  const outcome = await within(DEADLINE_MS, session.done, 'stopping');
  await delay(50);
  assert.equal(server.requests.length, requests, 'no request after the stop');
  for (const call of session.state.calls.values()) assert.notEqual(call.status, 'reserved');
  return outcome;
}

const systemPrompt = (request: RequestSeen) => (request as Partial<ChatRequestSeen>).messages?.[0]?.content ?? '';
const isSynthesis = (request: RequestSeen) => systemPrompt(request).startsWith('You write the final answer');
const isPlan = (request: RequestSeen) => systemPrompt(request).startsWith('You keep a task list');
const isEmbedding = (request: RequestSeen) => request.path.endsWith('/embeddings');

/** What keeps a request from coming to its end. */
const STUCK: Readonly<Record<string, Fault>> = {
  'hangs before the headers': { kind: 'hang' },
  'stalls in the body': { kind: 'stall' },
  'trickles a byte a second': { kind: 'trickle' },
  'asks for an hour of patience (429)': { kind: 'status', status: 429, headers: { 'retry-after': '3600' } },
  'is overloaded (503)': { kind: 'status', status: 503, headers: { 'retry-after': '600' } },
};

/** Which request of the run it is. */
const WHERE: Readonly<Record<string, (request: RequestSeen, index: number) => boolean>> = {
  'in the first request': () => true,
  'in a planning request': isPlan,
  'in an embedding request': isEmbedding,
  'in the synthesis': isSynthesis,
};

describe('a stop', { concurrency: 4 }, () => {
  for (const [where, isThere] of Object.entries(WHERE)) {
    for (const [what, fault] of Object.entries(STUCK)) {
      it(`works ${where} while the server ${what}`, async () => {
        let stuck = 0;
        const scene = await begin(
          { fault: (request, index) => (isThere(request, index) ? (stuck++, fault) : null) },
          { max_iterations: where === 'in the synthesis' ? 1 : 50 },
        );
        await eventually('the request', () => stuck > 0);
        await delay(30);
        const outcome = await stop(scene);
        assert.equal(outcome.stopReason, where === 'in the synthesis' ? 'max_iterations' : 'stopped_by_user');
        assert.equal(stuck, 1);
      });
    }
  }

  it('works while waiting to try a broken server again', async () => {
    const scene = await begin({ fault: () => ({ kind: 'status', status: 500 }) }, {}, { random: () => 0.99 });
    await eventually('the second attempt', () => scene.server.requests.length === 2);
    assert.equal((await stop(scene)).stopReason, 'stopped_by_user');
  });

  it('works while a review is pending', async () => {
    const scene = await begin({}, { reviewEvery: 1 }, { attended: true });
    await eventually('the review', () => scene.session.state.review !== null);
    assert.equal((await stop(scene)).stopReason, 'stopped_at_review');
    assert.equal(scene.session.state.review, null);
  });

  it('works while the run is paused', async () => {
    const scene = await begin({}, {}, { attended: true });
    scene.session.steering.pause();
    await eventually(
      'the pause',
      () =>
        scene.session.state.status === 'paused' &&
        scene.session.state.current === null &&
        scene.session.state.iteration > 0,
    );
    await delay(30);
    assert.equal((await stop(scene)).stopReason, 'stopped_by_user');
  });

  it('works while the run sleeps between iterations', async () => {
    const scene = await begin({}, { sleepSeconds: 86_400 });
    await eventually('the sleep', () => scene.session.state.iteration === 1);
    await delay(30);
    assert.equal((await stop(scene)).stopReason, 'stopped_by_user');
  });

  it('works while the keyring does not answer', async () => {
    let asked = 0;
    const scene = await begin({}, {}, { keyFor: () => (asked++, new Promise(() => {})) });
    await eventually('the question for the key', () => asked > 0);
    assert.equal((await stop(scene)).stopReason, 'stopped_by_user');
    assert.equal(scene.server.requests.length, 0);
  });

  it('does not wait for a webhook that hangs', async () => {
    const webhook = createServer(() => {}).listen(0, '127.0.0.1');
    cleanUp.push(async () => (webhook.closeAllConnections(), webhook.close()));
    await new Promise((resolve) => webhook.once('listening', resolve));
    const url = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/hook`;
    const server = await startModelServer({ fault: () => ({ kind: 'hang' }) });
    const host = testHost(server.url);
    host.egress.allow(url);
    cleanUp.push(async () => (host.egress.close(), server.close()));
    const settings = testSettings(server.baseUrl, { max_iterations: 50 });
    const session = await startRun(settings, testStart(temporaryFolder()), {
      ...host,
      channels: [new SlackWebhook({ url, allowPrivate: false, kinds: ['ended', 'limit'] }, host.egress)],
    });
    await eventually('a request', () => server.requests.length > 0);
    const outcome = await stop({ server, session, host });
    assert.equal(outcome.stopReason, 'stopped_by_user');
    assert.deepEqual(
      [...session.state.notices.values()].map(({ kind, status }) => [kind, status]),
      [['ended', 'queued']],
    );
  });

  it('works at once, before anything was sent, and twice', async () => {
    const scene = await begin({});
    scene.session.stop();
    scene.session.stop();
    assert.equal((await within(DEADLINE_MS, scene.session.done, 'stopping')).stopReason, 'stopped_by_user');
    assert.ok(scene.server.requests.length <= 1);
  });
});

describe('a server that hangs', { concurrency: 4 }, () => {
  for (const fault of [{ kind: 'hang' }, { kind: 'stall' }, { kind: 'trickle', intervalMs: 50 }] satisfies Fault[]) {
    it(`ends its task by the task timeout, and the run goes on (${fault.kind})`, async () => {
      const { session, server } = await begin(
        { fault: (_request, index) => (index === 0 ? fault : null) },
        { max_iterations: 2, task_timeout_seconds: 0.3, acceptanceCriteria: ['never met'], initialTask: 'First' },
      );
      session.steering.addTask('Second');
      const outcome = await within(20_000, session.done, 'the run');
      assert.equal(outcome.stopReason, 'max_iterations', outcome.detail);
      const [first, second] = session.state.iterations;
      assert.deepEqual([first?.failed, second?.failed], [true, false]);
      const [call] = session.state.calls.values();
      assert.equal(call?.status, 'held');
      assert.ok(server.requests.length > 2);
    });
  }
});

describe('the time limit', { concurrency: 4 }, () => {
  const WALL = { max_wall_time_minutes: 0.02, task_timeout_seconds: 3600 };

  async function endsByTime(
    options: ModelServerOptions,
    raw: RawSettings = {},
    overrides: Partial<Host> = {},
    prepare: (session: Session) => void = () => {},
  ) {
    const scene = await begin(options, { ...WALL, ...raw }, overrides);
    prepare(scene.session);
    const outcome = await within(1200 + DEADLINE_MS, scene.session.done, 'ending by the time limit');
    assert.equal(outcome.stopReason, 'max_wall_time', outcome.detail);
    return scene;
  }

  for (const fault of [{ kind: 'hang' }, { kind: 'stall' }, { kind: 'trickle' }] satisfies Fault[]) {
    it(`ends a run in the middle of a call (${fault.kind})`, async () => {
      const { server } = await endsByTime({ fault: () => fault });
      assert.equal(server.requests.length, 1);
    });
  }

  it('ends a run that waits for hours, as the server asked', async () => {
    const { server } = await endsByTime({
      fault: () => ({ kind: 'status', status: 429, headers: { 'retry-after': '7200' } }),
    });
    assert.equal(server.requests.length, 1);
  });

  it('ends a run in a review and in a pause', async () => {
    await endsByTime({}, { reviewEvery: 1 }, { attended: true });
    await endsByTime({}, {}, { attended: true }, (session) => session.steering.pause());
  });

  it('is the one of all owners together', async () => {
    const { session, server, host } = await endsByTime({ fault: () => ({ kind: 'hang' }) });
    const again = await resumeRun(session.folder.path, { raise: {}, byPerson: true }, host);
    assert.equal((await within(DEADLINE_MS, again.done, 'the second end')).stopReason, 'max_wall_time');
    assert.equal(server.requests.length, 1);
  });

  it('may be raised while a run waits for the server', async () => {
    const { session, server } = await begin(
      {
        fault: (_request, index) =>
          index === 0 ? { kind: 'status', status: 429, headers: { 'retry-after': '2' } } : null,
      },
      { ...WALL, max_iterations: 1 },
    );
    await eventually('the answer', () => server.requests.length === 1);
    session.steering.raiseLimit('max_wall_time_minutes', 10);
    assert.equal((await within(20_000, session.done, 'the run')).stopReason, 'max_iterations');
  });
});

describe('time', { concurrency: 4 }, () => {
  const HOUR = 3_600_000;
  /** The wall clock as somebody sets it; the monotonic one goes on. */
  function wallClock(): Clock & { step: (ms: number) => void } {
    let offset = 0;
    return { ...systemClock, now: () => Date.now() + offset, step: (ms) => (offset += ms) };
  }

  for (const [name, step] of [
    ['+8 h', 8 * HOUR],
    ['-32 h', -32 * HOUR],
    ['a leap second back', -1000],
  ] as const) {
    it(`a step of the wall clock by ${name} does not end a healthy run`, async () => {
      const clock = wallClock();
      const { session } = await begin(
        { fault: (_request, index) => (index === 4 && clock.step(step), null) },
        { max_iterations: 4, max_wall_time_minutes: 1 },
        { clock },
      );
      assert.equal((await within(30_000, session.done, 'the run')).stopReason, 'max_iterations');
      assert.ok(session.log.activeMs() < 60_000);
    });

    it(`a step of the wall clock by ${name} does not extend the time limit, nor the task timeout`, async () => {
      const clock = wallClock();
      const wall = await begin(
        { fault: () => (clock.step(step), { kind: 'hang' }) },
        { max_wall_time_minutes: 0.01, task_timeout_seconds: 60 },
        { clock },
      );
      assert.equal((await within(600 + DEADLINE_MS, wall.session.done, 'the run')).stopReason, 'max_wall_time');
      const task = await begin(
        { fault: () => (clock.step(step), { kind: 'hang' }) },
        { task_timeout_seconds: 0.3, max_iterations: 1 },
        { clock },
      );
      await within(300 + DEADLINE_MS, task.session.done, 'the task');
      assert.equal(task.server.requests.length, 1);
    });
  }

  it('a wait above 2^31 ms does not end at once', async () => {
    const fault: Fault = { kind: 'status', status: 429, headers: { 'retry-after': String(29 * 24 * 3600) } };
    const scene = await begin({ fault: () => fault }, { max_wall_time_minutes: 43_200, task_timeout_seconds: 86_400 });
    await eventually('the refusal', () =>
      [...scene.session.state.calls.values()].some((call) => call.status === 'released'),
    );
    await delay(300);
    assert.equal(scene.server.requests.length, 1);
    assert.equal((await stop(scene)).stopReason, 'stopped_by_user');

    const done = new AbortController();
    let ended = false;
    const sleep = systemClock.sleep(2 ** 31 + 1000, done.signal).then(() => (ended = true));
    await delay(50);
    assert.equal(ended, false);
    done.abort();
    await sleep;
  });
});

describe('a server that refuses what it is no longer sent', () => {
  it('is not asked for ever', async () => {
    const refusal = (param: string) =>
      JSON.stringify({ error: { message: `Unsupported parameter: '${param}'`, param, code: 'unsupported_parameter' } });
    const { session, server } = await begin({
      fault: (request) => {
        const param = request.raw.includes('"max_completion_tokens"') ? 'max_completion_tokens' : 'max_tokens';
        return isEmbedding(request) ? null : { kind: 'status', status: 400, body: refusal(param) };
      },
    });
    const outcome = await within(20_000, session.done, 'the run');
    assert.equal(outcome.stopReason, 'queue_empty', outcome.detail);
    assert.equal(session.state.iterations[0]?.failed, true);
    assert.ok(server.requests.length <= 4, `${server.requests.length} requests`);
  });
});
