import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { EngineError } from '../../../src/engine/engine-error.ts';
import type { Host } from '../../../src/engine/host.ts';
import { readRun } from '../../../src/engine/read.ts';
import { resumeRun } from '../../../src/engine/resume.ts';
import type { EventDraft } from '../../../src/run/events.ts';
import type { Disk } from '../../../src/runlog/disk.ts';
import { runFolder, segmentFile } from '../../../src/runlog/folder.ts';
import { asciiJson, formatLine, GENESIS_HASH } from '../../../src/runlog/line.ts';
import { l10n } from '../../../src/vscode/panel-l10n.ts';
import { type Files, memoryDisk } from '../../support/memory-disk.ts';
import { events, makeConfig, startOfRun, task } from '../../support/run-events.ts';

const FOLDER = runFolder('/runs/one');
const GERMAN = JSON.parse(readFileSync('l10n/bundle.l10n.de.json', 'utf8')) as Record<string, string>;

/** A run folder with this configuration and these bodies of events, each line of which is right. */
function folderOf(config: unknown, bodies: readonly unknown[] = events(...startOfRun())): Files {
  let hash = GENESIS_HASH;
  const lines = bodies.map((body) => {
    const written = formatLine(hash, asciiJson(body));
    hash = written.hash;
    return written.line;
  });
  return new Map([
    [FOLDER.config, Buffer.from(JSON.stringify(config))],
    [segmentFile(FOLDER, 1), Buffer.from(lines.join(''))],
  ]);
}

/** Why the folder cannot be read, in English and in German. */
async function refusal(
  files: Files,
  read: (disk: Disk) => Promise<unknown> = (disk) => readRun(disk, FOLDER.path),
): Promise<[english: string, german: string]> {
  const error: unknown = await read(memoryDisk(files)).then(
    () => null,
    (problem: unknown) => problem,
  );
  assert.ok(error instanceof EngineError && error.reason === 'damaged', String(error));
  l10n.use(GERMAN, 'de');
  try {
    return [error.message, error.words(l10n.t)];
  } finally {
    l10n.use(undefined, 'en');
  }
}

describe('a configuration that is none', () => {
  const config = makeConfig();
  const changed = (change: object) => folderOf({ ...config, ...change });
  const limits = (change: object) => changed({ limits: { ...config.limits, ...change } });
  const cases: Record<string, [files: Files, english: string, german: string]> = {
    'nothing at all': [folderOf(null), 'the whole must be an object', 'das Ganze muss ein Objekt sein'],
    'without a field': [changed({ objective: undefined }), 'objective is missing', 'objective fehlt'],
    'with a field of another kind': [
      limits({ max_iterations: 'ten' }),
      'limits.max_iterations must be a number',
      'limits.max_iterations muss eine Zahl sein',
    ],
    'with a part of a whole': [
      limits({ max_iterations: 1.5 }),
      'limits.max_iterations must be a whole number',
      'limits.max_iterations muss eine ganze Zahl sein',
    ],
    'with too much': [
      limits({ max_cost_usd: 1001 }),
      'limits.max_cost_usd must be at most 1000',
      'limits.max_cost_usd darf höchstens 1000 sein',
    ],
    'with too little': [
      limits({ max_cost_usd: -1 }),
      'limits.max_cost_usd must be at least 0.000001',
      'limits.max_cost_usd muss mindestens 0.000001 sein',
    ],
    'with an empty text': [changed({ objective: '' }), 'objective is empty', 'objective ist leer'],
    'with a word that is none of several': [
      changed({ strategy: 'wild' }),
      'strategy must be one of "guarded", "classic"',
      'strategy muss eines von diesen sein: "guarded", "classic"',
    ],
    'of another format': [changed({ format_version: 7 }), 'format_version must be 1', 'format_version muss 1 sein'],
    'with what is not known': [
      limits({ max_speed: 3 }),
      'limits has entries that are not known: "max_speed"',
      'limits hat unbekannte Einträge: "max_speed"',
    ],
    'with an id of another form': [
      changed({ run_id: 'seven' }),
      'run_id has not the form that it must have (uuid)',
      'run_id hat nicht die verlangte Form (uuid)',
    ],
    'with a flag that is none': [
      changed({ loop: { ...config.loop, synthesis: 'yes' } }),
      'loop.synthesis must be true or false',
      'loop.synthesis muss true oder false sein',
    ],
  };
  for (const [what, [files, english, german]] of Object.entries(cases)) {
    it(`${what} is refused with what is wrong, in words of the language`, async () => {
      assert.deepEqual(await refusal(files), [
        `${FOLDER.config} is not a valid run configuration: ${english}.`,
        `${FOLDER.config} ist keine gültige Konfiguration eines Laufs: ${german}.`,
      ]);
    });
  }
});

