import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import type { EventDraft } from '../../../src/run/events.ts';
import type { RunLog } from '../../../src/run/ports.ts';
import { reviewDigest } from '../../../src/run/review.ts';
import { apply, fold } from '../../../src/run/fold.ts';
import type { RunState } from '../../../src/run/state.ts';
import { Steering } from '../../../src/run/steer.ts';
import { askReview } from '../../../src/terminal/review.ts';
import { events, failedIteration, iteration, makeConfig, startOfRun, task } from '../../support/run-events.ts';

const config = makeConfig();
const CONFIG = { ...config, loop: { ...config.loop, review_every: 2 } };

const BEFORE: readonly EventDraft[] = [
  ...startOfRun(),
  task('t2', 'Two'),
  task('t3', 'Three'),
  task('t4', 'Four \u001b[2J'),
  ...iteration(1, 't1', '```file:plan.md\nDig\u001b[2J.\n```', task('t5', 'Five', { iteration: 1 })),
  ...failedIteration(2, 't2', 'No.'),
];

interface Asked {
  readonly state: RunState;
  readonly shown: string;
  readonly how: 'answered' | 'left';
  readonly appended: readonly EventDraft[];
}

/** In place of a line: the review was decided elsewhere. */
const DECIDED = '';

/** A person types these lines, each when the question is there. */
async function ask(
  request: Partial<Extract<EventDraft, { type: 'review.requested' }>>,
  ...lines: string[]
): Promise<Asked> {
  const drafts: EventDraft[] = [...BEFORE];
  const state = fold(CONFIG, events(...drafts));
  const appended: EventDraft[] = [];
  const append = (...batch: EventDraft[]) => {
    for (const draft of batch) {
      drafts.push(draft);
      const event = events(...drafts).at(-1);
      if (event) apply(state, event);
    }
  };
  append({
    type: 'review.requested',
    review_id: 'r2',
    iteration: 2,
    digest: reviewDigest(state),
    why: 'every 2 iterations',
    ...request,
  });
  const log = { state, append: (...batch: EventDraft[]) => (appended.push(...batch), append(...batch)) };
  const [input, output] = [new PassThrough(), new PassThrough()];
  let shown = '';
  output.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    if (!text.endsWith('> ')) return;
    const line = lines.shift();
    if (line === undefined) input.end();
    else if (line === DECIDED) elsewhere.abort();
    else input.write(`${line}\n`);
  });
  const elsewhere = new AbortController();
  const steering = new Steering(log as unknown as RunLog);
  const how = await askReview(state, steering, { input, output }, elsewhere.signal);
  return { state, shown, how, appended };
}

describe('a review on the terminal', () => {
  it('says why, what happened, what comes next and what that costs', async () => {
    const { shown, appended } = await ask({}, 'a');
    assert.match(shown, /Checkpoint review after iteration 2: every 2 iterations\n/);
    assert.match(shown, /Since the last one: 2 iterations: 1 task done, 1 failed; 4 new tasks; \$0\.0010 spent\./);
    assert.match(shown, /Ahead: until the next review \(2 iterations\): about \$0\.0010\./);
    assert.match(shown, /Next:\n {2}t3 {2}Three\n {2}t4 {2}Four/);
    assert.equal(shown.includes('\u001b'), false, 'the text of a task moves no cursor');
    assert.deepEqual(
      appended.map(({ type }) => type),
      ['review.decided'],
    );
  });

  it('names the files that wait to be written, and shows them', async () => {
    const first_use = { tool: 'write_files' as const, task_id: 't3', call_id: 'x1', files: ['plan.md'] };
    const { shown } = await ask({ reason: 'first_use', first_use }, 'v', 's');
    assert.match(shown, /Checkpoint review in iteration 3: /);
    assert.match(shown, /Files that wait to be written \(v shows them\):\n {2}plan\.md\n/);
    assert.match(shown, /plan\.md\n {2}\| Dig \[2J\.\n/);
  });

  it('takes every change, shows what it made, and decides for that', async () => {
    const lines = [
      '+ Count the beds',
      'e t3 Three beds',
      'd t4',
      'b t5 not before Monday',
      'b t3',
      'f t3',
      'm u1 t5',
      'u t5',
      'g Prefer shade',
      'l iterations 20',
      'l usd 2.5',
      'a',
    ];
    const { state, appended, shown } = await ask({}, ...lines);
    assert.deepEqual(
      state.pending.map((id) => state.tasks.get(id)?.text),
      ['Five', 'Three beds', 'Count the beds'],
    );
    assert.deepEqual(state.guidance, ['Prefer shade']);
    assert.deepEqual(
      ['t3', 't5'].map((id) => state.tasks.get(id)?.state),
      ['pending', 'blocked'],
    );
    assert.match(shown, /t5 {2}\(blocked: not before Monday\) Five/);
    assert.match(shown, /t3 {2}\(blocked\) Three beds/);
    assert.deepEqual([state.limits.max_iterations, state.limits.max_cost_usd], [20, 2.5]);
    assert.equal(state.review, null);
    assert.equal(appended.at(-1)?.type, 'review.decided');
  });

  it('adds a limit of requests that the run was started without, and says why one cannot begin so low', async () => {
    const { shown, state } = await ask({}, 'l tokens 1', 'l requests 40', 'a');
    assert.match(shown, /The token limit cannot begin at 1, as \d+ are used or reserved already: give no less\./);
    assert.deepEqual([state.limits.max_requests, state.limits.max_tokens], [40, undefined]);
  });

  it('says what is wrong with an answer, and asks again', async () => {
    const { shown, state } = await ask({}, 'x', 'l speed 3', 'l usd', 'm t3 t9', 's');
    for (const words of [/"x" is none of these/, /Name a limit/, /cost limit NaN is not valid/, /no waiting task t9/])
      assert.match(shown, words);
    assert.equal(state.reviews.at(-1)?.decision, 'stop');
  });

  it('leaves the review as it is where the input ends, and says so', async () => {
    const { state, how } = await ask({});
    assert.ok(state.review);
    assert.equal(how, 'left');
    assert.equal((await ask({}, 'a')).how, 'answered');
  });

  it('ends where it was decided elsewhere, and stops nothing', async () => {
    const { appended, how } = await ask({}, 'g Be brief.', DECIDED);
    assert.deepEqual([appended.length, how], [1, 'answered']);
  });

  it('does all of what is sent at once, one line after another', async () => {
    const { appended, how } = await ask({}, 'l iterations 30\ng Be brief.\na');
    assert.deepEqual(
      appended.map(({ type }) => type),
      ['limit.raised', 'guidance.given', 'review.decided'],
    );
    assert.equal(how, 'answered');
  });
});
