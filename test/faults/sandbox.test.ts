import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import * as fsPromises from 'node:fs/promises';
import {
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { OutputPathError } from '../../src/safety/output-path.ts';
import { Sandbox, type SandboxOptions } from '../../src/safety/sandbox.ts';
import {
  comparablePath,
  renameWithRetry,
  SandboxError,
  type SandboxErrorReason,
  type SandboxFs,
} from '../../src/safety/sandbox-directory.ts';
import { LONG } from './fault-run.ts';

const PLATFORMS = ['linux', 'darwin', 'win32'];
const bytes = (text: string) => Buffer.from(text);
const hash = (text: string) => createHash('sha256').update(text).digest('hex');

let base = '';
let place = '';
let root = '';
before(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'sandbox-')));
});
after(() => rm(base, { recursive: true, force: true }));
beforeEach(async () => {
  place = await mkdtemp(join(base, 'case-'));
  root = join(place, 'output');
});

const open = (options: Partial<SandboxOptions> = {}) => new Sandbox({ root, platform: 'linux', ...options });

/** All entries below a folder with kind and content, links not followed. */
async function snapshot(folder: string): Promise<Record<string, string>> {
  const entries: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    entries[path.slice(folder.length + 1)] = entry.isFile()
      ? await readFile(path, 'utf8')
      : entry.isDirectory()
        ? '<folder>'
        : '<other>';
  }
  return entries;
}

/** The paths of the regular files that people may see. */
async function files(): Promise<string[]> {
  const entries = existsSync(root) ? await readdir(root, { recursive: true, withFileTypes: true }) : [];
  const seen = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.sandbox-'));
  return seen.map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)).sort();
}

async function refused(promise: Promise<unknown>, ...reasons: SandboxErrorReason[]): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof SandboxError, String(error));
    assert.ok(reasons.includes(error.reason), `${error.reason}: ${error.message}`);
    return true;
  });
}

