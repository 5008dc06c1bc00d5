import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunConfig } from '../../../src/run/config.ts';
import type { EventDraft } from '../../../src/run/events.ts';
import { fold } from '../../../src/run/fold.ts';
import { answerMarkdown } from '../../../src/runlog/answer.ts';
import { summarize } from '../../../src/runlog/summary.ts';
import {
  answered,
  ended,
  events,
  iteration,
  makeConfig,
  RUN_ID,
  startOfRun,
  task,
  unanswered,
} from '../../support/run-events.ts';

function answerOf(drafts: readonly EventDraft[], config: RunConfig = makeConfig()): string {
  const state = fold(config, events(...drafts));
  return [...answerMarkdown(state, summarize(state))].join('');
}

const TWO_RESULTS = [
  ...startOfRun(),
  ...iteration(1, 't1', 'One <b>.', task('t2', 'Second *task*')),
  ...iteration(2, 't2', '# Two\n```\nopen'),
];
const synthesis = (id: string, text: string, more: Parameters<typeof answered>[2] = {}) =>
  answered(id, text, { agent: 'synthesis', iteration: 2, costUsd: 0.0042, ...more });

describe('answer.md', () => {
  it('is the newest synthesis, with its sources and its price', () => {
    const answer = answerOf([
      ...TWO_RESULTS,
      ...synthesis('s1', 'An older answer.'),
      ...synthesis('s2', '# Verdict\n\nUse **B** [t2], not <A> [t7, t1].'),
      ...synthesis('s3', '  '),
      ...unanswered('s4', 'held', 'No answer.', { agent: 'synthesis', iteration: 2 }),
      ended('queue_empty'),
    ]);
    assert.equal(
      answer,
      `# Compare three databases

## Verdict

Use **B** [t2](summary.md#t2), not &lt;A> \\[t7, t1].

---

Written by \`gpt-4.1-mini-2025-04-14\` for $0.0042. Cited: t1, t2. Run \`${RUN_ID}\`, strategy guarded. What the run did: [summary.md](summary.md).
`,
    );
  });

  it('says where the answer is cut off, and where the run went on after it', () => {
    const cut = answerOf([
      ...TWO_RESULTS,
      ...synthesis('s1', 'Use', { finishReason: 'length', iteration: 1 }),
      ended('queue_empty'),
    ]);
    assert.match(cut, /cut off at the limit of its length/);
    assert.match(cut, /Written after iteration 1; the run went on to iteration 2\./);
    const whole = answerOf([...TWO_RESULTS, ...synthesis('s1', 'Use B.'), ended('queue_empty')]);
    assert.doesNotMatch(whole, /cut off|Written after/);
  });

  it('ends with its own words, whatever the answer leaves open', () => {
    const answer = answerOf([
      ...TWO_RESULTS,
      ...synthesis('s1', `- ~~~\n${'x'.repeat(1_000_000)}\n\`\`\`\n<!-- `),
      ended('queue_empty'),
    ]);
    assert.ok(answer.length < 201_000);
    assert.match(answer, /\n\n\*The answer is longer; the whole is in the log\.\*\n\n---\n\nWritten by/);
  });

  it('shows the results by task where there is no synthesis', () => {
    const answer = answerOf([...TWO_RESULTS, ended('stopped_by_user')]);
    assert.match(
      answer,
      /^# Compare three databases\n\n\*\*No closing answer was written\.\*\* The run ended before it could be asked for: `stopped_by_user`\. These are the results/,
    );
    assert.match(answer, /\n## t1\n\n\*\*Develop a task list\*\*\n\n> One &lt;b>\.\n/);
    assert.match(answer, /\n## t2\n\n\*\*Second \\\*task\\\*\*\*\n\n> ### Two\n> ````\n> open\n> ````\n\n---\n/);
  });

  it('does not let a rehearsal pass for more', () => {
    const rehearsed = makeConfig({ model: { ...makeConfig().model, provider: 'rehearsal' } });
    const drafts = [...TWO_RESULTS, ...synthesis('s1', 'Use B.'), ended('queue_empty')];
    assert.match(answerOf(drafts, rehearsed), /A rehearsal: a built-in program answered/);
    assert.doesNotMatch(answerOf(drafts), /rehearsal/);
  });

  it('says why there is none', () => {
    const why = (drafts: readonly EventDraft[], config?: RunConfig) =>
      /written\.\*\* (.*?)(?: These| There|$)/m.exec(answerOf(drafts, config))?.[1];
    const failed = unanswered('s1', 'held', 'No answer within 120 s.', { agent: 'synthesis' });
    const without = makeConfig({ loop: { ...makeConfig().loop, synthesis: false } });
    assert.equal(why([...TWO_RESULTS, ended('max_cost')]), 'What was left of the cost limit did not pay for it.');
    assert.equal(
      why([...TWO_RESULTS, ...failed, ended('queue_empty')]),
      'The request for it failed: No answer within 120 s.',
    );
    assert.equal(why([...TWO_RESULTS, ...synthesis('s1', ''), ended('queue_empty')]), 'The model gave an empty one.');
    assert.equal(why([...TWO_RESULTS, ended('queue_empty')], without), 'The run was started without one.');
    assert.equal(why([...startOfRun(), ended('queue_empty')]), 'No task gave a result.');
    assert.equal(why(TWO_RESULTS), 'The run has not ended.');
  });
});
