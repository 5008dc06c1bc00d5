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
