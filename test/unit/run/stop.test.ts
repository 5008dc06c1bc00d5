import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Session } from '../../../src/engine/session.ts';
import type { RunEventType } from '../../../src/run/events.ts';
import type { StopReason } from '../../../src/run/stop-reason.ts';
import { brain } from '../../support/brain.ts';
import type { ModelServer, ModelServerOptions } from '../../support/model-server.ts';
import { type FinishedRun, oneRun, resumed, tasksIn } from '../../support/one-run.ts';
import { testHost } from '../../support/run-host.ts';
import { systemClock } from '../../../src/run/clock.ts';

/** Resolves once the log holds an event of that type. */
function logged(session: Session, type: RunEventType): Promise<void> {
  return new Promise((resolve) => {
    const end = session.subscribe((event) => {
      if (event.type !== type) return;
      end();
      resolve();
    });
  });
}

function assertStopped(
  { outcome, state, server }: FinishedRun,
  requests: number,
  reason: StopReason = 'stopped_by_user',
): void {
  assert.equal(outcome.stopReason, reason);
  assert.equal(state.end?.reason, reason);
  assert.equal(state.money.reserved, 0n);
  assert.equal(server.requests.length, requests, 'nothing was sent after the stop');
}

describe('stop', () => {
  for (const kind of ['hang', 'stall', 'trickle'] as const) {
    it(`ends a request that the server answers with ${kind}`, async (t) => {
      let asked = () => {};
      const request = new Promise<void>((resolve) => {
        asked = resolve;
      });
      const fault: ModelServerOptions['fault'] = () => {
        asked();
        return { kind };
      };
      const run = await oneRun(t, {
        server: { reply: brain(), fault },
        begun: (session) => void request.then(() => session.stop()),
      });
      assertStopped(run, 1);
      assert.ok(run.state.money.held > 0n, 'the request may be billed');
      assert.equal(run.state.tasks.get('t1')?.state, 'running', 'the task is still in hand');
    });
  }

  it('ends a wait before the next attempt', async (t) => {
    const fault: ModelServerOptions['fault'] = () => ({
      kind: 'status',
      status: 429,
      headers: { 'retry-after': '3600' },
    });
    const run = await oneRun(t, {
      server: { fault },
      begun: (session) => void logged(session, 'call.released').then(() => session.stop()),
    });
    assertStopped(run, 1);
  });

  it('ends a review that waits for a person', async (t) => {
    const run = await oneRun(t, {
      server: { reply: brain() },
      settings: { reviewEvery: 1 },
      host: { attended: true },
      begun: (session) => void logged(session, 'review.requested').then(() => session.stop()),
    });
    assertStopped(run, 3, 'stopped_at_review');
    assert.equal(run.state.review, null);
    assert.deepEqual(
      run.state.reviews.map(({ decision, by }) => [decision, by]),
      [['stop', 'user']],
    );
  });

  it('of the system leaves the review that waits open: nobody has looked', async (t) => {
    const run = await oneRun(t, {
      server: { reply: brain() },
      settings: { reviewEvery: 1 },
      host: { attended: true },
      begun: (session) => void logged(session, 'review.requested').then(() => session.stop('signal')),
    });
    assertStopped(run, 3);
    assert.ok(run.state.review, 'the review is still open');
  });

  it('ends a pause', async (t) => {
    const run = await oneRun(t, {
      server: { reply: brain() },
      host: { attended: true },
      begun: async (session) => {
        const paused = logged(session, 'run.paused');
        session.steering.pause();
        await paused;
        session.stop();
      },
    });
    assert.equal(run.outcome.stopReason, 'stopped_by_user');
    assert.ok(run.server.requests.length <= 3);
  });

  it('ends the sleep between two iterations', async (t) => {
    const run = await oneRun(t, {
      server: { reply: brain() },
      settings: { sleepSeconds: 3600 },
      begun: (session) => void logged(session, 'iteration.completed').then(() => session.stop()),
    });
    assertStopped(run, 3);
  });

  it('before anything was sent sends nothing', async (t) => {
    const run = await oneRun(t, { server: { reply: brain() }, begun: (session) => session.stop() });
    assertStopped(run, 0);
    assert.equal(run.state.money.held, 0n);
  });

  it('is not for ever: the run goes on where it was', async (t) => {
    const run = await oneRun(t, {
      server: { reply: brain() },
      settings: { max_iterations: 3, synthesis: false },
      begun: (session) => void logged(session, 'iteration.completed').then(() => session.stop()),
    });
    const host = testHost(run.server.url);
    t.after(() => host.egress.close());
    const again = await resumed(t, run.outcome.runDirectory, host);
    assert.equal(again.outcome.stopReason, 'max_iterations');
    assert.equal(tasksIn(again.state, 'done').length, 3);
    assert.equal(again.state.end?.reason, 'max_iterations');
  });
});

