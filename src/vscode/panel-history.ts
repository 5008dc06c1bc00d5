import type { RunEvent, RunEventOf, UnknownEvent } from '../run/events.ts';
import { FoldError } from '../run/fold-error.ts';
import { apply } from '../run/fold.ts';
import { initialState, type RunState } from '../run/state.ts';
import { printable } from '../safety/text.ts';
import { l10n } from './panel-l10n.ts';
import type { HistoryLine } from './panel-messages.ts';
import { agentWord } from './panel-words.ts';

const REASON = 300;

/** What was done to each task, by whom and why, oldest first; as far as the events make sense. */
export function taskHistories(
  config: RunState['config'],
  events: Iterable<RunEvent | UnknownEvent>,
): ReadonlyMap<string, readonly HistoryLine[]> {
  const state = initialState(config);
  const histories = new Map<string, HistoryLine[]>();
  for (const event of events) {
    if (event.type === 'unknown') break;
    const before = state.pending;
    try {
      apply(state, event);
    } catch (error) {
      if (error instanceof FoldError) break;
      throw error;
    }
    for (const [taskId, text] of linesOf(state, event, before)) {
      const lines = histories.get(taskId) ?? [];
      histories.set(taskId, lines);
      lines.push({ at: event.ts, text });
    }
  }
  return histories;
}

/** `state`: after the event. `before`: the queue before it, where the event made a new one. */
function linesOf(state: RunState, event: RunEvent, before: readonly string[]): (readonly [string, string])[] {
  switch (event.type) {
    case 'task.created':
      return [[event.task_id, createdWords(state, event)]];
    case 'task.edited':
      return [[event.task_id, l10n.t('Edited {0}', byWhom(event.by))]];
    case 'tasks.prioritized': {
      const who = event.by === 'loop' ? byCall(state, event.call_id) : byWhom(event.by);
      return moves(before, state.pending, who);
    }
    case 'tasks.replaced':
      return replaced(state, event, before);
    case 'task.started':
      return [[event.task_id, l10n.t('Taken up in iteration {0}', event.iteration)]];
    case 'task.completed':
      return [[event.task_id, l10n.t('Done in iteration {0}', event.iteration)]];
    case 'task.failed': {
      const why = printable(event.error.message, REASON);
      return [[event.task_id, l10n.t('Failed in iteration {0}: {1}', event.iteration, why)]];
    }
    case 'task.blocked':
      return [
        [
          event.task_id,
          event.why === undefined
            ? l10n.t('Blocked {0}', byWhom(event.by))
            : l10n.t('Blocked {0}: {1}', byWhom(event.by), printable(event.why, REASON)),
        ],
      ];
    case 'task.unblocked':
      return [[event.task_id, l10n.t('Unblocked {0}', byWhom(event.by))]];
    case 'task.removed':
      return [[event.task_id, l10n.t('Removed {0}: {1}', byWhom(event.by), printable(event.why, REASON))]];
    default:
      return [];
  }
}

function createdWords(state: RunState, event: RunEventOf<'task.created'>): string {
  const place = state.pending.indexOf(event.task_id) + 1;
  switch (event.by) {
    case 'initial':
      return l10n.t('The initial task of the run');
    case 'user':
      return l10n.t('Added by a person, at place {0} of the queue', place);
    case 'loop':
      return event.parent_task_id === null
        ? l10n.t('Created by the loop in iteration {0}, at place {1} of the queue', event.iteration, place)
        : l10n.t(
            'Created by the loop in iteration {0} from the result of {2}, at place {1} of the queue',
            event.iteration,
            place,
            event.parent_task_id,
          );
    default:
      return event.by satisfies never;
  }
}

function moves(before: readonly string[], after: readonly string[], who: string): (readonly [string, string])[] {
  const places = new Map(before.map((id, index) => [id, index]));
  return after.flatMap((id, index) => {
    const from = places.get(id);
    return from === undefined || from === index
      ? []
      : [[id, l10n.t('Moved from place {0} to {1} {2}', from + 1, index + 1, who)] as const];
  });
}

function replaced(
  state: RunState,
  event: RunEventOf<'tasks.replaced'>,
  before: readonly string[],
): (readonly [string, string])[] {
  const known = new Set(before);
  const kept = new Set(state.pending);
  const who = byCall(state, event.call_id);
  return [
    ...before.flatMap((id) => (kept.has(id) ? [] : [[id, l10n.t('Left out of the new list {0}', who)] as const])),
    ...state.pending.flatMap((id) => (known.has(id) ? [] : [[id, l10n.t('Put on the list {0}', who)] as const])),
    ...moves(before, state.pending, who),
  ];
}

/** `by a person`. */
function byWhom(origin: RunEventOf<'task.removed'>['by']): string {
  switch (origin) {
    case 'user':
      return l10n.t('by a person');
    case 'loop':
      return l10n.t('by the loop');
    case 'policy':
      return l10n.t('by a rule of the run');
    default:
      return origin satisfies never;
  }
}

function byCall(state: RunState, callId: string | null): string {
  const call = callId === null ? undefined : state.calls.get(callId);
  return call ? l10n.t('by the loop ({0}, iteration {1})', agentWord(call.agent), call.iteration) : byWhom('loop');
}
