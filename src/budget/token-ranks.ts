import { readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';

// Indexes are in bounds by construction here, so typed-array reads are asserted, not checked.

const MAGIC = 'BPE1';
const MAX_RANKS = 2 ** 18 - 1;
const RANK_BITS = MAX_RANKS;
const RANKS_PER_TURN = 32_768;

/** The rank file could not be used. `missing`: it cannot be read; `damaged`: its content is not a rank file. */
export class RankFileError extends Error {
  readonly reason: 'missing' | 'damaged';

  constructor(reason: 'missing' | 'damaged', path: string, detail: string, cause?: unknown) {
    super(`Token ranks ${path} are ${reason}: ${detail}. Install the extension again.`, { cause });
    this.name = 'RankFileError';
    this.reason = reason;
  }
}

/**
 * The tokens of one encoding with their ranks: an open-addressing hash table over the bytes of the rank file.
 * A slot holds 14 bits of the hash and rank + 1; 0 is an empty slot.
 */
export class RankTable {
  /** Source of the regular expression (flags `gu`) that splits text into pieces before merging. */
  readonly pattern: string;
  readonly #tokens: Uint8Array;
  /** Where token r starts; one more entry than there are tokens. */
  readonly #offsets: Uint32Array;
  readonly #slots: Uint32Array;
  readonly #mask: number;

  private constructor(pattern: string, tokens: Uint8Array, lengths: Uint8Array) {
    this.pattern = pattern;
    this.#tokens = tokens;
    this.#offsets = new Uint32Array(lengths.length + 1);
    for (let rank = 0; rank < lengths.length; rank++) {
      this.#offsets[rank + 1] = this.#offsets[rank]! + lengths[rank]!;
    }
    this.#mask = 2 ** Math.ceil(Math.log2(lengths.length * 2)) - 1;
    this.#slots = new Uint32Array(this.#mask + 1);
  }

  /** Reads a file that scripts/build-ranks.mjs wrote. Works in slices, so that the event loop is not held up. */
  static async load(path: string): Promise<RankTable> {
    let file: Buffer;
    try {
      file = await readFile(path);
    } catch (error) {
      throw new RankFileError('missing', path, 'the file cannot be read', error);
    }
    const { pattern, count, start } = readHeader(path, file);
    const lengths = file.subarray(start, start + count);
    const tokens = file.subarray(start + count);
    const table = new RankTable(pattern, tokens, lengths);
    if (lengths.includes(0) || table.#offsets[count] !== tokens.length) {
      throw new RankFileError('damaged', path, 'its size does not fit its header');
    }
    for (let rank = 0; rank < count; rank += RANKS_PER_TURN) {
      table.#insert(rank, Math.min(rank + RANKS_PER_TURN, count));
      await nextTurn();
    }
    return table;
  }

  /** Rank of the token bytes[start, end), or -1. `hash` is hashBytes of the same range. */
  rankOf(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const length = end - start;
    const tag = hash & ~RANK_BITS;
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const entry = this.#slots[slot]!;
      if (entry === 0) return -1;
      if ((entry & ~RANK_BITS) !== tag) continue;
      const rank = (entry & RANK_BITS) - 1;
      const offset = this.#offsets[rank]!;
      if (this.#offsets[rank + 1]! - offset !== length) continue;
      let same = 0;
      while (same < length && this.#tokens[offset + same] === bytes[start + same]) same++;
      if (same === length) return rank;
    }
  }

  #insert(from: number, to: number): void {
    for (let rank = from; rank < to; rank++) {
      const hash = hashBytes(this.#tokens, this.#offsets[rank]!, this.#offsets[rank + 1]!);
      let slot = hash & this.#mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = (hash & ~RANK_BITS) | (rank + 1);
    }
  }
}

/** FNV-1a of bytes[start, end), 32 bits, mixed once more because slots use the low bits and tags the high ones. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
  return hash ^ (hash >>> 15);
}

function readHeader(path: string, file: Buffer): { pattern: string; count: number; start: number } {
  if (file.length < 8 || file.toString('latin1', 0, 4) !== MAGIC) {
    throw new RankFileError('damaged', path, `it does not start with ${MAGIC}`);
  }
  const start = 8 + file.readUInt32LE(4);
  let header: unknown;
  try {
    header = JSON.parse(file.toString('utf8', 8, start));
  } catch (error) {
    throw new RankFileError('damaged', path, 'its header is not JSON', error);
  }
  const { pattern, count } = (header ?? {}) as { pattern?: unknown; count?: unknown };
  if (typeof pattern !== 'string' || typeof count !== 'number' || !(count > 0 && count <= MAX_RANKS)) {
    throw new RankFileError('damaged', path, 'its header lacks a pattern or a count');
  }
  return { pattern, count, start };
}
