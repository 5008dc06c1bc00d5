import { mergeBytes } from './token-merge.ts';
import { hashBytes, type RankTable } from './token-ranks.ts';
import { codePointStart, writeUtf8 } from './token-text.ts';

// Indexes are in bounds by construction here, so typed-array reads are asserted, not checked.

/** The regular expression engine runs out of stack in a match of some four million characters, so text goes through in windows. */
const WINDOW = 2 ** 20;
/** Bytes; pieces that may need more get a buffer of their own. */
const SCRATCH = 3 * 1024;
const CACHE_SLOTS = 4096;
const CACHE_KEY = 32;

/** Splits text into the pieces (words, numbers, white space) that an encoding never joins, and counts the tokens of each. */
export class PieceCounter {
  readonly #ranks: RankTable;
  readonly #pattern: RegExp;
  readonly #scratch = new Uint8Array(SCRATCH);
  // Counts of recent pieces that are several tokens: each slot holds the bytes, length and count of one piece.
  // Bytes rather than strings, because a piece of a large text would keep the whole of it in memory.
  readonly #cachedBytes = new Uint8Array(CACHE_SLOTS * CACHE_KEY);
  readonly #cachedLengths = new Uint8Array(CACHE_SLOTS);
  readonly #cachedCounts = new Uint8Array(CACHE_SLOTS);

  constructor(ranks: RankTable) {
    this.#ranks = ranks;
    this.#pattern = new RegExp(ranks.pattern, 'gu');
  }

  /** Calls `visit` with the token count and the end of each piece, in order, until it returns false. Must not be nested. */
  forEach(text: string, visit: (count: number, end: number) => boolean): void {
    for (let base = 0; base < text.length; ) {
      const limit = windowEnd(text, base);
      const part = base === 0 && limit === text.length ? text : text.slice(base, limit);
      this.#pattern.lastIndex = 0;
      for (let start = 0; this.#pattern.test(part); start = this.#pattern.lastIndex) {
        const end = this.#pattern.lastIndex;
        if (!visit(this.#count(part, start, end), base + end)) return;
      }
      base = limit;
    }
  }

  /** Where token number `wanted` (from 1) of a piece ends, or where the code point that it ends inside of starts; 0 for no token. */
  tokenEnd(piece: string, wanted: number): number {
    const bytes = Buffer.from(piece);
    const ends: number[] = [];
    mergeBytes(this.#ranks, bytes, bytes.length, ends);
    let end = ends[wanted - 1] ?? 0;
    while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end--;
    return bytes.toString('utf8', 0, end).length;
  }

  #count(text: string, start: number, end: number): number {
    const most = 3 * (end - start);
    const bytes = most <= SCRATCH ? this.#scratch : new Uint8Array(most);
    const length = writeUtf8(text, start, end, bytes);
    const hash = hashBytes(bytes, 0, length);
    if (this.#ranks.rankOf(bytes, 0, length, hash) !== -1) return 1;
    if (length > CACHE_KEY) return mergeBytes(this.#ranks, bytes, length);

    const slot = hash & (CACHE_SLOTS - 1);
    const key = slot * CACHE_KEY;
    if (this.#cachedLengths[slot] === length) {
      let same = 0;
      while (same < length && this.#cachedBytes[key + same] === bytes[same]) same++;
      if (same === length) return this.#cachedCounts[slot]!;
    }
    const count = mergeBytes(this.#ranks, bytes, length);
    for (let index = 0; index < length; index++) this.#cachedBytes[key + index] = bytes[index]!;
    this.#cachedLengths[slot] = length;
    this.#cachedCounts[slot] = count;
    return count;
  }
}

/** Where the window from `base` ends: between a letter or digit and white space, which no piece spans, if there is such a place. */
function windowEnd(text: string, base: number): number {
  const limit = base + WINDOW;
  if (limit >= text.length) return text.length;
  for (let end = limit; end > base; end--) {
    const code = text.charCodeAt(end);
    if ((code === 0x20 || code === 0x0a) && /[A-Za-z0-9]/.test(text.charAt(end - 1))) return end;
  }
  return codePointStart(text, limit);
}
