import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { checkExperimentFile } from '../../../src/research/experiment-file.ts';
import { readExperiment } from '../../../src/research/experiment.ts';
import { ExperimentWorker } from '../../../src/research/work-experiment.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { Redactor } from '../../../src/safety/redaction.ts';
import { variantsOf } from '../../../src/terminal/experiment-options.ts';
import { checkExperiment, resumeProblems } from '../../../src/vscode/experiment-check.ts';
import type { SettingName } from '../../../src/vscode/ids.ts';
import { type Inspected, readSettings } from '../../../src/vscode/settings.ts';
import { experimentFile, rehearsedExperiment, workedOff } from '../../support/experiments.ts';
import { TEST_KEY, temporaryFolder, testHost } from '../../support/run-host.ts';

const read = (values: Partial<Record<SettingName, Inspected>>) => readSettings((name) => values[name]);
const mine = (value: unknown) => ({ globalValue: value });

/** An experiment file in a workspace with these settings. */
function placed(over: Parameters<typeof experimentFile>[0] = {}, values: Partial<Record<SettingName, Inspected>> = {}) {
  const workspace = temporaryFolder();
  const path = join(workspace, 'a.experiment.json');
  writeFileSync(path, JSON.stringify(experimentFile(over)));
  const redactor = new Redactor();
  redactor.register(TEST_KEY, 'api_key');
  const promptsDirectory = join(workspace, '.babyagi', 'prompts');
  return { path, workspace, promptsDirectory, redactor, configured: read(values) };
}

async function problemsOf(...args: Parameters<typeof placed>): Promise<string[]> {
  const result = await checkExperiment(placed(...args), false);
  return 'problems' in result ? result.problems : [];
}

async function checkedOf(...args: Parameters<typeof placed>) {
  const result = await checkExperiment(placed(...args), false);
  assert.ok('checked' in result, 'problems' in result ? result.problems.join('\n') : '');
  return result.checked;
}

describe('an experiment file in VS Code', () => {
  it('means what it means in the terminal', async () => {
    const over = {
      initial_task: 'Look around',
      acceptance_criteria: ['Five beds are named'],
      limits: {
        max_iterations: 7,
        max_cost_usd: 0.2,
        max_requests: 40,
        max_tokens: 9000,
        max_wall_time: 3,
        task_timeout: 9,
      },
      common: { model: 'gpt-4o', embedding_model: 'none', temperature: 0.5, checkpoint_every: 2, no_answer: true },
      variants: [
        { name: 'classic', settings: { strategy: 'classic', sleep_interval: 1 } },
        {
          name: 'guarded',
          settings: { first_task: 'Begin', accept: ['Done'], embedding_model: 'text-embedding-3-small' },
        },
      ],
    };
    const { starts, configs } = await checkedOf(over);
    const file = checkExperimentFile(JSON.stringify(experimentFile(over)));
    assert.ok('file' in file);
    const terminal = variantsOf(file.file, join(temporaryFolder(), 'a.experiment.json'));
    assert.deepEqual(
      starts.map(({ name, settings }) => [name, settings]),
      terminal.map(({ name, settings }) => [name, settings]),
    );
    assert.deepEqual(
      configs.map(({ config }) => config.strategy),
      ['classic', 'guarded'],
    );
  });

  it('has the server of the settings, its models and the limits that it does not give', async () => {
    const { starts, baseUrl } = await checkedOf(
      { common: {} },
      {
        baseUrl: mine('http://127.0.0.1:11434/v1'),
        model: mine('llama3.1'),
        embeddingModel: mine(''),
        freeServers: mine(['http://127.0.0.1:11434']),
        maxRequests: mine(50),
        maxWallTimeMinutes: mine(77),
      },
    );
    assert.equal(baseUrl, 'http://127.0.0.1:11434/v1');
    for (const { settings } of starts) {
      assert.deepEqual([settings.baseUrl, settings.model, settings.embeddingModel], [baseUrl, 'llama3.1', null]);
      assert.deepEqual([settings.limits.max_requests, settings.limits.max_wall_time_minutes], [50, 77]);
    }
  });

  it('is refused where a limit is above the setting for it, also one that a workspace lowered', async () => {
    const problems = await problemsOf(
      {
        variants: [
          { name: 'a', settings: { max_iterations: 9 } },
          { name: 'b', settings: { max_iterations: 3 } },
        ],
      },
      {
        maxIterations: { globalValue: 100, workspaceValue: 5 },
        maxCostUsd: mine(0.05),
      },
    );
    assert.deepEqual(problems, [
      'variant "a": max_iterations: the iteration limit 9 is above the setting babyagi.maxIterations, which is 5: lower it, or raise the setting.',
      'limits.max_cost_usd: the cost limit 0.1 is above the setting babyagi.maxCostUsd, which is 0.05: lower it, or raise the setting.',
    ]);
  });

  it('cannot name another server, nor the configured one with another price', async () => {
    const problems = await problemsOf({
      common: { model: 'gpt-4o', embedding_model: 'none', free_server: true, price_input: 0, price_output: 0 },
      variants: [
        { name: 'a', settings: { base_url: 'https://elsewhere.example/v1' } },
        { name: 'b', settings: { base_url: 'https://api.openai.com/v1/' } },
      ],
    });
    assert.deepEqual(
      problems.map((problem) => problem.slice(0, 60)),
      [
        'variant "a": base_url: requests would go to "https://elsewhe',
        'common.price_input: in VS Code prices are those of the setti',
        'common.free_server: in VS Code servers that cost nothing are',
      ],
    );
  });

  it('may say again what the settings say of prices', async () => {
    const over = { common: { model: 'gpt-4o', embedding_model: 'none', price_input: 1, price_output: 2 } };
    assert.equal((await problemsOf(over)).length, 1);
    assert.deepEqual(await problemsOf(over, { prices: mine({ 'gpt-4o': { input: 1, output: 2 } }) }), []);
  });

  it('is told all that is wrong at once: its form, secrets, and what its settings mean', async () => {
    const problems = await problemsOf({
      trials: 0,
      hypothesis: `It works with ${TEST_KEY}`,
      variants: [
        { name: 'a', settings: { temperature: 7 } },
        { name: 'b', settings: { temperature: 7 } },
      ],
    });
    assert.deepEqual(problems, [
      'trials must be at least 1.',
      'hypothesis holds a secret, and an experiment file is published: take it out.',
      'The temperature 7 is not valid: give a number from 0 to 2.',
    ]);
  });

  it('asks no server that cannot be used, but for a rehearsal', async () => {
    const unknown = { baseUrl: mine('http://server.example/v1') };
    assert.match((await problemsOf({}, unknown)).join(' '), /The base URL cannot be used/);
    assert.deepEqual(await problemsOf({ provider: 'rehearsal' }, unknown), []);
    const priceless = { common: { model: 'own', embedding_model: 'none' } };
    assert.match((await problemsOf(priceless)).join(' '), /price of the model own .* is not known/);
    const place = placed(priceless);
    assert.ok('checked' in (await checkExperiment(place, true)));
  });

  it('takes prompts from the workspace alone', async () => {
    const outside = { common: { prompts_dir: '../elsewhere', model: 'gpt-4o', embedding_model: 'none' } };
    assert.match(
      (await problemsOf(outside)).join(' '),
      /^common\.prompts_dir: "\.\.\/elsewhere" is not in the workspace/,
    );
    const missing = { common: { prompts_dir: 'none', model: 'gpt-4o', embedding_model: 'none' } };
    assert.deepEqual(await problemsOf(missing), ['common.prompts_dir: the folder "none" cannot be read.']);
    const place = placed({ common: { prompts_dir: 'linked', model: 'gpt-4o', embedding_model: 'none' } });
    symlinkSync(temporaryFolder(), join(place.workspace, 'linked'));
    const linked = await checkExperiment(place, false);
    assert.match('problems' in linked ? linked.problems.join(' ') : '', /is not in the workspace folder/);
    const inside = placed({ common: { prompts_dir: 'mine', model: 'gpt-4o', embedding_model: 'none' } });
    mkdirSync(join(inside.workspace, 'mine'));
    writeFileSync(join(inside.workspace, 'mine', 'execution.md'), 'Do {{task}} for {{objective}}.');
    const result = await checkExperiment(inside, false);
    const start = 'checked' in result ? result.checked.starts[0] : undefined;
    assert.deepEqual([...(start?.options.promptOverrides.keys() ?? [])], ['execution']);
  });
});

