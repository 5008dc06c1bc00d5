import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LIMIT_WORDS, type LimitName } from '../../../src/run/limits.ts';
import { checkSettings, type RawSettings } from '../../../src/run/settings.ts';

const GOOD: RawSettings = { objective: 'Plan a garden', max_iterations: 5, max_cost_usd: 1 };

function problemsOf(raw: RawSettings): string[] {
  const checked = checkSettings({ ...GOOD, ...raw });
  return 'problems' in checked ? checked.problems : [];
}

/** One sentence that names the thing, says what is wrong and what to give. */
function assertOneSentence(problems: readonly string[], name: string): void {
  assert.equal(problems.length, 1, `${problems.length} problems: ${problems.join(' | ')}`);
  const [sentence = ''] = problems;
  assert.ok(sentence.includes(name), sentence);
  assert.match(sentence, /^The .+ (is missing|.+ is not valid): give .+\.$/s);
  assert.ok(sentence.length < 250, sentence);
}

describe('the limits of a run', () => {
  const wrong: Record<string, unknown> = {
    zero: 0,
    negative: -1,
    'not a number': Number.NaN,
    infinite: Number.POSITIVE_INFINITY,
    'beyond all measure': 1e21,
    'a word': 'ten',
    'a number as text': '5',
    'a truth value': true,
    'a list': [5],
    'an object': { limit: 5 },
    'a bigint': 5n,
    'a long text': 'x'.repeat(10_000),
  };
  for (const limit of Object.keys(LIMIT_WORDS) as LimitName[]) {
    for (const [what, value] of Object.entries(wrong)) {
      it(`${limit}: ${what} gives one sentence`, () => {
        assertOneSentence(problemsOf({ [limit]: value }), LIMIT_WORDS[limit].name);
      });
    }
    for (const value of [undefined, null, '']) {
      it(`${limit}: ${JSON.stringify(value)} ${LIMIT_WORDS[limit].required ? 'gives one sentence' : 'means the default'}`, () => {
        const problems = problemsOf({ [limit]: value });
        if (LIMIT_WORDS[limit].required) assertOneSentence(problems, LIMIT_WORDS[limit].name);
        else assert.deepEqual(problems, []);
      });
    }
  }

  it('are both asked for at once where both are missing', () => {
    assert.equal(problemsOf({ max_iterations: undefined, max_cost_usd: undefined }).length, 2);
  });

  it('have defaults that nobody need give', () => {
    const checked = checkSettings(GOOD);
    assert.ok('settings' in checked);
    assert.deepEqual(checked.settings.limits, {
      max_iterations: 5,
      max_cost_usd: 1,
      max_wall_time_minutes: 480,
      task_timeout_seconds: 120,
    });
  });

  it('take whole iterations only, and amounts within their range', () => {
    assertOneSentence(problemsOf({ max_iterations: 1.5 }), 'iteration limit');
    assertOneSentence(problemsOf({ max_iterations: 100_001 }), 'iteration limit');
    assertOneSentence(problemsOf({ max_cost_usd: 1000.01 }), 'cost limit');
    for (const wrong of [0, 1.5, 1_000_001, 'many'])
      assertOneSentence(problemsOf({ max_requests: wrong }), 'request limit');
    for (const wrong of [0, 0.5, 1e11, 'many']) assertOneSentence(problemsOf({ max_tokens: wrong }), 'token limit');
    assert.deepEqual(
      problemsOf({
        max_iterations: 100_000,
        max_cost_usd: 1000,
        max_requests: 1_000_000,
        max_tokens: 1,
        max_wall_time_minutes: 43_200,
        task_timeout_seconds: 0.1,
      }),
      [],
    );
  });
});

describe('the other settings', () => {
  const wrong: [keyof RawSettings, unknown, string][] = [
    ['objective', undefined, 'objective'],
    ['objective', '', 'objective'],
    ['objective', ' \n', 'objective'],
    ['objective', 'x'.repeat(8001), 'objective'],
    ['objective', 7, 'objective'],
    ['acceptanceCriteria', 'one', 'list of acceptance criteria'],
    ['acceptanceCriteria', [''], 'list of acceptance criteria'],
    ['initialTask', '   ', 'first task'],
    ['initialTask', 'x'.repeat(4001), 'first task'],
    ['strategy', 'planned-ish', 'strategy'],
    ['model', 5, 'model'],
    ['embeddingModel', 'x'.repeat(201), 'embedding model'],
    ['embeddingDimensions', 0, 'embedding dimensions'],
    ['baseUrl', 'api.openai.com/v1', 'base URL'],
    ['baseUrl', 'ftp://api.openai.com', 'base URL'],
    ['baseUrl', 'http:localhost/v1', 'base URL'],
    ['baseUrl', 'https:/api.openai.com/v1', 'base URL'],
    ['temperature', 2.1, 'temperature'],
    ['temperature', Number.NaN, 'temperature'],
    ['seed', 0.5, 'seed'],
    ['checkpointEvery', 0, 'checkpoint interval'],
    ['reviewEvery', -1, 'review interval'],
    ['reviewEveryUsd', -0.1, 'review step of the cost'],
    ['reviewEveryUsd', 'much', 'review step of the cost'],
    ['reviewFirstUse', 1, 'first use of a tool'],
    ['unattendedReview', { action: 'panic', after_minutes: 0 }, 'unattended reviews'],
    ['maxNewTasks', 51, 'limit of new tasks'],
    ['recallTokens', -1, 'recall budget'],
    ['sleepSeconds', 1e9, 'sleep interval'],
    ['synthesis', 'yes', 'synthesis switch'],
  ];
  for (const [key, value, name] of wrong) {
    it(`${key} ${JSON.stringify(value)?.slice(0, 40)} gives one sentence`, () =>
      assertOneSentence(problemsOf({ [key]: value }), name));
  }

  it('say all problems at once, one sentence each', () => {
    const problems = problemsOf({ objective: '', max_iterations: 0, temperature: 9, baseUrl: 'x' });
    assert.equal(problems.length, 4);
  });

  it('let the original sleep for five seconds, and nobody else', () => {
    const sleepOf = (raw: RawSettings) => {
      const checked = checkSettings({ ...GOOD, ...raw });
      return 'settings' in checked ? checked.settings.sleepSeconds : null;
    };
    assert.equal(sleepOf({ strategy: 'classic' }), 5);
    assert.equal(sleepOf({ strategy: 'guarded' }), 0);
    assert.equal(sleepOf({ strategy: 'classic', sleepSeconds: 0 }), 0);
  });

  it('keep "no embedding model" apart from the default one', () => {
    const modelOf = (raw: RawSettings) => {
      const checked = checkSettings({ ...GOOD, ...raw });
      return 'settings' in checked ? checked.settings.embeddingModel : undefined;
    };
    assert.equal(modelOf({ embeddingModel: null }), null);
    assert.equal(modelOf({}), 'text-embedding-3-small');
  });
});

describe('an address', () => {
  it('is kept without what a parser would leave out', () => {
    const checked = checkSettings({ ...GOOD, baseUrl: ' https://openrouter.ai/api/v1\n' });
    assert.ok('settings' in checked);
    assert.equal(checked.settings.baseUrl, 'https://openrouter.ai/api/v1');
  });
});
