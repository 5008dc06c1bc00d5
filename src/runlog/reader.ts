import { join } from 'node:path';
import type { RunEvent, UnknownEvent } from '../run/events.ts';
import { isExactEvent } from '../run/exact.ts';
import { issueWords } from '../run/issue-words.ts';
import { jsonOrNull } from '../run/json.ts';
import { type Words, wordsOf } from '../run/translate.ts';
import { blobValue, namedBlobs } from './blob.ts';
import type { Disk } from './disk.ts';
import { type RunFolder, segmentFile } from './folder.ts';
import { bodyIn, chainHash, GENESIS_HASH, hashIn, isLine } from './line.ts';
import { pausing } from './pause.ts';

/** The first place where a log is not what was written. */
export interface Damage {
  readonly segment: number;
  /** Byte offset in the segment. */
  readonly offset: number;
  readonly what: Words;
}

export interface LogEnd {
  /** The last segment that counts, and how many of its bytes do. */
  readonly segment: number;
  readonly cutAt: number;
  readonly hash: string;
  readonly seq: number;
  readonly tailBytes: number;
  readonly tail: 'none' | 'torn' | 'incomplete_batch';
}

export interface ReadLog {
  readonly events: readonly (RunEvent | UnknownEvent)[];
  readonly end: LogEnd;
  /** The highest segment number in use, whether it counts or not. */
  readonly highestSegment: number;
  /** Set where a line in the middle is damaged: the run opens read-only, up to there. */
  readonly damage: Damage | null;
}

interface Segment {
  readonly number: number;
  readonly bytes: Buffer;
  readonly lines: readonly Line[];
  /** Where the first bad line begins, or the size. */
  readonly goodBytes: number;
  /** Whole lines that are bad, and good ones behind the first of them. */
  readonly bad: number;
  readonly stranded: readonly Line[];
}

/** Where in the bytes of its segment: `end` is behind the newline. */
interface Line {
  readonly start: number;
  readonly end: number;
}

/** More than an answer of the largest size makes. */
const MOST_BLOB_BYTES = 64 * 1024 * 1024;

/**
 * Reads a run's log: every line's form and checksum, the chain over all segments, the cuts that later owners made. A
 * torn tail is normal. Damage in the middle ends the events there and is reported. Throws only where the disk fails.
 */
export async function readLog(disk: Disk, folder: RunFolder): Promise<ReadLog> {
  const pause = pausing();
  const segments: Segment[] = [];
  for (const number of await segmentNumbers(disk, folder)) {
    segments.push(await readSegment(await disk.read(segmentFile(folder, number)), number, pause));
  }
  const highestSegment = segments.at(-1)?.number ?? 0;
  const events: (RunEvent | UnknownEvent)[] = [];
  let end: LogEnd = { segment: 0, cutAt: 0, hash: GENESIS_HASH, seq: 0, tailBytes: 0, tail: 'none' };
  const stop = (segment: number, offset: number, what: Words): ReadLog => ({
    events,
    end,
    highestSegment,
    damage: { segment, offset, what },
  });

  const path = chosenSegments(segments);
  for (const [index, { segment, cutAt }] of path.entries()) {
    const isLast = index === path.length - 1;
    const limit = cutAt ?? segment.goodBytes;
    let offset = 0;
    for (const line of segment.lines) {
      if (line.end > limit) break;
      const body = bodyOf(segment, line);
      const hash = chainHash(end.hash, body);
      if (hash !== hashIn(segment.bytes, line.start))
        return stop(segment.number, offset, (translated) => translated('the hash chain does not fit'));
      const record = jsonOrNull(body);
      const event = isExactEvent(record) ? record : await inexactEvent(disk, folder, record);
      if (typeof event === 'function') return stop(segment.number, offset, event);
      if (event.seq !== end.seq + 1) return stop(segment.number, offset, outOfOrder(event.seq, end.seq));
      events.push(event);
      end = { segment: segment.number, cutAt: line.end, hash, seq: event.seq, tailBytes: 0, tail: 'none' };
      offset = line.end;
      const turn = pause();
      if (turn) await turn;
    }
    if (offset !== limit)
      return stop(segment.number, offset, (translated) =>
        translated('the part that a later segment builds on is damaged'),
      );
    if (isLast && wasDurable(segment, events))
      return stop(segment.number, offset, (translated) => translated('a line that was there whole is damaged'));
    const tailBytes = segment.bytes.length - limit;
    end = { ...end, tailBytes, tail: tailBytes > 0 ? 'torn' : 'none' };
  }
  return { events, end: withoutOpenBatch(events, end, segments), highestSegment, damage: null };
}

/** Walks back from the newest segment over the ones it builds on; a segment that none builds on holds nothing that counts. */
function chosenSegments(segments: readonly Segment[]): { segment: Segment; cutAt: number | null }[] {
  const byNumber = new Map(segments.map((segment) => [segment.number, segment]));
  const path: { segment: Segment; cutAt: number | null }[] = [];
  let segment = segments.findLast((one) => one.lines.length > 0 || wasDurable(one, []));
  let cutAt: number | null = null;
  while (segment) {
    path.unshift({ segment, cutAt });
    const { number, lines } = segment;
    const previous = previousOf(segment);
    const named: Segment | undefined = previous ? byNumber.get(previous.segment) : undefined;
    // Where that line is damaged or its segment is gone, the run is read-only, but what is below can still be seen.
    const isBroken = lines.length === 0 || (previous !== null && !named);
    const below = isBroken ? segments.findLast((one) => one.number < number && one.lines.length > 0) : named;
    if (below && below.number >= segment.number) break;
    segment = below;
    cutAt = named ? (previous?.cut_at ?? null) : null;
  }
  return path;
}

