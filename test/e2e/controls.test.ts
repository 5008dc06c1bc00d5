import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { encodingFor } from '../../src/budget/encoding.ts';
import { formatUsd, picoFromUsd, picoPerToken } from '../../src/budget/money.ts';
import { Tokenizer } from '../../src/budget/tokens.ts';
import { readRun } from '../../src/engine/read.ts';
import type { Rates } from '../../src/run/config.ts';
import type { RunEvent, RunEventType } from '../../src/run/events.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { runFolder } from '../../src/runlog/folder.ts';
import { readLog } from '../../src/runlog/reader.ts';
import { SETTINGS } from '../../src/vscode/ids.ts';
import { brain } from '../support/brain.ts';
import { eventually } from '../support/eventually.ts';
import { type BillPrices, billed } from '../support/model-bill.ts';
import { freePort } from '../support/free-port.ts';
import { type ModelServer, startModelServer } from '../support/model-server.ts';
import { BLOCK_COMMAND, makeProbeExtension } from '../support/probe-extension.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import { startWebhookServer, type WebhookServer } from '../support/webhook-server.ts';
import { packaged } from '../support/vsix.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

const KEY = 'sk-test-9f8e7d6c5b4a39281706f5e4d3c2b1a0';
const HOOK = '/services/T02AB4CD6/B08EF1GH3/q7Rk2mXv9LpWz4NcYt6JdH8s';
const TRACES_TOKEN = 'q8Zr3nYw0MqXa5OdZu7KeI9tLp2B';
const MODEL = 'gpt-4o';
/** US dollars a million tokens. */
const PRICES = { '*': { input: 0.4, output: 1.6 } };
const WATCHDOG_SECONDS = 2;