for (const platform of PLATFORMS) {
  describe(`the sandbox by the rules of ${platform}`, () => {
    const sandbox = (options: Partial<SandboxOptions> = {}) => open({ platform, ...options });

    it('writes files, tells their hash, and leaves nothing else', async () => {
      const box = sandbox();
      assert.deepEqual(await box.write('a/b/notes.md', bytes('hello')), {
        path: 'a/b/notes.md',
        sha256: hash('hello'),
        bytes: 5,
      });
      await box.write('empty', bytes(''));
      await box.write('cafe\u0301.txt', bytes('x'));
      const { '.sandbox-staging': _, ...rest } = await snapshot(root);
      assert.deepEqual(rest, {
        a: '<folder>',
        'a/b': '<folder>',
        'a/b/notes.md': 'hello',
        'caf\u00e9.txt': 'x',
        empty: '',
      });
    });

    it('makes files and folders for the owner alone, and no file executable', async () => {
      await sandbox().write('a/b', bytes('#!/bin/sh'));
      assert.equal((await lstat(join(root, 'a/b'))).mode & 0o777, 0o600);
      assert.equal((await lstat(join(root, 'a'))).mode & 0o777, 0o700);
    });

    it('overwrites its own files, of earlier sessions too, and no others', async () => {
      const box = sandbox();
      await box.write('mine', bytes('1'));
      await box.write('mine', bytes('2'));
      assert.equal(await readFile(join(root, 'mine'), 'utf8'), '2');

      await writeFile(join(root, 'mine'), 'edited by a person');
      await refused(box.write('mine', bytes('3')), 'changed_by_others');
      await writeFile(join(root, 'theirs'), 'written by a person');
      await refused(box.write('theirs', bytes('3')), 'changed_by_others');
      assert.equal(await readFile(join(root, 'mine'), 'utf8'), 'edited by a person');
      assert.equal(await readFile(join(root, 'theirs'), 'utf8'), 'written by a person');

      const later = sandbox({ known: [{ path: 'theirs', sha256: hash('written by a person') }] });
      await later.write('theirs', bytes('4'));
      await refused(later.write('mine', bytes('4')), 'changed_by_others');
      // Nothing is lost where the same content is there already, whoever wrote it.
      await later.write('mine', bytes('edited by a person'));
      await later.write('mine', bytes('5'));
    });

    it('announces a file when name and quotas are checked and before it exists', async () => {
      const box = sandbox();
      const announced: string[] = [];
      await box.write('a/x', bytes('hello'), async (file) => {
        announced.push(`${file.path} ${file.sha256} ${file.bytes}`);
        assert.equal(existsSync(root), false);
      });
      assert.deepEqual(announced, [`a/x ${hash('hello')} 5`]);
      await assert.rejects(
        box.write('../x', bytes(''), () => assert.fail()),
        OutputPathError,
      );
      const failure = new Error('the log cannot be written');
      await assert.rejects(
        box.write('y', bytes(''), () => Promise.reject(failure)),
        failure,
      );
      assert.equal(existsSync(join(root, 'y')), false);
    });

    it('keeps to its quotas', async () => {
      const box = sandbox({ quotas: { files: 3, totalBytes: 100, fileBytes: 60 } });
      await refused(box.write('a', randomBytes(61)), 'file_too_large');
      await box.write('a', randomBytes(60));
      await refused(box.write('b', randomBytes(41)), 'too_many_bytes');
      await box.write('a', randomBytes(10));
      await box.write('b', randomBytes(41));
      await box.write('c', randomBytes(1));
      await refused(box.write('d', bytes('')), 'too_many_files');
      await box.write('c', randomBytes(2));
      const later = sandbox({ quotas: { files: 4, totalBytes: 54, fileBytes: 60 } });
      await refused(later.write('d', bytes('xx')), 'too_many_bytes');
      await later.write('d', bytes('x'));
      assert.equal((await files()).length, 4);
    });

    it('refuses a file of 5 MiB and one byte without quotas of its own', async () => {
      const box = sandbox();
      await refused(box.write('a', new Uint8Array(5 * 2 ** 20 + 1)), 'file_too_large');
      assert.equal((await box.write('a', new Uint8Array(5 * 2 ** 20))).bytes, 5 * 2 ** 20);
    });

    it('writes one file at a time: parallel writes keep to quotas and do not collide', async () => {
      const box = sandbox({ quotas: { files: 5, totalBytes: 1000, fileBytes: 100 } });
      const names = ['a', 'A', 'b', 'B', 'c', 'd', 'e', 'f', 'g'];
      const results = await Promise.allSettled(names.map((name) => box.write(name, bytes(name))));
      assert.equal(results.filter((result) => result.status === 'fulfilled').length, 5);
      assert.deepEqual(await files(), ['a', 'b', 'c', 'd', 'e']);
    });

    it('leaves what is no regular file alone, and does not wait for a pipe', async () => {
      await mkdir(join(root, 'folder'), { recursive: true });
      execFileSync('mkfifo', [join(root, 'pipe')]);
      const server = createServer().listen(join(root, 'socket'));
      await new Promise((resolve) => server.once('listening', resolve));
      try {
        const box = sandbox();
        for (const name of ['folder', 'pipe', 'socket'])
          await refused(box.write(name, bytes('x')), 'not_a_regular_file');
        for (const name of ['pipe/x', 'socket/x']) await refused(box.write(name, bytes('x')), 'not_a_directory');
        assert.deepEqual(await files(), []);
      } finally {
        server.close();
      }
    });

    it('follows no link: not as file, as folder, dangling, to a device, or as root', async () => {
      const victim = join(place, 'victim');
      await mkdir(victim);
      await writeFile(join(victim, 'file'), 'precious');
      await mkdir(join(root, 'deep/er'), { recursive: true });
      const links: Record<string, string> = {
        'to-file': join(victim, 'file'),
        'to-folder': victim,
        dangling: join(victim, 'new'),
        relative: '../victim/file',
        device: '/dev/null',
        'deep/er/up': '../../..',
        loop: 'loop',
        inside: 'deep',
      };
      for (const [name, target] of Object.entries(links)) await symlink(target, join(root, name));
      const box = sandbox({ known: [{ path: 'to-file', sha256: hash('precious') }] });
      for (const name of Object.keys(links)) {
        await refused(box.write(name, bytes('x')), 'link');
        await refused(box.write(`${name}/x`, bytes('x')), 'link');
        await refused(box.write(`${name}/x/y`, bytes('x')), 'link');
      }
      assert.deepEqual(await snapshot(victim), { file: 'precious' });
      assert.deepEqual(await files(), []);

      await symlink(victim, join(place, 'link-root'));
      await refused(sandbox({ root: join(place, 'link-root') }).write('x', bytes('x')), 'link');
      assert.deepEqual(await snapshot(victim), { file: 'precious' });
    });

    it('never writes through a hard link', async () => {
      const victim = join(place, 'victim');
      const box = sandbox();
      await box.write('a', bytes('old'));
      await link(join(root, 'a'), victim);
      await box.write('a', bytes('new'));
      assert.equal(await readFile(victim, 'utf8'), 'old');
      assert.equal(await readFile(join(root, 'a'), 'utf8'), 'new');
    });

    it('notices an exchanged root, and makes a removed one anew', async () => {
      const box = sandbox();
      await box.write('a', bytes('1'));
      await rename(root, join(place, 'moved'));
      await mkdir(root);
      await refused(box.write('b', bytes('1')), 'root_refused');
      assert.deepEqual(await readdir(root), []);
      await rm(root, { recursive: true });
      await box.write('b', bytes('1'));
      assert.deepEqual(await files(), ['b']);
    });

    it('refuses roots that belong to others', () => {
      for (const wrong of ['output', './output', '/w/.git/x', '/w/.vscode', '/w/node_modules/x', '/home/me/.SSH']) {
        assert.throws(
          () => sandbox({ root: wrong }),
          (error: unknown) => error instanceof SandboxError && error.reason === 'root_refused',
        );
      }
    });

    it('clears away what a crash left behind, once', async () => {
      await mkdir(join(root, 'a/.sandbox-staging'), { recursive: true });
      await writeFile(join(root, '.sandbox-1.tmp'), 'torn');
      await writeFile(join(root, 'a/.sandbox-2.tmp'), 'torn');
      await writeFile(join(root, 'a/.sandbox-staging/.sandbox-3.tmp'), 'torn');
      const box = sandbox();
      await box.write('b', bytes('x'));
      const left = Object.keys(await snapshot(root)).filter((path) => path.endsWith('.tmp'));
      assert.deepEqual(left, []);
    });

    it('leaves no trace of a write that failed at any step', async () => {
      const steps = ['open', 'write', 'sync', 'rename'] as const;
      for (const [step, code, reason] of steps.flatMap((step) => [
        [step, 'ENOSPC', 'disk_full'] as const,
        [step, 'EIO', 'io'] as const,
      ])) {
        const box = sandbox({ fs: failing(step, code) });
        await refused(box.write('f', bytes('x')), reason);
        assert.deepEqual(await files(), [], `${step} ${code}`);
        assert.deepEqual(
          Object.keys(await snapshot(root)).filter((path) => !path.endsWith('staging')),
          [],
        );
      }
    });

    it('makes content durable before the name shows it, and the name before it reports', async () => {
      const calls: string[] = [];
      const box = sandbox({ fs: recording(calls) });
      await box.write('a/f', bytes('x'));
      const order = ['write', 'sync file', 'rename', ...(platform === 'win32' ? [] : ['sync folder'])];
      assert.deepEqual(calls.slice(calls.indexOf('write')), order);
      if (platform !== 'win32')
        assert.equal(calls.slice(0, calls.indexOf('write')).filter((call) => call === 'sync folder').length, 2);
    });

    it('neither waits for nor reads what takes the place of a file it is looking at', async () => {
      const secret = join(place, 'secret');
      await writeFile(secret, 'secret');
      const swaps = [() => execFileSync('mkfifo', [join(root, 'f')]), () => symlink(secret, join(root, 'f'))];
      for (const swap of swaps) {
        await rm(root, { recursive: true, force: true });
        await sandbox().write('f', bytes('mine'));
        let swapping = false;
        const lstat = async (path: Parameters<typeof fsPromises.lstat>[0]) => {
          const stats = await fsPromises.lstat(path, { bigint: true });
          if (stats.isFile() && String(path).endsWith('f') && swapping) {
            await rm(join(root, 'f'));
            await swap();
          }
          return stats;
        };
        const racing = sandbox({
          known: [{ path: 'f', sha256: hash('secret') }],
          fs: { ...fsPromises, lstat: lstat as SandboxFs['lstat'] },
        });
        const write = racing.write('f', bytes('new'), async () => {
          swapping = true;
        });
        await refused(write, 'changed_by_others', 'link');
        assert.equal(await readFile(secret, 'utf8'), 'secret');
      }
    });

    it('does not overwrite what appears while it writes', async () => {
      const box = sandbox({
        fs: { ...fsPromises, open: interposed(async () => void (await writeFile(join(root, 'f'), 'theirs'))) },
      });
      await refused(box.write('f', bytes('x')), 'changed_by_others');
      assert.deepEqual((await snapshot(root)).f, 'theirs');
    });

    for (const [what, theirs] of [
      ['of another length', 'theirs'],
      ['of the same length', 'one!'],
    ] as const) {
      it(`does not overwrite its own file where somebody writes a text ${what} into it meanwhile`, async () => {
        await sandbox().write('f', bytes('ours'));
        const change = async () => {
          await writeFile(join(root, 'f'), theirs);
          if (theirs.length === 4) await utimes(join(root, 'f'), 1, 1);
        };
        const box = sandbox({
          known: [{ path: 'f', sha256: hash('ours') }],
          fs: { ...fsPromises, open: interposed(change) },
        });
        await refused(box.write('f', bytes('new')), 'changed_by_others');
        assert.deepEqual((await snapshot(root)).f, theirs);
      });
    }
  });
}

