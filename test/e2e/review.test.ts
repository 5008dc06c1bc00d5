import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { brain } from '../support/brain.ts';
import { eventually } from '../support/eventually.ts';
import { type ModelServer, startModelServer } from '../support/model-server.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import { readNotification } from '../support/notification.ts';
import { packaged } from '../support/vsix.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

const OBJECTIVE = 'Plan a small garden';
const ANSWER =
  'Here is the plan.\n\n```file:plan.md\nDig, sow, water.\n```\n\n```file:notes/soil.md\nIt is dry.\n```\n';

/** A person at the reviews that are not for the number of iterations: of the first file, and of what was spent. */
describe('a review in VS Code', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-review-'));
  const workspace = path.join(root, 'garden');
  const dataDir = path.join(root, 'data');
  let model: ModelServer;
  let server: VscodeServer;
  let workbench: Workbench;

  before(async () => {
    mkdirSync(workspace, { recursive: true });
    model = await startModelServer({ reply: brain({ result: () => ANSWER }) });
    const machine = path.join(dataDir, 'data', 'Machine', 'settings.json');
    mkdirSync(path.dirname(machine), { recursive: true });
    writeFileSync(
      machine,
      JSON.stringify({ 'babyagi.baseUrl': model.baseUrl, 'babyagi.prices': { '*': { input: 0.4, output: 1.6 } } }),
    );
    // Less than an iteration costs.
    const userSettings = { 'babyagi.reviewEveryUsd': 0.0001, 'babyagi.reviewFirstUse': true };
    server = await startVscodeServer({ workspace, dataDir, extensions: [packaged()], userSettings });
    workbench = await openWorkbench(server);
  });

  after(async () => {
    await workbench?.close();
    await server?.close();
    await model?.close();
    rmSync(root, { recursive: true, force: true });
  });

  const written = (name: string) => {
    const runs = path.join(workspace, '.babyagi', 'runs');
    const [run = ''] = readdirSync(runs);
    const file = path.join(runs, run, 'output', name);
    return existsSync(file) ? readFileSync(file, 'utf8') : null;
  };
  const review = async () => {
    await workbench.runCommand('BabyAGI: Review…');
    return workbench.quickInput(/Checkpoint review/);
  };

  it('asks before the first file is written, and says which', async () => {
    await workbench.openView('BabyAGI');
    await workbench.runCommand('BabyAGI: Run Objective…');
    const answer = async (step: number, text?: string) => {
      const input = await workbench.quickInput(`Run Objective (${step}/7)`);
      await (text === undefined ? input.accept() : input.enter(text));
    };
    await answer(1, OBJECTIVE);
    await answer(2);
    await answer(3, 'gpt-4o');
    await answer(4, '3');
    await answer(5, '0.5');
    await answer(6);
    await (await workbench.quickInput('Run Objective: Start? (7/7)')).pick('Start');
    await workbench.waitForNotification(/in iteration 1: the first use of a tool: t1 wants to write plan\.md/);
    await workbench.photograph('review-first-use-notification');
    assert.equal(written('plan.md'), null);
    const rows = await (await review()).rows();
    const labels = rows.map(({ label }) => label);
    assert.ok(labels.includes('plan.md') && labels.includes('notes/soil.md'), labels.join('; '));
    await workbench.photograph('review-first-use');
    await (await workbench.quickInput()).cancel();
  });

  it('shows the files in the panel, and writes them once they are approved there', async () => {
    await workbench.runCommand('BabyAGI: Open Summary');
    const panel = await workbench.webviewFrame(OBJECTIVE);
    await panel.getByText('Files that wait to be written').waitFor();
    await panel.locator('summary', { hasText: 'notes/soil.md' }).click();
    await panel.getByText('It is dry.').waitFor();
    await workbench.photograph('review-first-use-panel');
    await panel.getByRole('button', { name: 'Approve' }).click();
    await eventually('the files', () => written('plan.md') !== null && written('notes/soil.md') !== null);
    assert.equal(written('plan.md'), 'Dig, sow, water.\n');
  });

  it('tells who answers the message late that it was decided in the panel, and decides nothing by that', async () => {
    await workbench.waitForNotification(/after iteration 1: a review is due for each/);
    // Escape hides messages from the screen; the list of them has them until they are answered.
    const late = workbench.page.locator('.notifications-center .notification-list-item', {
      hasText: 'in iteration 1: the first use of a tool',
    });
    await eventually('the list of messages', async () => {
      if ((await late.count()) === 0) await workbench.runCommand('Notifications: Show Notifications');
      return (await late.count()) > 0;
    });
    await workbench.photograph('review-late-list');
    await late.locator('.monaco-button', { hasText: 'Approve' }).click();
    const told = workbench.page
      .locator('.notification-list-item', { hasText: 'This review was decided already' })
      .filter({ visible: true })
      .first();
    await told.waitFor();
    const { text, buttons } = (await readNotification(told)) ?? {};
    assert.match(text ?? '', /^This review was decided already: approved at \d.* in the summary panel\. “/);
    assert.deepEqual(buttons, ['Review…', 'Open Summary']);
    await workbench.photograph('review-late-answer');
    const panel = await workbench.webviewFrame(OBJECTIVE);
    await panel.getByRole('heading', { name: 'Checkpoint review after iteration 1' }).waitFor();
  });

  it('asks when so much is spent, says what it was for and what the rest costs, also after a reload', async () => {
    await workbench.reload();
    await workbench.waitForNotification(/after iteration 1: a review is due for each \$0\.0+10* spent/);
    await workbench.runCommand('Notifications: Clear All Notifications');
    const input = await review();
    const rows = await input.rows();
    const said = (label: string) => rows.find((row) => row.label === label)?.description ?? '';
    assert.match(said('Since the last review'), /^1 done, 0 failed, 1 new, 0 left out · \$0\.\d+ spent$/);
    assert.match(said('Until the next review (1 iteration)'), /^about \$0\.\d+$/);
    await workbench.photograph('review-cost');
  });

  it('takes every change of the list, guidance and a higher limit, which the run then uses', async () => {
    const input = await workbench.quickInput(/Checkpoint review/);
    const listed = (...tasks: string[]) =>
      eventually(`the tasks ${tasks.join(', ')}`, async () => {
        const labels = (await (await workbench.quickInput(/Checkpoint review/)).rows()).map(({ label }) => label);
        return tasks.every((task, index) => labels.includes(`${index + 1}. ${task}`));
      });
    const first = 'Find out about soil number 0';
    await input.pick('Add task…');
    await (await workbench.quickInput('Add Task')).enter('Count the beds');
    await listed('Count the beds', first);
    await input.pick('1. Count the beds');
    await (await workbench.quickInput('Count the beds')).pick('Move down');
    await listed(first, 'Count the beds');
    await input.pick(`1. ${first}`);
    await (await workbench.quickInput(first)).pick('Delete');
    await listed('Count the beds');
    await input.pick('1. Count the beds');
    await (await workbench.quickInput('Count the beds')).pick('Edit…');
    await (await workbench.quickInput('Edit Task')).enter('Count the raised beds');
    await listed('Count the raised beds');
    await input.pick('Give guidance…');
    await (await workbench.quickInput('Give Guidance')).enter('Prefer native plants');
    await (await workbench.quickInput(/Checkpoint review/)).pick('Raise a limit…');
    await (await workbench.quickInput('Raise a Limit')).pick('iteration limit');
    await eventually('the new value', async () => /iteration limit; it is 3 now/.test(await input.message()));
    await input.enter('5');
    await (await workbench.quickInput(/Checkpoint review: 1 of 5 iterations/)).pick('Raise a limit…');
    const limits = await workbench.quickInput('Raise a Limit');
    const requests = (await limits.rows()).find(({ label }) => label === 'request limit');
    assert.match(requests?.description ?? '', /^none now, \d+ used$/);
    await limits.pick('request limit');
    await eventually('the limit to be asked for', async () =>
      /request limit, which the run has not got; \d+ are used/.test(await input.message()),
    );
    await input.fill('1');
    await eventually('what is wrong', async () =>
      /request limit cannot begin at 1, as \d+ are used/.test(await input.message()),
    );
    await input.enter('60');
    await (await workbench.quickInput(/Checkpoint review: 1 of 5 iterations/)).pick('Approve');
    await workbench.waitForNotification(/after iteration 2: /);
    const executions = model.requests.filter(({ raw }) => raw.includes('You carry out one task'));
    assert.deepEqual(
      executions.map(({ raw }) => [raw.includes('Prefer native plants'), raw.includes('Count the raised beds')]),
      [
        [false, false],
        [true, true],
      ],
    );
  });

  it('ends the run where the answer is to stop', async () => {
    await workbench.notificationButton(/after iteration 2: /, 'Stop Run');
    await workbench.openView('BabyAGI');
    await workbench.view('Runs').waitForRow(OBJECTIVE, /stopped at review · 2\/5/);
    assert.deepEqual(
      workbench.consoleErrors().filter((error) => !/405 \(Method Not Allowed\)/.test(error)),
      [],
    );
  });
});
