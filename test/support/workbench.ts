import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Browser, chromium, type Frame, type FrameLocator, type Locator, type Page } from 'playwright-core';
import { ensureChromium } from '../../scripts/chromium.mjs';
import { concernsExtension } from './console-errors.ts';
import { eventually } from './eventually.ts';
import { type Notification, readNotification } from './notification.ts';
import { exactly, labelled, matches, type PageElement, plainText } from './page-text.ts';
import { QuickInput } from './quick-input.ts';
import { SYSTEM_CONTRAST, THEMES, type Theme } from './theme.ts';
import { TreeView } from './tree-view.ts';
import type { VscodeServer } from './vscode-server.ts';

const BROWSER_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Nothing but this machine can be reached, so no test comes to depend on the network.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

export interface WorkbenchOptions {
  /** Default 1280 × 800. */
  readonly viewport?: { readonly width: number; readonly height: number };
  /** The display language for extensions, such as `de`; VS Code's own texts stay English. */
  readonly language?: string;
  /** More pairs for the page's `payload` parameter, such as `['openFile', 'vscode-remote://…']`. */
  readonly payload?: readonly (readonly [string, string])[];
}

/** Opens the server's workspace in a headless browser of its own and waits until VS Code is drawn. */
export async function openWorkbench(server: VscodeServer, options: WorkbenchOptions = {}): Promise<Workbench> {
  const browser = await chromium.launch({ executablePath: await ensureChromium(), args: BROWSER_FLAGS });
  const page = await browser.newPage({ viewport: options.viewport ?? { width: 1280, height: 800 } });
  await page.addInitScript(SYSTEM_CONTRAST);
  if (options.language !== undefined) {
    // What a language pack of VS Code would set; this server brings none.
    await page.addInitScript(`globalThis._VSCODE_NLS_LANGUAGE = ${JSON.stringify(options.language)};`);
  }
  const workbench = new Workbench(browser, page);
  try {
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.goto(withPayload(server.url, options.payload ?? []));
    await workbench.waitUntilDrawn();
    return workbench;
  } catch (error) {
    await workbench.screenshot('workbench-did-not-open');
    await workbench.close();
    throw error;
  }
}

/** One window of VS Code, used as a person uses it. Every method waits for what it needs, up to Playwright's 30 s. */
export class Workbench {
  private readonly errors: string[] = [];

  constructor(
    private readonly browser: Browser,
    readonly page: Page,
  ) {
    page.on('pageerror', (error) => this.errors.push(error.message));
    page.on('console', (message) => {
      const { url } = message.location();
      if (message.type() === 'error' && concernsExtension(message.text(), url)) this.errors.push(message.text());
    });
  }

  async waitUntilDrawn(): Promise<void> {
    await this.page.locator('.monaco-workbench .part.statusbar .statusbar-item').first().waitFor();
  }

  /** Runs the command with exactly this title (`Category: Title`) from the command palette. */
  async runCommand(title: string): Promise<void> {
    const palette = new QuickInput(this.page);
    // A message that takes the focus closes the palette: then all begins again.
    await eventually(`the command ${title}`, async () => {
      await this.openPalette(palette, title);
      await palette.pick(title, 5_000);
      return true;
    });
  }

  private async openPalette(palette: QuickInput, title: string): Promise<void> {
    // The window takes keys a little later than it is drawn, so the first may be lost.
    await eventually('the command palette', async () => {
      const open = (await palette.isOpen()) && (await palette.value()).startsWith('>');
      if (!open) await this.page.keyboard.press('F1');
      await palette.waitFor('', 3_000);
      await palette.fill(`>${title}`, 1_000);
      return true;
    });
  }

  /** The titles (`Category: Title`) of all commands of a category that the command palette has. */
  async offeredCommands(category: string): Promise<string[]> {
    const palette = new QuickInput(this.page);
    await this.openPalette(palette, `${category}: `);
    const labels = await palette.allLabels();
    await palette.cancel();
    return labels.filter((label) => label.startsWith(`${category}: `));
  }

  /** Waits for an input box or a quick pick, with this title where one is given. */
  quickInput(title?: string | RegExp): Promise<QuickInput> {
    return new QuickInput(this.page).waitFor(title);
  }

  /** Runs a command that asks. A window that has just opened may close the first question: a person would ask again. */
  ask(command: string, title: string | RegExp): Promise<QuickInput> {
    return eventually(`the question ${title}`, async () => {
      await this.runCommand(command);
      return await new QuickInput(this.page).waitFor(title, 8_000);
    });
  }