describe('an experiment that is there', () => {
  it('goes on where the settings allow what it says, and nowhere else', async () => {
    const experiment = await readExperiment(nodeDisk, await rehearsedExperiment());
    const { record } = experiment;
    assert.deepEqual(resumeProblems(experiment, read({})), []);
    assert.match(resumeProblems(experiment, read({ maxIterations: mine(1) })).join(' '), /iteration limit 2 is above/);
    assert.match(resumeProblems(experiment, read({ maxTokens: mine(100) })).join(' '), /^there is no token limit/);
    const onServer = (base_url: string) => ({
      ...experiment,
      record: {
        ...record,
        provider: 'openai' as const,
        variants: record.variants.map((variant) => ({
          ...variant,
          config: { ...variant.config, model: { ...variant.config.model, provider: 'openai' as const, base_url } },
        })),
      },
    });
    assert.deepEqual(resumeProblems(onServer('https://api.openai.com/v1'), read({})), []);
    assert.match(resumeProblems(onServer('https://elsewhere.example/v1'), read({})).join(' '), /^requests would go to/);
    const disguised = { ...onServer('https://api.openai.com/v1') };
    const rehearses = { ...disguised, record: { ...disguised.record, provider: 'rehearsal' as const } };
    assert.match(resumeProblems(rehearses, read({})).join(' '), /^Its folder is not as .* provider of the variant/);
  });

  it('does not go on with a run that may do otherwise than its trial', async () => {
    const directory = await rehearsedExperiment({ trials: 1 });
    const host = testHost('http://127.0.0.1:9/v1');
    const worker = new ExperimentWorker(directory, {
      host,
      parallel: 1,
      told: () => {},
      began: () => void worker.letGo(),
    });
    await worker.work();
    const experiment = await readExperiment(nodeDisk, directory);
    assert.deepEqual(resumeProblems(experiment, read({})), []);
    const run = experiment.trials.find((trial) => trial.progress.state === 'open')?.directory ?? '';
    const file = join(run, 'config.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as { limits: object };
    writeFileSync(file, JSON.stringify({ ...config, limits: { ...config.limits, max_cost_usd: 900 } }));
    const changed = resumeProblems(await readExperiment(nodeDisk, directory), read({})).join(' ');
    assert.match(changed, /is not configured as .*, trial 1\..* may cost more than/);
    const { news } = await workedOff(directory);
    assert.ok(news.some(({ problem }) => problem?.includes('is not configured as its experiment says') === true));
    // Also before it has a log.
    rmSync(join(run, 'log'), { recursive: true });
    const again = await workedOff(directory);
    assert.ok(again.news.some(({ problem }) => problem?.includes('is not configured as its experiment says') === true));
  });
});
