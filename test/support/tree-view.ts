import type { Locator, Page } from 'playwright-core';
import { eventually } from './eventually.ts';
import { exactly, labelled, matches, type PageElement, plainText } from './page-text.ts';

export interface TreeRow {
  readonly label: string;
  readonly description: string;
  /** 1 for the rows of the root. */
  readonly level: number;
  /** `undefined` when the row cannot have children. */
  readonly expanded: boolean | undefined;
  /** What a screen reader says. */
  readonly ariaLabel: string;
}

/** The name of a run is cut to leave room for its figures; other names are shown whole. */
const RUN_NAME = 20;

/** How a row of this name may be labelled. */
function labelsOf(name: string): string[] {
  return name.length > RUN_NAME ? [name, `${name.slice(0, RUN_NAME - 1).trimEnd()}…`] : [name];
}

/** One view of the side bar: its header, its rows or, when it has none, its welcome text. */
export class TreeView {
  private readonly pane: Locator;

  constructor(
    private readonly page: Page,
    private readonly name: string,
  ) {
    const title = page.locator('.pane-header h3.title').filter({ hasText: exactly(name) });
    this.pane = page.locator('.split-view-view > .pane').filter({ has: title }).first();
  }

  /** The rows in view, from the top. */
  async rows(): Promise<TreeRow[]> {
    const rows = await this.pane.locator('.monaco-list-row').evaluateAll((elements: PageElement[]) =>
      elements.map((row) => ({
        index: Number(row.getAttribute('data-index')),
        label: row.querySelector('.label-name')?.textContent ?? '',
        description: row.querySelector('.label-description')?.textContent ?? '',
        level: Number(row.getAttribute('aria-level')),
        expanded: row.getAttribute('aria-expanded'),
        ariaLabel: row.getAttribute('aria-label') ?? '',
      })),
    );
    return rows
      .sort((a, b) => a.index - b.index)
      .map(({ index: _, expanded, ...row }) => ({
        ...row,
        label: plainText(row.label),
        description: plainText(row.description),
        expanded: expanded === null ? undefined : expanded === 'true',
      }));
  }

  /** Unfolds the view, where it is folded. */
  async unfold(): Promise<void> {
    await this.setFolded(false);
  }

  /** Folds the view, which leaves its room to the others. */
  async fold(): Promise<void> {
    await this.setFolded(true);
  }

  private async setFolded(folded: boolean): Promise<void> {
    const header = this.pane.locator('.pane-header');
    const isDone = async () => (await header.getAttribute('aria-expanded')) === String(!folded);
    if (!(await isDone())) await header.locator('h3.title').click();
    await eventually(`${this.name} to be ${folded ? 'folded' : 'unfolded'}`, isDone);
  }

  /** Waits for a row with this label, and a description that fits where one is given. */
  waitForRow(label: string | RegExp, description?: string | RegExp): Promise<TreeRow> {
    return eventually(`the row ${label} in the view ${this.name}`, async () =>
      (await this.rows()).find(
        (row) =>
          (typeof label === 'string' ? labelsOf(label).includes(row.label) : label.test(row.label)) &&
          (description === undefined || matches(row.description, description)),
      ),
    );
  }

  async expand(label: string): Promise<void> {
    await this.toggle(label, true);
  }

  async collapse(label: string): Promise<void> {
    await this.toggle(label, false);
  }

  /** Selects the row; runs its command if it has one. */
  async click(label: string): Promise<void> {
    await this.row(label).locator('.label-name').click();
  }

  /** Brings the keyboard's focus to the row, as a person does: into the view by its command, then from row to row. */
  async focus(label: string, intoView: () => Promise<unknown>): Promise<void> {
    const list = this.pane.locator('.monaco-list');
    const focused = list.locator('.monaco-list-row.focused .label-name');
    await eventually(`the focus to be in ${this.name}`, async () => {
      await intoView();
      return await list.evaluate((element: PageElement) => element.matches(':focus, :focus-within'));
    });
    const at = async () => ((await focused.count()) > 0 ? plainText(await focused.first().innerText()) : '');
    await this.page.keyboard.press('Home');
    await eventually(`the focus to be on ${label}`, async () => {
      if (labelsOf(label).includes(await at())) return true;
      await this.page.keyboard.press('ArrowDown');
      return labelsOf(label).includes(await at());
    });
  }

  /** Clicks the inline button of a row, by the title of its command. */
  async inlineAction(label: string, title: string): Promise<void> {
    const row = this.row(label);
    await row.hover();
    await row.locator(`.actions .action-label${labelled(title)}`).click();
  }

