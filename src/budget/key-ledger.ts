import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeyLedger } from '../run/ports.ts';
import { nodeDisk } from '../runlog/disk.ts';
import { formatUsd, MAX_USD, type Pico, picoFromUsd, usdFromPico } from './money.ts';

export class KeyLedgerError extends Error {
  readonly reason: 'unwritable' | 'damaged';
  constructor(reason: KeyLedgerError['reason'], message: string) {
    super(message);
    this.name = 'KeyLedgerError';
    this.reason = reason;
  }
}

export interface KeyLedgerFileParts {
  /** Outside every workspace, so that no repository can bring one along and no roll-back takes one away. */
  readonly directory: string;
  /** The key, read anew for every reservation; without one nothing is counted. */
  readonly key: () => Promise<string | null>;
  readonly limitPerDay: Pico;
  /** Wall clock, milliseconds since 1970; the day is that of UTC. */
  readonly now: () => number;
}

/** One line: `reserved` with the limit that its writer goes by, or the outcome of an earlier one. Amounts are US dollars. */
type Line = Reservation | { readonly type: 'settled' | 'held' | 'released'; readonly id: string; readonly usd: number };
interface Reservation {
  readonly type: 'reserved';
  readonly id: string;
  readonly usd: number;
  readonly limit_usd: number;
}

/**
 * A ledger that processes share without a lock: one file for each key and UTC day, to which every line is added by one
 * O_APPEND write. Whoever reserves appends, syncs, then reads the file, and is admitted if what the lines before left
 * free is enough: the order of the file decides, and is the same for all. A reservation without an outcome counts in
 * full, as does one whose process died. A torn line was never synced, so nothing was sent for it.
 */
export class KeyLedgerFile implements KeyLedger {
  readonly limit: string;
  readonly limitPerDay: Pico;
  private readonly parts: KeyLedgerFileParts;
  /** Call ids are unique within a run only. */
  private readonly prefix = randomUUID();
  private readonly admitted = new Map<string, string>();
  private book: Book | null = null;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(parts: KeyLedgerFileParts) {
    this.parts = parts;
    this.limitPerDay = parts.limitPerDay;
    this.limit = `the limit of ${formatUsd(parts.limitPerDay)} a day (UTC) for this API key`;
  }

  async reserve(amount: Pico, callId: string): Promise<{ admitted: boolean; free: Pico }> {
    const { key, directory, now, limitPerDay } = this.parts;
    const secret = await key();
    if (secret === null) return { admitted: true, free: limitPerDay };
    const path = join(directory, `${fingerprint(secret)}-${new Date(now()).toISOString().slice(0, 10)}.jsonl`);
    const decided = this.turn.then(() => this.reserveIn(path, amount, callId));
    this.turn = decided.catch(() => {});
    return decided;
  }

  async settle(callId: string, outcome: 'settled' | 'held' | 'released', cost: Pico): Promise<void> {
    const path = this.admitted.get(callId);
    if (path === undefined) return;
    this.admitted.delete(callId);
    try {
      const file = await open(path, 'a');
      try {
        await appended(file, { type: outcome, id: `${this.prefix}/${callId}`, usd: usdFromPico(cost) });
      } finally {
        await file.close();
      }
    } catch {
      // Without an outcome the reservation counts in full.
    }
  }

  private async reserveIn(path: string, amount: Pico, callId: string): Promise<{ admitted: boolean; free: Pico }> {
    const { directory } = this.parts;
    const id = `${this.prefix}/${callId}`;
    const line: Reservation = {
      type: 'reserved',
      id,
      usd: usdFromPico(amount),
      limit_usd: usdFromPico(this.parts.limitPerDay),
    };
    try {
      await nodeDisk.makeDirectory(directory);
      const file = await open(path, 'a+', 0o600);
      try {
        await appended(file, line);
        await file.datasync();
        if (this.book?.path !== path) {
          // The first line of the day may have made the file: it must still be found after a power cut.
          await nodeDisk.syncDirectory(directory);
          this.book = new Book(path);
        }
        const free = await this.book.readUntil(file, id);
        if (free === null)
          throw new KeyLedgerError(
            'damaged',
            `A line that was just added to ${path} is not there: another program changes the file.`,
          );
        if (amount <= free) this.admitted.set(callId, path);
        return { admitted: amount <= free, free };
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof KeyLedgerError) throw error;
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
      throw new KeyLedgerError(
        'unwritable',
        `The spending ledger of this API key cannot be written at ${path} (${code}): mend it, or run without a limit for the key.`,
      );
    }
  }
}

/** The sum of a ledger file, carried on from where the last look ended. */
class Book {
  readonly path: string;
  private position = 0;
  private sum: Pico = 0n;
  private readonly amounts = new Map<string, Pico>();

  constructor(path: string) {
    this.path = path;
  }

  /** Adds up what is new. What was free, by its own limit, before the reservation of that id; null where it is not there. */
  async readUntil(file: FileHandle, id: string): Promise<Pico | null> {
    const { size } = await file.stat();
    if (size < this.position)
      throw new KeyLedgerError('damaged', `${this.path} became shorter: another program changes the file.`);
    const bytes = Buffer.alloc(size - this.position);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, this.position);
    const complete = bytes.subarray(0, bytes.subarray(0, bytesRead).lastIndexOf(0x0a) + 1);
    this.position += complete.length;
    let found: Pico | null = null;
    for (const text of complete.toString('utf8').split('\n')) {
      const line = lineOf(text);
      if (line === null) continue;
      const free = this.add(line);
      if (line.id === id) found = free;
    }
    return found;
  }

  /** What was free before the line; 0 for an outcome. A reservation that did not fit was refused and never counts. */
  private add(line: Line): Pico {
    const amount = picoFromUsd(line.usd);
    const open = this.amounts.get(line.id);
    if (line.type === 'reserved') {
      const free = picoFromUsd(line.limit_usd) - this.sum;
      if (open === undefined && amount <= free) {
        this.amounts.set(line.id, amount);
        this.sum += amount;
      }
      return free;
    }
    if (open !== undefined) {
      this.amounts.delete(line.id);
      this.sum += amount - open;
    }
    return 0n;
  }
}

/** A newline on both sides: a line that another process tore does not swallow this one. */
async function appended(file: FileHandle, line: Line): Promise<void> {
  const bytes = Buffer.from(`\n${JSON.stringify(line)}\n`);
  const { bytesWritten } = await file.write(bytes);
  if (bytesWritten < bytes.length) throw Object.assign(new Error('short write'), { code: 'ENOSPC' });
}

function lineOf(text: string): Line | null {
  if (text === '') return null;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    const { type, id, usd, limit_usd } = value as Record<string, unknown>;
    if (typeof id !== 'string' || !isAmount(usd)) return null;
    if (type === 'reserved') return isAmount(limit_usd) ? { type, id, usd, limit_usd } : null;
    return type === 'settled' || type === 'held' || type === 'released' ? { type, id, usd } : null;
  } catch {
    return null;
  }
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_USD;
}

/** Tells keys apart without telling anything about them: a key has far too many bits to be found from it. */
function fingerprint(key: string): string {
  return createHash('sha256').update(`babyagi key ledger\0${key}`).digest('hex').slice(0, 32);
}
