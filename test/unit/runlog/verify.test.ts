import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { EventDraft, RunEvent } from '../../../src/run/events.ts';
import { apply, fold } from '../../../src/run/fold.ts';
import { initialState, type RunState } from '../../../src/run/state.ts';
import { extractBlobs } from '../../../src/runlog/blob.ts';
import { checkpointOf } from '../../../src/runlog/checkpoint.ts';
import type { Disk } from '../../../src/runlog/disk.ts';
import { writeExitFiles } from '../../../src/runlog/exit-files.ts';
import { checkpointFile, runFolder, segmentFile } from '../../../src/runlog/folder.ts';
import { asciiJson, formatLine, GENESIS_HASH } from '../../../src/runlog/line.ts';
import { verifyRun } from '../../../src/runlog/verify.ts';
import {
  answered,
  ended,
  epochOpened,
  events,
  iteration,
  makeConfig,
  reserved,
  startOfRun,
  task,
  unanswered,
} from '../../support/run-events.ts';

const FOLDER = runFolder('/runs/one');
const CONFIG = makeConfig({ objective: 'Compare three databases — “fast”' });
const CONFIG_TEXT = `${JSON.stringify(CONFIG, null, 2)}\n`;
const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');
const START = startOfRun(sha256(CONFIG_TEXT));
const OUTPUT = Buffer.from('a,b\n');

type Files = Map<string, Buffer>;

/** A disk whose files are in a map; it cannot change while a run is verified. */
function memoryDisk(files: Files): Disk {
  const refuse = () => Promise.reject(new Error('read-only'));
  return {
    makeDirectory: refuse,
    create: refuse,
    remove: refuse,
    syncFile: refuse,
    syncDirectory: refuse,
    modifiedAt: refuse,
    replace(path, content) {
      files.set(path, Buffer.from(content));
      return Promise.resolve();
    },
    read: (path) =>
      files.has(path) ? Promise.resolve(Buffer.from(files.get(path)!)) : Promise.reject(new Error(`ENOENT: ${path}`)),
    exists: (path) => Promise.resolve([...files.keys()].some((file) => file === path || file.startsWith(`${path}/`))),
    list: (path) =>
      Promise.resolve([...files.keys()].filter((file) => dirname(file) === path).map((file) => basename(file))),
  };
}

/** The folder that a run of these events leaves; exit files at each end, and a checkpoint before each `checkpoint.saved`. */
async function folderOf(...drafts: readonly EventDraft[]): Promise<Files> {
  const files: Files = new Map([[FOLDER.config, Buffer.from(CONFIG_TEXT)]]);
  const disk = memoryDisk(files);
  const state = initialState(CONFIG);
  const segments: string[] = [];
  let hash = GENESIS_HASH;
  const start = drafts[0]?.type === 'run.created' ? [] : START;
  for (const event of events(...start, ...drafts)) {
    if (event.type === 'checkpoint.saved')
      files.set(checkpointFile(FOLDER, event.iteration), Buffer.from(`${JSON.stringify(checkpointOf(state))}\n`));
    apply(state, event);
    const { slim, blobs } = extractBlobs({ ...event });
    const written = formatLine(
      hash,
      asciiJson(event.type === 'epoch.opened' && event.previous ? cutAt(slim, segments) : slim),
    );
    hash = written.hash;
    if (event.type === 'epoch.opened' && event.previous) segments.push(written.line);
    else segments.push((segments.pop() ?? '') + written.line);
    for (const { sha256: name, content } of blobs) files.set(`${FOLDER.blobs}/${name}`, content);
    if (event.type === 'run.ended') await writeExitFiles(disk, FOLDER, state, null);
  }
  segments.forEach((text, index) => files.set(segmentFile(FOLDER, index + 1), Buffer.from(text)));
  return files;
}

function cutAt(slim: Record<string, unknown>, segments: readonly string[]): Record<string, unknown> {
  return {
    ...slim,
    previous: { segment: segments.length, cut_at: segments.at(-1)?.length ?? 0, tail_bytes: 0, tail: 'none' },
  };
}

function stateAfter(...drafts: readonly EventDraft[]): RunState {
  return fold(CONFIG, events(...drafts));
}

