import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Disk, nodeDisk } from '../../src/runlog/disk.ts';
import { processTable, thisProcess } from '../../src/runlog/machine.ts';
import { RunFiles } from '../../src/vscode/run-files.ts';
import { Runs } from '../../src/vscode/runs.ts';
import { followRunsFolders } from '../../src/vscode/watch.ts';
import { runsDirectories } from '../../src/vscode/workspace.ts';
import { eventually } from '../support/eventually.ts';
import { makeConfig } from '../support/run-events.ts';
import { describe, it } from './suite.ts';

function runsDirectory(): string {
  const [directory] = runsDirectories();
  assert.ok(directory);
  return directory;
}

/** As another process makes a run folder: at once, and before anybody can watch what is in it. */
function makeRun(index: number): string {
  const directory = join(runsDirectory(), `20250102T0304${String(index).padStart(2, '0')}Z-listed-${index}`);
  mkdirSync(join(directory, 'log'), { recursive: true });
  writeFileSync(join(directory, 'config.tmp'), JSON.stringify(makeConfig({ run_id: `listed-${index}` })));
  renameSync(join(directory, 'config.tmp'), join(directory, 'config.json'));
  return directory;
}

const listed = (runs: Runs) => runs.entries.filter(({ runId }) => runId.startsWith('listed-'));

describe('the list of runs', () => {
  it(
    'has every run that another process makes, takes up or deletes',
    async () => {
      const runs = new Runs(new RunFiles(nodeDisk, thisProcess, processTable));
      const following = followRunsFolders(runs, () => {});
      const made: string[] = [];
      try {
        mkdirSync(runsDirectory(), { recursive: true });
        for (let index = 0; index < 20; index += 1) {
          made.push(makeRun(index));
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        await eventually('the runs in the list', () => listed(runs).length === 20, 15_000);

        const [first = '', second = ''] = made;
        mkdirSync(join(first, 'owner'));
        writeFileSync(join(first, 'owner', '000001'), `${JSON.stringify(thisProcess())}\n`);
        await eventually('the owner', () => runs.entry('listed-0')?.isElsewhere === true, 15_000);

        rmSync(second, { recursive: true });
        await eventually('the end of a deleted run', () => runs.entry('listed-1') === undefined, 15_000);
      } finally {
        following.dispose();
        runs.dispose();
        for (const directory of made) rmSync(directory, { recursive: true, force: true });
      }
    },
    { timeoutMs: 60_000 },
  );

  it('has a run that came while it was being made', async () => {
    let passed: () => void = () => {};
    let goOn: () => void = () => {};
    const listing = new Promise<void>((resolve) => (passed = resolve));
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    let isFirst = true;
    const slow: Disk = {
      ...nodeDisk,
      list: async (path) => {
        const names = await nodeDisk.list(path);
        if (!isFirst) return names;
        isFirst = false;
        passed();
        await gate;
        return names;
      },
    };
    const runs = new Runs(new RunFiles(slow, thisProcess, processTable));
    const before = runs.scan([runsDirectory()]);
    await listing;
    const directory = makeRun(30);
    try {
      const after = runs.scan([runsDirectory()]);
      goOn();
      await Promise.all([before, after]);
      assert.deepEqual(
        listed(runs).map(({ runId }) => runId),
        ['listed-30'],
      );
    } finally {
      runs.dispose();
      rmSync(directory, { recursive: true });
    }
  });
});