/** An `open` that does something before it makes a new file. */
function interposed(action: () => Promise<void>): SandboxFs['open'] {
  return async (path, flags, mode) => {
    if (typeof flags === 'number' && (flags & constants.O_CREAT) !== 0) await action();
    return fsPromises.open(path, flags, mode);
  };
}

function failing(step: 'open' | 'write' | 'sync' | 'rename', code: string): SandboxFs {
  const fail = () => Promise.reject(Object.assign(new Error(`${code}: made up`), { code }));
  return {
    ...fsPromises,
    rename: (from, to) => (step === 'rename' ? fail() : fsPromises.rename(from, to)),
    open: async (path, flags, mode) => {
      if (typeof flags !== 'number' || (flags & constants.O_CREAT) === 0) return fsPromises.open(path, flags, mode);
      if (step === 'open') return fail();
      const handle = await fsPromises.open(path, flags, mode);
      if (step === 'write') handle.writeFile = fail;
      if (step === 'sync') handle.sync = fail;
      return handle;
    },
  };
}

function recording(calls: string[]): SandboxFs {
  return {
    ...fsPromises,
    rename: async (from, to) => {
      calls.push('rename');
      await fsPromises.rename(from, to);
    },
    open: async (path, flags, mode) => {
      const handle = await fsPromises.open(path, flags, mode);
      const folder = (await handle.stat()).isDirectory();
      const sync = handle.sync.bind(handle);
      handle.sync = async () => {
        calls.push(folder ? 'sync folder' : 'sync file');
        await sync();
      };
      const write = handle.writeFile.bind(handle);
      handle.writeFile = async (data) => {
        calls.push('write');
        await write(data);
      };
      return handle;
    },
  };
}

