import type { Locator, Page } from 'playwright-core';
import { eventually } from './eventually.ts';
import { exactly, labelled, matches, type PageElement, plainText } from './page-text.ts';

export interface QuickInputRow {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  /** `undefined` when only one row can be chosen. */
  readonly checked: boolean | undefined;
}

/** The one box at the top of the window: command palette, input box, quick pick, and each step of a multi-step input. */
export class QuickInput {
  private readonly widget: Locator;
  private readonly input: Locator;

  constructor(private readonly page: Page) {
    // While the box fades out it is inert, and no longer open.
    this.widget = page.locator('.quick-input-widget:not([inert])');
    this.input = this.widget.locator('.quick-input-box input');
  }

  isOpen(): Promise<boolean> {
    return this.widget.isVisible();
  }

  /** Waits until the box is open and, where `title` is given, shows that title: the step before may still be there. */
  async waitFor(title?: string | RegExp, timeoutMs?: number): Promise<this> {
    const fits = async () => (await this.isOpen()) && (title === undefined || matches(await this.title(), title));
    await eventually(`the input ${title ?? ''}`, fits, timeoutMs);
    return this;
  }

  /** The title, with the step (`2/3`) where there are several; empty when the box has none. */
  async title(): Promise<string> {
    return plainText(await this.widget.locator('.quick-input-title').innerText());
  }

  /** The text below the input: its prompt, or the validation message that stands in its place. */
  async message(): Promise<string> {
    return plainText(await this.widget.locator('.quick-input-message').innerText());
  }

  /** Whether the text is refused or warned about. */
  async severity(): Promise<'none' | 'info' | 'warning' | 'error'> {
    const classes = (await this.widget.locator('.quick-input-box .monaco-inputbox').getAttribute('class')) ?? '';
    return (['error', 'warning', 'info'] as const).find((severity) => classes.split(' ').includes(severity)) ?? 'none';
  }

  async placeholder(): Promise<string> {
    return (await this.input.getAttribute('placeholder')) ?? '';
  }

  async isPassword(): Promise<boolean> {
    return (await this.input.getAttribute('type')) === 'password';
  }

  value(): Promise<string> {
    return this.input.inputValue();
  }

  async fill(text: string, timeoutMs?: number): Promise<void> {
    await this.input.fill(text, { ...(timeoutMs !== undefined && { timeout: timeoutMs }) });
  }

  /** Types the text in place of what is there and presses Enter. */
  async enter(text: string): Promise<void> {
    await this.fill(text);
    await this.accept();
  }

  async accept(): Promise<void> {
    await this.input.press('Enter');
  }

  async cancel(): Promise<void> {
    await this.page.keyboard.press('Escape');
  }

  /** The rows in view. */
  async rows(): Promise<QuickInputRow[]> {
    return await this.widget.locator('.quick-input-list .monaco-list-row').evaluateAll((rows: PageElement[]) =>
      rows.map((row) => {
        const text = (selector: string) => row.querySelector(selector)?.textContent?.replaceAll('\u00a0', ' ').trim();
        const box = row.querySelector('.quick-input-list-checkbox, [role="checkbox"]');
        const shown = box !== null && box.offsetParent !== null;
        return {
          label: text('.label-name') ?? '',
          description: text('.label-description') ?? '',
          detail: text('.quick-input-list-label-meta') ?? '',
          checked: shown ? box?.getAttribute('aria-checked') === 'true' : undefined,
        };
      }),
    );
  }

  /** The labels of all rows, once the list has come to rest; turns its pages. */
  async allLabels(): Promise<string[]> {
    const labels = new Set<string>();
    const end = this.widget.locator('.quick-input-list .monaco-list-row[data-last-element="true"]');
    let before = '';
    await eventually('the end of the list', async () => {
      const atEnd = (await end.count()) > 0;
      const now = (await this.rows()).map(({ label }) => label);
      const settled = now.length > 0 && now.join() === before;
      before = now.join();
      if (!settled) return false;
      for (const label of now) labels.add(label);
      if (atEnd) return true;
      await this.input.press('PageDown');
      before = '';
      return false;
    });
    return [...labels];
  }

  /**
   * Chooses the row with exactly this label with the keyboard, filtering the list where the row is not in view.
   * Where several rows can be chosen this only ticks it: `accept` ends the choice.
   */
  async pick(label: string, timeoutMs?: number): Promise<void> {
    const list = this.widget.locator('.quick-input-list .monaco-list-row');
    const row = list.filter({ has: this.page.locator('.label-name').filter({ hasText: exactly(label) }) }).first();
    const present = async () => {
      if (await appears(row)) return true;
      // What is typed before the box is ready may vanish while the list stays filtered by it: so clear it first.
      const prefix = (await this.input.inputValue({ timeout: 1_000 })).startsWith('>') ? '>' : '';
      await this.fill(prefix, 1_000);
      await this.fill(prefix + label, 1_000);
      return await appears(row);
    };
    await eventually(`the row ${label}`, present, timeoutMs);
    const focused = this.widget.locator('.quick-input-list .monaco-list-row.focused .label-name');
    const hasFocus = async () => {
      if ((await focused.allInnerTexts()).some((text) => plainText(text) === label)) return true;
      await this.input.press('ArrowDown', { timeout: 1_000 });
      return false;
    };
    await eventually(`the row ${label} to have the focus`, hasFocus, timeoutMs);
    const ticked = (await this.rows()).some((entry) => entry.label === label && entry.checked !== undefined);
    await (ticked ? row.click() : this.accept());
  }

  /** Clicks a button of the title bar, such as `Back`. */
  async button(name: string): Promise<void> {
    await this.widget.locator(`.quick-input-titlebar .action-label${labelled(name)}`).click();
  }
}

async function appears(row: Locator): Promise<boolean> {
  return await row.waitFor({ state: 'visible', timeout: 500 }).then(
    () => true,
    () => false,
  );
}
