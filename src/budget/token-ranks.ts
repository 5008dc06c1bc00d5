import { readFile } from 'node:fs/promises';

// Indexes are in bounds by construction here, so typed-array reads are asserted, not checked.

const MAGIC = 'BPE1';
const MAX_RANKS = 2 ** 18 - 1;
const RANK_BITS = MAX_RANKS;
/** Values of two bytes. */
const PAIRS = 2 ** 16;

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
 * The tokens of one encoding with their ranks. The tokens that begin with the same two bytes are a group, and each group is an
 * open-addressing hash table, made when a token of it is first looked for: few texts need more than a tenth of them. A
 * slot holds 14 bits of the hash and rank + 1; 0 is an empty slot.
 */
export class RankTable {
  /** Source of the regular expression (flags `gu`) that splits text into pieces before merging. */
  readonly pattern: string;
  readonly #tokens: Uint8Array;
  /** Where token r starts; one more entry than there are tokens. */
  readonly #offsets: Uint32Array;
  /** Ranks by group, and where in them each group starts; one more entry than there are groups. */
  readonly #grouped: Uint32Array;
  readonly #groupStarts = new Uint32Array(PAIRS + 1);
  /** Two for each token: those of a group lie together, at twice its place. */
  readonly #slots: Uint32Array;
  readonly #isMade = new Uint8Array(PAIRS);

  private constructor(pattern: string, tokens: Uint8Array, lengths: Uint8Array) {
    this.pattern = pattern;
    this.#tokens = tokens;
    const count = lengths.length;
    const offsets = new Uint32Array(count + 1);
    const ends = new Uint32Array(PAIRS);
    for (let rank = 0, offset = 0; rank < count; rank++) {
      offsets[rank] = offset;
      ends[groupOf(tokens, offset, offset + lengths[rank]!)]!++;
      offset += lengths[rank]!;
      offsets[rank + 1] = offset;
    }
    for (let group = 0; group < PAIRS; group++) {
      this.#groupStarts[group + 1] = this.#groupStarts[group]! + ends[group]!;
      ends[group] = this.#groupStarts[group]!;
    }
    const grouped = new Uint32Array(count);
    for (let rank = 0; rank < count; rank++) {
      const group = groupOf(tokens, offsets[rank]!, offsets[rank + 1]!);
      grouped[ends[group]!++] = rank;
    }
    this.#offsets = offsets;
    this.#grouped = grouped;
    this.#slots = new Uint32Array(2 * count);
  }

  /** Reads a file that scripts/build-ranks.mjs wrote. Throws RankFileError. */
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
    return table;
  }

  /** Rank of the token bytes[start, end), or -1. `hash` is hashBytes of the same range. */
  rankOf(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const length = end - start;
    const tag = hash & ~RANK_BITS;
    const group = groupOf(bytes, start, end);
    if (this.#isMade[group] === 0) this.#make(group);
    const from = 2 * this.#groupStarts[group]!;
    const to = 2 * this.#groupStarts[group + 1]!;
    if (from === to) return -1;
    for (let slot = from + placeOf(hash, to - from); ; slot = slot + 1 === to ? from : slot + 1) {
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

  #make(group: number): void {
    this.#isMade[group] = 1;
    const first = this.#groupStarts[group]!;
    const last = this.#groupStarts[group + 1]!;
    for (let index = first; index < last; index++) {
      const rank = this.#grouped[index]!;
      const hash = hashBytes(this.#tokens, this.#offsets[rank]!, this.#offsets[rank + 1]!);
      let slot = 2 * first + placeOf(hash, 2 * (last - first));
      while (this.#slots[slot] !== 0) slot = slot + 1 === 2 * last ? 2 * first : slot + 1;
      this.#slots[slot] = (hash & ~RANK_BITS) | (rank + 1);
    }
  }
}

/** The first two bytes; of a token of one byte, as if it went on with 0. */
function groupOf(bytes: Uint8Array, start: number, end: number): number {
  return (bytes[start]! << 8) | (end - start > 1 ? bytes[start + 1]! : 0);
}

/** A place among so many by the low bits of a hash: the high ones are in the slot. */
function placeOf(hash: number, places: number): number {
  return Math.floor(((hash & 0xffff) * places) / 0x10000);
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
