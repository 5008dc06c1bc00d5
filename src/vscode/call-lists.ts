import type { RunState } from '../run/state.ts';

interface Known {
  /** Calls of the state that are in the lists. */
  seen: number;
  readonly byTask: Map<string | null, string[]>;
}

/** Which calls were made for which task. A state gains calls and loses none, so its lists are only ever carried on. */
export class CallLists {
  private readonly known = new WeakMap<RunState, Known>();

  /** Ids of the calls for a task (null: for none), oldest first. */
  of(state: RunState, taskId: string | null): readonly string[] {
    return this.upToDate(state).byTask.get(taskId) ?? [];
  }

  private upToDate(state: RunState): Known {
    const known: Known = this.known.get(state) ?? { seen: 0, byTask: new Map<string | null, string[]>() };
    this.known.set(state, known);
    if (known.seen === state.calls.size) return known;
    let at = 0;
    for (const { id, taskId } of state.calls.values()) {
      at += 1;
      if (at <= known.seen) continue;
      const list = known.byTask.get(taskId);
      if (list) list.push(id);
      else known.byTask.set(taskId, [id]);
    }
    known.seen = at;
    return known;
  }
}
