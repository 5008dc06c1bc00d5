import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { FrameLocator } from 'playwright-core';
import { RunEvent } from '../../src/run/events.ts';
import { eventually } from '../support/eventually.ts';
import { CANARY, EVIL, type HostileRun, writeHostileRun } from '../support/hostile-run.ts';
import { packaged } from '../support/vsix.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';
import type { PageElement } from '../support/page-text.ts';

const TABS = ['Overview', 'Tasks', 'Calls', 'Answer'];

/** A run folder may come with a repository: whatever is in it, VS Code shows it as text. */
describe('a run whose every text is hostile', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-hostile-'));
  const requests: string[] = [];
  const dialogs: string[] = [];
  let server: VscodeServer;
  let workbench: Workbench;
  let ended: HostileRun;
  let waiting: HostileRun;

  before(async () => {
    // The runs are made with what the package is made of.
    const vsix = packaged();
    const workspaces = ['ended', 'waiting'].map((name) => path.join(root, name));
    const runs = workspaces.map((workspace) => path.join(workspace, '.babyagi', 'runs'));
    for (const folder of runs) mkdirSync(folder, { recursive: true });
    ended = await writeHostileRun(runs[0] ?? '', { names: false, ended: true });
    waiting = await writeHostileRun(runs[1] ?? '', { names: true, ended: false });
    server = await startVscodeServer({
      workspace: workspaces[0] ?? '',
      dataDir: path.join(root, 'data'),
      extensions: [vsix],
      // It would ask about a separator of lines that is none in JSON.
      userSettings: { 'editor.unusualLineTerminators': 'off' },
    });
    workbench = await openWorkbench(server);
    workbench.page.on('request', (request) => requests.push(request.url()));
    workbench.page.on('dialog', (dialog) => {
      dialogs.push(dialog.message());
      void dialog.dismiss();
    });
  });

  after(async () => {
    await workbench?.close();
    await server?.close();
    rmSync(root, { recursive: true, force: true });
  });

  /** Nothing was executed, requested, asked or opened. */
  const innocent = async (): Promise<void> => {
    for (const frame of workbench.page.frames()) {
      const set = await frame.evaluate(`typeof globalThis.${CANARY}`).catch(() => 'undefined');
      assert.equal(set, 'undefined', `a text was executed in ${frame.url()}`);
    }
    assert.deepEqual(
      requests.filter((url) => url.includes(EVIL)),
      [],
    );
    assert.deepEqual(dialogs, []);
    const complaints = workbench.consoleErrors().filter((error) => /Refused|Content Security Policy|evil/i.test(error));
    assert.deepEqual(complaints, []);
    assert.ok(
      !(await workbench.editorTabs()).some(({ label }) => label.startsWith('Untitled')),
      'a command was executed',
    );
  };

  /** Looks at every part of the panel, with everything unfolded that can be. */
  const lookThrough = async (panel: FrameLocator): Promise<void> => {
    for (const tab of TABS) {
      await panel.getByRole('tab', { name: tab }).click();
      await panel.locator(`#tab-panel[aria-labelledby="tab-${tab.toLowerCase()}"]`).waitFor();
      const folded = panel.locator('[data-do="unfold"][aria-expanded="false"]');
      for (let more = Math.min(await folded.count(), 12); more > 0; more -= 1) await folded.first().click();
      const closed = panel.locator('details:not([open]) > summary');
      for (let more = await closed.count(); more > 0; more -= 1) await closed.first().click();
      const elements = panel.locator(
        'main :is(a, img, script, style, iframe, object, embed, form, input, base, math, link)',
      );
      assert.equal(await elements.count(), 0, await panel.locator('main').innerHTML());
    }
    await innocent();
  };

  it('has each kind of event', () => {
    const kinds = RunEvent.options.map(({ shape }) => shape.type.value).filter((type) => type !== 'run.ended');
    for (const { types } of [ended, waiting])
      assert.deepEqual(
        kinds.filter((kind) => !types.has(kind)),
        [],
      );
  });

  it('is text in the list, in its tooltips and in the panel', async () => {
    await workbench.openView('BabyAGI');
    const runs = workbench.view('Runs');
    await eventually('the run', async () => (await runs.rows()).length > 0);
    await workbench.runCommand('BabyAGI: Open Summary');
    const panel = await panelFrame(workbench);
    await lookThrough(panel);
    await panel.getByRole('tab', { name: 'Tasks' }).click();
    // Some of the results have nothing in them that is seen.
    await panel.locator('.markdown').filter({ visible: true }).first().waitFor();
    await panel.locator('.history').first().waitFor();
    await workbench.photograph('hostile-panel');
    const [row] = await runs.rows();
    await runs.expand(row?.label ?? '');
    const labels = workbench.page.locator('.part.sidebar .monaco-list-row .label-name');
    for (const label of (await labels.all()).slice(0, 8)) {
      await workbench.page.mouse.move(0, 0);
      await label.hover();
      const hover = workbench.page.locator('.workbench-hover:visible');
      await hover.first().waitFor();
      assert.equal(await hover.locator('img, script, iframe, form, style').count(), 0);
      // At once: a hover is drawn anew while the run behind it is read.
      const links = await hover
        .locator('a')
        .evaluateAll((all: PageElement[]) => all.map((link) => link.getAttribute('data-href') ?? 'https:'));
      for (const link of links) assert.match(link, /^https?:/);
    }
    await innocent();
  });

  it('is text in the log, in what says why it stopped, and in the summary document', async () => {
    await workbench.runCommand('View: Close All Editors');
    await workbench.runCommand('BabyAGI: Open Log');
    await eventually('the log', async () => /run\.created/.test(await workbench.activeEditorText()));
    await innocent();
    for (const command of ['Why Did It Stop?', 'Open Summary Document', 'Open Answer']) {
      await workbench.runCommand('View: Close All Editors');
      await workbench.runCommand(`BabyAGI: ${command}`);
      const label = await eventually('the preview', async () =>
        (await workbench.editorTabs()).map((tab) => tab.label).find((each) => each.startsWith('Preview ')),
      );
      const preview = await workbench.webviewFrame(label);
      await preview.locator('h1').first().waitFor();
      const links = preview.locator('a[href]:not([href^="#"])');
      for (const link of await links.all()) {
        const href = (await link.getAttribute('href')) ?? '';
        // What looks like an address on the web is one that can be clicked, which VS Code asks about; nothing else is.
        assert.doesNotMatch(href, /^(?!https?:)[\w+.-]+:/i, command);
      }
      assert.equal(await preview.locator(`[src*="${EVIL}"], [style*="${EVIL}"], iframe, object, form`).count(), 0);
      await workbench.photograph(`hostile-${command.replace('?', '').toLowerCase().replaceAll(/\W+/g, '-')}`);
      await innocent();
    }
  });

  it('is forked to the server of the settings, never to its own', async () => {
    const runs = workbench.view('Runs');
    const [row] = await runs.rows();
    await runs.contextAction(row?.label ?? '', 'Fork Run…');
    const { text } = await workbench.waitForNotification(/There is no API key/);
    assert.match(text, /^There is no API key for https:\/\/api\.openai\.com\. /);
    await workbench.runCommand('Notifications: Clear All Notifications');
    await innocent();
  });

  it('is text in the editor of summary.json', async () => {
    await workbench.runCommand('View: Close All Editors');
    await workbench.runCommand('Go to File...');
    const files = await workbench.quickInput();
    await files.fill('summary.json');
    await eventually('the file', async () => (await files.rows()).some(({ label }) => label === 'summary.json'));
    await files.accept();
    await eventually('the text', async () => /"format_version"/.test(await workbench.activeEditorText()));
    await workbench.runCommand('View: Reopen Editor With...');
    await (await workbench.quickInput()).pick('BabyAGI Summary');
    await lookThrough(await panelFrame(workbench));
  });

  it('is text where it waits for a review, the names of its tasks and calls too', async () => {
    const url = new URL(server.url);
    url.searchParams.set('folder', path.join(root, 'waiting'));
    await workbench.page.goto(url.href);
    await workbench.waitUntilDrawn();
    await workbench.openView('BabyAGI');
    const runs = workbench.view('Runs');
    await eventually('the run', async () => (await runs.rows()).length > 0);
    await workbench.runCommand('BabyAGI: Open Summary');
    const panel = await panelFrame(workbench);
    await panel.locator('.review-card').waitFor();
    await lookThrough(panel);
    await workbench.runCommand('BabyAGI: Why Did It Stop?');
    await eventually('the preview', async () =>
      (await workbench.editorTabs()).some(({ label }) => label.startsWith('Preview ')),
    );
    await innocent();
  });
});

/** The panel, whatever its title is. */
async function panelFrame(workbench: Workbench): Promise<FrameLocator> {
  const frame = await eventually('the panel', async () => {
    for (const each of workbench.page.frames()) {
      if (
        (await each
          .locator('body[data-run-id] h1')
          .count()
          .catch(() => 0)) > 0
      )
        return each.parentFrame() ?? undefined;
    }
    return undefined;
  });
  return workbench.page.frameLocator(`iframe[name="${frame.name()}"]`).frameLocator('#active-frame');
}
