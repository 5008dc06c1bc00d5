import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { EngineError } from '../../../src/engine/engine-error.ts';
import { startRun } from '../../../src/engine/start.ts';
import { languageModelBody } from '../../../src/models/request-body.ts';
import { exportArchive } from '../../../src/research/export-archive.ts';
import { withRunFolder } from '../../../src/research/opened-archive.ts';
import { type Replay, replayRun } from '../../../src/research/replay.ts';
import { replaySentences } from '../../../src/research/replay-words.ts';
import { picoFromUsd } from '../../../src/budget/money.ts';
import type { RunEvent } from '../../../src/run/events.ts';
import { type LanguageModel, ModelError } from '../../../src/run/ports.ts';
import { BUILD } from '../../../src/run/version.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { asciiJson, formatLine, GENESIS_HASH } from '../../../src/runlog/line.ts';
import type { Session } from '../../../src/engine/session.ts';
import { brain } from '../../support/brain.ts';
import type { Fault } from '../../support/model-faults.ts';
import type { ChatRequestSeen, ModelServerOptions } from '../../support/model-server.ts';
import { eventsOf, oneRun, type RunOptions, resumed } from '../../support/one-run.ts';
import { RecordedClock } from '../../support/recorded-clock.ts';
import { temporaryFolder, testHost, testSettings, testStart } from '../../support/run-host.ts';

const never = new AbortController().signal;

function replay(directory: string): Promise<Replay> {
  return replayRun(directory, { disk: nodeDisk, distDirectory: 'dist', signal: never });
}

async function assertIdentical(directory: string, what = ''): Promise<Replay> {
  const result = await replay(directory);
  assert.ok(result.identical, `${what} ${replaySentences(result).join(' ')}`);
  assert.equal(result.events, (await eventsOf(directory)).length, what);
  return result;
}

