import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { crc32, deflateRawSync } from 'node:zlib';
import { EngineError } from '../../../src/engine/engine-error.ts';
import { readRun } from '../../../src/engine/read.ts';
import { resumeRun } from '../../../src/engine/resume.ts';
import { ARCHIVE_LIMITS, ArchiveError, type ArchiveLimits, unfitPath } from '../../../src/research/archive.ts';
import { exportArchive } from '../../../src/research/export-archive.ts';
import { importArchive } from '../../../src/research/import-archive.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { verifyRun } from '../../../src/runlog/verify.ts';
import { brain } from '../../support/brain.ts';
import { oneRun } from '../../support/one-run.ts';
import { makeConfig } from '../../support/run-events.ts';
import { temporaryFolder, testHost } from '../../support/run-host.ts';

const NOW = { now: () => Date.UTC(2025, 5, 6, 7, 8, 9) };
const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');

/** Paths of the files below a folder, sorted, with what they hold. */
function contents(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(folder, path), 'latin1')]));
}

async function finishedRun(t: TestContext): Promise<string> {
  const { outcome } = await oneRun(t, { server: { reply: brain() }, settings: { max_iterations: 2 } });
  return outcome.runDirectory;
}

/** A run folder as far as an archive needs one. */
function smallRun(files: Record<string, string> = {}): string {
  const folder = join(temporaryFolder(), 'a-name-of-its-own');
  const all = { 'config.json': JSON.stringify(makeConfig()), 'log/000001.jsonl': '{}\n', 'empty.txt': '', ...files };
  for (const [path, content] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

interface RawEntry {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  readonly deflate?: boolean;
  /** Unix mode, with the kind of the file. */
  readonly mode?: number;
  readonly declaredSize?: number;
  readonly flags?: number;
  readonly extra?: Buffer;
  /** Shares the local header of the entry with that index. */
  readonly like?: number;
}

/** A zip, byte by byte, as no honest program would write it. */
function rawZip(entries: readonly RawEntry[]): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const {
    name,
    content = '',
    deflate = false,
    mode = 0o100644,
    declaredSize,
    flags = 0x800,
    extra = Buffer.alloc(0),
    like,
  } of entries) {
    const raw = Buffer.from(content);
    const packed = deflate ? deflateRawSync(raw) : raw;
    const nameBytes = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(deflate ? 8 : 0, 4);
    common.writeUInt32LE(crc32(raw), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(declaredSize ?? raw.length, 18);
    common.writeUInt16LE(nameBytes.length, 22);
    common.writeUInt16LE(extra.length, 24);
    const at = like === undefined ? offset : (offsets[like] ?? 0);
    offsets.push(at);
    if (like === undefined) {
      const header = Buffer.concat([Buffer.from([0x50, 0x4b, 3, 4]), common, nameBytes, extra, packed]);
      local.push(header);
      offset += header.length;
    }
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(at, 10);
    central.push(Buffer.concat([Buffer.from([0x50, 0x4b, 1, 2, 20, 3]), common, rest, nameBytes, extra]));
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...local, directory, end]);
}

const CONFIG: RawEntry = { name: 'r/config.json', content: JSON.stringify(makeConfig()) };

/** An archive that is in order but for the entries given. */
function withManifest(...entries: readonly RawEntry[]): Buffer {
  const files = [CONFIG, ...entries].filter(({ name }) => !name.toString().endsWith('/'));
  const manifest = files
    .map(({ name, content = '' }) => `${sha256(Buffer.from(content))}  ${name.toString().slice(2)}\n`)
    .join('');
  return rawZip([{ name: 'r/MANIFEST.sha256', content: manifest }, CONFIG, ...entries]);
}

/** Why an import is refused, with nothing left behind; or null where it is not. */
async function refusal(zip: Buffer, limits: Partial<ArchiveLimits> = {}): Promise<string | null> {
  const place = temporaryFolder();
  const file = join(place, 'in.zip');
  const runs = join(place, 'deep', 'runs');
  writeFileSync(file, zip);
  try {
    await importArchive(file, runs, { ...NOW, limits: { ...ARCHIVE_LIMITS, ...limits } });
    return null;
  } catch (error) {
    assert.ok(error instanceof ArchiveError, String(error));
    assert.deepEqual(Object.keys(contents(place)), ['in.zip'], 'something was left behind');
    assert.deepEqual(existsSync(runs) ? readdirSync(runs) : [], []);
    return error.reason;
  }
}

