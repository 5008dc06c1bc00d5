import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import { packaged, vsixOf } from '../support/vsix.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

/** A provider of language models, as other extensions bring them: it plans one task at a time and answers in a sentence. */
const PROVIDER = `
const vscode = require('vscode');
exports.activate = (context) => {
  const model = { id: 'steady-1', name: 'Steady', family: 'steady', version: '1', maxInputTokens: 100000, maxOutputTokens: 4000, capabilities: { toolCalling: true }, isUserSelectable: true };
  const textOf = (message) => message.content.map((part) => part.value ?? '').join('');
  context.subscriptions.push(vscode.lm.registerLanguageModelChatProvider('steady-vendor', {
    provideLanguageModelChatInformation: () => [model],
    provideTokenCount: (_model, text) => Math.ceil((typeof text === 'string' ? text : textOf(text)).length / 4),
    provideLanguageModelChatResponse: async (_model, messages, _options, progress) => {
      const asked = messages.map(textOf).join('\\n');
      progress.report(new vscode.LanguageModelTextPart(/JSON/.test(asked) ? '{"tasks":["Measure the beds"]}' : 'The beds are dry.'));
    },
  }));
};`;

describe('a run with a language model of VS Code', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-lm-'));
  const workspace = path.join(root, 'garden');
  let server: VscodeServer;
  let workbench: Workbench;

  before(async () => {
    mkdirSync(workspace);
    const provider = await vsixOf(
      root,
      {
        name: 'steady-models',
        engines: { vscode: '^1.104.0' },
        activationEvents: ['*'],
        contributes: { languageModelChatProviders: [{ vendor: 'steady-vendor', displayName: 'Steady' }] },
      },
      PROVIDER,
    );
    server = await startVscodeServer({
      workspace,
      dataDir: path.join(root, 'data'),
      extensions: [packaged(), provider],
      userSettings: { 'chat.disableAIFeatures': false },
    });
    workbench = await openWorkbench(server);
  });

  after(async () => {
    await workbench?.close();
    await server?.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('needs no key, asks for no cost limit, and ends at its iteration limit', async () => {
    await workbench.openView('BabyAGI');
    await workbench.runCommand('BabyAGI: Run Objective…');
    await workbench.notificationButton(/There is no API key/, 'Use a Model of VS Code');
    await (await workbench.quickInput('Run Objective (1/7)')).enter('Find out what the beds need');
    await (await workbench.quickInput('Run Objective (2/7)')).accept();
    const models = await workbench.quickInput('Run Objective (3/7)');
    await eventually('the model', async () => (await models.rows()).some(({ label }) => label === 'Steady'));
    await models.pick('Steady');
    const iterations = await workbench.quickInput('Run Objective (4/8)');
    await iterations.enter('2');
    const requests = await workbench.quickInput('Run Objective (5/8)');
    await eventually('what that limits', async () =>
      /cost is included, so this limits what is used/.test(await requests.message()),
    );
    await eventually('an offer', async () => (await requests.value()) === '7');
    await workbench.photograph('lm-requests');
    await requests.enter('9');
    await (await workbench.quickInput('Run Objective (6/8)')).button('Back');
    await (await workbench.quickInput('Run Objective (5/8)')).accept();
    const tokens = await workbench.quickInput('Run Objective (6/8)');
    await eventually('an offer', async () => (await tokens.value()) === '30000');
    await tokens.accept();
    const minutes = await workbench.quickInput('Run Objective (7/8)');
    await minutes.accept();
    const confirm = await workbench.quickInput('Run Objective: Start? (8/8)');
    const forecast = /^Forecast: about \d+ requests and \d+ tokens for 2 iterations; the cost is included$/;
    await eventually('the forecast', async () => (await confirm.rows()).some(({ detail }) => forecast.test(detail)));
    await workbench.photograph('lm-confirm');
    const offered = (await confirm.rows()).map(({ description }) => description);
    assert.ok(
      offered.some((text) => text.includes('at most 2 iterations, 9 requests, 30000 tokens, 480 min; cost included')),
    );
    await confirm.pick('Start');
    await workbench.view('Runs').waitForRow('Find out what the beds need', /iteration limit · 2\/2 · cost included/);
    await workbench.photograph('lm-end');
    const folder = path.join(workspace, '.babyagi', 'runs');
    const [name = ''] = existsSync(folder) ? readdirSync(folder) : [];
    const text = (file: string) => readFileSync(path.join(folder, name, file), 'utf8');
    assert.match(text('config.json'), /"base_url": "vscode:lm\/steady-vendor\/steady"/);
    // The lowest that there is: nothing has a price, and nothing may be spent.
    assert.match(text('config.json'), /"max_cost_usd": 0\.000001,\s+"max_requests": 9,\s+"max_tokens": 30000,/);
    // The row tells the end before the last files are written.
    await eventually('the answer', () => existsSync(path.join(folder, name, 'results.json')));
    assert.match(text('answer.md'), /The beds are dry\./);
    assert.doesNotMatch(text('summary.md'), /\$0\.00/);
  });

  it('is told of in the chat, and opened from there', async () => {
    const { page } = workbench;
    await workbench.runCommand('Notifications: Clear All Notifications');
    await workbench.runCommand('Chat: Open Chat');
    // VS Code asks no participant before the chat has a model.
    await page.getByText('Steady', { exact: true }).first().waitFor();
    await page.keyboard.type('@babyagi /status ');
    await page.keyboard.press('Enter');
    const open = page.getByRole('button', { name: 'Open: Find out what the beds need' });
    await open.waitFor();
    await workbench.photograph('chat-status');
    await open.click();
    const panel = await workbench.webviewFrame('Find out what the beds need');
    await panel.getByRole('heading', { level: 1, name: 'Find out what the beds need' }).waitFor();
    await panel.getByText('at a price that is not known here').waitFor();
    assert.equal(await panel.getByText('Cost per iteration').count(), 0);
    await panel.getByRole('heading', { name: 'Requests' }).first().waitFor();
    await panel.getByText('of 30,000').waitFor();
    await workbench.photograph('lm-summary');
  });

  it('goes on with the same model', async () => {
    await workbench.runCommand('BabyAGI: Continue with More…');
    await (await workbench.quickInput('Continue with More')).enter('3');
    await workbench.view('Runs').waitForRow('Find out what the beds need', /3\/3 · cost included|no task left · 2\/3/);
  });
});
