import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brain } from '../../support/brain.ts';
import { bodies, oneRun, tasksIn } from '../../support/one-run.ts';
import type { ChatRequestSeen } from '../../support/model-server.ts';

const isPlanning = (request: ChatRequestSeen) => request.prompt.startsWith('You keep a task list');
const isRepair = (request: ChatRequestSeen) => request.prompt.startsWith('The reply below');
const isJudge = (request: ChatRequestSeen) => request.prompt.startsWith('You judge');
const isExecution = (request: ChatRequestSeen) => request.prompt.startsWith('You carry out one task');

/** Answers plans with the given replies in turn, the last one again and again; all else as a capable model. */
function plans(...replies: (string | object)[]) {
  const think = brain();
  let next = 0;
  return (request: ChatRequestSeen, index: number) => {
    if (!isPlanning(request)) return think(request, index);
    const reply = replies[Math.min(next++, replies.length - 1)] ?? '';
    return typeof reply === 'string' ? reply : JSON.stringify(reply);
  };
}

/** Unit vectors by text: the first rule that matches wins, all other texts are far from each other. */
function vectors(...rules: [RegExp, number[]][]) {
  let others = 10;
  return (text: string, dimensions: number) => {
    const vector = Array.from({ length: dimensions }, () => 0);
    const rule = rules.find(([pattern]) => pattern.test(text));
    if (rule) rule[1].forEach((value, index) => (vector[index] = value));
    else vector[others++ % dimensions] = 1;
    return vector;
  };
}

