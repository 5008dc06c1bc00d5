import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Host } from '../../../src/engine/host.ts';
import type { Channel, DeliveryFailure, Message } from '../../../src/notify/channel.ts';
import { Outbox } from '../../../src/notify/outbox.ts';
import { DEFAULT_KINDS } from '../../../src/notify/settings.ts';
import type { EventDraft, RunEvent } from '../../../src/run/events.ts';
import { NOTICE_KINDS } from '../../../src/run/notice.ts';
import { apply, fold } from '../../../src/run/fold.ts';
import type { LogWriter } from '../../../src/runlog/writer.ts';
import { brain } from '../../support/brain.ts';
import { oneRun, resumed } from '../../support/one-run.ts';
import { RecordedClock } from '../../support/recorded-clock.ts';
import { events, makeConfig, startOfRun } from '../../support/run-events.ts';
import { testHost } from '../../support/run-host.ts';

const SETTINGS = { max_iterations: 1, synthesis: false };
/** What Slack is told where nobody chose. */
const PEOPLE = DEFAULT_KINDS.slack ?? [];

type Outcome = DeliveryFailure | null | 'hang';

interface TestChannel extends Channel {
  readonly sent: Message[];
}

/** A channel that answers with the given outcomes in turn, the last one again and again. */
const channel = (...outcomes: Outcome[]): TestChannel => named('test', PEOPLE, ...outcomes);

