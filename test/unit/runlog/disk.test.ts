import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { temporaryFolder } from '../../support/run-host.ts';

const folder = temporaryFolder();
after(() => rmSync(folder, { recursive: true }));

describe('the disk of a run', () => {
  it('says that a file is not there only where that is certain', async () => {
    const path = join(folder, 'file');
    assert.equal(await nodeDisk.exists(path), false);
    writeFileSync(path, '');
    assert.equal(await nodeDisk.exists(path), true);
    assert.equal(await nodeDisk.exists(join(path, 'below')), false);
    symlinkSync('loop', join(folder, 'loop'));
    await assert.rejects(nodeDisk.exists(join(folder, 'loop', 'below')), { code: 'ELOOP' });
  });

  it('leaves no draft behind when a file cannot be replaced', async () => {
    const below = join(folder, 'replaced');
    mkdirSync(join(below, 'file'), { recursive: true });
    await assert.rejects(nodeDisk.replace(join(below, 'file'), 'text'));
    assert.deepEqual(readdirSync(below), ['file']);
    await nodeDisk.replace(join(below, 'other'), 'text');
    assert.equal(readFileSync(join(below, 'other'), 'utf8'), 'text');
    assert.deepEqual(readdirSync(below).sort(), ['file', 'other']);
  });

  it('makes a folder with all above it, for nobody else, and says where that cannot be', async () => {
    const path = join(folder, 'one', 'two', 'three');
    await Promise.all([nodeDisk.makeDirectory(path), nodeDisk.makeDirectory(join(folder, 'one', 'other'))]);
    await nodeDisk.makeDirectory(path);
    for (const made of [path, join(folder, 'one')]) assert.equal(statSync(made).mode & 0o777, 0o700);
    writeFileSync(join(folder, 'one', 'taken'), '');
    await assert.rejects(nodeDisk.makeDirectory(join(folder, 'one', 'taken')), { code: 'EEXIST' });
    await assert.rejects(nodeDisk.makeDirectory(join(folder, 'one', 'taken', 'below')), { code: 'ENOTDIR' });
    // Which takes no folder and says that it is not there.
    if (process.platform === 'linux')
      await assert.rejects(nodeDisk.makeDirectory('/proc/nothing/below'), { code: 'ENOENT' });
  });

  it('creates a file once', async () => {
    const path = join(folder, 'once');
    await (await nodeDisk.create(path)).close();
    await assert.rejects(nodeDisk.create(path), { code: 'EEXIST' });
  });
});
