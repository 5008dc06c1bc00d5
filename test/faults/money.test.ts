import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, before, describe, it } from 'node:test';
import { KeyLedgerFile } from '../../src/budget/key-ledger.ts';
import { type Pico, picoFromUsd } from '../../src/budget/money.ts';
import { Tokenizer } from '../../src/budget/tokens.ts';
import { EngineError } from '../../src/engine/engine-error.ts';
import type { Host, Outcome } from '../../src/engine/host.ts';
import { readRun } from '../../src/engine/read.ts';
import { resumeRun } from '../../src/engine/resume.ts';
import type { Session } from '../../src/engine/session.ts';
import { startRun } from '../../src/engine/start.ts';
import { RunConfig } from '../../src/run/config.ts';
import type { Clock } from '../../src/run/ports.ts';
import { type Disk, type DiskFile, nodeDisk } from '../../src/runlog/disk.ts';
import { brain } from '../support/brain.ts';
import type { BillLine } from '../support/model-bill.ts';
import { type Fault, type UsageLie, usageLies } from '../support/model-faults.ts';
import { type ModelServer, type ModelServerOptions, startModelServer } from '../support/model-server.ts';
import { TEST_KEY, temporaryFolder, testHost, testSettings, testStart } from '../support/run-host.ts';
import { type Figures, playSchedule, seeded } from './money-schedule.ts';

const LONG = process.env['FAULTS_LONG'] === '1';

describe('money, against an auditor', () => {
  let base: RunConfig;
  before(async () => {
    // A real configuration, of which each schedule changes prices and limits.
    const server = await startModelServer({ reply: brain() });
    const host = testHost(server.url);
    const session = await startRun(
      testSettings(server.baseUrl, { max_iterations: 1 }),
      testStart(temporaryFolder()),
      host,
    );
    const { runDirectory } = await session.done;
    host.egress.close();
    await server.close();
    base = RunConfig.parse(JSON.parse(readFileSync(join(runDirectory, 'config.json'), 'utf8')));
  });

  it('never spends over the cap in any random schedule', async () => {
    const figures: Figures = { schedules: 0, requests: 0, epochs: 0, crashes: 0, lies: 0, above: 0, ends: new Map() };
    const first = Number(process.env['MONEY_SEED'] ?? 1);
    const count = process.env['MONEY_SEED'] ? 1 : LONG ? 100_000 : 3000;
    for (let seed = first; seed < first + count; seed += 1) await playSchedule(seed, base, figures);
    const { schedules, requests, epochs, crashes, lies, above, ends } = figures;
    console.log(
      `money: ${schedules} schedules, ${requests} requests, ${epochs} owners, ${crashes} crashes, ${lies} lies about usage, ` +
        `${above} used more than they were allowed, 0 over the limit; ends: ${JSON.stringify(Object.fromEntries(ends))}`,
    );
    if (count === 1) return;
    for (const end of [
      'done',
      'max_cost',
      'max_requests',
      'max_tokens',
      'max_wall_time',
      'usage_above_reservation',
      'stopped_by_user',
      'quarantined',
      'key_ledger',
    ]) {
      assert.ok((figures.ends.get(end) ?? 0) > 0, `no schedule ended with ${end}`);
    }
  });
});

const CHAT = { inputPico: 2_500_000n, outputPico: 10_000_000n };
const EMBEDDING = { inputPico: 20_000n, outputPico: 0n };
const PRICES = {
  overrides: [
    { model: 'gpt-4o', input: 2.5, output: 10 },
    { model: 'text-embedding-3-small', input: 0.02, output: 0 },
  ],
  freeOrigins: [],
};
const priceOf = (line: BillLine) => (line.kind === 'chat' ? CHAT : EMBEDDING);

