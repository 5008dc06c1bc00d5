import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { readRun } from '../../src/engine/read.ts';
import { resumeRun } from '../../src/engine/resume.ts';
import { startRun } from '../../src/engine/start.ts';
import type { RunConfig } from '../../src/run/config.ts';
import type { EventDraft, RunEvent } from '../../src/run/events.ts';
import { fold } from '../../src/run/fold.ts';
import { initialState } from '../../src/run/state.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { runFolder, segmentFile } from '../../src/runlog/folder.ts';
import { thisProcess } from '../../src/runlog/machine.ts';
import { Ownership } from '../../src/runlog/owner.ts';
import { type ReadLog, readLog } from '../../src/runlog/reader.ts';
import { LogWriter } from '../../src/runlog/writer.ts';
import { answered, makeConfig, task } from '../support/run-events.ts';
import { temporaryFolder, testSettings, testStart } from '../support/run-host.ts';
import { heir, impatientClock, LONG, steadyServer } from './fault-run.ts';
import { type Files, memoryDisk } from '../support/memory-disk.ts';

const FOLDER = runFolder('/run');
const LAST = 3;
/** Where a line has its hash. */
const HASH_AT = 21;

interface Line {
  readonly segment: number;
  readonly start: number;
  /** Behind the newline. */
  readonly end: number;
  readonly event: RunEvent;
}

/** A real run of three owners, each of which was gone in the middle of its work. */
let config: RunConfig;
let segments: Buffer[];
let lines: Line[];

before(async () => {
  const server = await steadyServer();
  const runs = temporaryFolder();
  const settings = testSettings(server.baseUrl, { max_iterations: 2, embeddingModel: null, checkpointEvery: 100 });
  const host = heir(server.url);
  let session = await startRun(settings, testStart(runs), host);
  const directory = session.folder.path;
  for (const iteration of [1, 2]) {
    await new Promise<void>((resolve) =>
      session.subscribe(
        (event) =>
          event.type === 'call.settled' && event.iteration === iteration && event.agent === 'execution' && resolve(),
      ),
    );
    await session.abandon();
    session = await resumeRun(directory, { raise: {}, byPerson: false }, host);
  }
  await session.done;
  host.egress.close();
  await server.close();
  config = (await readRun(nodeDisk, directory)).config;
  segments = [1, 2, LAST].map((number) => readFileSync(segmentFile(runFolder(directory), number)));
  rmSync(runs, { recursive: true });
  lines = segments.flatMap((bytes, index) => linesOf(bytes, index + 1));
});

function linesOf(bytes: Buffer, segment: number): Line[] {
  const found: Line[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0x0a, start) + 1;
    const { e: event } = JSON.parse(bytes.toString('utf8', start, end)) as { e: RunEvent };
    found.push({ segment, start, end, event });
    start = end;
  }
  return found;
}

function read(contents: readonly Buffer[]): Promise<ReadLog> {
  return readLog(memoryDisk(new Map(contents.map((bytes, index) => [segmentFile(FOLDER, index + 1), bytes]))), FOLDER);
}

/** Whatever was done to the bytes: the events are the first ones of the original, and make a state. */
function assertPrefix(log: ReadLog): void {
  assert.deepEqual(
    log.events,
    lines.slice(0, log.events.length).map(({ event }) => event),
  );
  assert.equal(fold(config, log.events).lastSeq, log.events.length);
}

/** The number of events of the first `whole` lines that are not in a batch that lacks its end. */
function complete(whole: number): number {
  let count = whole;
  while (lines[count - 1]?.event.more === true) count -= 1;
  return count;
}

