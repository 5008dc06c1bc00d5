import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative } from 'node:path';
import { before, describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '../../src/engine/engine-error.ts';
import { readRun } from '../../src/engine/read.ts';
import { resumeRun } from '../../src/engine/resume.ts';
import { startRun } from '../../src/engine/start.ts';
import { inEnglish } from '../../src/run/translate.ts';
import { ForeignFile, nodeDisk } from '../../src/runlog/disk.ts';
import { runFolder } from '../../src/runlog/folder.ts';
import { formatLine, GENESIS_HASH } from '../../src/runlog/line.ts';
import { readLog } from '../../src/runlog/reader.ts';
import { verifyRun } from '../../src/runlog/verify.ts';
import { startModelServer } from '../support/model-server.ts';
import { TEST_KEY, temporaryFolder, testSettings, testStart } from '../support/run-host.ts';
import { heir, LONG, steadyBrain, steadyServer } from './fault-run.ts';
import { type Files, memoryDisk } from '../support/memory-disk.ts';

const DEADLINE_MS = 20_000;
/** Stands in every file outside of the run folder. */
const OUTSIDE = 'what-stands-outside-4711';

const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');

/** A finished run of two owners, with a blob, a file of the model, and all exit files. */
let good: string;

before(async () => {
  const words = Array.from({ length: 7000 }, (_, index) => `word${index % 700}`).join(' ');
  const server = await steadyServer({
    reply: steadyBrain({
      result: (task) =>
        `About ${task}\n\n\`\`\`file:notes/a.md\nA note.\n\`\`\`\n${task.includes('task list') ? words : ''}`,
    }),
    countTokens: () => 5,
  });
  const host = heir(server.url);
  const runs = temporaryFolder();
  const session = await startRun(
    testSettings(server.baseUrl, { max_iterations: 2, checkpointEvery: 1, max_cost_usd: 5 }),
    testStart(runs),
    host,
  );
  await session.done;
  const again = await resumeRun(session.folder.path, { raise: { max_iterations: 3 }, byPerson: true }, host);
  await again.done;
  host.egress.close();
  await server.close();
  good = session.folder.path;
  assert.deepEqual((await verifyRun(nodeDisk, good)).firstProblem, null);
  assert.ok(readdirSync(join(good, 'blobs')).length > 0 && existsSync(join(good, 'output', 'notes', 'a.md')));
});

/** A copy of the good run beside a folder that nothing may touch. */
function copyOfGood(): { folder: string; outside: string } {
  const root = temporaryFolder();
  const folder = join(root, 'run');
  const outside = join(root, 'outside');
  cpSync(good, folder, { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(outside, 'file'), OUTSIDE);
  for (const name of ['log', 'blobs', 'owner', 'checkpoints', 'output'])
    cpSync(join(good, name), join(outside, name), { recursive: true });
  writeFileSync(
    join(outside, 'config.json'),
    readFileSync(join(good, 'config.json'), 'utf8').replace(/"objective": "[^"]*"/, `"objective": "${OUTSIDE}"`),
  );
  return { folder, outside };
}

function snapshot(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) =>
    join(entry.parentPath, entry.name),
  );
  return entries.sort().map((path) => {
    const stats = statSync(path);
    return `${relative(folder, path)} ${stats.mode} ${stats.mtimeMs} ${stats.size} ${stats.isFile() ? sha256(readFileSync(path)) : ''}`;
  });
}

type Event = Record<string, unknown>;

function eventsOf(folder: string): Event[] {
  const names = readdirSync(join(folder, 'log')).sort();
  return names.flatMap((name) =>
    readFileSync(join(folder, 'log', name), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { e: Event }).e),
  );
}

/** Writes a log whose every line is as a run would write it, whatever it says: bodies are JSON texts. */
function forge(folder: string, bodies: readonly string[], number = 1): void {
  let hash = GENESIS_HASH;
  let text = '';
  for (const body of bodies) {
    const made = formatLine(hash, body);
    hash = made.hash;
    text += made.line;
  }
  rmSync(join(folder, 'log'), { recursive: true });
  mkdirSync(join(folder, 'log'));
  writeFileSync(join(folder, 'log', `${String(number).padStart(6, '0')}.jsonl`), text);
}

