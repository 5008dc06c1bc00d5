import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Host } from '../../../src/engine/host.ts';
import { resumeRun } from '../../../src/engine/resume.ts';
import type { Session } from '../../../src/engine/session.ts';
import { startRun } from '../../../src/engine/start.ts';
import type { RunEventOf } from '../../../src/run/events.ts';
import type { Clock } from '../../../src/run/ports.ts';
import { reviewDigest } from '../../../src/run/review.ts';
import type { RawSettings } from '../../../src/run/settings.ts';
import { brain } from '../../support/brain.ts';
import type { ModelServer } from '../../support/model-server.ts';
import { eventsOf, oneRun, resumed, serverAndHost } from '../../support/one-run.ts';
import { temporaryFolder, testHost, testSettings, testStart } from '../../support/run-host.ts';

const FILE = '```file:plan.md\nDig.\n```\n';
const handsOver = () => brain({ result: (task) => `About ${task}:\n\n${FILE}` });
const FIRST_USE = { reviewFirstUse: true, max_iterations: 2, synthesis: false };

/** Calls `decide` for each review as soon as it is asked for. */
function decides(session: Session, decide: (event: RunEventOf<'review.requested'>) => void): void {
  session.subscribe((event) => {
    if (event.type === 'review.requested') decide(event);
  });
}

function decide(session: Session, decision: 'approve' | 'stop'): void {
  session.steering.decideReview(decision, reviewDigest(session.state), 'test');
}

const planIn = (directory: string) => join(directory, 'output', 'plan.md');
const executions = ({ requests }: ModelServer) =>
  requests.filter(({ raw }) => raw.includes('You carry out one task')).length;