/** Every control on at once, in a VS Code as a user has it, by a person's clicks. */
describe('a run in VS Code with all controls on', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-controls-'));
  const workspace = path.join(root, 'garden');
  const dataDir = path.join(root, 'data');
  const latency = { firstTokenMs: 100 };
  let model: ModelServer;
  let webhook: WebhookServer;
  let server: VscodeServer;
  let workbench: Workbench;
  let run = '';
  let collector: WebhookServer;
  let metricsPort = 0;

  before(async () => {
    mkdirSync(workspace, { recursive: true });
    const tokenizer = await Tokenizer.load('dist', encodingFor(MODEL).name);
    const countTokens = (text: string) => tokenizer.count(text);
    model = await startModelServer({ reply: brain(), key: KEY, latency, countTokens });
    webhook = await startWebhookServer(HOOK);
    collector = await startWebhookServer('/v1/traces', (response) => response.end('{}'));
    metricsPort = await freePort();
    machineSettings({ 'babyagi.maxKeyUsdPerDay': 1 });
    server = await startVscodeServer({
      workspace,
      dataDir,
      extensions: [packaged(), await makeProbeExtension(root)],
      userSettings: { 'babyagi.model': MODEL, 'babyagi.reviewEvery': 5 },
      env: { PROBE_LOG: path.join(root, 'probe.jsonl'), BABYAGI_CONTROLS_TEST: 'yes', BABYAGI_TEST_TOKEN: KEY },
    });
    workbench = await openWorkbench(server);
    await workbench.openView('BabyAGI');
  });

  after(async () => {
    await workbench?.close();
    await server?.close();
    await webhook?.close();
    await collector?.close();
    await model?.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('waits for the key that it needs, and goes on once a person has set it', async () => {
    run = await start('Wait for a key', 1);
    const ended = await workbench.waitForNotification(/BabyAGI run ended: No API key could be read/);
    assert.ok(ended.buttons.includes('Set API Key…'));
    assert.equal((await eventOf(run, 'run.ended')).stop_reason, 'waiting_for_key');
    await workbench.notificationButton(/No API key could be read/, 'Set API Key…');
    const question = await workbench.quickInput('Set API Key');
    assert.equal(await question.isPassword(), true);
    await question.enter(KEY);
    await workbench.view('Runs').waitForRow('Wait for a key', /^iteration limit · 1\/1/);
    await clearNotifications();
  });

  it('is offered for resuming when its key is set from the palette', async () => {
    await workbench.runCommand('BabyAGI: Remove API Key…');
    await (await workbench.quickInput('Remove API Key')).pick(new URL(model.baseUrl).origin);
    run = await start('Wait once more', 1);
    await workbench.waitForNotification(/No API key could be read/);
    await clearNotifications();
    await setKey();
    await workbench.notificationButton(/A BabyAGI run waits for this API key\. “Wait once more”/, 'Resume');
    await workbench.view('Runs').waitForRow('Wait once more', /^iteration limit · 1\/1/);
    await clearNotifications();
  });

  it('goes through ten iterations and one review, and tells the webhook', async () => {
    await workbench.runCommand('BabyAGI: Set Up Notices…');
    await (await workbench.quickInput('Set Up Notices')).pick('Slack-Compatible Webhook');
    const question = await workbench.quickInput('Slack-Compatible Webhook');
    assert.equal(await question.isPassword(), true);
    await question.enter(webhook.url);
    await workbench.waitForNotification('Slack-Compatible Webhook: set for runs that start or resume from now on.');
    await workbench.runCommand('BabyAGI: Set Up Notices…');
    await (await workbench.quickInput('Set Up Notices')).pick('Headers for Traces');
    await (await workbench.quickInput('Headers for Traces')).enter(`authorization=Bearer%20${TRACES_TOKEN}`);
    await workbench.waitForNotification('Headers for Traces: set for runs that start or resume from now on.');
    await workbench.runCommand('BabyAGI: Set Up Notices…');
    await (await workbench.quickInput('Set Up Notices')).pick('Send a Test Notice');
    await workbench.waitForNotification('The test notice was taken: slack.');
    assert.match(webhook.texts[0] ?? '', /^This is a test notice of BabyAGI\. \[test-/);
    await clearNotifications();
    latency.firstTokenMs = 2500;
    run = await start('Plan a garden that feeds four people', 10);
    const runs = workbench.view('Runs');
    await runs.waitForRow(/^Plan a garden/, /^[1-4]\/10 .*running/);
    await workbench.photograph('controls-running');
    latency.firstTokenMs = 100;
    await workbench.waitForNotification(/waits for your review after iteration 5/);
    await workbench.photograph('controls-review');
    await workbench.runCommand('BabyAGI: Review…');
    await (await workbench.quickInput(/Checkpoint review/)).pick('Approve');
    await workbench.waitForNotification(/BabyAGI run ended: The iteration limit was reached/);
    await workbench.notificationButton(/BabyAGI run ended/, 'Open Summary');
    await workbench.webviewFrame('Plan a garden that feeds four people');
    await runs.waitForRow(/^Plan a garden/, /^iteration limit · 10\/10/);
    await workbench.photograph('controls-end');
    await eventually('both notices', () => webhook.texts.length >= 3);
    const [, review = '', ended = ''] = webhook.texts;
    assert.match(
      review,
      /^BabyAGI: Iteration 5: .* review \(every 5 iterations\)\. Objective: Plan a garden that feeds four people/,
    );
    assert.match(ended, /^BabyAGI run ended: max_iterations\. .*Plan a garden that feeds four people/);
  });

  it('is traced, each iteration once and the run itself with its end', async () => {
    const { run_id } = JSON.parse(contentOf('config.json')) as { run_id: string };
    const bodies = () =>
      collector.requests.map(({ body }) => body).filter((body) => body.includes(run_id.replaceAll('-', '')));
    const named = (name: string) =>
      bodies().flatMap((body) => body.match(new RegExp(`"name":"${name}`, 'g')) ?? []).length;
    await eventually('the span of the run', () => named('invoke_workflow') === 1);
    assert.equal(named('iteration'), 10);
    for (const body of bodies()) assert.doesNotMatch(body, /garden/i);
    assert.equal(collector.requests.at(-1)?.headers.authorization, `Bearer ${TRACES_TOKEN}`);
    assert.ok(contentOf('summary.md').includes(collector.origin));
  });

  it('is measured for Prometheus, also once it has ended', async () => {
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    const { run_id } = JSON.parse(contentOf('config.json')) as { run_id: string };
    assert.match(metrics, new RegExp(`^babyagi_iterations_total\\{run_id="${run_id}"\\} 10$`, 'm'));
    assert.match(
      metrics,
      new RegExp(`^babyagi_run_stop_reason\\{run_id="${run_id}",reason="max_iterations"\\} 1$`, 'm'),
    );
  });

  it('cost what the server bills, and not more than the budget', async (t) => {
    const { money, limits, config, notices } = await readRun(nodeDisk, run);
    assert.deepEqual([limits.max_iterations, limits.max_cost_usd], [10, 0.2]);
    const calls = new Set(
      (await eventsOf(run)).flatMap((event) => (event.type === 'call.reserved' ? [event.request_sha256] : [])),
    );
    const lines = model.bill.filter(({ body_sha256 }) => calls.has(body_sha256));
    const { chat, embedding } = config.prices;
    const bill = billed(lines, ({ kind }) => picoOf(kind === 'chat' ? chat : embedding));
    assert.equal(money.settled, bill);
    assert.deepEqual([money.held, money.reserved], [0n, 0n]);
    assert.ok(bill > 0n && bill <= picoFromUsd(0.2));
    t.diagnostic(`${lines.length} requests, ${formatUsd(bill)} billed, ${formatUsd(money.settled)} booked`);
    assert.deepEqual([...new Set([...notices.values()].map(({ status }) => status))], ['sent']);
  });

  it('has every call in its log, with every field', async () => {
    const lines = logLines(run);
    const reserved = lines.filter(({ type }) => type === 'call.reserved');
    const settled = lines.filter(({ type }) => type === 'call.settled');
    assert.equal(settled.length, reserved.length);
    const sent = model.requests.filter(({ raw }) => {
      const sha256 = createHash('sha256').update(raw).digest('hex');
      return reserved.some(({ request_sha256 }) => request_sha256 === sha256);
    });
    assert.equal(sent.length, reserved.length);
    // Ten tasks, ten plans, their embeddings, and the answer.
    assert.equal(settled.filter(({ agent }) => agent !== 'embedding').length, 21);
    for (const line of settled) {
      for (const field of CALL_FIELDS) assert.ok(field in line, `${String(line['call_id'])} has no ${field}`);
      for (const field of ['seq', 'epoch', 'attempt', 'input_tokens', 'latency_ms', 'cost_usd'])
        assert.ok(Number(line[field]) > 0, `${String(line['call_id'])}: ${field} is ${String(line[field])}`);
      assert.equal(line['error'], null);
      if (line['agent'] === 'embedding') continue;
      assert.ok(Number(line['output_tokens']) > 0);
      assert.equal(line['system_fingerprint'], 'fp_test');
    }
  });

  it('is verified by the terminal', () => {
    const args = ['dist/cli.js', 'verify', run, '--json'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: { name: string; ok: boolean }[] };
    assert.equal(ok, true);
    assert.deepEqual(
      checks.filter((check) => !check.ok),
      [],
    );
  });

  it('left a snapshot of all it was started with', async () => {
    const { config } = await readRun(nodeDisk, run);
    const { vscode, variables } = config.settings as Record<string, Record<string, unknown>>;
    assert.deepEqual(Object.keys(vscode ?? {}).sort(), [...SETTINGS].sort());
    assert.equal(vscode?.['reviewEvery'], 5);
    assert.equal(vscode?.['maxKeyUsdPerDay'], 1);
    assert.equal(variables?.['BABYAGI_CONTROLS_TEST'], 'yes');
    assert.match(String(variables?.['BABYAGI_TEST_TOKEN']), /REDACTED|not recorded/);
    const { extension_version, vscode_version, node_version, platform, packages } = config.environment;
    assert.match(extension_version, /^\d+\.\d+\.\d+$/);
    assert.match(vscode_version ?? '', /^1\.\d+\.\d+/);
    assert.match(node_version, /^v\d+\./);
    assert.match(platform, new RegExp(`^${process.platform} `));
    assert.ok(Object.keys(packages).includes('zod'));
    assert.ok(Object.keys(config.prompts).length >= 4);
    for (const [name, { text, sha256 }] of Object.entries(config.prompts))
      assert.equal(sha256, createHash('sha256').update(text).digest('hex'), name);
    assert.deepEqual([config.parameters.temperature, config.parameters.top_p, config.parameters.seed], [0, 1, 42]);
  });

  it('left its summary, results with vectors, answer and checkpoints', () => {
    const summary = JSON.parse(contentOf('summary.json')) as Record<string, unknown>;
    assert.equal(summary['stop_reason'], 'max_iterations');
    assert.deepEqual(summary['iterations'], { done: 10, limit: 10 });
    assert.match(contentOf('summary.md'), /Plan a garden that feeds four people/);
    const results = JSON.parse(contentOf('results.json')) as Record<string, unknown>[];
    assert.equal(results.length, 10);
    for (const { task_id, task_text, result_text, embedding_vector, embedding_model } of results) {
      for (const text of [task_id, task_text, result_text, embedding_model])
        assert.ok(typeof text === 'string' && text !== '');
      assert.ok(Array.isArray(embedding_vector) && embedding_vector.length === 1536);
    }
    assert.match(contentOf('answer.md'), /A garden needs soil, light and water/);
    assert.deepEqual(readdirSync(path.join(run, 'checkpoints')).sort(), ['000005.json', '000010.json']);
  });

  it('counts what its key spends, over all runs of the day', async () => {
    const [file = '', ...others] = filesBelow(dataDir).filter((name) =>
      /[\\/]keys[\\/][0-9a-f]{32}-[\d-]+\.jsonl$/.test(name),
    );
    assert.deepEqual(others, []);
    const outcomes = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.includes('"settled"'));
    const spent = outcomes.reduce((sum, line) => sum + picoFromUsd((JSON.parse(line) as { usd: number }).usd), 0n);
    const states = await Promise.all(runFolders().map((folder) => readRun(nodeDisk, folder)));
    assert.equal(states.length, 3);
    assert.equal(
      spent,
      states.reduce((sum, { money }) => sum + money.settled, 0n),
    );
  });

  it('that hangs with its window is told of by another thread, and goes on', async () => {
    latency.firstTokenMs = 1000;
    await workbench.openView('BabyAGI');
    run = await start('Hang for a while', 3);
    await eventOf(run, 'iteration.completed');
    const before = webhook.texts.length;
    await workbench.runCommand(BLOCK_COMMAND);
    const news = await eventually('news of the hang and of its end', () => {
      const texts = webhook.texts.slice(before).filter((text) => /hangs|reacts again/.test(text));
      return texts.length >= 2 ? texts : undefined;
    });
    assert.match(
      news[0] ?? '',
      /^BabyAGI run hangs: its process has not reacted for [2-9] s\. .*Objective: Hang for a while/,
    );
    assert.match(news[1] ?? '', /^BabyAGI run reacts again, after \d+ s\./);
    await workbench.view('Runs').waitForRow('Hang for a while', /^iteration limit · 3\/3/);
    assert.equal((JSON.parse(contentOf('hang-1.json')) as { limit_ms: number }).limit_ms, WATCHDOG_SECONDS * 1000);
  });

  it('that its key has no more for is told so, and not to raise a limit of its own', async () => {
    machineSettings({ 'babyagi.maxKeyUsdPerDay': 0.0001 });
    await workbench.reload();
    await workbench.openView('BabyAGI');
    // Behind its own front end this server would hand out a key for the secret storage of the browser: here it forgets.
    await setKey();
    run = await start('Spend more than the key may', 10);
    const { text, buttons } = await workbench.waitForNotification(/BabyAGI run ended/);
    assert.match(text, /The daily limit of the API key was reached: \$[\d.]+ of \$0\.00010 is spent or reserved today/);
    await workbench.view('Runs').waitForRow('Spend more than the key may', /^daily limit of the API key · /);
    assert.deepEqual(buttons, ['Open Summary', 'Open Settings']);
    const reached = await eventOf(run, 'limit.reached');
    assert.deepEqual([reached.limit, reached.value], ['max_key_usd_per_day', 0.0001]);
    assert.ok(reached.spent > 0);
    await workbench.photograph('key-limit');
    await workbench.runCommand('BabyAGI: Why Did It Stop?');
    await (await workbench.quickInput()).pick('Spend more than the key may');
    const why = await workbench.webviewFrame('Preview Why it stopped – Spend more than the key may.md');
    await why.getByText('The daily limit of the API key was reached', { exact: false }).first().waitFor();
    await why.getByText('the limit is the setting', { exact: false }).waitFor();
    await workbench.photograph('key-limit-why');
    await workbench.runCommand('BabyAGI: Open Summary');
    await (await workbench.quickInput()).pick('Spend more than the key may');
    const panel = await workbench.webviewFrame('Spend more than the key may');
    await panel.getByText('Daily limit of the API key reached', { exact: true }).waitFor();
    await panel.getByText(/Resume after \d{4}-\d\d-\d\d 00:00 UTC/).waitFor();
    await workbench.photograph('key-limit-panel');
  });

  it('leaves neither the key, nor the address of the webhook, nor the headers for traces in any file', () => {
    const secrets = [KEY, webhook.url, HOOK, encodeURIComponent(webhook.url), TRACES_TOKEN];
    const forms = secrets.flatMap((secret) => [secret, Buffer.from(secret).toString('base64').slice(0, -4)]);
    const files = [...filesBelow(workspace), ...filesBelow(dataDir)];
    assert.ok(files.length > 50);
    for (const file of files) {
      const bytes = readFileSync(file);
      for (const form of forms) assert.equal(bytes.includes(form), false, file);
    }
    for (const form of forms) assert.equal(server.logs().includes(form), false);
  });

  function machineSettings(settings: Record<string, unknown>): void {
    const file = path.join(dataDir, 'data', 'Machine', 'settings.json');
    mkdirSync(path.dirname(file), { recursive: true });
    const always = {
      'babyagi.baseUrl': model.baseUrl,
      'babyagi.prices': PRICES,
      'babyagi.watchdogSeconds': WATCHDOG_SECONDS,
      'babyagi.metricsPort': metricsPort,
      'babyagi.otlpEndpoint': collector.origin,
    };
    writeFileSync(file, JSON.stringify({ ...always, ...settings }));
  }

  const runFolders = () => {
    const folder = path.join(workspace, '.babyagi', 'runs');
    return existsSync(folder) ? readdirSync(folder).map((name) => path.join(folder, name)) : [];
  };

  const contentOf = (name: string) => readFileSync(path.join(run, name), 'utf8');

  /** Starts a run by a person's clicks; resolves to its folder. */
  async function start(objective: string, iterations: number): Promise<string> {
    const known = new Set(runFolders());
    await (await workbench.ask('BabyAGI: Run Objective…', 'Run Objective (1/7)')).enter(objective);
    await (await workbench.quickInput('Run Objective (2/7)')).accept();
    await (await workbench.quickInput('Run Objective (3/7)')).accept();
    await (await workbench.quickInput('Run Objective (4/7)')).enter(String(iterations));
    await (await workbench.quickInput('Run Objective (5/7)')).enter('0.20');
    await (await workbench.quickInput('Run Objective (6/7)')).accept();
    await (await workbench.quickInput('Run Objective: Start? (7/7)')).pick('Start');
    return eventually('the run folder', () => runFolders().find((folder) => !known.has(folder)));
  }

  async function setKey(): Promise<void> {
    await (await workbench.ask('BabyAGI: Set API Key…', 'Set API Key (1/2)')).accept();
    await (await workbench.quickInput('Set API Key (2/2)')).enter(KEY);
  }

  async function clearNotifications(): Promise<void> {
    const toasts = workbench.page.locator('.notifications-toasts .notification-list-item');
    // One may come a moment after the others were cleared.
    await eventually('no notification', async () => {
      await workbench.runCommand('Notifications: Clear All Notifications');
      return (await toasts.count()) === 0;
    });
  }
});

/** What every line of a call says (DESIGN of the log). */
const CALL_FIELDS = [
  ...['v', 'seq', 'epoch', 'type', 'ts', 'mono_ms', 'run_id'],
  ...['call_id', 'agent', 'task_id', 'iteration', 'model', 'attempt', 'input_tokens', 'cached_tokens', 'output_tokens'],
  ...['latency_ms', 'cost_usd', 'system_fingerprint', 'error'],
];

/** The bodies of the lines of a log, as `jq .e` has them. */
function logLines(run: string): Record<string, unknown>[] {
  const folder = path.join(run, 'log');
  const text = readdirSync(folder)
    .sort()
    .map((name) => readFileSync(path.join(folder, name), 'utf8'))
    .join('');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { e: Record<string, unknown> }).e);
}

async function eventsOf(run: string): Promise<RunEvent[]> {
  const { events } = await readLog(nodeDisk, runFolder(run));
  return events.filter((event) => event.type !== 'unknown');
}

function eventOf<Type extends RunEventType>(run: string, type: Type): Promise<Extract<RunEvent, { type: Type }>> {
  return eventually(`${type} in ${run}`, async () =>
    (await eventsOf(run)).find((event): event is Extract<RunEvent, { type: Type }> => event.type === type),
  );
}

function picoOf(rates: Rates | null): BillPrices {
  assert.ok(rates);
  return {
    inputPico: picoPerToken(rates.input_usd_per_million),
    outputPico: picoPerToken(rates.output_usd_per_million),
    cachedInputPico: picoPerToken(rates.cached_input_usd_per_million),
  };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}
