import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { numberedLines } from '../../../src/agents/classic-requests.ts';
import { builtInPrompts } from '../../../src/agents/prompts.ts';
import { render } from '../../../src/agents/template.ts';
import { embedWords } from '../../support/model-embeddings.ts';
import type { ChatRequestSeen, ModelServer, ModelServerOptions } from '../../support/model-server.ts';
import { type FinishedRun, oneRun, tasksIn } from '../../support/one-run.ts';
import { RecordedClock } from '../../support/recorded-clock.ts';

const OBJECTIVE = 'Plan a small garden';
const INITIAL = 'Develop a task list';

/** What the three agents say, each by the number of its call from 1. */
interface Script {
  execution: (call: number, prompt: string) => string;
  creation: (call: number) => string;
  prioritization: (call: number) => string;
}

const AGENT_BY_BEGINNING: [string, keyof Script][] = [
  ['Carry out exactly one task', 'execution'],
  ['You are to create', 'creation'],
  ['You are to put', 'prioritization'],
];

type Asked = { agent: keyof Script; content: string } | { agent: 'embedding'; input: string };

/**
 * The loop of the original as it was observed (babyagi.py, head of its archive), told again: which requests a script
 * makes it send. Its prompts are ours, so that whole messages can be compared.
 */
function original(
  script: Script,
  cycles: number,
): { asked: Asked[]; list: { id: string; name: string }[]; sleeps: number[] } {
  const asked: Asked[] = [];
  const sleeps: number[] = [];
  const calls = { execution: 0, creation: 0, prioritization: 0 };
  const prompts = builtInPrompts('classic');
  const ask = (agent: keyof Script, values: Record<string, string>): string => {
    const content = render(prompts[agent]?.text ?? '', values)[0]?.content ?? '';
    asked.push({ agent, content });
    return script[agent](++calls[agent], content).trim();
  };
  const embed = (text: string) => {
    const input = text.replaceAll('\n', ' ');
    asked.push({ agent: 'embedding', input });
    return embedWords(input, 1536);
  };
  const parsed = (reply: string) =>
    reply.split('\n').flatMap((line) => {
      const [before = '', ...rest] = line.trim().split('.');
      if (rest.length === 0) return [];
      const name = rest
        .join('.')
        .replace(/[^\p{L}\p{N}_\s]+/gu, '')
        .trim();
      return name === '' ? [] : [{ id: [...before].filter((char) => /\p{N}/u.test(char)).join(''), name }];
    });
  const store = new Map<string, { name: string; vector: number[] }>();
  let list = [{ id: '1', name: INITIAL }];
  let counter = 1;
  for (let cycle = 1; cycle <= cycles; cycle++) {
    const task = list.shift();
    if (!task) break;
    let context: string[] = [];
    if (store.size > 0) {
      const query = embed(OBJECTIVE);
      const likeness = (vector: number[]) => vector.reduce((sum, value, index) => sum + value * (query[index] ?? 0), 0);
      context = [...store.values()]
        .sort((a, b) => likeness(b.vector) - likeness(a.vector))
        .slice(0, 5)
        .map(({ name }) => name);
    }
    const result = ask('execution', { objective: OBJECTIVE, context: context.join('\n'), task: task.name });
    store.set(`result_${task.id}`, { name: task.name, vector: embed(result) });
    const incomplete = list.map(({ name }) => name).join(', ');
    const created = parsed(ask('creation', { objective: OBJECTIVE, result, task: task.name, incomplete })).filter(
      ({ id }) => id !== '',
    );
    for (const { name } of created) list.push({ id: String(++counter), name });
    const replaced = parsed(
      ask('prioritization', { tasks: list.map(({ name }) => name).join('\n'), objective: OBJECTIVE }),
    );
    if (replaced.length > 0) list = replaced;
    sleeps.push(5000);
  }
  return { asked, list, sleeps };
}

function agentOf(request: { prompt: string }): keyof Script {
  const found = AGENT_BY_BEGINNING.find(([beginning]) => request.prompt.startsWith(beginning));
  assert.ok(found, request.prompt.slice(0, 60));
  return found[1];
}

function playing(script: Script): NonNullable<ModelServerOptions['reply']> {
  const calls = { execution: 0, creation: 0, prioritization: 0 };
  return (request) => {
    const agent = agentOf(request);
    return script[agent](++calls[agent], request.prompt);
  };
}

