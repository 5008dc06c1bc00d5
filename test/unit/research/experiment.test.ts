import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { EngineError } from '../../../src/engine/engine-error.ts';
import { resumeRun } from '../../../src/engine/resume.ts';
import type { Session } from '../../../src/engine/session.ts';
import { nextClaim, putClaim } from '../../../src/research/claims.ts';
import { committed, listExperiments, readExperiment } from '../../../src/research/experiment.ts';
import { checkExperimentFile, VariantSettings } from '../../../src/research/experiment-file.ts';
import { ExperimentWorker, type TrialNews } from '../../../src/research/work-experiment.ts';
import { trialOrder } from '../../../src/research/trial-order.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { verifyRun } from '../../../src/runlog/verify.ts';
import { FLAGS } from '../../../src/terminal/options.ts';
import { experimentFile, rehearsedExperiment, workedOff } from '../../support/experiments.ts';
import { temporaryFolder, testHost } from '../../support/run-host.ts';

function problemsOf(over: Parameters<typeof experimentFile>[0]): readonly string[] {
  const checked = checkExperimentFile(JSON.stringify(experimentFile(over)));
  return 'problems' in checked ? checked.problems : [];
}

const variants = (...names: string[]) => names.map((name) => ({ name, settings: {} }));

describe('an experiment file', () => {
  it('is taken as it is', () => {
    assert.deepEqual(problemsOf({}), []);
  });

  it('says all that is wrong at once, each with its place', () => {
    assert.deepEqual(
      problemsOf({
        name: '',
        trials: 0,
        seed: 1.5,
        limits: { max_iterations: 3 },
        max_total_cost_usd: undefined,
        variants: [
          { name: '=1+1', settings: { strategy: 'clever' } },
          { name: 'b', settings: { runs_dir: '/' } },
        ],
      }),
      [
        'name is empty.',
        'trials must be at least 1.',
        'seed must be a whole number.',
        'limits.max_cost_usd is missing.',
        'max_total_cost_usd is missing.',
        'variants.0.name must begin with a letter or digit, and have letters, digits, spaces and . _ + ( ) - only.',
        'variants.0.settings.strategy must be one of "guarded", "classic".',
        'variants.1.settings has entries that are not known: "runs_dir".',
      ],
    );
  });

  for (const [what, over, problem] of [
    ['one variant', { variants: variants('a') }, /^variants must have at least 2 entries/],
    ['two variants of one name', { variants: variants('a', 'A') }, /^variants: the name "A" is there twice/],
    ['two that look the same', { variants: variants('a', 'a ') }, /^variants: the name "a" is there twice/],
    ['a run dearer than the whole', { max_total_cost_usd: 0.05 }, /^max_total_cost_usd 0.05 is less than/],
    [
      'a variant dearer than the whole',
      {
        variants: [
          { name: 'a', settings: {} },
          { name: 'b', settings: { max_cost_usd: 2 } },
        ],
      },
      /^max_total_cost_usd 1 is less than the limit of one run, 2\.$/,
    ],
    ['an unknown entry', { key: 'x' }, /^the whole has entries that are not known: "key"/],
  ] as const) {
    it(`refuses ${what}`, () => assert.match(problemsOf(over)[0] ?? '', problem));
  }

  it('that is no JSON or something else is refused', () => {
    for (const text of ['', '{', '[]', '1', '"x"', '{"__proto__":{"name":"x"}}'])
      assert.ok('problems' in checkExperimentFile(text), text);
  });

  it('that is no JSON says where, and may begin with a mark of the byte order', () => {
    const text = JSON.stringify(experimentFile(), null, 2);
    assert.ok('file' in checkExperimentFile(`\ufeff${text}`));
    const wrong = checkExperimentFile(text.replace('"trials": 2,', '"trials": 2,,'));
    assert.deepEqual('problems' in wrong && wrong.problems, ['It is not JSON: see line 4, column 15.']);
  });

  it('has settings that are flags of run, each of its name', () => {
    for (const name of Object.keys(VariantSettings.shape)) assert.ok(name.replaceAll('_', '-') in FLAGS, name);
  });
});

describe('the order of trials', () => {
  const checked = checkExperimentFile(
    JSON.stringify(experimentFile({ trials: 40, variants: variants('a', 'b', 'c') })),
  );
  assert.ok('file' in checked);
  const order = trialOrder(checked.file);

  it('has every trial once, in blocks, paired by its seed', () => {
    assert.equal(new Set(order.map(({ variant, trial }) => `${variant} ${trial}`)).size, 120);
    order.forEach(({ trial, seed }, index) =>
      assert.deepEqual([trial, seed], [1 + Math.floor(index / 3), 100 + trial]),
    );
  });

  it('is shuffled within a block, and the same each time', () => {
    const blocks = new Set(
      Array.from({ length: 40 }, (_, at) =>
        order
          .slice(3 * at, 3 * at + 3)
          .map(({ variant }) => variant)
          .join(''),
      ),
    );
    assert.equal(blocks.size, 6);
    assert.deepEqual(trialOrder(checked.file), order);
    assert.notDeepEqual(
      trialOrder({ ...checked.file, seed: 101 }).map(({ variant }) => variant),
      order.map(({ variant }) => variant),
    );
  });
});