describe('reviews', () => {
  const reviewed = (begun: (session: Session, server: ModelServer) => void | Promise<void>, settings: object = {}) => ({
    server: { reply: brain() },
    settings: { reviewEvery: 1, max_iterations: 2, synthesis: false, ...settings },
    host: { attended: true },
    begun,
  });

  it('hold the run until a person approves', async (t) => {
    const decided: number[] = [];
    const run = await oneRun(
      t,
      reviewed((session) => {
        session.subscribe((event) => {
          if (event.type !== 'review.requested') return;
          decided.push(event.iteration);
          session.steering.decideReview('approve', event.digest, 'test');
        });
      }),
    );
    assert.equal(run.outcome.stopReason, 'max_iterations');
    assert.deepEqual(decided, [1]);
    assert.deepEqual(
      run.state.reviews.map(({ decision, by }) => [decision, by]),
      [['approve', 'user']],
    );
  });

  it('end the run where a person says so', async (t) => {
    const run = await oneRun(
      t,
      reviewed((session) => {
        session.subscribe((event) => {
          if (event.type === 'review.requested') session.steering.decideReview('stop', event.digest, 'test');
        });
      }),
    );
    assert.equal(run.outcome.stopReason, 'stopped_at_review');
    assert.equal(run.state.review, null);
    assert.equal(run.outcome.iterations, 1);
  });

  it('buy no closing answer where a person ends the run; where nobody was there, it is written', async (t) => {
    for (const [by, answers] of [
      ['user', 0],
      ['policy', 1],
    ] as const) {
      const run = await oneRun(
        t,
        reviewed(
          (session) => {
            session.subscribe((event) => {
              if (event.type === 'review.requested' && by === 'user')
                session.steering.decideReview('stop', event.digest, 'test');
            });
          },
          { synthesis: true, unattendedReview: { action: 'stop', after_minutes: by === 'user' ? 1000 : 0 } },
        ),
      );
      assert.equal(run.outcome.stopReason, 'stopped_at_review');
      const bought = [...run.state.calls.values()].filter(({ agent }) => agent === 'synthesis');
      assert.equal(bought.length, answers, by);
    }
  });

  it('are approved at once where a person asked to skip them', async (t) => {
    const run = await oneRun(t, { ...reviewed(() => {}), host: { skipReviews: true } });
    assert.equal(run.outcome.stopReason, 'max_iterations');
    assert.deepEqual(
      run.state.reviews.map(({ decision, by }) => [decision, by]),
      [['approve', 'policy']],
    );
  });

  it('that nobody can answer end the run, which waits to be resumed with an approval', async (t) => {
    const run = await oneRun(t, { ...reviewed(() => {}), host: {} });
    assert.equal(run.outcome.stopReason, 'stopped_at_review');
    assert.ok(run.state.review);
    const host = testHost(run.server.url);
    t.after(() => host.egress.close());
    const still = await resumed(t, run.outcome.runDirectory, host);
    assert.equal(still.outcome.stopReason, 'stopped_at_review');
    assert.equal(still.outcome.iterations, 1);
    const again = await resumed(t, run.outcome.runDirectory, host, { approveReview: true });
    assert.equal(again.outcome.stopReason, 'max_iterations');
    assert.equal(again.outcome.iterations, 2);
  });

  for (const [action, reason, iterations] of [
    ['continue', 'max_iterations', 3],
    ['stop', 'stopped_at_review', 1],
  ] as const) {
    it(`that nobody answers in time ${action} by policy`, async (t) => {
      // Minutes pass in no time.
      let ahead = 0;
      const clock = {
        ...systemClock,
        now: () => Date.now() + ahead,
        sleep: async (ms: number, signal?: AbortSignal) => {
          ahead += ms;
          await systemClock.sleep(Math.min(ms, 1), signal);
        },
      };
      const run = await oneRun(t, {
        server: { reply: brain() },
        settings: {
          reviewEvery: 1,
          max_iterations: 3,
          synthesis: false,
          unattendedReview: { action, after_minutes: 0.05 },
        },
        host: { clock, attended: true },
      });
      assert.equal(run.outcome.stopReason, reason);
      assert.equal(run.outcome.iterations, iterations);
      assert.ok(run.state.reviews.every(({ by }) => by === 'policy'));
      assert.ok(ahead >= 2500 * run.state.reviews.length, 'the time given was waited for');
    });
  }
});
