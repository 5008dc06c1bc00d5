import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { projection } from '../../../src/research/projection.ts';
import type { EventDraft } from '../../../src/run/events.ts';
import { fold } from '../../../src/run/state.ts';
import { answered, events, makeConfig, reserved, startOfRun, task, unanswered } from '../../support/run-events.ts';

describe('the projection of a run in progress', () => {
  const config = (max_cost_usd: number, synthesis = false) => {
    const base = makeConfig();
    return { ...base, loop: { ...base.loop, synthesis }, limits: { ...base.limits, max_cost_usd } };
  };
  const spend = (number: number, costUsd: number): EventDraft[] => [
    task(`t${number + 1}`, 'x'),
    { type: 'task.started', task_id: `t${number}`, iteration: number },
    ...answered(`c${number}`, 'x', { iteration: number, costUsd, reservedUsd: 1 }),
    { type: 'task.completed', task_id: `t${number}`, iteration: number, call_id: `c${number}` },
    { type: 'iteration.completed', iteration: number, task_id: `t${number}` },
  ];

  it('goes on at the pace of the last iterations', () => {
    const state = fold(config(10), events(...startOfRun(), ...spend(1, 0.2), ...spend(2, 0.4)));
    assert.deepEqual(projection(state), { totalUsd: 3, perIterationUsd: 0.3, endsAfter: null, level: 'ok' });
    assert.equal(projection(fold(config(10), events(...startOfRun()))), null);
  });

  it('is near where less than a tenth of the limit is left at the end', () => {
    const level = (cap: number) =>
      projection(fold(config(cap), events(...startOfRun(), ...spend(1, 0.3), ...spend(2, 0.3))))?.level;
    assert.deepEqual([3.34, 3.33, 3, 2.99].map(level), ['ok', 'near', 'near', 'over']);
  });

  it('warns of the iteration at which the cost limit ends it, with what is held, reserved and kept back', () => {
    const spent = [...startOfRun(), ...spend(1, 0.3), ...spend(2, 0.3)];
    const ends = (cap: number, more: EventDraft[] = [], synthesis = false) =>
      projection(fold(config(cap, synthesis), events(...spent, ...more)))?.endsAfter;
    assert.equal(ends(3), null);
    assert.equal(ends(2.99), 9);
    assert.equal(ends(2.99, unanswered('h1', 'held', 'x', { reservedUsd: 0.3 })), 8);
    assert.equal(ends(2.99, [reserved('r1', { reservedUsd: 0.3 })]), 8);
    assert.equal(ends(0.5), 2);
    assert.equal(ends(2.99, [], true), 9, 'the closing answer is cheap');
    assert.equal(ends(3, [], true), 9);
    assert.equal(projection(fold(config(2.99), events(...spent)))?.level, 'over');
    const raised: EventDraft = { type: 'limit.raised', limit: 'max_cost_usd', from: 2.99, to: 5, by: 'user' };
    assert.equal(ends(2.99, [raised]), null);
  });
});
