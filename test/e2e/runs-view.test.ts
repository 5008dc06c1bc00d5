import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { eventsOf } from '../support/one-run.ts';
import { seedRun } from '../support/seeded-runs.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import type { TreeView } from '../support/tree-view.ts';
import { packaged } from '../support/vsix.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

const OBJECTIVE = 'Find out what this garden lacks';
const SHOWN = 'Find out what this…';
const REHEARSE = 'Rehearse Objective (offline, nothing is spent)';
const FIRST = 'Develop a task list';

/** The list of runs as a person works with it: with the mouse, with the keyboard, and when it is long. */
describe('the Runs view', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-view-'));
  const workspace = path.join(root, 'garden');
  const runsDirectory = path.join(workspace, '.babyagi', 'runs');
  let server: VscodeServer;
  let workbench: Workbench;
  let runs: TreeView;

  before(async () => {
    mkdirSync(workspace, { recursive: true });
    writeFileSync(path.join(workspace, 'README.md'), '# Garden\n\nBeds and paths. Where does the compost go?\n');
    await seedRun(runsDirectory, 'Plan the beds', { daysAgo: 3 });
    await seedRun(runsDirectory, 'Mend the shed', { daysAgo: 1, imported: true });
    server = await startVscodeServer({
      workspace,
      dataDir: path.join(root, 'data'),
      extensions: [packaged()],
      userSettings: { 'babyagi.reviewEvery': 1 },
    });
    workbench = await openWorkbench(server);
    await workbench.openView('BabyAGI');
    runs = workbench.view('Runs');
    await workbench.runCommand('BabyAGI: Rehearse Objective…');
    await (await workbench.quickInput(`${REHEARSE} (1/3)`)).enter(OBJECTIVE);
    await (await workbench.quickInput(`${REHEARSE} (2/3)`)).enter('20');
    await (await workbench.quickInput(`${REHEARSE} (3/3)`)).accept();
    await workbench.notificationButton(/waits for your review after iteration 1/, 'Clear Notification');
  });

  after(async () => {
    await workbench?.close();
    await server?.close();
    rmSync(root, { recursive: true, force: true });
  });

  /** The waiting tasks, in the order that the view shows. */
  const waiting = async () =>
    (await runs.rows()).filter(({ ariaLabel }) => ariaLabel.endsWith(', waiting')).map(({ label }) => label);
  const waitingAre = (expected: readonly string[]) =>
    eventually(`the tasks ${expected.join(', ')}`, async () => (await waiting()).join() === expected.join());
  const directory = () => {
    const name = readdirSync(runsDirectory).find((each) => each.includes('find-out'));
    return path.join(runsDirectory, name ?? '');
  };
  const byPerson = async () => (await eventsOf(directory())).filter((event) => 'by' in event && event.by === 'user');
  const press = async (label: string, key: string) => {
    await runs.focus(label, () => workbench.runCommand('BabyAGI: Focus on Runs View'));
    await workbench.page.keyboard.press(key);
  };
  const threeWaiting = async (): Promise<[string, string, string]> => {
    const [a, b, c] = await eventually('three waiting tasks', async () => {
      const labels = await waiting();
      return labels.length === 3 && labels;
    });
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    return [a, b, c];
  };

  it('counts the runs that wait for a person', async () => {
    await eventually('the badge', async () => (await workbench.badge('BabyAGI')) === '1');
  });

  it('shows the calls of a task, each of which leads to its place in the log', async () => {
    await runs.waitForRow(OBJECTIVE, /^waits for review/);
    await runs.expand(FIRST);
    const call = await runs.waitForRow('Planning', /^answered · \$0\.0\d+ · \d+ \+ \d+ tokens · \d+\.\d s$/);
    assert.equal(call.level, 3);
    assert.match(call.ariaLabel, /^Call: Planning, answered · /);
    assert.match(await runs.tooltip('Planning'), /Tokens: \d+ in, \d+ out/);
    await workbench.photograph('view-calls');
    await runs.click('Planning');
    await eventually('the place in the log', async () =>
      /^[\d:.]{12} +call\.settled +t1 +planning/.test(await workbench.activeLine()),
    );
    await workbench.photograph('view-call-in-log');
    assert.deepEqual(await runs.menu('Planning'), ['Open Log']);
  });

  it('lets a waiting task run next: from its row, its menu and the keyboard', async () => {
    const [a, b, c] = await threeWaiting();
    assert.deepEqual(await runs.inlineActions(b), ['Run Next', 'Edit Task…', 'Delete Task']);
    await workbench.photograph('view-task-actions');
    await runs.inlineAction(b, 'Run Next');
    await waitingAre([b, a, c]);
    await runs.contextAction(c, 'Run Next');
    await waitingAre([c, b, a]);
    await press(a, 'Alt+Home');
    await waitingAre([a, c, b]);
    const moves = (await byPerson()).filter(({ type }) => type === 'tasks.prioritized');
    assert.equal(moves.length, 3);
    await press(a, 'Alt+Home');
    await workbench.statusBarItem('The task is the next one already.').waitFor();
    assert.equal((await byPerson()).filter(({ type }) => type === 'tasks.prioritized').length, 3);
    // It shows less where nothing can be done.
    assert.deepEqual(await runs.inlineActions(FIRST), []);
  });

  it('moves, edits, adds and deletes waiting tasks by the keyboard', async () => {
    const [a, b, c] = await threeWaiting();
    await press(a, 'Alt+ArrowDown');
    await waitingAre([b, a, c]);
    // The focus goes with the task.
    await workbench.page.keyboard.press('Alt+ArrowDown');
    await waitingAre([b, c, a]);
    await workbench.page.keyboard.press('Alt+ArrowUp');
    await waitingAre([b, a, c]);
    await press(b, 'Alt+ArrowUp');
    await workbench.statusBarItem('The task is the first one.').waitFor();
    await press(c, 'F2');
    const edit = await workbench.quickInput('Edit Task');
    assert.equal(await edit.value(), c);
    await edit.enter('Weigh the compost');
    await waitingAre([b, a, 'Weigh the compost']);
    await press(OBJECTIVE, 'Alt+n');
    await (await workbench.quickInput('Add Task')).enter('Count the worms');
    await waitingAre([b, a, 'Weigh the compost', 'Count the worms']);
    await press('Weigh the compost', 'Delete');
    await waitingAre([b, a, 'Count the worms']);
    const types = (await byPerson()).map(({ type }) => type);
    assert.deepEqual(types.slice(-3), ['task.edited', 'task.created', 'task.removed']);
  });

  it('holds a waiting task back, from its menu and the keyboard, until it is unblocked', async () => {
    const [a, b, c] = await threeWaiting();
    const isBlocked = (task: string) => runs.waitForRow(task, /^blocked · /);
    await runs.contextAction(b, 'Block Task…');
    const why = await workbench.quickInput('Block Task');
    assert.match(await why.message(), /Leave empty for no reason/);
    await why.enter('Not before the frost is over');
    await isBlocked(b);
    await waitingAre([a, c]);
    await eventually('the reason', async () => /Not before the frost is over/.test(await runs.tooltip(b)));
    await workbench.photograph('view-task-blocked');
    assert.deepEqual(await runs.inlineActions(b), ['Unblock Task', 'Edit Task…', 'Delete Task']);
    assert.ok(!(await runs.menu(b)).includes('Run Next'));
    await press(b, 'Alt+Home');
    await workbench.statusBarItem('The task is blocked: unblock it first.').waitFor();
    await press(c, 'Alt+b');
    await (await workbench.quickInput('Block Task')).accept();
    await isBlocked(c);
    await press(c, 'Alt+u');
    await waitingAre([a, c]);
    await runs.inlineAction(b, 'Unblock Task');
    await waitingAre([a, b, c]);
    const events = (await byPerson()).flatMap((event) => (event.type.endsWith('blocked') ? [event] : []));
    assert.deepEqual(
      events.map((event) => [event.type, event.type === 'task.blocked' ? event.why : null]),
      [
        ['task.blocked', 'Not before the frost is over'],
        ['task.blocked', undefined],
        ['task.unblocked', null],
        ['task.unblocked', null],
      ],
    );
    // So that the panel shows one, too.
    await runs.contextAction(c, 'Block Task…');
    await (await workbench.quickInput('Block Task')).enter('Not before the frost is over');
    await isBlocked(c);
    await runs.contextAction(OBJECTIVE, 'Open Summary');
    const panel = await workbench.webviewFrame(OBJECTIVE);
    await panel.getByRole('tab', { name: /^Tasks/ }).click();
    const reason = panel.getByText('Not before the frost is over');
    await reason.waitFor();
    await panel.getByRole('button', { name: /^Blocked\s*1$/ }).waitFor();
    await reason.scrollIntoViewIfNeeded();
    await workbench.photograph('panel-task-blocked');
    await workbench.runCommand('View: Close All Editors');
    await runs.contextAction(c, 'Unblock Task');
    await waitingAre([a, b, c]);
  });

  it('says so where a key is pressed on a task that does not wait', async () => {
    const before = (await byPerson()).length;
    await press(FIRST, 'Delete');
    await workbench.notificationButton('Only a task that waits can be changed.', 'Clear Notification');
    assert.equal((await byPerson()).length, before);
  });

  it('takes a task to another place by drag and drop', async () => {
    const [a, b, c] = await threeWaiting();
    await runs.drag(c, a);
    await waitingAre([c, a, b]);
    await runs.drag(c, b);
    await waitingAre([a, b, c]);
    await runs.drag(a, OBJECTIVE);
    await waitingAre([b, c, a]);
    assert.deepEqual(
      (await byPerson()).slice(-3).map(({ type }) => type),
      ['tasks.prioritized', 'tasks.prioritized', 'tasks.prioritized'],
    );
  });

  it('loses nothing where a task is dropped on what does not wait, or on another run', async () => {
    const order = await threeWaiting();
    const before = (await byPerson()).length;
    await runs.expand('Plan the beds');
    await runs.waitForRow(/./, /t2 · iteration 2$/);
    const rows = await runs.rows();
    const other = rows
      .slice(rows.findIndex(({ label }) => label === 'Plan the beds') + 1)
      .find(({ level }) => level === 2);
    assert.ok(other);
    await runs.drag(order[0], FIRST);
    await runs.drag(order[0], 'Planning');
    await runs.drag(order[1], 'Plan the beds');
    await runs.drag(order[1], other.label);
    await runs.drag(FIRST, order[2]);
    // What is done now comes after all that was not done.
    await runs.drag(order[2], order[0]);
    await waitingAre([order[2], order[0], order[1]]);
    assert.equal((await byPerson()).length, before + 1);
    await runs.collapse('Plan the beds');
  });

  it('shows the runs that were asked for, and says that it does', async () => {
    const labels = async () => (await runs.rows()).filter(({ level }) => level === 1).map(({ label }) => label);
    await runs.collapse(OBJECTIVE);
    await runs.headerAction('Filter Runs…');
    const states = await workbench.quickInput('Filter Runs');
    assert.deepEqual(
      (await states.rows()).map(({ label, description }) => `${label} ${description}`),
      ['All runs 3', 'In progress 1', 'Ended well 2', 'Needs a person 1', 'Imported 1'],
    );
    await workbench.photograph('view-filter-choice');
    await states.pick('Ended well');
    await eventually('two runs', async () => (await labels()).join() === 'Mend the shed,Plan the beds');
    assert.equal(await runs.message(), '2 of 3 runs: Ended well');
    await workbench.photograph('view-filtered');
    await workbench.runCommand('BabyAGI: Filter Runs…');
    await (await workbench.quickInput('Filter Runs')).enter('SHED');
    await eventually('one run', async () => (await labels()).join() === 'Mend the shed');
    assert.equal(await runs.message(), '1 of 3 runs: Ended well · “SHED”');
    await workbench.runCommand('BabyAGI: Filter Runs…');
    await (await workbench.quickInput('Filter Runs')).pick('In progress');
    await eventually('the reason', async () =>
      (await runs.welcome()).startsWith('No run of this workspace fits the filter'),
    );
    await workbench.photograph('view-filtered-to-nothing');
    await workbench.reload();
    await eventually('the reason again', async () => /Show All Runs/.test(await runs.welcome()));
    await runs.welcomeButton('Show All Runs');
    await runs.waitForRow(OBJECTIVE);
    await eventually('all runs', async () => (await labels()).length === 3);
    assert.equal(await runs.message(), '');
  });

  it('groups the runs, newest first', async () => {
    const labels = async () => (await runs.rows()).filter(({ level }) => level < 3).map(({ label }) => label);
    await runs.collapse(OBJECTIVE);
    await workbench.runCommand('BabyAGI: Group Runs By…');
    await (await workbench.quickInput('Group Runs')).pick('By state');
    const byState = ['Needs a person', SHOWN, 'Ended well', 'Plan the beds', 'Imported', 'Mend the shed'];
    await eventually('groups by state', async () => (await labels()).join() === byState.join());
    await workbench.photograph('view-grouped-by-state');
    await workbench.runCommand('BabyAGI: Group Runs By…');
    await (await workbench.quickInput('Group Runs')).pick('By day');
    await eventually('groups by day', async () => {
      const [today, first, yesterday, second, day, third] = await labels();
      const runsAre = [first, second, third].join() === [SHOWN, 'Mend the shed', 'Plan the beds'].join();
      return runsAre && today === 'Today' && yesterday === 'Yesterday' && /^\w+day, /.test(day ?? '');
    });
    await runs.expand(OBJECTIVE);
    await runs.expand(FIRST);
    await runs.waitForRow('Planning');
    await runs.tooltip('Planning');
    await workbench.photograph('view-grouped');
    await workbench.reload();
    await runs.waitForRow('Today');
    await workbench.runCommand('BabyAGI: Group Runs By…');
    await (await workbench.quickInput('Group Runs')).pick('No groups');
    await eventually('no groups', async () => !(await labels()).includes('Today'));
  });

  it('shows no errors', () => {
    // Behind its own front end this server would hand out a key for the secret storage of the browser.
    const errors = workbench.consoleErrors().filter((error) => !/405 \(Method Not Allowed\)/.test(error));
    assert.deepEqual(errors, []);
  });
});
