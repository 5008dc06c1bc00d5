import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunEvent } from '../../src/run/events.ts';
import { fold } from '../../src/run/fold.ts';
import { inEnglish } from '../../src/run/translate.ts';
import type { Disk } from '../../src/runlog/disk.ts';
import { runFolder } from '../../src/runlog/folder.ts';
import { Ownership } from '../../src/runlog/owner.ts';
import type { OwnerIdentity } from '../../src/runlog/owner-file.ts';
import { readLog } from '../../src/runlog/reader.ts';
import { RunLost } from '../../src/run/ports.ts';
import { LogWriter } from '../../src/runlog/writer.ts';
import { makeConfig, reserved } from '../support/run-events.ts';
import { impatientClock, LONG, seeded } from './fault-run.ts';
import { type Files, memoryDisk } from '../support/memory-disk.ts';

/*
 * Every interleaving of the steps by which the owner of a run and those who take it over touch what they share. The
 * steps are those of the real Ownership, reader and LogWriter: their disk waits at each until it is that process's turn.
 * Each process has a machine of its own: what it writes is seen elsewhere once it is synced. Stopping for good after any
 * step is an interleaving too, as what must hold is looked at after each one.
 */

const FOLDER = runFolder('/run');
const CONFIG = makeConfig();
/** Requests that the limit allows in all. */
const CAP = 2;

interface Rules {
  readonly fence: boolean;
  readonly sync: boolean;
  /** Processes that take the run over, one after another or at once. */
  readonly heirs: number;
}

/** Lets one process at a time do one step, in an order that is chosen from outside. */
class Turns {
  private readonly waiting = new Map<number, () => void>();
  private settled: () => void = () => {};

  get ready(): number[] {
    return [...this.waiting.keys()].sort((a, b) => a - b);
  }

  /** Resolves when it is the process's turn. */
  wait(id: number): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.settled();
    });
  }

  /** Resolves when the process waits again or has ended. */
  step(id: number): Promise<void> {
    const go = this.waiting.get(id);
    this.waiting.delete(id);
    return this.run(() => go?.());
  }

  run(start: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.settled = resolve;
      start();
    });
  }

  ended(): void {
    this.settled();
  }
}

/** The shared disk as one machine sees it. */
function machine(shared: Files, { fence, sync }: Rules, step: () => Promise<void>): Disk {
  const server = memoryDisk(shared);
  return {
    ...server,
    async create(path) {
      if (path.startsWith(FOLDER.owners)) await step();
      const file = await server.create(path);
      const unsynced: Uint8Array[] = [];
      return {
        async write(bytes) {
          if (path.startsWith(FOLDER.log)) await step();
          unsynced.push(bytes);
        },
        async sync() {
          if (path.startsWith(FOLDER.log)) await step();
          if (sync) for (const bytes of unsynced.splice(0)) await file.write(bytes);
        },
        close: () => file.close(),
      };
    },
    async read(path) {
      if (path.startsWith(FOLDER.log)) await step();
      return server.read(path);
    },
    async exists(path) {
      await step();
      return fence && server.exists(path);
    },
  };
}

const clock = impatientClock();
const identity = (pid: number): OwnerIdentity => ({
  host: 'host',
  boot_id: 'boot',
  pid,
  process_start: '1',
  nonce: String(pid),
});

async function own(disk: Disk, pid: number): Promise<LogWriter> {
  const ownership = await Ownership.acquire(disk, FOLDER, identity(pid), { isAlive: () => false }, clock);
  const { events, end } = await readLog(disk, FOLDER);
  const parts = {
    disk,
    folder: FOLDER,
    clock,
    ownership,
    identity: identity(pid),
    redact: <T>(draft: T) => draft,
    configSha256: '',
  };
  return LogWriter.open({ ...parts, state: fold(CONFIG, events as RunEvent[]), end: end.seq === 0 ? null : end });
}

/** Requests for as long as the limit allows, each reserved first. Ends early where the run is lost. */
async function work(log: LogWriter, send: (call: string) => Promise<void>, id: number): Promise<void> {
  while (log.state.calls.size < CAP) {
    const call = `c${log.state.calls.size + 1}-${id}`;
    log.append(reserved(call));
    await log.barrier();
    await send(call);
  }
}