function askedOf(server: ModelServer): Asked[] {
  return server.requests.flatMap((request): Asked[] => {
    if (request.path.endsWith('/embeddings'))
      return ((request.body?.['input'] as string[]) ?? []).map((input) => ({ agent: 'embedding', input }));
    const chat = request as ChatRequestSeen;
    return [{ agent: agentOf(chat), content: chat.prompt }];
  });
}

async function classicRun(
  t: TestContext,
  script: Script,
  settings: object = {},
  server: ModelServerOptions = {},
): Promise<FinishedRun & { clock: RecordedClock }> {
  const clock = new RecordedClock();
  const run = await oneRun(t, {
    server: { reply: playing(script), ...server },
    settings: {
      objective: OBJECTIVE,
      initialTask: INITIAL,
      strategy: 'classic',
      synthesis: false,
      max_iterations: 6,
      ...settings,
    },
    host: { clock },
  });
  return { ...run, clock };
}

const result = (call: number) => `Result ${call}\nof a task about soil, light\nand water number ${call}`;
const keep = () => 'Nothing to change';
const list = (...names: string[]) => names.map((name, index) => `${index + 1}. ${name}`).join('\n');

describe('the classic strategy asks exactly what the original asks', () => {
  const situations: Record<string, Script> = {
    'in a normal run': {
      execution: result,
      creation: (call) => list(`Study soil ${call}`, `Study light ${call}`),
      prioritization: (call) => list(`Study light ${call}`, `Study soil ${call}`, 'Study water'),
    },
    'where the prioritiser cannot be understood': {
      execution: result,
      creation: (call) => list(`Task ${call}`),
      prioritization: keep,
    },
    'where the prioritiser drops tasks': {
      execution: result,
      creation: (call) => list(`One ${call}`, `Two ${call}`, `Three ${call}`),
      prioritization: (call) => list(`Two ${call}`),
    },
    'where a sentence becomes a task of an empty list': {
      execution: result,
      creation: () => 'There are no tasks to add at this time.',
      prioritization: () => 'Done. There is nothing left to do',
    },
    'where the list runs empty': {
      execution: result,
      creation: (call) => (call === 1 ? list('Only this') : 'None'),
      prioritization: keep,
    },
    'where tasks repeat': { execution: result, creation: () => list('Same thing', 'Same thing'), prioritization: keep },
    'where tasks have punctuation': {
      execution: result,
      creation: (call) => list(`Use Node v2.0 & v3.1 (now!) ${call}`, 'Café "naïve" – ok?'),
      prioritization: (call) => `Here is the list:\n1. Use Node v20 v31 now ${call}\n2. Café naïve  ok`,
    },
    'where the lists have many forms': {
      execution: result,
      creation: () => '1) gone\n- gone\n**2.** Kept\nHeader. Without a number\n  3. Indented\n\nTail',
      prioritization: () => 'Prioritised tasks.\n- bullet\n10. Ten\n2. Two\nStep one. Do x',
    },
    'where a number comes again, so that results collide': {
      execution: result,
      creation: (call) => list(`Fresh ${call}`),
      prioritization: (call) => list(`Again ${call}`, `And again ${call}`),
    },
    'where a finished task is named again': {
      execution: result,
      creation: () => 'None',
      prioritization: (call) => (call < 3 ? list(INITIAL, `Other ${call}`) : keep()),
    },
  };
  for (const [situation, script] of Object.entries(situations)) {
    it(situation, async (t) => {
      const expected = original(script, 6);
      const { server, state, clock } = await classicRun(t, script);
      assert.deepEqual(askedOf(server), expected.asked);
      assert.deepEqual(clock.slept, expected.sleeps);
      assert.deepEqual(
        state.pending.map((id) => ({ id: state.tasks.get(id)?.label, name: state.tasks.get(id)?.text })),
        expected.list,
      );
    });
  }

  it('in the form of the original: one system message, its temperature and limit, nothing more', async (t) => {
    const { server } = await classicRun(
      t,
      { execution: result, creation: keep, prioritization: keep },
      { temperature: 0.3 },
    );
    for (const { body, path } of server.requests) {
      if (path.endsWith('/embeddings')) continue;
      assert.deepEqual(Object.keys(body ?? {}).sort(), ['max_tokens', 'messages', 'model', 'temperature']);
      assert.deepEqual([body?.['model'], body?.['temperature'], body?.['max_tokens']], ['gpt-4o', 0.3, 2000]);
      assert.deepEqual(
        ((body?.['messages'] ?? []) as { role: string }[]).map(({ role }) => role),
        ['system'],
      );
    }
    assert.equal(server.requests.length, 4);
  });

  it('with prompts cut at their beginning of 2000 tokens', async (t) => {
    const long = `Long result ${'soil water light '.repeat(660)}`;
    const { server } = await classicRun(
      t,
      { execution: () => long, creation: keep, prioritization: keep },
      {},
      { countTokens: (text) => Math.ceil(text.length / 8) },
    );
    const whole = original({ execution: () => long, creation: keep, prioritization: keep }, 1).asked;
    const creation = askedOf(server)[2] as { content: string };
    const uncut = whole[2] as { content: string };
    assert.ok(uncut.content.startsWith(creation.content) && creation.content.length < uncut.content.length);
    assert.ok(creation.content.length > 6000, 'two thousand tokens of words are more than this');
  });
});

