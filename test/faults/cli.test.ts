import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { readRun } from '../../src/engine/read.ts';
import { NoticeBody } from '../../src/notify/notice-body.ts';
import { RunConfig } from '../../src/run/config.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { brain } from '../support/brain.ts';
import { startCollector } from '../support/collector-server.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { startMailServer, textOf } from '../support/mail-server.ts';
import { type ModelServer, type ModelServerOptions, startModelServer } from '../support/model-server.ts';
import { decodedSpans } from '../support/otlp.ts';
import { TEST_KEY, temporaryFolder } from '../support/run-host.ts';
import { startWebhookServer } from '../support/webhook-server.ts';

const CLI = join(process.cwd(), 'dist', 'cli.js');

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function serverFor(t: TestContext, options: ModelServerOptions = {}): Promise<ModelServer> {
  const server = await startModelServer({ reply: brain(), ...options });
  t.after(() => server.close());
  return server;
}

/** The program in a folder of its own, with no variables but those given. */
function start(
  t: TestContext,
  args: readonly string[],
  variables: Record<string, string> = {},
  cwd = temporaryFolder(),
): { child: ChildProcess; ended: Promise<Ended>; cwd: string } {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', ...variables },
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
  return { child, ended, cwd };
}

const LIMITS = ['--max-iterations', '2', '--max-cost-usd', '1', '--model', 'gpt-4o'];
const KEY = { OPENAI_API_KEY: TEST_KEY };

interface LastLine {
  readonly run_id: string;
  readonly run_dir: string;
  readonly stop_reason: string;
  readonly iterations: number;
  readonly cost_usd: number;
}

function lastLine({ stdout }: Ended): LastLine {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as LastLine;
}

/** All that lies below a folder, in one text. */
function everything(folder: string): string {
  if (!existsSync(folder)) return '';
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}

function sentences({ stderr }: Ended): string[] {
  return stderr.trimEnd().split('\n');
}