describe('the archive of a run', () => {
  it('goes out, in and out again as the same bytes; what came in verifies, can be read, and cannot be resumed', async (t) => {
    const run = await finishedRun(t);
    const place = temporaryFolder();
    const first = await exportArchive(run, join(place, 'one.zip'));
    const imported = await importArchive(first.file, join(place, 'runs'), NOW);
    const second = await exportArchive(imported.runDirectory, join(place, 'two.zip'));
    assert.deepEqual([second.sha256, second.bytes], [first.sha256, first.bytes]);
    assert.equal(sha256(readFileSync(second.file)), first.sha256);
    assert.deepEqual([first.leftOut, second.leftOut], [[], []]);
    assert.equal(imported.files, first.files);
    const mark: unknown = JSON.parse(readFileSync(join(imported.runDirectory, 'imported.json'), 'utf8'));
    assert.deepEqual(mark, {
      format_version: 1,
      source: 'one.zip',
      sha256: first.sha256,
      imported_at: '2025-06-06T07:08:09.000Z',
    });

    const verified = await verifyRun(nodeDisk, imported.runDirectory);
    assert.equal(verified.ok, true, verified.firstProblem ?? '');
    assert.equal((await readRun(nodeDisk, imported.runDirectory)).iteration, 2);
    const before = contents(imported.runDirectory);
    await assert.rejects(
      resumeRun(
        imported.runDirectory,
        { raise: { max_iterations: 9 }, byPerson: true },
        testHost('http://127.0.0.1:9'),
      ),
      (error) =>
        error instanceof EngineError &&
        error.reason === 'imported' &&
        /can be looked at, not resumed/.test(error.message),
    );
    assert.deepEqual(contents(imported.runDirectory), before);
  });

  it('does not depend on when, where and below which name the files lie, nor on the zone of the clock', async () => {
    const files = { 'output/b.md': 'b', 'output/a/c.md': 'c', 'blobs/x': 'x' };
    const one = smallRun(files);
    const other = smallRun(Object.fromEntries(Object.entries(files).reverse()));
    renameSync(other, `${other}-moved`);
    const zone = process.env['TZ'];
    const first = await exportArchive(one, join(temporaryFolder(), '1.zip'));
    process.env['TZ'] = 'Pacific/Kiritimati';
    const second = await exportArchive(`${other}-moved`, join(temporaryFolder(), '2.zip'));
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
    assert.equal(first.sha256, second.sha256);
  });

  it('has the sha256 of each file, and none of what belongs to the machine', async () => {
    const ours = {
      'owner/000001': 'me',
      '.reserve': 'r',
      '.gitignore': '*',
      'imported.json': '{}',
      'log/.0b0f4c1e-0000-4000-8000-000000000000.tmp': 'half',
    };
    const run = smallRun({
      ...ours,
      'output/.DS_Store': 'theirs',
      'output/ok.md': 'ok',
      'output/a.md': 'first',
      'output/a/b.md': 'second',
    });
    symlinkSync('/etc/passwd', join(run, 'output', 'link.md'));
    const place = temporaryFolder();
    const { file, leftOut } = await exportArchive(run, join(place, 'a.zip'));
    assert.deepEqual(leftOut, ['output/.DS_Store: it is hidden', 'output/link.md: it is not a regular file']);
    const { runDirectory } = await importArchive(file, place, NOW);
    assert.deepEqual(Object.keys(contents(runDirectory)), [
      '.gitignore',
      'config.json',
      'empty.txt',
      'imported.json',
      'log/000001.jsonl',
      'output/a.md',
      'output/a/b.md',
      'output/ok.md',
    ]);
    const lines = [
      ['config.json', JSON.stringify(makeConfig())],
      ['empty.txt', ''],
      ['log/000001.jsonl', '{}\n'],
      ['output/a.md', 'first'],
      ['output/a/b.md', 'second'],
      ['output/ok.md', 'ok'],
    ].map(([path = '', content = '']) => `${sha256(content)}  ${path}\n`);
    assert.ok(readFileSync(file, 'latin1').includes(`MANIFEST.sha256${lines.join('')}PK`));
  });

  it('of a run in progress ends where the log ended when it was begun', async () => {
    const run = smallRun({ 'log/000001.jsonl': 'a\n' });
    const file = join(temporaryFolder(), 'a.zip');
    const whole = await exportArchive(run, file);
    // The first progress is behind the first pass and before most files are read again.
    const grown = await exportArchive(run, file, {
      progress: () => writeFileSync(join(run, 'log/000001.jsonl'), 'a\nb\n'),
    });
    assert.equal(grown.sha256, whole.sha256);
  });

  it('is not written where a file changed under its hands, nor into the run folder; nothing is left behind', async () => {
    const run = smallRun();
    const place = temporaryFolder();
    const change = () => writeFileSync(join(run, 'log/000001.jsonl'), '[]\n');
    await assert.rejects(exportArchive(run, join(place, 'a.zip'), { progress: change }), {
      name: 'ArchiveError',
      reason: 'changed',
    });
    await assert.rejects(exportArchive(run, join(run, 'a.zip')), { reason: 'bad_target' });
    await assert.rejects(exportArchive(place, join(temporaryFolder(), 'a.zip')), { reason: 'not_a_run' });
    const nowhere = join(place, 'none');
    await assert.rejects(exportArchive(run, join(nowhere, 'a.zip')), {
      reason: 'bad_target',
      message: `There is no folder ${nowhere}: make it, or write the archive somewhere else.`,
    });
    const stopped = new AbortController();
    await assert.rejects(
      exportArchive(run, join(place, 'a.zip'), { signal: stopped.signal, progress: () => stopped.abort() }),
      { name: 'AbortError' },
    );
    assert.deepEqual(readdirSync(place), []);
  });
});

