import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { before, describe, it } from 'node:test';
import { unfitPath } from '../../../src/research/archive.ts';
import { exportArchive } from '../../../src/research/export-archive.ts';
import { importArchive } from '../../../src/research/import-archive.ts';
import type { RunFigures } from '../../../src/research/compare.ts';
import { type Experiment, readExperiment, type Trial } from '../../../src/research/experiment.ts';
import { experimentReport } from '../../../src/research/experiment-report.ts';
import { reportFiles, writeReport } from '../../../src/research/experiment-report-files.ts';
import { reportMarkdown } from '../../../src/research/experiment-report-markdown.ts';
import { trialsCsv } from '../../../src/research/trials-csv.ts';
import { verifyExperiment } from '../../../src/research/verify-experiment.ts';
import type { StopReason } from '../../../src/run/stop-reason.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { rehearsedExperiment, workedOff } from '../../support/experiments.ts';
import { temporaryFolder } from '../../support/run-host.ts';

let directory: string;
let whole: Experiment;

before(async () => {
  directory = await rehearsedExperiment({ trials: 1 });
  await workedOff(directory);
  whole = await writeReport(nodeDisk, directory);
});

type Made = (variant: string, trial: number) => Partial<RunFigures> & { ends?: StopReason; isResult?: boolean };

/** The experiment with so many trials, whose runs have these figures. */
function withFigures(trials: number, made: Made, over: Partial<Experiment['record']['spec']> = {}): Experiment {
  const {
    record,
    trials: [one],
  } = whole;
  assert.ok(one?.progress.state === 'ended');
  const { run } = one.progress;
  const all = Array.from({ length: trials }, (_, index) => index + 1).flatMap((trial) =>
    record.spec.variants.map(({ name }): Trial => {
      const { ends = 'max_iterations', isResult = true, ...figures } = made(name, trial);
      const progress = {
        state: 'ended',
        reason: ends,
        isResult,
        run: { ...run, figures: { ...run.figures, ...figures } },
      } as const;
      return { ...one, variant: name, trial, seed: 100 + trial, progress };
    }),
  );
  return { ...whole, trials: all, record: { ...record, spec: { ...record.spec, trials, ...over } } };
}

const words = async (experiment: Experiment) => reportMarkdown(await experimentReport(experiment), experiment);

