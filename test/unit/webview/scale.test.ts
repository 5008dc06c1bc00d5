import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { barPath, markPath, niceMaximum, slotAt, stepPath } from '../../../src/webview/scale.ts';

describe('the scale of a chart', () => {
  it('ends at a short number that is not below the greatest value', () => {
    const values = [0.0021, 0.9, 1, 1.01, 5, 7, 8.1, 61];
    assert.deepEqual(values.map(niceMaximum), [0.004, 1, 1, 2, 6, 8, 10, 80]);
  });

  it('is of use where there is nothing to measure', () => {
    assert.deepEqual([0, -1, Number.NaN].map(niceMaximum), [1, 1, 1]);
  });

  it('draws bars from the ground up, side by side, and none for nothing', () => {
    assert.equal(barPath([10, 0, 5], 10), 'M33.33 100V0H300zM700 100V50H966.67z'.replaceAll('z', 'V100z'));
  });

  it('draws steps over the whole width', () => {
    assert.equal(stepPath([0, 10], 10, false), 'M0 100H500V0H1000');
    assert.equal(stepPath([10], 10, true), 'M0 0H1000V100H0z');
    assert.equal(stepPath([], 10, true), '');
  });

  it('marks only what is to be marked', () => {
    assert.equal(markPath([false, true]), 'M500 0h400v6h-400z');
  });

  it('finds the slot under the pointer, also at the edges', () => {
    assert.deepEqual(
      [-0.1, 0, 0.49, 0.5, 1].map((at) => slotAt(at, 2)),
      [0, 0, 0, 1, 1],
    );
  });
});
