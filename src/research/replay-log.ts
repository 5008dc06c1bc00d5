import type { EventDraft, RunEvent } from '../run/events.ts';
import type { RunLog } from '../run/ports.ts';
import { activeMs, type RunState } from '../run/state.ts';
import { KEY_LIMIT, LIMIT_OF } from '../run/stop-reason.ts';
import { BUILD } from '../run/version.ts';
import { factsThatDiffer } from '../runlog/same-facts.ts';
import { ReplayEnded, type ReplayScript } from './replay-script.ts';

/** Takes what the loop appends for what the log has next, or says where it is something else. */
export class ReplayLog implements RunLog {
  private readonly script: ReplayScript;
  private readonly notes: Set<string>;
  private readonly redact: (draft: EventDraft) => EventDraft;
  private readonly turn: () => Promise<void>;

  /** `notes` takes what another version says in another form; `turn` lets everybody else have theirs. */
  constructor(
    script: ReplayScript,
    redact: (draft: EventDraft) => EventDraft,
    notes: Set<string>,
    turn: () => Promise<void>,
  ) {
    this.script = script;
    this.redact = redact;
    this.notes = notes;
    this.turn = turn;
  }

  get state(): RunState {
    return this.script.state;
  }

  /** Time is up where the log says so, and at no other moment. */
  activeMs(): number {
    const { state, script } = this;
    const limitMs = state.limits.max_wall_time_minutes * 60_000;
    return isTimeUp(script.following) ? limitMs : Math.min(activeMs(state), limitMs - 1);
  }

  append(...drafts: EventDraft[]): void {
    const { script } = this;
    for (const draft of drafts) {
      if (script.difference) throw new ReplayEnded();
      script.admit();
      const { following } = script;
      if (following === null) throw new ReplayEnded();
      this.compare(following, this.redact(draft));
      script.accept();
    }
    script.admit(true);
  }

  barrier(): Promise<void> {
    return this.turn();
  }

  subscribe(listener: (event: RunEvent) => void): () => void {
    return this.script.subscribe(listener);
  }

  private compare(recorded: RunEvent, draft: EventDraft): void {
    const { script } = this;
    if (recorded.type !== draft.type) {
      script.differ(recorded, '', inShort(draft), inShort(loopsOwn(recorded)));
      throw new ReplayEnded();
    }
    const isOther = script.state.version !== BUILD;
    const [was, is] = [loopsOwn(recorded), loopsOwn(draft)];
    const { at, onlyInFile, onlyExpected } = factsThatDiffer(was, is, isOther ? PROSE : NO_PROSE);
    const place = at ?? (isOther ? null : ([...onlyInFile, ...onlyExpected][0] ?? null));
    if (place !== null) {
      script.differ(recorded, place, inShort(valueAt(is, place)), inShort(valueAt(was, place)));
      throw new ReplayEnded();
    }
    if (onlyExpected.length > 0)
      this.notes.add(`${recorded.type} is of another version, without ${onlyExpected.join(', ')}.`);
    if (onlyInFile.length > 0)
      this.notes.add(
        `${recorded.type} is of another version, and says what cannot be compared: ${onlyInFile.join(', ')}.`,
      );
  }
}

/** Sentences for people, which another version words in its own way. */
const PROSE: ReadonlySet<string> = new Set(['detail', 'why', 'error.message', 'usage_note']);
const NO_PROSE: ReadonlySet<string> = new Set();

/** What every event has from the log that took it. */
const ENVELOPE: ReadonlySet<string> = new Set(['v', 'seq', 'epoch', 'ts', 'mono_ms', 'run_id', 'more']);

/** What of an event the loop decided: without its place, times, and what other runs left on a key. */
function loopsOwn(event: RunEvent | EventDraft): Readonly<Record<string, unknown>> {
  const own = Object.fromEntries(Object.entries(event).filter(([name]) => !ENVELOPE.has(name)));
  switch (event.type) {
    case 'call.settled':
    case 'call.held':
    case 'call.released': {
      const { latency_ms: _, ...rest } = own;
      return event.error?.class === KEY_LIMIT ? { ...rest, error: KEY_LIMIT } : rest;
    }
    case 'limit.reached':
      return event.limit === LIMIT_OF.max_wall_time ? { ...own, spent: null } : own;
    default:
      return own;
  }
}

function isTimeUp(following: RunEvent | null): boolean {
  return (
    (following?.type === 'limit.reached' && following.limit === LIMIT_OF.max_wall_time) ||
    (following?.type === 'run.ended' && following.stop_reason === 'max_wall_time')
  );
}

/** What is at a place such as `tasks[3].text`. */
function valueAt(value: unknown, place: string): unknown {
  return place
    .split(/[.[\]]+/)
    .filter(Boolean)
    .reduce<unknown>((inner, key) => (inner as Readonly<Record<string, unknown>> | undefined)?.[key], value);
}

const LONGEST = 200;

function inShort(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}…`;
}
