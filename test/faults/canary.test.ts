import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { lintSource } from '@secretlint/core';
import { creator as recommended } from '@secretlint/secretlint-rule-preset-recommend';
import { readRun } from '../../src/engine/read.ts';
import { startRun } from '../../src/engine/start.ts';
import { RunConfig } from '../../src/run/config.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { Egress } from '../../src/safety/egress.ts';
import { Redactor } from '../../src/safety/redaction.ts';
import { brain } from '../support/brain.ts';
import { eventually } from '../support/eventually.ts';
import { startMailServer } from '../support/mail-server.ts';
import type { Fault } from '../support/model-faults.ts';
import { type ModelServer, type ModelServerOptions, startModelServer } from '../support/model-server.ts';
import { temporaryFolder, testHost, testSettings, testStart } from '../support/run-host.ts';
import { CanarySearch, disguises } from './canary-search.ts';

const CLI = join(process.cwd(), 'dist', 'cli.js');

/** Of no known shape, and with every character that an encoding changes. */
const KEY = `cnry<"K&'y\\/+%=9fQ8ZxV0L2mTj7bW`;
const HOOK_PATH = '/services/T0CNRY7/B0CNRY9/hK3xQ9vZ2mLw8RtY5pNd';

// Put together here, so that nobody takes this file for a leak.
const LETTERS = 'aZ3kT9xQ7mB2vL8wR5nY1cJ6dF4gH0pSuXoEiVbNtMqWzKyGrC';
const FAKES: Record<string, string> = {
  'AWS key': `${'AKIA'}${'Q7ZB2VL8WR5NY1CJ'}`,
  'GitHub token': `${'ghp'}_${LETTERS.slice(0, 36)}`,
  'GitHub fine-grained token': `${'github'}_pat_${LETTERS.slice(0, 22)}_${LETTERS.slice(1, 40)}`,
  'Slack token': `${'xoxb'}-123456789012-1234567890123-${LETTERS.slice(0, 24)}`,
  'Slack webhook': `https://${'hooks'}.slack.com/services/T01ABCDEF/B01ABCDEF/${LETTERS.slice(0, 24)}`,
  'OpenAI key': `${'sk'}-proj-${LETTERS.slice(0, 20)}T3BlbkFJ${LETTERS.slice(5, 25)}`,
  'Anthropic key': `${'sk'}-ant-api03-${LETTERS.repeat(2).slice(0, 93)}AA`,
  'npm token': `${'npm'}_${LETTERS.slice(0, 36)}`,
  'password in a URL': `postgres://admin:${LETTERS.slice(3, 23)}@db.example.com/prod`,
  'git remote': `https://someone:${LETTERS.slice(6, 30)}@git.example.com/repo.git`,
  'private key': `-----BEGIN ${'RSA'} PRIVATE KEY-----\n${[0, 1, 2].map((row) => LETTERS.repeat(2).slice(row, row + 64)).join('\n')}\n-----END ${'RSA'} PRIVATE KEY-----`,
};
const ALL_FAKES = Object.values(FAKES).join(' and then ');

const search = new CanarySearch({
  'the API key': KEY,
  // A piece of a secret is still a piece of a secret.
  'the first half of the API key': KEY.slice(0, 15),
  'the last half of the API key': KEY.slice(-15),
  'the webhook': HOOK_PATH.slice(1),
  'the end of the webhook': HOOK_PATH.slice(-20),
  ...FAKES,
});

/** Takes notices, and says back what a talkative proxy would: its whole address. */
async function hookServer(
  t: TestContext,
  answer: (response: ServerResponse, count: number, url: string) => void = (response) => response.end('ok'),
) {
  const bodies: string[] = [];
  const headers: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks).toString());
      headers.push(JSON.stringify(request.headers));
      answer(response, bodies.length, `http://${request.headers.host}${request.url}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${HOOK_PATH}`, bodies, headers };
}

