import { join } from 'node:path';
import type { RunConfig } from '../run/config.ts';
import type { EventDraft, RunEvent } from '../run/events.ts';
import { type Clock, type RunLog, RunLost } from '../run/ports.ts';
import { apply } from '../run/fold.ts';
import type { RunState } from '../run/state.ts';
import { BUILD } from '../run/version.ts';
import { type Blob, extractBlobs } from './blob.ts';
import type { Disk, DiskFile } from './disk.ts';
import { type RunFolder, segmentFile } from './folder.ts';
import { asciiJson, formatLine } from './line.ts';
import type { Ownership } from './owner.ts';
import type { OwnerIdentity } from './owner-file.ts';
import type { LogEnd } from './reader.ts';

export interface WriterParts {
  readonly disk: Disk;
  readonly folder: RunFolder;
  readonly clock: Clock;
  readonly ownership: Ownership;
  readonly identity: OwnerIdentity;
  /** Replaces every secret in what is about to be written. */
  readonly redact: (draft: EventDraft) => EventDraft;
  readonly state: RunState;
  /** Where the log ends so far; null for a new run. */
  readonly end: LogEnd | null;
  readonly configSha256: string;
}

/** An answer that nothing follows becomes durable by itself after this long, milliseconds. */
const SETTLE_MS = 5;

interface Job {
  readonly lines: string;
  readonly blobs: readonly Blob[];
  readonly events: readonly RunEvent[];
}

/**
 * The only writer of run history. Appended batches are applied to the state at once and written in order by one chain of
 * asynchronous writes; a barrier is a sync behind everything appended before it, then a look for a newer owner. After
 * any error of the disk nothing is written any more and every barrier fails, so nothing further is sent.
 */
export class LogWriter implements RunLog {
  readonly state: RunState;
  private readonly parts: WriterParts;
  private readonly file: DiskFile;
  private readonly startedAt: number;
  private readonly listeners = new Set<(event: RunEvent) => void>();
  private readonly observers = new Set<(event: RunEvent) => void>();
  private hash: string;
  private queue: Job[] = [];
  private chain: Promise<void> = Promise.resolve();
  private failure: RunLost | null = null;
  private unsynced = false;
  private settleTimer: NodeJS.Timeout | null = null;
  private drainTimer: NodeJS.Immediate | null = null;
  private closed = false;

  private constructor(parts: WriterParts, file: DiskFile) {
    this.parts = parts;
    this.file = file;
    this.state = parts.state;
    this.hash = parts.end?.hash ?? '0'.repeat(64);
    this.startedAt = parts.clock.monotonic();
  }