describe('a review for the cost, in a run', () => {
  it('comes each time that so much is spent', async (t) => {
    const asked: number[] = [];
    const run = await oneRun(t, {
      server: { reply: brain() },
      // Less than any iteration costs.
      settings: { reviewEveryUsd: 0.00001, max_iterations: 3, synthesis: false },
      host: { attended: true },
      begun: (session) =>
        decides(session, ({ iteration, reason, why }) => {
          assert.equal(reason, 'cost');
          assert.match(why, asked.length === 0 ? /spent since the start/ : /spent since the last review/);
          asked.push(iteration);
          decide(session, 'approve');
        }),
    });
    assert.equal(run.outcome.stopReason, 'max_iterations');
    assert.deepEqual(asked, [1, 2]);
  });

  it('that nobody can answer ends the run, and nothing more is bought, no closing answer either', async (t) => {
    const run = await oneRun(t, { server: { reply: brain() }, settings: { reviewEveryUsd: 0.00001 } });
    assert.equal(run.outcome.stopReason, 'stopped_at_review');
    assert.match(run.outcome.detail, /after iteration 1 \(\$0\.\d+ spent since the start/);
    assert.deepEqual(
      [...run.state.calls.values()].map(({ agent }) => agent).filter((agent) => agent === 'synthesis'),
      [],
    );
  });

  it('does not come where less is spent', async (t) => {
    const settings = { reviewEveryUsd: 1, max_iterations: 3, synthesis: false };
    const run = await oneRun(t, { server: { reply: brain() }, settings });
    assert.equal(run.outcome.stopReason, 'max_iterations');
  });
});

describe('a review of the first use of a tool, in a run', () => {
  it('comes before the first file, once, and costs no request', async (t) => {
    const plain = await oneRun(t, {
      server: { reply: handsOver() },
      settings: { ...FIRST_USE, reviewFirstUse: false },
    });
    const asked: string[][] = [];
    const run = await oneRun(t, {
      server: { reply: handsOver() },
      settings: FIRST_USE,
      host: { attended: true },
      begun: (session) =>
        decides(session, ({ first_use: use }) => {
          assert.equal(existsSync(planIn(session.folder.path)), false);
          asked.push(use?.files ?? []);
          decide(session, 'approve');
        }),
    });
    assert.deepEqual(asked, [['plan.md']]);
    assert.equal(run.outcome.stopReason, 'max_iterations');
    assert.equal(readFileSync(planIn(run.outcome.runDirectory), 'utf8'), 'Dig.\n');
    assert.deepEqual(
      [...run.state.files.values()].map(({ name, sha256 }) => [name, sha256]),
      [...plain.state.files.values()].map(({ name, sha256 }) => [name, sha256]),
    );
    assert.deepEqual(
      run.server.bill.map(({ body_sha256 }) => body_sha256),
      plain.server.bill.map(({ body_sha256 }) => body_sha256),
    );
  });

  it('writes nothing after a stop, asks again in the resumed run, and does not buy the answer again', async (t) => {
    const run = await oneRun(t, {
      server: { reply: handsOver() },
      settings: FIRST_USE,
      host: { attended: true },
      begun: (session) => decides(session, () => decide(session, 'stop')),
    });
    assert.equal(run.outcome.stopReason, 'stopped_at_review');
    assert.equal(existsSync(planIn(run.outcome.runDirectory)), false);
    const host = testHost(run.server.url, { attended: true });
    t.after(() => host.egress.close());
    const session = await resumeRun(run.outcome.runDirectory, { raise: {}, byPerson: true }, host);
    decides(session, () => decide(session, 'approve'));
    assert.equal((await session.done).stopReason, 'max_iterations');
    assert.equal(existsSync(planIn(run.outcome.runDirectory)), true);
    assert.equal(executions(run.server), 2);
    assert.deepEqual(
      session.state.reviews.map(({ decision }) => decision),
      ['stop', 'approve'],
    );
  });

  it('ends the run where nobody can answer; an approval on resuming writes the file', async (t) => {
    const run = await oneRun(t, { server: { reply: handsOver() }, settings: FIRST_USE });
    assert.equal(run.outcome.stopReason, 'stopped_at_review');
    assert.match(run.outcome.detail, /first use of a tool: task t1 wants to write plan\.md/);
    assert.equal(existsSync(planIn(run.outcome.runDirectory)), false);
    assert.equal(run.server.requests.length, 1, 'nothing is bought while a person is waited for');
    const host = testHost(run.server.url);
    t.after(() => host.egress.close());
    const again = await resumed(t, run.outcome.runDirectory, host, { approveReview: true });
    assert.equal(again.outcome.stopReason, 'max_iterations');
    assert.equal(existsSync(planIn(run.outcome.runDirectory)), true);
    assert.equal(executions(run.server), 2);
  });

  it('is approved at once where a person asked to skip reviews', async (t) => {
    const run = await oneRun(t, { server: { reply: handsOver() }, settings: FIRST_USE, host: { skipReviews: true } });
    assert.equal(run.outcome.stopReason, 'max_iterations');
    assert.equal(existsSync(planIn(run.outcome.runDirectory)), true);
    assert.deepEqual(
      run.state.reviews.map(({ by }) => by),
      ['policy'],
    );
  });
});

describe('guidance that is given at a review', () => {
  it('is in the prompts from then on', async (t) => {
    const run = await oneRun(t, {
      server: { reply: brain() },
      settings: { reviewEvery: 1, max_iterations: 2, synthesis: false },
      host: { attended: true },
      begun: (session) =>
        decides(session, () => {
          session.steering.guide('Prefer native plants');
          decide(session, 'approve');
        }),
    });
    const prompts = run.server.requests
      .filter(({ raw }) => raw.includes('You carry out one task') || raw.includes('You keep a task list'))
      .map(({ raw }) => raw.includes('Guidance from the person in charge') && raw.includes('Prefer native plants'));
    assert.deepEqual(prompts, [false, false, true, true]);
  });
});

describe('a stop at a review', () => {
  it('holds also where the process died before the end was written', async (t) => {
    const run = await oneRun(t, {
      server: { reply: brain() },
      settings: { reviewEvery: 1, max_iterations: 3, synthesis: false },
      host: { attended: true },
      begun: (session) => decides(session, () => decide(session, 'stop')),
    });
    const log = join(run.outcome.runDirectory, 'log', '000001.jsonl');
    const lines = readFileSync(log, 'utf8').split('\n');
    const decided = lines.findIndex((line) => line.includes('"review.decided"'));
    writeFileSync(log, `${lines.slice(0, decided + 1).join('\n')}\n`);
    const sent = run.server.requests.length;
    const host = testHost(run.server.url);
    t.after(() => host.egress.close());
    const again = await resumed(t, run.outcome.runDirectory, host, { byPerson: false });
    assert.equal(again.outcome.stopReason, 'stopped_at_review');
    assert.equal(again.state.review, null);
    assert.equal(run.server.requests.length, sent);
    const onward = await resumed(t, run.outcome.runDirectory, testHost(run.server.url, { skipReviews: true }));
    assert.equal(onward.outcome.iterations, 3, 'who resumes it goes on');
  });
});

describe('the policy for a review that nobody answers', () => {
  const MINUTE = 60_000;

  /** Time passes only while somebody sleeps, or is moved on. */
  function madeClock(start: number): Clock & { ahead: number } {
    return {
      ahead: start,
      now() {
        return this.ahead;
      },
      monotonic() {
        return this.ahead;
      },
      sleep(ms: number) {
        this.ahead += Number.isFinite(ms) ? ms : 0;
        return new Promise((resolve) => setImmediate(resolve));
      },
    };
  }

  async function waiting(t: TestContext, action: 'continue' | 'stop') {
    const settings: RawSettings = {
      reviewEvery: 1,
      max_iterations: 2,
      synthesis: false,
      unattendedReview: { action, after_minutes: 60 },
    };
    const { server, host } = await serverAndHost(t, { reply: brain() }, { attended: true });
    const clock = madeClock(Date.UTC(2025, 0, 2));
    const session = await startRun(testSettings(server.baseUrl, settings), testStart(temporaryFolder()), {
      ...host,
      clock,
    });
    const asked = await new Promise<number>((resolve) => decides(session, ({ ts }) => resolve(Date.parse(ts))));
    // The window closes some twenty minutes later.
    while (clock.ahead < asked + 20 * MINUTE) await clock.sleep(0);
    await session.abandon();
    return { directory: session.folder.path, asked, host, closed: clock.ahead };
  }

  async function takenUp(host: Host, directory: string, at: number) {
    const session = await resumeRun(directory, { raise: {}, byPerson: false }, { ...host, clock: madeClock(at) });
    const outcome = await session.done;
    const decided = (await eventsOf(directory)).find((event) => event.type === 'review.decided');
    assert.ok(decided?.type === 'review.decided');
    assert.equal(decided.by, 'policy');
    return { outcome, decidedAt: Date.parse(decided.ts) };
  }

  for (const [action, reason] of [
    ['continue', 'max_iterations'],
    ['stop', 'stopped_at_review'],
  ] as const) {
    it(`counts the time from the request: ${action} after a reload`, async (t) => {
      const { directory, asked, host, closed } = await waiting(t, action);
      const { outcome, decidedAt } = await takenUp(host, directory, closed + 10 * MINUTE);
      assert.equal(outcome.stopReason, reason);
      const minutes = (decidedAt - asked) / MINUTE;
      assert.ok(minutes >= 60 && minutes < 61, `decided after ${minutes} minutes`);
    });
  }

  it('is carried out at once where the time was over while no window was open', async (t) => {
    const { directory, host, closed } = await waiting(t, 'continue');
    const opened = closed + 300 * MINUTE;
    const { decidedAt } = await takenUp(host, directory, opened);
    assert.ok(decidedAt - opened < MINUTE, `${decidedAt - opened} ms later`);
  });
});
