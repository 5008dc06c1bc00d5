import { stems } from './rehearsal-words.ts';

/** Length of the rehearsal model's vectors. */
export const REHEARSAL_DIMENSIONS = 384;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * A unit vector in which each word and each pair of neighbours counts once, in one dimension (hashing trick): texts that
 * share words are near each other. The pairs keep two tasks apart that differ in one word of a long path. Only integers
 * and square roots, so that every machine gives the same bits.
 */
export function bagOfWords(text: string): Float32Array {
  const counts = new Int32Array(REHEARSAL_DIMENSIONS);
  const words = stems(text);
  for (const feature of new Set([...words, ...words.slice(1).map((word, at) => `${words[at]} ${word}`)])) {
    const hash = fnv1a(feature);
    const at = hash % REHEARSAL_DIMENSIONS;
    counts[at] = (counts[at] ?? 0) + (hash >>> 31 === 0 ? 1 : -1);
  }
  let square = counts.reduce((sum, count) => sum + count * count, 0);
  if (square === 0) {
    // A direction even for a text without words: the cosine of nothing is not a number.
    counts[0] = 1;
    square = 1;
  }
  const length = Math.sqrt(square);
  return Float32Array.from(counts, (count) => count / length);
}

function fnv1a(text: string): number {
  let hash = FNV_OFFSET;
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, FNV_PRIME);
  return hash >>> 0;
}