/** Segments in which these lines, by index, are not as they were written. Damage, unless a power cut could have done it. */
function expectation(bad: readonly number[]): { events: number; damaged: boolean } {
  const [first = lines.length] = bad;
  const line = lines[first];
  if (!line) return { events: lines.length, damaged: false };
  const rest = lines.slice(first);
  const good = rest.filter((_, index) => !bad.includes(first + index) && line.segment === LAST);
  const reservedLater = new Set(rest.map(({ event }) => event.type === 'call.reserved' && event.call_id));
  const begins = line.event.type === 'epoch.opened' || line.event.type === 'run.created';
  const damaged =
    line.segment < LAST ||
    good.some(({ event }) =>
      begins
        ? event.type !== 'epoch.opened'
        : (event.type === 'call.settled' || event.type === 'call.held') && reservedLater.has(event.call_id),
    ) ||
    (begins && good.length === 0 && rest.length > 2);
  return { events: damaged ? first : complete(first), damaged };
}

function assertAsExpected(log: ReadLog, bad: readonly number[], what: string): void {
  const { events, damaged } = expectation(bad);
  assert.equal(log.damage !== null, damaged, `${what}: ${JSON.stringify(log.damage)}`);
  assert.equal(log.events.length, events, what);
}

function* positions(step: number): Iterable<{ segment: number; at: number; line: number }> {
  for (let index = 0; index < segments.length; index += 1) {
    const size = segments[index]?.length ?? 0;
    for (let at = 0; at < size; at += step) {
      yield {
        segment: index,
        at,
        line: lines.findIndex(({ segment, start, end }) => segment === index + 1 && start <= at && at < end),
      };
    }
  }
}

function withBytes(segment: number, change: (bytes: Buffer) => Buffer): Buffer[] {
  return segments.map((bytes, index) => (index === segment ? change(Buffer.from(bytes)) : bytes));
}

describe('a log cut at any byte', () => {
  it('gives the whole events before the cut, and calls the rest a torn tail', async () => {
    let cuts = 0;
    for (const { segment, at, line } of positions(1)) {
      const log = await read([...segments.slice(0, segment), segments[segment]?.subarray(0, at) ?? Buffer.alloc(0)]);
      assert.equal(log.damage, null, `segment ${segment + 1}, byte ${at}`);
      const opened = lines.findIndex((one) => one.segment === segment + 1);
      // Without a line of its own the segment counts for nothing.
      assert.equal(log.events.length, complete(line), `segment ${segment + 1}, byte ${at}`);
      assert.equal(log.end.segment, line === opened ? segment : segment + 1);
      const size = line === opened ? (segments[segment - 1]?.length ?? 0) : at;
      assert.equal(log.end.cutAt + log.end.tailBytes, size, `segment ${segment + 1}, byte ${at}`);
      if (cuts % 97 === 0) assertPrefix(log);
      cuts += 1;
    }
    console.log(`torn: ${cuts} cuts in ${segments.length} segments, 0 wrong`);
  });

  it('can be built on', async () => {
    const last = segments[LAST - 1] ?? Buffer.alloc(0);
    let built = 0;
    for (let at = 0; at < last.length; at += LONG ? 1 : 53) {
      const files: Files = new Map(segments.map((bytes, index) => [segmentFile(FOLDER, index + 1), bytes]));
      files.set(segmentFile(FOLDER, LAST), last.subarray(0, at));
      for (const number of [1, 2, 3]) files.set(`${FOLDER.owners}/00000${number}`, Buffer.from('!'));
      const disk = memoryDisk(files);
      const log = await readLog(disk, FOLDER);
      const writer = await open(files, fold(config, log.events as RunEvent[]), log);
      writer.append({ type: 'guidance.given', text: 'Go on.', by: 'user' });
      await writer.close();
      const after = await readLog(disk, FOLDER);
      assert.equal(after.damage, null, `cut at ${at}`);
      assert.equal(after.events.length, log.events.length + 2);
      assert.deepEqual(after.events.slice(0, log.events.length), log.events);
      built += 1;
    }
    console.log(`torn: built on ${built} of them`);
  });
});