/** The run's own events of its first owner, with one changed or put in behind the third. */
function forged(folder: string, change: (events: Event[]) => void): void {
  const events = eventsOf(folder).filter(({ epoch }) => epoch === 1);
  change(events);
  forge(
    folder,
    events.map((event, index) => JSON.stringify({ ...event, seq: index + 1 })),
  );
}

const first = (events: Event[], type: string): Event => events.find((event) => event['type'] === type) ?? {};
const inserted = (type: string, fields: Event) => (folder: string) =>
  forged(folder, (events) => events.splice(3, 0, { ...events[2], type, more: undefined, ...fields }));
const changed = (type: string, fields: Event) => (folder: string) =>
  forged(folder, (events) => Object.assign(first(events, type), fields));

/** Every string, number, list and object of a value, one after the other, replaced by what should not be there. */
function* distortions(value: unknown): Iterable<unknown> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    for (const wrong of [null, -1, 1e308, 'NaN', '\u001b[2J<script>', [], {}, true])
      yield Array.isArray(value) ? [wrong] : { ...value, [key]: wrong };
    for (const deeper of distortions(inner)) yield Array.isArray(value) ? [deeper] : { ...value, [key]: deeper };
  }
}

const deep = (levels: number, open: string, close: string) => open.repeat(levels) + close.repeat(levels);
const configWith = (change: (config: Event) => void) => (folder: string) => {
  const file = join(folder, 'config.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as Event;
  change(config);
  writeFileSync(file, JSON.stringify(config));
  // The log says what the configuration is.
  forged(folder, (events) =>
    Object.assign(first(events, 'run.created'), { config_sha256: sha256(readFileSync(file)) }),
  );
};
const linkTo =
  (name: string, target = name) =>
  (folder: string, outside: string) => {
    rmSync(join(folder, name), { recursive: true, force: true });
    symlinkSync(join(outside, target), join(folder, name));
  };
const pipe = (name: string) => (folder: string) => {
  rmSync(join(folder, name), { recursive: true, force: true });
  execFileSync('mkfifo', [join(folder, name)]);
};
const blobOf = (folder: string) => join('blobs', readdirSync(join(folder, 'blobs'))[0] ?? '');

const HOSTILE: Record<string, (folder: string, outside: string) => void> = {
  'an empty folder': (folder) => {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
  },
  'no log': (folder) => rmSync(join(folder, 'log'), { recursive: true }),
  'a log that is a file': (folder) => {
    rmSync(join(folder, 'log'), { recursive: true });
    writeFileSync(join(folder, 'log'), 'x');
  },
  'an owner folder that is a file': (folder) => {
    rmSync(join(folder, 'owner'), { recursive: true });
    writeFileSync(join(folder, 'owner'), 'x');
  },
  'a line of 10 MB': (folder) =>
    forged(folder, (events) =>
      events.splice(3, 0, {
        ...events[2],
        more: undefined,
        type: 'guidance.given',
        text: 'x'.repeat(10 * 2 ** 20),
        by: 'user',
      }),
    ),
  'a line of 10 MB that is no line': (folder) =>
    writeFileSync(join(folder, 'log', '000001.jsonl'), `{"c":"${'x'.repeat(10 * 2 ** 20)}\n`),
  'a line of lists 100 000 deep': (folder) => forge(folder, [deep(100_000, '[', ']')]),
  'an event of a later version with objects 100 000 deep': (folder) => {
    const events = eventsOf(folder).slice(0, 3);
    forge(folder, [
      ...events.map((event) => JSON.stringify(event)),
      `{"type":"later","seq":4,"a":${deep(100_000, '{"a":', '}').replace('}', '1}')}}`,
    ]);
  },
  'a configuration with settings 100 000 deep': (folder) => {
    const file = join(folder, 'config.json');
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace('"settings": {', `"settings": {"deep": ${deep(100_000, '[', ']')},`),
    );
    forged(folder, (events) =>
      Object.assign(first(events, 'run.created'), { config_sha256: sha256(readFileSync(file)) }),
    );
  },
  'names of prototypes in the configuration': (folder) => {
    const file = join(folder, 'config.json');
    writeFileSync(
      file,
      readFileSync(file, 'utf8')
        .replace('{', '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},')
        .replace('"prompts": {', '"prompts": {"__proto__":{"sha256":"x","text":"y","source":"z"},'),
    );
    forged(folder, (events) =>
      Object.assign(first(events, 'run.created'), { config_sha256: sha256(readFileSync(file)) }),
    );
  },
  'names of prototypes in events': (folder) => {
    const bodies = eventsOf(folder)
      .filter(({ epoch }) => epoch === 1)
      .map((event) =>
        JSON.stringify(event).replace(
          '{',
          '{"__proto__":{"polluted":1,"blob":"' + 'a'.repeat(64) + '"},"constructor":{"polluted":1},',
        ),
      );
    forge(folder, bodies);
  },
  'ids that are names of prototypes': (folder) => {
    const bodies = eventsOf(folder)
      .filter(({ epoch }) => epoch === 1)
      .map((event) => JSON.stringify(event).replaceAll('"t1"', '"__proto__"').replaceAll('"c1"', '"constructor"'));
    forge(folder, bodies);
  },
  'a key twice in each event': (folder) =>
    forge(
      folder,
      eventsOf(folder)
        .filter(({ epoch }) => epoch === 1)
        .map((event) => JSON.stringify(event).replace('{', '{"seq":0,"type":"run.ended","run_id":"x",')),
    ),
  'a blob named by a path': changed('call.settled', { answer: { blob: `../../outside/file`, bytes: 4 } }),
  'a blob named by an absolute path': changed('call.settled', { answer: { blob: '/etc/hostname', bytes: 4 } }),
  'no blobs': (folder) => rmSync(join(folder, 'blobs'), { recursive: true }),
  'a blob with other bytes': (folder) => writeFileSync(join(folder, blobOf(folder)), '"short"'),
  'a blob that declares 10 GB': (folder) => truncateSync(join(folder, blobOf(folder)), 10 * 2 ** 30),
  'a blob that is a link': (folder, outside) => linkTo(blobOf(folder), blobOf(folder))(folder, outside),
  'a blob that is a folder': (folder) => {
    const blob = join(folder, blobOf(folder));
    rmSync(blob);
    mkdirSync(blob);
  },
  'a log that is a link': linkTo('log'),
  'blobs that are a link': linkTo('blobs'),
  'owners that are a link': linkTo('owner'),
  'checkpoints that are a link': linkTo('checkpoints'),
  'an output that is a link': linkTo('output'),
  'a configuration that is a link': linkTo('config.json'),
  'a configuration that is a link to something else': linkTo('config.json', 'file'),
  'a segment that is a link': linkTo('log/000001.jsonl'),
  'a last segment that is a link': linkTo('log/000002.jsonl'),
  'an owner that is a link': linkTo('owner/000002'),
  'a next owner that is a link to nowhere': (folder, outside) =>
    symlinkSync(join(outside, 'new'), join(folder, 'owner', '000003')),
  'a next segment that is a link to nowhere': (folder, outside) =>
    symlinkSync(join(outside, 'new'), join(folder, 'log', '000003.jsonl')),
  'exit files that are links': (folder, outside) => {
    for (const name of ['summary.json', 'summary.md', 'results.json', 'answer.md', '.reserve'])
      linkTo(name, 'file')(folder, outside);
  },
  'a configuration that is a pipe': pipe('config.json'),
  'a segment that is a pipe': pipe('log/000001.jsonl'),
  'a last segment that is a pipe': pipe('log/000002.jsonl'),
  'an owner that is a pipe': pipe('owner/000002'),
  'a blob that is a pipe': (folder) => pipe(blobOf(folder))(folder),
  'a summary that is a pipe': pipe('summary.json'),
  'a checkpoint that is a pipe': (folder) => pipe(`checkpoints/${readdirSync(join(folder, 'checkpoints'))[0]}`)(folder),
  'a file of the model that is a pipe': pipe('output/notes/a.md'),
  'a configuration that is a device': (folder) => {
    rmSync(join(folder, 'config.json'));
    symlinkSync('/dev/zero', join(folder, 'config.json'));
  },
  'a configuration of 50 MB': configWith((config) => {
    config['settings'] = { text: 'x'.repeat(50 * 2 ** 20) };
  }),
  'a configuration of 50 MB of brackets': (folder) =>
    writeFileSync(join(folder, 'config.json'), '['.repeat(50 * 2 ** 20)),
  'a configuration that declares 10 GB': (folder) => truncateSync(join(folder, 'config.json'), 10 * 2 ** 30),
  'a segment that declares 10 GB': (folder) => truncateSync(join(folder, 'log', '000001.jsonl'), 10 * 2 ** 30),
  'an owner that declares 10 GB': (folder) => truncateSync(join(folder, 'owner', '000002'), 10 * 2 ** 30),
  'a limit raised to 1e308': inserted('limit.raised', { limit: 'max_cost_usd', from: 1, to: 1e308, by: 'user' }),
  'a limit raised to more than any limit': inserted('limit.raised', {
    limit: 'max_iterations',
    from: 2,
    to: 1e15,
    by: 'user',
  }),
  'a limit raised to less than nothing': inserted('limit.raised', {
    limit: 'max_wall_time_minutes',
    from: 2,
    to: -5,
    by: 'user',
  }),
  'a limit added below what is used': inserted('limit.added', { limit: 'max_tokens', to: 1, by: 'user' }),
  'a limit added that no run is without': inserted('limit.added', { limit: 'max_iterations', to: 5, by: 'user' }),
  'a limit of a prototype': inserted('limit.raised', { limit: '__proto__', from: 2, to: 5, by: 'user' }),
  'money of 1e308': changed('call.settled', { cost_usd: 1e308 }),
  'money below zero': changed('call.settled', { cost_usd: -3 }),
  'money that is a word': changed('call.reserved', { reserved_usd: 'NaN' }),
  'a reservation of 1e308': changed('call.reserved', { reserved_usd: 1e308 }),
  'counts of 1e308': changed('call.settled', { input_tokens: 1e308, output_tokens: -1e308, latency_ms: 1e308 }),
  'a time of 1e308': changed('task.started', { mono_ms: 1e308 }),
  'a time that is none': (folder) =>
    forged(folder, (events) => events.forEach((event) => Object.assign(event, { ts: '+999999-13-45T99:99:99Z' }))),
  'an epoch of 2^53': (folder) =>
    forged(folder, (events) => events.forEach((event) => Object.assign(event, { epoch: 2 ** 53 - 1 }))),
  'an iteration of 2^53': changed('iteration.completed', { iteration: 2 ** 53 - 1 }),
  'an event of a later version': inserted('later.event', { anything: [1, 2, 3] }),
  'a later version of an event': changed('task.created', { v: 2 }),
  'a later format': configWith((config) => {
    config['format_version'] = 2;
  }),
  'an event twice': (folder) => forged(folder, (events) => events.splice(4, 0, events[3] ?? {})),
  'events in another order': (folder) => forged(folder, (events) => events.reverse()),
  'a server that is no address': configWith((config) => {
    config['model'] = { ...(config['model'] as Event), base_url: 'not an address' };
  }),
  'a server that is a file': configWith((config) => {
    config['model'] = { ...(config['model'] as Event), base_url: 'file:///etc/passwd' };
  }),
  'a server with a password': configWith((config) => {
    config['model'] = { ...(config['model'] as Event), base_url: 'http://me:secret@127.0.0.1:1/v1' };
  }),
  'a rehearsal without a server': configWith((config) => {
    config['model'] = { ...(config['model'] as Event), provider: 'rehearsal', base_url: 'nowhere' };
  }),
  'prices of 1e308': configWith((config) => {
    config['prices'] = JSON.parse(JSON.stringify(config['prices']).replace(/(per_million":)[\d.]+/g, '$11e308'));
  }),
  'a start that is no time': configWith((config) => {
    config['created_at'] = 'yesterday';
  }),
  'prompts that loop': configWith((config) => {
    config['prompts'] = JSON.parse(
      JSON.stringify(config['prompts']).replace(
        /"text":"(?:[^"\\]|\\.)*"/g,
        '"text":"{{{{objective}}}}{{#each}}{{/x}}"',
      ),
    );
  }),
  'two segments that go on from the same one': (folder) =>
    cpSync(join(folder, 'log', '000002.jsonl'), join(folder, 'log', '000003.jsonl')),
  'segments that go on from each other': (folder) => {
    cpSync(join(folder, 'log', '000002.jsonl'), join(folder, 'log', '000001.jsonl'));
  },
  'a segment with the highest number': (folder) =>
    renameSync(join(folder, 'log', '000002.jsonl'), join(folder, 'log', '999999.jsonl')),
  'an owner with the highest number': (folder) =>
    renameSync(join(folder, 'owner', '000002'), join(folder, 'owner', '999999')),
  'a segment with a higher number than any owner': (folder) =>
    renameSync(join(folder, 'log', '000002.jsonl'), join(folder, 'log', '000007.jsonl')),
  'no owners': (folder) => rmSync(join(folder, 'owner'), { recursive: true }),
  'an owner that is no JSON': (folder) => writeFileSync(join(folder, 'owner', '000002'), '\n'.repeat(100_000)),
  'an owner of another machine': (folder) =>
    writeFileSync(
      join(folder, 'owner', '000002'),
      `${JSON.stringify({ host: '\u001b[2Jx', boot_id: 'y', pid: 1, process_start: '', nonce: '' })}\n`,
    ),
  'an owner with an impossible process': (folder) =>
    writeFileSync(
      join(folder, 'owner', '000002'),
      `${JSON.stringify({ host: 'x', boot_id: 'y', pid: -1e308, process_start: '', nonce: '' })}\n`,
    ),
};

interface Opened {
  /** What each way of opening it said. */
  readonly said: string[];
  readonly verified: boolean;
  readonly ms: number;
}

async function inTime<T>(what: string, work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = delay(DEADLINE_MS, undefined, { signal: timer.signal }).then(() =>
    Promise.reject(new assert.AssertionError({ message: `${what} takes too long` })),
  );
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}

/** Opens a folder in every way. Fails where anything is thrown but what a reader is prepared for. */
async function open(folder: string): Promise<Opened> {
  const started = performance.now();
  const said: string[] = [];
  const refused = (what: string) => (error: unknown) => {
    const known =
      error instanceof EngineError ||
      (what === 'readLog' &&
        (error instanceof ForeignFile || (error instanceof Error && 'code' in error && 'syscall' in error)));
    if (!known) throw error;
    said.push(`${what}: ${error instanceof EngineError ? error.problems.join(' ') : String(error)}`);
    return null;
  };
  const verification = await inTime('verifyRun', verifyRun(nodeDisk, folder));
  said.push(JSON.stringify(verification));
  const log = await inTime('readLog', readLog(nodeDisk, runFolder(folder)).catch(refused('readLog')));
  if (log?.damage) said.push(JSON.stringify(log.damage), log.damage.what(inEnglish));
  const state = await inTime('readRun', readRun(nodeDisk, folder).catch(refused('readRun')));
  said.push(state?.config.objective ?? '');
  const host = heir('http://127.0.0.1:9');
  const session = await inTime(
    'resumeRun',
    resumeRun(folder, { raise: {}, byPerson: true }, host).catch(refused('resumeRun')),
  );
  if (session) {
    const outcome = await inTime('the resumed run', session.done);
    said.push(outcome.detail);
  }
  host.egress.close();
  return { said, verified: verification.ok, ms: performance.now() - started };
}

describe('a hostile run folder', () => {
  for (const [what, change] of Object.entries(HOSTILE)) {
    it(`with ${what} is opened without harm`, async () => {
      const { folder, outside } = copyOfGood();
      change(folder, outside);
      const before = snapshot(outside);
      const { said } = await open(folder);
      assert.deepEqual(snapshot(outside), before, 'nothing outside was changed');
      assert.ok(!said.join('\n').includes(OUTSIDE), 'nothing outside was read');
      assert.equal(Reflect.get({}, 'polluted'), undefined);
      rmSync(folder, { recursive: true });
    });
  }

  it('with links says that they are not followed', async () => {
    for (const name of ['log', 'blobs', 'config.json', 'log/000001.jsonl']) {
      const { folder, outside } = copyOfGood();
      linkTo(name)(folder, outside);
      const { said, verified } = await open(folder);
      assert.equal(verified, false);
      assert.match(
        said.find((text) => text.startsWith('readRun')) ?? '',
        /is a link: links in a run folder are not followed/,
        name,
      );
    }
  });

  it('with a wrong type anywhere in its events is opened without harm', async () => {
    const { folder } = copyOfGood();
    const events = eventsOf(folder).filter(({ epoch }) => epoch === 1);
    const kinds = [...new Map(events.map((event) => [event['type'], event])).values()];
    const cases = kinds.flatMap((event) =>
      [...distortions(event)].map((wrong) => ({ at: events.indexOf(event), wrong })),
    );
    const every = LONG ? 1 : Math.ceil(cases.length / 150);
    let opened = 0;
    for (let index = 0; index < cases.length; index += every) {
      const { at, wrong } = cases[index] ?? { at: 0, wrong: {} };
      forge(
        folder,
        events.map((event, place) => JSON.stringify(place === at ? wrong : event)),
      );
      await inTime('verifyRun', verifyRun(nodeDisk, folder));
      await inTime(
        'readRun',
        readRun(nodeDisk, folder).catch((error: unknown) =>
          assert.ok(error instanceof EngineError, `${JSON.stringify(wrong).slice(0, 300)}: ${String(error)}`),
        ),
      );
      opened += 1;
    }
    console.log(`archive: ${opened} of ${cases.length} distorted events of ${kinds.length} types, 0 harm`);
  });

  it('with a wrong type anywhere in its configuration is opened without harm', async () => {
    const { folder } = copyOfGood();
    const cases = [...distortions(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')))];
    const every = LONG ? 1 : Math.ceil(cases.length / 150);
    let opened = 0;
    for (let index = 0; index < cases.length; index += every) {
      writeFileSync(join(folder, 'config.json'), JSON.stringify(cases[index]));
      await inTime('verifyRun', verifyRun(nodeDisk, folder));
      await inTime(
        'readRun',
        readRun(nodeDisk, folder).catch((error: unknown) => assert.ok(error instanceof EngineError, String(error))),
      );
      opened += 1;
    }
    console.log(`archive: ${opened} of ${cases.length} distorted configurations, 0 harm`);
  });

  it('whose owner files are gone goes on behind its last segment', async () => {
    const { folder } = copyOfGood();
    rmSync(join(folder, 'owner'), { recursive: true });
    const host = heir('http://127.0.0.1:9');
    const session = await resumeRun(folder, { raise: {}, byPerson: true }, host);
    await session.done;
    host.egress.close();
    assert.ok(existsSync(join(folder, 'log', '000003.jsonl')));
    assert.equal((await verifyRun(nodeDisk, folder)).firstProblem, null);
  });
});

/** Numbers from 0 (included) to 1 that are the same in each run (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

type Mutation = (files: Files, path: string, pick: (below: number) => number) => void;

const lines = (bytes: Buffer) => bytes.toString('latin1').split(/(?<=\n)/);
const fromLines = (all: readonly string[]) => Buffer.from(all.join(''), 'latin1');
const splice = (bytes: Buffer, at: number, remove: number, add = Buffer.alloc(0)) =>
  Buffer.concat([bytes.subarray(0, at), add, bytes.subarray(at + remove)]);
const edit =
  (change: (bytes: Buffer, pick: (below: number) => number) => Buffer): Mutation =>
  (files, path, pick) =>
    void files.set(path, change(files.get(path) ?? Buffer.alloc(0), pick));
const editLines = (change: (all: string[], pick: (below: number) => number) => void) =>
  edit((bytes, pick) => {
    const all = lines(bytes);
    change(all, pick);
    return fromLines(all);
  });

const MUTATIONS: Record<string, Mutation> = {
  'a bit flipped': edit((bytes, pick) => {
    const changed = Buffer.from(bytes);
    const at = pick(bytes.length);
    changed[at] = (changed[at] ?? 0) ^ (1 << pick(8));
    return changed;
  }),
  'a byte removed': edit((bytes, pick) => splice(bytes, pick(bytes.length), 1)),
  'a byte put in': edit((bytes, pick) => splice(bytes, pick(bytes.length + 1), 0, Buffer.from([pick(256)]))),
  'a stretch removed': edit((bytes, pick) => splice(bytes, pick(bytes.length), 1 + pick(500))),
  'zeros over a stretch': edit((bytes, pick) =>
    Buffer.concat([
      bytes.subarray(0, pick(bytes.length)),
      Buffer.alloc(64),
      bytes.subarray(Math.min(bytes.length, pick(bytes.length))),
    ]),
  ),
  'the end cut off': edit((bytes, pick) => bytes.subarray(0, pick(bytes.length))),
  'the end added to': edit((bytes, pick) => Buffer.concat([bytes, Buffer.from('{"x":1}\n'.repeat(1 + pick(3)))])),
  'a line removed': editLines((all, pick) => all.splice(pick(all.length), 1)),
  'a line twice': editLines((all, pick) => {
    const at = pick(all.length);
    all.splice(at, 0, all[at] ?? '');
  }),
  'two lines exchanged': editLines((all, pick) => {
    const [a, b] = [pick(all.length), pick(all.length)];
    [all[a], all[b]] = [all[b] ?? '', all[a] ?? ''];
  }),
  'a digit changed': edit((bytes, pick) => {
    const digits = [...bytes.toString('latin1').matchAll(/\d/g)].map(({ index }) => index);
    const at = digits[pick(digits.length)] ?? 0;
    return splice(bytes, at, 1, Buffer.from(String((Number(String.fromCharCode(bytes[at] ?? 48)) + 1 + pick(9)) % 10)));
  }),
  'line ends converted': edit((bytes) => Buffer.from(bytes.toString('latin1').replaceAll('\n', '\r\n'), 'latin1')),
  'all of it removed': edit(() => Buffer.alloc(0)),
  'the file removed': (files, path) => void files.delete(path),
  'the content of another file': (files, path, pick) => {
    const others = [...files.keys()];
    files.set(path, files.get(others[pick(others.length)] ?? path) ?? Buffer.alloc(0));
  },
  'a foreign file beside it': (files, path, pick) => void files.set(`${path}.${pick(1000)}`, Buffer.from('x')),
};

/** What may be changed or removed without changing the meaning of a run, and what says so. */
function isFree(path: string, present: boolean): boolean {
  if (/(^|\/)(owner\/\d{6}|\.gitignore|\.reserve)$/.test(path)) return true;
  // Documents may be edited; caches and products may be deleted. Both are noted.
  return path.endsWith('.md') && !path.includes('output/')
    ? true
    : !present && /checkpoints\/|output\/|summary\.json$|results\.json$/.test(path);
}

/** A log may have a tail that does not count; it is noted. */
function isAppended(before: Buffer | undefined, after: Buffer | undefined): boolean {
  return before !== undefined && after?.subarray(0, before.length).equals(before) === true;
}

describe('verify', () => {
  it('finds every random mutation of a good folder, and names the place', async () => {
    const contents: Files = new Map();
    for (const entry of readdirSync(good, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) contents.set(path, readFileSync(path));
    }
    assert.equal((await verifyRun(memoryDisk(new Map(contents)), good)).firstProblem, null);
    const random = generator(20250102);
    const pick = (below: number) => Math.floor(random() * Math.max(1, below));
    const names = Object.keys(MUTATIONS);
    // A log is most of a folder, and most of what matters.
    const paths = [...contents.keys()].flatMap((path) => (path.includes('/log/') ? [path, path, path, path] : [path]));
    const wanted = LONG ? 10_000 : 1_000;
    const missed: string[] = [];
    let [found, named, free] = [0, 0, 0];
    for (let made = 0; made < wanted; ) {
      const path = paths[pick(paths.length)] ?? '';
      const name = names[pick(names.length)] ?? '';
      const files = new Map(contents);
      MUTATIONS[name]?.(files, path, pick);
      const here = relative(good, path).replaceAll('\\', '/');
      const foreign = name === 'a foreign file beside it';
      if (!foreign && contents.get(path)?.equals(files.get(path) ?? Buffer.alloc(0)) && files.has(path)) continue;
      made += 1;
      const { ok, firstProblem, notes } = await verifyRun(memoryDisk(files), good);
      if (!ok) {
        found += 1;
        // A torn tail is told of in a note; what it took shows where the exit files are compared.
        const said = [firstProblem, ...notes].join(' ');
        if (said.includes(here) || said.includes(basename(here)) || said.includes(here.split('/')[0] ?? here))
          named += 1;
      } else if (
        isFree(here, files.has(path)) ||
        (isAppended(contents.get(path), files.get(path)) && notes.some((note) => note.includes(here))) ||
        (foreign && !/^(log|blobs|owner|checkpoints)\//.test(here))
      )
        free += 1;
      else missed.push(`${name}: ${here}`);
    }
    const figures = `${wanted} mutations of ${contents.size} files: ${found} found, ${named} of them by name, ${free} that leave the meaning intact, ${missed.length} missed`;
    console.log(`archive: ${figures}`);
    assert.deepEqual(missed, [], figures);
    assert.equal(named, found);
  });
});

const CLI = join(process.cwd(), 'dist', 'cli.js');

function cli(
  t: TestContext,
  args: readonly string[],
  variables: Record<string, string>,
): Promise<{ code: number | null; text: string }> {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: temporaryFolder(),
    env: { PATH: process.env['PATH'] ?? '', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (said: string) => (text += said));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, text })));
}

