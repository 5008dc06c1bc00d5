import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readExperiment } from '../../../src/research/experiment.ts';
import { ExperimentWorker } from '../../../src/research/work-experiment.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { type AtWork, experimentBrief, type ExperimentBrief } from '../../../src/vscode/experiment-brief.ts';
import { experimentFacets, trialFacets } from '../../../src/vscode/experiment-facets.ts';
import { experimentRow, rowsBelow } from '../../../src/vscode/experiment-rows.ts';
import {
  capWords,
  differenceWords,
  experimentDescription,
  spokenExperiment,
  trialDescription,
  variantDescription,
} from '../../../src/vscode/experiment-words.ts';
import { FACETS } from '../../../src/vscode/facets.ts';
import { rehearsedExperiment, workedOff } from '../../support/experiments.ts';
import { testHost } from '../../support/run-host.ts';

const NOBODY: AtWork = {
  here: false,
  imported: false,
  isOwn: () => false,
  isOwned: () => Promise.resolve(false),
};

async function briefOf(directory: string, at: Partial<AtWork> = {}): Promise<ExperimentBrief> {
  return experimentBrief(await readExperiment(nodeDisk, directory), { ...NOBODY, ...at });
}

const statesOf = ({ variants }: ExperimentBrief) => variants.map(({ trials }) => trials.map(({ status }) => status));