/** Waits nowhere: back-off and pauses pass at once, on the clock too. */
function hurriedClock(): Clock {
  let skipped = 0;
  return {
    now: () => Date.now() + skipped,
    monotonic: () => performance.now() + skipped,
    sleep: async (ms) => {
      skipped += ms;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

/** The disk of a process that is killed after so many operations, or when told; `close` does what the system does then. */
function killable(operations: number): {
  disk: Disk;
  kill: () => void;
  dead: () => boolean;
  close: () => Promise<unknown>;
} {
  let left = operations;
  const open: DiskFile[] = [];
  const close = () => Promise.allSettled(open.map((file) => file.close()));
  const step = () => {
    left -= 1;
    if (left < 0) throw Object.assign(new Error('killed'), { code: 'EIO', syscall: 'write' });
  };
  const disk: Disk = {
    makeDirectory: async (path) => (step(), nodeDisk.makeDirectory(path)),
    read: async (path) => (step(), nodeDisk.read(path)),
    list: async (path) => (step(), nodeDisk.list(path)),
    exists: async (path) => (step(), nodeDisk.exists(path)),
    modifiedAt: (path) => nodeDisk.modifiedAt(path),
    replace: async (path, content) => (step(), nodeDisk.replace(path, content)),
    remove: async (path) => (step(), nodeDisk.remove(path)),
    syncFile: async (path) => (step(), nodeDisk.syncFile(path)),
    syncDirectory: async (path) => (step(), nodeDisk.syncDirectory(path)),
    create: async (path) => {
      step();
      const file = await nodeDisk.create(path);
      open.push(file);
      return {
        write: async (bytes) => {
          if (left === 0) await file.write(bytes.subarray(0, bytes.length >> 1));
          step();
          await file.write(bytes);
        },
        sync: async () => (step(), file.sync()),
        close: () => file.close(),
      };
    },
  };
  return { disk, kill: () => (left = -1), dead: () => left <= 0, close };
}

const FAULTS: readonly ((random: () => number) => Fault)[] = [
  () => ({ kind: 'hang' }),
  () => ({ kind: 'stall' }),
  () => ({ kind: 'trickle', intervalMs: 20 }),
  () => ({ kind: 'reset' }),
  (random) => ({ kind: 'reset', atByte: Math.floor(random() * 300) }),
  () => ({ kind: 'truncated' }),
  (random) => ({
    kind: 'status',
    status: [400, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529][Math.floor(random() * 11)] ?? 500,
  }),
  () => ({ kind: 'status', status: 429, headers: { 'retry-after': '7' } }),
  () => ({ kind: 'status', status: 500, body: '<html>' }),
  () => ({ kind: 'redirect', status: 307, location: 'http://127.0.0.1:1/' }),
  () => ({ kind: 'garbage' }),
  () => ({ kind: 'duplicate_keys' }),
  () => ({ kind: 'invalid_utf8' }),
  () => ({ kind: 'empty' }),
  () => ({ kind: 'length' }),
  () => ({ kind: 'refusal' }),
  ...(Object.keys(usageLies) as UsageLie[]).map((lie) => (): Fault => ({ kind: 'usage', lie })),
];

describe('money, against a server', () => {
  let countTokens: (text: string) => number;
  before(async () => {
    const tokenizer = await Tokenizer.load(testHost('http://127.0.0.1').distDirectory, 'o200k_base');
    countTokens = (text) => tokenizer.count(text);
  });
  let servers: ModelServer[] = [];
  const serve = async (options: ModelServerOptions) => {
    const server = await startModelServer({ reply: brain(), countTokens, ...options });
    servers.push(server);
    return server;
  };
  afterEach(async () => {
    for (const server of servers) await server.close();
    servers = [];
  });

  async function audited(seed: number): Promise<{ requests: number; crashes: number; ends: string }> {
    const random = seeded(seed);
    const between = (least: number, most: number) => least + random() * (most - least);
    const cap = Math.round(between(0.004, 0.08) * 1e6) / 1e6;
    let session: Session | null = null;
    let above = false;
    let crashes = 0;
    let ends = '';
    let victim = killable(Number.POSITIVE_INFINITY);
    const faults = between(0, 0.6);
    const server = await serve({
      fault: (request) => {
        check();
        if (random() < 0.04) victim.kill();
        const fault = random() < faults ? (FAULTS[Math.floor(random() * FAULTS.length)]?.(random) ?? null) : null;
        if (fault?.kind === 'usage' && fault.lie === 'completion_above_max' && request.path.endsWith('completions'))
          above = true;
        return fault;
      },
    });
    const check = () => {
      const bill = server.billed(priceOf);
      assert.ok(bill <= picoFromUsd(cap), `seed ${seed}: a bill of ${bill} over the cap of ${cap}`);
      if (session === null || victim.dead()) return;
      const { settled, held, reserved } = session.state.money;
      assert.ok(
        settled + held + reserved >= bill,
        `seed ${seed}: books of ${settled}+${held}+${reserved} below the bill of ${bill}`,
      );
      assert.ok(above || settled + held + reserved <= picoFromUsd(cap), `seed ${seed}: books over the cap`);
    };
    const host = (disk: Disk): Host =>
      testHost(server.url, { disk, clock: hurriedClock(), random, processes: { isAlive: () => false } });
    const settings = testSettings(server.baseUrl, {
      max_iterations: 4,
      max_cost_usd: cap,
      task_timeout_seconds: 0.15,
      acceptanceCriteria: ['done'],
    });
    const runs = temporaryFolder();
    let directory: string | null = null;
    for (let epoch = 0; epoch < 5 && ends === ''; epoch += 1) {
      victim = killable(epoch < 4 && random() < 0.6 ? Math.floor(between(5, 120)) : Number.POSITIVE_INFINITY);
      const world = host(victim.disk);
      let outcome: Outcome | null = null;
      try {
        session =
          directory === null
            ? await startRun(settings, testStart(runs, { prices: PRICES }), world)
            : await resumeRun(directory, { raise: {}, byPerson: false }, world);
        directory = session.folder.path;
        outcome = await session.done;
      } catch (error) {
        if (!victim.dead() || !(error instanceof EngineError)) throw error;
      }
      world.egress.close();
      await victim.close();
      // What was under way when the process died comes to its end at the server too.
      await new Promise((resolve) => setImmediate(resolve));
      check();
      session = null;
      if (victim.dead()) crashes += 1;
      else if (outcome !== null) ends = outcome.stopReason;
    }
    if (directory !== null && ends !== '') {
      const { money, calls } = await readRun(nodeDisk, directory);
      assert.equal(money.reserved, 0n, `seed ${seed}`);
      assert.ok(money.settled + money.held >= server.billed(priceOf), `seed ${seed}`);
      assert.equal(new Set([...calls.values()].map((call) => call.id)).size, calls.size);
      const accepted = server.requests.filter(({ path }) => /completions|embeddings/.test(path)).length;
      assert.ok(accepted <= calls.size, `seed ${seed}: ${accepted} requests for ${calls.size} reservations`);
    }
    const requests = server.requests.length;
    return { requests, crashes, ends: ends || 'crashed' };
  }

  it('never spends over the cap with whole runs, faults of the network, lies and crashes', async () => {
    const total = { requests: 0, crashes: 0 };
    const ends = new Map<string, number>();
    const runs = LONG ? 2000 : 40;
    for (let seed = 1; seed <= runs; seed += 1) {
      const figures = await audited(seed);
      total.requests += figures.requests;
      total.crashes += figures.crashes;
      ends.set(figures.ends, (ends.get(figures.ends) ?? 0) + 1);
    }
    console.log(
      `money: ${runs} whole runs, ${total.requests} requests, ${total.crashes} crashes, 0 over the limit; ends: ${JSON.stringify(Object.fromEntries(ends))}`,
    );
    assert.ok(total.crashes > 5 && ends.size > 2);
  });

  it('tries a step that crashes the process three times, then leaves it to a person', async () => {
    let victim = killable(Number.POSITIVE_INFINITY);
    const server = await serve({
      reply: (_request, index) => {
        victim.kill();
        return `the answer ${index} that crashes whoever reads it`;
      },
    });
    const runs = temporaryFolder();
    const world = () => testHost(server.url, { disk: victim.disk, processes: { isAlive: () => false } });
    let session = await startRun(testSettings(server.baseUrl), testStart(runs, { prices: PRICES }), world());
    const { path } = session.folder;
    await session.done;
    const reasons: string[] = [];
    await victim.close();
    for (let resumes = 0; resumes < 5; resumes += 1) {
      victim = killable(Number.POSITIVE_INFINITY);
      session = await resumeRun(path, { raise: {}, byPerson: false }, world());
      reasons.push((await session.done).stopReason);
      await victim.close();
    }
    assert.equal(server.requests.length, 3);
    assert.deepEqual(reasons.slice(2), ['quarantined', 'quarantined', 'quarantined']);
    const { money } = await readRun(nodeDisk, path);
    assert.ok(money.held >= server.billed(priceOf));
  });

  it('books what a server used above the reservation, and ends the run', async () => {
    const server = await serve({
      fault: (_request, index) => (index === 0 ? { kind: 'usage', lie: 'completion_above_max' } : null),
    });
    const session = await startRun(
      testSettings(server.baseUrl),
      testStart(temporaryFolder(), { prices: PRICES }),
      testHost(server.url),
    );
    const outcome = await session.done;
    assert.equal(outcome.stopReason, 'error');
    assert.equal(session.state.end?.error?.class, 'usage_above_reservation');
    assert.equal(server.requests.length, 1);
    const [call] = session.state.calls.values();
    assert.ok(call && call.status === 'settled' && call.cost > call.reserved);
  });

  describe('with a limit for the key', () => {
    const ledger = (directory: string, limitPerDay: Pico) =>
      new KeyLedgerFile({ directory, key: () => Promise.resolve(TEST_KEY), limitPerDay, now: Date.now });

    it('ends each of two runs at the limit that they share', async () => {
      const server = await serve({});
      const directory = temporaryFolder();
      const limit = picoFromUsd(0.045);
      const settings = (server: ModelServer) =>
        testSettings(server.baseUrl, { max_iterations: 100, acceptanceCriteria: ['never met'] });
      const start = () =>
        startRun(
          settings(server),
          testStart(temporaryFolder(), { prices: PRICES }),
          testHost(server.url, { ledgerFor: () => ledger(directory, limit) }),
        );
      const outcomes = await Promise.all((await Promise.all([start(), start()])).map((session) => session.done));
      for (const { stopReason, detail, runDirectory } of outcomes) {
        assert.equal(stopReason, 'max_cost', detail);
        assert.match(detail, /\$0\.045 a day \(UTC\) for this API key is free/);
        const { calls, money } = await readRun(nodeDisk, runDirectory);
        const refused = [...calls.values()].filter((call) => call.error?.class === 'key_limit');
        assert.ok(refused.length >= 1 && refused.every((call) => call.status === 'released'));
        assert.equal(money.reserved, 0n);
      }
      assert.ok(server.billed(priceOf) <= limit);
      // What a request did not use of its reservation is there for the next ones.
      assert.ok(server.requests.length > 15, `${server.requests.length}`);
    });

    it('sends nothing where the ledger cannot be written', async () => {
      const server = await serve({});
      const file = join(temporaryFolder(), 'file');
      writeFileSync(file, '');
      const host = testHost(server.url, { ledgerFor: () => ledger(join(file, 'ledger'), picoFromUsd(1)) });
      const session = await startRun(
        testSettings(server.baseUrl),
        testStart(temporaryFolder(), { prices: PRICES }),
        host,
      );
      const { stopReason, detail } = await session.done;
      assert.equal(stopReason, 'error');
      assert.match(detail, /spending ledger of this API key cannot be written/);
      assert.equal(session.state.end?.error?.class, 'key_ledger');
      assert.equal(server.requests.length, 0);
      assert.equal(session.state.money.held, 0n);
    });
  });
});
