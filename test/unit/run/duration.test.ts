import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { duration } from '../../../src/run/duration.ts';

describe('a duration', () => {
  it('has two units at the most, in as much detail as is asked for', () => {
    for (const [ms, fine, usual, coarse] of [
      [0, '0 ms', '0 s', '0 s'],
      [900.4, '900 ms', '0 s', '0 s'],
      [4500, '4.5 s', '4 s', '4 s'],
      [60_000, '1 min 00 s', '1 min 00 s', '1 min'],
      [3_599_999, '59 min 59 s', '59 min 59 s', '59 min'],
      [11_100_000, '3 h 05 min', '3 h 05 min', '3 h 05 min'],
    ] as const)
      assert.deepEqual([duration(ms, 'fine'), duration(ms), duration(ms, 'coarse')], [fine, usual, coarse]);
  });
});