/** A small generator of numbers in [0, 1), the same in every run. Seeds that are near give numbers that are not. */
function seeded(seed: number): () => number {
  let state = Math.imul(seed, 2_654_435_761) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The log of a run of one process written anew, in order and whole, with other events. Gives the folder of the copy. */
async function rewritten(directory: string, change: (events: RunEvent[]) => readonly object[]): Promise<string> {
  const copy = join(temporaryFolder(), 'run');
  cpSync(directory, copy, { recursive: true });
  let hash = GENESIS_HASH;
  let text = '';
  change(await eventsOf(directory)).forEach((event, index) => {
    const made = formatLine(hash, asciiJson({ ...event, seq: index + 1 }));
    ({ hash } = made);
    text += made.line;
  });
  writeFileSync(join(copy, 'log', '000001.jsonl'), text);
  return copy;
}

/** The files below a folder, with their bytes. */
function contents(directory: string): Map<string, string> {
  const names = readdirSync(directory, { recursive: true }).map(String).sort();
  return new Map(
    names
      .filter((name) => statSync(join(directory, name)).isFile())
      .map((name) => [name, readFileSync(join(directory, name), 'latin1')]),
  );
}

/** Answers of all agents of both strategies; some cannot be used, some hand over files. */
function erratic(random: () => number): NonNullable<ModelServerOptions['reply']> {
  const think = brain({
    newTasks: (_last, index) => (random() < 0.2 ? [] : [1, 2, 3].map((each) => `Look into ${index}-${each}`)),
    complete: () => random() < 0.3,
  });
  return (request: ChatRequestSeen, index: number) => {
    const { prompt } = request;
    if (prompt.startsWith('Carry out')) return `Result ${index}, "quoted"\n${'and more '.repeat(50)}`;
    if (prompt.startsWith('You are to create')) return `1. Task ${index}, with more!\n2. Other ${index}\nno number`;
    if (prompt.startsWith('You judge'))
      return JSON.stringify({ verdicts: [{ met: random() < 0.5, task: random() < 0.5 ? 't1' : 't77' }] });
    if (prompt.startsWith('You keep a task list') && random() < 0.15) return random() < 0.5 ? 'No list.' : '1. Mended';
    if (prompt.startsWith('You carry out') && random() < 0.2)
      return `Here:\n\`\`\`file:${random() < 0.3 ? '../out.md' : `note-${index}.md`}\nText ${index}\n\`\`\``;
    if (random() < 0.05) return '';
    const answer = think(request, index);
    return /^(ok|About)/.test(answer) && random() < 0.3 ? `${index}. Sorted ${index}\n2. Second ${index}` : answer;
  };
}

function mishap(random: () => number): Fault | null {
  const kinds: readonly Fault[] = [
    { kind: 'status', status: 503 },
    { kind: 'status', status: 429, headers: { 'retry-after': '2' } },
    { kind: 'status', status: 500 },
    { kind: 'status', status: 400 },
    { kind: 'reset' },
    { kind: 'garbage' },
    { kind: 'empty' },
    { kind: 'length' },
    { kind: 'usage', lie: 'missing' },
    { kind: 'usage', lie: 'zero' },
    { kind: 'usage', lie: 'completion_above_max' },
    { kind: 'status', status: 401 },
  ];
  // The last ones end a run: they are rarer.
  const at = Math.floor(random() ** 1.5 * kinds.length);
  return random() < 0.08 ? (kinds[at] ?? null) : null;
}

/** Now and then a person does something while a request is under way. */
function meddle(session: Session, random: () => number): void {
  session.subscribe((event) => {
    if (event.type !== 'call.reserved' && event.type !== 'iteration.completed') return;
    const { steering, state } = session;
    const some = state.pending[Math.floor(random() * state.pending.length)];
    if (state.status === 'ended' || random() > 0.35) return;
    const deeds: (() => void)[] = [
      () => void steering.addTask(`Of a person ${event.seq}`, some ?? null),
      () => {
        steering.pause();
        setTimeout(() => state.status !== 'ended' && steering.resume(), 3);
      },
      () => steering.raiseLimit('max_iterations', state.limits.max_iterations + 1),
      ...(state.config.strategy === 'guarded' ? [() => steering.guide(`Think of ${event.seq}.`)] : []),
      ...(some === undefined
        ? []
        : [
            () => steering.editTask(some, `Edited ${event.seq}`),
            () => steering.removeTask(some),
            () => steering.blockTask(some, 'later'),
            () => steering.unblockTask(some),
            () => steering.moveTask(some, null),
          ]),
      ...(random() < 0.1 ? [() => session.stop()] : []),
    ];
    deeds[Math.floor(random() * deeds.length)]?.();
  });
}

async function randomRun(t: TestContext, seed: number) {
  const random = seeded(seed);
  const isClassic = random() < 0.3;
  const options: RunOptions = {
    server: {
      reply: erratic(random),
      embeddings: random() < 0.8,
      dimensions: 16,
      fault: () => mishap(random),
      ...(random() < 0.3 ? { structuredOutputs: 'none' as const, rejectParameters: ['seed'] } : {}),
    },
    settings: {
      strategy: isClassic ? 'classic' : 'guarded',
      max_iterations: 2 + Math.floor(random() * 4),
      max_cost_usd: random() < 0.2 ? 0.06 : 1,
      sleepSeconds: 0,
      checkpointEvery: 2,
      reviewEvery: random() < 0.3 ? 2 : 0,
      reviewFirstUse: random() < 0.3,
      unattendedReview: { action: random() < 0.8 ? 'continue' : 'stop', after_minutes: 0 },
      acceptanceCriteria: random() < 0.5 ? ['It has a plan'] : [],
      synthesis: random() < 0.8,
    },
    host: { clock: new RecordedClock(), random },
    begun: (session) => meddle(session, random),
  };
  return oneRun(t, options);
}

describe('a replay', () => {
  it('of random runs, with failures and people who meddle, is identical', async (t) => {
    const reasons = new Set<string>();
    const strategies = new Set<string>();
    for (let seed = 1; seed <= 24; seed++) {
      const { outcome, state } = await randomRun(t, seed);
      strategies.add(state.config.strategy);
      reasons.add(outcome.stopReason);
      await assertIdentical(outcome.runDirectory, `seed ${seed}:`);
    }
    assert.ok(reasons.size >= 3, [...reasons].join(', '));
    assert.equal(strategies.size, 2);
  });

  it('of a run that was cut off after any event and resumed is identical, as is the beginning alone', async (t) => {
    for (const seed of [3, 12]) {
      const whole = await randomRun(t, seed);
      const host = testHost(whole.server.url, { clock: new RecordedClock(), processes: { isAlive: () => false } });
      t.after(() => host.egress.close());
      for (let count = 2; count < whole.events.length; count += 11) {
        const cut = await rewritten(whole.outcome.runDirectory, (events) => events.slice(0, count));
        const what = `seed ${seed}, cut after ${count}:`;
        const beginning = await replay(cut);
        assert.equal(beginning.difference, null, what);
        await resumed(t, cut, host);
        const { versions } = await assertIdentical(cut, what);
        assert.equal(versions.length, 1);
        await resumed(t, cut, host, { add: { max_iterations: 1 } });
        await assertIdentical(cut, `${what} and resumed once more:`);
      }
    }
  });

  it('knows where a person stopped the run, and where its window closed', async (t) => {
    const during = (session: Session, agent: string, act: () => void) =>
      session.subscribe((event) => {
        if (event.type === 'call.reserved' && event.agent === agent && event.iteration === 2) act();
      });
    const stopped = async (options: RunOptions, detail: RegExp) => {
      const { outcome, state } = await oneRun(t, { settings: { max_iterations: 4 }, ...options });
      assert.match(`${outcome.stopReason}: ${state.end?.detail}`, detail);
      await assertIdentical(outcome.runDirectory, String(detail));
    };
    const server = { reply: brain(), dimensions: 16 };
    const hangs: ModelServerOptions = { ...server, fault: (_, index) => (index > 3 ? { kind: 'hang' } : null) };
    await stopped(
      {
        server: hangs,
        begun: (session) => void during(session, 'planning', () => setTimeout(() => session.stop(), 30)),
      },
      /^stopped_by_user: Stopped while a request was under way\.$/,
    );
    const fails: ModelServerOptions = {
      ...server,
      fault: (_, index) => (index > 3 ? { kind: 'status', status: 503, headers: { 'retry-after': '30' } } : null),
    };
    const waits = (session: Session) => {
      session.subscribe(({ type }) => {
        if (type === 'call.held' || type === 'call.released') setTimeout(() => session.stop(), 30);
      });
    };
    await stopped({ server: fails, begun: waits }, /^stopped_by_user: Stopped while waiting to try again\.$/);
    const pauses = (session: Session) => {
      during(session, 'execution', () => session.steering.pause());
      session.subscribe(({ type, ...event }) => {
        if (type === 'iteration.completed' && 'iteration' in event && event.iteration === 2)
          setTimeout(() => session.stop(), 30);
      });
    };
    await stopped({ server, begun: pauses }, /^stopped_by_user: A person stopped the run\.$/);
    const reviewed = { max_iterations: 4, reviewEvery: 1 };
    const asked = (stop: (session: Session) => void) => (session: Session) => {
      session.subscribe(({ type }) => void (type === 'review.requested' && setTimeout(() => stop(session), 10)));
    };
    const host = { attended: true };
    await stopped(
      { server, settings: reviewed, host, begun: asked((session) => session.stop()) },
      /^stopped_at_review: The answer/,
    );
    await stopped(
      { server, settings: reviewed, host, begun: asked((session) => session.stop('signal')) },
      /^stopped_by_user: A person stopped/,
    );
    await stopped({ server, settings: reviewed }, /^stopped_at_review: Waiting for a person/);

    const closed = await oneRun(t, {
      server: hangs,
      settings: { max_iterations: 4 },
      begun: (session) => void during(session, 'planning', () => setTimeout(() => void session.abandon(), 30)),
    });
    assert.equal((await assertIdentical(closed.outcome.runDirectory)).stopReason, null);
  });

  it('counts the first requests of a process by their bytes as long as it did, and stalls where it did', async (t) => {
    const { outcome, events } = await oneRun(t, {
      server: { reply: brain(), fault: (_, index) => (index < 2 ? { kind: 'status', status: 503 } : null) },
      settings: { max_iterations: 1 },
      host: { clock: new RecordedClock() },
    });
    const bounds = events.flatMap((event) =>
      event.type === 'call.reserved' && event.step === 'execute' ? event.bound_input_tokens : [],
    );
    assert.equal(bounds.length, 3);
    assert.equal(bounds[0], bounds[1]);
    await assertIdentical(outcome.runDirectory);

    const stalled = await oneRun(t, {
      server: { reply: brain({ result: (task) => (task === 'Develop a task list' ? 'Listed.' : '') }) },
      settings: { max_iterations: 9 },
      begun: ({ steering }) => void ['One', 'Two', 'Three'].forEach((text) => steering.addTask(text)),
    });
    assert.equal(stalled.outcome.stopReason, 'stalled');
    assert.ok([...stalled.state.calls.values()].some(({ agent }) => agent === 'synthesis'));
    await assertIdentical(stalled.outcome.runDirectory);

    // More often than it would by itself: the server asked for the pauses.
    const patient = await oneRun(t, {
      server: {
        reply: brain(),
        fault: (_, index) =>
          index > 3 && index < 14 ? { kind: 'status', status: 429, headers: { 'retry-after': '1' } } : null,
      },
      settings: { max_iterations: 3 },
      host: { clock: new RecordedClock() },
    });
    assert.equal(patient.outcome.stopReason, 'max_iterations');
    await assertIdentical(patient.outcome.runDirectory);
  });

  it('makes a request from what was known then, where a person did something while it was in hand', async (t) => {
    const { outcome, events } = await oneRun(t, {
      server: { reply: brain() },
      settings: { max_iterations: 2, max_tokens: 2400, embeddingModel: null },
      begun: ({ steering }) => steering.guide('Told while the token tables were read.'),
    });
    const first = events.find((event) => event.type === 'call.reserved');
    const told = events.find(({ type }) => type === 'guidance.given');
    assert.ok(first && told && first.attempt === 1);
    assert.ok(told.seq < first.seq && (first.inputs.state_seq ?? first.seq) < told.seq, 'the request was made before');
    await assertIdentical(outcome.runDirectory);
  });

  it('of the original on a server without embeddings is identical, however often it is resumed', async (t) => {
    const { outcome, server } = await oneRun(t, {
      server: { reply: erratic(() => 0.9), embeddings: false },
      settings: { strategy: 'classic', max_iterations: 2, sleepSeconds: 0 },
    });
    assert.equal(outcome.stopReason, 'error');
    const host = testHost(server.url);
    t.after(() => host.egress.close());
    for (let time = 0; time < 2; time++) {
      const again = await resumed(t, outcome.runDirectory, host);
      assert.equal(again.state.end?.error?.class, 'unsupported');
      await assertIdentical(outcome.runDirectory);
    }
  });

  it('names the event in which a random fact was changed', async (t) => {
    const changed = new Set<string>();
    for (let seed = 41; seed <= 52; seed++) {
      const { outcome, events } = await randomRun(t, seed);
      const random = seeded(seed);
      for (let round = 0; round < 6; round++) {
        const fact = factOf(events, random);
        if (fact === null) continue;
        const copy = await rewritten(outcome.runDirectory, (all) =>
          all.map((each) => (each === fact.event || each.seq === fact.event.seq ? fact.changed : each)),
        );
        const what = `seed ${seed}: ${fact.place} of event ${fact.event.seq}`;
        const { difference } = await replay(copy).catch((error: unknown) => {
          assert.ok(error instanceof EngineError && error.reason === 'damaged', String(error));
          return { difference: { seq: fact.event.seq } };
        });
        assert.ok(difference, what);
        // An answer shows in what follows from it.
        if (fact.place !== 'call.settled.answer') assert.equal(difference.seq, fact.event.seq, what);
        else assert.ok(difference.seq >= fact.event.seq, what);
        changed.add(fact.place);
      }
    }
    assert.ok(changed.size > 12, [...changed].join(', '));
  });

  it('names the first event that is missing, and the first that is too many', async (t) => {
    const { outcome, events } = await oneRun(t, { server: { reply: brain() }, settings: { max_iterations: 2 } });
    const { runDirectory } = outcome;
    const kinds: readonly RunEvent['type'][] = [
      'task.completed',
      'memory.stored',
      'iteration.completed',
      'task.created',
    ];
    for (const type of kinds) {
      const at = events.findLastIndex((event) => event.type === type);
      const without = await rewritten(runDirectory, (all) => all.filter((_, index) => index !== at));
      assert.equal((await replay(without)).difference?.seq, at + 1, `without ${type}`);
    }
    const paused = await oneRun(t, {
      server: { reply: brain() },
      settings: { max_iterations: 2 },
      begun: (session) => {
        session.steering.pause();
        setTimeout(() => session.steering.resume(), 20);
      },
    });
    const resumedAt = paused.events.findIndex(({ type }) => type === 'run.resumed');
    const forever = await rewritten(paused.outcome.runDirectory, (all) =>
      all.filter((_, index) => index !== resumedAt),
    );
    assert.equal((await replay(forever)).difference?.replayed, 'the loop waits');
    const started = events.findLast(({ type }) => type === 'task.started');
    const twice = await rewritten(runDirectory, (all) => [
      ...all.slice(0, -1),
      { ...started, task_id: 't3' },
      ...all.slice(-1),
    ]);
    const { difference } = await replay(twice);
    assert.equal(difference?.seq, events.length, 'too many');
    assert.match(
      replaySentences(await replay(twice)).join('\n'),
      /^replayed: 7 calls, \d+ events, different\nEvent \d+ \(task.started\) of the log is .*; the replay gives \{"type":"run.ended"/,
    );
  });

  it('of a rehearsal, of a run on a model of VS Code, and of one that met the limit of its key is identical', async (t) => {
    const rehearsal = await oneRun(t, { start: { provider: 'rehearsal' }, settings: { max_iterations: 3 } });
    await assertIdentical(rehearsal.outcome.runDirectory);

    let asked = 0;
    const model: LanguageModel = {
      prepare: (request) => ({
        request,
        model: 'gpt-x',
        origin: 'vscode:lm/a/gpt-x',
        body: languageModelBody('gpt-x', request),
      }),
      send: () => {
        asked += 1;
        if (asked === 3) throw new ModelError('server_error', 'The model failed.', { unbilled: false });
        const reply = { model: 'gpt-x', fingerprint: null, finishReason: null, vectors: null, usage: null };
        return Promise.resolve({ ...reply, text: '{"new_tasks":["Another one"],"order":[],"complete":false}' });
      },
    };
    const settings = testSettings('https://nowhere.invalid/v1', { max_iterations: 3, model: 'gpt-x' });
    const host = testHost('https://nowhere.invalid', {
      languageModel: () => Promise.resolve(model),
      clock: new RecordedClock(),
    });
    t.after(() => host.egress.close());
    const start = testStart(temporaryFolder(), { provider: 'vscode-lm' });
    const session = await startRun({ ...settings, baseUrl: 'vscode:lm/a/gpt-x' }, start, host);
    await assertIdentical((await session.done).runDirectory);
    assert.ok(asked > 4);

    // The others take the rest of the day's limit while the run is on its way.
    let free = 0.08;
    const keyed = await oneRun(t, {
      server: { reply: brain() },
      settings: { max_iterations: 30 },
      host: {
        ledgerFor: () => ({
          limit: 'the limit of $0.10 a day for this API key',
          limitPerDay: picoFromUsd(0.1),
          reserve: (amount) => {
            const left = picoFromUsd(Math.round(free * 1e6) / 1e6);
            if (amount <= left) free -= 0.006;
            return Promise.resolve({ admitted: amount <= left, free: left });
          },
          settle: () => Promise.resolve(),
        }),
      },
    });
    assert.equal(keyed.state.end?.error?.class, 'key_limit');
    assert.ok(keyed.events.filter(({ type }) => type === 'call.released').length > 1);
    await assertIdentical(keyed.outcome.runDirectory);
  });

  it('knows when time was up, when a person was there and when the process failed', async (t) => {
    const clock = new RecordedClock();
    const late = await oneRun(t, {
      server: { reply: brain(), fault: (_, index) => (index > 3 ? { kind: 'status', status: 503 } : null) },
      settings: { max_iterations: 5, max_wall_time_minutes: 0.2 },
      host: { clock },
    });
    assert.equal(late.outcome.stopReason, 'max_wall_time');
    await assertIdentical(late.outcome.runDirectory);

    const slow = await oneRun(t, {
      server: {
        reply: brain(),
        fault: (_, index) => {
          if (index > 3) clock.advance(2000);
          return index > 3 ? { kind: 'status', status: 500 } : null;
        },
      },
      settings: { max_iterations: 4, task_timeout_seconds: 3 },
      host: { clock },
    });
    assert.match(JSON.stringify(slow.events), /No answer within the task timeout/);
    assert.equal(slow.outcome.stopReason, 'queue_empty');
    await assertIdentical(slow.outcome.runDirectory);

    const think = brain({ newTasks: (_last, index) => (index === 0 ? ['Dig', 'Sow', 'Rake'] : []) });
    let hasWaited = false;
    const watched = await oneRun(t, {
      server: {
        reply: (request, index) =>
          request.prompt.startsWith('You judge') ? '{"verdicts":[{"met":false,"task":""}]}' : think(request, index),
      },
      settings: { max_iterations: 9 },
      host: { attended: true },
      begun: (session) => {
        session.subscribe((event) => {
          const { steering, state } = session;
          if (event.type === 'iteration.completed' && event.iteration === 1)
            for (const id of [...state.pending]) steering.blockTask(id, 'not yet');
          // The first wait ends with a task, the second one without.
          if (event.type !== 'run.paused') return;
          const waited = hasWaited;
          hasWaited = true;
          setTimeout(() => (waited ? steering.resume() : steering.unblockTask(state.pending[0] ?? '')), 5);
        });
      },
    });
    assert.deepEqual(
      watched.events.flatMap((event) => (event.type === 'run.resumed' ? event.by : [])),
      ['loop', 'user'],
    );
    await assertIdentical(watched.outcome.runDirectory);

    for (const [code, reason] of [
      ['ENOSPC', 'disk_full'],
      ['EIO', 'error'],
    ] as const) {
      const broken = await oneRun(t, {
        server: { reply: brain() },
        settings: { max_iterations: 5 },
        host: {
          disk: {
            ...nodeDisk,
            async create(path) {
              const file = await nodeDisk.create(path);
              let left = path.endsWith('000001.jsonl') ? 12 : 1000;
              const fails = () => Promise.reject(Object.assign(new Error(code), { code, syscall: 'write' }));
              return { ...file, write: (bytes) => ((left -= 1) < 0 ? fails() : file.write(bytes)) };
            },
          },
        },
      });
      assert.equal(broken.outcome.stopReason, reason);
      await assertIdentical(broken.outcome.runDirectory);
    }
  });

  it('reads an archive as well, also of an older version, and writes nothing into a run folder', async (t) => {
    const { outcome } = await oneRun(t, { server: { reply: brain() }, settings: { max_iterations: 2 } });
    const before = contents(outcome.runDirectory);
    await assertIdentical(outcome.runDirectory);
    assert.deepEqual(contents(outcome.runDirectory), before);
    const zip = join(temporaryFolder(), 'run.zip');
    await exportArchive(outcome.runDirectory, zip, {});
    let where = '';
    const { identical } = await withRunFolder(zip, never, (directory) => {
      where = directory;
      return replay(directory);
    });
    assert.ok(identical);
    assert.throws(() => statSync(where), { code: 'ENOENT' });
    for (const name of readdirSync(resolve('test/fixtures/archives'))) {
      const result = await withRunFolder(resolve('test/fixtures/archives', name), never, replay);
      assert.ok(result.identical, `${name}: ${replaySentences(result).join(' ')}`);
      assert.ok(result.calls > 10 && !result.versions.includes(BUILD));
    }
  });

  it('says which file is not what the log gives, and that another version may differ', async (t) => {
    const { outcome } = await oneRun(t, { server: { reply: brain() }, settings: { max_iterations: 2 } });
    const copy = await rewritten(outcome.runDirectory, (events) => events);
    writeFileSync(join(copy, 'results.json'), '[]\n');
    const { identical, problem, difference } = await replay(copy);
    assert.deepEqual([identical, difference], [false, null]);
    assert.equal(problem, 'results.json: It is not what the log gives, first in line 1.');

    const other = await rewritten(outcome.runDirectory, (events) =>
      events.map((event) => {
        if (event.type === 'epoch.opened') return { ...event, version: '9.9.9' };
        return event.type === 'run.ended' ? { ...event, detail: 'In other words.' } : event;
      }),
    );
    assert.equal((await replay(other)).difference, null, 'another version has other words');
    const told = await rewritten(outcome.runDirectory, (events) =>
      events.map((event) => {
        if (event.type === 'epoch.opened') return { ...event, version: '9.9.9' };
        return event.type === 'iteration.completed' ? { ...event, iteration: event.iteration + 1 } : event;
      }),
    );
    assert.match(
      replaySentences(await replay(told)).join('\n'),
      /iteration: the log has 2; the replay gives 1\.\n(?:.*\n)?The log is of version 9\.9\.9, and this is /,
    );
  });

  it('compares all that did not come from another run, whatever a folder says of that', async (t) => {
    const { outcome, events } = await oneRun(t, { server: { reply: brain() }, settings: { max_iterations: 2 } });
    const file = join(outcome.runDirectory, 'config.json');
    const claim = (through: number) => {
      const config = JSON.parse(readFileSync(file, 'utf8')) as { run_id: string };
      const from = { run_id: config.run_id, iteration: 1, seq: through, hash: '0'.repeat(64), through, calls: 3 };
      return JSON.stringify({ ...config, forked_from: from });
    };
    const claimed = async (through: number) => {
      const text = claim(through);
      const config_sha256 = createHash('sha256').update(text).digest('hex');
      const copy = await rewritten(outcome.runDirectory, ([first, ...others]) => [
        { ...first, config_sha256 },
        ...others.map((event) => (event.type === 'run.ended' ? { ...event, detail: 'All is well.' } : event)),
      ]);
      writeFileSync(join(copy, 'config.json'), text);
      return (await replay(copy)).difference;
    };
    const first = events.find(({ type }) => type === 'iteration.completed');
    assert.equal((await claimed(first?.seq ?? 0))?.at, 'detail');
    assert.equal((await claimed(events.length))?.seq, first?.seq);
  });

  it('refuses what is no run folder, and what cannot be read', async (t) => {
    const folder = temporaryFolder();
    await assert.rejects(replay(folder), (error) => error instanceof EngineError && error.reason === 'not_a_run');
    const { outcome } = await oneRun(t, { server: { reply: brain() }, settings: { max_iterations: 1 } });
    const copy = await rewritten(outcome.runDirectory, (events) => events);
    const log = join(copy, 'log', '000001.jsonl');
    writeFileSync(log, readFileSync(log, 'latin1').replace('task.started', 'task.Started'), 'latin1');
    await assert.rejects(replay(copy), (error) => error instanceof EngineError && error.reason === 'damaged');
    mkdirSync(join(folder, 'empty'));
    const stopped = AbortSignal.abort();
    await assert.rejects(replayRun(outcome.runDirectory, { disk: nodeDisk, distDirectory: 'dist', signal: stopped }), {
      name: 'AbortError',
    });
  });
});

interface Fact {
  readonly place: string;
  readonly event: RunEvent;
  readonly changed: object;
}

/** One fact of a log that a loop decided, and the event with another one in its place. Null: the draw found none. */
function factOf(events: readonly RunEvent[], random: () => number): Fact | null {
  const own = events.filter((event) => isOfLoop(event));
  const event = own[Math.floor(random() * own.length)];
  if (event === undefined) return null;
  const fields = Object.entries<unknown>(event).filter(
    ([name]) => !UNTOLD.has(name) && !INPUTS.has(`${event.type}.${name}`),
  );
  const [name, value] = fields[Math.floor(random() * fields.length)] ?? ['', null];
  const changed = other(value);
  return changed === undefined
    ? null
    : { place: `${event.type}.${name}`, event, changed: { ...event, [name]: changed } };
}

function isOfLoop(event: RunEvent): boolean {
  if (event.type.startsWith('notice.') || event.type === 'epoch.opened' || event.type === 'checkpoint.saved')
    return false;
  return (
    ![
      'review.decided',
      'limit.raised',
      'guidance.given',
      'task.edited',
      'task.removed',
      'task.blocked',
      'task.unblocked',
      'file.refused',
    ].includes(event.type) && !('by' in event && event.by !== 'loop')
  );
}

/** What every event has from its log, and times. */
const UNTOLD: ReadonlySet<string> = new Set([
  'v',
  'seq',
  'epoch',
  'type',
  'ts',
  'mono_ms',
  'run_id',
  'more',
  'latency_ms',
  'by',
]);
/** What came from outside: from the model, and out of the time that passed. The files at exit repeat it. */
const INPUTS: ReadonlySet<string> = new Set([
  ...[
    'model',
    'system_fingerprint',
    'finish_reason',
    'input_tokens',
    'output_tokens',
    'error',
    'usage_note',
    'vectors',
    'cached_tokens',
  ].flatMap((name) => [`call.settled.${name}`, `call.held.${name}`, `call.released.${name}`]),
  'run.ended.error',
  'limit.reached.spent',
]);

function other(value: unknown): unknown {
  if (typeof value === 'string') return `${value}x`;
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  if (Array.isArray(value)) return value.length > 1 ? [...(value as unknown[])].reverse() : undefined;
  return undefined;
}
