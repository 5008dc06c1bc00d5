import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HangDetector, type Finding } from '../../../src/notify/hang-detector.ts';

/** A detector with a limit of 60 s, looked at every 250 ms of a time that is made up. */
class Time {
  beats = 0n;
  overdueMs = -3_600_000;
  private wallMs = Date.UTC(2026, 4, 17);
  private monotonicMs = 1000;
  private readonly detector = new HangDetector(60_000, this.now());
  readonly findings: Finding[] = [];

  /** Lets that much time pass; the loop beats or is blocked. */
  pass(ms: number, beating: boolean): this {
    for (let left = ms; left > 0; left -= 250) {
      this.jump(250, 250);
      if (beating) this.beats += 2n;
      this.look();
    }
    return this;
  }

  /** Moves the clocks, and nothing looks meanwhile. */
  jump(wallMs: number, monotonicMs: number): this {
    this.wallMs += wallMs;
    this.monotonicMs += monotonicMs;
    this.overdueMs += monotonicMs;
    return this;
  }

  look(): this {
    const finding = this.detector.look(this.now());
    if (finding) this.findings.push(finding);
    return this;
  }

  get said(): string[] {
    return this.findings.map(({ what }) => what);
  }

  private now() {
    return { beats: this.beats, overdueMs: this.overdueMs, wallMs: this.wallMs, monotonicMs: this.monotonicMs };
  }
}

describe('telling a hang', () => {
  it('happens once for each episode, at the limit, and again when it is over', () => {
    const time = new Time().pass(120_000, true).pass(59_750, false);
    assert.deepEqual(time.said, []);
    time.pass(250, false);
    assert.deepEqual(time.findings, [{ what: 'hang', ms: 60_000 }]);
    time.pass(600_000, false);
    assert.deepEqual(time.said, ['hang']);
    time.pass(250, true);
    assert.deepEqual(time.findings.at(-1), { what: 'recovered', over: 'hang', ms: 660_250 });
    time.pass(120_000, true).pass(60_000, false);
    assert.deepEqual(time.said, ['hang', 'recovered', 'hang']);
  });

  it('does not happen for a process or machine that was suspended', () => {
    // SIGSTOP: both clocks go on, but nothing looks.
    assert.deepEqual(new Time().pass(1000, true).jump(300_000, 300_000).look().pass(59_000, false).said, []);
    // Sleep of the machine: the monotonic clock stands still on Linux.
    assert.deepEqual(new Time().pass(40_000, false).jump(3_600_000, 250).look().pass(59_000, false).said, []);
    // A step of the wall clock, forward and back.
    assert.deepEqual(
      new Time()
        .pass(1000, true)
        .jump(8 * 3_600_000, 250)
        .look()
        .pass(1000, true)
        .jump(-32 * 3_600_000, 250)
        .look().said,
      [],
    );
  });

  it('happens all the same after a suspension', () => {
    assert.deepEqual(new Time().jump(300_000, 300_000).look().pass(60_000, false).said, ['hang']);
  });

  it('happens for a run that goes on past its time limit', () => {
    const time = new Time().pass(10_000, true);
    time.overdueMs = 0;
    assert.deepEqual(time.pass(5000, true).said, []);
    assert.deepEqual(time.pass(60_000, true).said, ['overdue']);
    time.overdueMs = -600_000;
    assert.deepEqual(time.pass(1000, true).said, ['overdue', 'recovered']);
  });

  it('leaves a run the time to end that wakes up past its time limit', () => {
    const time = new Time().pass(1000, true).jump(7_200_000, 7_200_000).look().pass(4500, true);
    assert.ok(time.overdueMs > 0);
    assert.deepEqual(time.said, []);
    assert.deepEqual(time.pass(1000, true).said, ['overdue']);
  });
});
