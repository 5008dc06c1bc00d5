import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { brain } from '../support/brain.ts';
import { eventually } from '../support/eventually.ts';
import { type ModelServer, startModelServer } from '../support/model-server.ts';
import type { TreeView } from '../support/tree-view.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import { packaged } from '../support/vsix.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

const NAME = 'Classic against guarded';
const FILE = 'classic-against-guarded.experiment.json';

/** What a person does with an experiment, by clicks. */
describe('an experiment in VS Code', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-experiments-'));
  const workspace = path.join(root, 'garden');
  const dataDir = path.join(root, 'data');
  let model: ModelServer;
  let server: VscodeServer;
  let workbench: Workbench;
  let experiments: TreeView;

  before(async () => {
    mkdirSync(workspace, { recursive: true });
    const beds = Array.from(
      { length: 40 },
      (_, at) => `## Bed ${at + 1}\n\nWhat grows in bed ${at + 1}? TODO: water it.\n`,
    );
    writeFileSync(path.join(workspace, 'README.md'), `# Garden\n\n${beds.join('\n')}`);
    model = await startModelServer({ reply: brain() });
    const machine = { 'babyagi.baseUrl': model.baseUrl, 'babyagi.prices': { '*': { input: 1, output: 2 } } };
    mkdirSync(path.join(dataDir, 'data', 'Machine'), { recursive: true });
    writeFileSync(path.join(dataDir, 'data', 'Machine', 'settings.json'), JSON.stringify(machine));
    const userSettings = { 'babyagi.maxCostUsd': 2, 'babyagi.maxWallTimeMinutes': 77 };
    server = await startVscodeServer({ workspace, dataDir, extensions: [packaged()], userSettings });
    workbench = await openWorkbench(server);
    experiments = workbench.view('Experiments');
  });

  after(async () => {
    await workbench?.close();
    await server?.close();
    await model?.close();
    rmSync(root, { recursive: true, force: true });
  });

  const folders = () => {
    const folder = path.join(workspace, '.babyagi', 'experiments');
    return existsSync(folder) ? readdirSync(folder).map((name) => path.join(folder, name)) : [];
  };
  const answer = async (step: string, text?: string) => {
    const input = await workbench.quickInput(`New Experiment File (${step})`);
    await (text === undefined ? input.accept() : input.enter(text));
  };
  const trials = async () => (await experiments.rows()).filter(({ level }) => level === 3);

  it('is begun from the view, which is folded while there is none', async () => {
    await workbench.openView('BabyAGI');
    await experiments.unfold();
    await eventually('the welcome', async () =>
      /New Experiment File…[^]*Run Experiment…/.test(await experiments.welcome()),
    );
    await workbench.photograph('experiments-welcome');
    await workbench.view('Runs').fold();
  });

  it('is written down as a file by a few questions', async () => {
    await experiments.welcomeButton('New Experiment File…');
    await answer('1/7', 'Find out what this garden lacks');
    await answer('2/7', 'Guarded does no task twice');
    await (await workbench.quickInput('New Experiment File (3/7)')).pick('Another model');
    const other = await workbench.quickInput('New Experiment File (4/8)');
    await other.enter('gpt-4.1-mini-2025-04-14');
    await eventually('the refusal', async () => /same model/.test(await other.message()));
    await other.button('Back');
    await (await workbench.quickInput('New Experiment File (3/8)')).pick(NAME);
    await answer('4/7', '4');
    await answer('5/7', '12');
    const each = await workbench.quickInput('New Experiment File (6/7)');
    assert.equal(await each.value(), '2');
    await each.enter('0.5');
    const total = await workbench.quickInput('New Experiment File (7/7)');
    assert.equal(await total.value(), '4');
    await total.enter('0.4');
    await eventually('the refusal', async () => /from \$0\.50/.test(await total.message()));
    await total.enter('2');
    await eventually('the file', () => existsSync(path.join(workspace, FILE)));
    const file = JSON.parse(readFileSync(path.join(workspace, FILE), 'utf8')) as Record<string, unknown>;
    assert.deepEqual(file, {
      name: NAME,
      hypothesis: 'Guarded does no task twice',
      objective: 'Find out what this garden lacks',
      trials: 4,
      seed: 42,
      limits: { max_iterations: 12, max_cost_usd: 0.5 },
      max_total_cost_usd: 2,
      common: {
        model: 'gpt-4.1-mini-2025-04-14',
        embedding_model: 'text-embedding-3-small',
        sleep_interval: 0,
      },
      variants: [
        { name: 'classic', settings: { strategy: 'classic' } },
        { name: 'guarded', settings: { strategy: 'guarded' } },
      ],
    });
    await eventually('the editor', async () => (await workbench.editorTabs()).some(({ label }) => label === FILE));
    await workbench.photograph('experiment-file');
  });

  it('says all that is wrong in a file at once, and where', async () => {
    const wrong = {
      ...(JSON.parse(readFileSync(path.join(workspace, FILE), 'utf8')) as object),
      name: 'Wrong',
      trials: 0,
      limits: { max_iterations: 12, max_cost_usd: 3, max_wall_time: 90 },
      variants: [
        { name: 'near', settings: { base_url: 'https://elsewhere.example/v1' } },
        { name: 'cheap', settings: { free_server: true } },
      ],
    };
    writeFileSync(path.join(workspace, 'wrong.experiment.json'), JSON.stringify(wrong));
    await workbench.runCommand('View: Close All Editors');
    await workbench.runCommand('BabyAGI: Run Experiment…');
    await (await workbench.quickInput('Run Experiment')).pick('wrong.experiment.json');
    const { message, detail } = await workbench.dialog();
    assert.equal(message, 'wrong.experiment.json cannot be run, as there are 5 problems.');
    for (const part of [
      'trials must be at least 1.',
      'limits.max_cost_usd: the cost limit 3 is above the setting babyagi.maxCostUsd, which is 2',
      'limits.max_wall_time: the time limit 90 is above the setting babyagi.maxWallTimeMinutes, which is 77',
      'variant "near": base_url: requests would go to "https://elsewhere.example/v1"',
      'variant "cheap": free_server: in VS Code servers that cost nothing',
    ])
      assert.ok(detail.includes(part), `${part} in ${detail}`);
    await workbench.photograph('experiment-problems');
    await workbench.dialogButton('Open File');
    await eventually('the file', async () =>
      (await workbench.editorTabs()).some(({ label }) => label === 'wrong.experiment.json'),
    );
    rmSync(path.join(workspace, 'wrong.experiment.json'));
    await workbench.runCommand('View: Close All Editors');
  });

  it('shows what would run and what it may cost, and is rehearsed', async () => {
    await workbench.runCommand('BabyAGI: Run Experiment…');
    const confirm = await workbench.quickInput('Run Experiment: Start?');
    await eventually('the forecast', async () =>
      (await confirm.rows()).some(({ detail }) => detail.startsWith('Forecast: about $')),
    );
    const rows = await confirm.rows();
    const said = (label: string) => rows.find((row) => row.label.includes(label));
    assert.equal(said('Start')?.description, '8 runs, at most $2.00 in all');
    assert.equal(said('classic')?.description, 'baseline · 4 times · classic, gpt-4.1-mini-2025-04-14');
    assert.equal(said('classic')?.detail, 'each at most 12 iterations, $0.50, 77 min');
    assert.ok(said(`Server: ${new URL(model.baseUrl).host}`));
    await workbench.photograph('experiment-confirm');
    await confirm.pick('Rehearse');
    await experiments.waitForRow(NAME, /^0\/8 · .* of \$2\.00 · running · rehearsal/);
    await eventually('a trial that runs beside one that waits', async () => {
      const all = (await trials()).map(({ description }) => description);
      return all.some((each) => / · running · /.test(each)) && all.some((each) => each.startsWith('waiting · '));
    });
    await workbench.photograph('experiments-running');
  });

  it('stops at a click', async () => {
    await experiments.waitForRow(NAME, /^1\/8 /);
    await experiments.inlineAction(NAME, 'Stop Experiment');
    await experiments.waitForRow(NAME, /^[123]\/8 · .* · not finished · rehearsal/);
    await workbench.notificationButton(/^Experiment “Classic against guarded”: It was stopped\./, 'Clear Notification');
    await eventually('a trial without a result', async () =>
      (await trials()).some(({ description }) => description.startsWith('no result: stopped')),
    );
    await workbench.photograph('experiments-stopped');
  });

  it('goes on at a click, and is shown in another window, which can stop it', async () => {
    const other = await openWorkbench(server);
    try {
      await other.openView('BabyAGI');
      const there = other.view('Experiments');
      await there.unfold();
      await there.waitForRow(NAME, / · not finished · /);
      await experiments.inlineAction(NAME, 'Go On with Experiment');
      await there.waitForRow(NAME, / · in progress in another process · rehearsal$/);
      await there.inlineAction(NAME, 'Stop Experiment');
      await experiments.waitForRow(NAME, / · not finished · /);
      await there.waitForRow(NAME, / · not finished · /);
      assert.deepEqual(await other.notifications(), []);
    } finally {
      await other.close();
    }
    await workbench.notificationButton(/^Experiment “Classic against guarded”: It was stopped\./, 'Go On');
    await experiments.waitForRow(NAME, / · running · /);
  });

  it('goes on by itself after a reload in the middle', async () => {
    await eventually('a trial that runs', async () =>
      (await trials()).some(({ description }) => / · running · /.test(description)),
    );
    await workbench.reload();
    await workbench.openView('BabyAGI');
    await experiments.unfold();
    await experiments.waitForRow(NAME, /^8\/8 · \$0\.\d+ of \$2\.00 · rehearsal$/);
    const [folder = '', ...others] = folders();
    assert.deepEqual(others, []);
    assert.equal(readdirSync(path.join(folder, 'runs')).length, 8);
  });

  it('tells the end, and shows its report', async () => {
    const end = await workbench.waitForNotification(/It is complete\. 8 of 8 trials have a result/);
    assert.deepEqual(end.buttons, ['Open Report']);
    await workbench.photograph('experiment-end');
    await workbench.notificationButton(/It is complete\./, 'Open Report');
    await workbench.webviewFrame('Preview report.md');
    const report = await workbench.webviewFrame('Preview report.md');
    await report.getByText('Guarded does no task twice', { exact: false }).first().waitFor();
    await workbench.photograph('experiment-report');
  });

  it('says more in its hovers, and opens the summary of a trial, which is for looking', async () => {
    await workbench.runCommand('View: Close All Editors');
    await experiments.expand(NAME);
    await experiments.expand('classic');
    assert.match(
      await experiments.tooltip(NAME),
      /Hypothesis: Guarded does no task twice[^]*classic \(baseline\): strategy: classic/,
    );
    await workbench.photograph('experiments-complete');
    await experiments.click('Trial 1');
    const panel = await workbench.webviewFrame('Find out what this garden lacks');
    await panel.getByText('The run is a trial of an experiment', { exact: false }).first().waitFor();
    assert.equal(await panel.getByRole('button', { name: 'Resume' }).count(), 0);
    await workbench.photograph('experiment-trial');
    await workbench.waitUntilSaved(/babyagi\.summary/);
    await workbench.reload();
    const again = await workbench.webviewFrame('Find out what this garden lacks');
    await again.getByText('The run is a trial of an experiment', { exact: false }).first().waitFor();
  });

  it('asks the server of the settings, within the caps', async () => {
    assert.equal(model.bill.length, 0);
    const file = {
      ...(JSON.parse(readFileSync(path.join(workspace, FILE), 'utf8')) as object),
      name: 'On a server',
      trials: 1,
      limits: { max_iterations: 2, max_cost_usd: 0.1 },
      max_total_cost_usd: 0.2,
    };
    writeFileSync(path.join(workspace, 'server.experiment.json'), JSON.stringify(file));
    await workbench.runCommand('BabyAGI: Run Experiment…');
    await (await workbench.quickInput('Run Experiment')).pick('server.experiment.json');
    await (await workbench.quickInput('Run Experiment: Start?')).pick('Start');
    await experiments.waitForRow('On a server', /^2\/2 · \$0\.\d+ of \$0\.20$/);
    assert.ok(model.bill.length > 0);
    await workbench.notificationButton(/^Experiment “On a server”: It is complete\./, 'Clear Notification');
  });

  it('shows one that a terminal or another window works on, without errors', async () => {
    const [folder = ''] = folders().sort();
    const record = JSON.parse(readFileSync(path.join(folder, 'experiment.json'), 'utf8')) as { spec: { name: string } };
    const copy = path.join(path.dirname(folder), '20990101T000000Z-copied-0000');
    mkdirSync(path.join(copy, 'claims'), { recursive: true });
    record.spec.name = 'From a repository';
    writeFileSync(path.join(copy, 'experiment.json'), JSON.stringify(record));
    await workbench.openView('BabyAGI');
    await experiments.waitForRow('From a repository', /^0\/8 · \$0\.00 of \$2\.00 · not finished/);
    await experiments.inlineAction('From a repository', 'Go On with Experiment');
    const { message, detail } = await workbench.dialog();
    assert.match(message, /not started by VS Code on this machine/);
    assert.match(detail, /Cost cap of all runs: \$2\.00/);
    await workbench.dialogButton('Cancel');
    await experiments.waitForRow('From a repository', /not finished/);
    assert.deepEqual(
      workbench.consoleErrors().filter((error) => !/405 \(Method Not Allowed\)/.test(error)),
      [],
    );
  });
});
