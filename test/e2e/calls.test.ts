import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { FrameLocator } from 'playwright-core';
import { accessibilityViolations } from '../support/accessibility.ts';
import { eventually } from '../support/eventually.ts';
import { seedRun } from '../support/seeded-runs.ts';
import { packaged } from '../support/vsix.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

const OBJECTIVE = 'Find out what **this** <b>garden</b> has';

interface Scrolled {
  readonly scrollWidth: number;
  readonly clientWidth: number;
}

describe('the call log of the summary panel', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-calls-'));
  const workspace = path.join(root, 'garden');
  let server: VscodeServer;
  let workbench: Workbench;
  let panel: FrameLocator;

  const row = (agent: string) => panel.locator('.calls tbody tr', { hasText: agent }).first();
  const opener = (agent: string) => row(agent).getByRole('button');
  const details = () => panel.locator('.call-detail');

  before(async () => {
    const runs = path.join(workspace, '.babyagi', 'runs');
    mkdirSync(runs, { recursive: true });
    await seedRun(runs, OBJECTIVE, { iterations: 3 });
    server = await startVscodeServer({ workspace, dataDir: path.join(root, 'data'), extensions: [packaged()] });
    workbench = await openWorkbench(server);
    await workbench.openView('BabyAGI');
    await workbench.view('Runs').waitForRow(/^Find out what/);
    await workbench.runCommand('BabyAGI: Open Summary');
    panel = await workbench.webviewFrame(OBJECTIVE);
    await panel.locator('h1').waitFor();
  });

  after(async () => {
    await workbench?.close();
    await server?.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('unfolds a call by the keyboard: its prompts, proved to be those that were sent, and its answer', async () => {
    await panel.getByRole('tab', { name: 'Calls' }).click();
    await opener('Execution').waitFor();
    assert.equal(await opener('Execution').getAttribute('aria-expanded'), 'false');
    await eventually('the call to unfold', async () => {
      await opener('Execution').focus();
      if ((await details().count()) === 0) await workbench.page.keyboard.press('Enter');
      return (await details().count()) === 1;
    });
    await details().getByText('proved by its sha256').waitFor();
    assert.equal(await opener('Execution').getAttribute('aria-expanded'), 'true');
    const prompts = await details().locator('pre.verbatim').allInnerTexts();
    assert.equal(prompts.length, 2);
    assert.match(prompts[0] ?? '', /^You carry out one task/);
    assert.ok(prompts[1]?.includes(`Objective: ${OBJECTIVE}`), 'text stays text');
    assert.equal(await details().locator('pre.verbatim *').count(), 0);
    await details().locator('.markdown').waitFor();
    await opener('Planning').click();
    await details()
      .nth(1)
      .getByText('System prompt')
      .or(details().first().getByText('System prompt'))
      .first()
      .waitFor();
    await panel.locator('.call-detail pre.verbatim', { hasText: '"new_tasks"' }).first().waitFor();
  });

  it('keeps to the rules in every theme, narrow and wide', async () => {
    await opener('Embedding').click();
    await eventually('all three', async () => (await details().getByText('proved by its sha256').count()) === 3);
    await details().last().scrollIntoViewIfNeeded();
    await workbench.photograph('calls', async (theme) => {
      assert.deepEqual(await accessibilityViolations(panel, theme === 'dark' ? 'all' : 'of colours'), [], theme);
    });
    await workbench.runCommand('View: Toggle Primary Side Bar Visibility');
    for (const width of [352, 1460]) {
      await workbench.page.setViewportSize({ width, height: 1000 });
      await opener('Execution').scrollIntoViewIfNeeded();
      await workbench.screenshot(`calls-${width < 400 ? 'narrow' : 'wide'}`);
      const { scrollWidth, clientWidth } = await panel.locator('html').evaluate((page: Scrolled) => ({
        scrollWidth: page.scrollWidth,
        clientWidth: page.clientWidth,
      }));
      assert.ok(scrollWidth <= clientWidth, `${scrollWidth} pixels wide in ${clientWidth}`);
      assert.deepEqual(await accessibilityViolations(panel), []);
    }
  });

  it('has them unfolded again after a reload, and folds them', async () => {
    await workbench.waitUntilSaved(/(call\/.*){3}/);
    await workbench.reload();
    panel = await workbench.webviewFrame(OBJECTIVE);
    await eventually('all three', async () => (await details().getByText('proved by its sha256').count()) === 3);
    await opener('Execution').click();
    await eventually('two left', async () => (await details().count()) === 2);
    await opener('Execution').click();
    await eventually('three again', async () => (await details().getByText('proved by its sha256').count()) === 3);
    assert.deepEqual(workbench.consoleErrors(), []);
  });
});
