import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { leadsWhereItSays } from '../../../src/tools/inside.ts';
import { temporaryFolder } from '../../support/run-host.ts';

describe('a folder of the workspace', () => {
  const root = temporaryFolder();
  const elsewhere = temporaryFolder();
  mkdirSync(join(root, 'real', 'deep'), { recursive: true });
  mkdirSync(join(elsewhere, 'workspace'));
  const link = (to: string, name: string) => {
    // What Windows lets anybody make.
    symlinkSync(to, join(root, name), process.platform === 'win32' ? 'junction' : null);
    return name;
  };
  const cases: [string, string, boolean][] = [
    ['is there', 'real/deep', true],
    ['will be there', 'new/runs', true],
    ['will be in one that is', 'real/new/runs', true],
    ['is the workspace itself', '', true],
    ['is a link out of it', link(elsewhere, 'out'), false],
    ['will be behind a link out of it', 'out/new/runs', false],
    ['is behind a link to its parent', `${link(join(root, '..'), 'up')}/x`, false],
    ['is a link to nothing', link(join(elsewhere, 'nothing'), 'dangling'), false],
    ['will be behind a link to nothing', 'dangling/runs', false],
    ['is a link to another of its folders', link(join(root, 'real'), 'alias'), true],
    ['only begins like its name', `${link(`${root}-other`, 'twin')}/x`, false],
  ];
  for (const [what, path, expected] of cases) {
    it(`that ${what} leads ${expected ? 'where it says' : 'elsewhere'}`, async () => {
      assert.equal(await leadsWhereItSays(root, join(root, path)), expected);
    });
  }

  it('may be behind a link as a whole', async () => {
    const workspace = join(root, link(join(elsewhere, 'workspace'), 'opened'));
    assert.equal(await leadsWhereItSays(workspace, join(workspace, '.babyagi', 'runs')), true);
  });

  it('is not needed where a path is written as one elsewhere', async () => {
    assert.equal(await leadsWhereItSays(join(root, 'real'), elsewhere), true);
  });
});
