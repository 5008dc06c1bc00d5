import { formatUsd } from '../budget/money.ts';
import type { CourseLimit } from '../research/course.ts';
import { projection } from '../research/projection.ts';
import { duration } from '../run/duration.ts';
import { LIMIT_WORDS } from '../run/limits.ts';
import type { RunState } from '../run/state.ts';
import { l10n } from './panel-l10n.ts';

export interface ProjectionWords {
  readonly level: 'ok' | 'near' | 'over';
  /** One sentence that says the level too, and which limit comes first. */
  readonly text: string;
}

/** Where a run in progress goes. Null: it has ended, or too little is known. */
export function projectionWords(state: RunState, activeMs?: number): ProjectionWords | null {
  const projected = state.end ? null : projection(state, activeMs);
  if (projected === null) return null;
  const { level, endsBy, endsAfter, courses, tightest } = projected;
  const limit = state.limits.max_iterations;
  if (level === 'over') {
    const course = courses.find((one) => one.limit === endsBy);
    const each = course === undefined ? '' : amountOf(endsBy, Number(course.taken) / Number(course.by));
    const name = l10n.known(LIMIT_WORDS[endsBy].name);
    const text =
      endsAfter <= state.iteration
        ? l10n.t('Will not fit: at {0} an iteration the {1} probably ends the run in the next one.', each, name)
        : l10n.t(
            'Will not fit: at {0} an iteration the {1} probably ends the run after iteration {2} of {3}.',
            each,
            name,
            endsAfter,
            limit,
          );
    return { level, text };
  }
  const amounts = courses.filter(
    (course) => course.limit === tightest || course.limit !== 'max_wall_time_minutes' || course.total >= TOLD_FROM_MS,
  );
  const total = amounts.map((course) => amountOf(course.limit, Number(course.total))).join(', ');
  const name = l10n.known(LIMIT_WORDS[tightest].name);
  return {
    level,
    text:
      level === 'near'
        ? l10n.t('Just fits: about {0} after {1} iterations, near the {2}.', total, limit, name)
        : l10n.t('Fits: about {0} after {1} iterations.', total, limit),
  };
}

/** Of a shorter run it is not worth a word how long it takes. */
const TOLD_FROM_MS = 60_000n;

function amountOf(limit: CourseLimit, amount: number): string {
  switch (limit) {
    case 'max_cost_usd':
      return formatUsd(BigInt(Math.round(amount)));
    case 'max_requests':
      return amount === 1 ? l10n.t('1 request') : l10n.t('{0} requests', counted(amount, 1));
    case 'max_tokens':
      return l10n.t('{0} tokens', counted(amount, 0));
    case 'max_wall_time_minutes':
      return duration(amount, 'coarse');
    case 'max_iterations':
      return counted(amount, 0);
  }
}

function counted(amount: number, maximumFractionDigits: number): string {
  return amount.toLocaleString(l10n.language ?? 'en', { maximumFractionDigits });
}
