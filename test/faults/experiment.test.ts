import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Experiment, listExperiments, readExperiment } from '../../src/research/experiment.ts';
import { verifyExperiment } from '../../src/research/verify-experiment.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { runFolder } from '../../src/runlog/folder.ts';
import { readLog } from '../../src/runlog/reader.ts';
import { brain } from '../support/brain.ts';
import { eventually } from '../support/eventually.ts';
import { experimentFile } from '../support/experiments.ts';
import { type ModelServer, type ModelServerOptions, startModelServer } from '../support/model-server.ts';
import { TEST_KEY, temporaryFolder } from '../support/run-host.ts';

const CLI = join(process.cwd(), 'dist', 'cli.js');
const KEY = { OPENAI_API_KEY: TEST_KEY };
/** What it answers depends on the request alone, whichever run is first. */
const STEADY = brain({ newTasks: (last) => [`${last}, further`], complete: () => false });
/** gpt-4o as the price list has it: pico-dollars for each token. */
const PRICES = { inputPico: 2_500_000n, outputPico: 10_000_000n };

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function serverFor(t: TestContext, options: ModelServerOptions = {}): Promise<ModelServer> {
  const server = await startModelServer({ reply: STEADY, ...options });
  t.after(() => server.close());
  return server;
}

function start(
  t: TestContext,
  cwd: string,
  args: readonly string[],
  variables: Record<string, string> = KEY,
): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [CLI, ...args, '--json'], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', HOME: cwd, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...output }));
  });
  return { child, ended };
}

interface LastLine {
  readonly experiment_id: string;
  readonly experiment_dir: string;
  readonly stop_reason: string;
  readonly trials_done: number;
  readonly trials_left: number;
  readonly cost_usd: number;
}

function lastLine({ stdout }: Ended): LastLine {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as LastLine;
}

const FILE = 'garden.experiment.json';

/** A folder with an experiment file against that server. */
function written(server: ModelServer | null, over: Parameters<typeof experimentFile>[0] = {}): string {
  const cwd = temporaryFolder();
  const common = { model: 'gpt-4o', embedding_model: 'none', sleep_interval: 0 };
  const file = experimentFile({ common: { ...common, ...(server && { base_url: server.baseUrl }) }, ...over });
  writeFileSync(join(cwd, FILE), JSON.stringify(file));
  return cwd;
}

async function experimentIn(cwd: string): Promise<string> {
  return eventually(
    'the experiment',
    async () => (await listExperiments(nodeDisk, join(cwd, '.babyagi/experiments')))[0],
  );
}

/** Each trial was taken once, has a result, and is in order with its variant, its seed and the cap. */
async function assertWhole(directory: string): Promise<Experiment> {
  const { ok, firstProblem } = await verifyExperiment(nodeDisk, directory);
  assert.equal(ok, true, firstProblem ?? '');
  const experiment = await readExperiment(nodeDisk, directory);
  assert.ok(experiment.trials.every(({ progress }) => progress.state === 'ended' && progress.isResult));
  return experiment;
}

/** Every request is one of the logs, once. */
function assertNothingTwice(server: ModelServer, { trials }: Experiment): void {
  const calls = trials.map(({ progress }) => ('run' in progress ? progress.run.figures.requests : 0));
  assert.equal(
    server.requests.length,
    calls.reduce((sum, count) => sum + count, 0),
  );
}

/** trials.csv without what is of a run or of time. */
function figuresIn(directory: string): string[][] {
  const [head = [], ...lines] = readFileSync(join(directory, 'trials.csv'), 'utf8')
    .trimEnd()
    .split('\r\n')
    .map((line) => line.split(','));
  const other = new Set(['run_id', 'run', 'interruptions', 'events', 'chain_hash', 'latency_p50_ms', 'active_ms']);
  return [head, ...lines].map((line) => line.filter((_, index) => !other.has(head[index] ?? '')));
}

