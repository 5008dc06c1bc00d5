import { MODEL_ERROR_REASONS } from '../run/ports.ts';
import type { RunEvent, RunEventOf } from '../run/events.ts';
import { FoldError } from '../run/fold-error.ts';
import { apply } from '../run/fold.ts';
import { type RunState, stepKey } from '../run/state.ts';

/** Where a replay is not what the log says. */
export interface ReplayDifference {
  /** The event of the log. */
  readonly seq: number;
  readonly type: RunEvent['type'];
  /** The place in it, as in `error.message`; empty: the event as a whole. */
  readonly at: string;
  /** What the log has there, and what came in its place: JSON, or a few words. */
  readonly recorded: string;
  readonly replayed: string;
}

/**
 * A recorded run on its way through a replay. Its events are of two kinds: what the loop did, which is compared with what the
 * loop does now, and what came from outside of it (people, notices, a failing disk), which is applied again at its place.
 */
export class ReplayScript {
  readonly state: RunState;
  difference: ReplayDifference | null = null;
  /** The last reservation that was made again. */
  reserved: RunEventOf<'call.reserved'> | null = null;
  private readonly events: readonly RunEvent[];
  private readonly listeners = new Set<(event: RunEvent) => void>();
  /** Steps of which a request was made in this epoch. */
  private readonly asked = new Set<string>();
  /** The last event that a fork took over; 0 for all other runs. */
  readonly inherited: number;
  private at = 0;

  constructor(state: RunState, events: readonly RunEvent[]) {
    this.state = state;
    this.events = events;
    this.inherited = state.config.forked_from?.through ?? 0;
  }

  /** Whether every event was replayed. */
  get isDone(): boolean {
    return this.at === this.events.length;
  }

  /** The next event that the loop made in this epoch. Null: its process did nothing more that is on record. */
  get following(): RunEvent | null {
    return this.ofLoop(this.at);
  }

  /** What the loop made after the following event. */
  get afterFollowing(): RunEvent | null {
    const index = this.following === null ? -1 : this.events.indexOf(this.following, this.at);
    return index < 0 ? null : this.ofLoop(index + 1);
  }

  /** What the loop of this epoch did from the following event on. */
  *rest(): Generator<RunEvent> {
    for (let index = this.at; ; index++) {
      const event = this.events[index];
      if (event === undefined || event.type === 'epoch.opened') return;
      if (!this.isFromOutside(event)) yield event;
    }
  }

  /** Every event of the log, replayed or not. */
  get all(): readonly RunEvent[] {
    return this.events;
  }

  /** Takes the events that begin an epoch; what listened to the one before hears nothing more. */
  openEpoch(): void {
    this.asked.clear();
    this.listeners.clear();
    const first = this.events[this.at];
    if (first?.type === 'run.created') this.take(first);
    const opened = this.events[this.at];
    if (opened?.type === 'epoch.opened') this.take(opened);
    else if (opened) this.differ(opened, '', 'the beginning of an epoch');
  }

  /** Takes what came from outside before the next event of the loop; with `known`, only what was known when that was made. */
  admit(known = false): void {
    const { following } = this;
    const seen = known && following?.type === 'call.reserved' ? this.seenBy(following) : Number.POSITIVE_INFINITY;
    for (let event = this.events[this.at]; event && event !== following; event = this.events[this.at]) {
      if (event.type === 'epoch.opened' || event.seq > seen) return;
      this.take(event);
    }
  }

  /** Takes the following event, which the loop has just made again. */
  accept(): void {
    const { following } = this;
    if (following === null) return;
    if (following.type === 'call.reserved') {
      this.reserved = following;
      this.asked.add(stepKey(following.iteration, following.step));
    }
    this.take(following);
  }

  subscribe(listener: (event: RunEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Notes the first difference. */
  differ(event: RunEvent, at: string, replayed: string, recorded: string = event.type): void {
    this.difference ??= { seq: event.seq, type: event.type, at, recorded, replayed };
  }

  private ofLoop(from: number): RunEvent | null {
    for (let index = from; ; index++) {
      const event = this.events[index];
      if (event === undefined || event.type === 'epoch.opened') return null;
      if (!this.isFromOutside(event)) return event;
    }
  }

  private isFromOutside(event: RunEvent): boolean {
    return event.seq <= this.inherited ? event.type !== 'run.created' : isFromOutside(event);
  }

  /** The last event that the request knew: a first attempt may have waited between its making and its reservation. */
  private seenBy({ iteration, step, inputs }: RunEventOf<'call.reserved'>): number {
    const isMade = this.asked.has(stepKey(iteration, step));
    return isMade ? Number.POSITIVE_INFINITY : (inputs.state_seq ?? Number.POSITIVE_INFINITY);
  }

  private take(event: RunEvent): void {
    try {
      apply(this.state, event);
    } catch (error) {
      if (!(error instanceof FoldError)) throw error;
      this.differ(event, '', error.message);
      throw new ReplayEnded();
    }
    this.at += 1;
    for (const listener of this.listeners) listener(event);
  }
}

/** Thrown through the loop where a replay, or one epoch of it, is over. */
export class ReplayEnded extends Error {
  override readonly name = 'ReplayEnded';
}

/** Whether the event tells what the loop did not do itself. */
function isFromOutside(event: RunEvent): boolean {
  switch (event.type) {
    case 'notice.queued':
    case 'notice.sent':
    case 'notice.failed':
    case 'traces.started':
    case 'review.decided':
    case 'guidance.given':
    case 'limit.raised':
    case 'limit.added':
    case 'task.edited':
    case 'task.removed':
    case 'task.blocked':
    case 'task.unblocked':
      return true;
    case 'task.created':
      return event.by === 'user';
    case 'tasks.prioritized':
    case 'run.paused':
    case 'run.resumed':
      return event.by !== 'loop';
    case 'run.ended':
      return event.error !== null && isOfMachine(event.error.class);
    default:
      return false;
  }
}

/** The class of an error of the disk, of the folder of the run or of the program, and of no request. */
function isOfMachine(name: string): boolean {
  return !(MODEL_ERROR_REASONS as readonly string[]).includes(name) && (MACHINE.has(name) || /^E[A-Z0-9]+$/.test(name));
}

const MACHINE: ReadonlySet<string> = new Set([
  'internal',
  'log_failed',
  'unknown',
  'escaped',
  'root_refused',
  'disk_full',
]);
