import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { INCLUDED } from '../../../src/run/cost-words.ts';
import { AGENTS } from '../../../src/run/format.ts';
import { KINDS } from '../../../src/run/issue-words.ts';
import { LIMIT_WORDS } from '../../../src/run/limits.ts';
import { checkSettings, type RawSettings } from '../../../src/run/settings.ts';
import { inEnglish, TranslatableError, type Translate, wordsOf } from '../../../src/run/translate.ts';
import { OutputPathError, parseOutputPath } from '../../../src/safety/output-path.ts';
import { ONLY_BLOCKED_WAIT } from '../../../src/run/queue.ts';
import { l10n } from '../../../src/vscode/panel-l10n.ts';

type Texts = Readonly<Record<string, string>>;

const readTexts = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Texts;

/** Say something in the language of their caller. */
const WORDS = [
  'src/agents/prompts.ts',
  'src/agents/template.ts',
  'src/engine/engine-error.ts',
  'src/engine/model.ts',
  'src/engine/read.ts',
  'src/engine/resume.ts',
  'src/engine/snapshot.ts',
  'src/notify/check.ts',
  'src/research/archive.ts',
  'src/research/export-archive.ts',
  'src/research/import-archive.ts',
  'src/research/create-experiment.ts',
  'src/research/experiment-file.ts',
  'src/research/experiment.ts',
  'src/research/trial-config.ts',
  'src/research/work-experiment.ts',
  'src/research/replay-words.ts',
  'src/research/compare-markdown.ts',
  'src/run/settings.ts',
  'src/runlog/disk.ts',
  'src/runlog/owner.ts',
  'src/runlog/writer.ts',
  'src/research/explain.ts',
  'src/research/loop-remarks.ts',
  'src/research/review-reason.ts',
  'src/research/review-report.ts',
  'src/run/cost-words.ts',
  'src/run/fold-error.ts',
  'src/run/issue-words.ts',
  'src/run/limits.ts',
  'src/run/raise.ts',
  'src/run/review.ts',
  'src/run/fold.ts',
  'src/run/fold-calls.ts',
  'src/run/fold-tasks.ts',
  'src/run/steer.ts',
  'src/run/stop-reason.ts',
  'src/runlog/reader.ts',
  'src/safety/origin.ts',
  'src/telemetry/collector.ts',
  'src/telemetry/endpoint.ts',
];