describe('an experiment in a terminal', { concurrency: 3 }, () => {
  it('compares two variants and publishes an archive that anyone can verify and replay', async (t) => {
    const server = await serverFor(t);
    const cwd = written(server, { trials: 5 });
    const ended = await start(t, cwd, ['experiment', FILE, '--base-url', server.baseUrl, '--parallel', '2']).ended;
    assert.equal(ended.code, 0, ended.stderr);
    const line = lastLine(ended);
    assert.deepEqual(
      [Object.keys(line), line.stop_reason, line.trials_done, line.trials_left],
      [
        ['experiment_id', 'experiment_dir', 'stop_reason', 'trials_done', 'trials_left', 'cost_usd'],
        'completed',
        10,
        0,
      ],
    );
    const { experiment_dir: directory } = line;
    assertNothingTwice(server, await assertWhole(directory));
    const billed = Number(server.billed(PRICES)) / 1e12;
    assert.ok(billed > 0 && line.cost_usd >= billed && line.cost_usd <= 1);
    const report = readFileSync(join(directory, 'report.md'), 'utf8');
    assert.match(report, /All 10 trials have a result/);
    assert.match(report, /With 5 pairs no p value can be below 0\.0625/);
    assert.ok(!readdirSync(cwd, { recursive: true, encoding: 'utf8' }).some((name) => name.endsWith('.tmp')));
    for (const name of ['experiment.json', 'report.json', 'claims/000001.json'])
      assert.ok(!readFileSync(join(directory, name), 'utf8').includes(TEST_KEY));

    for (const zip of ['one.zip', 'two.zip'])
      assert.equal((await start(t, cwd, ['export', directory, zip]).ended).code, 0);
    assert.ok(readFileSync(join(cwd, 'one.zip')).equals(readFileSync(join(cwd, 'two.zip'))));
    const elsewhere = temporaryFolder();
    await start(t, elsewhere, ['import', join(cwd, 'one.zip')]).ended;
    const [taken = ''] = await listExperiments(nodeDisk, join(elsewhere, '.babyagi/experiments'));
    assert.equal((await start(t, elsewhere, ['verify', taken], {}).ended).code, 0);
    const replayed = await start(t, elsewhere, ['replay', taken], {}).ended;
    assert.equal(replayed.code, 0, replayed.stdout);
    assert.match(replayed.stdout, /^\{"identical":true/);
    assert.match((await start(t, elsewhere, ['worker', taken]).ended).stderr, /came from an archive/);
  });

  it('is worked off by several processes at once: each trial once, and never above the cap', async (t) => {
    const server = await serverFor(t, { latency: { firstTokenMs: 20 } });
    // Three fit beside each other at the most.
    const cwd = written(server, { trials: 4, max_total_cost_usd: 0.35 });
    const first = start(t, cwd, ['experiment', FILE, '--base-url', server.baseUrl, '--parallel', '2']);
    const directory = await experimentIn(cwd);
    const others = [1, 2].map(() =>
      start(t, cwd, ['worker', directory, '--base-url', server.baseUrl, '--parallel', '2']),
    );
    const all = await Promise.all([first, ...others].map(({ ended }) => ended));
    for (const { code, stderr } of all) assert.equal(code, 0, stderr);
    assert.deepEqual(
      all.map((ended) => lastLine(ended).stop_reason),
      Array(3).fill('completed'),
    );
    const experiment = await assertWhole(directory);
    const { claims } = experiment;
    assert.equal(claims.length, 8);
    assert.equal(new Set(claims.map(({ run }) => run)).size, 8);
    assert.ok(claims.every(({ committed_usd }) => committed_usd <= 0.35));
    assert.ok(
      claims.some(({ committed_usd }) => committed_usd > 0.3),
      'three were under way at once',
    );
    assertNothingTwice(server, experiment);
  });

  it('killed in a trial, is gone on with by another worker: nothing is bought twice, and the report is the same', async (t) => {
    const over = {
      trials: 2,
      common: { model: 'gpt-4o', embedding_model: 'none', sleep_interval: 1 },
      variants: [
        { name: 'cold', settings: {} },
        { name: 'warm', settings: { temperature: 0.5 } },
      ],
    };
    const server = await serverFor(t);
    const settings = { ...over, common: { ...over.common, base_url: server.baseUrl } };
    const cwd = written(server, settings);
    const killed = start(t, cwd, ['experiment', FILE, '--base-url', server.baseUrl]);
    const directory = await experimentIn(cwd);
    // In the pause after the first iteration of the second trial.
    await eventually('the second trial', async () => {
      const [, second] = (await readExperiment(nodeDisk, directory)).claims;
      if (second === undefined) return false;
      const { events } = await readLog(nodeDisk, runFolder(join(directory, 'runs', second.run)));
      return events.some(({ type }) => type === 'iteration.completed');
    });
    killed.child.kill('SIGKILL');
    await killed.ended;
    assert.equal(existsSync(join(directory, 'report.md')), false);
    const other = await start(t, cwd, ['worker', directory, '--base-url', server.baseUrl]).ended;
    assert.equal(other.code, 0, other.stderr);
    const experiment = await assertWhole(directory);
    const { claims, trials } = experiment;
    assert.equal(claims.length, 4);
    assertNothingTwice(server, experiment);
    const bodies = server.requests.map(({ body }) => JSON.stringify(body));
    assert.equal(new Set(bodies).size, bodies.length);
    assert.deepEqual(
      trials.map(({ progress }) => ('run' in progress ? progress.run.epoch : 0)),
      [1, 2, 1, 1],
    );

    const again = await serverFor(t);
    const elsewhere = written(again, { ...over, common: { ...over.common, base_url: again.baseUrl } });
    const args = ['experiment', FILE, '--base-url', again.baseUrl, '--parallel', '4'];
    const uninterrupted = await start(t, elsewhere, args).ended;
    assert.deepEqual(figuresIn(directory), figuresIn(lastLine(uninterrupted).experiment_dir));
  });

  it('killed again and again, wherever that is, comes to its end within its cap', async (t) => {
    const server = await serverFor(t, { latency: { firstTokenMs: 15 } });
    const cwd = written(server, { trials: 3, max_total_cost_usd: 0.3 });
    const first = start(t, cwd, ['experiment', FILE, '--base-url', server.baseUrl, '--parallel', '2']);
    const directory = await experimentIn(cwd);
    const args = ['worker', directory, '--base-url', server.baseUrl, '--parallel', '2'];
    let victim = first;
    for (let kills = 0; kills < 6; kills++) {
      const asked = server.requests.length;
      await Promise.race([eventually('a request', () => server.requests.length > asked), victim.ended]);
      await delay(Math.random() * 150);
      victim.child.kill('SIGKILL');
      await victim.ended;
      victim = start(t, cwd, args);
    }
    const { code, stderr } = await victim.ended;
    assert.equal(code, 0, stderr);
    const experiment = await assertWhole(directory);
    const [cost, calls] = experiment.trials.reduce(
      ([usd, count], { progress }) =>
        'run' in progress ? [usd + progress.run.figures.costUsd, count + progress.run.figures.requests] : [usd, count],
      [0, 0],
    );
    assert.ok(cost <= 0.3 && cost >= Number(server.billed(PRICES)) / 1e12);
    // A request that was reserved may never have left.
    assert.ok(server.requests.length <= calls, `${server.requests.length} requests, ${calls} calls`);
  });

  it('stops by Ctrl+C within a second and goes on later; a stopped trial is no result', async (t) => {
    const server = await serverFor(t, { latency: { firstTokenMs: 300 } });
    const cwd = written(server, { trials: 1 });
    const { child, ended } = start(t, cwd, ['experiment', FILE, '--base-url', server.baseUrl, '--parallel', '2']);
    const directory = await experimentIn(cwd);
    await eventually('a request', () => server.requests.length > 1);
    const asked = performance.now();
    child.kill('SIGINT');
    const stopped = await ended;
    assert.ok(performance.now() - asked < 2000);
    assert.equal(stopped.code, 0, stopped.stderr);
    assert.deepEqual([lastLine(stopped).stop_reason, lastLine(stopped).trials_done], ['stopped_by_user', 0]);
    assert.match(readFileSync(join(directory, 'report.md'), 'utf8'), /2 of 2 trials have no result/);
    const later = await start(t, cwd, ['worker', directory, '--base-url', server.baseUrl]).ended;
    assert.equal(lastLine(later).stop_reason, 'completed', later.stderr);
    const { claims } = await assertWhole(directory);
    assert.deepEqual(
      claims.map(({ resumes }) => resumes?.after_epoch ?? null),
      [null, null, 1, 1],
    );
  });

  it('has no trial gone on with by hand, which would spend what others were given', async (t) => {
    const cwd = written(null, { trials: 1 });
    const { experiment_dir } = lastLine(await start(t, cwd, ['experiment', FILE, '--rehearsal']).ended);
    const [run = ''] = readdirSync(join(experiment_dir, 'runs'));
    const { code, stderr } = await start(t, cwd, ['resume', join(experiment_dir, 'runs', run), '--add-iterations', '1'])
      .ended;
    assert.equal(code, 2);
    assert.match(stderr, /^The run is a trial of an experiment: node dist\/cli\.js worker \S+ goes on with it\.\n$/);
    assert.equal((await verifyExperiment(nodeDisk, experiment_dir)).ok, true);
  });

  it('says once for all trials that their traces do not arrive', async (t) => {
    const cwd = written(null, { trials: 2 });
    const args = ['experiment', FILE, '--rehearsal', '--otlp-endpoint', 'http://127.0.0.1:9'];
    const ended = await start(t, cwd, args, {}).ended;
    assert.equal(lastLine(ended).stop_reason, 'completed', ended.stderr);
    assert.equal(ended.stderr.split('Traces do not all arrive').length, 2, ended.stderr);
  });

  it('ends where the key is refused, and tries those trials again when started with the right one', async (t) => {
    const server = await serverFor(t, { key: TEST_KEY });
    const cwd = written(server, { trials: 2 });
    const wrong = { OPENAI_API_KEY: 'sk-test-of-somebody-else-0123456789' };
    const refused = await start(t, cwd, ['experiment', FILE, '--base-url', server.baseUrl], wrong).ended;
    assert.notEqual(refused.code, 0);
    const { experiment_dir: directory, trials_left } = lastLine(refused);
    assert.equal(trials_left, 4);
    assert.ok((await readExperiment(nodeDisk, directory)).claims.length < 4, 'not every trial was begun');
    const right = await start(t, cwd, ['worker', directory, '--base-url', server.baseUrl]).ended;
    assert.equal(lastLine(right).stop_reason, 'completed', right.stderr);
    await assertWhole(directory);
  });

  it('on rehearsal needs no key and no server', async (t) => {
    const cwd = written(null, { trials: 5 });
    const ended = await start(t, cwd, ['experiment', FILE, '--rehearsal', '--parallel', '3'], {}).ended;
    assert.equal(lastLine(ended).stop_reason, 'completed', ended.stderr);
    await assertWhole(lastLine(ended).experiment_dir);
    assert.match(readFileSync(join(lastLine(ended).experiment_dir, 'report.md'), 'utf8'), /This is a rehearsal/);
  });

  it('says all that is wrong in a file at once, and asks and writes nothing', async (t) => {
    const server = await serverFor(t);
    const cwd = written(server, {
      trials: 0,
      limits: { max_iterations: 0 },
      variants: [
        { name: 'hot', settings: { temperature: 9 } },
        { name: '=cmd|', settings: {} },
      ],
    });
    const { code, stderr } = await start(t, cwd, ['experiment', FILE, '--parallel', '0']).ended;
    assert.equal(code, 2);
    for (const problem of [
      /--parallel 0 is not valid/,
      /trials must be at least 1/,
      /limits\.max_cost_usd is missing/,
      /variants\.1\.name must begin with a letter or digit/,
      /variant "hot": The temperature 9 is not valid/,
    ])
      assert.match(stderr, problem);
    assert.equal(server.requests.length, 0);
    assert.deepEqual(readdirSync(cwd), [FILE]);
  });

  for (const [what, over, problem] of [
    [
      'sends the key to a server that the person did not name',
      {
        common: {
          model: 'gpt-4o',
          embedding_model: 'none',
          base_url: 'https://elsewhere.example/v1',
          price_input: 1,
          price_output: 1,
        },
      },
      /sends its requests, and so the API key, to https:\/\/elsewhere\.example/,
    ],
    [
      'would need one key for several servers',
      {
        variants: [
          { name: 'here', settings: {} },
          { name: 'there', settings: { base_url: 'https://elsewhere.example/v1', price_input: 1, price_output: 1 } },
        ],
      },
      /^The variants ask several servers, https:\/\/\S+ and https:\/\/\S+, and a key is for one: give all the same/,
    ],
    ['holds a secret', { objective: `Use ${TEST_KEY} to plan a garden` }, /objective holds a secret/],
    [
      'has the price of no model',
      { common: { model: 'no-such-model' } },
      /classic: The price of the model no-such-model/,
    ],
    [
      'names prompts that are not there',
      { common: { prompts_dir: 'none' } },
      /variant "classic": The prompt files in .*none cannot be read/,
    ],
  ] as const) {
    it(`refuses a file that ${what}`, async (t) => {
      const cwd = written(null, over);
      const { code, stderr } = await start(t, cwd, ['experiment', FILE]).ended;
      assert.equal(code, 2, stderr);
      assert.match(stderr, problem);
      assert.ok(!stderr.includes(TEST_KEY));
      assert.deepEqual(readdirSync(cwd), [FILE]);
    });
  }

  for (const [what, harm] of [
    [
      'a claim that leads elsewhere',
      (claims: string) => writeFileSync(join(claims, '000001.json'), CLAIM({ run: '../../../out' })),
    ],
    [
      'a claim with a number of its own',
      (claims: string) => writeFileSync(join(claims, '000001.json'), CLAIM({ number: 7 })),
    ],
    [
      'a claim without the one before',
      (claims: string) => writeFileSync(join(claims, '000002.json'), CLAIM({ number: 2 })),
    ],
    ['half a claim', (claims: string) => writeFileSync(join(claims, '000001.json'), CLAIM({}).slice(0, 90))],
    ['a claim that is a link', (claims: string) => symlinkSync('/etc/hostname', join(claims, '000001.json'))],
    [
      'a claim of a variant that is not there',
      (claims: string) => writeFileSync(join(claims, '000001.json'), CLAIM({ variant: 'x' })),
    ],
  ] as const) {
    it(`does not begin a trial beside ${what}, and verify says so`, async (t) => {
      const server = await serverFor(t);
      const directory = await notBegun(t, server);
      harm(join(directory, 'claims'));
      const worker = await start(t, directory, ['worker', directory, '--base-url', server.baseUrl]).ended;
      assert.equal(worker.code, 1);
      assert.match(worker.stderr, /claims/);
      assert.equal((await start(t, directory, ['verify', directory]).ended).code, 1);
      assert.deepEqual([server.requests.length, readdirSync(join(directory, 'runs'))], [0, []]);
    });
  }

  it('counts a trial that somebody claimed and never began at its cap, and takes it over', async (t) => {
    const server = await serverFor(t);
    const directory = await notBegun(t, server);
    const [planned] = (await readExperiment(nodeDisk, directory)).trials;
    writeFileSync(join(directory, 'claims', '000001.json'), CLAIM({ variant: planned?.variant }));
    const { code, stderr } = await start(t, directory, ['worker', directory, '--base-url', server.baseUrl]).ended;
    assert.equal(code, 0, stderr);
    const experiment = await assertWhole(directory);
    const { claims } = experiment;
    assert.deepEqual([claims.length, claims[0]?.run_id], [4, '00000000-0000-4000-8000-000000000000']);
    assertNothingTwice(server, experiment);
  });
});

/** The folder of an experiment of which nothing has begun. */
async function notBegun(t: TestContext, server: ModelServer): Promise<string> {
  const cwd = written(server);
  const { child, ended } = start(t, cwd, ['experiment', FILE, '--base-url', server.baseUrl]);
  const made = await experimentIn(cwd);
  child.kill('SIGKILL');
  await ended;
  server.requests.length = 0;
  const directory = join(temporaryFolder(), basename(made));
  for (const name of ['claims', 'runs']) mkdirSync(join(directory, name), { recursive: true });
  copyFileSync(join(made, 'experiment.json'), join(directory, 'experiment.json'));
  return directory;
}

function CLAIM(over: Record<string, unknown>): string {
  return JSON.stringify({
    format_version: 1,
    number: 1,
    variant: 'classic',
    trial: 1,
    run: '20260101T000000Z-plan-a-small-garden-0000',
    run_id: '00000000-0000-4000-8000-000000000000',
    claimed_at: '2026-01-01T00:00:00.000Z',
    max_cost_usd: 0.1,
    committed_usd: 0.1,
    resumes: null,
    environment: {
      extension_version: '',
      vscode_version: null,
      node_version: '',
      platform: '',
      packages: {},
      git: null,
    },
    ...over,
  });
}