describe('a log that is damaged', () => {
  const bodies = (change: (log: Record<string, unknown>[]) => void): unknown[] => {
    const log: Record<string, unknown>[] = events(...startOfRun(), task('t2', 'Two')).map((event) => ({ ...event }));
    change(log);
    return log;
  };
  const config = makeConfig();

  it('by an event of the wrong form is refused in words of the language', async () => {
    const malformed = folderOf(
      config,
      bodies((log) => {
        delete log[3]?.['text'];
      }),
    );
    const [english, german] = await refusal(malformed);
    assert.match(
      english,
      /^The log is damaged in segment 1 at byte \d+: the event is malformed: text is missing\. The/,
    );
    assert.match(german, /^Das Protokoll ist .* beschädigt: das Ereignis hat die falsche Form: text fehlt\. Der Lauf/);
  });

  it('by a gap, or by a body that is no event, is too', async () => {
    const gap = await refusal(
      folderOf(
        config,
        bodies((log) => {
          Object.assign(log[3] ?? {}, { seq: 9 });
        }),
      ),
    );
    assert.match(gap[0], /: event 9 follows event 3\. The run can/);
    assert.match(gap[1], /: auf Ereignis 3 folgt Ereignis 9\. Der Lauf/);
    const [english, german] = await refusal(folderOf(config, [...events(...startOfRun()), 'no object']));
    assert.match(english, /: the body is not a JSON object\. The run can/);
    assert.match(german, /beschädigt: der Inhalt ist kein JSON-Objekt\. Der Lauf/);
  });

  const contradictions: Record<string, [drafts: EventDraft[], english: RegExp, german: RegExp]> = {
    'a task that is not there': [
      [{ type: 'task.edited', task_id: 't9', text: 'x', by: 'user' }],
      /^The log contradicts itself\. Event 4 \(task\.edited\): there is no task t9\. The run can/,
      /^Das Protokoll widerspricht sich\. Ereignis 4 \(task\.edited\): eine Aufgabe t9 gibt es nicht\. Der Lauf/,
    ],
    'a limit that begins too low': [
      [{ type: 'limit.added', limit: 'max_requests', to: 0.5, by: 'user' }],
      /\(limit\.added\): 0\.5 is no value for max_requests\./,
      /\(limit\.added\): 0\.5 ist kein Wert für max_requests\./,
    ],
  };
  for (const [what, [drafts, english, german]] of Object.entries(contradictions)) {
    it(`by ${what} is refused in words of the language`, async () => {
      const said = await refusal(folderOf(config, events(...startOfRun(), ...drafts)));
      assert.match(said[0], english);
      assert.match(said[1], german);
    });
  }
});

describe('a server that cannot be used', () => {
  const addresses: Record<string, [english: RegExp, german: RegExp]> = {
    x: [/is not a complete URL/, /ist keine vollständige URL/],
    'ftp://a.example': [/must start with https/, /muss mit https/],
    'http://8.8.8.8': [/^.*: Plain http to 8\.8\.8\.8 would/, /^.*: Einfaches http zu 8\.8\.8\.8 würde/],
    'https://user:word@a.example': [/of a\.example holds a user name/, /von a\.example enthält einen Benutzernamen/],
    'https://a.example.': [/The host a\.example\. ends in a dot/, /Der Name des Servers a\.example\. endet/],
    'https://0.0.0.0': [/0\.0\.0\.0 is not a public address/, /0\.0\.0\.0 ist keine öffentliche Adresse/],
  };
  for (const [base_url, [english, german]] of Object.entries(addresses)) {
    it(`as ${base_url} is refused on the way to resume, in words of the language`, async () => {
      const config = makeConfig();
      const files = folderOf({ ...config, model: { ...config.model, base_url } });
      const said = await refusal(files, (disk) =>
        resumeRun(FOLDER.path, { raise: {}, byPerson: true }, { disk } as Host),
      );
      assert.match(said[0], english);
      assert.match(said[1], german);
    });
  }
});