function named(name: string, kinds: readonly string[], ...outcomes: Outcome[]): TestChannel {
  const sent: Message[] = [];
  return {
    name,
    origin: 'https://hooks.example.com',
    takes: (kind) => kinds.includes(kind),
    sent,
    send: (notice, signal) => {
      const outcome = outcomes[Math.min(sent.length, outcomes.length - 1)] ?? null;
      sent.push({ ...notice });
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
      ['limit'],
    );
    assert.match(one.sent[0]?.text ?? '', /max_iterations.* 1 iteration, \$[\d.]+ of \$[\d.]+\. .*Plan a small garden/);
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
    const said: string[] = [];
    const { outcome, state, server } = await run(t, [dead], { trace: (message) => said.push(message) });
    assert.equal(outcome.stopReason, 'max_iterations');
    assert.deepEqual(said, ['Notices that did not go out in time: 1. They do when the run is resumed.']);
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

  it('tells once of a review that waits', async (t) => {
    const one = channel(null);
    await oneRun(t, {
      server: { reply: brain() },
      settings: { max_iterations: 2, reviewEvery: 1, synthesis: false },
      host: { channels: [one] },
    });
    assert.deepEqual(
      one.sent.map(({ kind }) => kind),
      ['review'],
    );
  });

  it('queues nothing where nobody listens', async (t) => {
    assert.equal((await run(t, [])).state.notices.size, 0);
  });

  it('tells each channel of what it takes, and holds none up by another one', async (t) => {
    const dead = named('dead', ['limit'], 'hang');
    const alive = named('alive', ['started', 'limit'], failed(), null);
    const other = named('other', ['review'], null);
    const { state } = await run(t, [dead, alive, other]);
    assert.deepEqual(
      alive.sent.map(({ kind }) => kind),
      ['started', 'started', 'limit'],
    );
    assert.deepEqual([dead.sent.length, other.sent.length], [1, 0]);
    assert.deepEqual(
      [...state.notices.values()].map(({ kind, status, channels, outcomes }) => [
        kind,
        status,
        channels,
        [...outcomes],
      ]),
      [
        ['started', 'sent', ['alive'], [['alive', 'sent']]],
        ['limit', 'queued', ['dead', 'alive'], [['alive', 'sent']]],
      ],
    );
  });

  it('leaves to the next owner what a channel has not got, and only that', async (t) => {
    const dead = named('dead', PEOPLE, 'hang');
    const alive = named('alive', PEOPLE, null);
    const { outcome, server } = await run(t, [dead, alive]);
    const back = named('dead', PEOPLE, null);
    const again = named('alive', PEOPLE, null);
    const added = named('added', PEOPLE, null);
    const host = testHost(server.url, { channels: [back, again, added] });
    t.after(() => host.egress.close());
    await resumed(t, outcome.runDirectory, host);
    const [left] = alive.sent;
    const got = (channel: TestChannel) => channel.sent.filter(({ id }) => id === left?.id).length;
    assert.deepEqual([got(back), got(again), got(added)], [1, 0, 0]);
  });

  it('takes a notice of an older log, which names no channels, for done with its first outcome', async () => {
    const log = noticeLog();
    const notice = { type: 'notice.queued' as const, kind: 'ended', text: 'It ended.' };
    const error = { class: 'status_410', message: 'It is gone.' };
    log.writer.append(
      { ...notice, notice_id: 'sent' },
      { ...notice, notice_id: 'failed' },
      { ...notice, notice_id: 'left' },
      { type: 'notice.sent', notice_id: 'sent', channel: 'slack', origin: 'https://hooks.example.com' },
      { type: 'notice.failed', notice_id: 'failed', channel: 'slack', error, final: true },
    );
    const statuses = () => [...log.writer.state.notices.values()].map(({ status }) => status);
    assert.deepEqual(statuses(), ['sent', 'failed', 'queued']);
    const one = named('one', ['ended'], null);
    const other = named('other', ['failed'], null);
    const outbox = new Outbox(log.writer, [one, other], new RecordedClock(), Math.random);
    await outbox.close(1000);
    assert.deepEqual([one.sent.map(({ id }) => id), other.sent], [['left'], []]);
    assert.deepEqual(statuses(), ['sent', 'failed', 'sent']);
  });

  it('says how a run stood when there was something to tell', async (t) => {
    const all = named('all', NOTICE_KINDS, null);
    await run(t, [all]);
    const standings = all.sent.map(({ kind, runId, standing }) => [
      kind,
      runId.length,
      standing?.reason,
      standing?.iteration,
      (standing?.money.settled ?? 0n) > 0n,
      standing?.maxCostUsd,
    ]);
    assert.deepEqual(standings, [
      ['started', 36, null, 0, false, 1],
      ['limit', 36, 'max_iterations', 1, true, 1],
    ]);
  });

  it('tells that a run was taken up, and that it goes on after a review', async (t) => {
    const all = named('all', NOTICE_KINDS, null);
    const { outcome, server } = await oneRun(t, {
      server: { reply: brain() },
      settings: { max_iterations: 2, reviewEvery: 1, synthesis: false },
      host: { channels: [all] },
    });
    assert.deepEqual(
      all.sent.map(({ kind, standing }) => `${kind} ${standing?.reason}`),
      ['started null', 'review stopped_at_review'],
    );
    const next = named('all', NOTICE_KINDS, null);
    const host = testHost(server.url, { channels: [next] });
    t.after(() => host.egress.close());
    await resumed(t, outcome.runDirectory, host, { approveReview: true });
    assert.deepEqual(
      next.sent.map(({ kind }) => kind),
      ['resumed', 'limit'],
    );
  });

  it('tells of no review that does not wait', async (t) => {
    const all = named('all', NOTICE_KINDS, null);
    const { events } = await oneRun(t, {
      server: { reply: brain() },
      settings: { max_iterations: 2, reviewEvery: 1, synthesis: false },
      host: { channels: [all], skipReviews: true },
    });
    assert.ok(events.some(({ type }) => type === 'review.decided'));
    assert.deepEqual(
      all.sent.map(({ kind }) => kind),
      ['started', 'limit'],
    );
  });

  it('tells that a run goes on where a person approved while it waited', async (t) => {
    const all = named('all', NOTICE_KINDS, null);
    await oneRun(t, {
      server: { reply: brain() },
      settings: { max_iterations: 2, reviewEvery: 1, synthesis: false },
      host: { channels: [all], attended: true },
      begun: (session) => {
        session.subscribe((event) => {
          if (event.type !== 'review.requested') return;
          setImmediate(() => session.steering.decideReview('approve', event.digest, 'a test'));
        });
      },
    });
    assert.deepEqual(
      all.sent.map(({ kind }) => kind),
      ['started', 'review', 'continued', 'limit'],
    );
  });

  it('tells that a run paused by itself, in a word why, and that it goes on', async (t) => {
    const all = named('all', NOTICE_KINDS, null);
    const think = brain({ newTasks: (_last, index) => (index === 0 ? ['Dig', 'Sow'] : []) });
    const reply: typeof think = (request, index) =>
      request.messages[0]?.content.startsWith('You judge')
        ? JSON.stringify({ verdicts: [{ met: false, task: '' }] })
        : think(request, index);
    await oneRun(t, {
      server: { reply },
      settings: { max_iterations: 20, synthesis: false, embeddingModel: null },
      host: { channels: [all], attended: true },
      begun: (session) => {
        const sow = () => [...session.state.tasks.values()].find(({ text }) => text === 'Sow')?.id ?? '';
        session.subscribe((event) => {
          if (event.type === 'iteration.completed' && event.iteration === 1) session.steering.blockTask(sow(), '');
          if (event.type === 'run.paused') session.steering.unblockTask(sow());
        });
      },
    });
    assert.deepEqual(
      all.sent.map(({ kind, standing }) => `${kind} ${standing?.reason}`),
      ['started null', 'paused only_blocked', 'continued null', 'ended queue_empty'],
    );
  });

  it('says every half hour that a run lives, to each channel that has no such notice left', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const dead = named('dead', ['heartbeat'], 'hang');
    const alive = named('alive', ['heartbeat'], null);
    const log = noticeLog();
    const outbox = new Outbox(log.writer, [dead, alive], new RecordedClock(), Math.random);
    for (let beat = 0; beat < 3; beat += 1) {
      t.mock.timers.tick(30 * 60_000);
      await settled();
    }
    assert.deepEqual([dead.sent.length, alive.sent.length], [1, 3]);
    const { text = '' } = alive.sent[0] ?? {};
    assert.match(text, /^BabyAGI run is in progress: 0 iterations, \$0\.00 of \$1\.00, 1 task waiting\. Objective: /);
    await outbox.close(0);
    t.mock.timers.tick(60 * 60_000);
    await settled();
    assert.equal(alive.sent.length, 3);
  });

  it('keeps what says that a run lives apart from what says that it ended', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const said: string[] = [];
    let release = () => {};
    const one: Channel = {
      ...named('one', NOTICE_KINDS, null),
      send: ({ kind }) => {
        said.push(kind);
        return new Promise((resolve) => {
          release = () => resolve(null);
        });
      },
      pulse: {
        everyMs: 60_000,
        send: () => {
          said.push('pulse');
          return Promise.resolve();
        },
      },
    };
    const log = noticeLog();
    const outbox = new Outbox(log.writer, [one], new RecordedClock(), Math.random);
    t.mock.timers.tick(60_000);
    await settled();
    log.writer.append(...outbox.notice('review', 'It waits.'));
    t.mock.timers.tick(60_000);
    await settled();
    release();
    await settled();
    t.mock.timers.tick(60_000);
    await settled();
    log.writer.append({ type: 'run.ended', stop_reason: 'queue_empty', error: null, detail: 'It is done.' });
    t.mock.timers.tick(120_000);
    await settled();
    assert.deepEqual(said, ['pulse', 'review', 'pulse']);
    await outbox.close(0);
  });
});

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A log in memory that tells of notices as the real one does. */
function noticeLog() {
  const state = fold(makeConfig(), events(...startOfRun()));
  const listeners = new Set<(event: RunEvent) => void>();
  const writer = {
    state,
    config: state.config,
    lost: null,
    subscribe: (listener: (event: RunEvent) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    append: (...drafts: EventDraft[]) => {
      for (const draft of drafts) {
        const envelope = {
          v: 1 as const,
          seq: state.lastSeq + 1,
          epoch: 1,
          ts: state.updatedAt,
          mono_ms: 0,
          run_id: '',
        };
        const event: RunEvent = { ...envelope, ...draft };
        apply(state, event);
        for (const listener of listeners) listener(event);
      }
    },
  };
  return { writer: writer as unknown as LogWriter };
}
