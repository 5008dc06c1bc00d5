import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EventDraft } from '../../../src/run/events.ts';
import { fold } from '../../../src/run/fold.ts';
import { reviewFate } from '../../../src/vscode/review-fate.ts';
import { events, makeConfig, startOfRun } from '../../support/run-events.ts';

type Decision = Extract<EventDraft, { type: 'review.decided' }>;

function decided(more: Partial<Decision>): EventDraft[] {
  return [
    { type: 'review.requested', review_id: 'r1', iteration: 0, digest: 'd', why: 'x' },
    { type: 'review.decided', review_id: 'r1', digest: 'd', decision: 'approve', by: 'user', via: 'vscode', ...more },
  ];
}

describe('what became of a review', () => {
  const fateOf = (drafts: EventDraft[], id = 'r1') =>
    reviewFate(fold(makeConfig(), events(...startOfRun(), ...drafts)), id);

  it('is told with the decision, the time and the place', () => {
    for (const [more, words] of [
      [{}, /^This review was decided already: approved at \d.* in this window\.$/],
      [{ via: 'panel' }, /: approved at \d.* in the summary panel\.$/],
      [{ via: 'another window', decision: 'stop' }, /: stopped at \d.* in another window\.$/],
      [{ via: 'stop', decision: 'stop' }, /: stopped at \d.* with the run\.$/],
      [{ via: 'unattended policy', by: 'policy' }, /: approved at \d.* by the policy for unattended reviews\.$/],
    ] as const)
      assert.match(fateOf(decided(more)) ?? '', words);
  });

  it('is nothing while it waits, and nothing of another review', () => {
    assert.equal(fateOf(decided({}).slice(0, 1)), null);
    assert.equal(fateOf(decided({}), 'r2'), null);
  });
});