const DISK_FULL = { reason: 'disk_full' as const, detail: 'No space.', error: null };

const again = epochOpened({ segment: 1, cut_at: 0, tail_bytes: 0, tail: 'none' });
const verified = (files: Files) => verifyRun(memoryDisk(files), FOLDER.path);
const failed = async (files: Files) => (await verified(files)).checks.filter(({ ok }) => !ok).map(({ name }) => name);

const RUN: readonly EventDraft[] = [
  ...iteration(
    1,
    't1',
    `A plan. ${'long '.repeat(10_000)}`,
    task('t2', 'Second'),
    ...answered('e1', null, {
      agent: 'embedding',
      embeds: ['result/t1'],
      vectors: [new Float32Array([0.1, -0, 3])],
    }),
  ),
  { type: 'file.written', name: 'data/figures.csv', sha256: sha256(OUTPUT), bytes: 4, task_id: 't1' },
  { type: 'checkpoint.saved', iteration: 1, file: 'checkpoints/000001.json' },
  ended('max_iterations'),
  again,
  ...iteration(2, 't2', `Two. ${'more '.repeat(10_000)}`),
  ended('queue_empty'),
];

async function wholeRun(): Promise<Files> {
  const files = await folderOf(...RUN);
  files.set(`${FOLDER.output}/data/figures.csv`, OUTPUT);
  return files;
}

