import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { FolderWorkspace } from '../../../src/tools/workspace.ts';

const SECRETS = [
  '.env',
  '.env.local',
  '.npmrc',
  'app/.env.production',
  'app/prod.env',
  'env.json',
  'server.pem',
  'deploy/server.key',
  'deploy/store.jks',
  'deploy/main.tfvars',
  'deploy/terraform.tfstate.backup',
  'id_rsa',
  'id_ed25519.pub',
  'credentials.json',
  'secrets.yaml',
  'secrets.ts',
  'passwords.md',
  'api-key.txt',
  'oauth_token.json',
  'service-account-prod.json',
  'secrets/readme.txt',
];
const SKIPPED = [
  'node_modules/a/index.js',
  '.git/config',
  'dist/app.js',
  '.babyagi/runs/r/summary.md',
  'logo.png',
  'app.wasm',
];
const READABLE = [
  'README.md',
  'notes/日程.md',
  'src/password-form.ts',
  'src/secret-shapes.ts',
  'src/tokens.ts',
  'docs/api-keys.md',
  'Makefile',
];

describe('the workspace', () => {
  let root = '';
  let outside = '';
  const put = async (path: string, content: string | Uint8Array) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  };
  const listed = async () => (await new FolderWorkspace(root).list()).map(({ path }) => path);

  before(async () => {
    const base = await mkdtemp(join(tmpdir(), 'workspace-'));
    root = join(base, 'root');
    outside = join(base, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'plan.md'), 'elsewhere');
    for (const path of [...SECRETS, ...SKIPPED]) await put(path, 'canary');
    for (const path of READABLE) await put(path, `text of ${path}`);
  });
  after(() => rm(dirname(root), { recursive: true, force: true }));

  it('lists text files, the nearest first, with sizes', async () => {
    assert.deepEqual(await listed(), [
      'Makefile',
      'README.md',
      'docs/api-keys.md',
      'notes/日程.md',
      'src/password-form.ts',
      'src/secret-shapes.ts',
      'src/tokens.ts',
    ]);
    const [first] = await new FolderWorkspace(root).list();
    assert.equal(first?.size, 'text of Makefile'.length);
  });

  it('reads what it lists', async () => {
    for (const path of READABLE) assert.equal(await new FolderWorkspace(root).read(path), `text of ${path}`);
  });

  it('neither lists nor reads secrets, dependencies, builds, run folders and binaries', async () => {
    const paths = await listed();
    for (const path of [...SECRETS, ...SKIPPED]) {
      assert.ok(!paths.includes(path), path);
      assert.equal(await new FolderWorkspace(root).read(path), null, path);
    }
  });

  it('stays inside', async () => {
    const workspace = new FolderWorkspace(root);
    const attempts = [
      '../outside/plan.md',
      join(outside, 'plan.md'),
      'src/../../outside/plan.md',
      '',
      '.',
      '/',
      'src',
      'a\0b',
      'src\\..\\README.md',
      'C:/x.md',
      './README.md',
    ];
    for (const path of attempts) assert.equal(await workspace.read(path), null, path);
  });

  it('follows no symbolic link', { skip: process.platform === 'win32' }, async () => {
    await symlink(join(outside, 'plan.md'), join(root, 'linked.md'));
    await symlink(outside, join(root, 'linked'));
    await symlink(join(root, '.env'), join(root, 'settings.txt'));
    const workspace = new FolderWorkspace(root);
    const paths = await listed();
    for (const path of ['linked.md', 'linked/plan.md', 'settings.txt']) {
      assert.ok(!paths.includes(path), path);
      assert.equal(await workspace.read(path), null, path);
    }
    for (const link of ['linked.md', 'linked', 'settings.txt']) await rm(join(root, link));
  });

  it('works where the root itself is behind a symbolic link', { skip: process.platform === 'win32' }, async () => {
    const alias = join(dirname(root), 'alias');
    await symlink(root, alias);
    assert.equal(await new FolderWorkspace(alias).read('README.md'), 'text of README.md');
  });

  it('reads the beginning of a long file, in whole characters, and leaves huge ones out', async () => {
    await put('long.txt', `x${'ü'.repeat(50_000)}`);
    await put('huge.txt', new Uint8Array(3 * 1024 * 1024).fill(97));
    const text = await new FolderWorkspace(root).read('long.txt');
    assert.equal(text, `x${'ü'.repeat(32_767)}`);
    assert.equal(await new FolderWorkspace(root).read('huge.txt'), null);
    assert.ok(!(await listed()).includes('huge.txt'));
    await Promise.all(['long.txt', 'huge.txt'].map((path) => rm(join(root, path))));
  });

  it('takes nothing from files that turn out to be binary or to hold a private key', async () => {
    await put('data.txt', 'a\0b');
    await put('setup.md', 'first\n-----BEGIN RSA PRIVATE KEY-----\nMIIE');
    assert.equal(await new FolderWorkspace(root).read('data.txt'), null);
    assert.equal(await new FolderWorkspace(root).read('setup.md'), null);
    await Promise.all(['data.txt', 'setup.md'].map((path) => rm(join(root, path))));
  });

  it('lists at most 2000 files, and none where there is no folder', async () => {
    const many = await mkdtemp(join(tmpdir(), 'workspace-'));
    for (let at = 0; at < 2001; at++) writeFileSync(join(many, `f${at}.md`), '');
    assert.equal((await new FolderWorkspace(many).list()).length, 2000);
    await rm(many, { recursive: true });
    assert.deepEqual(await new FolderWorkspace(many).list(), []);
    assert.equal(await new FolderWorkspace(many).read('f1.md'), null);
  });
});