  /** Shows a view container by its title in the activity bar; does nothing when it is already shown. */
  async openView(containerTitle: string): Promise<TreeView> {
    const item = this.viewContainer(containerTitle);
    if ((await item.getAttribute('aria-expanded')) !== 'true') await item.click();
    return new TreeView(this.page, containerTitle);
  }

  /** The number on a view container's icon, as text; empty when there is none. */
  async badge(containerTitle: string): Promise<string> {
    return plainText(await this.viewContainer(containerTitle).locator('.badge-content').innerText());
  }

  /** A view of the side bar by its title. */
  view(title: string): TreeView {
    return new TreeView(this.page, title);
  }

  /** The toasts on screen, newest first. */
  async notifications(): Promise<Notification[]> {
    const toasts = await this.page.locator('.notifications-toasts .notification-list-item').all();
    const read = await Promise.all(toasts.map((toast) => readNotification(toast)));
    return read.filter((each) => each !== null);
  }

  /** Waits for a toast that says this. */
  waitForNotification(text: string | RegExp): Promise<Notification> {
    return eventually(`the notification ${text}`, async () =>
      (await this.notifications()).find((notification) => matches(notification.text, text)),
    );
  }

  /** Waits for a toast that says this and clicks one of its buttons; `Clear Notification` closes it. */
  async notificationButton(text: string | RegExp, button: string): Promise<void> {
    const { text: whole } = await this.waitForNotification(text);
    const message = this.page.locator('.notification-list-item-message').filter({ hasText: exactly(whole) });
    const toast = this.page.locator('.notifications-toasts .notification-list-item').filter({ has: message }).first();
    const named = toast.locator('.monaco-button').filter({ hasText: exactly(button) });
    // The buttons of its corner show while the pointer is there.
    await toast.hover();
    await named
      .or(toast.locator(`.action-label[aria-label^="${button}"]`))
      .first()
      .click();
  }

  /** Waits for a modal dialog and reads it. */
  async dialog(): Promise<{ message: string; detail: string; buttons: string[] }> {
    const box = this.page.locator('.monaco-dialog-box');
    const message = plainText(await box.locator('.dialog-message-text').innerText());
    const detail = box.locator('.dialog-message-detail');
    const buttons = await box.locator('.dialog-buttons .monaco-button').allInnerTexts();
    return { message, detail: (await detail.count()) > 0 ? plainText(await detail.innerText()) : '', buttons };
  }

  async dialogButton(label: string): Promise<void> {
    await this.page
      .locator('.monaco-dialog-box .monaco-button')
      .filter({ hasText: exactly(label) })
      .click();
  }

  /** A status bar item by the id that the extension gave it, or by a part of its text: to read and to click. */
  statusBarItem(idOrText: string): Locator {
    const items = this.page.locator('.part.statusbar .statusbar-item');
    const byId = this.page.locator(`.part.statusbar .statusbar-item[id$="${idOrText.replaceAll('"', '')}"]`);
    return byId.or(items.filter({ hasText: idOrText })).first();
  }

  async editorTabs(): Promise<{ label: string; active: boolean; dirty: boolean }[]> {
    const tabs = await this.page.locator('.part.editor .tab[role="tab"]').evaluateAll((elements: PageElement[]) =>
      elements.map((tab) => ({
        label: `${tab.querySelector('.label-name')?.textContent ?? ''}${tab.querySelector('.label-suffix')?.textContent ?? ''}`,
        active: tab.getAttribute('aria-selected') === 'true',
        dirty: (tab.getAttribute('class') ?? '').split(' ').includes('dirty'),
      })),
    );
    return tabs.map((tab) => ({ ...tab, label: plainText(tab.label) }));
  }

  /** The lines of the active text editor that are in view. */
  async activeEditorText(): Promise<string> {
    const group = this.page.locator('.part.editor .editor-group-container.active');
    const lines = await group.locator('.monaco-editor .view-line').evaluateAll((elements: PageElement[]) =>
      elements.map((line) => ({
        top: Number(/top:\s*([\d.]+)px/.exec(line.getAttribute('style') ?? '')?.[1]),
        text: line.textContent ?? '',
      })),
    );
    const inOrder = lines.sort((a, b) => a.top - b.top);
    return inOrder.map((line) => line.text.replaceAll('\u00a0', ' ').trimEnd()).join('\n');
  }

