import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EngineError } from '../../src/engine/engine-error.ts';
import { readRun } from '../../src/engine/read.ts';
import { resumeRun } from '../../src/engine/resume.ts';
import type { Session } from '../../src/engine/session.ts';
import { startRun } from '../../src/engine/start.ts';
import type { Channel } from '../../src/notify/channel.ts';
import { reviewDigest } from '../../src/run/review.ts';
import type { RawSettings } from '../../src/run/settings.ts';
import type { RunState } from '../../src/run/state.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import type { ModelServer, ModelServerOptions } from '../support/model-server.ts';
import { TEST_KEY, temporaryFolder, testSettings, testStart } from '../support/run-host.ts';
import { CrashDisk, type Moment, never } from './crash-disk.ts';
import {
  assertBooked,
  assertBoughtOnce,
  assertUntouched,
  assertVerifies,
  essence,
  heir,
  LONG,
  runFoldersIn,
  segmentsOf,
  soundLog,
  spread,
  steadyBrain,
  steadyServer,
} from './fault-run.ts';

interface Scenario {
  readonly settings: RawSettings;
  readonly server: ModelServerOptions;
  /** The answer of the person to every review; none: there is nobody. */
  readonly decision?: 'approve' | 'stop';
  /** Whether somebody is to be told of the run, by two ways, of which one fails every other time. */
  readonly told?: boolean;
}

const GUARDED: Scenario = { settings: { max_iterations: 20, checkpointEvery: 2 }, server: {} };
/** Answers above 32 KiB, so that each is a blob. */
const BLOBS: Scenario = {
  settings: { max_iterations: 3, checkpointEvery: 1 },
  server: {
    reply: steadyBrain({ result: (task) => `${task} ${`${'='.repeat(60)} `.repeat(560)}` }),
    countTokens: (text) => Math.ceil(text.length / 64),
  },
};

const FILE = '```file:plan.md\nDig.\n```\n';
/** Every answer hands over a file, and the first one waits for the person. */
const FIRST_USE: Scenario = {
  settings: { max_iterations: 2, checkpointEvery: 1, reviewFirstUse: true },
  server: { reply: steadyBrain({ result: (task) => `About ${task}:\n\n${FILE}` }) },
  decision: 'approve',
};

/** What came to whom, by all processes of a run: name of the channel and id of the notice. */
type Heard = Set<string>;

function channelsOf({ told }: Scenario, disk: CrashDisk, heard: Heard): Channel[] {
  const error = { class: 'status_503', message: 'Not now.' };
  let attempts = 0;
  const channel = (name: string, fails: () => boolean): Channel => ({
    name,
    origin: `https://${name}.example`,
    takes: () => true,
    send: async ({ id }) => {
      if (disk.isDead) return never();
      if (fails()) return { error, permanent: false, retryAfterMs: null };
      heard.add(`${name} ${id}`);
      await new Promise((resolve) => setImmediate(resolve));
      return null;
    },
  });
  return told ? [channel('steady', () => false), channel('flaky', () => ++attempts % 2 === 1)] : [];
}

/** Each notice of the log came to everybody whom it is for, and no other one came. */
function assertHeard(state: RunState, heard: Heard): void {
  const owed = [...state.notices.values()].flatMap(({ id, channels }) =>
    (channels ?? []).map((name) => `${name} ${id}`),
  );
  assert.deepEqual([...heard].sort(), owed.sort());
  assert.ok([...state.notices.values()].every(({ status }) => status === 'sent'));
}

interface Life {
  /** The run folder, if it came to one. */
  readonly directory: string | undefined;
  /** The last event behind a barrier. */
  readonly acknowledged: number;
}

/** Starts or resumes the run, until it ends or the disk says that the process is dead; then nothing of it goes on. */
async function live(
  scenario: Scenario,
  server: ModelServer,
  runs: string,
  disk: CrashDisk,
  heard: Heard = new Set(),
): Promise<Life> {
  const [earlier] = runFoldersIn(runs);
  const attended = scenario.decision !== undefined;
  const keyFor = () => (disk.isDead ? never() : Promise.resolve(TEST_KEY));
  const host = heir(server.url, { disk, keyFor, attended, channels: channelsOf(scenario, disk, heard) });
  let acknowledged = 0;
  const whole = async (): Promise<void> => {
    const begun = earlier
      ? resumeRun(earlier, { raise: {}, byPerson: false }, host)
      : startRun(testSettings(server.baseUrl, scenario.settings), testStart(runs), host);
    const session = await begun;
    watchBarriers(session, (seq) => {
      acknowledged = seq;
    });
    answerReviews(session, scenario.decision, disk);
    await session.done;
  };
  await Promise.race([whole(), disk.died]);
  host.egress.close();
  await disk.bury();
  return { directory: runFoldersIn(runs)[0], acknowledged };
}

function watchBarriers({ log }: Session, passed: (seq: number) => void): void {
  const barrier = log.barrier.bind(log);
  log.barrier = async () => {
    const seq = log.state.lastSeq;
    await barrier();
    passed(seq);
  };
}

/** As a person who sees each review as soon as it is written, also one of an earlier process. */
function answerReviews(session: Session, decision: Scenario['decision'], disk: CrashDisk): void {
  if (decision === undefined) return;
  const decide = () => {
    if (session.state.review && !disk.isDead)
      session.steering.decideReview(decision, reviewDigest(session.state), 'test');
  };
  session.subscribe((event) => void (event.type === 'review.requested' && decide()));
  decide();
}