describe('the flaws of the original', () => {
  it('lose tasks, rename them and invent them, all on record', async (t) => {
    const script: Script = {
      execution: result,
      creation: () => list('Lost', 'Kept', 'Renamed: now'),
      prioritization: () => list('Kept', 'Renamed'),
    };
    const { state } = await classicRun(t, script, { max_iterations: 1 });
    assert.deepEqual(tasksIn(state, 'removed'), ['Lost', 'Renamed now']);
    assert.deepEqual(tasksIn(state, 'pending'), ['Kept', 'Renamed']);
  });

  it('overwrite a result whose number comes again', async (t) => {
    const { state } = await classicRun(
      t,
      { execution: result, creation: keep, prioritization: (call) => list(`Again ${call}`) },
      { max_iterations: 3 },
    );
    assert.deepEqual([...state.memory.keys()], ['result_1']);
    assert.equal(state.calls.get(state.memory.get('result_1')?.callId ?? '')?.answer, result(3));
  });

  it('try a refused request for ever, until our time limit ends the run', async (t) => {
    const fault: ModelServerOptions['fault'] = (request) =>
      request.path.endsWith('completions') ? { kind: 'status', status: 400 } : null;
    const { outcome, clock, server, state } = await classicRun(
      t,
      { execution: result, creation: keep, prioritization: keep },
      { max_wall_time_minutes: 1 },
      { fault },
    );
    assert.equal(outcome.stopReason, 'max_wall_time');
    assert.deepEqual(
      clock.slept,
      Array.from({ length: 6 }, () => 10_000),
    );
    assert.equal(server.requests.length, 6);
    assert.equal(state.money.settled + state.money.held, 0n);
  });

  it('end at a refused key', async (t) => {
    const { outcome, server } = await classicRun(
      t,
      { execution: result, creation: keep, prioritization: keep },
      {},
      { key: 'another key' },
    );
    assert.equal(outcome.stopReason, 'error');
    assert.equal(server.requests.length, 1);
  });

  for (const status of [429, 404, 500]) {
    it(`end at an embedding that fails with ${status}`, async (t) => {
      const fault: ModelServerOptions['fault'] = (request) =>
        request.path.endsWith('embeddings') ? { kind: 'status', status } : null;
      const { outcome, server, clock } = await classicRun(
        t,
        { execution: result, creation: keep, prioritization: keep },
        {},
        { fault },
      );
      assert.equal(outcome.stopReason, 'error');
      assert.equal(server.requests.length, 2);
      assert.deepEqual(clock.slept, []);
    });
  }
});

describe('the parsing of the original', () => {
  const cases: [string, [string, string][]][] = [
    ['1. Buy seeds', [['1', 'Buy seeds']]],
    ['1) Buy seeds\n- Dig\n• Rest', []],
    ['**1.** Buy', [['1', 'Buy']]],
    ['#12. Buy', [['12', 'Buy']]],
    ['Step one. Do x', [['', 'Do x']]],
    ['A header without it', []],
    ['3. Use v2.0 and v3.1', [['3', 'Use v20 and v31']]],
    ['1. ', []],
    ['1. ...', []],
    ['1a2. Join', [['12', 'Join']]],
    ['٣. Arabic digit', [['٣', 'Arabic digit']]],
    ['½. Fraction', [['½', 'Fraction']]],
    ['1. हिन्दी', [['1', 'हनद']]],
    ['1. under_score kept-dash gone', [['1', 'under_score keptdash gone']]],
    [
      '  2. First  \r\n 1. Second ',
      [
        ['2', 'First'],
        ['1', 'Second'],
      ],
    ],
    ['', []],
  ];
  for (const [reply, expected] of cases) {
    it(JSON.stringify(reply), () =>
      assert.deepEqual(
        numberedLines(reply).map(({ label, text }) => [label, text]),
        expected,
      ),
    );
  }
});
