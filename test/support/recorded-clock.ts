import type { Clock } from '../../src/run/ports.ts';

/** A clock for tests: its time moves only when somebody sleeps or when it is moved, and it keeps what was slept. */
export class RecordedClock implements Clock {
  /** Milliseconds of every sleep that was asked for, in order; those of no length left out. */
  readonly slept: number[] = [];
  private time = 0;
  private readonly onSleep: ((ms: number) => void) | undefined;

  constructor(onSleep?: (ms: number) => void) {
    this.onSleep = onSleep;
  }

  now(): number {
    return Date.UTC(2025, 5, 1) + this.time;
  }

  monotonic(): number {
    return this.time;
  }

  advance(ms: number): void {
    this.time += ms;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms > 0 && !signal?.aborted) {
      this.slept.push(ms);
      this.onSleep?.(ms);
      if (!signal?.aborted) this.time += Math.min(ms, Number.MAX_SAFE_INTEGER);
    }
    // Events that are on their way to the disk come first, as they would in real time.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
