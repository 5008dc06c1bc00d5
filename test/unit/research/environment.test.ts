import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { environmentSnapshot, variableSnapshot } from '../../../src/research/environment.ts';
import { temporaryFolder } from '../../support/run-host.ts';

const HAS_GIT = spawnSync('git', ['--version']).status === 0;

/** A repository with one commit of one file. */
function repository(): { folder: string; git: (...args: string[]) => string } {
  const folder = temporaryFolder();
  const git = (...args: string[]) => {
    const own = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com'];
    const { status, stdout, stderr } = spawnSync('git', [...own, ...args], { cwd: folder, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout.trim();
  };
  git('init', '-q');
  writeFileSync(join(folder, 'file.txt'), 'one\n');
  git('add', 'file.txt');
  git('commit', '-qm', 'one');
  return { folder, git };
}

async function snapshot(workspace: string) {
  const distDirectory = temporaryFolder();
  writeFileSync(join(distDirectory, 'packages.json'), '[]');
  return environmentSnapshot({ distDirectory, extensionVersion: '1', vscodeVersion: null, workspace });
}

describe('the state of the workspace', { skip: !HAS_GIT }, () => {
  it('is the commit, and whether a file was changed since, also from a folder inside', async () => {
    const { folder, git } = repository();
    const commit = git('rev-parse', 'HEAD');
    assert.deepEqual((await snapshot(folder)).git, { commit, dirty: false });
    const inside = join(folder, 'inside');
    mkdirSync(inside);
    writeFileSync(join(inside, 'new.txt'), 'not known to git\n');
    assert.deepEqual((await snapshot(inside)).git, { commit, dirty: false });
    writeFileSync(join(folder, 'file.txt'), 'two\n');
    assert.deepEqual((await snapshot(inside)).git, { commit, dirty: true });
  });

  it('is nothing outside a repository', async () => {
    assert.equal((await snapshot(temporaryFolder())).git, null);
  });

  for (const [what, hostile] of [
    ['a filter', (run: string) => `[filter "ev.il"]\n\tclean = ${run}\n\trequired = true\n`],
    ['a process', (run: string) => `[filter "ev.il"]\n\tprocess = ${run}\n`],
    ['a monitor', (run: string) => `[core]\n\tfsmonitor = ${run}\n`],
    ['a hook', () => '[core]\n\thooksPath = hooks\n'],
    ['a pager', (run: string) => `[core]\n\tpager = ${run}\n[pager]\n\tstatus = true\n`],
  ] as const) {
    it(`is found without running ${what} of its configuration`, async () => {
      const { folder, git } = repository();
      const mark = join(folder, 'mark');
      const commit = git('rev-parse', 'HEAD');
      mkdirSync(join(folder, 'hooks'));
      writeFileSync(join(folder, 'hooks', 'post-index-change'), `#!/bin/sh\ntouch '${mark}'\n`, { mode: 0o755 });
      writeFileSync(join(folder, '.git', 'info', 'attributes'), '* filter=ev.il\n');
      appendFileSync(join(folder, '.git', 'config'), hostile(`"touch '${mark}'; cat"`));
      // Another time makes git compare the content.
      utimesSync(join(folder, 'file.txt'), 1, 1);
      assert.deepEqual((await snapshot(folder)).git, { commit, dirty: false });
      assert.equal(existsSync(mark), false);
    });
  }

  it('is not looked for where a filter cannot be taken out', async () => {
    const { folder } = repository();
    const mark = join(folder, 'mark');
    appendFileSync(join(folder, '.git', 'config'), `[filter "a=b"]\n\tclean = "touch '${mark}'; cat"\n`);
    writeFileSync(join(folder, '.git', 'info', 'attributes'), '* filter=a=b\n');
    utimesSync(join(folder, 'file.txt'), 1, 1);
    assert.equal((await snapshot(folder)).git, null);
    assert.equal(existsSync(mark), false);
  });
});

describe('the variables on record', () => {
  it('are those that shape a run, and none of anybody else', () => {
    const variables = {
      BABYAGI_MODEL: 'm',
      BABYAGI_WEBHOOK_URL: 'https://hooks.example.com/secret',
      BABYAGI_EMAIL_TO: 'somebody@example.com',
      BABYAGI_DEAD_MAN_URL: 'https://hc.example.com/secret',
      BABYAGI_METRICS_PORT: '9464',
      BABYAGI_OTLP_ENDPOINT: 'http://localhost:4318',
      BABYAGI_OTLP_HEADERS: 'authorization=secret',
      MAX_ITERATIONS: '5',
      MAX_COST_USD: '1',
      MAX_WALL_TIME: '7',
      MAX_UPLOAD_PASSPHRASE: 'of another program',
      OPENAI_API_KEY: 'secret',
      OPENAI_API_MODEL: 'gpt-4o',
      PATH: '/bin',
    };
    assert.deepEqual(variableSnapshot(variables), {
      BABYAGI_MODEL: 'm',
      BABYAGI_WEBHOOK_URL: '[not recorded]',
      BABYAGI_EMAIL_TO: '[not recorded]',
      BABYAGI_DEAD_MAN_URL: '[not recorded]',
      BABYAGI_METRICS_PORT: '9464',
      BABYAGI_OTLP_ENDPOINT: 'http://localhost:4318',
      BABYAGI_OTLP_HEADERS: '[not recorded]',
      MAX_ITERATIONS: '5',
      MAX_COST_USD: '1',
      MAX_WALL_TIME: '7',
      OPENAI_API_MODEL: 'gpt-4o',
    });
  });
});