/** What is true whenever the process died. */
async function assertSound({ directory = '', acknowledged }: Life, server: ModelServer): Promise<void> {
  const log = await soundLog(directory);
  assert.ok(log.end.seq >= acknowledged, `event ${acknowledged} was acknowledged, ${log.end.seq} are there`);
  const state = await readRun(nodeDisk, directory);
  assertBooked(state, server.bill);
  assertBoughtOnce(log, server.requests);
  const isApproved = log.events.some((event) => event.type === 'review.decided' && event.decision === 'approve');
  if (state.config.loop.review_first_use && !isApproved)
    assert.equal(existsSync(join(directory, 'output')), false, 'nothing is written before the approval');
}

interface Point {
  readonly at: number;
  readonly moment: Moment;
  /** Operation at which the second process dies too. */
  readonly again?: number;
}

/** One history with its deaths; gives the state at the end. False where the first death left no run behind. */
async function tryPoint(scenario: Scenario, { at, moment, again }: Point): Promise<unknown> {
  const runs = temporaryFolder();
  const server = await steadyServer(scenario.server);
  const heard: Heard = new Set();
  try {
    const deaths = [
      new CrashDisk(nodeDisk, at, moment),
      ...(again === undefined ? [] : [new CrashDisk(nodeDisk, again, moment)]),
    ];
    for (const disk of deaths) {
      const life = await live(scenario, server, runs, disk, heard);
      const isRun =
        life.directory !== undefined && (await readRun(nodeDisk, life.directory).catch(notYetARun)) !== null;
      if (!isRun) {
        assert.equal(server.requests.length, 0);
        return false;
      }
      await assertSound(life, server);
    }
    const before = segmentsOf(runFoldersIn(runs)[0] ?? '');
    const last = await live(scenario, server, runs, new CrashDisk(nodeDisk), heard);
    await assertSound(last, server);
    await assertVerifies(last.directory ?? '');
    assertUntouched(before, last.directory ?? '');
    const state = await readRun(nodeDisk, last.directory ?? '');
    assert.equal(state.money.reserved, 0n, 'what nobody knows the outcome of is held');
    if (scenario.told) assertHeard(state, heard);
    return essence(state);
  } finally {
    await server.close();
    rmSync(runs, { recursive: true });
  }
}

function notYetARun(error: unknown): null {
  if (error instanceof EngineError && error.reason === 'not_a_run') return null;
  // Without even the folder of the log.
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
  throw error;
}

/** The number of disk operations of an uninterrupted run, and its state at the end. */
async function undisturbed(scenario: Scenario): Promise<{ operations: number; expected: unknown }> {
  const runs = temporaryFolder();
  const server = await steadyServer(scenario.server);
  const disk = new CrashDisk(nodeDisk);
  const { directory = '' } = await live(scenario, server, runs, disk);
  const expected = essence(await readRun(nodeDisk, directory));
  await server.close();
  rmSync(runs, { recursive: true });
  return { operations: disk.count, expected };
}

async function tryAll(
  name: string,
  scenario: Scenario,
  points: (operations: number) => Iterable<Point>,
): Promise<void> {
  const { operations, expected } = await undisturbed(scenario);
  let tried = 0;
  let neverStarted = 0;
  for (const point of points(operations)) {
    const outcome = await tryPoint(scenario, point).catch((cause: unknown) => {
      throw new Error(`${name}: ${JSON.stringify(point)} of ${operations}`, { cause });
    });
    if (outcome === false) neverStarted += 1;
    else assert.deepEqual(outcome, expected, `${JSON.stringify(point)} of ${operations}`);
    tried += 1;
  }
  console.log(
    `${name}: ${operations} operations, ${tried} crash points, ${neverStarted} before there was a run, 0 events lost`,
  );
}

const MOMENTS: readonly Moment[] = ['before', 'half', 'after'];

/** Each moment of a run at a third of the points in turn, or at all of them. */
function* single(operations: number, count: number): Iterable<Point> {
  let turn = 0;
  for (const at of spread(operations, count)) {
    for (const moment of LONG ? MOMENTS : [MOMENTS[turn++ % 3] ?? 'half']) yield { at, moment };
  }
}

describe('a process that dies at any operation of its disk', () => {
  it('leaves a run that another one brings to the same end', () =>
    tryAll('guarded run', GUARDED, (operations) => single(operations, 30)));

  it('leaves blobs that are there or not needed', () =>
    tryAll('run with blobs', BLOBS, (operations) => single(operations, 12)));

  it('writes the first file after the approval, as if nobody had been asked', async () => {
    const unasked: Scenario = {
      ...FIRST_USE,
      settings: { ...FIRST_USE.settings, reviewFirstUse: false },
    };
    const [asked, not] = [await undisturbed(FIRST_USE), await undisturbed(unasked)];
    assert.deepEqual(asked.expected, not.expected);
    await tryAll('first use approved', FIRST_USE, (operations) => single(operations, 24));
  });

  it('writes no file after a stop', () =>
    tryAll('first use stopped', { ...FIRST_USE, decision: 'stop' }, (operations) => single(operations, 16)));

  it('leaves no news untold', () =>
    tryAll(
      'run that is told of',
      {
        ...GUARDED,
        settings: { max_iterations: 2, checkpointEvery: 1, reviewEvery: 1 },
        decision: 'approve',
        told: true,
      },
      (operations) => single(operations, 40),
    ));

  it('may die again while it recovers', () =>
    tryAll('double crash', { ...GUARDED, settings: { max_iterations: 4, checkpointEvery: 2 } }, function* (operations) {
      for (const at of spread(operations, 5).filter((one) => one > 6))
        for (const again of [1, 2, 4, 6, 8, 10, 12, 14, 16, 19, 23, 40].filter((one) => LONG || one % 4 === 0))
          yield { at, moment: MOMENTS[(at + again) % 3] ?? 'half', again };
    }));
});
