import type { StopReason } from '../run/stop-reason.ts';
import { l10n } from './panel-l10n.ts';

/** A stop reason in one or two words. */
export function stopLabel(reason: StopReason): string {
  switch (reason) {
    case 'objective_complete':
      return l10n.t('complete');
    case 'queue_empty':
      return l10n.t('no task left');
    case 'max_iterations':
      return l10n.t('iteration limit');
    case 'max_cost':
      return l10n.t('cost limit');
    case 'max_requests':
      return l10n.t('request limit');
    case 'max_tokens':
      return l10n.t('token limit');
    case 'max_wall_time':
      return l10n.t('time limit');
    case 'stopped_by_user':
      return l10n.t('stopped');
    case 'stopped_at_review':
      return l10n.t('stopped at review');
    case 'stalled':
      return l10n.t('stalled');
    case 'waiting_for_key':
      return l10n.t('no API key');
    case 'disk_full':
      return l10n.t('disk full');
    case 'quarantined':
      return l10n.t('quarantined');
    case 'error':
      return l10n.t('error');
    default:
      return reason satisfies never;
  }
}