/** One execution; `choose` picks who goes next. Gives what was wrong, or null. */
async function execute(rules: Rules, choose: (among: number) => number): Promise<string | null> {
  const files: Files = new Map();
  const sent: string[] = [];
  const turns = new Turns();
  let gated = false;
  const diskOf = (id: number) => machine(files, rules, () => (gated ? turns.wait(id) : Promise.resolve()));
  const send = (id: number) => async (call: string) => {
    await turns.wait(id);
    sent.push(call);
  };
  const first = await own(diskOf(0), 0);
  gated = true;
  const lives = [
    () => work(first, send(0), 0),
    ...Array.from(
      { length: rules.heirs },
      (_, index) => async () => work(await own(diskOf(index + 1), index + 1), send(index + 1), index + 1),
    ),
  ];
  const failures: string[] = [];
  const end = (error: unknown) => {
    // Losing the run is how all but one end.
    if (error !== undefined && !(error instanceof RunLost && error.reason === 'not_owner'))
      failures.push(error instanceof Error ? (error.stack ?? '') : 'not an error');
    turns.ended();
  };
  for (const life of lives) await turns.run(() => void life().then(end, end));
  for (let { ready } = turns; ready.length > 0; ready = turns.ready) {
    await turns.step(ready[choose(ready.length)] ?? 0);
    const wrong = failures[0] ?? (await look(files, sent));
    if (wrong !== null) return wrong;
  }
  return null;
}

/** What anybody who reads the log now would find wrong. */
async function look(files: Files, sent: readonly string[]): Promise<string | null> {
  if (sent.length > CAP) return `${sent.length} requests were sent, ${CAP} are allowed`;
  const log = await readLog(memoryDisk(files), FOLDER);
  if (log.damage) return log.damage.what(inEnglish);
  const known = new Set(log.events.map((event) => event.type === 'call.reserved' && event.call_id));
  const unknown = sent.find((call) => !known.has(call));
  return unknown === undefined ? null : `request ${unknown} was sent, and the log does not know it`;
}

/** Depth first through all choices, by running from the start each time. Stops at the first violation. */
async function explore(rules: Rules): Promise<{ executions: number; violation: string | null }> {
  let executions = 0;
  for (let path: { taken: number; of: number }[] | null = []; path !== null; path = nextPath(path)) {
    const trail: { taken: number; of: number }[] = path;
    let depth = 0;
    const violation = await execute(rules, (of) => {
      trail[depth] ??= { taken: 0, of };
      return trail[depth++]?.taken ?? 0;
    });
    trail.length = depth;
    executions += 1;
    if (violation !== null) return { executions, violation };
  }
  return { executions, violation: null };
}

function nextPath(path: { taken: number; of: number }[]): { taken: number; of: number }[] | null {
  const at = path.findLastIndex(({ taken, of }) => taken + 1 < of);
  const last = path[at];
  return last ? [...path.slice(0, at), { taken: last.taken + 1, of: last.of }] : null;
}

/** As many executions with choices at random. */
async function sample(rules: Rules, executions: number): Promise<string | null> {
  const random = seeded(executions);
  for (let turn = 0; turn < executions; turn += 1) {
    const violation = await execute(rules, (of) => Math.floor(random() * of));
    if (violation !== null) return `${violation} (execution ${turn})`;
  }
  return null;
}

describe('the owner of a run and one that takes it over', () => {
  it('never send what the log does not know, in any interleaving', async () => {
    const { executions, violation } = await explore({ fence: true, sync: true, heirs: 1 });
    console.log(`ownership model: ${executions} interleavings of two processes, 0 violations`);
    assert.equal(violation, null);
  });

  it('nor do three, in interleavings at random', async () => {
    const executions = LONG ? 100_000 : 500;
    assert.equal(await sample({ fence: true, sync: true, heirs: 2 }, executions), null);
    assert.notEqual(await sample({ fence: false, sync: true, heirs: 2 }, executions), null);
    console.log(`ownership model: ${executions} interleavings of three processes, 0 violations`);
  });

  it('would, if the owner did not look for a newer one before it sends', async () => {
    const { executions, violation } = await explore({ fence: false, sync: true, heirs: 1 });
    console.log(`ownership model: without the fence a violation after ${executions} interleavings: ${violation}`);
    assert.notEqual(violation, null);
  });

  it('would, if the reservation were not synced before it looks', async () => {
    const { executions, violation } = await explore({ fence: true, sync: false, heirs: 1 });
    console.log(`ownership model: without the sync a violation after ${executions} interleavings: ${violation}`);
    assert.notEqual(violation, null);
  });
});
