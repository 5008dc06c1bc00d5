import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { rehearsedExperiment } from '../support/experiments.ts';
import { seedRun } from '../support/seeded-runs.ts';
import type { TreeView } from '../support/tree-view.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import { packaged } from '../support/vsix.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

interface Manifest {
  readonly contributes: {
    readonly commands: readonly { command: string; title: string }[];
    readonly menus: Readonly<Record<string, readonly { command: string }[]>>;
  };
}

/** How a command is tried; each effect waits for what it must bring about, and clears it away. */
interface Use {
  /** Whether the palette has it while there is no run, and while one is paused and another has ended. */
  readonly offered: readonly [none: boolean, paused: boolean];
  /** From the palette; undefined: it is never there. */
  readonly palette?: () => Promise<void>;
  /** From the row that it is about; undefined: it is on no row. */
  readonly row?: () => Promise<void>;
}

const ENDED = 'Plan the beds';
const FIRST = 'Find out what this garden lacks';
const SECOND = 'Say what the beds need';
const EXPERIMENT = 'Guarded against classic';
const REHEARSE = 'Rehearse Objective (offline, nothing is spent)';
const ALWAYS = [true, true] as const;
const WITH_RUNS = [false, true] as const;
const NOT_YET = [false, false] as const;

/** Every command of package.json, from the palette and from its row. Those of the table are all there are. */
describe('the commands of BabyAGI', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-commands-'));
  const workspace = path.join(root, 'garden');
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
  const texts = JSON.parse(readFileSync('package.nls.json', 'utf8')) as Record<string, string>;
  let server: VscodeServer;
  let workbench: Workbench;
  let runs: TreeView;
  let experiments: TreeView;
  /** The run that is in progress. */
  let live = FIRST;

  before(async () => {
    mkdirSync(workspace, { recursive: true });
    writeFileSync(path.join(workspace, 'README.md'), '# Garden\n\nBeds and paths. Where does the compost go?\n');
    // No key is needed for a server on this machine; nothing is sent to it here.
    mkdirSync(path.join(root, 'data', 'data', 'Machine'), { recursive: true });
    const machine = { 'babyagi.baseUrl': 'http://127.0.0.1:9/v1', 'babyagi.prices': { '*': { input: 1, output: 2 } } };
    writeFileSync(path.join(root, 'data', 'data', 'Machine', 'settings.json'), JSON.stringify(machine));
    server = await startVscodeServer({
      workspace,
      dataDir: path.join(root, 'data'),
      extensions: [packaged()],
      userSettings: { 'babyagi.reviewEvery': 4 },
    });
    workbench = await openWorkbench(server);
    await workbench.openView('BabyAGI');
    runs = workbench.view('Runs');
    experiments = workbench.view('Experiments');
  });

  after(async () => {
    await workbench?.close();
    await server?.close();
    rmSync(root, { recursive: true, force: true });
  });

  const titleOf = (id: string) => {
    const title = manifest.contributes.commands.find(({ command }) => command === id)?.title ?? '';
    return texts[title.replaceAll('%', '')] ?? title;
  };
  const execute = (id: string) => workbench.runCommand(`BabyAGI: ${titleOf(id)}`);
  const onRow = (label: string, id: string) => runs.contextAction(label, titleOf(id));
  const asks = async (title: string | RegExp) => {
    const input = await workbench.quickInput(title);
    await input.cancel();
    await eventually('the input to close', async () => !(await input.isOpen()));
  };
  const picks = async (title: string, label: string) => (await workbench.quickInput(title)).pick(label);
  const enters = async (title: string, text: string) => (await workbench.quickInput(title)).enter(text);
  const says = async (text: string | RegExp) => workbench.notificationButton(text, 'Clear Notification');
  const opens = async (tab: RegExp) => {
    await eventually(`the tab ${tab}`, async () => (await workbench.editorTabs()).some(({ label }) => tab.test(label)));
    await workbench.runCommand('View: Close All Editors');
  };
  const waiting = async () => (await runs.rows()).filter(({ ariaLabel }) => ariaLabel.endsWith(', waiting'));
  const blocked = async () =>
    (
      await eventually('a blocked task', async () =>
        (await runs.rows()).find(({ ariaLabel }) => ariaLabel.endsWith(', blocked')),
      )
    ).label;
  const nth = async (at: number) => (await waiting()).at(at)?.label ?? '';
  const isNth = (at: number, label: string) => eventually(`${label} at ${at}`, async () => (await nth(at)) === label);
  const isGone = (label: string) =>
    eventually(`${label} to be gone`, async () => !(await waiting()).some((row) => row.label === label));

  /** A command that opens something about a run. */
  const about = (id: string, title: string, effect: () => Promise<void>): Use => ({
    offered: WITH_RUNS,
    palette: async () => {
      await execute(id);
      await picks(title, ENDED);
      await effect();
    },
    row: async () => {
      await onRow(ENDED, id);
      await effect();
    },
  });
  /** The same, where only one run comes into question. */
  const ofTheEnded = (id: string, effect: () => Promise<void>): Use => ({
    offered: WITH_RUNS,
    palette: async () => {
      await execute(id);
      await effect();
    },
    row: async () => {
      await onRow(ENDED, id);
      await effect();
    },
  });
  /** A command that needs no run. */
  const simple = (id: string, effect: () => Promise<unknown>, offered: Use['offered'] = ALWAYS): Use => ({
    offered,
    palette: async () => {
      await execute(id);
      await effect();
    },
  });
  /** A command about a waiting task: asks which, unless it comes from its row. */
  const ofTask = (id: string, title: string, from: number, effect: (task: string) => Promise<void>): Use => ({
    offered: WITH_RUNS,
    palette: async () => {
      const task = await nth(from);
      await execute(id);
      await picks(title, task);
      await effect(task);
    },
    row: async () => {
      const task = await nth(from);
      await onRow(task, id);
      await effect(task);
    },
  });
  const onlyOnRow = ({ row }: Use): Use => ({ offered: NOT_YET, ...(row && { row }) });
  const revealed = async () => {
    await workbench.view('garden').waitForRow('config.json');
    await workbench.openView('BabyAGI');
    await runs.waitForRow(ENDED);
  };
  const pause = async () => void (await runs.waitForRow(live, /^paused/));
  const goesOn = async () => void (await runs.waitForRow(live, /waits for review/));

  /** A command that opens something about the experiment. */
  const ofExperiment = (id: string, effect: () => Promise<void>): Use => ({
    offered: ALWAYS,
    palette: async () => {
      await execute(id);
      await effect();
    },
    row: async () => {
      await experiments.contextAction(EXPERIMENT, titleOf(id));
      await effect();
    },
  });
  const shownInExplorer = async () => {
    await workbench.view('garden').waitForRow('experiment.json');
    await workbench.openView('BabyAGI');
    await experiments.waitForRow(EXPERIMENT);
  };

  // In this order they are executed: the run works, is paused, goes on to its review, and is stopped.
  const uses: Readonly<Record<string, Use>> = {
    'babyagi.rehearse': {
      offered: ALWAYS,
      palette: async () => {
        await execute('babyagi.rehearse');
        await enters(`${REHEARSE} (1/3)`, live);
        await enters(`${REHEARSE} (2/3)`, '20');
        await enters(`${REHEARSE} (3/3)`, '1');
        await runs.waitForRow(live, /running/);
      },
    },
    'babyagi.pause': {
      offered: NOT_YET,
      palette: async () => {
        await execute('babyagi.pause');
        await pause();
      },
      row: async () => {
        await onRow(live, 'babyagi.pause');
        await pause();
      },
    },
    'babyagi.addTask': {
      offered: WITH_RUNS,
      palette: async () => {
        for (const task of ['Count the worms', 'Weigh the compost', 'Water the beds']) {
          await execute('babyagi.addTask');
          await enters('Add Task', task);
          await isNth(-1, task);
        }
      },
      row: async () => {
        for (const task of ['Count the snails', 'Weigh the snails', 'Rake the paths']) {
          await onRow(live, 'babyagi.addTask');
          await enters('Add Task', task);
          await isNth(-1, task);
        }
      },
    },
    'babyagi.runTaskNext': ofTask('babyagi.runTaskNext', 'Run Next', -1, (task) => isNth(0, task).then(() => {})),
    'babyagi.moveTaskUp': onlyOnRow(ofTask('babyagi.moveTaskUp', '', 1, (task) => isNth(0, task).then(() => {}))),
    'babyagi.moveTaskDown': onlyOnRow(ofTask('babyagi.moveTaskDown', '', 0, (task) => isNth(1, task).then(() => {}))),
    'babyagi.editTask': ofTask('babyagi.editTask', 'Edit Task', 1, async (task) => {
      await enters('Edit Task', `${task}, twice`);
      await isNth(1, `${task}, twice`);
    }),
    // What is blocked does not wait any more for the list; unblocked, it is in its place again.
    'babyagi.blockTask': ofTask('babyagi.blockTask', 'Block Task', 1, async (task) => {
      await enters('Block Task', 'Not yet');
      await isGone(task);
    }),
    'babyagi.unblockTask': {
      offered: WITH_RUNS,
      palette: async () => {
        const task = await blocked();
        await execute('babyagi.unblockTask');
        await picks('Unblock Task', task);
        await isNth(1, task);
      },
      row: async () => {
        const task = await blocked();
        await onRow(task, 'babyagi.unblockTask');
        await isNth(1, task);
      },
    },
    'babyagi.deleteTask': ofTask('babyagi.deleteTask', 'Delete Task', 1, (task) => isGone(task).then(() => {})),
    'babyagi.resume': {
      offered: WITH_RUNS,
      palette: async () => {
        await execute('babyagi.resume');
        await picks('Resume', live);
        await goesOn();
      },
      row: async () => {
        await onRow(live, 'babyagi.resume');
        await goesOn();
      },
    },
    'babyagi.review': {
      offered: NOT_YET,
      palette: async () => {
        await execute('babyagi.review');
        await asks(/^Checkpoint review/);
      },
      row: async () => {
        await onRow(live, 'babyagi.review');
        await asks(/^Checkpoint review/);
      },
    },
    'babyagi.raiseLimit': {
      offered: WITH_RUNS,
      palette: async () => {
        await execute('babyagi.raiseLimit');
        await asks('Raise a Limit');
      },
      row: async () => {
        await onRow(live, 'babyagi.raiseLimit');
        await asks('Raise a Limit');
      },
    },
    'babyagi.continue': ofTheEnded('babyagi.continue', () => asks('Continue with More')),
    'babyagi.stop': {
      offered: WITH_RUNS,
      palette: async () => {
        await execute('babyagi.stop');
        await runs.waitForRow(live, /^stopped/);
      },
      row: async () => {
        await onRow(live, 'babyagi.stop');
        await runs.waitForRow(live, /^stopped/);
      },
    },
    'babyagi.openSummary': about('babyagi.openSummary', 'Open Summary', () => opens(/^Plan the beds$/)),
    'babyagi.openSummaryDocument': ofTheEnded('babyagi.openSummaryDocument', () => opens(/^Preview summary\.md/)),
    'babyagi.openAnswer': ofTheEnded('babyagi.openAnswer', () => opens(/^Preview answer\.md/)),
    'babyagi.openLog': about('babyagi.openLog', 'Open Log', () => opens(/^Plan the beds\.log/)),
    'babyagi.openRawLog': about('babyagi.openRawLog', 'Open Raw Log', () => opens(/^000001\.jsonl/)),
    'babyagi.whyStopped': about('babyagi.whyStopped', 'Why Did It Stop?', () =>
      opens(/^Preview Why it stopped – Plan the beds/),
    ),
    'babyagi.revealRunFolder': about('babyagi.revealRunFolder', 'Reveal Run Folder', revealed),
    'babyagi.replayRun': about('babyagi.replayRun', 'Replay Run', () => says(/^replayed: \d+ calls, \d+ events, /)),
    'babyagi.compareRuns': {
      offered: WITH_RUNS,
      palette: async () => {
        await execute('babyagi.compareRuns');
        await asks('Compare Runs');
      },
      row: async () => {
        await onRow(ENDED, 'babyagi.compareRuns');
        await asks('Compare Runs');
      },
    },
    'babyagi.forkRun': about('babyagi.forkRun', 'Fork Run', () => asks('Fork Run (1/7)')),
    'babyagi.exportRun': about('babyagi.exportRun', 'Export Run Archive', () => asks('Export Run Archive')),
    'babyagi.importRun': simple('babyagi.importRun', () => asks('Import Run Archive')),
    'babyagi.run': simple('babyagi.run', () => asks('Run Objective (1/7)')),
    'babyagi.setApiKey': simple('babyagi.setApiKey', () => asks('Set API Key (1/2)')),
    'babyagi.removeApiKey': simple('babyagi.removeApiKey', () => says('No API key is stored.')),
    'babyagi.setUpNotices': simple('babyagi.setUpNotices', () => asks('Set Up Notices')),
    'babyagi.getStarted': simple('babyagi.getStarted', () => opens(/Welcome|Walkthrough|Get Started/)),
    'babyagi.showOutput': simple('babyagi.showOutput', async () => {
      await workbench.page.locator('[id="workbench.panel.output"]').waitFor();
      await workbench.runCommand('View: Hide Panel');
    }),
    // The list is there as before.
    'babyagi.refresh': simple('babyagi.refresh', () => runs.waitForRow(ENDED)),
    'babyagi.groupRuns': simple('babyagi.groupRuns', () => asks('Group Runs'), WITH_RUNS),
    'babyagi.filterRuns': simple(
      'babyagi.filterRuns',
      async () => {
        await enters('Filter Runs', 'beds');
        await eventually('the filter', async () => /^1 of \d runs: “beds”$/.test(await runs.message()));
      },
      WITH_RUNS,
    ),
    'babyagi.showAllRuns': simple(
      'babyagi.showAllRuns',
      () => eventually('all runs', async () => (await runs.message()) === ''),
      NOT_YET,
    ),
    'babyagi.newExperiment': simple('babyagi.newExperiment', () => asks('New Experiment File (1/7)')),
    'babyagi.runExperiment': simple('babyagi.runExperiment', () => says(/^There is no experiment file/)),
    'babyagi.openReport': ofExperiment('babyagi.openReport', () => opens(/^Preview report\.md/)),
    'babyagi.revealExperimentFolder': ofExperiment('babyagi.revealExperimentFolder', shownInExplorer),
    'babyagi.exportExperiment': ofExperiment('babyagi.exportExperiment', () => asks('Export Experiment Archive')),
    'babyagi.resumeExperiment': {
      offered: ALWAYS,
      palette: async () => {
        await execute('babyagi.resumeExperiment');
        // It came from elsewhere.
        await workbench.dialogButton('Take Over and Go On');
        await experiments.waitForRow(EXPERIMENT, / · running/);
      },
      row: async () => {
        await experiments.contextAction(EXPERIMENT, titleOf('babyagi.resumeExperiment'));
        await experiments.waitForRow(EXPERIMENT, / · running/);
      },
    },
    'babyagi.stopExperiment': ofExperiment('babyagi.stopExperiment', async () => {
      await experiments.waitForRow(EXPERIMENT, / · not finished/);
      await says(/It was stopped\./);
    }),
  };
  const ids = Object.keys(uses);

  const offers = async (at: 0 | 1) => {
    const offered = await workbench.offeredCommands('BabyAGI');
    return ids.filter((id) => offered.includes(`BabyAGI: ${titleOf(id)}`) !== uses[id]?.offered[at]);
  };
  const tryAll = async (how: 'palette' | 'row', from: string, to: string) => {
    for (const id of ids.slice(ids.indexOf(from), ids.indexOf(to) + 1)) {
      try {
        await uses[id]?.[how]?.();
      } catch (error) {
        await workbench.screenshot(`command-failed-${id}`);
        throw new Error(`${id} from the ${how}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
      const errors = (await workbench.notifications()).filter(({ severity }) => severity === 'error');
      assert.deepEqual(errors, [], id);
    }
  };

  it('are all tried here', () => {
    assert.deepEqual(ids.toSorted(), manifest.contributes.commands.map(({ command }) => command).toSorted());
    const onRows = new Set(manifest.contributes.menus['view/item/context']?.map(({ command }) => command));
    assert.deepEqual(ids.filter((id) => uses[id]?.row !== undefined).toSorted(), [...onRows].toSorted());
  });

  it('are offered where they have something to do, while there is no run', async () => {
    // A window knows a moment after it has opened whether its folder is trusted.
    await eventually('the commands for a trusted folder', async () =>
      (await workbench.offeredCommands('BabyAGI')).includes(`BabyAGI: ${titleOf('babyagi.newExperiment')}`),
    );
    assert.deepEqual(await offers(0), []);
  });

  it('do what they say from the palette, while a run works, is paused and goes on', async () => {
    await seedRun(path.join(workspace, '.babyagi', 'runs'), ENDED);
    // Also where the files of this machine cannot be watched.
    await execute('babyagi.refresh');
    await runs.waitForRow(ENDED, /^iteration limit/);
    await tryAll('palette', 'babyagi.rehearse', 'babyagi.pause');
    assert.deepEqual(await offers(1), []);
    await tryAll('palette', 'babyagi.addTask', 'babyagi.continue');
  });

  it('open what there is to see from the palette', async () => {
    await tryAll('palette', 'babyagi.openSummary', 'babyagi.openLog');
    await tryAll('palette', 'babyagi.openRawLog', 'babyagi.showAllRuns');
    await tryAll('palette', 'babyagi.stop', 'babyagi.stop');
  });

  it('are on the rows that they are about, and on no others', async () => {
    const ofEveryRun = [
      'Open Summary',
      'Open Log',
      'Open Raw Log',
      'Why Did It Stop?',
      'Reveal Run Folder',
      'Replay Run',
      'Compare Runs…',
      'Fork Run…',
      'Export Run Archive…',
    ];
    const documents = ['Open Summary Document', 'Open Answer'];
    const menu = async (label: string) => (await runs.menu(label)).toSorted();
    assert.deepEqual(await menu(ENDED), [...ofEveryRun, ...documents, 'Resume', 'Continue with More…'].toSorted());
    assert.deepEqual(await runs.inlineActions(ENDED), ['Resume', 'Open Summary']);
    await runs.collapse(FIRST);
    live = SECOND;
    await tryAll('palette', 'babyagi.rehearse', 'babyagi.rehearse');
    await tryAll('row', 'babyagi.pause', 'babyagi.addTask');
    assert.deepEqual(await menu(live), [...ofEveryRun, 'Resume', 'Raise a Limit…', 'Stop', 'Add Task…'].toSorted());
    assert.deepEqual(
      await menu(await nth(0)),
      ['Run Next', 'Move Task Up', 'Move Task Down', 'Edit Task…', 'Block Task…', 'Delete Task'].toSorted(),
    );
  });

  it('do what they say from their rows', async () => {
    await tryAll('row', 'babyagi.runTaskNext', 'babyagi.stop');
    await tryAll('row', 'babyagi.openSummary', 'babyagi.exportRun');
  });

  it('do what they say of experiments, from the palette and from their rows', async () => {
    const limits = { max_iterations: 60, max_cost_usd: 1 };
    const made = await rehearsedExperiment({ limits, max_total_cost_usd: 4 });
    await experiments.unfold();
    cpSync(made, path.join(workspace, '.babyagi', 'experiments', path.basename(made)), { recursive: true });
    await experiments.waitForRow(EXPERIMENT, /not finished/);
    await tryAll('palette', 'babyagi.newExperiment', 'babyagi.stopExperiment');
    assert.deepEqual(
      (await experiments.menu(EXPERIMENT)).toSorted(),
      ['Open Report', 'Reveal Experiment Folder', 'Go On with Experiment', 'Export Experiment Archive…'].toSorted(),
    );
    await tryAll('row', 'babyagi.openReport', 'babyagi.stopExperiment');
  });
});
