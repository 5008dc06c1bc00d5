import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Host } from '../../../src/engine/host.ts';
import { readRun } from '../../../src/engine/read.ts';
import type { RawSettings } from '../../../src/run/settings.ts';
import type { RunState } from '../../../src/run/state.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { brain } from '../../support/brain.ts';
import type { ModelServer, ModelServerOptions } from '../../support/model-server.ts';
import { oneRun, resumed } from '../../support/one-run.ts';
import { temporaryFolder, testHost } from '../../support/run-host.ts';

/** What a run came to, without when and by which attempts. */
function essence(state: RunState): unknown {
  return {
    tasks: [...state.tasks.values()].map(({ id, label, text, state: now, createdBy, parentId, iteration, error }) => ({
      id,
      label,
      text,
      now,
      createdBy,
      parentId,
      iteration,
      error,
    })),
    results: [...state.memory.values()].map(({ id, taskId, callId }) => [id, taskId, state.calls.get(callId)?.answer]),
    pending: state.pending,
    iteration: state.iteration,
    suppressed: state.suppressed.map(({ text, why, duplicate_of }) => [text, why, duplicate_of]),
    judged: state.judged?.complete ?? null,
    counter: state.taskCounter,
    end: state.end?.reason,
    synthesis: [...state.calls.values()]
      .filter(({ agent, status }) => agent === 'synthesis' && status === 'settled')
      .map(({ answer }) => answer),
  };
}

/** A copy of a run folder whose log was cut after so many lines, `torn` bytes of the next one left behind. */
function cutCopy(folder: string, lines: readonly string[], count: number, torn = 0): string {
  const copy = join(temporaryFolder(), 'run');
  cpSync(folder, copy, { recursive: true });
  const text =
    lines
      .slice(0, count)
      .map((line) => `${line}\n`)
      .join('') + (lines[count] ?? '').slice(0, torn);
  writeFileSync(join(copy, 'log', '000001.jsonl'), text);
  return copy;
}

