import type { RunState } from '../run/state.ts';
import { l10n } from './panel-l10n.ts';

/**
 * How a review was decided, for somebody who answers it too late: a message stays on screen until it is answered. Null where
 * it was not decided.
 */
export function reviewFate({ reviews }: Pick<RunState, 'reviews'>, reviewId: string): string | null {
  const decided = reviews.find(({ review_id }) => review_id === reviewId);
  if (decided === undefined) return null;
  const time = new Intl.DateTimeFormat(l10n.language, { timeStyle: 'short' }).format(Date.parse(decided.ts));
  const where = placeOf(decided);
  return decided.decision === 'approve'
    ? l10n.t('This review was decided already: approved at {0} {1}.', time, where)
    : l10n.t('This review was decided already: stopped at {0} {1}.', time, where);
}

function placeOf({ by, via }: RunState['reviews'][number]): string {
  if (by === 'policy') return l10n.t('by the policy for unattended reviews');
  switch (via) {
    case 'panel':
      return l10n.t('in the summary panel');
    case 'another window':
      return l10n.t('in another window');
    case 'terminal':
      return l10n.t('in a terminal');
    case 'resume':
      return l10n.t('when the run was resumed');
    case 'stop':
      return l10n.t('with the run');
    default:
      return l10n.t('in this window');
  }
}
