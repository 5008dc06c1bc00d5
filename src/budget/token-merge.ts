import { hashBytes, type RankTable } from './token-ranks.ts';

// Indexes are in bounds by construction here, so typed-array reads are asserted, not checked.

/** Above any rank: the pair is no token. */
const NO_RANK = 0x7fffffff;
/** Heap entries are rank * SCALE + start: both fit in the 53 bits of a number. */
const SCALE = 2 ** 32;
/** Up to here scanning all pairs for the lowest rank is faster than keeping a heap. */
const SCAN_LIMIT = 96;

const scanStarts = new Int32Array(SCAN_LIMIT + 1);
const scanRanks = new Int32Array(SCAN_LIMIT + 1);

/**
 * Byte-pair encoding of bytes[0, length): joins the adjacent pair of lowest rank, leftmost first, until no pair is a token.
 * Returns the number of tokens; if `ends` is given, the end of each token in bytes is appended to it.
 * Time is O(n log n) for any input.
 */
export function mergeBytes(ranks: RankTable, bytes: Uint8Array, length: number, ends?: number[]): number {
  return length <= SCAN_LIMIT ? mergeByScan(ranks, bytes, length, ends) : mergeByHeap(ranks, bytes, length, ends);
}

function pairRank(ranks: RankTable, bytes: Uint8Array, start: number, end: number): number {
  const rank = ranks.rankOf(bytes, start, end, hashBytes(bytes, start, end));
  return rank === -1 ? NO_RANK : rank;
}

/** Part i is bytes[starts[i], starts[i + 1]); pair i joins the parts i and i + 1. */
function mergeByScan(ranks: RankTable, bytes: Uint8Array, length: number, ends: number[] | undefined): number {
  const starts = scanStarts;
  const pairs = scanRanks;
  let parts = length;
  for (let index = 0; index <= length; index++) starts[index] = index;
  for (let index = 0; index < length - 1; index++) pairs[index] = pairRank(ranks, bytes, index, index + 2);
  while (parts > 1) {
    let lowest = 0;
    for (let index = 1; index < parts - 1; index++) if (pairs[index]! < pairs[lowest]!) lowest = index;
    if (pairs[lowest] === NO_RANK) break;
    parts--;
    for (let index = lowest + 1; index <= parts; index++) {
      starts[index] = starts[index + 1]!;
      pairs[index] = pairs[index + 1]!;
    }
    if (lowest < parts - 1) pairs[lowest] = pairRank(ranks, bytes, starts[lowest]!, starts[lowest + 2]!);
    if (lowest > 0) pairs[lowest - 1] = pairRank(ranks, bytes, starts[lowest - 1]!, starts[lowest + 1]!);
  }
  if (ends !== undefined) for (let index = 1; index <= parts; index++) ends.push(starts[index]!);
  return parts;
}

/** Parts form a linked list; the heap holds the pairs, of equal ranks the leftmost first. */
function mergeByHeap(ranks: RankTable, bytes: Uint8Array, length: number, ends: number[] | undefined): number {
  const next = new Int32Array(length + 1);
  const previous = new Int32Array(length + 1);
  /** Rank of the pair that starts here; heap entries that no longer agree with it are stale. */
  const pairs = new Int32Array(length).fill(NO_RANK);
  // Every merge takes one entry out and puts at most two in, and there are fewer than `length` merges.
  const heap = new Float64Array(2 * length);
  let size = 0;
  const offer = (start: number, end: number) => {
    const rank = pairRank(ranks, bytes, start, end);
    pairs[start] = rank;
    if (rank === NO_RANK) return;
    const entry = rank * SCALE + start;
    let hole = size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (heap[parent]! <= entry) break;
      heap[hole] = heap[parent]!;
      hole = parent;
    }
    heap[hole] = entry;
  };
  const take = (): number => {
    const top = heap[0]!;
    const last = heap[--size]!;
    let hole = 0;
    for (let child = 1; child < size; child = 2 * hole + 1) {
      if (child + 1 < size && heap[child + 1]! < heap[child]!) child++;
      if (last <= heap[child]!) break;
      heap[hole] = heap[child]!;
      hole = child;
    }
    heap[hole] = last;
    return top;
  };

  for (let start = 0; start <= length; start++) {
    next[start] = start + 1;
    previous[start] = start - 1;
  }
  for (let start = 0; start < length - 1; start++) offer(start, start + 2);
  let parts = length;
  while (size > 0) {
    const entry = take();
    const rank = Math.floor(entry / SCALE);
    const start = entry - rank * SCALE;
    if (pairs[start] !== rank) continue;
    const joined = next[start]!;
    const end = next[joined]!;
    parts--;
    next[start] = end;
    previous[end] = start;
    pairs[joined] = NO_RANK;
    if (end < length) offer(start, next[end]!);
    if (start > 0) offer(previous[start]!, end);
  }
  if (ends !== undefined) for (let end = next[0]!; end <= length; end = next[end]!) ends.push(end);
  return parts;
}
