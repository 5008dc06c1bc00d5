import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { initialState } from '../../../src/run/state.ts';
import { fitted } from '../../../src/terminal/columns.ts';
import { Progress } from '../../../src/terminal/progress.ts';
import { makeConfig } from '../../support/run-events.ts';

describe('a text on a terminal', () => {
  it('takes no more columns than it is given, of which some characters take two', () => {
    const cases: [string, number, string][] = [
      ['garden', 6, 'garden'],
      ['gardens', 6, 'garde…'],
      ['計画を立てる', 12, '計画を立てる'],
      ['計画を立てる', 11, '計画を立て…'],
      ['計画を立てる', 10, '計画を立…'],
      ['a🌱b🌱', 6, 'a🌱b🌱'],
      ['a🌱b🌱', 5, 'a🌱b…'],
    ];
    for (const [text, columns, shown] of cases) assert.equal(fitted(text, columns), shown);
  });
});

describe('the progress line', () => {
  it('comes back after a pause', (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const written: string[] = [];
    const screen = { isTTY: true, columns: 200, write: (text: string) => void written.push(text) };
    const state = initialState(makeConfig());
    state.status = 'running';
    const progress = new Progress(screen, state, () => 0);
    const draws = () => written.splice(0).filter((text) => text.length > 5).length;
    t.mock.timers.tick(200);
    assert.equal(draws(), 1);
    progress.pause();
    t.mock.timers.tick(1000);
    assert.equal(draws(), 0);
    progress.resume();
    t.mock.timers.tick(200);
    assert.equal(draws(), 1);
    progress.close();
  });
});