/**
 * Whether the good lines behind a bad one show that the bad one was durable once: then it is damage. Otherwise a power cut
 * took some of the last writes and not others, which is a torn tail like any. Two things happen only behind a barrier: a
 * call has an outcome, and anything at all follows `epoch.opened`. So a segment without a good line that has more lines than
 * the first write is damaged too, as where its line ends were converted.
 */
function wasDurable(segment: Segment, before: readonly (RunEvent | UnknownEvent)[]): boolean {
  if (segment.stranded.length === 0) return segment.lines.length === 0 && segment.bad > FIRST_WRITE;
  const isOpened = segment.lines.slice(0, 2).some((line) => field(bodyOf(segment, line), 'type') === 'epoch.opened');
  const reserved = new Set(before.map((event) => (event.type === 'call.reserved' ? event.call_id : null)));
  return segment.stranded.some((line) => {
    const body = bodyOf(segment, line);
    const type = field(body, 'type');
    if (!isOpened) return type !== 'epoch.opened';
    return OUTCOMES.has(type) && !reserved.has(field(body, 'call_id'));
  });
}

/** `run.created` and `epoch.opened`. */
const FIRST_WRITE = 2;
const OUTCOMES: ReadonlySet<string | null> = new Set(['call.settled', 'call.held', 'call.released']);

function bodyOf({ bytes }: Segment, { start, end }: Line): string {
  return bodyIn(bytes, start, end - 1);
}

function field(body: string, name: string): string | null {
  const value = (jsonOrNull(body) as Readonly<Record<string, unknown>> | null)?.[name];
  return typeof value === 'string' ? value : null;
}

function previousOf(segment: Segment): { segment: number; cut_at: number } | null {
  const [first] = segment.lines;
  const event = first ? jsonOrNull(bodyOf(segment, first)) : null;
  const previous = isRecord(event) && event['type'] === 'epoch.opened' ? event['previous'] : null;
  if (!isRecord(previous)) return null;
  const { segment: number, cut_at } = previous;
  return Number.isSafeInteger(number) && Number.isSafeInteger(cut_at)
    ? { segment: Number(number), cut_at: Number(cut_at) }
    : null;
}

/** A batch whose last event is missing was never acknowledged: it goes, as if it had not been written. */
function withoutOpenBatch(events: (RunEvent | UnknownEvent)[], end: LogEnd, segments: readonly Segment[]): LogEnd {
  let open = 0;
  while (open < events.length && isOpen(events[events.length - 1 - open])) open++;
  if (open === 0) return end;
  const segment = segments.find(({ number }) => number === end.segment);
  const at = (segment?.lines.findIndex((line) => line.end === end.cutAt) ?? -1) - open;
  const last = segment?.lines[at];
  // A batch never spans segments, and its segment's first event is never in one.
  if (!last) return end;
  events.splice(events.length - open, open);
  return {
    ...end,
    cutAt: last.end,
    hash: hashIn(segment.bytes, last.start),
    seq: end.seq - open,
    tailBytes: end.tailBytes + (end.cutAt - last.end),
    tail: 'incomplete_batch',
  };
}

function isOpen(event: RunEvent | UnknownEvent | undefined): boolean {
  return event !== undefined && event.type !== 'unknown' && event.more === true;
}

async function segmentNumbers(disk: Disk, folder: RunFolder): Promise<number[]> {
  const names = await disk.list(folder.log);
  return names
    .flatMap((name) => /^(\d{6})\.jsonl$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

async function readSegment(bytes: Buffer, number: number, pause: ReturnType<typeof pausing>): Promise<Segment> {
  const lines: Line[] = [];
  const stranded: Line[] = [];
  let start = 0;
  let firstBad: number | null = null;
  let bad = 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf(0x0a, start);
    const isWhole = newline >= 0 && isLine(bytes, start, newline);
    if (isWhole) (firstBad === null ? lines : stranded).push({ start, end: newline + 1 });
    else firstBad ??= start;
    if (newline < 0) break;
    if (!isWhole) bad += 1;
    start = newline + 1;
    const turn = pause();
    if (turn) await turn;
  }
  return { number, bytes, lines, goodBytes: firstBad ?? bytes.length, bad, stranded };
}

function outOfOrder(seq: number, after: number): Words {
  return (translated) => translated('event {0} follows event {1}', seq, after);
}

/** An event that names blobs, with these put back, or one that has more than its schema; else a sentence on what is wrong. */
async function inexactEvent(disk: Disk, folder: RunFolder, record: unknown): Promise<RunEvent | UnknownEvent | Words> {
  if (!isRecord(record)) return (translated) => translated('the body is not a JSON object');
  for (const [key, sha256] of namedBlobs(record)) {
    try {
      record[key] = blobValue(sha256, await disk.read(join(folder.blobs, sha256), MOST_BLOB_BYTES));
    } catch (error) {
      return (translated) => translated('blob {0} cannot be read: {1}', sha256, wordsOf(error, translated));
    }
  }
  if (isExactEvent(record)) return record;
  // Schemas are read where they are needed: they take longer than a whole log.
  const { isKnownType, RunEvent } = await import('../run/events.ts');
  const event = RunEvent.safeParse(record, { reportInput: true });
  if (event.success) return event.data;
  const { type, seq } = record;
  if (typeof type === 'string' && typeof seq === 'number' && !isKnownType(type))
    return { type: 'unknown', seq, raw: record };
  const { error } = event;
  return (translated) => translated('the event is malformed: {0}', issueWords(error, translated));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