describe('an archive from elsewhere', () => {
  it('is taken in where it is in order, whichever program packed it', async () => {
    const log: RawEntry = { name: 'r/log/000001.jsonl', content: 'x'.repeat(2000), deflate: true };
    assert.equal(await refusal(withManifest(log, { name: 'r/output/', mode: 0o040755 })), null);
    assert.equal(
      await refusal(
        rawZip([
          { name: 'r/', mode: 0 },
          ...[CONFIG],
          { name: 'r/MANIFEST.sha256', content: `${sha256(CONFIG.content ?? '')}  config.json\n`, mode: 0 },
        ]),
      ),
      null,
    );
  });

  it('writes nowhere but in its folder', async () => {
    const names = [
      '../evil.txt',
      'r/../evil.txt',
      'r/../../evil.txt',
      'r/output/../../../evil.txt',
      '/etc/evil.txt',
      'r//etc/evil.txt',
      'C:/evil.txt',
      'C:\\evil.txt',
      'r/C:evil.txt',
      'r\\..\\..\\evil.txt',
      'r/output\\..\\..\\evil.txt',
      '\\\\host\\share\\evil.txt',
      'r/./evil.txt',
      'r/．．/evil.txt',
      'r/evil.txt\0.md',
      'r/evil.txt:stream',
      'r/NUL',
      'r/output/com1.txt',
      'r/evil.txt.',
      'r/.git/config',
      'r/.vscode/tasks.json',
      'r/owner/999999',
      'r/Owner/999999',
      'r/imported.json',
      'r/IMPORTED.JSON',
      'r/manifest.sha256',
      'r/.reserve',
      '.r/x',
      '..',
      '',
    ];
    for (const name of names)
      assert.equal(await refusal(withManifest({ name, content: 'evil' })), 'unsafe', JSON.stringify(name));
    assert.equal(await refusal(withManifest({ name: Buffer.from('r/\xff.txt', 'latin1') })), 'unsafe');
    // The name that other readers would prefer, in the extra field.
    const second = Buffer.concat([
      Buffer.from([0x75, 0x70, 17, 0, 1]),
      crcOf('r/fine.txt'),
      Buffer.from('../evil.txt!'),
    ]);
    assert.equal(await refusal(withManifest({ name: 'r/fine.txt', content: 'x', extra: second })), null);
  });

  it('holds no links, devices, second names, folders that are files, or encrypted entries', async () => {
    const kinds = [0o120777, 0o060644, 0o020644, 0o010644, 0o140644, 0o040755];
    for (const mode of kinds)
      assert.equal(
        await refusal(withManifest({ name: 'r/output/l', content: '/etc', mode })),
        'unsafe',
        mode.toString(8),
      );
    assert.equal(await refusal(withManifest({ name: 'r/a/', mode: 0o100644 })), 'unsafe');
    assert.equal(await refusal(withManifest({ name: 'r/a/', mode: 0o040755, content: 'x' })), 'unsafe');
    const twice: [string, string][] = [
      ['r/a.md', 'r/a.md'],
      ['r/a.md', 'r/A.MD'],
      ['r/a', 'r/a/b'],
      ['r/a/b', 'r/a'],
      ['r/ſ.md', 'r/s.md'],
      ['r/config.json', 'r/x'],
    ];
    for (const pair of twice)
      assert.equal(await refusal(withManifest(...pair.map((name) => ({ name, content: 'x' })))), 'unsafe', pair.join());
    assert.equal(
      await refusal(withManifest({ name: 'r/a', content: 'twelve bytes + 1', declaredSize: 4, flags: 0x801 })),
      'unsafe',
    );
  });

  it('is refused where it unpacks to too much, whatever it says of itself', async () => {
    const zeros = Buffer.alloc(4 * 2 ** 20);
    assert.equal(await refusal(withManifest({ name: 'r/z', content: zeros, deflate: true })), 'unsafe');
    const big = { name: 'r/z', content: 'x'.repeat(5000) };
    assert.equal(await refusal(withManifest(big), { bytes: 5000 }), 'too_large');
    assert.equal(await refusal(withManifest({ ...big, declaredSize: 10 })), 'damaged');
    assert.equal(await refusal(withManifest({ ...big, deflate: true, declaredSize: 10 })), 'damaged');
    assert.equal(
      await refusal(withManifest({ ...big, deflate: true, declaredSize: 4e9 }), { bytes: 1e9 }),
      'too_large',
    );
    const many = Array.from({ length: 12 }, (_, index) => ({ name: `r/${index}` }));
    assert.equal(await refusal(withManifest(...many), { files: 5 }), 'too_large');
    assert.equal(await refusal(withManifest(...many), { files: 11 }), 'too_large');
    const folders = Array.from({ length: 30 }, (_, index) => ({ name: `r/${index}/`, mode: 0o040755 }));
    assert.equal(await refusal(withManifest(...folders), { files: 5 }), 'too_large');
    // Forty entries over the same megabyte of packed bytes.
    const noise = Buffer.alloc(2 ** 20, 'one megabyte, many names ');
    const shared = Array.from({ length: 40 }, (_, index) => ({
      name: `r/${index}`,
      content: noise,
      ...(index > 0 ? { like: 2 } : {}),
    }));
    assert.equal(await refusal(withManifest(...shared), { ratio: 20 }), 'unsafe');
  });

  it('is refused where anything of it is missing or other than its manifest says', async () => {
    assert.equal(await refusal(rawZip([CONFIG])), 'not_an_archive');
    assert.equal(await refusal(rawZip([])), 'not_an_archive');
    assert.equal(await refusal(Buffer.from('no zip at all')), 'not_an_archive');
    assert.equal(await refusal(withManifest({ name: 's/a' })), 'not_an_archive');
    const manifest = (text: string) => rawZip([{ name: 'r/MANIFEST.sha256', content: text }, CONFIG]);
    const line = `${sha256(CONFIG.content ?? '')}  config.json\n`;
    assert.equal(await refusal(manifest(line)), null);
    assert.equal(await refusal(manifest('')), 'damaged');
    assert.equal(await refusal(manifest(line.replace(/^./, 'x'))), 'damaged');
    assert.equal(await refusal(manifest(`${line}${sha256('')}  more.md\n`)), 'damaged');
    const foreign = { name: 'r/config.json', content: '{"__proto__":{"x":1}}' };
    assert.equal(
      await refusal(
        rawZip([{ name: 'r/MANIFEST.sha256', content: `${sha256(foreign.content)}  config.json\n` }, foreign]),
      ),
      'not_an_archive',
    );
  });

  it('is refused wherever it was cut off, or a byte of a file was changed', async () => {
    const file = (await exportArchive(smallRun(), join(temporaryFolder(), 'a.zip'))).file;
    const zip = readFileSync(file);
    for (let length = 0; length < zip.length; length += 37)
      assert.notEqual(await refusal(zip.subarray(0, length)), null, `cut at ${length}`);
    const at = zip.indexOf('Compare three databases');
    const changed = Buffer.from(zip);
    changed[at] = 0x43 ^ 1;
    assert.equal(await refusal(changed), 'damaged');
  });

  it('is never put over a run that is there', async () => {
    const run = smallRun();
    const place = temporaryFolder();
    const { file } = await exportArchive(run, join(place, 'a.zip'));
    const { runDirectory } = await importArchive(file, join(place, 'runs'), NOW);
    writeFileSync(join(runDirectory, 'mine.txt'), 'mine');
    const before = contents(place);
    await assert.rejects(importArchive(file, join(place, 'runs'), NOW), { name: 'ArchiveError', reason: 'exists' });
    assert.deepEqual(contents(place), before);
    await assert.rejects(importArchive(join(place, 'none.zip'), join(place, 'runs'), NOW), { reason: 'disk' });
    const stopped = new AbortController();
    await assert.rejects(
      importArchive(file, join(place, 'other'), { ...NOW, signal: stopped.signal, progress: () => stopped.abort() }),
      { name: 'AbortError' },
    );
    assert.deepEqual(readdirSync(join(place, 'other')), []);
  });
});

it('what a run writes by itself is fit for an archive', () => {
  const deep = `output/${Array.from({ length: 16 }, () => 'd').join('/')}`;
  for (const path of [
    'config.json',
    'log/000001.jsonl',
    `blobs/${'a'.repeat(64)}`,
    'checkpoints/000005.json',
    'summary.md',
    deep,
  ])
    assert.equal(unfitPath(path), null, path);
});

function crcOf(text: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(crc32(text));
  return bytes;
}