describe('a thousand names', () => {
  for (const platform of PLATFORMS) {
    it(`write below the root or not at all, by the rules of ${platform}`, async () => {
      await writeFile(join(place, 'victim'), 'precious');
      await mkdir(join(place, 'other'));
      await mkdir(root);
      await symlink(place, join(root, 'link'));
      await symlink(join(place, 'victim'), join(root, 'link-to-file'));
      const { output: _before, ...outside } = await snapshot(place);
      const box = open({ platform, quotas: { files: 2000, totalBytes: 1e6, fileBytes: 1000 } });
      const names = hostileNames();
      assert.ok(names.length >= 400, String(names.length));
      const written = new Set<string>();
      for (const name of names) {
        try {
          const { path } = await box.write(name, bytes('x'));
          assert.ok(!path.split('/').includes('..'));
          assert.equal(await readFile(join(root, path), 'utf8'), 'x');
          written.add(path);
        } catch (error) {
          assert.ok(error instanceof OutputPathError || error instanceof SandboxError, String(error));
          assert.notEqual(error.reason, 'escaped');
          assert.notEqual(error.reason, 'io', `${JSON.stringify(name)}: ${error.message}`);
        }
      }
      assert.ok(written.size > 10, 'ordinary names among them are written');
      const now = await snapshot(place);
      const changed = Object.keys(now).filter((path) => !path.startsWith('output') && !(path in outside));
      assert.deepEqual(changed, []);
      assert.equal(now.victim, 'precious');
      assert.deepEqual(await files(), [...written].sort());
      console.log(`sandbox: ${names.length} names tried, ${written.size} written, 0 escapes`);
    });
  }
});