  /** The line of the active text editor that the cursor is in; empty where it is not in view. */
  async activeLine(): Promise<string> {
    const group = this.page.locator('.part.editor .editor-group-container.active');
    const topOf = (elements: PageElement[]) =>
      elements.map((element) => /top:\s*([\d.]+)px/.exec(element.getAttribute('style') ?? '')?.[1] ?? '');
    const [top] = await group
      .locator('.margin-view-overlays > div', { has: this.page.locator('.active-line-number') })
      .evaluateAll(topOf);
    const line = group.locator(`.view-line[style*="top:${top}px"], .view-line[style*="top: ${top}px"]`).first();
    return top === undefined || (await line.count()) === 0 ? '' : plainText((await line.textContent()) ?? '');
  }

  /** Waits for the webview with this title and returns its document; it stays valid when the HTML is set anew. */
  async webviewFrame(title: string): Promise<FrameLocator> {
    const name = await eventually(`the webview ${title}`, async () => {
      for (const frame of this.page.frames()) {
        const container = frame.parentFrame();
        if (container === null || container === this.page.mainFrame()) continue;
        const document = container.locator('#active-frame');
        if ((await document.getAttribute('title', { timeout: 500 })) === title) return container.name();
      }
      return undefined;
    });
    return this.page.frameLocator(`iframe[name="${name}"]`).frameLocator('#active-frame');
  }

  /** The window and the webviews in it change at once; what is open stays open, also a menu or a hover. */
  async setTheme(theme: Theme): Promise<void> {
    const { label, scheme, contrast, window, webview } = THEMES[theme];
    await this.page.emulateMedia({ colorScheme: scheme });
    await this.page.evaluate(`setSystemContrast(${contrast})`);
    await this.page.locator(`.monaco-workbench.${window}`).waitFor();
    await eventually(`${label} in every webview`, async () => {
      const shown = await Promise.all(this.page.frames().map(themeOf));
      return shown.every((each) => each === null || each === webview);
    });
  }

  /** Writes `out/screenshots/<name>-<theme>.png` for every theme, and has each looked at; the dark one stays. */
  async photograph(name: string, lookAt?: (theme: Theme) => Promise<void>): Promise<void> {
    for (const theme of ['light', 'hc-light', 'hc-dark', 'dark'] as const) {
      await this.setTheme(theme);
      await this.screenshot(`${name}-${theme}`);
      await lookAt?.(theme);
    }
  }

  /** Writes `out/screenshots/<name>.png` and returns its path. */
  async screenshot(name: string): Promise<string> {
    const file = path.resolve('out', 'screenshots', `${name}.png`);
    mkdirSync(path.dirname(file), { recursive: true });
    await this.page.screenshot({ path: file, animations: 'disabled', caret: 'hide' });
    return file;
  }

  /** Waits until VS Code has kept this of its open editors. In a browser it does so every few seconds, and not on leaving. */
  async waitUntilSaved(what: RegExp): Promise<void> {
    await eventually(`${what} to be saved`, async () => what.test(await this.page.evaluate<string>(SAVED_EDITORS)));
  }

  /** Reloads the window: the extension host ends and a new one starts. */
  async reload(): Promise<void> {
    await this.page.reload();
    await this.waitUntilDrawn();
  }

  /** Uncaught errors of the page and its webviews, and errors on the console that concern extensions. */
  consoleErrors(): string[] {
    return [...this.errors];
  }

  async close(): Promise<void> {
    await this.browser.close();
  }

  private viewContainer(title: string): Locator {
    // The label goes on with a shortcut, or with the text of the badge after a dash.
    const label = `${labelled(title)}, [aria-label^="${title} - "]`;
    return this.page
      .locator('.activitybar [role="tab"]')
      .filter({ has: this.page.locator(`.action-label:is(${label})`) });
  }
}

/** Resolves to what a window has written down of its editors, and of the state of webviews in them. */
const SAVED_EDITORS = `(async () => {
  const result = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  let text = '';
  for (const { name } of await indexedDB.databases()) {
    if (!name.startsWith('vscode-web-state-db-')) continue;
    const database = await result(indexedDB.open(name));
    const table = database.transaction('ItemTable').objectStore('ItemTable');
    text += (await result(table.get('memento/workbench.parts.editor'))) ?? '';
    database.close();
  }
  return text;
})()`;

/** What VS Code writes into the page of a webview; null anywhere else. */
function themeOf(frame: Frame): Promise<string | null> {
  return frame
    .locator('body')
    .getAttribute('data-vscode-theme-kind', { timeout: 500 })
    .catch(() => null);
}

function withPayload(url: string, more: readonly (readonly [string, string])[]): string {
  if (more.length === 0) return url;
  const whole = new URL(url);
  const payload = JSON.parse(whole.searchParams.get('payload') ?? '[]') as [string, string][];
  whole.searchParams.set('payload', JSON.stringify([...payload, ...more]));
  return whole.href.replaceAll('+', '%20');
}