/** The texts of all `l10n.t(…)` in the sources, of the panel and of what words it borrows too; anything but a literal is a failure. */
function textsInSources(): Set<string> {
  const filesBelow = (folder: string) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((name) => path.join(folder, name));
  const texts = new Set<string>();
  for (const file of ['src/extension.ts', ...filesBelow('src/vscode'), ...filesBelow('src/webview'), ...WORDS]) {
    for (const [call, literal] of readFileSync(file, 'utf8').matchAll(
      /\b(?:l10n\.t\(|translated\(|new FoldError\(event,)\s*('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")?/g,
    )) {
      assert.ok(literal !== undefined, `${file}: ${call} is not followed by a string in quotes`);
      texts.add(literal.slice(1, -1).replaceAll(/\\(['"\\])/g, '$1'));
    }
  }
  return texts;
}

/** Sentences of the run itself, which the panel shows in the language of the window where it has them. */
const SENTENCES_OF_THE_RUN = [
  INCLUDED,
  ...Object.values(LIMIT_WORDS).flatMap(({ name, range }) => [name, range]),
  'A person paused the run.',
  '3 tasks failed in a row.',
  '3 planning replies were unusable in a row.',
  'removed by a person',
  'left out of the prioritized list',
  ONLY_BLOCKED_WAIT,
  ...AGENTS,
  ...refusedNames(),
  ...Object.values(KINDS),
];

/** What is wrong with a path in an archive, each rule once. */
function refusedNames(): string[] {
  const long = 'x'.repeat(121);
  const names = ['', '\ud800', 'a\\b', '/a', 'a/'.repeat(17), 'a//b', 'a/../b', long, 'a\nb', 'a\u200bb', 'a?b'];
  names.push('\uff0e\uff0e', '-a', 'a.', 'a~1', 'nul', '.git');
  return names.map((name) => {
    try {
      parseOutputPath(name);
    } catch (error) {
      if (error instanceof OutputPathError) return error.rule;
    }
    throw new Error(`${JSON.stringify(name)} is not refused`);
  });
}

/** What people meet as an error with words. */
const ERRORS =
  /(?:new (?:EngineError|ArchiveError|TemplateError|ForeignFile|RunLost|SteerError|OriginError|KeyError|CollectorError)|throw (?:unsafe|damaged|tooLarge))\(/g;

/** From an opening bracket to the one that closes it. */
function bracketed(text: string, open: number): string {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === '(') depth++;
    if (text[at] === ')' && --depth === 0) return text.slice(open, at + 1);
  }
  throw new Error('a bracket is not closed');
}

/** What a translation must take over as it is: places for values, commands, settings and other code. */
function fixedParts(text: string): string[] {
  return (text.match(/\{\d\}|\(command:[^)]*\)|`[^`]*`|\$\([^)]*\)/g) ?? []).sort();
}

describe('the German texts', () => {
  const bundle = readTexts('l10n/bundle.l10n.de.json');
  const manifest = readTexts('package.nls.de.json');
  const original = readTexts('package.nls.json');

  it('are there for every text of the code, and for no other', () => {
    const used = textsInSources();
    for (const sentence of SENTENCES_OF_THE_RUN) used.add(sentence);
    assert.ok(used.size > 100, `${used.size} texts were found`);
    assert.deepEqual(
      {
        missing: [...used].filter((text) => !(text in bundle)),
        stale: Object.keys(bundle).filter((text) => !used.has(text)),
      },
      { missing: [], stale: [] },
    );
  });

  it('are there for every problem of the settings', () => {
    const untranslated: string[] = [];
    const german: Translate = (message, ...values) => {
      if (!(message in bundle)) untranslated.push(message);
      return `«${inEnglish(bundle[message] ?? message, ...values)}»`;
    };
    const names =
      `objective acceptanceCriteria initialTask strategy model embeddingModel embeddingDimensions baseUrl temperature
      seed checkpointEvery reviewEvery reviewEveryUsd reviewFirstUse unattendedReview maxNewTasks recallTokens sleepSeconds
      synthesis`.split(/\s+/);
    const wrong = Object.fromEntries([...names, ...Object.keys(LIMIT_WORDS)].map((name) => [name, { wrong: 1 }]));
    for (const raw of [{}, wrong as RawSettings]) {
      const checked = checkSettings(raw, german);
      assert.ok('problems' in checked);
      assert.equal(checked.problems.length, raw === wrong ? Object.keys(wrong).length : 3);
      for (const problem of checked.problems) assert.match(problem, /^«.*«.*».*«.*».*»$/);
    }
    assert.deepEqual(untranslated, []);
  });

  it('are there wherever an error for people is made', () => {
    const reasons = new Set<string>();
    for (const file of WORDS) {
      const source = readFileSync(file, 'utf8');
      for (const { index, 0: call } of source.matchAll(ERRORS)) {
        const made = bracketed(source, index + call.length - 1);
        assert.match(made, /\btranslated\b|\bproblems\b/, `${file}: ${made}`);
        const words = made.replaceAll(/translated\(\s*(?:'(?:[^'\\\n]|\\.)*'|"[^"\n]*")/g, '');
        for (const [text] of words.matchAll(/'(?:[^'\\\n]|\\.)*'|"[^"\n]*"|`[^`]*`/g))
          assert.doesNotMatch(text.replaceAll(/\$\{[^}]*\}/g, ''), /[a-z]{2,} | [a-z]{2,}/, `${file}: ${text}`);
        for (const [, reason = ''] of made.matchAll(/'([a-z]+(?:_[a-z]+)*)'/g)) reasons.add(reason);
      }
    }
    const declared = ['src/engine/engine-error.ts', 'src/research/archive.ts'].flatMap((file) => {
      const union = /readonly reason:([^;]*);/.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
      return [...union.matchAll(/'(\w+)'/g)].map(([, reason]) => reason ?? '');
    });
    assert.equal(declared.length, 18);
    assert.deepEqual(
      declared.filter((reason) => !reasons.has(reason)),
      [],
    );
  });

  it('say what an error says, with its figures', () => {
    class Full extends TranslatableError {}
    const full = new Full((translated) => translated('The run has {0} files; an archive has at most {1}.', 7, 5));
    assert.equal(full.message, 'The run has 7 files; an archive has at most 5.');
    l10n.use(bundle, 'de');
    try {
      assert.equal(wordsOf(full, l10n.t), 'Der Lauf hat 7 Dateien; ein Archiv hat höchstens 5.');
    } finally {
      l10n.use(undefined, 'en');
    }
  });

  it('are there for every text of the manifest, and for no other', () => {
    assert.deepEqual(Object.keys(manifest).sort(), Object.keys(original).sort());
  });

  it('have the values, commands and code of the original', () => {
    for (const [text, german] of Object.entries(bundle)) assert.deepEqual(fixedParts(german), fixedParts(text), text);
    for (const [key, text] of Object.entries(original)) {
      assert.deepEqual(fixedParts(manifest[key] ?? ''), fixedParts(text), key);
    }
    for (const german of [...Object.values(bundle), ...Object.values(manifest)]) assert.notEqual(german.trim(), '');
  });
});
