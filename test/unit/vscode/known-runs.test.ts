import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { KnownRuns } from '../../../src/vscode/known-runs.ts';

describe('the runs of this machine', () => {
  const root = mkdtempSync(join(tmpdir(), 'known-runs-'));
  after(() => rmSync(root, { recursive: true, force: true }));
  const storage = join(root, 'storage');
  const known = new KnownRuns(nodeDisk, storage);
  const directory = join(root, 'a-run');
  mkdirSync(directory);
  writeFileSync(join(directory, 'config.json'), '{"run_id":"one"}');

  it('vouches for a run that was noted, and for no other', async () => {
    assert.equal(await known.vouchesFor('one', directory), false);
    await known.put('one', directory, true);
    assert.equal(await known.vouchesFor('one', directory), true);
    assert.equal(await known.vouchesFor('two', directory), false);
    assert.equal(await known.vouchesFor('one', join(root, 'a-copy')), false);
    assert.equal(await known.vouchesFor('../storage/one', directory), false);
    assert.deepEqual(
      (await known.all()).map(({ run_id, in_progress }) => [run_id, in_progress]),
      [['one', true]],
    );
  });

  it('does not vouch for a run whose configuration changed', async () => {
    writeFileSync(join(directory, 'config.json'), '{"run_id":"one","limits":{"max_cost_usd":10000}}');
    assert.equal(await known.vouchesFor('one', directory), false);
  });

  it('leaves out what is not whole', async () => {
    writeFileSync(join(storage, 'torn.json'), '{"run_id":"torn","dir');
    writeFileSync(join(storage, 'other.json'), '{"run_id":"one","directory":"/","config_sha256":""}');
    assert.deepEqual(
      (await known.all()).map(({ run_id }) => run_id),
      ['one'],
    );
  });

  it('forgets', async () => {
    await known.forget('one');
    assert.deepEqual(await known.all(), []);
  });
});