  /** Opens the next segment, whose first event says what it builds on. The parts' state must be the fold up to there. */
  static async open(parts: WriterParts): Promise<LogWriter> {
    const { disk, folder, ownership, end } = parts;
    await disk.makeDirectory(folder.log);
    // An owner that was killed leaves bytes that a power cut could still take from under this segment.
    if (end !== null) await disk.syncFile(segmentFile(folder, end.segment));
    const file = await disk.create(segmentFile(folder, ownership.number));
    try {
      await disk.syncDirectory(folder.log);
      const writer = new LogWriter(parts, file);
      if (end === null) writer.append({ type: 'run.created', config_sha256: parts.configSha256, format_version: 1 });
      writer.append({
        type: 'epoch.opened',
        owner: parts.identity,
        version: BUILD,
        previous: end && { segment: end.segment, cut_at: end.cutAt, tail_bytes: end.tailBytes, tail: end.tail },
      });
      await writer.barrier();
      return writer;
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
  }

  get config(): RunConfig {
    return this.state.config;
  }

  activeMs(): number {
    return this.state.earlierMs + this.elapsed();
  }

  append(...drafts: EventDraft[]): void {
    if (this.failure) throw this.failure;
    if (this.closed) throw new RunLost('log_failed', (translated) => translated('The run log is closed.'));
    if (drafts.length === 0) return;
    const { clock, redact, ownership } = this.parts;
    const ts = new Date(clock.now()).toISOString();
    const mono_ms = this.elapsed();
    const events: RunEvent[] = [];
    const blobs: Blob[] = [];
    let lines = '';
    drafts.forEach((draft, index) => {
      const last = index === drafts.length - 1;
      const envelope = { v: 1 as const, seq: this.state.lastSeq + 1, epoch: ownership.number };
      const rest = { ts, mono_ms, run_id: this.config.run_id, ...(last ? {} : { more: true as const }) };
      const clean = redact(draft);
      const event: RunEvent = { ...envelope, ...clean, ...rest };
      apply(this.state, event);
      for (const observe of this.observers) observe(event);
      const extracted = extractBlobs(event);
      const { line, hash } = formatLine(this.hash, asciiJson(extracted.slim));
      this.hash = hash;
      lines += line;
      blobs.push(...extracted.blobs);
      events.push(event);
    });
    this.queue.push({ lines, blobs, events });
    this.drainSoon();
    if (drafts.some(({ type }) => type === 'call.settled' || type === 'run.ended')) this.syncSoon();
  }

  async barrier(): Promise<void> {
    this.chain = this.chain.then(() => this.drain()).then(() => this.sync());
    await this.chain;
    if (this.failure) throw this.failure;
    let isOwner: boolean;
    try {
      isOwner = await this.parts.ownership.isHighest();
    } catch (error) {
      throw this.fail(error);
    }
    if (!isOwner)
      throw (this.failure ??= new RunLost('not_owner', (translated) =>
        translated('Another process took the run over.'),
      ));
  }

  /** The writer of the next segment, where this one's cannot be written any more; whoever listened goes on listening. */
  async successor(ownership: Ownership, state: RunState, end: LogEnd | null): Promise<LogWriter> {
    const next = await LogWriter.open({ ...this.parts, ownership, state, end });
    for (const listener of this.listeners) next.subscribe(listener);
    return next;
  }

  subscribe(listener: (event: RunEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Called in the same tick as the state changes, for projections that the loop itself reads. */
  observe(observer: (event: RunEvent) => void): void {
    this.observers.add(observer);
  }

  /** Writes what is queued and closes the segment. Safe to call twice. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    if (this.settleTimer) clearTimeout(this.settleTimer);
    this.chain = this.chain.then(() => this.drain()).then(() => this.sync());
    await this.chain;
    await this.file.close().catch(() => {});
    await this.parts.ownership.release();
  }

  /** What stopped the writing, if anything did. */
  get lost(): RunLost | null {
    return this.failure;
  }

  private elapsed(): number {
    return Math.max(0, Math.round(this.parts.clock.monotonic() - this.startedAt));
  }

  /** What is appended in one turn of the event loop is written with one call. */
  private drainSoon(): void {
    this.drainTimer ??= setImmediate(() => {
      this.drainTimer = null;
      this.chain = this.chain.then(() => this.drain());
    });
  }

  /** Writes all that is queued with one call, blobs first, then tells the listeners. */
  private async drain(): Promise<void> {
    const jobs = this.queue;
    if (jobs.length === 0 || this.failure) return;
    this.queue = [];
    try {
      for (const { blobs } of jobs) for (const blob of blobs) await this.writeBlob(blob);
      this.unsynced = true;
      await this.file.write(Buffer.from(jobs.map(({ lines }) => lines).join(''), 'latin1'));
    } catch (error) {
      this.fail(error);
      return;
    }
    for (const { events } of jobs) for (const event of events) for (const listener of this.listeners) listener(event);
  }

  private async writeBlob(blob: Blob): Promise<void> {
    const { disk, folder } = this.parts;
    await disk.makeDirectory(folder.blobs);
    await disk.replace(join(folder.blobs, blob.sha256), blob.content);
  }

  private async sync(): Promise<void> {
    if (!this.unsynced || this.failure) return;
    try {
      this.unsynced = false;
      await this.file.sync();
    } catch (error) {
      this.fail(error);
    }
  }

  private syncSoon(): void {
    this.settleTimer ??= setTimeout(() => {
      this.settleTimer = null;
      this.chain = this.chain.then(() => this.drain()).then(() => this.sync());
    }, SETTLE_MS);
  }

  private fail(error: unknown): RunLost {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return (this.failure ??= new RunLost(
      'log_failed',
      (translated) => translated('The run log cannot be written ({0}).', code),
      code,
    ));
  }
}