interface Place {
  /** All that the process may write to lies below: workspace, home, temp and state folders. */
  readonly root: string;
  readonly workspace: string;
  readonly spoken: { where: string; text: string }[];
}

function place(): Place {
  const root = temporaryFolder();
  for (const name of ['workspace', 'home', 'tmp', 'state']) mkdirSync(join(root, name));
  return { root, workspace: join(root, 'workspace'), spoken: [] };
}

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program in a place of its own. `onData` may send it a signal. */
function program(
  t: TestContext,
  { root, workspace, spoken }: Place,
  args: readonly string[],
  variables: Record<string, string> = {},
  onData?: (child: ReturnType<typeof spawn>) => void,
): Promise<Ended> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: join(root, 'home'),
    TMPDIR: join(root, 'tmp'),
    XDG_STATE_HOME: join(root, 'state'),
    OPENAI_API_KEY: KEY,
    ...variables,
  };
  const child = spawn(process.execPath, [CLI, ...args], { cwd: workspace, env, stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
  onData?.(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      spoken.push(
        { where: `stdout of ${args[0]}`, text: said.stdout },
        { where: `stderr of ${args[0]}`, text: said.stderr },
      );
      resolve({ code, signal, ...said });
    });
  });
}

const LIMITS = ['--max-iterations', '2', '--max-cost-usd', '1', '--model', 'gpt-4o'];
const at = (server: ModelServer) => ['--base-url', server.baseUrl];

async function modelServer(t: TestContext, options: ModelServerOptions = {}): Promise<ModelServer> {
  const server = await startModelServer({ reply: brain(), dimensions: 16, ...options });
  t.after(() => server.close());
  return server;
}

/** The run folder of a place that has one run. */
function runFolderOf({ workspace }: Place): string {
  const runs = join(workspace, '.babyagi', 'runs');
  return join(runs, readdirSync(runs)[0] ?? '');
}

/** No canary in any file, output, notice or request body; the key only where it belongs in a request. */
function assertSilent(where: Place, servers: readonly ModelServer[], notices: readonly string[] = []): void {
  const { leaks, files, bytes } = search.below(where.root);
  for (const { where: what, text } of where.spoken) leaks.push(...search.in(what, text));
  for (const notice of notices) leaks.push(...search.in('a notice', notice));
  let requests = 0;
  for (const server of servers) {
    for (const { raw, headers, path } of server.requests) {
      requests += 1;
      const { authorization, ...others } = headers;
      leaks.push(
        ...search.in('a request body', raw),
        ...search.in('request headers', JSON.stringify(others)),
        ...search.in('a request path', path),
      );
      assert.equal(authorization, `Bearer ${KEY}`);
    }
  }
  searched.files += files;
  searched.bytes += bytes;
  searched.texts += where.spoken.length + notices.length;
  searched.requests += requests;
  assert.deepEqual(leaks, []);
}

/** What a maintained secret scanner says of a file. To it a mark in the place of user and password is user and password. */
async function findings(path: string, marked: string): Promise<string[]> {
  const content = marked.replace(/\\?\[REDACTED:[\w\\]+:[0-9a-f]{8}:\d+\\?\]/g, 'redacted');
  const config = { rules: [{ id: '@secretlint/secretlint-rule-preset-recommend', rule: recommended }] };
  const { messages } = await lintSource({
    source: { filePath: path, content, contentType: 'text' },
    options: { config },
  });
  return messages.map(({ messageId, ruleId, range }) => `${ruleId} ${messageId}: ${content.slice(...range)}`);
}

const searched = { files: 0, bytes: 0, texts: 0, requests: 0 };
after(() => {
  const { files, bytes, texts, requests } = searched;
  console.log(
    `canary: ${search.size} forms looked for in ${files} files (${bytes} bytes), ${texts} outputs and notices, ${requests} requests`,
  );
});

