import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { brain } from '../support/brain.ts';
import { eventually } from '../support/eventually.ts';
import { type ModelServer, startModelServer } from '../support/model-server.ts';
import type { QuickInput } from '../support/quick-input.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import { packaged } from '../support/vsix.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

const KEY = 'sk-test-0123456789abcdefghijklmnop';

/** What a user installs, in a VS Code as a user has it, by a person's clicks. */
describe('a run in VS Code', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-run-'));
  const workspace = path.join(root, 'garden');
  const dataDir = path.join(root, 'data');
  let model: ModelServer;
  let server: VscodeServer;
  let workbench: Workbench;

  before(async () => {
    mkdirSync(workspace, { recursive: true });
    writeFileSync(
      path.join(workspace, 'README.md'),
      '# Garden\n\nBeds, paths and a shed. Open question: where does the compost go?\n',
    );
    model = await startModelServer({ reply: brain(), latency: { firstTokenMs: 150 } });
    const userSettings = {
      'babyagi.reviewEvery': 2,
      'babyagi.maxWallTimeMinutes': 77,
      'babyagi.taskTimeoutSeconds': 88,
    };
    // Where requests go and what they cost is set for the machine: VS Code keeps that apart from the user's own settings.
    writeJson(path.join(dataDir, 'data', 'Machine', 'settings.json'), {
      'babyagi.baseUrl': model.baseUrl,
      'babyagi.prices': { '*': { input: 0.4, output: 1.6 } },
    });
    server = await startVscodeServer({ workspace, dataDir, extensions: [packaged()], userSettings });
    workbench = await openWorkbench(server);
  });

  after(async () => {
    await workbench?.close();
    await server?.close();
    await model?.close();
    rmSync(root, { recursive: true, force: true });
  });

  const runFolders = () => {
    const folder = path.join(workspace, '.babyagi', 'runs');
    return existsSync(folder)
      ? readdirSync(folder)
          .sort()
          .map((name) => path.join(folder, name))
      : [];
  };

  it('says what to do while there is no run', async () => {
    await workbench.openView('BabyAGI');
    const runs = workbench.view('Runs');
    // What the window knows of trust and folders comes a little later than the view.
    await eventually('the welcome', async () => /Run Objective…[^]*Rehearse Objective…/.test(await runs.welcome()));
    await workbench.photograph('welcome');
  });

  it('rehearses without a key', async () => {
    await workbench.runCommand('BabyAGI: Rehearse Objective…');
    const title = 'Rehearse Objective (offline, nothing is spent)';
    let input = await workbench.quickInput(`${title} (1/3)`);
    await workbench.photograph('rehearse-objective');
    await input.accept();
    await refused(input, /The objective is empty/);
    await input.enter('Find out what this garden lacks');
    input = await workbench.quickInput(`${title} (2/3)`);
    await input.enter('0');
    await refused(input, /The iteration limit 0 is not valid/);
    await input.button('Back');
    input = await workbench.quickInput(`${title} (1/3)`);
    assert.equal(await input.value(), 'Find out what this garden lacks');
    await input.accept();
    await (await workbench.quickInput(`${title} (2/3)`)).enter('3');
    await (await workbench.quickInput(`${title} (3/3)`)).accept();
    const runs = workbench.view('Runs');
    await runs.waitForRow(/^Find out what this/, /running/);
    const states = new Set<string>();
    await eventually('tasks to run and to be done', async () => {
      for (const row of await runs.rows())
        if (row.level === 2) states.add(row.ariaLabel.replace(/^.*, /, '').replace(/ ·.*$/, ''));
      return states.has('running') && states.has('done') && states.has('waiting');
    });
    await workbench.photograph('run-in-progress');
    const [folder = ''] = runFolders();
    const { limits } = JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8')) as { limits: object };
    assert.deepEqual(limits, {
      max_iterations: 3,
      max_cost_usd: 1,
      max_wall_time_minutes: 77,
      task_timeout_seconds: 88,
    });
  });

  it('asks for a review on the way, and goes on when it is approved', async () => {
    await workbench.waitForNotification(/waits for your review after iteration 2/);
    await eventually('the badge', async () => (await workbench.badge('BabyAGI')) === '1');
    await workbench.photograph('review-notification');
    await workbench.notificationButton(/waits for your review/, 'Review…');
    const input = await workbench.quickInput(/Checkpoint review/);
    await workbench.photograph('review');
    await input.pick('Add task…');
    await (await workbench.quickInput('Add Task')).enter('Ask the neighbours about their compost');
    await workbench.quickInput(/Checkpoint review/);
    await eventually('the new task at the front', async () => {
      return (await input.rows()).some(({ label }) => label === '1. Ask the neighbours about their compost');
    });
    await input.pick('Approve');
    await workbench.view('Runs').waitForRow('Ask the neighbours about their compost', /u1 · iteration 3/);
  });

  it('tells the end, and leaves a summary', async () => {
    const ended = await workbench.waitForNotification(/BabyAGI run ended/);
    assert.deepEqual(ended.buttons, ['Open Summary', 'Continue with More…']);
    const [folder = ''] = runFolders();
    assert.match(readFileSync(path.join(folder, 'summary.md'), 'utf8'), /Find out what this garden lacks/);
    await workbench.photograph('end-notification');
  });

  it('continues with a raised limit', async () => {
    await workbench.notificationButton(/BabyAGI run ended/, 'Continue with More…');
    const input = await workbench.quickInput('Continue with More');
    await input.enter('2');
    await refused(input, /Give more than 3/);
    await input.enter('4');
    await workbench.view('Runs').waitForRow(/^Find out what this/, /iteration limit · 4\/4/);
  });

  it('opens the summary of the run beside its tasks', async () => {
    await workbench.notificationButton(/BabyAGI run ended/, 'Open Summary');
    const panel = await workbench.webviewFrame('Find out what this garden lacks');
    await panel.getByRole('heading', { level: 1, name: 'Find out what this garden lacks' }).waitFor();
    await panel.getByText('iteration limit', { exact: false }).first().waitFor();
    await workbench.screenshot('readme-summary');
  });

  it('takes a key for the configured server', async () => {
    await workbench.runCommand('BabyAGI: Set API Key…');
    const origin = await workbench.quickInput('Set API Key (1/2)');
    assert.equal(await origin.value(), new URL(model.baseUrl).origin);
    await origin.accept();
    const key = await workbench.quickInput('Set API Key (2/2)');
    assert.equal(await key.isPassword(), true);
    await key.enter('too short');
    await refused(key, /has a space/);
    await key.enter(KEY);
  });

  it('runs an objective with limits that are asked', async () => {
    await workbench.runCommand('BabyAGI: Run Objective…');
    const answer = async (step: number, text?: string) => {
      const input = await workbench.quickInput(`Run Objective (${step}/7)`);
      await (text === undefined ? input.accept() : input.enter(text));
    };
    await answer(1, 'Plan a small garden');
    await answer(2);
    await answer(3, 'gpt-4o');
    assert.equal(await (await workbench.quickInput('Run Objective (4/7)')).value(), '');
    await workbench.photograph('run-limit');
    await answer(4, '3');
    await answer(5, '0.5');
    await answer(6);
    const confirm = await workbench.quickInput('Run Objective: Start? (7/7)');
    await workbench.photograph('run-confirm');
    await confirm.pick('Start');
    await workbench.view('Runs').waitForRow('Plan a small garden', /running|waits for review/);
    await workbench.notificationButton(/waits for your review/, 'Approve');
    await workbench.view('Runs').waitForRow('Plan a small garden', /iteration limit · 3\/3 · \$0\.\d+ of \$0\.50/);
    assert.ok(model.bill.length > 0);
  });

  it('is readable in every theme', async () => {
    const runs = workbench.view('Runs');
    await runs.expand('Plan a small garden');
    await runs.tooltip('Plan a small garden');
    await workbench.photograph('runs');
  });

  it('goes on with an interrupted run after a reload, and shows no errors', async () => {
    await workbench.runCommand('BabyAGI: Rehearse Objective…');
    const title = 'Rehearse Objective (offline, nothing is spent)';
    await (await workbench.quickInput(`${title} (1/3)`)).enter('Look twice');
    await (await workbench.quickInput(`${title} (2/3)`)).enter('50');
    await (await workbench.quickInput(`${title} (3/3)`)).accept();
    await workbench.waitForNotification(/waits for your review/);
    await workbench.reload();
    await workbench.waitForNotification(/waits for your review after iteration 2/);
    await workbench.notificationButton(/waits for your review/, 'Stop Run');
    await workbench.openView('BabyAGI');
    await workbench.view('Runs').waitForRow('Look twice', /stopped at review/);
    // Behind its own front end this server would hand out a key for the secret storage of the browser.
    assert.deepEqual(
      workbench.consoleErrors().filter((error) => !/405 \(Method Not Allowed\)/.test(error)),
      [],
    );
  });

  it('goes on after kill -9, stops at a click, resumes, and pauses', async () => {
    await workbench.runCommand('BabyAGI: Rehearse Objective…');
    const title = 'Rehearse Objective (offline, nothing is spent)';
    await (await workbench.quickInput(`${title} (1/3)`)).enter('Survive');
    await (await workbench.quickInput(`${title} (2/3)`)).enter('50');
    await (await workbench.quickInput(`${title} (3/3)`)).accept();
    const runs = workbench.view('Runs');
    await runs.waitForRow('Survive', /running/);
    for (const pid of server.extensionHostPids()) process.kill(pid, 'SIGKILL');
    // Nobody touches it: the next host takes it up, and it comes to its review.
    await runs.waitForRow('Survive', /waits for review · 2\/50/);
    await runs.inlineAction('Survive', 'Stop');
    // That was the answer to the review.
    await runs.waitForRow('Survive', /^stopped at review/);
    await runs.inlineAction('Survive', 'Resume');
    await runs.inlineAction('Survive', 'Pause');
    await runs.waitForRow('Survive', /^paused · [34]\/50/);
    await workbench.photograph('paused');
    await runs.inlineAction('Survive', 'Resume');
    // The folder has not much to say about that.
    await runs.waitForRow('Survive', /^no task left/);
  });

  it('leaves the key in no file of the workspace', () => {
    const files = readdirSync(workspace, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    for (const file of files)
      assert.equal(readFileSync(path.join(file.parentPath, file.name)).includes(KEY), false, file.name);
  });
});

async function refused(input: QuickInput, why: RegExp): Promise<void> {
  await eventually(`the message ${why}`, async () => why.test(await input.message()));
}

function writeJson(file: string, value: unknown): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(value));
}