describe('the guarded strategy', () => {
  it('makes two chat requests and one embedding request an iteration, and no other', async (t) => {
    const { server, state } = await oneRun(t, {
      server: { reply: brain() },
      settings: { max_iterations: 4, synthesis: false },
    });
    const kinds = [...state.calls.values()].map(({ agent, iteration }) => `${iteration} ${agent}`);
    assert.deepEqual(
      kinds,
      [1, 2, 3, 4].flatMap((n) => [`${n} execution`, `${n} planning`, `${n} embedding`]),
    );
    assert.equal(server.requests.length, 12);
  });

  it('keeps the text of a task as the model wrote it', async (t) => {
    const text = 'Compare "v2.0" and (v3.1):\n  - speed\n  - cost — 100 %!';
    const { server, state } = await oneRun(t, {
      server: { reply: plans({ new_tasks: [text], order: ['n1'], complete: false }) },
      settings: { max_iterations: 2 },
    });
    assert.equal(state.tasks.get('t2')?.text, text);
    const asked = bodies(server, 'chat/completions').filter((body) =>
      JSON.stringify(body).includes('You carry out one task'),
    );
    const messages = asked[1]?.['messages'] as { content: string }[];
    assert.ok(messages[1]?.content.includes(`Task t2: ${text}`));
  });

  it('adds no task that is waiting or done already under the same text', async (t) => {
    const same = { new_tasks: ['Buy seeds', ' buy  SEEDS! ', 'Develop a task list'], order: [], complete: false };
    const { state } = await oneRun(t, {
      server: { reply: plans(same) },
      settings: { max_iterations: 2, synthesis: false },
    });
    assert.deepEqual(
      [...state.tasks.values()].map(({ text }) => text),
      ['Develop a task list', 'Buy seeds'],
    );
    assert.deepEqual(
      state.suppressed.map(({ why, duplicate_of }) => [why, duplicate_of]),
      [
        ['same_text', 't2'],
        ['same_text', 't1'],
        ['same_text', 't2'],
        ['same_text', 't2'],
        ['same_text', 't1'],
      ],
    );
  });

  it('adds no task that means the same as a waiting or a done one', async (t) => {
    const near = [0.95, Math.sqrt(1 - 0.95 ** 2)];
    const embed = vectors([/^Buy/, [1]], [/^Purchase/, near], [/^Acquire/, [0.5, Math.sqrt(0.75)]]);
    const reply = plans(
      { new_tasks: ['Buy seeds'], order: [], complete: false },
      { new_tasks: ['Purchase seed packets', 'Acquire a spade'], order: [], complete: false },
    );
    const { state } = await oneRun(t, { server: { reply, embed }, settings: { max_iterations: 2, synthesis: false } });
    assert.deepEqual(
      state.suppressed.map(({ text, why, duplicate_of, similarity }) => [text, why, duplicate_of, similarity]),
      [['Purchase seed packets', 'similar', 't2', 0.95]],
    );
    assert.deepEqual(tasksIn(state, 'pending'), ['Acquire a spade']);
  });

  it('still knows a task again after its paraphrases were refused many times', async (t) => {
    const near = [0.95, Math.sqrt(1 - 0.95 ** 2)];
    const embed = vectors([/^Buy/, [1]], [/^Purchase/, near]);
    let round = 0;
    const think = brain();
    const reply = (request: ChatRequestSeen, index: number) => {
      if (!isPlanning(request)) return think(request, index);
      round += 1;
      const fresh = [
        `Look into topic ${'abcdefghijklmnop'[round]}`,
        `Purchase seeds, wording ${round}`,
        `Purchase seeds once more, ${round}`,
      ];
      return JSON.stringify({
        new_tasks: round === 1 ? ['Buy seeds', 'Look around'] : fresh,
        order: [],
        complete: false,
      });
    };
    const { state } = await oneRun(t, { server: { reply, embed }, settings: { max_iterations: 8, synthesis: false } });
    const bought = [...state.tasks.values()].filter(({ text }) => /^(Buy|Purchase)/.test(text));
    assert.deepEqual(
      bought.map(({ text }) => text),
      ['Buy seeds'],
    );
    assert.equal(state.suppressed.length, 14);
  });

  it('takes no more new tasks an iteration than allowed, and says which it left out', async (t) => {
    const many = { new_tasks: ['One', 'Two', 'Three', 'Four', 'Five'], order: [], complete: false };
    const { state } = await oneRun(t, {
      server: { reply: plans(many) },
      settings: { max_iterations: 1, maxNewTasks: 2, synthesis: false },
    });
    assert.deepEqual(tasksIn(state, 'pending'), ['One', 'Two']);
    assert.deepEqual(
      state.suppressed.map(({ text, why }) => [text, why]),
      [
        ['Three', 'too_many'],
        ['Four', 'too_many'],
        ['Five', 'too_many'],
      ],
    );
  });

  it('orders the queue as told; ids that are unknown, repeated or missing change nothing else', async (t) => {
    const reply = plans(
      { new_tasks: ['A', 'B', 'C'], order: ['n3', 'n1', 'n2'], complete: false },
      { new_tasks: ['D'], order: ['t99', 't3', 'n1', 't3', 'x'], complete: false },
    );
    const { state } = await oneRun(t, { server: { reply }, settings: { max_iterations: 2, synthesis: false } });
    assert.equal(state.tasks.get('t4')?.state, 'done', 'C was put first');
    // Waiting were A (t2) and B (t3): A was forgotten and keeps its place, D follows B.
    assert.deepEqual(
      state.pending.map((id) => state.tasks.get(id)?.text),
      ['A', 'B', 'D'],
    );
  });

  it('repairs a reply once, then keeps the list', async (t) => {
    let repairs = 0;
    const think = plans('I would rather not say.');
    const reply = (request: ChatRequestSeen, index: number) => {
      if (!isRepair(request)) return think(request, index);
      repairs += 1;
      assert.ok(request.prompt.includes('I would rather not say.'), 'the repair sees the reply');
      return '{"new_tasks":["Mended"],"order":["n1"],"complete":false}';
    };
    const { state } = await oneRun(t, { server: { reply }, settings: { max_iterations: 1, synthesis: false } });
    assert.equal(repairs, 1);
    assert.deepEqual(tasksIn(state, 'pending'), ['Mended']);
    assert.equal(state.strikes, 0);
    assert.equal(state.iterations[0]?.repaired, true);
  });

  it('ends as stalled after three unusable plans in a row where nobody is there', async (t) => {
    const start = { new_tasks: ['A', 'B', 'C'], order: [], complete: false };
    const think = plans(start, 'no idea');
    const reply = (request: ChatRequestSeen, index: number) =>
      isRepair(request) ? 'still none' : think(request, index);
    const { outcome, state, events } = await oneRun(t, { server: { reply }, settings: { synthesis: false } });
    assert.equal(outcome.stopReason, 'stalled');
    assert.equal(outcome.iterations, 4);
    assert.deepEqual(
      events.flatMap((event) => (event.type === 'reply.rejected' ? [event.strike] : [])),
      [1, 2, 3],
    );
    assert.deepEqual(tasksIn(state, 'done').length, 4, 'the results were kept');
  });

  it('goes on where only some plans are unusable', async (t) => {
    const good = { new_tasks: [], order: [], complete: false };
    const think = plans({ new_tasks: ['A', 'B', 'C'], order: [], complete: false }, 'no', 'no', good, 'no', 'no');
    const more = brain();
    const reply = (request: ChatRequestSeen, index: number) =>
      isRepair(request) ? 'no' : isJudge(request) ? more(request, index) : think(request, index);
    const { outcome } = await oneRun(t, { server: { reply }, settings: { max_iterations: 4, synthesis: false } });
    assert.equal(outcome.stopReason, 'max_iterations');
  });

  it('fails a task that came to nothing and goes on with the next', async (t) => {
    const think = plans(
      { new_tasks: ['Empty', 'Full'], order: [], complete: false },
      { new_tasks: [], order: [], complete: false },
    );
    const reply = (request: ChatRequestSeen, index: number) =>
      isExecution(request) && /Task t2: /.test(request.prompt) ? '  \n' : think(request, index);
    const { state, outcome } = await oneRun(t, {
      server: { reply },
      settings: { max_iterations: 3, synthesis: false },
    });
    assert.equal(state.tasks.get('t2')?.state, 'failed');
    assert.equal(state.tasks.get('t2')?.error?.class, 'empty_result');
    assert.equal(state.tasks.get('t3')?.state, 'done');
    assert.equal(outcome.stopReason, 'max_iterations');
    assert.equal(state.memory.has('t2'), false);
  });

  for (const attended of [false, 'reviews'] as const) {
    const who = attended ? 'somebody answers reviews only, as in a terminal' : 'nobody is there';
    it(`ends as stalled after three failed tasks in a row where ${who}`, async (t) => {
      const think = plans({ new_tasks: ['A', 'B', 'C'], order: [], complete: false });
      const reply = (request: ChatRequestSeen, index: number) =>
        isExecution(request) && !/Task t1: /.test(request.prompt) ? '' : think(request, index);
      const { outcome, state } = await oneRun(t, {
        server: { reply },
        // A run that waited for somebody would end by its time limit.
        settings: { synthesis: false, max_wall_time_minutes: 0.1 },
        host: { attended },
      });
      assert.equal(outcome.stopReason, 'stalled');
      assert.equal(tasksIn(state, 'failed').length, 3);
    });
  }

  describe('judging completion', () => {
    const claim = { new_tasks: ['More'], order: [], complete: true };
    const verdicts = (...list: { met: boolean; task: string }[]) => {
      const think = plans(claim);
      return (request: ChatRequestSeen, index: number) =>
        isJudge(request) ? JSON.stringify({ verdicts: list }) : think(request, index);
    };

    it('ends the run where every criterion is met by a task with a result', async (t) => {
      const reply = verdicts({ met: true, task: 't1' }, { met: true, task: '[t1]' });
      const { outcome } = await oneRun(t, { server: { reply }, settings: { acceptanceCriteria: ['One', 'Two'] } });
      assert.equal(outcome.stopReason, 'objective_complete');
      assert.equal(outcome.iterations, 1);
    });

    for (const [what, list] of [
      [
        'names a task that is not there',
        [
          { met: true, task: 't9' },
          { met: true, task: 't1' },
        ],
      ],
      [
        'names a task that is not done',
        [
          { met: true, task: 't1' },
          { met: true, task: 't2' },
        ],
      ],
      ['leaves a criterion out', [{ met: true, task: 't1' }]],
      [
        'says no to one',
        [
          { met: true, task: 't1' },
          { met: false, task: 't1' },
        ],
      ],
    ] as const) {
      it(`does not end it where the verdict ${what}`, async (t) => {
        const { outcome, state } = await oneRun(t, {
          server: { reply: verdicts(...list) },
          settings: { acceptanceCriteria: ['One', 'Two'], max_iterations: 1, synthesis: false },
        });
        assert.equal(outcome.stopReason, 'max_iterations');
        assert.equal(state.judged?.complete, false);
      });
    }

    it('is not asked at every claim', async (t) => {
      const think = brain({ complete: () => true });
      const reply = (request: ChatRequestSeen, index: number) =>
        isJudge(request) ? '{"verdicts":[{"met":false,"task":""}]}' : think(request, index);
      const { state } = await oneRun(t, { server: { reply }, settings: { max_iterations: 12, synthesis: false } });
      assert.deepEqual(
        [...state.calls.values()].filter(({ agent }) => agent === 'judge').map(({ iteration }) => iteration),
        [1, 11],
      );
    });

    it('is asked once when the queue is empty', async (t) => {
      const reply = plans({ new_tasks: [], order: [], complete: false });
      const { outcome } = await oneRun(t, { server: { reply }, settings: { synthesis: false } });
      assert.equal(outcome.stopReason, 'objective_complete');
      const no = plans({ new_tasks: [], order: [], complete: false });
      const refuse = (request: ChatRequestSeen, index: number) =>
        isJudge(request) ? 'I cannot tell.' : no(request, index);
      assert.equal(
        (await oneRun(t, { server: { reply: refuse }, settings: { synthesis: false } })).outcome.stopReason,
        'queue_empty',
      );
    });
  });

  it('puts the best stored results before the task, by likeness, within the token budget', async (t) => {
    const embed = vectors([/^(Result of )?About seeds/, [1]], [/^Seeds again/, [0.8, 0.6]]);
    const think = brain({
      newTasks: (_last, index) => [['About seeds'], ['Fences'], ['Seeds again']][index] ?? [],
      result: (task) => `Result of ${task}. ${'words '.repeat(400)}`,
    });
    const { server } = await oneRun(t, {
      server: { reply: think, embed },
      settings: { max_iterations: 4, synthesis: false, recallTokens: 120 },
    });
    const executions = bodies(server, 'chat/completions')
      .map((body) => (body['messages'] as { content: string }[])[1]?.content ?? '')
      .filter((text) => /^Task t4: /m.test(text));
    const results = /Earlier results:\n([\s\S]*?)\n\nTask/.exec(executions[0] ?? '')?.[1] ?? '';
    assert.match(results, /^\[t2\] About seeds: Result of About seeds/);
    assert.ok(results.length < 120 * 6, 'the budget of tokens holds');
    assert.ok(executions[0]?.endsWith('Task t4: Seeds again'), 'the task itself is never cut');
  });
});
