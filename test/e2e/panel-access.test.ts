import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { accessibilityViolations } from '../support/accessibility.ts';
import { eventually } from '../support/eventually.ts';
import { openPanelWindow, type PanelRun, type PanelWindow } from '../support/panel-window.ts';

/** As much of an element as is used here; the tests are compiled without the types of a browser. */
interface Focused {
  readonly textContent: string;
  readonly ownerDocument: {
    readonly defaultView: {
      getComputedStyle(element: Focused): { readonly outlineStyle: string; readonly outlineWidth: string };
    };
  };
}
interface Scrolled {
  readonly scrollWidth: number;
  readonly clientWidth: number;
}

const TABS = ['Overview', 'Tasks', 'Calls', 'Answer'];
/** Every state, and every part of those that have most in them. */
const SHOWN: readonly (readonly [PanelRun, readonly string[]])[] = [
  ['empty', TABS],
  ['running', TABS],
  ['paused', ['Overview']],
  ['near', ['Overview']],
  ['over', ['Overview']],
  ['review', ['Overview']],
  ['complete', TABS],
  ['failed', ['Overview']],
  ['imported', ['Overview']],
];

describe('the summary panel for everybody', () => {
  let window: PanelWindow;

  before(async () => {
    // So high that a whole part of the panel is seen.
    window = await openPanelWindow({ viewport: { width: 1280, height: 1200 } });
  });

  after(() => window?.close());

  for (const [run, tabs] of SHOWN) {
    it(`breaks no rule of WCAG 2.1 AA in any theme: ${run}`, async () => {
      const found: string[] = [];
      const panel = await window.open(run);
      for (const tab of tabs) {
        await panel.getByRole('tab', { name: tab }).click();
        await panel.locator(`#tab-panel[aria-labelledby="tab-${tab.toLowerCase()}"]`).waitFor();
        if (tab === 'Tasks' && run !== 'empty') {
          const done = panel.locator('.task.done').first();
          await done.getByRole('button').click();
          await done.locator('.markdown').waitFor();
        }
        if (tab === 'Overview' && run === 'running') {
          await panel.locator('details', { hasText: 'Table' }).first().locator('summary').click();
        }
        await panel.locator('h1').scrollIntoViewIfNeeded();
        await window.workbench.photograph(`panel-${run}-${tab.toLowerCase()}`, async (theme) => {
          const violations = await accessibilityViolations(panel, theme === 'dark' ? 'all' : 'of colours');
          found.push(...violations.map((violation) => `${theme}, ${tab}: ${violation}`));
        });
      }
      assert.deepEqual(found, []);
    });
  }

  it('leads the keyboard to every control, and shows where it is', async () => {
    const panel = await window.open('running');
    await panel.getByRole('tab', { name: 'Tasks' }).click();
    await panel.locator('.tasks').waitFor();
    await panel.locator('h1').click();
    const controls = await panel.locator('button:not([tabindex="-1"]), summary').count();
    const reached = new Set<string>();
    for (let presses = 0; presses < controls; presses += 1) {
      await window.workbench.page.keyboard.press('Tab');
      const { name, outline } = await panel.locator(':focus').evaluate((element: Focused) => {
        const { outlineStyle, outlineWidth } = element.ownerDocument.defaultView.getComputedStyle(element);
        return { name: element.textContent, outline: `${outlineStyle} ${outlineWidth}` };
      });
      assert.match(outline, /^(solid|auto) [1-9]/, name);
      reached.add(name);
    }
    // Each has words of its own, so none was reached twice.
    assert.equal(reached.size, controls);
  });

  it('keeps the focus and stays silent while the run goes on', async () => {
    const panel = await window.open('running');
    const done = panel.locator('.tile').nth(1).locator('strong');
    const before = Number(await done.innerText());
    const frame = await (await panel.locator('body').elementHandle())?.ownerFrame();
    assert.ok(frame);
    await frame.evaluate(`{
      globalThis.said = [];
      const watch = new MutationObserver((changes) => globalThis.said.push(...changes.map(({ target }) => target.textContent)));
      for (const region of document.querySelectorAll('[role=status], [role=alert], [aria-live]'))
        watch.observe(region, { subtree: true, childList: true, characterData: true, attributes: true });
    }`);
    await window.workbench.runCommand('Panel: Live');
    const control = panel.getByRole('button', { name: 'Open Log' });
    await control.focus();
    const later = async (more: number) =>
      eventually('the run to go on', async () => Number(await done.innerText()) > before + more);
    await later(10);
    assert.equal(await panel.locator(':focus').innerText(), 'Open Log');
    await panel.getByRole('tab', { name: 'Tasks' }).click();
    const task = panel.locator('.task.done').first().getByRole('button');
    await task.focus();
    const name = await panel.locator(':focus').getAttribute('data-what');
    await later(30);
    assert.equal(await panel.locator(':focus').getAttribute('data-what'), name);
    await window.workbench.runCommand('Panel: Live');
    assert.deepEqual(await frame.evaluate('globalThis.said'), []);
  });

  it('is of use narrow and wide', async () => {
    const { workbench } = window;
    await workbench.runCommand('View: Toggle Primary Side Bar Visibility');
    for (const width of [352, 1460]) {
      await workbench.page.setViewportSize({ width, height: 1000 });
      for (const run of ['empty', 'review', 'failed', 'complete', 'long'] as const) {
        const panel = await window.open(run);
        for (const tab of run === 'long' ? TABS : run === 'complete' ? ['Answer'] : ['Overview']) {
          await panel.getByRole('tab', { name: tab }).click();
          await panel.locator(`#tab-panel[aria-labelledby="tab-${tab.toLowerCase()}"]`).waitFor();
          await workbench.screenshot(`panel-${width < 400 ? 'narrow' : 'wide'}-${run}-${tab.toLowerCase()}`);
          const { scrollWidth, clientWidth } = await panel.locator('html').evaluate((page: Scrolled) => ({
            scrollWidth: page.scrollWidth,
            clientWidth: page.clientWidth,
          }));
          assert.deepEqual(await accessibilityViolations(panel), []);
          assert.ok(scrollWidth <= clientWidth, `${run}, ${tab}: ${scrollWidth} pixels wide in ${clientWidth}`);
        }
      }
    }
  });
});