describe('canary secrets', { concurrency: 2 }, () => {
  it('are searched for in all their forms', () => {
    for (const text of disguises(KEY)) assert.notDeepEqual(search.in('here', `before ${text} after`), [], text);
    for (const [name, fake] of Object.entries(FAKES))
      assert.notDeepEqual(search.in('here', JSON.stringify({ fake })), [], name);
    assert.deepEqual(search.in('here', 'Nothing to see.'), []);
  });

  it('in all that a person and a model can say are nowhere; a secret scanner agrees', async (t) => {
    // One after the other: an answer has at most 2000 tokens.
    const forms = disguises(KEY);
    const answers = [
      `All of them: ${ALL_FAKES}`,
      ...[0, 1, 2].map((part) => forms.filter((_form, index) => index % 3 === part).join('\n\n')),
      `\`\`\`file:notes/${Buffer.from(KEY).toString('hex')}.md\n${KEY}\n\`\`\`\n\`\`\`file:${KEY}\nx\n\`\`\`\n\`\`\`file:fakes.txt\n${ALL_FAKES}\n\`\`\``,
      `\`\`\`file:key.txt\n${forms.slice(0, 12).join('\n\n')}\n\`\`\``,
    ];
    let results = 0;
    const server = await modelServer(t, {
      reply: brain({
        result: () => answers[results++ % answers.length] ?? '',
        newTasks: (_last, index) => [
          `Use ${KEY} for step ${index}`,
          `Log in with ${FAKES['AWS key']} and ${FAKES['GitHub token']} at ${index}`,
        ],
      }),
    });
    const hook = await hookServer(t);
    const here = place();
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'init.defaultBranch=main', ...args], {
        cwd: here.workspace,
        env: { PATH: process.env['PATH'] ?? '', HOME: join(here.root, 'home') },
      });
    git('init', '--quiet');
    git('remote', 'add', 'origin', FAKES['git remote'] ?? '');
    // What git itself keeps is not ours to redact.
    const outside = { ...here, root: join(here.workspace, '.babyagi') };
    mkdirSync(join(here.workspace, 'prompts'));
    writeFileSync(
      join(here.workspace, 'prompts', 'execution.md'),
      `Carry out one task. Secrets: ${KEY} ${ALL_FAKES}\n--- user ---\nTask {{task_id}}: {{task}}\n{{objective}}\n{{context}}\n`,
    );
    const variables = {
      BABYAGI_WEBHOOK_URL: hook.url,
      BABYAGI_ACCEPT: `Nobody learns ${KEY}\nNor ${ALL_FAKES.replaceAll('\n', ' ')}`,
      BABYAGI_SOMETHING: `${KEY} ${ALL_FAKES}`,
      BABYAGI_DB_PASSPHRASE: 'correct horse battery staple',
      MAX_KEY: KEY,
    };
    const args = [
      'run',
      `Find out what ${KEY} and ${ALL_FAKES} open`,
      '--first-task',
      `Try ${KEY}, then ${ALL_FAKES}`,
      '--review-every',
      '1',
      '--skip-reviews',
      '--max-key-usd-per-day',
      '5',
      ...LIMITS,
      '--max-iterations',
      String(answers.length),
      ...at(server),
    ];
    const first = await program(t, here, args, variables);
    assert.equal(first.code, 0, first.stdout + first.stderr);
    const folder = runFolderOf(here);
    const more = await program(
      t,
      here,
      ['resume', folder, '--add-iterations', '1', '--skip-reviews', '--json', ...at(server)],
      variables,
    );
    assert.equal(more.code, 0, more.stderr);
    for (const args of [
      ['verify', folder],
      ['verify', folder, '--json'],
    ])
      assert.equal((await program(t, here, args, variables)).code, 0, here.spoken.at(-2)?.text);
    assert.ok(hook.bodies.length >= 2);
    assertSilent(outside, [server], [...hook.bodies, ...hook.headers]);
    for (const name of ['home', 'tmp', 'state']) assert.deepEqual(search.below(join(here.root, name)).leaks, []);
    const { settings, objective, prompts } = RunConfig.parse(
      JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')),
    );
    assert.match(objective, /\[REDACTED:api_key:/);
    assert.match(JSON.stringify(settings), /BABYAGI_DB_PASSPHRASE/);
    assert.ok(!JSON.stringify(settings).includes('battery'));
    assert.ok(Object.keys(prompts).length > 0);

    let control = 0;
    for (const [name, fake] of Object.entries(FAKES))
      control += Math.min(1, (await findings('control.txt', `${name}\n${fake}\n`)).length);
    let scanned = 0;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name === '.reserve') continue;
      const path = join(entry.parentPath, entry.name);
      assert.deepEqual(await findings(path, readFileSync(path, 'utf8')), [], path);
      scanned += 1;
    }
    console.log(
      `canary: secretlint, ${control} of ${Object.keys(FAKES).length} fakes found where they are not redacted, none in ${scanned} files`,
    );
    assert.ok(control >= 6, `${control}`);
    assert.ok(scanned > 6);
  });

  const long = 'x'.repeat(280);
  const quoting = (text: string, status = 400): Fault => ({
    kind: 'status',
    status,
    headers: { 'x-key': KEY },
    body: text,
  });
  const errors: Record<string, Fault> = {
    'a 401 that repeats the key': { kind: 'echo_key' },
    'a 500 that repeats the key': { kind: 'echo_key', status: 500 },
    'an error in JSON that repeats it in every form': quoting(
      JSON.stringify({ error: { message: disguises(KEY).join(' '), code: KEY, param: KEY, type: KEY } }),
    ),
    'an error in JSON whose text is cut in the middle of the key': quoting(
      JSON.stringify({ error: { message: `${long}${KEY}` } }),
    ),
    'an error in JSON whose text is cut in the middle of its base64': quoting(
      JSON.stringify({ error: { message: `${long.slice(20)}${Buffer.from(KEY).toString('base64')}` } }),
      429,
    ),
    'an error that is one string': quoting(JSON.stringify({ error: `Key ${KEY} ${ALL_FAKES}` }), 403),
    'a page in HTML with the key': {
      kind: 'status',
      status: 502,
      headers: { 'content-type': 'text/html' },
      body: `<html><body>Bearer ${KEY.replaceAll('<', '&lt;')} ${KEY}</body></html>`,
    },
    'no JSON, with the key': { kind: 'status', status: 200, body: `{"choices": ${KEY}` },
    'a model and a fingerprint that are the key': {
      kind: 'status',
      status: 200,
      body: JSON.stringify({
        model: `${'m'.repeat(185)}${KEY}`,
        system_fingerprint: Buffer.from(KEY).toString('base64'),
        choices: [{ message: { content: 'Done.' }, finish_reason: KEY }],
        usage: { prompt_tokens: 500, completion_tokens: 5 },
      }),
    },
    'a refusal that names the model by the key': quoting(
      JSON.stringify({ error: { message: `The model ${KEY} does not exist`, code: 'model_not_found' } }),
      404,
    ),
    'a parameter that is not supported, named by the key': quoting(
      JSON.stringify({ error: { message: `temperature ${KEY}`, param: 'temperature' } }),
    ),
  };
  for (const [what, fault] of Object.entries(errors)) {
    it(`survive ${what}`, async (t) => {
      let count = 0;
      const server = await modelServer(t, { fault: () => (count++ < 3 ? fault : null) });
      const hook = await hookServer(t);
      const here = place();
      const ended = await program(t, here, ['run', 'Plan a garden', ...LIMITS, ...at(server), '--json'], {
        BABYAGI_WEBHOOK_URL: hook.url,
      });
      assert.ok(ended.code === 0 || ended.code === 1, ended.stderr);
      assert.ok(server.requests.length > 0);
      await program(t, here, ['verify', runFolderOf(here)]);
      assertSilent(here, [server], [...hook.bodies, ...hook.headers]);
    });
  }

  it('are not carried to where a redirect points', async (t) => {
    const trap = await hookServer(t);
    const server = await modelServer(t, {
      fault: () => ({ kind: 'redirect', status: 307, location: `${trap.url}?key=${encodeURIComponent(KEY)}` }),
    });
    const here = place();
    const ended = await program(t, here, ['run', 'Plan a garden', ...LIMITS, ...at(server)]);
    assert.equal(ended.code, 1);
    assert.match(ended.stdout, /redirect/);
    assert.equal(trap.bodies.length, 0);
    assert.equal(server.requests.length, 1);
    assertSilent(here, [server]);
  });

  it('are not told by a webhook that fails and repeats its address', async (t) => {
    const server = await modelServer(t);
    const hook = await hookServer(t, (response, count, url) => {
      const body = `Cannot POST ${url} ${Buffer.from(url).toString('base64')}`;
      if (count === 1) response.writeHead(500, { 'content-type': 'text/plain', location: url }).end(body);
      else if (count === 2) response.writeHead(302, { location: url }).end(body);
      else response.writeHead(404).end(body);
    });
    const here = place();
    const ended = await program(t, here, ['run', 'Plan a garden', ...LIMITS, ...at(server)], {
      BABYAGI_WEBHOOK_URL: hook.url,
    });
    assert.equal(ended.code, 0, ended.stderr);
    assert.ok(hook.bodies.length >= 2);
    await program(t, here, ['verify', runFolderOf(here)]);
    assertSilent(here, [server], hook.bodies);
    assert.ok(!hook.headers.some((headers) => headers.includes('uthorization')));
  });

  it('of notices are not told by servers that repeat them, nor to one another', async (t) => {
    const secrets = {
      slack: `slack/${LETTERS.slice(2, 26)}`,
      json: `json/${LETTERS.slice(4, 28)}`,
      signing: `sign"&\\${LETTERS.slice(6, 30)}`,
      pagerduty: LETTERS.slice(8, 40),
      'dead-man': `ping/${LETTERS.slice(10, 34)}`,
      password: `pass<'%${LETTERS.slice(12, 36)}`,
    };
    const all = Object.values(secrets).join(' ');
    const hidden = new CanarySearch(secrets);
    const hook = await hookServer(t, (response, _count, url) => {
      response.writeHead(400, { 'content-type': 'text/plain', 'x-all': encodeURIComponent(all) }).end(`${url} ${all}`);
    });
    const mail = await startMailServer({ login: { user: 'me', password: 'another password' } });
    t.after(() => mail.close());
    const here = place();
    const origin = new URL(hook.url).origin;
    const variables = {
      BABYAGI_WEBHOOK_URL: `${origin}/${secrets.slack}`,
      BABYAGI_JSON_WEBHOOK_URL: `${origin}/${secrets.json}`,
      BABYAGI_JSON_WEBHOOK_SECRET: secrets.signing,
      BABYAGI_PAGERDUTY_ROUTING_KEY: secrets.pagerduty,
      BABYAGI_PAGERDUTY_URL: `${origin}/v2/enqueue`,
      BABYAGI_DEAD_MAN_URL: `${origin}/${secrets['dead-man']}`,
      BABYAGI_EMAIL_SERVER: `smtp://127.0.0.1:${mail.port}`,
      BABYAGI_EMAIL_USER: 'me',
      BABYAGI_EMAIL_PASSWORD: secrets.password,
      BABYAGI_EMAIL_FROM: 'a@example.com',
      BABYAGI_EMAIL_TO: 'b@example.com',
      BABYAGI_OTHER: all,
    };
    const tried = await program(t, here, ['test-notices', '--json'], variables);
    assert.equal(tried.code, 1, tried.stderr);
    const ended = await program(t, here, ['rehearse', `Find out what ${all} open`, '--max-iterations', '1'], variables);
    assert.equal(ended.code, 0, ended.stderr);
    const { notices } = await readRun(nodeDisk, runFolderOf(here));
    assert.deepEqual(
      [...notices.values()].map(({ status }) => status),
      ['failed', 'failed'],
    );
    const leaks = [
      ...hidden.below(here.root).leaks,
      ...here.spoken.flatMap(({ where, text }) => hidden.in(where, text)),
      // PagerDuty takes its key in the body, and no other way.
      ...hook.bodies.flatMap((body) => hidden.in('a notice', body.replace(`"routing_key":"${secrets.pagerduty}"`, ''))),
      ...hook.headers.flatMap((headers) => hidden.in('headers', headers)),
    ];
    assert.deepEqual(leaks, []);
    assert.ok(hook.bodies.length >= 8, `${hook.bodies.length}`);
  });

  it('survive a kill, a resume and a Ctrl+C', async (t) => {
    const server = await modelServer(t, {
      reply: brain({ result: (task) => `${task} ${disguises(KEY).join(' ')}` }),
      latency: { firstTokenMs: 60 },
    });
    const here = place();
    const run = ['--max-iterations', '50', '--max-cost-usd', '1', '--model', 'gpt-4o', ...at(server)];
    const after = (requests: number, signal: NodeJS.Signals) => (child: ReturnType<typeof spawn>) => {
      const from = server.requests.length;
      void eventually('requests', () => server.requests.length >= from + requests).then(() => child.kill(signal));
    };
    const killed = await program(t, here, ['run', `Guard ${KEY}`, ...run], {}, after(5, 'SIGKILL'));
    assert.equal(killed.signal, 'SIGKILL');
    const stopped = await program(t, here, ['resume', runFolderOf(here), ...at(server)], {}, after(4, 'SIGINT'));
    assert.equal(stopped.code, 0, stopped.stderr);
    assert.match(stopped.stdout, /stopped_by_user/);
    assert.equal((await program(t, here, ['verify', runFolderOf(here)])).code, 0);
    assertSilent(here, [server]);
  });

  const misplaced: [string, string[], Record<string, string>][] = [
    [
      'in the base URL as user name',
      ['run', 'x', ...LIMITS, '--base-url', `http://${encodeURIComponent(KEY)}@127.0.0.1:9/v1`],
      {},
    ],
    [
      'in the base URL as password',
      ['run', 'x', ...LIMITS, '--base-url', `https://me:${encodeURIComponent(KEY)}@127.0.0.1:9/v1`],
      {},
    ],
    ['as the base URL', ['run', 'x', ...LIMITS, '--base-url', KEY], {}],
    ['as a limit', ['run', 'x', ...LIMITS, '--max-iterations', KEY], {}],
    ['as a limit, cut', ['run', 'x', ...LIMITS, '--max-iterations', `${'7'.repeat(80)}${KEY}`], {}],
    ['as a seed in a variable', ['run', 'x', ...LIMITS], { BABYAGI_SEED: KEY }],
    ['as a model', ['run', 'x', ...LIMITS, '--model', KEY], {}],
    ['as a flag', ['run', 'x', `--${KEY}`], {}],
    ['as a command', [KEY], {}],
    ['as a folder to resume', ['resume', KEY], {}],
    ['with a line break in it', ['run', 'x', ...LIMITS], { OPENAI_API_KEY: `${KEY}\n${KEY}` }],
    ['with a character that is not ASCII', ['run', 'x', ...LIMITS], { OPENAI_API_KEY: `${KEY}é` }],
    ['as a webhook', ['run', 'x', ...LIMITS], { BABYAGI_WEBHOOK_URL: KEY }],
    ['as a mail server', ['run', 'x', ...LIMITS], { BABYAGI_EMAIL_SERVER: KEY, BABYAGI_EMAIL_FROM: KEY }],
    [
      'as kinds of notices',
      ['test-notices'],
      { BABYAGI_WEBHOOK_URL: 'https://x.example/', BABYAGI_SLACK_NOTICES: KEY },
    ],
    [
      'as a webhook with a password',
      ['run', 'x', ...LIMITS],
      { BABYAGI_WEBHOOK_URL: `https://me:${encodeURIComponent(KEY)}@example.com${HOOK_PATH}` },
    ],
  ];
  for (const [where, args, variables] of misplaced) {
    it(`given ${where} are not said back`, async (t) => {
      const here = place();
      const ended = await program(t, here, args, variables);
      assert.ok(ended.code === 1 || ended.code === 2, `${ended.code} ${ended.stdout} ${ended.stderr}`);
      assert.notEqual(ended.stderr, '');
      assertSilent(here, []);
    });
  }

  for (const [what, code] of [
    ['an exception that nobody catches', 'setTimeout(() => { throw new Error(secret); }, 400);'],
    [
      'a rejection that nobody handles',
      'setTimeout(() => { Promise.reject(Object.assign(new TypeError(secret), { cause: secret })); }, 400);',
    ],
    ['a rejection that is no error', 'setTimeout(() => { Promise.reject(secret); }, 400);'],
  ] as const) {
    it(`survive ${what}`, async (t) => {
      const server = await modelServer(t, { latency: { firstTokenMs: 2_000 } });
      const here = place();
      const file = join(temporaryFolder(), 'bug.cjs');
      writeFileSync(
        file,
        `const secret = 'It broke: ' + process.env.OPENAI_API_KEY + ' ' + Buffer.from(process.env.OPENAI_API_KEY).toString('base64');\n${code}\n`,
      );
      const ended = await program(t, here, ['run', 'Plan a garden', ...LIMITS, ...at(server)], {
        NODE_OPTIONS: `--require ${file}`,
      });
      assert.equal(ended.code, 1);
      assert.match(ended.stderr, /^An unexpected error: .*It broke: \[REDACTED:api_key:/m);
      assertSilent(here, [server]);
    });
  }

  it('in a run folder that somebody else wrote are not said by resume and verify', async (t) => {
    const server = await modelServer(t);
    const here = place();
    assert.equal((await program(t, here, ['run', 'Plan a garden', ...LIMITS, ...at(server)])).code, 0);
    const folder = runFolderOf(here);
    const config = RunConfig.parse(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')));
    const planted = place();
    const copy = join(planted.workspace, 'run');
    mkdirSync(join(copy, 'log'), { recursive: true });
    for (const change of [
      {
        model: {
          ...config.model,
          base_url: `https://example.com/${encodeURIComponent(KEY)}`,
        },
      },
      { prompts: { [KEY]: { sha256: '0'.repeat(64), text: '', source: '' } } },
      { limits: { [KEY]: 1 } },
    ]) {
      writeFileSync(join(copy, 'config.json'), JSON.stringify({ ...config, ...change }));
      writeFileSync(join(copy, 'log', encodeURIComponent(KEY)), '');
      for (const args of [
        ['verify', copy],
        ['verify', copy, '--json'],
        ['resume', copy],
      ])
        assert.equal((await program(t, planted, args)).code === 0, false);
    }
    const leaks = planted.spoken.flatMap(({ where, text }) => search.in(where, text));
    assert.deepEqual(leaks, []);
  });

  it('that cannot stand in a header stop the request, and are not in what is said of it', async (t) => {
    const server = await modelServer(t);
    for (const key of [`${KEY}\n`, `${KEY}é\u2028`, `${KEY}\r\nx-evil: 1`]) {
      const redactor = new Redactor();
      redactor.register(key, 'api_key');
      const traced: string[] = [];
      const runs = temporaryFolder();
      const egress = new Egress({ allowedOrigins: [server.url] });
      const host = testHost(server.baseUrl, {
        redactor,
        egress,
        keyFor: () => Promise.resolve(key),
        trace: (message) => traced.push(message),
      });
      const session = await startRun(testSettings(server.baseUrl), testStart(runs), host);
      const outcome = await session.done;
      egress.close();
      assert.equal(outcome.stopReason, 'error');
      assert.match(outcome.detail, /Enter the API key again/);
      assert.deepEqual(
        [
          ...search.below(runs).leaks,
          ...search.in('trace', traced.join('\n')),
          ...search.in('outcome', JSON.stringify(outcome)),
        ],
        [],
      );
    }
    assert.equal(server.requests.length, 0);
  });
});
