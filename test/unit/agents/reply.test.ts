import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseJudge, parsePlan, JUDGE_SCHEMA, PLAN_SCHEMA } from '../../../src/agents/reply.ts';

const plan = (new_tasks: string[], order: string[] = [], complete = false) => ({ new_tasks, order, complete });

describe('reading a plan', () => {
  const readable: [string, string, ReturnType<typeof plan>][] = [
    ['the schema', '{"new_tasks":["A"],"order":["n1","t2"],"complete":true}', plan(['A'], ['n1', 't2'], true)],
    ['white space around it', '\n\n {"new_tasks":[],"order":[],"complete":false}\n', plan([])],
    ['a fenced block', 'Here it is:\n```json\n{"new_tasks":["A"]}\n```\nGood luck!', plan(['A'])],
    ['a fence without a language', '```\n["A","B"]\n```', plan(['A', 'B'])],
    ['a fence on one line', '```json {"new_tasks":["A"]} ```', plan(['A'])],
    ['prose around it', 'I think {"new_tasks":["A {b}"],"order":["t1"]} is best.', plan(['A {b}'], ['t1'])],
    [
      'prose with citations before it',
      'From [t3] and [4] follows: {"new_tasks":["A"],"order":["n1"]}',
      plan(['A'], ['n1']),
    ],
    ['a list of texts', '["A","B"]', plan(['A', 'B'])],
    ['a list of objects', '[{"task":"A"},{"text":"B"},{"task_name":"C"}]', plan(['A', 'B', 'C'])],
    ['an empty list', '[]', plan([])],
    ['another name for the tasks', '{"tasks":["A"]}', plan(['A'])],
    ['numbers as ids', '{"new_tasks":[],"order":[2,"t1"]}', plan([], ['2', 't1'])],
    ['an order alone', '{"order":["t2","t1"]}', plan([], ['t2', 't1'])],
    ['a numbered list', 'New tasks:\n1. Buy v2.0\n2) Sell\n#3. Rest', plan(['Buy v2.0', 'Sell', 'Rest'])],
    ['a bold numbered list', '**1.** Buy\n**2.** Sell', plan(['Buy', 'Sell'])],
    ['a bulleted list', '- Buy\n* Sell\n• Rest', plan(['Buy', 'Sell', 'Rest'])],
    ['numbers before bullets', '1. Buy\n   - at once\n2. Sell', plan(['Buy', 'Sell'])],
    ['quotes and escapes', '{"new_tasks":["say \\"]}\\" twice"]}', plan(['say "]}" twice'])],
  ];
  for (const [what, text, expected] of readable) it(`takes ${what}`, () => assert.deepEqual(parsePlan(text), expected));

  const unreadable: [string, string][] = [
    ['nothing', ''],
    ['white space', ' \n '],
    ['prose', 'There is nothing to add at this time'],
    ['JSON that was cut off', '{"new_tasks":["Buy seeds","Dig'],
    ['a number', '42'],
    ['an object of something else', '{"answer":"yes"}'],
    ['tasks of a wrong type', '{"new_tasks":"Buy seeds"}'],
    ['tasks that are numbers', '{"new_tasks":[1,2]}'],
    ['an order of a wrong type', '{"order":{"first":"t1"}}'],
  ];
  for (const [what, text] of unreadable)
    it(`says what is wrong with ${what}`, () => {
      const problem = parsePlan(text);
      assert.ok(typeof problem === 'string');
      assert.match(problem, /^the (reply|JSON) /);
    });

  it('is done with a wall of brackets in no time', () => {
    assert.equal(typeof parsePlan('[{'.repeat(50_000)), 'string');
  });
});

describe('reading a verdict', () => {
  it('takes the schema, fenced or not', () => {
    const verdicts = [{ met: true, task: 't1' }];
    assert.deepEqual(parseJudge(JSON.stringify({ verdicts })), { verdicts });
    assert.deepEqual(parseJudge(`\`\`\`json\n${JSON.stringify({ verdicts })}\n\`\`\``), { verdicts });
  });

  it('takes nothing else for one', () => {
    for (const text of ['', 'yes', '{"verdicts":[true]}', '{"verdicts":[{"met":"yes","task":"t1"}]}', '{"verdicts":'])
      assert.equal(typeof parseJudge(text), 'string', text);
  });
});

describe('the schemas that go to a server', () => {
  it('are closed and require every property, as the strict mode wants', () => {
    for (const { schema: made } of [PLAN_SCHEMA, JUDGE_SCHEMA]) {
      assert.equal(made['additionalProperties'], false);
      assert.deepEqual(made['required'], Object.keys(made['properties'] as object));
      assert.equal('$schema' in made, false);
    }
  });
});
