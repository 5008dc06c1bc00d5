import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { snapshotOf } from '../../../src/terminal/configuration.ts';
import { Options } from '../../../src/terminal/options.ts';

const RUN = ['run', 'Plan a garden', '--max-iterations', '2'];

describe('the settings of a run in the terminal', () => {
  it('are all on record, switches and lists too, however they were given', () => {
    const args = [...RUN, '--skip-reviews', '--free-server', '--accept', 'Beds', '--accept', 'Paths'];
    const variables = { BABYAGI_NO_ANSWER: 'on', BABYAGI_REVIEW_FIRST_USE: 'no', MAX_COST_USD: '0.5', HELP: '1' };
    assert.deepEqual(snapshotOf(Options.parse(args, variables)), {
      flags: {
        'max-iterations': '2',
        'max-cost-usd': '0.5',
        accept: ['Beds', 'Paths'],
        'review-first-use': false,
        'skip-reviews': true,
        'free-server': true,
        'no-answer': true,
      },
      variables: { BABYAGI_NO_ANSWER: 'on', BABYAGI_REVIEW_FIRST_USE: 'no', MAX_COST_USD: '0.5' },
    });
  });
});
