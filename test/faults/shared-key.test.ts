import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { brain } from '../support/brain.ts';
import { type ModelServer, startModelServer } from '../support/model-server.ts';
import { TEST_KEY, temporaryFolder } from '../support/run-host.ts';

const CLI = join(__dirname, 'cli.js');

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe('one key in several terminals', () => {
  let server: ModelServer;
  const home = temporaryFolder();
  before(async () => {
    server = await startModelServer({ reply: brain({ complete: () => false }) });
  });
  after(() => server.close());

  function terminal(flags: readonly string[], variables: Record<string, string> = {}): Promise<Ended> {
    const cwd = temporaryFolder();
    mkdirSync(join(cwd, 'runs'));
    const prices = ['--price-input', '2.5', '--price-output', '10', '--embedding-model', 'none'];
    const args = [
      CLI,
      'run',
      'Plan a small garden',
      '--max-iterations',
      '3',
      '--max-cost-usd',
      '1',
      '--base-url',
      server.baseUrl,
      '--model',
      'gpt-4o',
      ...prices,
      '--json',
      ...flags,
    ];
    const environment = {
      PATH: process.env['PATH'] ?? '',
      HOME: home,
      LOCALAPPDATA: home,
      XDG_STATE_HOME: join(home, 'state'),
      OPENAI_API_KEY: TEST_KEY,
    };
    const child = spawn(process.execPath, args, {
      cwd,
      env: { ...environment, ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
  }

  it('keeps to the limit of the key together, outside of the workspace', async () => {
    const first = await terminal(['--max-key-usd-per-day', '0.01']);
    assert.match(first.stdout, /"stop_reason":"max_iterations"/, first.stderr);
    const second = await terminal([], { BABYAGI_MAX_KEY_USD_PER_DAY: '0.01' });
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stdout, /"stop_reason":"max_cost"/);
    assert.match(second.stderr, /\$0\.010 a day \(UTC\) for this API key is free/);
    const directory = process.platform === 'win32' ? join(home, 'babyagi') : join(home, 'state', 'babyagi');
    const [name = '', ...others] = readdirSync(directory);
    assert.deepEqual(others, []);
    assert.match(name, /^[0-9a-f]{32}-\d{4}-\d\d-\d\d\.jsonl$/);
    assert.equal(readFileSync(join(directory, name), 'utf8').includes(TEST_KEY), false);
    assert.ok(server.billed({ inputPico: 2_500_000n, outputPico: 10_000_000n }) <= 10_000_000_000n);
  });

  for (const [flag, value] of [
    ['--max-key-usd-per-day', '0'],
    ['--max-key-usd-per-day', 'ten'],
    ['--max-key-usd-per-day', '-1'],
    ['--watchdog-interval', '0'],
    ['--watchdog-interval', 'often'],
  ] as const) {
    it(`refuses ${flag} ${value} before any request`, async () => {
      const requests = server.requests.length;
      const { code, stderr } = await terminal([`${flag}=${value}`]);
      assert.equal(code, 2);
      assert.match(stderr, new RegExp(`^${flag} .* is not valid: give a number from`));
      assert.equal(server.requests.length, requests);
    });
  }
});
