import type { CallInputs, DraftOf, EventDraft, RunEvent } from '../run/events.ts';

/** What a fork begins with of another run. */
export interface History {
  readonly drafts: readonly EventDraft[];
  /** Calls among them. */
  readonly calls: number;
  /** The event of the other run that it ends with. */
  readonly last: RunEvent;
}

export interface Kept {
  /** Vectors of another embedding model cannot be compared: then they are left out, and made anew. */
  readonly vectors: boolean;
  /** What a server would not take, another one may. */
  readonly adaptations: boolean;
}

/** Answers that belong to an end: the fork comes to its own. */
const OF_AN_END: ReadonlySet<string> = new Set(['judge', 'synthesis']);

/**
 * The history of a run up to the end of an iteration, as events of a new one: tasks, results, vectors, guidance and who changed
 * the list, without money, times, reviews, pauses, files and notices. Null where no such iteration was completed.
 */
export function historyUntil(events: readonly RunEvent[], iteration: number, kept: Kept): History | null {
  const at = events.findIndex((event) => event.type === 'iteration.completed' && event.iteration === iteration);
  const last = events[at];
  if (last === undefined) return null;
  const past = events.slice(0, at + 1);
  const settled = new Set(past.flatMap((event) => (event.type === 'call.settled' ? event.call_id : [])));
  const names = new Map<string, string>();
  for (const event of past) {
    if (event.type !== 'call.reserved' || !settled.has(event.call_id) || OF_AN_END.has(event.agent)) continue;
    // Numbered without gaps: the next call of the fork takes the next number.
    if (event.agent !== 'embedding' || kept.vectors) names.set(event.call_id, `c${names.size + 1}`);
  }
  const drafts = past.flatMap((event) => inherited(event, names, kept));
  return { drafts, calls: names.size, last };
}

function inherited(event: RunEvent, names: ReadonlyMap<string, string>, kept: Kept): EventDraft | [] {
  switch (event.type) {
    case 'call.reserved': {
      const call_id = names.get(event.call_id);
      if (call_id === undefined) return [];
      const nothing = { bound_input_tokens: 0, max_output_tokens: 0, reserved_usd: 0 };
      return { ...withoutPlace(event), ...nothing, call_id, inputs: renamed(event.inputs, names) };
    }
    case 'call.settled': {
      const call_id = names.get(event.call_id);
      if (call_id === undefined) return [];
      const { usage_note: _, ...rest } = withoutPlace(event);
      const nothing = { input_tokens: null, cached_tokens: null, output_tokens: null, latency_ms: null, cost_usd: 0 };
      return { ...rest, ...nothing, call_id };
    }
    case 'model.adapted':
      return kept.adaptations ? withoutPlace(event) : [];
    case 'task.completed':
    case 'memory.stored':
    case 'tasks.replaced':
      return { ...withoutPlace(event), call_id: names.get(event.call_id) ?? event.call_id };
    case 'tasks.prioritized':
    case 'reply.rejected':
      return { ...withoutPlace(event), call_id: names.get(event.call_id ?? '') ?? null };
    case 'run.resumed':
      // What failed before does not count any more: a person said so.
      return event.by === 'user' ? withoutPlace(event) : [];
    case 'task.created':
    case 'task.started':
    case 'task.failed':
    case 'task.edited':
    case 'task.removed':
    case 'task.blocked':
    case 'task.unblocked':
    case 'task.suppressed':
    case 'iteration.completed':
    case 'guidance.given':
      return withoutPlace(event);
    case 'run.created':
    case 'epoch.opened':
    case 'run.paused':
    case 'run.ended':
    case 'call.held':
    case 'call.released':
    case 'checkpoint.saved':
    case 'objective.judged':
    case 'review.requested':
    case 'review.decided':
    case 'limit.reached':
    case 'limit.raised':
    case 'limit.added':
    case 'notice.queued':
    case 'notice.sent':
    case 'notice.failed':
    case 'traces.started':
    case 'file.intended':
    case 'file.refused':
    case 'file.written':
      return [];
    default:
      return event satisfies never;
  }
}

function renamed({ state_seq: _, repairs, ...inputs }: CallInputs, names: ReadonlyMap<string, string>): CallInputs {
  const mended = names.get(repairs ?? '');
  return mended === undefined ? inputs : { ...inputs, repairs: mended };
}

/** The event without what its log gave it. */
function withoutPlace<Event extends RunEvent>(event: Event): DraftOf<Event> {
  const { v: _v, seq: _seq, epoch: _epoch, ts: _ts, mono_ms: _ms, run_id: _id, more: _more, ...own } = event;
  return own as DraftOf<Event>;
}
