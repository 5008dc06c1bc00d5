/** What the watchdog sees at one look. */
export interface Look {
  /** Raised by the loop's thread several times a second. */
  readonly beats: bigint;
  /** How long the time limit of the run has been over; negative before. Milliseconds. */
  readonly overdueMs: number;
  /** Milliseconds since 1970, and on the monotonic clock. */
  readonly wallMs: number;
  readonly monotonicMs: number;
}

type Episode = 'hang' | 'overdue';

/** `hang`: the loop's thread is blocked. `overdue`: the run goes on past its time limit. `ms`: for how long. */
export type Finding =
  | { readonly what: Episode; readonly over?: undefined; readonly ms: number }
  /** `over`: what is. */
  | { readonly what: 'recovered'; readonly over: Episode; readonly ms: number };

/** A run may take this long to end once its time is up. */
const OVERDUE_MS = 5000;
/** Looks are far closer together than this, and both clocks agree: else everything stood still, the loop rightly too. */
const SUSPENDED_MS = 2000;

/** Tells a blocked loop from a suspended machine. One finding for each episode, and one when it is over. */
export class HangDetector {
  private readonly limitMs: number;
  private last: Look;
  private movedAt: number;
  private resetAt: number;
  private episode: { readonly what: Episode; readonly since: number } | null = null;

  constructor(limitMs: number, first: Look) {
    this.limitMs = limitMs;
    this.last = first;
    this.movedAt = first.monotonicMs;
    this.resetAt = first.monotonicMs;
  }

  look(now: Look): Finding | null {
    const { last } = this;
    this.last = now;
    const at = now.monotonicMs;
    const passed = at - last.monotonicMs;
    const moved = now.beats !== last.beats;
    if (passed > SUSPENDED_MS || Math.abs(now.wallMs - last.wallMs - passed) > SUSPENDED_MS) {
      this.movedAt = at;
      this.resetAt = at;
    }
    if (moved) this.movedAt = at;
    if (this.episode !== null) return this.over(now, moved);
    if (at - this.movedAt >= this.limitMs) return this.begin('hang', this.movedAt, at);
    if (now.overdueMs > OVERDUE_MS && at - this.resetAt > OVERDUE_MS)
      return this.begin('overdue', at - now.overdueMs, at);
    return null;
  }

  /** The run has ended: so has what it was found at. */
  end({ monotonicMs }: Look): Finding | null {
    if (this.episode === null) return null;
    const { what: over, since } = this.episode;
    this.episode = null;
    return { what: 'recovered', over, ms: monotonicMs - since };
  }

  private begin(what: Episode, since: number, at: number): Finding {
    this.episode = { what, since };
    return { what, ms: at - since };
  }

  private over(now: Look, moved: boolean): Finding | null {
    return (this.episode?.what === 'hang' ? moved : now.overdueMs < 0) ? this.end(now) : null;
  }
}