describe('an experiment', () => {
  it('is worked off: every trial once, in order, each an ordinary run of its variant and seed', async () => {
    const directory = await rehearsedExperiment();
    const before = await readExperiment(nodeDisk, directory);
    assert.deepEqual(
      before.trials.map(({ progress }) => progress.state),
      Array(4).fill('waiting'),
    );
    const { reason, news } = await workedOff(directory);
    assert.equal(reason, 'completed');
    assert.deepEqual(
      news.map(({ reason: why, isResult }) => [why, isResult]),
      Array(4).fill(['max_iterations', true]),
    );
    const { claims, trials } = await readExperiment(nodeDisk, directory);
    assert.deepEqual(
      claims.map(({ number, variant, trial }) => [number, variant, trial]),
      trials.map(({ variant, trial }, index) => [index + 1, variant, trial]),
    );
    for (const trial of trials) {
      assert.ok(trial.progress.state === 'ended' && trial.directory !== null);
      const { config } = trial.progress.run;
      assert.deepEqual(
        [config.strategy, config.parameters.seed, config.run_id],
        [trial.variant, 100 + trial.trial, trial.claim?.run_id],
      );
      assert.equal((await verifyRun(nodeDisk, trial.directory)).ok, true);
    }
  });

  it('admits no trial that may bring it above its cap', async () => {
    const directory = await rehearsedExperiment({ max_total_cost_usd: 0.1 });
    // One run may cost all of it; once it has ended, the next one may cost more than what is left.
    const { reason } = await workedOff(directory);
    assert.equal(reason, 'max_cost');
    const experiment = await readExperiment(nodeDisk, directory);
    assert.deepEqual(
      experiment.claims.map(({ committed_usd }) => committed_usd),
      [0.1],
    );
    const next = experiment.trials.find(({ progress }) => progress.state === 'waiting');
    assert.ok(next);
    assert.equal(nextClaim(experiment, next, 0, experiment.claims[0]!.environment), null);
  });

  it('counts a trial that is taken again at its limit, from the claim on', async () => {
    const directory = await rehearsedExperiment({ trials: 1 });
    assert.deepEqual(
      (await stoppedAtOnce(directory)).map(({ reason, isResult }) => [reason, isResult]),
      [['stopped_by_user', false]],
    );
    const before = await readExperiment(nodeDisk, directory);
    const [stopped, waiting] = before.trials;
    assert.ok(stopped && waiting && stopped.progress.state === 'ended');
    assert.ok(committed(stopped) < 100_000_000_000n);
    const claim = nextClaim(before, stopped, Date.now(), before.claims[0]!.environment);
    assert.deepEqual([claim?.resumes?.after_epoch, claim?.run], [1, before.claims[0]?.run]);
    assert.ok(claim !== null && (await putClaim(nodeDisk, before.folder, claim)));
    const [taken] = (await readExperiment(nodeDisk, directory)).trials;
    assert.equal(taken?.progress.state, 'open');
    assert.equal(taken && committed(taken), 100_000_000_000n);
    assert.equal((await workedOff(directory)).reason, 'completed');
  });

  it('gives a number to one claim only', async () => {
    const directory = await rehearsedExperiment();
    const experiment = await readExperiment(nodeDisk, directory);
    const environment = {
      extension_version: '',
      vscode_version: null,
      node_version: '',
      platform: '',
      packages: {},
      git: null,
    };
    const claims = experiment.trials.map((trial) => nextClaim(experiment, trial, Date.now(), environment));
    const put = await Promise.all(
      claims.map(async (claim) => claim !== null && putClaim(nodeDisk, experiment.folder, claim)),
    );
    assert.equal(put.filter(Boolean).length, 1);
    assert.deepEqual(readdirSync(experiment.folder.claims), ['000001.json']);
  });

  it('is listed with the newest first; what is no experiment is not', async () => {
    const directory = await rehearsedExperiment();
    const all = dirname(directory);
    mkdirSync(join(all, '20990101T000000Z-empty-0000'));
    mkdirSync(join(all, 'other'));
    assert.deepEqual(await listExperiments(nodeDisk, all), [directory]);
    assert.deepEqual(await listExperiments(nodeDisk, join(all, 'none')), []);
  });

  for (const [what, harm, reason] of [
    ['a record that is none', (path: string) => writeFileSync(join(path, 'experiment.json'), '{}'), 'damaged'],
    ['no record', (path: string) => rmSync(join(path, 'experiment.json')), 'not_an_experiment'],
    [
      'a claim that leads out of the folder',
      (path: string) => {
        const file = join(path, 'claims', '000001.json');
        writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), run: '../../x' }));
      },
      'damaged',
    ],
    [
      'a claim that is a link',
      (path: string) => {
        rmSync(join(path, 'claims', '000002.json'));
        symlinkSync('000001.json', join(path, 'claims', '000002.json'));
      },
      'damaged',
    ],
    ['a claim that is missing', (path: string) => rmSync(join(path, 'claims', '000001.json')), 'damaged'],
  ] as const) {
    it(`with ${what} is not read`, async () => {
      const directory = await rehearsedExperiment({ trials: 1 });
      await workedOff(directory);
      harm(directory);
      await assert.rejects(
        readExperiment(nodeDisk, directory),
        (error) => error instanceof EngineError && error.reason === reason,
      );
    });
  }

  it('ends where a trial cannot be gone on with, and says so', async () => {
    const directory = await rehearsedExperiment({ trials: 1 });
    await stoppedAtOnce(directory);
    const [stopped] = (await readExperiment(nodeDisk, directory)).trials;
    writeFileSync(join(stopped?.directory ?? '', 'imported.json'), '{}');
    const { reason, news } = await workedOff(directory);
    assert.equal(reason, 'error');
    assert.match(news.find(({ isResult }) => !isResult)?.problem ?? '', /came from an archive/);
    assert.equal(news.length, 2);
  });

  for (const [what, harm, problem, stop] of [
    [
      'was given another configuration',
      (path: string, run: string) => change(join(path, 'runs', run, 'config.json'), 'cost_usd": 0.1', 'cost_usd": 100'),
      /is not configured as its experiment says: it is left alone/,
      'max_cost',
    ],
    [
      'was given a higher limit',
      async (path: string, run: string) => {
        const how = { raise: { max_cost_usd: 0.5 }, byPerson: true };
        await (await resumeRun(join(path, 'runs', run), how, testHost('http://127.0.0.1:9/v1'))).abandon();
      },
      /may cost 0\.5 US dollars, and 0\.1 were admitted/,
      'error',
    ],
    [
      'was claimed with less than it may cost',
      (path: string) => change(join(path, 'claims', '000001.json'), '"max_cost_usd": 0.1', '"max_cost_usd": 0'),
      /may cost 0\.1 US dollars, and 0 were admitted/,
      'error',
    ],
  ] as const) {
    it(`leaves a run alone that ${what}`, async () => {
      const directory = await rehearsedExperiment({ trials: 1 });
      await abandonedAtOnce(directory);
      const { claims, trials } = await readExperiment(nodeDisk, directory);
      assert.equal(trials[0]?.progress.state, 'open');
      await harm(directory, claims[0]?.run ?? '');
      const { reason, news } = await workedOff(directory);
      assert.equal(reason, stop);
      assert.match(news.find(({ isResult }) => !isResult)?.problem ?? '', problem);
      assert.equal((await readExperiment(nodeDisk, directory)).trials[0]?.progress.state, 'open');
    });
  }

  it('whose claims are damaged meanwhile begins no more trials, and lets those under way end', async () => {
    const directory = await rehearsedExperiment();
    const damage = join(directory, 'claims', '000009.json');
    const begun: Session[] = [];
    const work = new ExperimentWorker(directory, {
      host: testHost('http://127.0.0.1:9/v1'),
      parallel: 2,
      began: (session) => {
        begun.push(session);
        writeFileSync(damage, '{}');
      },
      told: () => {},
      paceMs: 20,
    }).work();
    await assert.rejects(work, { reason: 'damaged' });
    assert.ok(begun.length > 0 && begun.length < 4);
    for (const { state } of begun) assert.equal(state.end?.reason, 'max_iterations');
  });

  it('goes on where a run cannot be read', async () => {
    const directory = await rehearsedExperiment({ trials: 1 });
    await workedOff(directory);
    const { trials } = await readExperiment(nodeDisk, directory);
    writeFileSync(join(trials[0]?.directory ?? temporaryFolder(), 'config.json'), '{}');
    const { trials: after } = await readExperiment(nodeDisk, directory);
    assert.deepEqual(
      after.map(({ progress }) => progress.state),
      ['unreadable', 'ended'],
    );
  });
});

function change(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'utf8');
  assert.ok(text.includes(from), from);
  writeFileSync(file, text.replace(from, to));
}

/** Begins one trial, and lets go of it. */
async function abandonedAtOnce(directory: string): Promise<void> {
  const worker: ExperimentWorker = new ExperimentWorker(directory, {
    host: testHost('http://127.0.0.1:9/v1'),
    parallel: 1,
    began: () => void worker.letGo(),
    told: () => {},
  });
  assert.equal(await worker.work(), 'stopped_by_user');
}

/** Begins one trial, and stops it. */
async function stoppedAtOnce(directory: string): Promise<TrialNews[]> {
  const told: TrialNews[] = [];
  const worker: ExperimentWorker = new ExperimentWorker(directory, {
    host: testHost('http://127.0.0.1:9/v1'),
    parallel: 1,
    began: () => worker.stop('person'),
    told: (news) => void told.push(news),
  });
  assert.equal(await worker.work(), 'stopped_by_user');
  return told;
}
