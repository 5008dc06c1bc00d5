import type { RunEvent } from '../run/events.ts';

/** What of the Runs view an event changes: the run with all below it, the calls of one task, or nothing that is shown. */
export type Touched = 'run' | 'calls' | 'nothing';

const TOUCHED: Readonly<Record<RunEvent['type'], Touched>> = {
  'run.created': 'run',
  'epoch.opened': 'run',
  'run.paused': 'run',
  'run.resumed': 'run',
  'run.ended': 'run',
  'call.reserved': 'calls',
  'call.settled': 'calls',
  'call.held': 'calls',
  'call.released': 'calls',
  'model.adapted': 'nothing',
  'task.created': 'run',
  'task.started': 'run',
  'task.completed': 'run',
  'task.failed': 'run',
  'task.edited': 'run',
  'task.removed': 'run',
  'task.blocked': 'run',
  'task.unblocked': 'run',
  'task.suppressed': 'run',
  'tasks.prioritized': 'run',
  'tasks.replaced': 'run',
  'reply.rejected': 'nothing',
  'memory.stored': 'nothing',
  'iteration.completed': 'run',
  'checkpoint.saved': 'nothing',
  'objective.judged': 'nothing',
  'guidance.given': 'nothing',
  'review.requested': 'run',
  'review.decided': 'run',
  'limit.reached': 'nothing',
  'limit.raised': 'run',
  'limit.added': 'run',
  'notice.queued': 'nothing',
  'notice.sent': 'nothing',
  'notice.failed': 'nothing',
  'traces.started': 'nothing',
  'file.intended': 'nothing',
  'file.written': 'nothing',
  'file.refused': 'nothing',
};

export function touchedBy({ type }: RunEvent): Touched {
  return TOUCHED[type];
}
