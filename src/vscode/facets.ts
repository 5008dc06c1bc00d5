import type { Call, Task } from '../run/state.ts';
import type { RunEntry } from './runs.ts';

/**
 * The words in the `contextValue` of a row of the views, for `when` clauses: `viewItem =~ /\bword\b/`. The first says
 * what the row is. This is the one list of them; a test holds package.json to it.
 */
export const FACETS = {
  run: 'a run',
  task: 'a task of a run',
  call: 'a request to a model',
  calls: 'the calls of a run that are for no task',
  group: 'runs that belong together',

  live: 'run: in progress, here or in another window; task: its run is in progress here, so that it can be changed',
  idle: 'run: not in progress',
  pausable: 'run: works, and can be asked to pause',
  resumable: 'run: paused, interrupted or ended, can be read, and can go on',
  imported: 'run: came from an archive, and is only looked at',
  closed: 'run: has ended, so that its summary is written',

  running: 'run: works; task: is worked on',
  paused: 'run: waits until it is resumed',
  review: 'run: waits for a checkpoint review, here or in another window',
  ended: 'run: has ended',
  interrupted: 'run: has not ended, and nobody is at it',
  elsewhere: 'run: another process is at it',
  review_elsewhere: 'run: waits for a checkpoint review in another process',

  pending: 'task: waits, and can be changed where it is live',
  blocked: 'task: waits, and a person holds it back',
  done: 'task: has a result',
  failed: 'task: has none',
  removed: 'task: was taken out',

  experiment: 'an experiment',
  variant: 'a variant of an experiment',
  trial: 'a trial of a variant',
  working: 'experiment: somebody works on it, here or elsewhere',
  left: 'experiment: trials are left, and nobody is at them',
  begun: 'trial: has a run; closed: that has ended',

  reserved: 'call: under way',
  settled: 'call: answered and paid for',
  held: 'call: nobody knows whether it is paid for, so it counts in full',
  released: 'call: failed and is not paid for',
} as const;

export type Facet = keyof typeof FACETS;

export function runFacets({ brief, session, view, isElsewhere, problem }: RunEntry): string {
  const { status, stopReason } = brief;
  const facets: Facet[] = ['run', session === null && !isElsewhere ? 'idle' : 'live', status];
  // What another process does is known from its log.
  const doing = isElsewhere ? view?.state.status : status;
  const resumable =
    status === 'interrupted' || (status === 'ended' && stopReason !== 'objective_complete') || doing === 'paused';
  if (brief.imported) facets.push('imported');
  else if (resumable && problem === null) facets.push('resumable');
  if (doing === 'running') facets.push('pausable');
  if (status === 'review_elsewhere') facets.push('review');
  if (status === 'ended') facets.push('closed');
  return facets.join(' ');
}

/** `live`: its run is in progress in this window. */
export function taskFacets(task: Pick<Task, 'state'>, live: boolean): string {
  const waits: Facet[] = task.state === 'blocked' ? ['pending'] : [];
  const facets: Facet[] = ['task', ...waits, task.state, ...(live ? (['live'] as const) : [])];
  return facets.join(' ');
}

export function callFacets({ status }: Pick<Call, 'status'>): string {
  const facets: Facet[] = ['call', status];
  return facets.join(' ');
}