describe('a log with wrong bytes', () => {
  it('is damaged where a line was durable, torn where it was the last write, and tells which', async () => {
    let flips = 0;
    let damaged = 0;
    for (const { segment, at, line } of positions(LONG ? 1 : 7)) {
      for (const bit of [1, 64]) {
        const log = await read(
          withBytes(segment, (bytes) => {
            bytes[at] = (bytes[at] ?? 0) ^ bit;
            return bytes;
          }),
        );
        const what = `bit ${bit} of byte ${at} in segment ${segment + 1}`;
        const { start = 0, end = 0 } = lines[line] ?? {};
        const flipped = String.fromCharCode((segments[segment]?.[at] ?? 0) ^ bit);
        if (at - start >= HASH_AT && at - start < HASH_AT + 64 && /[0-9a-f]/.test(flipped)) {
          // The line is whole, and does not follow the one before.
          assert.deepEqual([log.damage?.offset, log.events.length], [start, line], what);
        } else {
          const isGlued = at === end - 1 && lines[line + 1]?.segment === segment + 1;
          assertAsExpected(log, isGlued ? [line, line + 1] : [line], what);
        }
        flips += 1;
        if (log.damage) damaged += 1;
      }
    }
    console.log(`torn: ${flips} flipped bits, ${damaged} damage, ${flips - damaged} torn tail, 0 undetected`);
  });

  it('gives what is before a run of NULs', async () => {
    let tried = 0;
    for (const [first, { segment, start }] of lines.entries()) {
      for (const length of [1, 2, 3, 7, 64, 511, 512, 513, 4095, 4096]) {
        const size = segments[segment - 1]?.length ?? 0;
        const end = Math.min(size, start + length);
        const over = await read(withBytes(segment - 1, (bytes) => bytes.fill(0, start, end)));
        const bad = lines.flatMap((one, index) =>
          one.segment === segment && one.start < end && one.end > start ? [index] : [],
        );
        assertAsExpected(over, bad, `${length} NULs over line ${first}`);
        const between = await read(
          withBytes(segment - 1, (bytes) =>
            Buffer.concat([bytes.subarray(0, start), Buffer.alloc(length), bytes.subarray(start)]),
          ),
        );
        assertAsExpected(between, [first], `${length} NULs before line ${first}`);
        tried += 2;
      }
    }
    console.log(`torn: ${tried} runs of NULs, 0 wrong`);
  });

  it('gives what is before a line that is glued to half of another', async () => {
    for (const [index, { segment, start, end }] of lines.entries()) {
      const next = lines[index + 1];
      if (next?.segment !== segment) continue;
      const half = start + ((end - start) >> 1);
      const log = await read(
        withBytes(segment - 1, (bytes) => Buffer.concat([bytes.subarray(0, half), bytes.subarray(next.start)])),
      );
      assertAsExpected(log, [index, index + 1], `line ${index} glued`);
    }
  });

  it('is damaged by a byte order mark and by converted line ends', async () => {
    for (const index of [0, 1, 2]) {
      const marked = await read(withBytes(index, (bytes) => Buffer.concat([Buffer.from('\ufeff'), bytes])));
      assert.notEqual(marked.damage, null);
      assertPrefix(marked);
      const converted = await read(
        withBytes(index, (bytes) => Buffer.from(bytes.toString('latin1').replaceAll('\n', '\r\n'), 'latin1')),
      );
      assert.notEqual(converted.damage, null);
      assertPrefix(converted);
    }
  });

  it('is damaged where lines are missing, repeated or in another order, or a segment is gone', async () => {
    for (const [index, line] of lines.entries()) {
      const next = lines[index + 1];
      if (next?.segment !== line.segment) continue;
      const { start, end } = line;
      const pieces = (bytes: Buffer) =>
        [
          bytes.subarray(0, start),
          bytes.subarray(start, end),
          bytes.subarray(next.start, next.end),
          bytes.subarray(next.end),
        ] as const;
      const changes: ((bytes: Buffer) => Buffer)[] = [
        (bytes) => Buffer.concat([pieces(bytes)[0], pieces(bytes)[2], pieces(bytes)[3]]),
        (bytes) =>
          Buffer.concat([pieces(bytes)[0], pieces(bytes)[1], pieces(bytes)[1], pieces(bytes)[2], pieces(bytes)[3]]),
        (bytes) => Buffer.concat([pieces(bytes)[0], pieces(bytes)[2], pieces(bytes)[1], pieces(bytes)[3]]),
      ];
      for (const change of changes) {
        const log = await read(withBytes(line.segment - 1, change));
        assert.notEqual(log.damage, null, `line ${index}`);
        assertPrefix(log);
      }
    }
    const without = await readLog(
      memoryDisk(
        new Map([1, 3].map((number) => [segmentFile(FOLDER, number), segments[number - 1] ?? Buffer.alloc(0)])),
      ),
      FOLDER,
    );
    assert.equal(without.damage?.segment, 3);
    assert.ok(without.events.length > 0);
    assertPrefix(without);
  });

  it('is torn where only a line between a reservation and its outcome is bad: neither was behind a barrier', async () => {
    const files: Files = new Map();
    const writer = await open(files, initialState(makeConfig()), null);
    const [reserved, settled] = answered('c1', 'An answer.') as [EventDraft, EventDraft];
    for (const draft of [reserved, { type: 'guidance.given', text: 'Go on.', by: 'user' } as const, settled])
      writer.append(draft);
    await writer.close();
    const file = segmentFile(FOLDER, 1);
    const bytes = files.get(file) ?? Buffer.alloc(0);
    bytes[bytes.indexOf('Go on.')] = 0;
    const log = await readLog(memoryDisk(files), FOLDER);
    assert.equal(log.damage, null);
    assert.equal(log.events.at(-1)?.type, 'call.reserved');
    assert.equal(log.end.cutAt + log.end.tailBytes, bytes.length);
  });

  it('is not resumed where it is damaged, with a sentence that says where', async () => {
    const files: Files = new Map([[FOLDER.config, Buffer.from(JSON.stringify(config))]]);
    segments.forEach((bytes, index) =>
      files.set(segmentFile(FOLDER, index + 1), index === 1 ? bytes.subarray(3) : bytes),
    );
    const before = new Map(files);
    await assert.rejects(
      resumeRun(FOLDER.path, { raise: {}, byPerson: true }, heir('http://127.0.0.1:9', { disk: memoryDisk(files) })),
      {
        reason: 'damaged',
        message: /damaged in segment 2 at byte 0: .* can be looked at, not resumed/,
      },
    );
    for (const [path, bytes] of before) assert.equal(files.get(path), bytes);
  });
});

