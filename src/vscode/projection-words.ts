import { formatUsd, picoFromUsd } from '../budget/money.ts';
import { projection } from '../research/projection.ts';
import { isIncluded } from '../run/cost-words.ts';
import type { RunState } from '../run/state.ts';
import { l10n } from './panel-l10n.ts';

export interface ProjectionWords {
  readonly level: 'ok' | 'near' | 'over';
  /** One sentence that says the level too. */
  readonly text: string;
}

/** Where the cost of a run in progress goes. Null: it has ended, has no price, or too little is known. */
export function projectionWords(state: RunState): ProjectionWords | null {
  const projected = state.end || isIncluded(state.config) ? null : projection(state);
  if (projected === null) return null;
  const { level, endsAfter, totalUsd, perIterationUsd } = projected;
  const limit = state.limits.max_iterations;
  if (endsAfter !== null) {
    const each = formatUsd(picoFromUsd(perIterationUsd));
    const text =
      endsAfter <= state.iteration
        ? l10n.t('Will not fit: at {0} an iteration the cost limit probably ends the run in the next one.', each)
        : l10n.t(
            'Will not fit: at {0} an iteration the cost limit probably ends the run after iteration {1} of {2}.',
            each,
            endsAfter,
            limit,
          );
    return { level, text };
  }
  const total = formatUsd(picoFromUsd(totalUsd));
  return {
    level,
    text:
      level === 'near'
        ? l10n.t('Just fits: about {0} after {1} iterations, near the cost limit.', total, limit)
        : l10n.t('Fits: about {0} after {1} iterations.', total, limit),
  };
}
