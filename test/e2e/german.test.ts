import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accessibilityViolations } from '../support/accessibility.ts';
import { eventually } from '../support/eventually.ts';
import { plainText } from '../support/page-text.ts';
import { packaged } from '../support/vsix.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

const OBJECTIVE = 'Herausfinden, was diesem Garten fehlt';
/** Each part of the panel, the first one last, and what is in it. */
const TABS: readonly (readonly [string, RegExp])[] = [
  ['Aufgaben', /Die erste Aufgabe, erledigt in Iteration 1/],
  ['Aufrufe', /Zeit\s+Agent\s+Aufgabe/],
  ['Antwort', /Die Schlussantwort wird geschrieben, wenn der Lauf endet\./],
  ['Überblick', /Kosten je Iteration/],
];
/** What is read of the page; the project is compiled without the DOM types. */
interface Page {
  readonly textContent: string | null;
  cloneNode(deep: boolean): Page;
  querySelector(selector: string): Page | null;
  querySelectorAll(selector: string): Iterable<Page>;
  remove(): void;
}
const REHEARSE = 'Ziel proben (offline, ohne Kosten)';

describe('VS Code in German', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-german-'));
  const workspace = path.join(root, 'garten');
  let server: VscodeServer;
  let workbench: Workbench;

  before(async () => {
    mkdirSync(workspace, { recursive: true });
    writeFileSync(
      path.join(workspace, 'README.md'),
      '# Garten\n\nBeete, Wege und ein Schuppen. Wohin kommt der Kompost?\n',
    );
    const userSettings = { 'babyagi.reviewEvery': 3 };
    server = await startVscodeServer({
      workspace,
      dataDir: path.join(root, 'data'),
      extensions: [packaged()],
      userSettings,
    });
    workbench = await openWorkbench(server, { language: 'de' });
  });

  after(async () => {
    await workbench?.close();
    await server?.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('has the commands, the list and the status bar in German', async () => {
    await workbench.openView('BabyAGI');
    await workbench.runCommand('BabyAGI: Ziel proben…');
    await (await workbench.quickInput(`${REHEARSE} (1/3)`)).enter(OBJECTIVE);
    await (await workbench.quickInput(`${REHEARSE} (2/3)`)).enter('6');
    await (await workbench.quickInput(`${REHEARSE} (3/3)`)).accept();
    await eventually('the review', async () => {
      const text = await workbench.statusBarItem('babyagi.status').innerText();
      return text.includes('wartet auf Prüfung');
    });
    const hover = workbench.page.locator('.workbench-hover:visible');
    await eventually('the projection', async () => {
      // A hover stays as it was when it opened.
      await workbench.page.mouse.move(640, 200);
      await eventually('the hover to go', async () => (await hover.count()) === 0);
      await workbench.statusBarItem('babyagi.status').hover();
      await hover.first().waitFor();
      const text = plainText((await hover.allInnerTexts()).join());
      assert.match(text, /Reicht( knapp)?: etwa \$/);
      return true;
    });
    await workbench.photograph('german-status');
  });

  it('has the panel in German, and says so to screen readers', async () => {
    await workbench.runCommand('BabyAGI: Übersicht öffnen');
    const panel = await workbench.webviewFrame(OBJECTIVE);
    await panel.getByRole('heading', { name: 'Zwischenprüfung nach Iteration 3' }).waitFor();
    assert.equal(await panel.locator('html').getAttribute('lang'), 'de');
    assert.equal(await panel.locator('.state').innerText(), 'Wartet auf Ihre Prüfung');
    assert.match(await panel.locator('.projection').innerText(), /^Reicht( knapp)?: etwa \$/);
    for (const [index, [tab, part]] of TABS.entries()) {
      await panel.getByRole('tab', { name: tab }).click();
      await eventually(tab, async () => part.test(await panel.locator('#tab-panel').innerText()));
      if (tab === 'Aufrufe') {
        await panel.locator('.calls tbody button').first().click();
        await panel.getByText('ihr sha256 beweist').waitFor();
      }
      await workbench.photograph(`german-panel-${index + 1}`);
    }
    assert.deepEqual(await accessibilityViolations(panel), []);
  });

  it('tells the end, and why it came, without an English sentence', async () => {
    await workbench.runCommand('BabyAGI: Prüfen…');
    await (await workbench.quickInput(/Zwischenprüfung/)).pick('Billigen');
    await workbench.openView('BabyAGI');
    await workbench
      .view('Läufe')
      .waitForRow(/^Herausfinden, was/, /^keine Aufgabe mehr · \d\/6 · \$[\d.]+ von \$1\.00/);
    const panel = await workbench.webviewFrame(OBJECTIVE);
    await panel.locator('.ending').getByText('Keine Aufgabe war mehr zu tun.').waitFor();
    for (const [index, [tab]] of TABS.entries()) {
      await panel.getByRole('tab', { name: tab }).click();
      // What people and models wrote is marked as text of any direction; all else is ours.
      const ours = panel.locator('body').evaluate((body: Page) => {
        const copy = body.cloneNode(true);
        for (const element of copy.querySelectorAll('[dir="auto"], .markdown, pre, script')) element.remove();
        return `${copy.textContent} ${body.querySelector('.ending')?.textContent ?? ''}`;
      });
      assertGerman(plainText(await ours));
      await workbench.photograph(`german-end-${index + 1}`);
    }
    await workbench.runCommand('BabyAGI: Warum hat er angehalten?');
    const why = await workbench.webviewFrame(`Preview Warum er anhielt – ${OBJECTIVE}.md`);
    await why.getByRole('heading', { name: 'Warum er angehalten hat' }).waitFor();
    const text = plainText(await why.locator('body').innerText());
    assert.match(text, /Lesen Sie die Antwort/);
    assertGerman(text);
    await workbench.photograph('german-why');
  });

  /** No word that only English sentences have. */
  function assertGerman(text: string): void {
    const english = /\b(the|of|and|is|are|were|with|for|this|that|to|no|not|it|its|from|after|by)\b/i.exec(text);
    assert.equal(english, null, `${english?.[0]} in: ${text}`);
  }

  it('has the experiments in German', async () => {
    await workbench.openView('BabyAGI');
    await workbench.view('Läufe').fold();
    const experiments = workbench.view('Experimente');
    await experiments.unfold();
    await eventually('the welcome', async () =>
      /Ein Experiment lässt Varianten[^]*Neue Experimentdatei…/.test(await experiments.welcome()),
    );
    await experiments.welcomeButton('Neue Experimentdatei…');
    await (await workbench.quickInput('Neue Experimentdatei (1/7)')).enter(OBJECTIVE);
    await (await workbench.quickInput('Neue Experimentdatei (2/7)')).accept();
    await (await workbench.quickInput('Neue Experimentdatei (3/7)')).pick('Classic gegen guarded');
    for (const [step, text] of [
      [4, '2'],
      [5, '3'],
      [6, '0,5'],
      [7, '2'],
    ] as const)
      await (await workbench.quickInput(`Neue Experimentdatei (${step}/7)`)).enter(text);
    await workbench.notificationButton(/Das Experiment ist aufgeschrieben/, 'Experiment ausführen…');
    const confirm = await workbench.quickInput('Experiment ausführen: Starten?');
    await eventually('the forecast', async () =>
      (await confirm.rows()).some(({ detail }) => detail.startsWith('Vorhersage')),
    );
    await workbench.photograph('german-experiment');
    await confirm.pick('Proben');
    await experiments.waitForRow('Classic against guarded', /^4\/4 · .* · Probe$/);
    await workbench.photograph('german-experiments');
  });
});