describe('an experiment in its view', () => {
  it('has variants and their trials, which wait', async () => {
    const directory = await rehearsedExperiment({ hypothesis: 'Less is more' });
    const brief = await briefOf(directory);
    assert.deepEqual([brief.status, brief.hypothesis, brief.spentUsd], ['incomplete', 'Less is more', 0]);
    assert.deepEqual(statesOf(brief), [
      ['waiting', 'waiting'],
      ['waiting', 'waiting'],
    ]);
    assert.equal(experimentDescription(brief), '0/4 · $0.00 of $1.00 · not finished · rehearsal');
    const variants = rowsBelow(experimentRow(directory), brief);
    assert.deepEqual(
      variants.map((row) => row.id),
      [`${directory}/variant/classic`, `${directory}/variant/guarded`],
    );
    const [classic] = variants;
    assert.ok(classic);
    assert.deepEqual(
      rowsBelow(classic, brief).map(({ id, kind }) => [id, kind]),
      [1, 2].map((trial) => [`${classic.id}/trial/${trial}`, 'trial']),
    );
    const [first] = brief.variants[0]?.trials ?? [];
    assert.ok(first && brief.variants[0] && brief.variants[1]);
    assert.equal(trialDescription(first, brief.variants[0].limits), 'waiting · seed 101');
    assert.equal(differenceWords(brief.variants[0]), 'strategy: classic');
    assert.equal(differenceWords(brief.variants[1]), 'as all variants are');
    assert.equal(capWords(brief.variants[0].limits), '2 iterations, $0.10, 480 min');
  });

  it('has results, what they cost, and why each ended', async () => {
    const directory = await rehearsedExperiment();
    await workedOff(directory);
    const brief = await briefOf(directory);
    assert.equal(brief.status, 'completed');
    assert.match(experimentDescription(brief), /^4\/4 · \$0\.\d+ of \$1\.00 · rehearsal$/);
    assert.match(
      spokenExperiment(brief),
      /^Experiment Guarded against classic, complete\. 4 of 4 trials have a result, /,
    );
    const [classic] = brief.variants;
    assert.ok(classic);
    assert.match(variantDescription(classic, true), /^2\/2 · \$0\.\d+ · baseline$/);
    const [trial] = classic.trials;
    assert.ok(trial);
    assert.match(trialDescription(trial, classic.limits), /^2\/2 · \$0\.\d+ · iteration limit · seed 101$/);
    assert.match(trialDescription(trial, classic.limits, { iterations: 9, spentUsd: 2 }), /9\/2 · \$2\.00/);
    const total = brief.variants.flatMap(({ trials }) => trials).reduce((sum, { spentUsd }) => sum + spentUsd, 0);
    assert.ok(Math.abs(total - brief.spentUsd) < 1e-9);
  });

  it('shows who is at it: this window, another process, or nobody', async () => {
    const directory = await rehearsedExperiment();
    const host = testHost('http://127.0.0.1:9/v1');
    let seen: Promise<ExperimentBrief[]> | null = null;
    const worker = new ExperimentWorker(directory, {
      host,
      parallel: 1,
      paceMs: 20,
      told: () => {},
      began: ({ state }) => {
        const isOwn = (runId: string) => runId === state.config.run_id;
        const isOwned = () => Promise.resolve(true);
        seen ??= Promise.all([
          briefOf(directory, { here: true, isOwn }),
          briefOf(directory, { isOwned }),
          briefOf(directory, { here: true }),
          briefOf(directory),
        ]).finally(() => worker.stop('person'));
      },
    });
    assert.equal(await worker.work(), 'stopped_by_user');
    assert.ok(seen);
    const shown = (await (seen as Promise<ExperimentBrief[]>)).map((brief) => [
      brief.status,
      statesOf(brief)
        .flat()
        .find((state) => state !== 'waiting'),
    ]);
    assert.deepEqual(shown, [
      ['working', 'running'],
      ['elsewhere', 'elsewhere'],
      ['working', 'claimed'],
      ['incomplete', 'interrupted'],
    ]);
    const stopped = await briefOf(directory);
    const ended = stopped.variants.flatMap(({ trials, limits }) =>
      trials.map((trial) => trialDescription(trial, limits)),
    );
    assert.ok(ended.some((words) => words.startsWith('no result: stopped · ')));
  });

  it('says where the cap of the whole keeps the next trial out', async () => {
    const directory = await rehearsedExperiment({ max_total_cost_usd: 0.1 });
    const { reason } = await workedOff(directory);
    assert.equal(reason, 'max_cost');
    const brief = await briefOf(directory);
    assert.equal(brief.status, 'short');
    assert.match(experimentDescription(brief), /^1\/4 · .* · cost cap reached · rehearsal$/);
  });

  it('is told from what only came to be looked at', async () => {
    const directory = await rehearsedExperiment();
    assert.equal((await briefOf(directory, { imported: true })).status, 'imported');
  });

  it('has words in its context values that package.json may ask for', () => {
    const all = [
      ...(['working', 'elsewhere', 'incomplete', 'short', 'completed', 'imported'] as const).map((status) =>
        experimentFacets({ status }),
      ),
      trialFacets({ runId: null, status: 'waiting' }),
      trialFacets({ runId: 'a', status: 'claimed' }),
      trialFacets({ runId: 'a', status: 'running' }),
      trialFacets({ runId: 'a', status: 'result' }),
    ];
    assert.deepEqual(all, [
      'experiment working',
      'experiment working left',
      'experiment left',
      'experiment left',
      'experiment',
      'experiment',
      'trial',
      'trial',
      'trial begun',
      'trial begun closed',
    ]);
    for (const word of all.flatMap((facets) => facets.split(' '))) assert.ok(word in FACETS, word);
  });
});

describe('a worker that lets go', () => {
  it('leaves its run as it is, and the next worker goes on with that very run', async () => {
    const directory = await rehearsedExperiment({ trials: 1 });
    const host = testHost('http://127.0.0.1:9/v1');
    const worker = new ExperimentWorker(directory, {
      host,
      parallel: 2,
      paceMs: 20,
      told: () => {},
      began: (session) => session.subscribe(({ type }) => type === 'task.completed' && void worker.letGo()),
    });
    await worker.work();
    const between = await readExperiment(nodeDisk, directory);
    assert.ok(between.trials.every(({ progress }) => progress.state !== 'ended'));
    assert.ok(between.trials.some(({ progress }) => progress.state === 'open'));
    const { reason } = await workedOff(directory);
    assert.equal(reason, 'completed');
    const { claims } = await readExperiment(nodeDisk, directory);
    assert.deepEqual(new Set(claims.map(({ resumes }) => resumes)), new Set([null]));
  });
});