describe('a run folder from somebody else', () => {
  /** A consistent log that names another server. */
  function foreignRun(baseUrl: string): string {
    const { folder } = copyOfGood();
    configWith((config) => {
      config['model'] = { ...(config['model'] as Event), base_url: baseUrl };
      config['limits'] = { ...(config['limits'] as Event), max_iterations: 5 };
    })(folder);
    return folder;
  }

  it('verifies, and is not resumed with the key at a server that nobody named', async (t) => {
    const folder = foreignRun('https://collector.example/v1');
    const { checks } = await verifyRun(nodeDisk, folder);
    assert.ok(
      checks.filter(({ name }) => name === 'log' || name === 'config.json').every(({ ok }) => ok),
      JSON.stringify(checks),
    );
    const before = snapshot(folder);
    const { code, text } = await cli(t, ['resume', folder], { OPENAI_API_KEY: TEST_KEY });
    assert.equal(code, 2, text);
    assert.match(text, /sends its requests, and so the API key, to https:\/\/collector\.example\/v1.*--base-url/);
    assert.deepEqual(snapshot(folder), before, 'nothing was changed');
  });

  it('at a server on this machine that nobody named is resumed without the key', async (t) => {
    const server = await startModelServer({ reply: steadyBrain(), dimensions: 32 });
    t.after(() => server.close());
    const { code, text } = await cli(t, ['resume', foreignRun(server.baseUrl)], { OPENAI_API_KEY: TEST_KEY });
    assert.equal(code, 0, text);
    assert.match(
      text,
      /The API key is for https:\/\/api\.openai\.com, so http:\/\/127\.0\.0\.1:\d+ is asked without it/,
    );
    assert.ok(server.requests.length > 0);
    for (const { headers, raw } of server.requests)
      assert.ok(!(JSON.stringify(headers) + raw.toString()).includes(TEST_KEY));
  });

  it('is resumed with the key where a person names the server', async (t) => {
    const server = await startModelServer({ reply: steadyBrain(), dimensions: 32, key: TEST_KEY });
    t.after(() => server.close());
    const { code, text } = await cli(t, ['resume', foreignRun(server.baseUrl), '--base-url', server.baseUrl], {
      OPENAI_API_KEY: TEST_KEY,
    });
    assert.equal(code, 0, text);
    assert.ok(server.requests.every(({ headers }) => headers.authorization === `Bearer ${TEST_KEY}`));
  });

  it('cannot raise its limits beyond what a limit may be', async (t) => {
    const { folder } = copyOfGood();
    const { code, text } = await cli(
      t,
      ['resume', folder, '--add-cost-usd', '1e9', '--base-url', 'http://127.0.0.1:9/v1'],
      { OPENAI_API_KEY: TEST_KEY },
    );
    assert.equal(code, 2, text);
    assert.match(text, /The cost limit 1000000005 is not valid/);
    assert.equal((await verifyRun(nodeDisk, folder)).firstProblem, null);
  });

  it('cannot write to the terminal what a terminal obeys', async (t) => {
    const { folder } = copyOfGood();
    changed('task.completed', { task_id: '\u001b[2J\u001b]0;owned\u0007' })(folder);
    writeFileSync(join(folder, 'log', 'x\u001b]0;owned\u0007.jsonl'), '');
    for (const command of ['verify', 'resume']) {
      const { text } = await cli(t, [command, folder, '--base-url', 'http://127.0.0.1:9/v1'], {
        OPENAI_API_KEY: TEST_KEY,
      });
      // biome-ignore lint: the character is what is looked for
      assert.ok(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(text), JSON.stringify(text));
    }
  });
});
