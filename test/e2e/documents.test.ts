import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import type { QuickInput } from '../support/quick-input.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import { packaged } from '../support/vsix.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

const OBJECTIVE = 'Find out what this garden lacks';
const PICTURES = ['runs', 'model', 'limits', 'review', 'rehearse'];
const REHEARSE = 'Rehearse Objective (offline, nothing is spent)';

/** The first steps, and all that can be read of a run: by a person's clicks, in what a user installs. */
describe('documents, archives and first steps in VS Code', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-documents-'));
  const workspace = path.join(root, 'garden');
  const archive = path.join(root, 'garden-run.zip');
  const runs = path.join(workspace, '.babyagi', 'runs');
  let server: VscodeServer;
  let workbench: Workbench;

  before(async () => {
    mkdirSync(workspace, { recursive: true });
    writeFileSync(path.join(workspace, 'README.md'), '# Garden\n\nBeds and paths. Where does the compost go?\n');
    // No key is needed for a server on this machine; nothing is sent to it here.
    const settings = {
      'babyagi.baseUrl': 'http://127.0.0.1:9/v1',
      'babyagi.prices': { '*': { input: 0.4, output: 1.6 } },
    };
    mkdirSync(path.join(root, 'data', 'data', 'Machine'), { recursive: true });
    writeFileSync(path.join(root, 'data', 'data', 'Machine', 'settings.json'), JSON.stringify(settings));
    server = await startVscodeServer({
      workspace,
      dataDir: path.join(root, 'data'),
      extensions: [packaged()],
    });
    workbench = await openWorkbench(server);
  });

  after(async () => {
    await workbench?.close();
    await server?.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('begins with a walkthrough, to which the empty view leads', async () => {
    await workbench.openView('BabyAGI');
    await eventually('the link', async () => /Get Started/.test(await workbench.view('Runs').welcome()));
    await workbench.runCommand('BabyAGI: Get Started');
    const steps = workbench.page.locator('.gettingStartedContainer .step-title');
    const shown = async () => (await steps.allInnerTexts()).map((text) => text.trim());
    await eventually('five steps', async () => (await shown()).length === 5);
    assert.deepEqual(await shown(), [
      'See where runs are',
      'Choose a model',
      'Set limits',
      'Have it wait for you',
      'Rehearse a run',
    ]);
    // There is room for the pictures only then.
    await workbench.runCommand('View: Toggle Primary Side Bar Visibility');
    for (const [index, name] of PICTURES.entries()) {
      await steps.nth(index).click();
      await eventually(`the picture of ${name}`, async () => {
        const pages = await Promise.all(workbench.page.frames().map((frame) => frame.content().catch(() => '')));
        return pages.some((page) => page.includes(aPathOf(name)));
      });
      await workbench.photograph(`walkthrough-${name}`);
    }
    await workbench.runCommand('View: Toggle Primary Side Bar Visibility');
  });

  it('shows the log while the run is in progress, a line for each event', async () => {
    await workbench.runCommand('BabyAGI: Rehearse Objective…');
    await (await workbench.quickInput(`${REHEARSE} (1/3)`)).enter(OBJECTIVE);
    await (await workbench.quickInput(`${REHEARSE} (2/3)`)).enter('4');
    await (await workbench.quickInput(`${REHEARSE} (3/3)`)).accept();
    await workbench.view('Runs').waitForRow(OBJECTIVE, /running/);
    await workbench.runCommand('View: Close All Editors');
    await workbench.runCommand('BabyAGI: Open Log');
    // Nobody touches it: the end comes into view by itself.
    await eventually(
      'the end of the log',
      async () => /\brun\.ended\b/.test(await workbench.activeEditorText()),
      60_000,
    );
    await workbench.photograph('log');
    const tabs = await workbench.editorTabs();
    assert.deepEqual(
      tabs.map(({ label }) => label),
      [`${OBJECTIVE}.log`],
    );
    await workbench.page.keyboard.press('Control+Home');
    await eventually('the heading', async () =>
      /^time \(UTC\) +event +task +agent +cost +what\n\d{4}-\d\d-\d\d\n[\d:.]{12} +run\.created/.test(
        await workbench.activeEditorText(),
      ),
    );
    await workbench.runCommand('Fold All');
    await eventually('the iterations to be folded', async () => {
      const text = await workbench.activeEditorText();
      return (text.match(/task\.started/g) ?? []).length === 4 && !text.includes('task.completed');
    });
    await workbench.photograph('log-folded');
  });

  it('leads from the log to the file', async () => {
    await workbench.page.locator('.editor-actions .action-label[aria-label^="Open Raw Log"]').click();
    await eventually('the file', async () => /"type":"run\.created"/.test(await workbench.activeEditorText()));
    await workbench.runCommand('View: Close All Editors');
  });

  it('says why a run stopped', async () => {
    await workbench.runCommand('BabyAGI: Why Did It Stop?');
    const frame = await workbench.webviewFrame(`Preview Why it stopped – ${OBJECTIVE}.md`);
    await frame.locator('h1', { hasText: 'Why it stopped' }).waitFor();
    const text = await frame.locator('body').innerText();
    assert.match(text, /The run ended: (max_iterations|queue_empty)\./);
    assert.match(text, /What to do now/);
    await workbench.photograph('why');
    await workbench.runCommand('View: Close All Editors');
  });

  it('shows a run in a read-only editor of its summary.json', async () => {
    const [folder = ''] = readdirSync(runs);
    await workbench.runCommand('File: Open File...');
    await choose(await workbench.quickInput(/Open File/), path.join(runs, folder, 'summary.json'));
    await eventually('the text', async () => (await workbench.activeEditorText()).includes('"stop_reason"'));
    await workbench.runCommand('View: Reopen Editor With...');
    await (await workbench.quickInput()).pick('BabyAGI Summary');
    const shown = async () => {
      for (const frame of workbench.page.frames()) {
        const text = await frame
          .locator('body')
          .innerText({ timeout: 500 })
          .catch(() => '');
        if (text.includes(OBJECTIVE) && text.includes('Tasks')) return true;
      }
      return false;
    };
    await eventually('the summary', shown);
    await workbench.photograph('run-editor');
    await workbench.runCommand('View: Close All Editors');
  });

  it('exports the run, and takes the archive in again elsewhere', async () => {
    await workbench.runCommand('BabyAGI: Export Run Archive…');
    const save = await workbench.quickInput('Export Run Archive');
    await eventually('a name', async () => /\/\d{8}T\d{6}Z-find-out.*\.zip$/.test(await save.value()));
    await workbench.photograph('export');
    await choose(save, archive, path.basename(workspace));
    await workbench.waitForNotification(/The archive was written to .*garden-run\.zip \(\d+ files, 0\.\d\d MB\)/);
    assert.ok(existsSync(archive));

    const [folder = ''] = readdirSync(runs);
    rmSync(path.join(runs, folder), { recursive: true });
    await workbench.runCommand('BabyAGI: Refresh Runs');
    await eventually('no run', async () => (await workbench.view('Runs').rows()).length === 0);
    await workbench.runCommand('BabyAGI: Import Run Archive…');
    await choose(await workbench.quickInput('Import Run Archive'), archive);
    await workbench.waitForNotification(/The run was imported to .* not resumed/);
    assert.deepEqual(readdirSync(runs), [folder]);
    const view = workbench.view('Runs');
    await view.waitForRow(OBJECTIVE, /imported$/);
    await (await workbench.webviewFrame(OBJECTIVE)).locator('h1').waitFor();
    await workbench.photograph('import');
  });

  it('forks the imported run: another strategy goes on from its second iteration', async () => {
    const view = workbench.view('Runs');
    await view.contextAction(OBJECTIVE, 'Fork Run…');
    const first = await workbench.quickInput('Fork Run (1/7)');
    assert.equal(await first.value(), '4');
    await first.fill('5');
    await first.accept();
    await eventually('the refusal', async () => (await first.message()).includes('Give a whole number from 1 to 4.'));
    await first.enter('2');
    await (await workbench.quickInput('Fork Run (2/7)')).pick('classic');
    const model = await workbench.quickInput('Fork Run (3/7)');
    await workbench.photograph('fork-model');
    await model.pick('Rehearsal');
    const iterations = await workbench.quickInput('Fork Run (4/7)');
    await iterations.fill('2');
    await iterations.accept();
    await eventually('the refusal', async () => (await iterations.message()).includes('Give more than 2.'));
    await iterations.enter('3');
    await (await workbench.quickInput('Fork Run (5/7)')).enter('0.5');
    await (await workbench.quickInput('Fork Run (6/7)')).accept();
    const confirm = await workbench.quickInput('Fork Run: Start? (7/7)');
    await workbench.photograph('fork-confirm');
    await confirm.pick('Start');
    const ended = () => readdirSync(runs).filter((name) => existsSync(path.join(runs, name, 'summary.json')));
    await eventually('the end of the fork', () => Promise.resolve(ended().length === 2));
    const configs = ended().map(
      (name) =>
        JSON.parse(readFileSync(path.join(runs, name, 'config.json'), 'utf8')) as {
          run_id: string;
          strategy: string;
          embedding: object;
          parameters: object;
          forked_from?: { run_id: string; iteration: number };
        },
    );
    const fork = configs.find(({ forked_from }) => forked_from !== undefined);
    const parent = configs.find(({ forked_from }) => forked_from === undefined);
    assert.equal(fork?.strategy, 'classic');
    assert.equal(parent?.strategy, 'guarded');
    assert.deepEqual([fork?.embedding, fork?.parameters], [parent?.embedding, parent?.parameters]);
    assert.deepEqual([fork?.forked_from?.run_id, fork?.forked_from?.iteration], [parent?.run_id, 2]);
  });

  it('shows a forecast before a run is started, when it is there', async () => {
    await workbench.runCommand('BabyAGI: Run Objective…');
    for (const [step, text] of ['Plan a small garden', '', 'gpt-4o', '3', '0.5', '60'].entries()) {
      await (await workbench.quickInput(`Run Objective (${step + 1}/7)`)).enter(text);
    }
    const confirm = await workbench.quickInput('Run Objective: Start? (7/7)');
    const start = async () => (await confirm.rows()).find(({ label }) => label === 'Start');
    await eventually('the forecast', async () =>
      /^Forecast: about \$0\.\d+ for 3 iterations, up to \$0\.\d+ if no request has to be repeated$/.test(
        (await start())?.detail ?? '',
      ),
    );
    await workbench.photograph('forecast');
    await confirm.cancel();
  });

  it('shows no errors', () => {
    // Behind its own front end this server would hand out a key for the secret storage of the browser.
    const errors = workbench.consoleErrors().filter((error) => !/405 \(Method Not Allowed\)/.test(error));
    assert.deepEqual(errors, []);
  });
});

/** Takes the file in a dialog that reads folders while one types: what is typed meanwhile may be lost, as for a person. */
async function choose(dialog: QuickInput, file: string, row = path.basename(file)): Promise<void> {
  const listed = async () => (await dialog.rows()).some(({ label }) => label === row);
  const typed = async () => {
    await dialog.fill('');
    await dialog.fill(file);
    return eventually(`${row} in the list`, listed, 5_000);
  };
  await eventually(`${row} to be chosen`, typed);
  await dialog.accept();
  await eventually('the dialog to close', async () => !(await dialog.isOpen()));
}

/** Something that only this picture has. */
function aPathOf(picture: string): string {
  const svg = readFileSync(path.join('media', 'walkthrough', `${picture}.svg`), 'utf8');
  return / d="([^"]+)"/g.exec(svg)?.[1] ?? '';
}
