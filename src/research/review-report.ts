import { formatUsd, type Pico, picoFromUsd, usdFromPico } from '../budget/money.ts';
import { isIncluded } from '../run/cost-words.ts';
import { LIMIT_WORDS } from '../run/limits.ts';
import type { RunState } from '../run/state.ts';
import { inEnglish, known, type Translate } from '../run/translate.ts';
import type { CourseLimit } from './course.ts';
import { projection } from './projection.ts';

/** What a person needs to know at a review, besides the tasks that come next. */
export interface ReviewReport {
  /** Since the last review, or the start. */
  readonly iterations: number;
  readonly done: number;
  readonly failed: number;
  /** New tasks, and proposed ones that were not taken up. */
  readonly created: number;
  readonly suppressed: number;
  /** Settled and held; null where somebody else accounts for the requests. */
  readonly cost: Pico | null;
  readonly ahead: ReviewAhead;
}

/** What comes until the next review, or the iteration limit where that is before; by the pace of the last iterations. */
export interface ReviewAhead {
  /** Null where only time will tell: the cost decides, and no iteration is complete. */
  readonly iterations: number | null;
  /** False: no review is due before the iteration limit. */
  readonly toReview: boolean;
  /** US dollars; null where it is not known yet, or somebody else accounts for the requests. */
  readonly usd: number | null;
  /** The limit that ends the run before its iterations are done, at this pace, and the complete iterations then; null: none. */
  readonly ends: { readonly limit: CourseLimit; readonly after: number } | null;
}

export function reviewReport(state: RunState): ReviewReport {
  const since = state.iterations.filter(({ iteration }) => iteration > state.reviewedAt);
  const failed = since.filter((record) => record.failed).length;
  return {
    iterations: since.length,
    done: since.length - failed,
    failed,
    created: since.reduce((sum, { created }) => sum + created, 0),
    suppressed: since.reduce((sum, { suppressed }) => sum + suppressed, 0),
    cost: isIncluded(state.config) ? null : state.money.settled + state.money.held - state.reviewedSpend,
    ahead: aheadOf(state),
  };
}

function aheadOf(state: RunState): ReviewAhead {
  const { review_every: every, review_every_usd: step } = state.config.loop;
  const pace = projection(state);
  const left = Math.max(0, state.limits.max_iterations - state.iteration);
  const byCount = every > 0 ? every - (state.iteration % every) : Number.POSITIVE_INFINITY;
  const cost = pace?.courses.find(({ limit }) => limit === 'max_cost_usd');
  const perIteration = cost === undefined ? 0 : usdFromPico(cost.taken / cost.by);
  const byCost = step > 0 && perIteration > 0 ? Math.ceil(step / perIteration) : Number.POSITIVE_INFINITY;
  const next = Math.min(byCount, byCost);
  const isOpen = pace === null && step > 0 && !isIncluded(state.config);
  return {
    iterations: isOpen ? null : Math.min(next, left),
    toReview: isOpen || next < left,
    usd: pace === null || isIncluded(state.config) ? null : perIteration * Math.min(next, left),
    ends: pace?.level === 'over' ? { limit: pace.endsBy, after: pace.endsAfter } : null,
  };
}

/** What happened since the last review, in a few words each. */
export function happenedWords(report: Omit<ReviewReport, 'ahead'>, translated: Translate = inEnglish): string[] {
  const { done, failed, created, suppressed, cost } = report;
  const tasks = done === 1 ? translated('1 task done') : translated('{0} tasks done', done);
  const made = created === 1 ? translated('1 new task') : translated('{0} new tasks', created);
  return [
    `${iterationsInWords(report.iterations, translated)}: ${tasks}${failed > 0 ? `, ${translated('{0} failed', failed)}` : ''}`,
    `${made}${suppressed > 0 ? `, ${translated('{0} left out', suppressed)}` : ''}`,
    cost === null ? translated('cost included') : translated('{0} spent', formatUsd(cost)),
  ];
}

/** `until the next review (2 iterations): about $0.02` */
export function aheadWords(ahead: ReviewAhead, translated: Translate = inEnglish): string {
  const { iterations, toReview, usd, ends } = ahead;
  if (iterations === null)
    return translated('until the next review: its cost is not known before an iteration is complete');
  const counted = iterationsInWords(iterations, translated);
  const to = toReview
    ? translated('until the next review ({0})', counted)
    : translated('up to the iteration limit, with no review before ({0})', counted);
  const cost = usd === null ? '' : `: ${translated('about {0}', formatUsd(picoFromUsd(usd)))}`;
  if (ends === null) return `${to}${cost}`;
  const limit = known(LIMIT_WORDS[ends.limit].name, translated);
  return `${to}${cost}; ${translated('the {0} probably ends it after {1}', limit, iterationsInWords(ends.after, translated))}`;
}

export function iterationsInWords(count: number, translated: Translate): string {
  return count === 1 ? translated('1 iteration') : translated('{0} iterations', count);
}
