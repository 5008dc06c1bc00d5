/**
 * Which waiting tasks a planning request shows, and what its answer does to the queue. The request shows the head and a
 * rotating sample of the rest, so that its length does not grow with the queue; the order that comes back is put into
 * the places the shown tasks came from. Over the iterations every task is compared with the head.
 */
export const HEAD = 6;
export const SAMPLE = 5;

/** The fractional part of the golden ratio: successive phases fill the unit interval evenly. */
const GOLDEN = 0.618033988749895;

export function queueWindow(pending: readonly string[], iteration: number): string[] {
  const head = pending.slice(0, HEAD);
  const rest = pending.slice(HEAD);
  if (rest.length <= SAMPLE) return [...head, ...rest];
  const phase = (iteration * GOLDEN) % 1;
  const stride = rest.length / SAMPLE;
  const sample = Array.from({ length: SAMPLE }, (_, index) => rest[Math.floor((index + phase) * stride)]);
  return [...head, ...sample.filter((id): id is string => id !== undefined)];
}

export interface Placement {
  /** The shown tasks in their new order; a permutation of them. */
  readonly order: string[];
  /** For each new task, by its index: the waiting task that it goes in front of, or null for the end. */
  readonly before: (string | null)[];
  /** The indexes of the new tasks as they are to be put in: as ranked, then those that the reply forgot. */
  readonly sequence: number[];
}

/**
 * Reads an order of shown ids and `n1`, `n2`, …. Unknown and repeated ids are ignored; shown ids that the reply forgot
 * keep their place among the shown; new tasks that it forgot go to the end.
 */
export function placement(
  pending: readonly string[],
  shown: readonly string[],
  newTasks: number,
  reply: readonly string[],
): Placement {
  const known = new Set(shown);
  const mentioned = [...new Set(reply.map((id) => id.trim()))];
  const ranked = mentioned.filter((id) => known.has(id));
  const rankedSet = new Set(ranked);
  let next = 0;
  const order = shown.map((id) => (rankedSet.has(id) ? (ranked[next++] ?? id) : id));

  const queue = [...pending];
  const places = queue.flatMap((id, index) => (known.has(id) ? [index] : []));
  places.forEach((place, index) => {
    const id = order[index];
    if (id !== undefined) queue[place] = id;
  });
  const before = Array.from({ length: newTasks }, (_, index) => {
    const at = mentioned.indexOf(`n${index + 1}`);
    if (at < 0) return null;
    const previous = mentioned.slice(0, at).findLast((id) => known.has(id));
    // Right behind its predecessor: too early is put right by the next comparisons, too late by none for a while.
    return previous === undefined ? (queue[0] ?? null) : (queue[queue.indexOf(previous) + 1] ?? null);
  });
  const rank = (index: number) => {
    const at = mentioned.indexOf(`n${index + 1}`);
    return at < 0 ? mentioned.length : at;
  };
  const sequence = before.map((_, index) => index).sort((a, b) => rank(a) - rank(b));
  return { order, before, sequence };
}
