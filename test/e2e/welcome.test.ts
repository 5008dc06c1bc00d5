import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import { packaged } from '../support/vsix.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

/** What the empty Runs view says: why it is empty, and what to do. */
describe('the welcome of the Runs view', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-welcome-'));
  const workspace = path.join(root, 'garden');
  let server: VscodeServer;
  let workbench: Workbench;

  before(async () => {
    mkdirSync(workspace);
    server = await startVscodeServer({
      workspace,
      dataDir: path.join(root, 'data'),
      extensions: [packaged()],
      workspaceTrust: true,
      userSettings: { 'security.workspace.trust.startupPrompt': 'never', 'security.workspace.trust.banner': 'never' },
    });
    workbench = await openWorkbench(server);
  });

  after(async () => {
    await workbench?.close();
    await server?.close();
    rmSync(root, { recursive: true, force: true });
  });

  const welcome = async () => {
    await workbench.openView('BabyAGI');
    return workbench.view('Runs').welcome();
  };
  const says = (what: RegExp, not: RegExp) =>
    eventually(`the welcome ${what}`, async () => {
      const text = await welcome();
      return what.test(text) && !not.test(text);
    });

  it('leads to the trust of the workspace', async () => {
    await says(/Restricted Mode[^]*Manage Workspace Trust/, /Run Objective|API key|Open Folder/);
    await workbench.photograph('welcome-untrusted');
    const experiments = workbench.view('Experiments');
    await experiments.unfold();
    await eventually('the welcome of experiments', async () =>
      /Restricted Mode: experiments can be looked at/.test(await experiments.welcome()),
    );
    await experiments.fold();
    await workbench.view('Runs').welcomeButton('Manage Workspace Trust');
    await workbench.page
      .locator('.workspace-trust-editor .monaco-button', { hasText: /^Trust$/ })
      .first()
      .click();
    // The editor of the trust lies above all else.
    const editor = workbench.page.locator('.workspace-trust-editor');
    await eventually('the editor to close', async () => {
      await workbench.page.locator('.monaco-modal-editor-block .codicon-close').first().click({ timeout: 1_000 });
      return !(await editor.isVisible());
    });
  });

  it('leads to the API key, besides the first run', async () => {
    await says(
      /Run Objective…[^]*Rehearse Objective…[^]*Runs need an API key[^]*Set API Key…/,
      /Restricted|Open Folder/,
    );
    await workbench.photograph('welcome-no-key');
    await workbench.view('Runs').welcomeButton('Set API Key…');
    await (await workbench.quickInput('Set API Key (1/2)')).accept();
    await (await workbench.quickInput('Set API Key (2/2)')).enter('sk-test-0123456789abcdefghijklmnop');
  });

  it('leads to the first run, once there is a key', async () => {
    await says(/Run Objective…[^]*Rehearse Objective…/, /API key|Restricted/);
    await workbench.photograph('welcome-no-runs');
    await workbench.runCommand('BabyAGI: Remove API Key…');
    await (await workbench.quickInput('Remove API Key')).pick('https://api.openai.com');
    await says(/Runs need an API key/, /Restricted/);
  });

  it('leads to a folder where none is open', async () => {
    await workbench.page.goto(new URL('/?ew=true', server.url).href);
    await workbench.waitUntilDrawn();
    await says(/Open a folder to begin[^]*Open Folder/, /Run Objective|API key|Restricted/);
    await workbench.photograph('welcome-no-folder');
    // What needs no folder is there all the same.
    const offered = await workbench.offeredCommands('BabyAGI');
    assert.ok(offered.includes('BabyAGI: Set API Key…'), offered.join());
    assert.ok(!offered.includes('BabyAGI: Import Run Archive…'));
  });
});