describe('summary.md of a run folder', () => {
  it('links tasks, and requests without an answer, to their lines of the log, in whichever segment they are', async () => {
    const files = await folderOf(
      ...RUN.slice(0, -1),
      ...unanswered('h1', 'held', 'No answer within 60 s.', { taskId: 't2', iteration: 2 }),
      ended('queue_empty'),
    );
    const text = String(files.get(FOLDER.summaryMarkdown));
    const linked = [...text.matchAll(/\[([^\]]*)\]\((log\/\d{6}\.jsonl)#L(\d+)\)/g)].map(
      ([, words, file = '', number]) => {
        const line = String(files.get(`${FOLDER.path}/${file}`)).split('\n')[Number(number) - 1] ?? '';
        const { type, task_id, call_id } = (JSON.parse(line) as { e: Record<string, unknown> }).e;
        return [words, file, type, type === 'call.held' ? call_id : task_id];
      },
    );
    assert.deepEqual(linked, [
      ['done', 'log/000001.jsonl', 'task.completed', 't1'],
      ['done', 'log/000002.jsonl', 'task.completed', 't2'],
      ['h1', 'log/000002.jsonl', 'call.held', 'h1'],
    ]);
  });
});

describe('verifying a run folder', () => {
  it('finds a whole run right, and says what it looked at', async () => {
    const result = await verified(await wholeRun());
    assert.deepEqual(result.notes, []);
    assert.equal(result.firstProblem, null);
    assert.equal(result.ok, true);
    assert.equal(result.events, RUN.length + START.length);
    assert.deepEqual(
      result.checks.map(({ name }) => name),
      [
        'log',
        'files',
        'config.json',
        'prompts',
        'events',
        'money',
        'checkpoints',
        'output',
        'summary.json',
        'results.json',
        'summary.md',
        'answer.md',
      ],
    );
  });

  it('finds a run right that is in progress, or was interrupted', async () => {
    const result = await verified(await folderOf(...iteration(1, 't1', 'A plan.')));
    assert.deepEqual([result.ok, result.notes], [true, ['summary.json is not there: the run has not ended.']]);
    const files = await wholeRun();
    const last = segmentFile(FOLDER, 2);
    const torn = Buffer.concat([files.get(last)!, Buffer.from('{"c":"0')]);
    const resumed = await verified(new Map([...files, [last, torn]]));
    assert.equal(resumed.ok, true);
    assert.match(resumed.notes.join(), /000002\.jsonl ends in 7 bytes of an unfinished write/);
  });

  it('compares exit files with the events they were made from, whatever came after', async () => {
    const notices: EventDraft[] = [
      { type: 'notice.queued', notice_id: 'n', kind: 'ended', text: 'Done.' },
      { type: 'notice.sent', notice_id: 'n', channel: 'slack', origin: 'https://hooks.example' },
    ];
    assert.equal(
      (await verified(await folderOf(...iteration(1, 't1', 'A plan.'), ended('queue_empty'), ...notices))).ok,
      true,
    );
    const goingOn = await folderOf(
      ...iteration(1, 't1', 'A plan.'),
      ended('stopped_by_user'),
      again,
      task('t2', 'Second'),
    );
    assert.deepEqual(await failed(goingOn), []);
  });

  it('notes what a process that was killed at its end left as it was', async () => {
    const files = await wholeRun();
    const earlier = await folderOf(...RUN.slice(0, RUN.indexOf(again)));
    for (const path of [FOLDER.summaryJson, FOLDER.results, FOLDER.answer, FOLDER.summaryMarkdown])
      files.set(path, earlier.get(path)!);
    const stale = await verified(files);
    assert.equal(stale.ok, true);
    assert.match(stale.notes.join(), /of an earlier end/);
    files.set(FOLDER.results, (await wholeRun()).get(FOLDER.results)!);
    assert.equal((await verified(files)).ok, true, 'some of them new');
    files.delete(FOLDER.summaryJson);
    assert.match((await verified(files)).notes.join(), /summary\.json is not there: the process ended before/);
  });

  it('accepts an end that the disk did not take into the log, while the log has none', async () => {
    const begun = [...START, ...iteration(1, 't1', 'A plan.')];
    const files = await folderOf(...begun);
    await writeExitFiles(memoryDisk(files), FOLDER, stateAfter(...begun, task('t2', 'never on disk')), DISK_FULL);
    const result = await verified(files);
    assert.deepEqual(
      [result.ok, result.notes],
      [true, ['summary.json tells of an end that could not be written to the log: it cannot be compared.']],
    );
    assert.match(String(files.get(FOLDER.summaryJson)), /"stop_reason": "disk_full",[^]*"end_is_logged": false/);

    const resumed = await folderOf(...begun, again, ended('queue_empty'));
    resumed.set(FOLDER.summaryJson, files.get(FOLDER.summaryJson)!);
    assert.deepEqual(await failed(resumed), ['summary.json'], 'the log has no such events');
    await writeExitFiles(memoryDisk(files), FOLDER, stateAfter(...begun), DISK_FULL);
    resumed.set(FOLDER.summaryJson, files.get(FOLDER.summaryJson)!);
    assert.deepEqual(await failed(resumed), [], 'it has all of them');
  });

  it('finds every change of a byte, wherever it is', async () => {
    const files = await wholeRun();
    const paths = [...files.keys()].filter((path) => !path.endsWith('.md'));
    const change = fc.record({
      path: fc.constantFrom(...paths),
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      bit: fc.nat(7),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ path, at, bit }) => {
        const bytes = Buffer.from(files.get(path)!);
        const offset = Math.floor(at * bytes.length);
        bytes[offset] = bytes[offset]! ^ (1 << bit);
        const result = await verified(new Map([...files, [path, bytes]]));
        assert.equal(result.ok, false, `${path}, byte ${offset}, bit ${bit}`);
        assert.ok(result.firstProblem);
      }),
      { numRuns: 300 },
    );
  });

  it('finds lines that are gone, doubled or exchanged, and says where', async () => {
    const files = await wholeRun();
    const path = segmentFile(FOLDER, 2);
    const lines = String(files.get(path)).split(/(?<=\n)/);
    const withLines = (changed: readonly string[]) => new Map([...files, [path, Buffer.from(changed.join(''))]]);
    for (let index = 0; index < lines.length; index++) {
      const without = await verified(withLines(lines.toSpliced(index, 1)));
      assert.equal(without.ok, false, `without line ${index + 1}`);
      const doubled = await verified(withLines(lines.toSpliced(index, 0, lines[index]!)));
      assert.equal(doubled.ok, false, `line ${index + 1} twice`);
    }
    const exchanged = await verified(withLines(lines.with(1, lines[2]!).with(2, lines[1]!)));
    assert.equal(
      exchanged.firstProblem,
      `log: log/000002.jsonl, byte ${lines[0]!.length}: the hash chain does not fit.`,
    );
  });

  it('finds what was written behind the end of a file', async () => {
    const files = await wholeRun();
    for (const [name, path] of [
      ['config.json', FOLDER.config],
      ['summary.json', FOLDER.summaryJson],
      ['results.json', FOLDER.results],
    ] as const) {
      const longer = Buffer.concat([files.get(path)!, Buffer.from('\n')]);
      assert.deepEqual(await failed(new Map([...files, [path, longer]])), [name]);
    }
  });

  it('finds files that took the place of others', async () => {
    const files = await wholeRun();
    const [one, two] = [...files.keys()].filter((path) => dirname(path) === FOLDER.blobs);
    const exchanged = new Map([...files, [one!, files.get(two!)!], [two!, files.get(one!)!]]);
    assert.match((await verified(exchanged)).firstProblem ?? '', /^log: .*blob [0-9a-f]{64} cannot be read/);
    assert.deepEqual(await failed(new Map([...files, [`${FOLDER.output}/data/figures.csv`, Buffer.from('x')]])), [
      'output',
    ]);
    assert.deepEqual(await failed(new Map([...files, [`${FOLDER.log}/000001.jsonl.orig`, OUTPUT]])), ['files']);
    const drafts = new Map([
      ...files,
      [`${FOLDER.blobs}/.0b0f4c1e-0000-4000-8000-000000000000.tmp`, OUTPUT],
      [`${FOLDER.log}/000003.jsonl`, Buffer.alloc(0)],
    ]);
    const result = await verified(drafts);
    assert.deepEqual([result.ok, result.notes.length], [true, 2]);
    const edited = await verified(new Map([...files, [FOLDER.answer, Buffer.from('# Mine\n')]]));
    assert.deepEqual([edited.ok, edited.notes.length], [true, 1]);
    assert.match(edited.notes.join(), /^answer\.md is not what this version makes of the log, first in line 1/);
  });

  it('finds a log of correct lines that contradict each other, the configuration or the cap', async () => {
    const problem = async (...drafts: readonly EventDraft[]) =>
      (await verified(await folderOf(...drafts))).firstProblem;
    assert.match((await problem(...startOfRun('f'.repeat(64)))) ?? '', /^config\.json: It was changed/);
    assert.equal(
      await problem(reserved('c1', { reservedUsd: 0.7 }), reserved('c2', { reservedUsd: 0.4 })),
      'money: After event 5 (call.reserved) $1.10 are settled, held and reserved, above the cap of $1.00.',
    );
    const held = unanswered('c0', 'held', 'No answer.', { reservedUsd: 0.7 });
    for (const first of [held, answered('c0', 'x', { reservedUsd: 0.7, costUsd: 0.7 })])
      assert.match((await problem(...first, reserved('c2', { reservedUsd: 0.4 }))) ?? '', /^money: .* \$1\.10 are/);
    const lesser = await verified(
      await folderOf(...answered('c1', 'x', { reservedUsd: 0.7, costUsd: 0.1 }), ...unanswered('c2', 'held', 'No.')),
    );
    assert.match(lesser.checks.find(({ name }) => name === 'money')?.detail ?? '', /at most \$0\.70\.$/);
    const raised: EventDraft = { type: 'limit.raised', limit: 'max_cost_usd', from: 1, to: 2, by: 'user' };
    assert.equal(
      await problem(reserved('c1', { reservedUsd: 0.7 }), raised, reserved('c2', { reservedUsd: 0.4 })),
      null,
    );
    const lowered: EventDraft = { ...raised, to: 0.5 };
    assert.equal(
      await problem(...answered('c1', 'x', { reservedUsd: 0.7, costUsd: 0.6 }), lowered),
      null,
      'lowered below what is spent',
    );
    const CAPPED = `${JSON.stringify({ ...CONFIG, limits: { ...CONFIG.limits, max_requests: 1 } })}\n`;
    const two = await folderOf(...startOfRun(sha256(CAPPED)).slice(0, 3), ...answered('c1', 'x'), reserved('c2'));
    assert.match(
      (await verified(new Map([...two, [FOLDER.config, Buffer.from(CAPPED)]]))).firstProblem ?? '',
      /counts: After event \d+ \(call\.reserved\) 2 are counted against max_requests, above the cap of 1\./,
    );
    const files = await folderOf(task('t2', 'Second'));
    const foreign = refold(files, (event) => ({ ...event, run_id: 'other' }));
    assert.match(
      (await verified(foreign)).firstProblem ?? '',
      /^events: Event 1 \(run\.created\) belongs to another run/,
    );
    const later = refold(files, (event) => (event.type === 'task.created' ? { ...event, type: 'task.dreamt' } : event));
    assert.match((await verified(later)).firstProblem ?? '', /^events: Event 3 was written by a newer version/);
    const unfitting = refold(files, (event) =>
      event.type === 'task.created' ? { ...event, type: 'task.started' } : event,
    );
    assert.match(
      (await verified(unfitting)).firstProblem ?? '',
      /^events: Event 3 \(task\.started\): there is no task t1/,
    );
  });

  it('compares each prompt with its sha256, unless a secret was taken out of it', async () => {
    const withPrompt = async (text: string) => {
      const changed = JSON.stringify({
        ...CONFIG,
        prompts: { execution: { sha256: sha256('Use sk-1'), text, source: 'mine.md' } },
      });
      const files = await folderOf(...startOfRun(sha256(changed)));
      return verified(new Map([...files, [FOLDER.config, Buffer.from(changed)]]));
    };
    assert.equal((await withPrompt('Use sk-1')).ok, true);
    assert.equal(
      (await withPrompt('Use sk-2')).firstProblem,
      'prompts: The text of prompt "execution" is not that of its sha256.',
    );
    const redacted = await withPrompt('Use [REDACTED:api_key:0a1b2c3d:4]');
    assert.deepEqual([redacted.ok, redacted.notes.length], [true, 2]);
  });

  it('reads nothing outside the folder, whatever the log names', async () => {
    const drafts: EventDraft[] = [
      { type: 'file.written', name: '../../etc/passwd', sha256: sha256(OUTPUT), bytes: 4, task_id: null },
    ];
    const disk = memoryDisk(await folderOf(...drafts));
    const read: string[] = [];
    const watched = { ...disk, read: (path: string) => (read.push(path), disk.read(path)) };
    assert.match(
      (await verifyRun(watched, FOLDER.path)).firstProblem ?? '',
      /^output: The output path "\.\.\/\.\.\/etc\/passwd" is not allowed/,
    );
    assert.deepEqual(
      read.filter((path) => !path.startsWith(`${FOLDER.path}/`)),
      [],
    );
  });

  it('does not throw for what is no run folder', async () => {
    const nothing = await verified(new Map());
    assert.deepEqual([nothing.ok, nothing.events], [false, 0]);
    assert.equal(nothing.firstProblem, 'config.json: It cannot be read.');
    const noLog = await verified(new Map([[FOLDER.config, Buffer.from(CONFIG_TEXT)]]));
    assert.equal(noLog.firstProblem, 'log: It holds no event.');
  });
});

describe('writing the exit files', () => {
  it('writes all that the disk takes, and then tells the first error', async () => {
    const files: Files = new Map();
    const disk = memoryDisk(files);
    const full = new Error('ENOSPC');
    const failing = {
      ...disk,
      replace: (path: string, content: string | Uint8Array) =>
        path === FOLDER.summaryJson ? Promise.reject(full) : disk.replace(path, content),
    };
    await assert.rejects(writeExitFiles(failing, FOLDER, stateAfter(...START), DISK_FULL), full);
    assert.deepEqual(
      [...files.keys()].map((path) => basename(path)),
      ['summary.md', 'answer.md', 'results.json'],
    );
  });
});

/** The same log with its events changed, and its checksums and chain made anew. */
function refold(files: Files, change: (event: RunEvent) => object): Files {
  const path = segmentFile(FOLDER, 1);
  let hash = GENESIS_HASH;
  const lines = String(files.get(path))
    .trim()
    .split('\n')
    .map((line) => {
      const { e } = JSON.parse(line) as { e: RunEvent };
      const written = formatLine(hash, asciiJson(change(e)));
      hash = written.hash;
      return written.line;
    });
  return new Map([...files, [path, Buffer.from(lines.join(''))]]);
}
