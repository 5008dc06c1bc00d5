import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../support/run-host.ts';

const CLI = join(process.cwd(), 'dist', 'cli.js');

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function cli(cwd: string, ...args: readonly string[]): Promise<Ended> {
  const env = { PATH: process.env['PATH'] ?? '' };
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], { cwd, env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

async function rehearsed(): Promise<{ place: string; run: string }> {
  const place = temporaryFolder();
  const { stdout } = await cli(place, 'rehearse', 'Plan a garden', '--max-iterations', '1', '--json');
  const { run_dir } = JSON.parse(stdout) as { run_dir: string };
  return { place, run: run_dir };
}

describe('the commands for run folders in a terminal', { concurrency: 3 }, () => {
  it('export and import: one zip, into the runs folder, read-only from then on', async () => {
    const { place, run } = await rehearsed();
    const plain = await cli(place, 'export', run);
    const [file = ''] = plain.stdout.split('\n');
    assert.match(file, /-plan-a-garden-[0-9a-f]{4}\.zip$/);
    const second = await cli(place, 'export', run, 'again.zip', '--json');
    const again = JSON.parse(second.stdout) as { archive: string; sha256: string };
    assert.ok(plain.stdout.includes(again.sha256));
    assert.deepEqual(readFileSync(again.archive), readFileSync(file));

    const { stdout } = await cli(place, 'import', 'again.zip', '--runs-dir', 'in', '--json');
    const { run_dir } = JSON.parse(stdout) as { run_dir: string };
    assert.ok(existsSync(join(run_dir, 'summary.json')));
    const resumed = await cli(place, 'resume', run_dir, '--add-iterations', '1');
    assert.deepEqual([resumed.code, resumed.stdout], [1, '']);
    assert.match(resumed.stderr, /^\S+ came from an archive: the run can be looked at, not resumed\.\n$/);
    assert.match((await cli(place, 'verify', run_dir)).stdout, /note The run came from an archive\./);

    const twice = await cli(place, 'import', 'again.zip', '--runs-dir', 'in');
    assert.deepEqual([twice.code, twice.stderr.startsWith('The run is there already')], [1, true]);
    const noZip = await cli(place, 'import', join(run, 'summary.md'));
    assert.deepEqual([noZip.code, /is not a zip that can be read/.test(noZip.stderr)], [1, true]);
    assert.equal(readdirSync(join(place, 'in')).length, 1);
  });

  it('explain: why it ended and the command that goes on, or that it never ended', async () => {
    const { place, run } = await rehearsed();
    const ended = (await cli(place, 'explain', run)).stdout.trimEnd().split('\n');
    assert.match(ended[0] ?? '', /^The run ended: max_iterations\./);
    assert.deepEqual(ended[1], 'Lost: nothing.');
    assert.match(ended[2] ?? '', /^Cost: .* for 1 result: /);
    assert.match(ended.at(-1) ?? '', /node dist\/cli\.js resume \S+ --add-iterations 1$/);
    const log = join(run, 'log', '000001.jsonl');
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    writeFileSync(log, `${lines.slice(0, -2).join('\n')}\n`);
    const { stdout } = await cli(place, 'explain', run, '--json');
    const { status, next } = JSON.parse(stdout) as { status: string; next: { command: string } };
    assert.doesNotMatch(stdout, /"[a-z]+[A-Z]\w*":/, 'names in JSON are snake_case');
    assert.deepEqual([status, next.command], ['interrupted', `node dist/cli.js resume ${run}`]);
    assert.equal((await cli(place, 'explain', place)).code, 1);
  });

  it('replay: identical, different at a named event, or not to be read, by the exit code', async () => {
    const { place, run } = await rehearsed();
    const same = await cli(place, 'replay', run);
    assert.deepEqual([same.code, same.stderr], [0, '']);
    assert.match(same.stdout, /^replayed: 4 calls, \d+ events, identical\n$/);
    const zip = (await cli(place, 'export', run)).stdout.split('\n')[0] ?? '';
    const { stdout } = await cli(place, 'replay', zip, '--json');
    assert.doesNotMatch(stdout, /"[a-z]+[A-Z]\w*":/, 'names in JSON are snake_case');
    const { identical, run_id } = JSON.parse(stdout) as { identical: boolean; run_id: string };
    const config = readFileSync(join(run, 'config.json'), 'utf8');
    assert.deepEqual([identical, config.includes(run_id)], [true, true]);

    writeFileSync(join(run, 'config.json'), config.replace('Plan a garden', 'Plan a hotel'));
    const other = await cli(place, 'replay', run);
    assert.equal(other.code, 1);
    assert.match(
      other.stdout,
      /^Event 1 \(run\.created\), config_sha256: the log has "?[0-9a-f]{64}"?; the replay gives "?[0-9a-f]{64}"?\.\n(.*\n)*replayed: 0 calls, \d+ events, different\n$/m,
    );
    const nothing = await cli(place, 'replay', place);
    assert.deepEqual([nothing.code, nothing.stdout], [2, '']);
    assert.match(nothing.stderr, /is not a run folder/);
    assert.equal((await cli(place, 'replay')).code, 2);
  });

  it('fork and compare: a variant from an iteration on, beside the run that it came from', async () => {
    const { place, run } = await rehearsed();
    const limits = ['--max-iterations', '3', '--max-cost-usd', '0.5'];
    const fork = await cli(place, 'fork', run, '--from-iteration', '1', ...limits, '--strategy', 'classic', '--json');
    assert.equal(fork.code, 0, fork.stderr);
    const { run_dir, iterations } = JSON.parse(fork.stdout) as { run_dir: string; iterations: number };
    assert.ok(iterations > 1);
    assert.equal((await cli(place, 'verify', run_dir)).code, 0);
    assert.equal((await cli(place, 'replay', run_dir)).code, 0);

    const { stdout } = await cli(place, 'compare', run, run_dir);
    assert.match(stdout, /^\| strategy \| guarded \| classic \|$/m);
    assert.match(stdout, /^\| of them taken over by a fork \| 0 \| 1 \|$/m);
    const json = (await cli(place, 'compare', run, run_dir, '--json')).stdout;
    assert.doesNotMatch(json, /"[a-z]+[A-Z]\w*":/, 'names in JSON are snake_case');
    const { runs } = JSON.parse(json) as { runs: { strategy: string; figures: { iterations: number } }[] };
    assert.deepEqual(
      runs.map(({ strategy, figures }) => [strategy, figures.iterations]),
      [
        ['guarded', 1],
        ['classic', iterations],
      ],
    );
    assert.equal((await cli(place, 'compare', run)).code, 2);

    const bare = await cli(place, 'fork', run);
    assert.deepEqual([bare.code, bare.stderr.trimEnd().split('\n').length], [2, 3], bare.stderr);
    const first = await cli(place, 'fork', run, '--from-iteration', '1', ...limits, '--first-task', 'Another one');
    assert.deepEqual([first.code, first.stderr], [2, 'fork does not take --first-task: see --help.\n']);
    const late = await cli(place, 'fork', run, '--from-iteration', '2', ...limits);
    assert.deepEqual([late.code, /has not completed iteration 2/.test(late.stderr)], [2, true]);
    // What a folder names gets no key, and no request.
    const config = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8')) as { model: Record<string, unknown> };
    Object.assign(config.model, { provider: 'openai', base_url: 'https://evil.example/v1' });
    writeFileSync(join(run, 'config.json'), JSON.stringify(config));
    const hostile = await cli(place, 'fork', run, '--from-iteration', '1', ...limits);
    assert.deepEqual([hostile.code, /say so with --base-url https:\/\/evil\.example/.test(hostile.stderr)], [2, true]);
  });

  it('forecast: needs no key, writes nothing, and misses what a run would miss', async () => {
    const place = temporaryFolder();
    const wanted = ['forecast', 'Plan a garden', '--max-iterations', '50', '--max-cost-usd', '1'];
    const plain = (await cli(place, ...wanted)).stdout.split('\n');
    assert.match(
      plain[0] ?? '',
      /^Forecast: about \$\S+ for 50 iterations \(\$\S+ each\), up to \$\S+ if no request has to be repeated\.$/,
    );
    assert.match(
      plain[1] ?? '',
      /^From \d rehearsed iterations, results of 350 tokens, and the price of gpt-4\.1-mini/,
    );
    const { stdout } = await cli(place, ...wanted, '--json');
    const { expected_usd, worst_usd } = JSON.parse(stdout) as { expected_usd: number; worst_usd: number };
    assert.ok(expected_usd > 0 && expected_usd < worst_usd && worst_usd <= 1);
    const missing = await cli(place, 'forecast', 'Plan a garden');
    assert.deepEqual([missing.code, missing.stderr.trimEnd().split('\n').length], [2, 2]);
    const unknown = await cli(place, ...wanted, '--model', 'nobody-knows');
    assert.deepEqual([unknown.code, /The price of the model nobody-knows/.test(unknown.stderr)], [2, true]);
    assert.deepEqual(readdirSync(place), []);
  });
});