describe('the report of an experiment', () => {
  it('has the figures of each variant, and of the pairs by their seed', async () => {
    const costs = { classic: [1, 2, 4], guarded: [2, 4, 3] };
    const report = await experimentReport(
      withFigures(3, (name, trial) => ({ costUsd: costs[name as keyof typeof costs][trial - 1] ?? 0 })),
    );
    const [classic, guarded] = report.variants.map(({ metrics }) => metrics['cost_usd']);
    assert.deepEqual([classic?.n, classic?.median, classic?.min, classic?.max], [3, 2, 1, 4]);
    assert.deepEqual([guarded?.mean, guarded?.sd], [3, 1]);
    const cost = report.comparisons.find(({ metric }) => metric === 'cost_usd');
    // 1, 2, −1: of the eight signs, 4, 0, 2 and 2 and their opposites; six are at least 2.
    assert.deepEqual([cost?.pairs, cost?.mean_difference, cost?.p, cost?.p_is_exact], [3, 0.666666666667, 0.75, true]);
    // 2 is above 1, level with 2, below 4; 4 is above, above, level; 3 is above, above, below.
    assert.equal(cost?.cliffs_delta, 0.333333333333);
  });

  it('leaves out what is no result, also of its pair, and says how much is missing', async () => {
    const experiment = withFigures(4, (name, trial) =>
      name === 'guarded' && trial === 2 ? { ends: 'error', isResult: false, costUsd: 99 } : { costUsd: trial },
    );
    const report = await experimentReport(experiment);
    assert.deepEqual([report.trials.with_result, report.trials.without_result], [7, 1]);
    assert.equal(report.variants[1]?.metrics['cost_usd']?.max, 4);
    assert.deepEqual(report.variants[1]?.stop_reasons, { error: 1, max_iterations: 3 });
    assert.ok(report.comparisons.every(({ pairs }) => pairs <= 3));
    assert.match(await words(experiment), /\*\*1 of 8 trials have no result: 1 ended by the server/);
  });

  it('has nothing where a metric has no value', async () => {
    const report = await experimentReport(withFigures(3, () => ({ latencyMs: null, costPerUsefulResultUsd: null })));
    assert.equal(report.variants[0]?.metrics['latency_p50_ms'], null);
    const none = report.comparisons.filter(({ metric }) => metric === 'latency_p50_ms');
    assert.deepEqual(
      none.map(({ pairs, p, p_holm, cliffs_delta }) => [pairs, p, p_holm, cliffs_delta]),
      [[0, null, null, null]],
    );
    assert.equal(report.comparisons.filter(({ p }) => p !== null).length, 12);
  });

  it('names a difference only where it stands the adjustment', async () => {
    const made: Made = (name, trial) => ({ costUsd: name === 'guarded' ? 1 + trial / 100 : 2 + trial / 50 });
    assert.match(await words(withFigures(5, made)), /no p value can be below 0\.0625, whatever the difference/);
    assert.match(
      await words(withFigures(8, made)),
      /below 0\.00781, which the adjustment for 14 tests raises above 0\.05/,
    );
    const enough = await words(withFigures(20, made));
    assert.match(
      enough,
      /^Cost: less by \$1\.11 on average \(95 %: .*\): p < 0\.0001, 0\.0007 after adjustment for 14 tests\.$/m,
    );
    assert.doesNotMatch(enough, /no p value can be/);
  });

  it('says what so many pairs cannot show of those metrics that have most pairs', async () => {
    const made: Made = (name, trial) => ({
      costUsd: name === 'guarded' ? 1 + trial / 100 : 2 + trial / 50,
      costPerUsefulResultUsd: trial > 2 ? null : 1,
    });
    const text = await words(withFigures(20, made));
    assert.doesNotMatch(text, /no p value can be/);
    assert.match(text, /^Cost: less by/m);
  });

  it('calls no difference large that two runs have', async () => {
    const one = await words(withFigures(1, (name) => ({ costUsd: name === 'guarded' ? 1 : 2 })));
    assert.match(one, /nothing can be tested/);
    assert.doesNotMatch(one, /\((negligible|small|medium|large)\)/);
  });

  it('holds nothing but text of what others wrote', async () => {
    const evil = '<img src=x onerror=alert(1)>\n# Big\n[x](javascript:alert(1)) ![y](http://z/)';
    const text = await words(withFigures(2, () => ({}), { name: evil, hypothesis: evil, objective: evil }));
    assert.doesNotMatch(text, /<img|^# Big|(?<!\\)!\[y\]\(|(?<!\\)\[x\]\(javascript/m);
  });

  it('has a line of CSV for each trial, with as many cells as the head', async () => {
    const lines = trialsCsv(await experimentReport(withFigures(3, () => ({ latencyMs: null })))).split('\r\n');
    assert.equal(lines.pop(), '');
    assert.equal(lines.length, 7);
    assert.equal(new Set(lines.map((line) => line.split(',').length)).size, 1);
  });

  it('is the same bytes for the same folder, wherever it is', async () => {
    const copy = join(temporaryFolder(), basename(directory));
    cpSync(directory, copy, { recursive: true });
    const again = await reportFiles(await readExperiment(nodeDisk, copy));
    for (const { name, content } of again) assert.equal(content, readFileSync(join(directory, name), 'utf8'), name);
    assert.equal(again.length, 3);
  });
});

describe('the verification of an experiment', () => {
  const harms: [string, (path: string) => void, RegExp][] = [
    [
      'another figure in the report',
      (path) => replace(join(path, 'report.md'), '| 2 |', '| 3 |'),
      /^report: report\.md/,
    ],
    [
      'another word in trials.csv',
      (path) => replace(join(path, 'trials.csv'), 'classic', 'guarded'),
      /^report: trials\.csv/,
    ],
    ['a changed line of a log', (path) => replace(logOf(path), 'task.created', 'task.removed'), /^runs: runs\//],
    [
      'a run that nobody claimed',
      (path) => mkdirSync(join(path, 'runs', '20260101T000000Z-x-0000')),
      /was claimed by nobody/,
    ],
    [
      'a cap below what was admitted',
      (path) => replace(record(path), '"max_total_cost_usd": 1', '"max_total_cost_usd": 0.1'),
      /^cap: claims\/000002/,
    ],
    ['another seed', (path) => replace(record(path), '"seed": 100', '"seed": 7'), /^experiment(\.json)?: /],
    [
      'a variant with another prompt',
      (path) => replace(record(path), 'You carry out one task', 'You do one task'),
      /^configurations: /,
    ],
    [
      'a claim that reckoned too little',
      (path) => replace(join(path, 'claims/000002.json'), /"committed_usd": [\d.]+/, '"committed_usd": 0'),
      /^cap: claims\/000002.json says that at most/,
    ],
  ];
  for (const [what, harm, problem] of harms) {
    it(`finds ${what}`, async () => {
      const copy = join(temporaryFolder(), basename(directory));
      cpSync(directory, copy, { recursive: true });
      assert.equal((await verifyExperiment(nodeDisk, copy)).ok, true);
      harm(copy);
      const { ok, firstProblem } = await verifyExperiment(nodeDisk, copy);
      assert.equal(ok, false);
      assert.match(firstProblem ?? '', problem);
    });
  }
});

describe('the archive of an experiment', () => {
  it('leaves out what belongs to the machine, also of each run', async () => {
    const zip = join(temporaryFolder(), 'x.zip');
    const { leftOut, files } = await exportArchive(directory, zip);
    assert.deepEqual(leftOut, []);
    const taken = await importArchive(zip, temporaryFolder(), {
      now: Date.now,
      experimentsDirectory: temporaryFolder(),
    });
    assert.equal(basename(taken.runDirectory), basename(directory));
    assert.equal(taken.files, files);
    const names = readdirSync(taken.runDirectory, { recursive: true, encoding: 'utf8' });
    assert.ok(!names.some((name) => /(^|[/\\])(owner|\.reserve)([/\\]|$)/.test(name)));
    assert.equal(names.filter((name) => basename(name) === 'imported.json').length, 3);
    assert.equal((await verifyExperiment(nodeDisk, taken.runDirectory)).ok, true);
    await assert.rejects(workedOff(taken.runDirectory), { reason: 'imported' });
  });

  it('is refused where a run is wanted, and nothing is left behind', async () => {
    const zip = join(temporaryFolder(), 'x.zip');
    await exportArchive(directory, zip);
    const runs = temporaryFolder();
    await assert.rejects(importArchive(zip, runs, { now: Date.now }), { reason: 'not_an_archive' });
    assert.deepEqual(readdirSync(runs), []);
  });

  it('holds no path of a run that a run may not have', () => {
    const run = 'runs/20260101T000000Z-x-0000';
    for (const path of [
      `${run}/owner/000001`,
      `${run}/.gitignore`,
      `${run}/imported.json`,
      'runs/../x',
      'runs/.x/config.json',
    ])
      assert.notEqual(unfitPath(path), null, path);
    assert.equal(unfitPath(`${run}/output/a/b/c/d/e/f/g/h.md`), unfitPath('output/a/b/c/d/e/f/g/h.md'));
    assert.equal(unfitPath(`${run}/log/000001.jsonl`), null);
  });
});

function record(path: string): string {
  return join(path, 'experiment.json');
}

function logOf(path: string): string {
  const [run = ''] = readdirSync(join(path, 'runs'));
  return join(path, 'runs', run, 'log', '000001.jsonl');
}

function replace(file: string, from: string | RegExp, to: string): void {
  const text = readFileSync(file, 'utf8');
  assert.notEqual(text.replace(from, to), text, 'nothing was changed');
  writeFileSync(file, text.replace(from, to));
}
