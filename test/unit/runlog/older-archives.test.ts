import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { readRun } from '../../../src/engine/read.ts';
import { importArchive } from '../../../src/research/import-archive.ts';
import { BUILD } from '../../../src/run/version.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { verifyRun } from '../../../src/runlog/verify.ts';
import { temporaryFolder } from '../../support/run-host.ts';

const ARCHIVES = resolve('test/fixtures/archives');
/** Their summaries lack fields that one of today has, and it is said. */
const WITH_OTHER_FIELDS: ReadonlySet<string> = new Set(['without-versions.zip']);

/** Archives stay as they were written: one of each form that there ever was. */
describe('archives of older versions', () => {
  for (const name of readdirSync(ARCHIVES)) {
    it(`${name} opens and verifies`, async (t) => {
      const folder = temporaryFolder();
      t.after(() => rmSync(folder, { recursive: true }));
      const { runDirectory } = await importArchive(join(ARCHIVES, name), folder, { now: Date.now });
      const state = await readRun(nodeDisk, runDirectory);
      assert.ok(state.end && state.tasks.size > 1 && state.memory.size > 0);
      assert.notEqual(state.version, BUILD);
      const { ok, firstProblem, notes } = await verifyRun(nodeDisk, runDirectory);
      assert.ok(ok, String(firstProblem));
      const isNoted = notes.some((note) => note.startsWith('summary.json is of another version, without'));
      assert.ok(isNoted || !WITH_OTHER_FIELDS.has(name), notes.join('\n'));
    });

    it(`${name} may say things in other words, and no other fact`, async (t) => {
      const folder = temporaryFolder();
      t.after(() => rmSync(folder, { recursive: true }));
      const { runDirectory } = await importArchive(join(ARCHIVES, name), folder, { now: Date.now });
      const changed = async (file: string, from: RegExp, to: string) => {
        const path = join(runDirectory, file);
        const text = readFileSync(path, 'utf8');
        assert.match(text, from, 'there is something to change');
        writeFileSync(path, text.replace(from, to));
        const { firstProblem } = await verifyRun(nodeDisk, runDirectory);
        writeFileSync(path, text);
        return firstProblem;
      };
      assert.equal(await changed('summary.json', /"next": "[^"]*"/, '"next": "Look at it."'), null);
      assert.equal(
        await changed('summary.json', /"settled_usd":[\d.]+/, '"settled_usd":0'),
        'summary.json: It says other than the log, first in cost.settled_usd.',
      );
      assert.equal(
        await changed('summary.json', /"task_id":"t2"/, '"task_id":"t9"'),
        'summary.json: It says other than the log, first in tasks[1].task_id.',
      );
      assert.equal(
        await changed('results.json', /"task_text":"/, '"task_text":"Not '),
        'results.json: It says other than the log, first in [0].task_text.',
      );
      assert.equal(
        await changed('checkpoints/000002.json', /"iteration":2/, '"iteration":3'),
        'checkpoints: checkpoints/000002.json is not the state that the log gives.',
      );
      assert.equal(await changed('summary.json', /^\{/, '['), 'summary.json: It is not a summary.');
    });
  }
});