describe('the program in a terminal', { concurrency: 3 }, () => {
  it('runs an objective and leaves its files; the last line with --json is one object', async (t) => {
    const server = await serverFor(t);
    const { ended, cwd } = start(t, ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl, '--json'], KEY);
    const result = await ended;
    assert.equal(result.code, 0, result.stderr);
    const line = lastLine(result);
    assert.deepEqual(Object.keys(line), ['run_id', 'run_dir', 'stop_reason', 'iterations', 'cost_usd']);
    assert.deepEqual([line.stop_reason, line.iterations], ['max_iterations', 2]);
    assert.ok(line.cost_usd > 0 && line.cost_usd <= 1);
    assert.ok(line.run_dir.startsWith(join(cwd, '.babyagi', 'runs')));
    for (const name of ['summary.json', 'summary.md', 'results.json', 'answer.md', 'config.json'])
      assert.ok(existsSync(join(line.run_dir, name)), name);
    assert.equal(result.stdout.trimEnd().split('\n').length, 1, 'progress goes to stderr');
    assert.ok(!everything(cwd).includes(TEST_KEY));
  });

  it('without limits says both in one sentence each and asks nothing', async (t) => {
    const server = await serverFor(t);
    const { ended, cwd } = start(t, ['run', 'Plan a garden', '--model', 'gpt-4o', '--base-url', server.baseUrl], KEY);
    const result = await ended;
    assert.equal(result.code, 2);
    assert.equal(sentences(result).length, 2);
    assert.match(result.stderr, /iteration limit is missing/);
    assert.match(result.stderr, /cost limit is missing/);
    assert.equal(server.requests.length, 0);
    assert.equal(existsSync(join(cwd, '.babyagi')), false);
  });

  const misuse: [string, string[], Record<string, string>, RegExp][] = [
    ['an empty objective', ['run', '', ...LIMITS], KEY, /^The objective is missing/],
    ['no objective', ['run', ...LIMITS], KEY, /^The objective is missing/],
    [
      'a limit of zero',
      ['run', 'x', '--max-iterations', '0', '--max-cost-usd', '1'],
      KEY,
      /^The iteration limit 0 is not valid/,
    ],
    [
      'a limit that is no number',
      ['run', 'x', '--max-iterations', 'NaN', '--max-cost-usd', '1'],
      KEY,
      /^The iteration limit "NaN" is not valid/,
    ],
    ['no key', ['run', 'x', ...LIMITS], {}, /^There is no API key for https:\/\/api\.openai\.com: set OPENAI_API_KEY/],
    [
      'a key with a line break',
      ['run', 'x', ...LIMITS],
      { OPENAI_API_KEY: `${TEST_KEY}\nx` },
      /^OPENAI_API_KEY cannot be used/,
    ],
    [
      'an unknown price',
      ['run', 'x', ...LIMITS.slice(0, 4), '--model', 'no-such-model', '--base-url', 'http://127.0.0.1:9/v1'],
      KEY,
      /^The price of the model no-such-model .* is not known/,
    ],
    ['half a price', ['run', 'x', ...LIMITS, '--price-input', '1'], KEY, /belong together/],
    [
      'a price that is no number',
      ['run', 'x', ...LIMITS, '--price-input', 'abc', '--price-output', '1'],
      KEY,
      /^--price-input "abc" is not valid: give a number/,
    ],
    [
      'an absurd price',
      ['run', 'x', ...LIMITS, '--price-input', '2000000', '--price-output', '1'],
      KEY,
      /^--price-input 2000000 is not valid/,
    ],
    [
      'a folder of prompts that is not there',
      ['run', 'x', ...LIMITS, '--prompts-dir', 'promts'],
      KEY,
      /^The prompt files in .*promts cannot be read \(ENOENT\)/,
    ],
    [
      'a flag of another command',
      ['run', 'x', ...LIMITS, '--add-iterations', '3'],
      KEY,
      /^run does not take --add-iterations/,
    ],
    ['a flag that resume does not take', ['resume', '.', '--model', 'gpt-4o'], KEY, /^resume does not take --model/],
    [
      'a switch that says neither yes nor no',
      ['run', 'x', ...LIMITS],
      { ...KEY, BABYAGI_SKIP_REVIEWS: 'maybe' },
      /^BABYAGI_SKIP_REVIEWS "maybe" is not valid/,
    ],
    ['an unknown flag', ['run', 'x', '--max-iteration', '3'], KEY, /^Unknown option/],
    ['an unknown command', ['walk'], KEY, /^There is no command "walk"/],
    [
      'a base URL with a password',
      ['run', 'x', ...LIMITS, '--base-url', 'https://me:secret-part@example.com/v1'],
      KEY,
      /holds a user name or password/,
    ],
    [
      'a webhook that is no address',
      ['run', 'x', ...LIMITS],
      { ...KEY, BABYAGI_WEBHOOK_URL: 'hooks/T000/secret-part' },
      /^BABYAGI_WEBHOOK_URL cannot be used: it is not a complete URL\. Write it like https:\/\/hooks\.slack/,
    ],
    [
      'a base URL that is no address',
      ['run', 'x', ...LIMITS, '--base-url', 'foo'],
      KEY,
      /^The base URL cannot be used: The address is not a complete URL\. Write it like /,
    ],
    [
      'a base URL of another kind',
      ['forecast', 'x', ...LIMITS, '--base-url', 'ftp://x'],
      {},
      /^The base URL cannot be used: The address must start with https:/,
    ],
  ];
  for (const [what, args, variables, message] of misuse) {
    it(`with ${what} says so in one sentence`, async (t) => {
      const { ended, cwd } = start(t, args, variables);
      const result = await ended;
      assert.equal(result.code, 2, result.stderr);
      assert.equal(sentences(result).length, 1, result.stderr);
      assert.match(result.stderr, message);
      assert.ok(!result.stderr.includes('secret-part') && !result.stderr.includes(TEST_KEY));
      assert.equal(existsSync(join(cwd, '.babyagi')), false);
    });
  }

  it('says all that is wrong at once', async (t) => {
    const args = ['run', 'x', '--max-iterations', '0', '--price-input', 'abc', '--watchdog-interval', '0'];
    const result = await start(t, [...args, '--max-key-usd-per-day=-1'], { BABYAGI_WEBHOOK_URL: 'ftp://x' }).ended;
    assert.equal(result.code, 2);
    const wanted = [
      /iteration limit 0/,
      /cost limit is missing/,
      /no API key/,
      /--price-input "abc"/,
      /WEBHOOK_URL cannot/,
    ];
    for (const each of [...wanted, /--max-key-usd-per-day -1/, /--watchdog-interval 0/])
      assert.equal(sentences(result).filter((sentence) => each.test(sentence)).length, 1, `${each}: ${result.stderr}`);
    assert.equal(sentences(result).length, 7);
  });

  it('with a prompt file that cannot be read says so', async (t) => {
    const cwd = temporaryFolder();
    mkdirSync(join(cwd, '.babyagi', 'prompts', 'x.md'), { recursive: true });
    const result = await start(t, ['run', 'x', ...LIMITS], KEY, cwd).ended;
    assert.equal(result.code, 2);
    assert.match(result.stderr, /^The prompt files in .* cannot be read \(EISDIR\)/);
  });

  it('with a prompt file that no agent reads names it, and asks nothing', async (t) => {
    const server = await serverFor(t);
    const cwd = temporaryFolder();
    mkdirSync(join(cwd, 'my'));
    writeFileSync(join(cwd, 'my', 'nonsense.md'), 'x');
    writeFileSync(join(cwd, 'my', 'notes.txt'), 'x');
    const args = ['run', 'x', ...LIMITS, '--prompts-dir', 'my', '--base-url', server.baseUrl];
    const result = await start(t, args, KEY, cwd).ended;
    assert.equal(result.code, 2);
    assert.match(
      result.stderr,
      /"nonsense\.md" is for no agent of the strategy guarded: it has execution\.md, .*\.\n$/,
    );
    assert.equal(sentences(result).length, 1, result.stderr);
    assert.deepEqual([server.requests.length, existsSync(join(cwd, '.babyagi'))], [0, false]);
  });

  it('takes the file of BABYAGI_ENV_FILE, with a mark at its beginning, for what the environment leaves blank', async (t) => {
    const server = await serverFor(t);
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'my.env'), `\ufeffMAX_ITERATIONS=1\nMAX_COST_USD=0.5\nOPENAI_API_KEY=${TEST_KEY}\n`);
    const variables = { BABYAGI_ENV_FILE: 'my.env', MAX_COST_USD: ' ', OPENAI_API_KEY: '', BABYAGI_NO_ANSWER: 'on' };
    const args = ['run', 'Plan a garden', '--model', 'gpt-4o', '--base-url', server.baseUrl, '--json'];
    const result = await start(t, args, variables, cwd).ended;
    assert.equal(result.code, 0, result.stderr);
    assert.equal(lastLine(result).iterations, 1);
    const config = RunConfig.parse(JSON.parse(readFileSync(join(lastLine(result).run_dir, 'config.json'), 'utf8')));
    assert.equal(config.loop.synthesis, false, 'BABYAGI_NO_ANSWER=on');
  });

  it('with an --env-file that is not there names it', async (t) => {
    // Some versions of Node look at the flag themselves, with a code of their own.
    const result = await start(t, ['run', 'x', ...LIMITS, '--env-file', 'nowhere.env'], KEY).ended;
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /nowhere\.env/);
    assert.equal(sentences(result).length, 1);
  });

  it('with a wrong key fails, and shows the key nowhere although the server repeats it', async (t) => {
    const server = await serverFor(t, { fault: () => ({ kind: 'echo_key' }) });
    const { ended, cwd } = start(t, ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl, '--json'], KEY);
    const result = await ended;
    assert.equal(result.code, 1);
    assert.equal(lastLine(result).stop_reason, 'error');
    assert.equal(server.requests.length, 1);
    for (const [where, text] of Object.entries({
      stdout: result.stdout,
      stderr: result.stderr,
      files: everything(cwd),
    })) {
      assert.ok(!text.includes(TEST_KEY), where);
      assert.ok(!text.includes(Buffer.from(TEST_KEY).toString('base64')), `${where}, in base64`);
    }
    assert.match(result.stderr, /refused the API key \(401\)/);
  });

  it('at a server that is not there fails soon', async (t) => {
    const server = await startModelServer();
    await server.close();
    const { ended } = start(t, ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl, '--json'], KEY);
    const result = await ended;
    assert.equal(result.code, 1);
    assert.match(result.stderr, /could not be reached/);
    assert.deepEqual([lastLine(result).stop_reason, lastLine(result).cost_usd], ['error', 0]);
  });

  it('at a server that answers with a web page says what may be wrong', async (t) => {
    const server = await serverFor(t, { fault: () => ({ kind: 'html' }) });
    const { ended } = start(t, ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl], KEY);
    const result = await ended;
    assert.equal(result.code, 1);
    assert.match(result.stdout, /Is the base URL right/);
    assert.equal(server.requests.length, 1);
  });

  it('where the runs folder cannot be written fails before any request', async (t) => {
    const server = await serverFor(t);
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'file'), '');
    const { ended } = start(
      t,
      ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl, '--runs-dir', 'file/runs'],
      KEY,
      cwd,
    );
    const result = await ended;
    assert.equal(result.code, 1);
    assert.match(result.stderr, /cannot be written .*ENOTDIR/);
    assert.equal(sentences(result).length, 1);
    assert.equal(server.requests.length, 0);
  });

  it('ends by Ctrl+C with a summary, and can be resumed with more iterations', async (t) => {
    const server = await serverFor(t, { fault: (_request, index) => (index === 3 ? { kind: 'hang' } : null) });
    const first = start(
      t,
      ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl, '--json', '--no-answer'],
      KEY,
    );
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (server.requests.length < 4) return;
        clearInterval(timer);
        resolve();
      }, 10);
    });
    first.child.kill('SIGINT');
    const stopped = await first.ended;
    assert.equal(stopped.code, 0, stopped.stderr);
    const { run_dir, stop_reason } = lastLine(stopped);
    assert.equal(stop_reason, 'stopped_by_user');
    assert.match(readFileSync(join(run_dir, 'summary.md'), 'utf8'), /stopped_by_user/);
    const again = await start(t, ['resume', run_dir, '--add-iterations', '1', '--json'], KEY).ended;
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual([lastLine(again).stop_reason, lastLine(again).iterations], ['max_iterations', 3]);
  });

  it('waits for a review where nobody is there with code 3, and goes on when it is approved', async (t) => {
    const server = await serverFor(t);
    const first = await start(
      t,
      ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl, '--review-every', '1', '--no-answer', '--json'],
      KEY,
    ).ended;
    assert.equal(first.code, 3, first.stderr);
    const { run_dir, stop_reason, iterations } = lastLine(first);
    assert.deepEqual([stop_reason, iterations], ['stopped_at_review', 1]);
    const again = await start(t, ['resume', run_dir, '--approve-review', '--json'], KEY).ended;
    assert.equal(again.code, 0, again.stderr);
    assert.equal(lastLine(again).stop_reason, 'max_iterations');
  });

  it('approves every review with --skip-reviews', async (t) => {
    const server = await serverFor(t);
    const args = [
      'run',
      'Plan a garden',
      '--max-iterations',
      '3',
      '--max-cost-usd',
      '1',
      '--model',
      'gpt-4o',
      '--base-url',
      server.baseUrl,
      '--review-every',
      '1',
      '--no-answer',
      '--json',
    ];
    const result = await start(t, [...args, '--skip-reviews'], KEY).ended;
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual([lastLine(result).stop_reason, lastLine(result).iterations], ['max_iterations', 3]);
    const waits = await start(t, args, KEY).ended;
    const resumed = await start(t, ['resume', lastLine(waits).run_dir, '--skip-reviews', '--json'], KEY).ended;
    assert.deepEqual([resumed.code, lastLine(resumed).iterations], [0, 3], resumed.stderr);
  });

  it('waits for a review of the cost, and of the first file, with code 3', async (t) => {
    const server = await serverFor(t, { reply: brain({ result: () => '```file:plan.md\nDig.\n```' }) });
    const args = ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl, '--no-answer', '--json'];
    const cost = await start(t, [...args, '--review-every-usd', '0.000001'], KEY).ended;
    assert.equal(cost.code, 3, cost.stderr);
    assert.match(cost.stderr, /review due: \$\S+ spent since the start/);
    const file = await start(t, args, { ...KEY, BABYAGI_REVIEW_FIRST_USE: '1' }).ended;
    assert.equal(file.code, 3, file.stderr);
    assert.match(file.stderr, /review due: first use of a tool: task t1 wants to write plan\.md/);
    const { run_dir, iterations } = lastLine(file);
    assert.equal(iterations, 0);
    assert.equal(existsSync(join(run_dir, 'output')), false);
    const again = await start(t, ['resume', run_dir, '--approve-review', '--json'], KEY).ended;
    assert.equal(again.code, 0, again.stderr);
    assert.equal(readFileSync(join(run_dir, 'output', 'plan.md'), 'utf8'), 'Dig.\n');
    const skipped = await start(
      t,
      [...args, '--review-first-use', '--review-every-usd', '0.000001', '--skip-reviews'],
      KEY,
    ).ended;
    assert.deepEqual([skipped.code, lastLine(skipped).stop_reason], [0, 'max_iterations'], skipped.stderr);
    const wrong = await start(t, [...args, '--review-every-usd', 'much'], KEY).ended;
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /review step of the cost "much" is not valid/);
  });

  it('ends at the limits of requests and of tokens, given by flag or variable, and goes on with more', async (t) => {
    const server = await serverFor(t);
    const base = ['--base-url', server.baseUrl, '--json'];
    const first = await start(t, ['run', 'Plan a garden', ...LIMITS, ...base, '--max-requests', '5'], KEY).ended;
    assert.equal(first.code, 0, first.stderr);
    assert.equal(lastLine(first).stop_reason, 'max_requests');
    assert.match(first.stderr, / \d\/5 requests/);
    assert.equal(server.requests.length, 5);
    const { run_dir } = lastLine(first);
    const again = await start(t, ['resume', run_dir, ...base, '--add-requests', '3', '--unblock-tasks'], KEY).ended;
    assert.equal(again.code, 0, again.stderr);
    const sent = server.requests.length;
    assert.ok(sent > 5 && sent <= 8, `${sent}`);
    const more = ['--add-tokens', '1', '--add-requests', '9', '--add-iterations', '9'];
    const added = await start(t, ['resume', run_dir, ...base, ...more], KEY).ended;
    assert.deepEqual([added.code, lastLine(added).stop_reason], [0, 'max_tokens'], added.stderr);
    assert.equal(server.requests.length, sent, 'one token more than are used is enough for none');
    const { tokens } = JSON.parse(readFileSync(join(run_dir, 'summary.json'), 'utf8')) as {
      tokens: { input: number; output: number; limit: number };
    };
    assert.equal(tokens.limit, tokens.input + tokens.output + 1);
    const short = await start(t, ['run', 'Plan a garden', ...LIMITS, ...base], { ...KEY, BABYAGI_MAX_TOKENS: '100' })
      .ended;
    assert.equal(short.code, 0, short.stderr);
    assert.equal(lastLine(short).stop_reason, 'max_tokens');
    assert.equal(server.requests.length, sent);
    const wrong = await start(t, ['run', 'Plan a garden', ...LIMITS, ...base, '--max-tokens', '1.5'], KEY).ended;
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /token limit 1\.5 is not valid/);
  });

  it('takes an --env-file with the plain names of the usual set-up', async (t) => {
    const server = await serverFor(t);
    const cwd = temporaryFolder();
    const lines = [
      'OBJECTIVE="Plan a garden"',
      'INITIAL_TASK=Think of plants',
      'MAX_ITERATIONS=1',
      'MAX_COST_USD=0.5',
      'OPENAI_API_MODEL=gpt-4o-mini',
      'OPENAI_TEMPERATURE=0.7',
      'EXECUTION_TIMEOUT=33',
      'MAX_WALL_TIME=7',
      'SLEEP_INTERVAL=0',
      'HUMAN_CHECKPOINT_EVERY=0',
      `OPENAI_BASE_URL=${server.baseUrl}`,
      `OPENAI_API_KEY=${TEST_KEY}`,
    ];
    writeFileSync(join(cwd, 'my.env'), lines.join('\n'));
    const result = await start(t, ['run', '--env-file', 'my.env', '--json'], { MAX_WALL_TIME: '9' }, cwd).ended;
    assert.equal(result.code, 0, result.stderr);
    const config = RunConfig.parse(JSON.parse(readFileSync(join(lastLine(result).run_dir, 'config.json'), 'utf8')));
    assert.deepEqual(
      [config.objective, config.initial_task, config.model.requested, config.parameters.temperature],
      ['Plan a garden', 'Think of plants', 'gpt-4o-mini', 0.7],
    );
    assert.deepEqual(config.limits, {
      max_iterations: 1,
      max_cost_usd: 0.5,
      max_wall_time_minutes: 9,
      task_timeout_seconds: 33,
    });
    assert.ok(!everything(lastLine(result).run_dir).includes(TEST_KEY));
  });

  it('tells a webhook how the run ended, and writes its address nowhere', async (t) => {
    const server = await serverFor(t);
    const hook = `${server.url}/services/T0000/B0000/secretsecretsecret`;
    const { ended, cwd } = start(t, ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl, '--json'], {
      ...KEY,
      BABYAGI_WEBHOOK_URL: hook,
    });
    const result = await ended;
    assert.equal(result.code, 0, result.stderr);
    const told = server.requests.filter(({ path }) => path.startsWith('/services/'));
    assert.equal(told.length, 1);
    assert.match(told[0]?.raw.toString() ?? '', /run ended: max_iterations/);
    assert.ok(!(everything(cwd) + result.stdout + result.stderr).includes('secretsecretsecret'));
  });

  it('tells people by every way, each of what it takes, and writes no secret anywhere', async (t) => {
    const server = await serverFor(t);
    const hooks = await startWebhookServer('/');
    const mail = await startMailServer({ login: { user: 'me', password: 'correct-horse-battery' } });
    t.after(() => Promise.all([hooks.close(), mail.close()]));
    const secrets = {
      slack: 'slack-7Qf3kZpX0wR5',
      json: 'json-9Xw2mLtB4vN8',
      signing: 'signing-4Tb8vRcD1yK6',
      pagerduty: 'R0pd6Yk1nQs2Ht5Wj8Zb3Fm7Lx4Ca9Ve',
      deadMan: 'dead-man-8Vc4jHnG7uS2',
      password: 'correct-horse-battery',
    };
    const variables = {
      BABYAGI_WEBHOOK_URL: `${hooks.origin}/slack/${secrets.slack}`,
      BABYAGI_SLACK_NOTICES: 'heartbeat, review',
      BABYAGI_JSON_WEBHOOK_URL: `${hooks.origin}/json/${secrets.json}`,
      BABYAGI_JSON_WEBHOOK_SECRET: secrets.signing,
      BABYAGI_PAGERDUTY_ROUTING_KEY: secrets.pagerduty,
      BABYAGI_PAGERDUTY_URL: `${hooks.origin}/pagerduty`,
      BABYAGI_DEAD_MAN_URL: `${hooks.origin}/ping/${secrets.deadMan}`,
      BABYAGI_EMAIL_SERVER: `smtp://127.0.0.1:${mail.port}`,
      BABYAGI_EMAIL_USER: 'me',
      BABYAGI_EMAIL_PASSWORD: secrets.password,
      BABYAGI_EMAIL_FROM: 'babyagi@example.com',
      BABYAGI_EMAIL_TO: 'operator@example.com',
    };
    const cwd = temporaryFolder();
    const test = await start(t, ['test-notices'], variables, cwd).ended;
    assert.deepEqual(
      [test.code, test.stdout.trim().split('\n')],
      [0, ['slack: taken', 'json_webhook: taken', 'pagerduty: taken', 'email: taken', 'dead_man: taken']],
    );
    const before = hooks.requests.length;
    const args = ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl, '--json'];
    const result = await start(t, args, { ...KEY, ...variables }, cwd).ended;
    assert.equal(result.code, 0, result.stderr);
    const { run_id, run_dir } = lastLine(result);
    const requests = hooks.requests.slice(before);
    assert.deepEqual(requests.map(({ path }) => path.replace(run_id, 'run')).sort(), [
      ...[1, 2].map(() => `/json/${secrets.json}`),
      '/pagerduty',
      `/ping/${secrets.deadMan}/start?rid=run`,
      `/ping/${secrets.deadMan}?rid=run`,
    ]);
    const bodies = requests
      .filter(({ path }) => path.startsWith('/json'))
      .map(({ body }) => NoticeBody.parse(JSON.parse(body)));
    assert.deepEqual(
      bodies.map(({ kind, reason, iterations, run_id: id }) => [kind, reason, iterations, id]),
      [
        ['started', null, 0, run_id],
        ['limit', 'max_iterations', 2, run_id],
      ],
    );
    assert.ok((bodies[1]?.money?.settled_usd ?? 0) > 0);
    const verifier = new Webhook(Buffer.from(secrets.signing).toString('base64'));
    for (const { path, body, headers } of requests)
      if (path.startsWith('/json')) verifier.verify(body, headers as Record<string, string>);
    const [tried, told, ...others] = mail.mails.map((each) => textOf(each));
    assert.match(tried ?? '', /This is a test notice/);
    assert.match(told ?? '', /run ended: max_iterations/);
    assert.deepEqual(others, []);
    const state = await readRun(nodeDisk, run_dir);
    assert.ok([...state.notices.values()].every(({ status }) => status === 'sent'));
    const verified = await start(t, ['verify', run_dir], {}, cwd).ended;
    assert.equal(verified.code, 0, verified.stdout);
    const written = everything(cwd) + result.stdout + result.stderr + test.stdout + test.stderr;
    for (const secret of Object.values(secrets)) assert.ok(!written.includes(secret), secret);
    assert.ok(!written.includes('operator@example.com'), 'who gets mail is nobody elses business');
  });

  it('says by which way a test notice was not taken', async (t) => {
    const hooks = await startWebhookServer('/', (response) => response.writeHead(403).end('no'));
    t.after(() => hooks.close());
    const url = `${hooks.origin}/secretsecretsecret`;
    const { code, stdout } = await start(t, ['test-notices', '--json'], { BABYAGI_WEBHOOK_URL: url }).ended;
    const error = `The webhook at ${hooks.origin} answered 403.`;
    assert.deepEqual([code, JSON.parse(stdout)], [1, { channels: [{ name: 'slack', origin: hooks.origin, error }] }]);
    const nobody = await start(t, ['test-notices']).ended;
    assert.equal(nobody.code, 2);
    assert.match(nobody.stderr, /^Nobody is to be told/);
  });

  it('serves metrics while it runs, to this machine only', async (t) => {
    const server = await serverFor(t);
    const port = await freePort();
    const args = ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl, '--metrics-port', String(port)];
    const { ended } = start(t, [...args, '--review-every', '1', '--sleep-interval', '1', '--skip-reviews'], KEY);
    const text = await eventually('metrics of an iteration', async () => {
      const response = await fetch(`http://127.0.0.1:${port}/metrics`);
      const body = await response.text();
      return /^babyagi_iterations_total\{run_id="[^"]+"\} 1$/m.test(body) && body;
    });
    assert.match(text, /^babyagi_calls_total\{run_id="[^"]+",agent="execution",outcome="settled"\} 1$/m);
    assert.doesNotMatch(text, /garden/i);
    const second = await start(t, args, KEY).ended;
    assert.equal(second.code, 2);
    assert.match(second.stderr, new RegExp(`^The port ${port} for metrics is in use: choose another one\\.$`, 'm'));
    assert.equal((await ended).code, 0);
    const wrong = await start(t, [...args, '--metrics-port', '70000'], KEY).ended;
    assert.match(wrong.stderr, /^--metrics-port 70000 is not valid: give a number from 1 to 65535\.$/m);
  });

  it('sends traces of its part of a run while it runs, and writes those of all of it', async (t) => {
    const server = await serverFor(t);
    const collector = await startCollector(t);
    const secret = 'cGstbGYtMTIzNDU2Nzg6c2stbGYtODc2NTQzMjE';
    const sending = ['--base-url', server.baseUrl, '--otlp-endpoint', `${collector.url}/`, '--json'];
    const variables = { ...KEY, BABYAGI_OTLP_HEADERS: `authorization=Basic%20${secret}` };
    const objective = `Plan a garden with ${secret}`;
    const { ended, cwd } = start(t, ['run', objective, ...LIMITS, ...sending], variables);
    const first = await ended;
    assert.equal(first.code, 0, first.stderr);
    const { run_dir, run_id } = lastLine(first);
    const early = [...collector.spans];
    const again = await start(t, ['resume', run_dir, '--add-iterations', '1', ...sending], variables, cwd).ended;
    assert.equal(again.code, 0, again.stderr);
    const late = collector.spans.slice(early.length);
    assert.ok(collector.requests.every(({ headers }) => headers.authorization === `Basic ${secret}`));
    assert.ok(!collector.requests.some(({ body }) => body.includes('garden') || body.includes(TEST_KEY)));

    const exported = await start(t, ['export', run_dir, '--traces'], {}, cwd).ended;
    assert.equal(exported.code, 0, exported.stderr);
    const all = decodedSpans(exported.stdout);
    assert.ok(all.every(({ traceId }) => traceId === run_id.replaceAll('-', '')));
    // The span of the run comes with each of its ends; what was sent before is not sent again.
    const ids = (spans: readonly { spanId: string }[]) => new Set(spans.map(({ spanId }) => spanId));
    assert.deepEqual(
      early.filter(({ spanId }) => ids(late).has(spanId)).map(({ name }) => name),
      ['invoke_workflow babyagi'],
    );
    assert.deepEqual(ids([...early, ...late]), ids(all));
    assert.deepEqual(late.at(-1), all[0]);

    const summary = JSON.parse(readFileSync(join(run_dir, 'summary.json'), 'utf8')) as {
      hosts_contacted: { origin: string; requests: number }[];
    };
    assert.deepEqual(
      summary.hosts_contacted.filter(({ origin }) => origin === collector.origin),
      [{ origin: collector.origin, requests: 2 }],
    );
    assert.ok(!(everything(cwd) + first.stdout + first.stderr + again.stderr).includes(secret));
    for (const command of ['verify', 'replay']) {
      const checked = await start(t, [command, run_dir], {}, cwd).ended;
      assert.equal(checked.code, 0, checked.stdout + checked.stderr);
    }
    const written = await start(t, ['export', run_dir, 'traces.json', '--traces'], {}, cwd).ended;
    assert.equal(written.stdout, `${join(cwd, 'traces.json')}\n${all.length} spans\n`);
    assert.equal(readFileSync(join(cwd, 'traces.json'), 'utf8'), exported.stdout);
    const nowhere = await start(t, ['export', run_dir, 'none/traces.json', '--traces'], {}, cwd).ended;
    assert.equal(
      nowhere.stderr,
      `There is no folder ${join(cwd, 'none')}: make it, or write the traces somewhere else.\n`,
    );
  });

  it('runs and ends as it would without a collector that takes nothing, and says so once', async (t) => {
    const server = await serverFor(t);
    for (const answer of [() => {}, (response: ServerResponse) => void response.writeHead(503).end()]) {
      const collector = await startCollector(t, answer);
      const args = ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl];
      const { child, ended } = start(t, [...args, '--otlp-endpoint', collector.url], KEY);
      let endedAt = 0;
      child.stdout?.on('data', (text: string) => (endedAt ||= text.includes('Ended: ') ? performance.now() : 0));
      const { code, stdout, stderr } = await ended;
      const late = performance.now() - endedAt;
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^Ended: max_iterations/m);
      assert.ok(endedAt > 0 && late < 4000, `${late} ms after the end`);
      assert.equal(
        sentences({ code, stdout, stderr }).filter((line) => line.startsWith('Traces do not all arrive')).length,
        1,
      );
      assert.ok(collector.requests.length > 0);
    }
  });

  it('says what is wrong with a collector before it starts', async (t) => {
    const endpoint = (url: string, headers = '') =>
      start(t, ['rehearse', 'Plan a garden', '--otlp-endpoint', url], { BABYAGI_OTLP_HEADERS: headers }).ended;
    const cases = [
      [endpoint('localhost'), /^--otlp-endpoint: The endpoint for traces is not a complete URL\. Write it like http/],
      [endpoint('http://8.8.8.8:4318'), /^--otlp-endpoint: The endpoint for traces cannot be used: Plain http/],
      [endpoint('https://me:letmein99@collector.example.com'), /holds a user name or password/],
      [
        endpoint('http://127.0.0.1:4318', 'Bearer letmein99'),
        /^BABYAGI_OTLP_HEADERS: The headers for traces are not valid: write them like name=value, with commas between and %20 /,
      ],
    ] as const;
    for (const [result, why] of cases) {
      const { code, stderr, stdout } = await result;
      assert.equal(code, 2);
      assert.match(stderr, why);
      assert.ok(!(stderr + stdout).includes('letmein99'));
    }
  });

  it('goes on where nobody reads its output any more', async (t) => {
    const server = await serverFor(t);
    const { child, ended, cwd } = start(t, ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl], KEY);
    child.stdout?.once('data', () => child.stdout?.destroy());
    const result = await ended;
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stderr, '');
    const [folder = ''] = readdirSync(join(cwd, '.babyagi', 'runs'));
    assert.match(readFileSync(join(cwd, '.babyagi', 'runs', folder, 'summary.md'), 'utf8'), /max_iterations/);
  });

  it('shows what a server says without its control characters', async (t) => {
    const message = 'no \u001b]0;owned\u0007 and \u001b[2J, \u202etxt\u009b31m';
    const body = JSON.stringify({ error: { message, code: 'x' } });
    const server = await serverFor(t, { fault: () => ({ kind: 'status', status: 400, body }) });
    const result = await start(t, ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl], KEY).ended;
    assert.equal(result.code, 1);
    assert.match(result.stdout, /Ended: error\. .*no \]0;owned and \[2J, txt31m/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    assert.doesNotMatch(result.stdout + result.stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  it('rehearses without a key and without a server', async (t) => {
    const result = await start(t, ['rehearse', 'Plan a garden', '--max-iterations', '2', '--json']).ended;
    assert.equal(result.code, 0, result.stderr);
    assert.equal(lastLine(result).iterations, 2);
    const json = await start(t, ['verify', lastLine(result).run_dir, '--json']).ended;
    assert.equal((JSON.parse(json.stdout) as { first_problem: unknown }).first_problem, null);
    assert.doesNotMatch(json.stdout, /"[a-z]+[A-Z]\w*":/);
    const checked = await start(t, ['verify', lastLine(result).run_dir]).ended;
    assert.equal(checked.code, 0, checked.stdout + checked.stderr);
  });

  it('refuses to resume what is no run', async (t) => {
    const result = await start(t, ['resume', '.'], KEY).ended;
    assert.equal(result.code, 1);
    assert.match(result.stderr, /is not a run folder/);
  });

  it('sends the key of a run only where the person says it belongs', async (t) => {
    const server = await serverFor(t);
    const first = await start(t, ['run', 'Plan a garden', ...LIMITS, '--base-url', server.baseUrl, '--json'], KEY)
      .ended;
    const { run_dir } = lastLine(first);
    const file = join(run_dir, 'config.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace(server.baseUrl, 'https://elsewhere.example/v1'));
    const again = await start(t, ['resume', run_dir, '--add-iterations', '1'], KEY).ended;
    assert.notEqual(again.code, 0);
    assert.match(again.stderr, /elsewhere\.example/);
  });

  it('shows its version and its help', async (t) => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    assert.equal((await start(t, ['--version']).ended).stdout, `${version}\n`);
    const help = await start(t, []).ended;
    assert.equal(help.code, 0);
    assert.match(help.stdout, /--max-iterations N/);
  });
});
