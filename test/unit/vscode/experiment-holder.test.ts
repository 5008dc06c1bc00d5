import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { processTable, thisProcess } from '../../../src/runlog/machine.ts';
import { ExperimentHolder } from '../../../src/vscode/experiment-holder.ts';
import { temporaryFolder } from '../../support/run-host.ts';

/** The holder as two windows see it, of which the first one may have died. */
function windows() {
  const folder = temporaryFolder();
  const first = { ...thisProcess(), pid: 1_000_001 };
  const living = new Set([first.pid, process.pid]);
  const processes = { isAlive: (pid: number) => living.has(pid) };
  return {
    folder,
    first: new ExperimentHolder(nodeDisk, folder, () => first, processes),
    second: new ExperimentHolder(nodeDisk, folder, thisProcess, processes),
    die: () => living.delete(first.pid),
  };
}

describe('who is at an experiment', () => {
  it('is the window that took it up, until it lets go', async () => {
    const { first, second } = windows();
    assert.equal(await second.isHeld('a'), false);
    await first.hold('a');
    assert.deepEqual(
      [await second.isHeld('a'), await first.isHeld('a'), await second.isHeld('b')],
      [true, false, false],
    );
    await first.letGo('a');
    assert.equal(await second.isHeld('a'), false);
  });

  it('is nobody once that window is gone, or the machine was started again', async () => {
    const { first, second, die } = windows();
    await first.hold('a');
    die();
    assert.equal(await second.isHeld('a'), false);
    const { folder } = windows();
    const before = { ...thisProcess(), boot_id: 'before', pid: 1 };
    const holder = new ExperimentHolder(nodeDisk, folder, thisProcess, processTable);
    await new ExperimentHolder(nodeDisk, folder, () => before, processTable).hold('a');
    assert.equal(await holder.isHeld('a'), false);
    writeFileSync(join(folder, 'a.owner'), '{');
    assert.equal(await holder.isHeld('a'), false);
  });
});
