import type { DrawnLimit } from '../run/drawn.ts';

/** The limits that end a run sooner or later: all but that of a single task. */
export type CourseLimit = DrawnLimit | 'max_iterations' | 'max_wall_time_minutes';

/** How a limit is used up, each in a unit of its own: iterations, pico-dollars, requests, tokens, milliseconds. */
export interface Course {
  readonly limit: CourseLimit;
  readonly cap: bigint;
  readonly used: bigint;
  /** Not there for the next iterations: reserved for what is under way, or kept back for the closing answer. */
  readonly kept: bigint;
  /** What some iterations took, and how many these were: a mean would have to be rounded, which is much of a few requests. */
  readonly taken: bigint;
  readonly by: bigint;
}

/** The limit that is reached first, with the iterations until then; of several at once the first named. Null: none ever is. */
export function firstReached(
  courses: readonly Course[],
): { readonly limit: CourseLimit; readonly after: number } | null {
  const ends = courses.flatMap(({ limit, cap, used, kept, taken, by }) => {
    const room = cap - kept - used;
    return taken <= 0n ? [] : [{ limit, after: Number(room > 0n ? (room * by) / taken : 0n) }];
  });
  return ends.reduce<(typeof ends)[number] | null>(
    (first, end) => (first === null || end.after < first.after ? end : first),
    null,
  );
}
