import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatDollars, formatDuration, formatElapsed, formatTime } from '../../../src/webview/format.ts';

describe('numbers for people', () => {
  it('give dollars with two digits that say something', () => {
    const amounts = [0, 0.0000123, 0.0021, 0.05, 0.5, 1, 12.345];
    assert.deepEqual(amounts.map(formatDollars), ['$0', '$0.000012', '$0.0021', '$0.050', '$0.50', '$1.00', '$12.35']);
  });

  it('give times as coarse as they are long', () => {
    const times = [0, 850, 2400, 9949, 9950, 59_400, 60_000, 192_000, 3_600_000, 7_500_000, 274_000_000];
    assert.deepEqual(times.map(formatDuration), [
      ...['0 ms', '850 ms', '2.4 s', '9.9 s', '10 s', '59 s', '1 m', '3 m 12 s', '1 h', '2 h 05 m', '3 d 4 h'],
    ]);
  });

  it('count whole seconds while a time goes on', () => {
    assert.deepEqual([-5, 999, 1000, 10_500, 61_900].map(formatElapsed), ['0 s', '0 s', '1 s', '10 s', '1 m 01 s']);
  });

  it('give the date only where it is another day', () => {
    const noon = new Date(2025, 0, 2, 12);
    const morning = new Date(2025, 0, 2, 9, 30);
    const short = formatTime(morning.toISOString(), noon);
    const long = formatTime(morning.toISOString(), new Date(2025, 0, 3, 12));
    assert.match(short, /30/);
    assert.doesNotMatch(short, /2025/);
    assert.match(long, /2025/);
  });

  it('leave a time stamp that is none as it is', () => {
    assert.equal(formatTime('yesterday'), 'yesterday');
  });
});