async function everyCut(
  t: TestContext,
  settings: RawSettings,
  reply: NonNullable<ModelServerOptions['reply']>,
  every: number,
): Promise<void> {
  const whole = await oneRun(t, { server: { reply, dimensions: 32 }, settings });
  const expected = essence(whole.state);
  const folder = whole.outcome.runDirectory;
  const lines = readFileSync(join(folder, 'log', '000001.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  assert.ok(lines.length > 30);
  const server: ModelServer = whole.server;
  const wholeBill = [...server.bill];
  const host: Host = testHost(server.url);
  t.after(() => host.egress.close());
  for (let count = 0; count < lines.length; count += every) {
    // The requests of the whole run, without those whose answers the log holds: only these may be sent.
    const missing = wholeBill.map(({ body_sha256 }) => body_sha256);
    const reserved = new Map<string, string>();
    for (const line of lines.slice(0, count)) {
      const { e: event } = JSON.parse(line) as { e: { type: string; call_id: string; request_sha256: string } };
      if (event.type === 'call.reserved') reserved.set(event.call_id, event.request_sha256);
      if (event.type === 'call.settled') missing.splice(missing.indexOf(reserved.get(event.call_id) ?? ''), 1);
    }
    const before = server.bill.length;
    const again = await resumed(t, cutCopy(folder, lines, count, count % 3 === 0 ? 25 : 0), host);
    assert.deepEqual(essence(again.state), expected, `cut after line ${count}: ${lines[count]?.slice(80, 300)}`);
    const sent = server.bill.slice(before).map(({ body_sha256 }) => body_sha256);
    assert.deepEqual(sent.sort(), missing.sort(), `what was bought, cut after line ${count}`);
    assert.equal(again.state.money.reserved, 0n);
  }
}

/** Answers by what is asked alone, so that a run that asks the same gets the same. */
function stateless(): NonNullable<ModelServerOptions['reply']> {
  const think = brain();
  return (request, index) => {
    if (!request.prompt.startsWith('You keep a task list')) return think(request, index);
    const last = Number(/^Last task t(\d+): /m.exec(request.prompt)?.[1] ?? 0);
    const ids = [...request.prompt.matchAll(/^([tu]\d+) /gm)].map(([, id = '']) => id);
    const created = [
      `Study subject number ${last}`,
      'Develop a task list',
      `Look at ${'abcdefgh'[last] ?? 'z'} closely`,
    ];
    return JSON.stringify({ new_tasks: created, order: ['n3', ...ids.reverse(), 'n1'], complete: last === 2 });
  };
}

describe('a run that was cut off', () => {
  it('after any event of a guarded run ends as if it never was, and buys no answer twice', async (t) => {
    await everyCut(t, { max_iterations: 2 }, stateless(), 1);
  });

  it('after any event of a classic run ends as if it never was, and buys no answer twice', async (t) => {
    const reply: NonNullable<ModelServerOptions['reply']> = ({ prompt }) => {
      const size = prompt.length;
      if (prompt.startsWith('Carry out')) return `Result of ${size}`;
      return prompt.startsWith('You are to create')
        ? `1. Task ${size}\n2. Other ${size}`
        : `1. Sorted ${size}\n7. Task ${size % 10}`;
    };
    await everyCut(t, { strategy: 'classic', sleepSeconds: 0, max_iterations: 3 }, reply, 5);
  });

  it('in a request books it at its worst case and asks once more', async (t) => {
    const whole = await oneRun(t, {
      server: { reply: stateless() },
      settings: { max_iterations: 1, synthesis: false },
    });
    const lines = readFileSync(join(whole.outcome.runDirectory, 'log', '000001.jsonl'), 'utf8')
      .trimEnd()
      .split('\n');
    const reserved = lines.findIndex((line) => line.includes('"type":"call.reserved"'));
    const host = testHost(whole.server.url);
    t.after(() => host.egress.close());
    const again = await resumed(t, cutCopy(whole.outcome.runDirectory, lines, reserved + 1), host);
    const [first, second] = [...again.state.calls.values()];
    assert.deepEqual(
      [first?.status, first?.error?.class, first?.cost === first?.reserved],
      ['held', 'interrupted_by_crash', true],
    );
    assert.deepEqual([second?.status, second?.step, second?.attempt], ['settled', first?.step, 2]);
  });

  it('three times in the same request is put in quarantine', async (t) => {
    const whole = await oneRun(t, {
      server: { reply: stateless() },
      settings: { max_iterations: 1, synthesis: false },
    });
    const host = testHost(whole.server.url);
    t.after(() => host.egress.close());
    let folder = whole.outcome.runDirectory;
    for (let crash = 1; ; crash++) {
      const segment = `${String(crash).padStart(6, '0')}.jsonl`;
      const lines = readFileSync(join(folder, 'log', segment), 'utf8')
        .trimEnd()
        .split('\n');
      const reserved = lines.findIndex((line) => line.includes('"type":"call.reserved"'));
      if (reserved < 0) break;
      assert.ok(crash <= 3, 'it was asked a fourth time');
      writeFileSync(
        join(folder, 'log', segment),
        lines
          .slice(0, reserved + 1)
          .map((line) => `${line}\n`)
          .join(''),
      );
      const { outcome } = await resumed(t, folder, host, { byPerson: false });
      folder = outcome.runDirectory;
      assert.equal(outcome.stopReason, crash === 3 ? 'quarantined' : 'max_iterations');
    }
  });

  it('leaves a run alone that ended while its owner was waited for, unless a person asks', async (t) => {
    const { outcome, server } = await oneRun(t, { server: { reply: brain() }, settings: { max_iterations: 1 } });
    const before = server.requests.length;
    const host = testHost(server.url);
    t.after(() => host.egress.close());
    await assert.rejects(resumed(t, outcome.runDirectory, host, { byPerson: false, unlessEndedAfter: 0 }), {
      name: 'EngineError',
      reason: 'has_ended',
    });
    assert.equal(server.requests.length, before);
    assert.equal((await readRun(nodeDisk, outcome.runDirectory)).status, 'ended');
    const again = await resumed(t, outcome.runDirectory, host, { raise: { max_iterations: 2 } });
    assert.equal(again.outcome.iterations, 2);
  });
});
