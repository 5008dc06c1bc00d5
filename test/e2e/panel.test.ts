import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { FrameLocator } from 'playwright-core';
import {
  openPanelWindow,
  PANEL_OBJECTIVE,
  PANEL_TITLE,
  type PanelRun,
  type PanelWindow,
} from '../support/panel-window.ts';
import type { Workbench } from '../support/workbench.ts';

/** As much of a page's body as is used here; the tests are compiled without the types of a browser. */
interface PageBody {
  innerHTML: string;
  readonly ownerDocument: { readonly activeElement: { readonly textContent: string } | null };
}

describe('the summary panel', () => {
  let window: PanelWindow;
  let workbench: Workbench;
  let panel: FrameLocator;

  const open = async (run: PanelRun): Promise<void> => {
    panel = await window.open(run);
  };
  const tab = (name: string) => panel.getByRole('tab', { name }).click();

  before(async () => {
    window = await openPanelWindow();
    workbench = window.workbench;
  });

  after(() => window?.close());

  it('shows a run with its money, its limits and what it does', async () => {
    await open('running');
    assert.equal(await panel.locator('h1').innerText(), PANEL_OBJECTIVE);
    assert.equal(await panel.locator('.state').innerText(), 'Running');
    assert.match(
      (await panel.locator('.bar[role=img]').first().getAttribute('aria-label')) ?? '',
      /^Of \$2\.50: \$0\.\d+ settled, \$0\.\d+ held, \$0\.04\d* reserved, \$2\.\d+ free$/,
    );
    assert.match(await panel.locator('.activity').innerText(), /Execution · t\d+: /);
    assert.equal(await panel.locator('figure svg[role=img]').count(), 4);
  });

  it('follows the run', async () => {
    await workbench.runCommand('Panel: Step');
    await workbench.runCommand('Panel: Step');
    await panel.locator('.tile', { hasText: 'Iterations' }).getByText('26', { exact: true }).waitFor();
    await tab('Tasks');
    await panel.getByText('A task of step 26').first().waitFor();
  });

  it('is up to date again after it was hidden', async () => {
    await workbench.runCommand('File: New Untitled Text File');
    await workbench.runCommand('Panel: Step');
    await workbench.runCommand('View: Close Editor');
    panel = await workbench.webviewFrame(PANEL_TITLE);
    await panel.getByText('A task of step 27').first().waitFor();
    assert.equal(await panel.getByRole('tab', { name: 'Tasks' }).getAttribute('aria-selected'), 'true');
  });

  it('runs the command of a control with the run as its argument, and shows why one failed', async () => {
    await panel.getByRole('button', { name: 'Pause' }).focus();
    await workbench.page.keyboard.press('Enter');
    await panel.getByRole('button', { name: 'Resume' }).waitFor();
    assert.equal(window.asked(), '["pause","running"]\n');
    const focused = (body: PageBody) => body.ownerDocument.activeElement?.textContent;
    assert.equal(await panel.locator('body').evaluate(focused), 'Resume', 'the focus stays');
    await panel.getByRole('button', { name: 'Open Log' }).click();
    await panel.getByRole('alert').getByText('The log cannot be opened: the folder is gone.').waitFor();
  });

  it('shows a result as harmless Markdown', async () => {
    await open('complete');
    await tab('Tasks');
    await panel.locator('.task', { hasText: 'done in iteration 3' }).getByRole('button').click();
    const result = panel.locator('.markdown');
    await result.getByText('javascript:document', { exact: false }).first().waitFor();
    assert.equal(await result.locator('img, script, style, form, input, iframe, a, svg').count(), 0);
    assert.equal(await panel.locator('body').getAttribute('data-owned'), null);
    assert.match(await result.innerText(), /<script>/);
  });

  it('turns the pages of ten thousand calls', async () => {
    await open('long');
    await tab('Calls');
    await panel.getByText(/Page 1 of \d+/).waitFor();
    assert.equal(await panel.locator('.calls tbody tr').count(), 50);
    await panel.getByRole('button', { name: 'Last' }).click();
    await panel.getByText(/Page (\d+) of \1,/).waitFor();
    assert.match(await panel.locator('.calls tbody tr').last().innerText(), /t1\b/);
  });

  it('comes back after a reload with what was open', async () => {
    await open('complete');
    await tab('Tasks');
    await panel.locator('.task', { hasText: 'done in iteration 2' }).getByRole('button').click();
    await panel.locator('.markdown').waitFor();
    await workbench.waitUntilSaved(/task\/t2/);
    await workbench.reload();
    panel = await workbench.webviewFrame(PANEL_TITLE);
    await panel.locator('.task', { hasText: 'done in iteration 2' }).locator('.markdown').waitFor();
  });

  it('approves a review for what is shown', async () => {
    await open('review');
    await panel.getByText('Checkpoint review after iteration 20').waitFor();
    await panel.getByRole('button', { name: 'Approve' }).click();
    await panel.locator('.state', { hasText: 'Running' }).waitFor();
    assert.equal(await panel.locator('.review-card').count(), 0);
  });

  it('decides a review to stop, and leaves none pending', async () => {
    await open('declined');
    await panel.locator('.review-card').getByRole('button', { name: 'Stop' }).click();
    await panel.locator('.review-card').waitFor({ state: 'detached' });
    assert.doesNotMatch(window.asked(), /"stop","declined"/);
  });

  it('can be used without a mouse', async () => {
    await open('capped');
    await panel.getByRole('tab', { name: 'Overview' }).focus();
    await workbench.page.keyboard.press('ArrowRight');
    await workbench.page.keyboard.press('ArrowRight');
    await panel.locator('.calls').waitFor();
    await workbench.page.keyboard.press('End');
    await panel.locator('.answer').getByText('SQLite').first().waitFor();
  });

  it('breaks no rule of its content security policy, which allows no HTML from text', async () => {
    assert.deepEqual(workbench.consoleErrors(), []);
    const body = panel.locator('body');
    const write = body.evaluate((page: PageBody) => {
      page.innerHTML = '<p>from text</p>';
    });
    await assert.rejects(write, /TrustedHTML/);
  });
});