/** Names that have led out of other sandboxes, alone and in each place of a path. */
function hostileNames(): string[] {
  const parts = [
    ...[
      '..',
      '.',
      '',
      '...',
      '. .',
      '.. ',
      '..\u0000',
      '%2e%2e',
      '..%2f',
      '\u2024\u2024',
      '．．',
      '‥',
      '..;',
      '~',
      '~root',
      '$HOME',
    ],
    ...[
      '/etc/passwd',
      '//server/share',
      '\\\\server\\share',
      '\\\\?\\C:\\x',
      '\\\\.\\pipe\\x',
      'C:',
      'C:\\x',
      'C:x',
      'c:/x',
      'file:///x',
    ],
    ...[
      'CON',
      'con.txt',
      'CON .txt',
      'NUL',
      'aux',
      'PRN.log',
      'COM1',
      'com¹',
      'COM².txt',
      'LPT³',
      'lpt9',
      'CONIN$',
      'clock$',
    ],
    ...[
      'a:stream',
      'a::$DATA',
      'a:b:$DATA',
      '.git',
      '.GIT',
      '.Git',
      '.g\u200cit',
      '.git ',
      '.git.',
      'git~1',
      'GIT~2',
      '.git::$INDEX_ALLOCATION',
    ],
    ...[
      '.vscode',
      '.env',
      '.env.local',
      '.npmrc',
      '.ssh',
      'x.code-workspace',
      'desktop.ini',
      'x.lnk',
      '.sandbox-x.tmp',
      '.sandbox-staging',
    ],
    ...[
      'a.',
      'a ',
      ' a',
      'a\u00a0',
      'a\u202etxt',
      'a\u200db',
      '\u200d',
      '\ufeff',
      'a\u0000b',
      'a\nb',
      'a\rb',
      'a\u0085',
      'a\u2028',
      '\u001b[2J',
    ],
    ...[
      'é',
      'e\u0301',
      'É',
      'ß',
      'SS',
      'ﬁ',
      'FI',
      'K',
      '\u212a',
      'ı',
      'I',
      'i',
      'ſ',
      's',
      'S',
      '漢字',
      '😀',
      '👩\u200d🔬',
      '\ud800',
      '\udfff',
    ],
    ...[
      '-rf',
      '--',
      '<x>',
      'x|y',
      'x?',
      'x*',
      '"x"',
      "'x'",
      '`x`',
      '$(x)',
      'x;y',
      'x&y',
      'x'.repeat(120),
      'x'.repeat(121),
      'é'.repeat(60),
      'é'.repeat(61),
    ],
    ...[
      'link',
      'link-to-file',
      'link/victim',
      'victim',
      'output',
      '__proto__',
      'constructor',
      'toString',
      'x'.repeat(255),
      'x'.repeat(256),
    ],
  ];
  const shapes: ((part: string) => string)[] = [
    (part) => part,
    (part) => `${part}/x`,
    (part) => `d/${part}`,
    (part) => `d/${part}/x`,
    (part) => `${part}.txt`,
    (part) => `../${part}`,
    (part) => `d/../../${part}`,
    (part) => `d\\..\\${part}`,
  ];
  const deep = [16, 17, 255, 5000].map((depth) => Array(depth).fill('n').join('/'));
  return [...new Set([...parts.flatMap((part) => shapes.map((shape) => shape(part))), ...deep])];
}

const RACE_MS = LONG ? 60_000 : 2000;
/** On a busy machine the other side may sleep for long. */
const LONGEST_RACE_MS = RACE_MS + 28_000;

