import { synthesisEarmark } from '../agents/synthesis.ts';
import { isIncluded } from '../run/cost-words.ts';
import { capOf, DRAWN_LIMITS, type DrawnLimit, drawn, takenBy } from '../run/drawn.ts';
import { activeMs, ownIterations, type RunState } from '../run/state.ts';
import { type Course, type CourseLimit, firstReached } from './course.ts';

/** Where a run in progress goes, if its iterations go on as the last ones did. */
export interface Projection {
  /** The limit that ends it, and the complete iterations then. */
  readonly endsBy: CourseLimit;
  readonly endsAfter: number;
  /** `over`: it ends before its iterations are done; `near`: they fit, with less than a tenth of a limit left. */
  readonly level: 'ok' | 'near' | 'over';
  /** Besides the iterations, the limits that it has, in a fixed order. */
  readonly courses: readonly ProjectedCourse[];
  /** Of these the one of which the least part is left at the end. */
  readonly tightest: CourseLimit;
}

export interface ProjectedCourse extends Course {
  readonly limit: Exclude<CourseLimit, 'max_iterations'>;
  /** At the iteration limit, whether it is got so far or not. */
  readonly total: bigint;
}

/** The next iterations take what so many of the last ones took in the mean. */
const PACE_WINDOW = 10;
/** What is left of a limit, as a part of it, below which a projection is near. */
const MARGIN = 10n;

/** Null until an iteration is complete: one of its own, as those that a fork took over cost it nothing. */
export function projection(state: RunState, active = activeMs(state)): Projection | null {
  if (ownIterations(state).length === 0) return null;
  const { limits, iteration } = state;
  const left = BigInt(Math.max(0, limits.max_iterations - iteration));
  const courses = [...drawnCourses(state), timeCourse(state, active)].map(
    (course): ProjectedCourse => ({ ...course, total: course.used + (course.taken * left) / course.by }),
  );
  const iterations: Course = {
    limit: 'max_iterations',
    cap: BigInt(iteration) + left,
    used: BigInt(iteration),
    kept: 0n,
    taken: 1n,
    by: 1n,
  };
  const first = firstReached([iterations, ...courses]) ?? { limit: iterations.limit, after: Number(left) };
  const [tightest] = courses.toSorted((one, other) => shareLeft(one) - shareLeft(other));
  const isNear = courses.some(({ cap, total }) => (cap - total) * MARGIN < cap);
  return {
    endsBy: first.limit,
    endsAfter: iteration + first.after,
    level: first.limit !== 'max_iterations' ? 'over' : isNear ? 'near' : 'ok',
    courses,
    tightest: tightest?.limit ?? 'max_wall_time_minutes',
  };
}

/** What is left of the limit at the end, as a part of it. */
function shareLeft({ cap, total }: ProjectedCourse): number {
  return Number(cap - total) / Number(cap);
}

type LimitCourse = Omit<ProjectedCourse, 'total'>;

function drawnCourses(state: RunState): LimitCourse[] {
  const { config, limits, money, tokens } = state;
  const earmark = synthesisEarmark(config, limits);
  const recent = ownIterations(state).slice(-PACE_WINDOW);
  const taken = takenIn(state, new Set(recent.map((record) => record.iteration)));
  const by = BigInt(recent.length);
  const reserved = { max_cost_usd: money.reserved, max_requests: 0n, max_tokens: BigInt(tokens.reserved) };
  return DRAWN_LIMITS.flatMap((limit) => {
    const cap = capOf(limits, limit);
    // Nothing has a price where somebody else accounts for the requests.
    if (cap === null || (limit === 'max_cost_usd' && isIncluded(config))) return [];
    const open = reserved[limit];
    return [{ limit, cap, used: drawn(state, limit) - open, kept: open + earmark[limit], taken: taken[limit], by }];
  });
}

/** What these iterations took of each limit. */
function takenIn({ calls }: RunState, iterations: ReadonlySet<number>): Record<DrawnLimit, bigint> {
  const taken = { max_cost_usd: 0n, max_requests: 0n, max_tokens: 0n };
  for (const call of calls.values()) {
    if (!iterations.has(call.iteration) || call.agent === 'synthesis') continue;
    for (const limit of DRAWN_LIMITS) taken[limit] += takenBy(call, limit);
  }
  return taken;
}

/** The time that people take to answer or to resume is theirs: what is left is for iterations. */
function timeCourse(state: RunState, active: number): LimitCourse {
  const { limits, config } = state;
  const recent = ownIterations(state).slice(-PACE_WINDOW);
  const took = recent.reduce((sum, { tookMs }) => sum + tookMs + config.loop.sleep_seconds * 1000, 0);
  return {
    limit: 'max_wall_time_minutes',
    cap: BigInt(Math.round(limits.max_wall_time_minutes * 60_000)),
    used: BigInt(Math.round(active)),
    kept: 0n,
    taken: BigInt(Math.round(took)),
    by: BigInt(recent.length),
  };
}
