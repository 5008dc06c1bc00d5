import type { RunEvent } from '../run/events.ts';
import type { RunState } from '../run/state.ts';
import type { Session } from '../engine/session.ts';

/** A run as the views see it: in progress in this window, or read from its folder. */
export interface RunView {
  readonly runId: string;
  /** Absolute path of the run folder. */
  readonly directory: string;
  readonly state: RunState;
  /** Set while the run is in progress in this window: only then can it be steered here. */
  readonly session: Session | null;
}

/** What changed, for views that refresh as little as they can. Null: the run as a whole (opened, ended, removed). */
export interface RunChange {
  readonly run: RunView;
  readonly event: RunEvent | null;
}