describe('texts that break lines elsewhere', () => {
  it('come back as they were, whatever they hold', async () => {
    const texts = [
      '\u2028 \u2029 \u0085 \u0000 \u007f',
      '\ud800 alone \udc00',
      '\r\n"}\n{"c":"',
      '\ufeff😀',
      'x'.repeat(8 * 2 ** 20),
    ];
    const files: Files = new Map();
    const writer = await open(files, initialState(makeConfig()), null);
    const drafts: EventDraft[] = [
      task('t1', texts[0] ?? ''),
      ...texts.flatMap((text, index) => answered(`c${index}`, text)),
    ];
    for (const draft of drafts) writer.append(draft);
    await writer.close();
    const log = await readLog(memoryDisk(files), FOLDER);
    assert.equal(log.damage, null);
    assert.deepEqual(
      log.events.flatMap((event) => (event.type === 'call.settled' ? [event.answer] : [])),
      texts,
    );
    const bytes = files.get(segmentFile(FOLDER, 1)) ?? Buffer.alloc(0);
    assert.ok(bytes.every((byte) => byte === 0x0a || (byte >= 0x20 && byte < 0x7f)));
    assert.ok(bytes.length < 2 ** 16, 'a large answer is not in the line');
  });
});

async function open(files: Files, state: ReturnType<typeof initialState>, log: ReadLog | null): Promise<LogWriter> {
  const disk = memoryDisk(files);
  const clock = impatientClock();
  const identity = thisProcess();
  const ownership = await Ownership.acquire(disk, FOLDER, identity, { isAlive: () => false }, clock);
  const end = log && log.end.seq > 0 ? log.end : null;
  return LogWriter.open({
    disk,
    folder: FOLDER,
    clock,
    ownership,
    identity,
    redact: (draft) => draft,
    state,
    end,
    configSha256: '0'.repeat(64),
  });
}