describe('a race for the folder', () => {
  // Exchanges the folder for a link to the victim and back, as fast as it can. Each step may fail: the sandbox makes the
  // folder anew where it is missing.
  const swapper = `
    const { renameSync, symlinkSync, unlinkSync } = require('node:fs');
    const [folder, aside, victim, pauses] = process.argv.slice(1);
    const attempt = (step) => { try { step(); } catch {} };
    const clock = new Int32Array(new SharedArrayBuffer(4));
    process.stdout.write('ready');
    for (let n = 0; ; n++) {
      Atomics.wait(clock, 0, 0, n % Number(pauses)); // a write comes further before the exchange
      attempt(() => renameSync(folder, aside + n));
      attempt(() => symlinkSync(victim, folder));
      attempt(() => unlinkSync(folder));
      attempt(() => renameSync(aside + n, folder));
    }`;

  // Waiting for the disk would leave time for a few hundred attempts only.
  const unsynced: SandboxFs = {
    ...fsPromises,
    open: async (path, flags, mode) =>
      Object.assign(await fsPromises.open(path, flags, mode), { sync: async () => {} }),
  };

  async function race(pauses: number, work: (victim: string, ms: number) => Promise<boolean>): Promise<void> {
    const victim = join(place, 'victim');
    await mkdir(victim);
    await mkdir(join(root, 'dir'), { recursive: true });
    const child = spawn(
      process.execPath,
      ['-e', swapper, join(root, 'dir'), join(place, 'aside-'), victim, String(pauses)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const gone = new Promise((resolve) => child.once('exit', resolve));
    try {
      await new Promise((resolve) => child.stdout.once('data', resolve));
      const start = performance.now();
      for (let ms = 0; ms < LONGEST_RACE_MS && (await work(victim, ms)); ms = performance.now() - start);
    } finally {
      child.kill('SIGKILL');
      await gone;
    }
  }

  it('ends without a single file outside', async () => {
    const box = open({ fs: unsynced });
    let written = 0;
    let refusals = 0;
    await race(2, async (_victim, ms) => {
      try {
        await box.write(`dir/f${written % 5}`, bytes(`${written}`));
        written++;
      } catch (error) {
        assert.ok(error instanceof SandboxError, String(error));
        refusals++;
      }
      return ms < RACE_MS || written === 0 || refusals === 0;
    });
    assert.deepEqual(await readdir(join(place, 'victim')), []);
    assert.ok(written > 0 && refusals > 0, 'the race was on');
    console.log(`sandbox: a race of ${written} writes and ${refusals} refusals, 0 escapes`);
  });

  it('is lost by a writer that checks the path and then writes', async () => {
    let escaped = false;
    let count = 0;
    await race(1, async (victim) => {
      const path = join(root, 'dir', `f${count++ % 5}`);
      try {
        if ((await realpath(dirname(path))).startsWith(root)) await writeFile(path, 'x');
      } catch {
        // Missing for a moment, or exchanged between two steps.
      }
      escaped = (await readdir(victim)).length > 0;
      return !escaped;
    });
    assert.ok(escaped, 'otherwise the race above proves nothing');
  });
});

describe('by paths alone (macOS, Windows)', () => {
  for (const platform of ['darwin', 'win32']) {
    it(`${platform}: a folder exchanged at the last moment is noticed, and the file taken away again`, async () => {
      const victim = join(place, 'victim');
      await mkdir(victim);
      await mkdir(join(root, 'dir'), { recursive: true });
      const box = open({
        platform,
        fs: {
          ...fsPromises,
          rename: async (from, to) => {
            await fsPromises.rename(join(root, 'dir'), join(root, 'was'));
            await fsPromises.symlink(victim, join(root, 'dir'));
            const moved = String(from).replace(join(root, 'dir'), join(root, 'was'));
            await fsPromises.rename(moved, to);
          },
        },
      });
      await refused(box.write('dir/f', bytes('x')), 'escaped');
      assert.deepEqual(await readdir(victim), []);
    });
  }

  for (const platform of ['darwin', 'win32']) {
    it(`${platform}: a file of others in the folder that was put there stays`, async () => {
      const victim = join(place, 'victim');
      await mkdir(victim);
      await writeFile(join(victim, 'f'), 'precious');
      const box = open({
        platform,
        fs: {
          ...fsPromises,
          rename: async (from, to) => {
            await fsPromises.rename(from, to);
            await fsPromises.rename(join(root, 'dir'), join(root, 'was'));
            await fsPromises.symlink(victim, join(root, 'dir'));
          },
        },
      });
      await refused(box.write('dir/f', bytes('x')), 'escaped');
      assert.equal(await readFile(join(victim, 'f'), 'utf8'), 'precious');
    });
  }

  for (const platform of ['darwin', 'win32']) {
    it(`${platform}: nothing is renamed into a folder exchanged before that`, async () => {
      const victim = join(place, 'victim');
      await mkdir(victim);
      await mkdir(join(root, 'dir'), { recursive: true });
      const box = open({
        platform,
        fs: {
          ...fsPromises,
          open: interposed(async () => {
            await fsPromises.rename(join(root, 'dir'), join(root, 'was'));
            await fsPromises.symlink(victim, join(root, 'dir'));
          }),
          rename: () => assert.fail(),
        },
      });
      await refused(box.write('dir/f', bytes('x')), 'escaped');
      assert.deepEqual(await readdir(victim), []);
    });
  }

  it('win32: no temporary file appears in the folder itself', async () => {
    const made: string[] = [];
    const box = open({
      platform: 'win32',
      fs: {
        ...fsPromises,
        open: async (path, flags, mode) => {
          if (typeof flags === 'number' && (flags & constants.O_CREAT) !== 0) made.push(dirname(String(path)));
          return fsPromises.open(path, flags, mode);
        },
      },
    });
    await box.write('a/b/c', bytes('x'));
    assert.deepEqual(made, [join(root, '.sandbox-staging')]);
  });

  it('win32: a busy name is tried again for a minute, other errors are not', async () => {
    const error = (code: string) => Object.assign(new Error(code), { code });
    for (const code of ['EPERM', 'EBUSY', 'EACCES']) {
      const waits: number[] = [];
      let left = 8;
      await renameWithRetry(
        async () => {
          if (left-- > 0) throw error(code);
        },
        async (ms) => void waits.push(ms),
      );
      assert.deepEqual(waits, [10, 20, 40, 80, 160, 320, 640, 1000]);
    }
    let waited = 0;
    const sleep = async (ms: number) => void (waited += ms);
    await assert.rejects(
      renameWithRetry(() => Promise.reject(error('EBUSY')), sleep),
      { code: 'EBUSY' },
    );
    assert.ok(waited >= 60_000 && waited < 62_000, String(waited));
    waited = 0;
    await assert.rejects(
      renameWithRetry(() => Promise.reject(error('ENOENT')), sleep),
      { code: 'ENOENT' },
    );
    assert.equal(waited, 0);
  });

  it('win32: the sandbox waits for a busy name', async () => {
    let busy = 3;
    let waited = 0;
    const box = open({
      platform: 'win32',
      sleep: async (ms) => void (waited += ms),
      fs: {
        ...fsPromises,
        rename: (from, to) =>
          busy-- > 0
            ? Promise.reject(Object.assign(new Error('busy'), { code: 'EBUSY' }))
            : fsPromises.rename(from, to),
      },
    });
    await box.write('a', bytes('x'));
    assert.equal(waited, 70);
  });

  it('compares paths as Windows spells them', () => {
    const same: [string, string][] = [
      ['\\\\?\\C:\\Users\\Me\\out', 'c:/users/me/OUT/'],
      ['\\\\?\\UNC\\server\\share\\x', '\\\\SERVER\\share\\x'],
      ['/Users/me/cafe\u0301', '/users/me/caf\u00e9'],
    ];
    for (const [a, b] of same) assert.equal(comparablePath(a), comparablePath(b));
    assert.notEqual(comparablePath('C:\\a\\b'), comparablePath('C:\\a\\c'));
    assert.notEqual(comparablePath('C:\\a'), comparablePath('D:\\a'));
  });
});

describe('a new file', () => {
  const flags = { linux: constants.O_NOFOLLOW, darwin: 0x20000000, win32: 0 };
  for (const [platform, flag] of Object.entries(flags)) {
    it(`is opened as new, and following no link that ${platform} can refuse`, async () => {
      const seen: number[] = [];
      const open: SandboxFs['open'] = (path, flags, mode) => {
        if (typeof flags === 'number' && (flags & constants.O_CREAT) !== 0) seen.push(flags);
        return fsPromises.open(path, flags, mode);
      };
      await new Sandbox({ root, platform, fs: { ...fsPromises, open } }).write('a', bytes('x'));
      assert.deepEqual(seen, [constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | flag]);
    });
  }
});

describe('a system without a safe way', () => {
  it('is refused', async () => {
    assert.throws(
      () => open({ platform: 'aix' }),
      (error: unknown) => error instanceof SandboxError && error.reason === 'unsupported',
    );
    const noProc: SandboxFs = {
      ...fsPromises,
      stat: (() => Promise.reject(Object.assign(new Error('no /proc'), { code: 'ENOENT' }))) as SandboxFs['stat'],
    };
    await refused(open({ fs: noProc }).write('a', bytes('x')), 'unsupported');
  });
});