  /** The titles of the buttons in a row, as they show while the pointer is there. */
  async inlineActions(label: string): Promise<string[]> {
    const row = this.row(label);
    await row.hover();
    const labels = await row
      .locator('.actions .action-label')
      .evaluateAll((actions: PageElement[]) => actions.map((action) => action.getAttribute('aria-label') ?? ''));
    return labels.map((title) => title.replace(/ \([^)]*\)$/, ''));
  }

  /** The entries of a row's context menu. */
  async menu(label: string): Promise<string[]> {
    const entries = this.page.locator('.monaco-menu .action-item:not(.disabled) .action-label:not(.separator)');
    await this.row(label).click({ button: 'right' });
    await entries.first().waitFor();
    const titles = await entries.allInnerTexts();
    await eventually('the menu to close', async () => {
      await this.page.keyboard.press('Escape');
      return (await entries.count()) === 0;
    });
    return titles.map((title) => plainText(title));
  }

  /** Drags a row onto another with the mouse. */
  async drag(label: string, target: string): Promise<void> {
    const { mouse } = this.page;
    const from = await this.middle(label);
    const to = await this.middle(target);
    await mouse.move(from.x, from.y);
    await mouse.down();
    // The first moves begin the dragging, the last ones are those over the target.
    await mouse.move(from.x + 6, from.y + 6, { steps: 4 });
    await mouse.move(to.x, to.y, { steps: 8 });
    await mouse.move(to.x + 2, to.y, { steps: 2 });
    await mouse.up();
  }

  /** What stands above the rows; empty where nothing does. */
  async message(): Promise<string> {
    const message = this.pane.locator('.message');
    return (await message.count()) > 0 ? plainText(await message.first().innerText()) : '';
  }

  /** Chooses an entry of the row's context menu. */
  async contextAction(label: string, title: string): Promise<void> {
    await this.row(label).click({ button: 'right' });
    await chooseInMenu(this.page, title);
  }

  /** The text of the row's hover. */
  async tooltip(label: string): Promise<string> {
    const hover = this.page.locator('.workbench-hover:visible');
    await this.page.mouse.move(0, 0);
    await eventually('the hover of another row to go', async () => (await hover.count()) === 0);
    await this.row(label).locator('.label-name').hover();
    return plainText(await hover.innerText());
  }

  /** Clicks a button beside the view's title, by the title of its command; those show while the pointer is there. */
  async headerAction(title: string): Promise<void> {
    const own = this.pane.locator('.pane-header');
    // A view that is alone in its container has no header of its own.
    const header = (await own.isVisible()) ? own : this.page.locator('.part.sidebar .composite.title');
    await header.hover();
    await header.locator(`.action-label${labelled(title)}`).click();
  }

  /** The welcome text with the labels of its buttons, line by line. */
  async welcome(): Promise<string> {
    return plainText(await this.pane.locator('.welcome-view-content').innerText());
  }

  async welcomeButton(label: string): Promise<void> {
    await this.pane
      .locator('.welcome-view-content .monaco-button')
      .filter({ hasText: exactly(label) })
      .click();
  }

  private async middle(label: string): Promise<{ x: number; y: number }> {
    const box = await this.row(label).locator('.label-name').boundingBox();
    if (box === null) throw new Error(`The row ${label} is not in view.`);
    return { x: box.x + Math.min(20, box.width / 2), y: box.y + box.height / 2 };
  }

  private row(label: string): Locator {
    const name = this.page.locator('.label-name').filter({ hasText: exactly(...labelsOf(label)) });
    return this.pane.locator('.monaco-list-row').filter({ has: name }).first();
  }

  private async toggle(label: string, open: boolean): Promise<void> {
    const row = this.row(label);
    if ((await row.getAttribute('aria-expanded')) === String(open)) return;
    await row.locator('.monaco-tl-twistie').click();
    await eventually(`${label} to be ${open ? 'open' : 'closed'}`, async () => {
      return (await row.getAttribute('aria-expanded')) === String(open);
    });
  }
}

async function chooseInMenu(page: Page, title: string): Promise<void> {
  const entry = page
    .locator('.monaco-menu .action-label')
    .filter({ hasText: exactly(title) })
    .first();
  await entry.waitFor();
  await eventually(`the menu entry ${title} to be taken`, async () => {
    // A menu takes no clicks in its first moments, lest the click that opened it also chooses.
    if (await entry.isVisible()) await entry.click({ timeout: 1_000 });
    return !(await entry.isVisible());
  });
}
