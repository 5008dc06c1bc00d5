import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { INCLUDED } from '../../../src/run/cost-words.ts';
import { LIMIT_WORDS } from '../../../src/run/limits.ts';
import { ONLY_BLOCKED_WAIT } from '../../../src/run/queue.ts';

type Texts = Readonly<Record<string, string>>;

const readTexts = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Texts;

/** Say something in the language of their caller. */
const WORDS = [
  'src/research/explain.ts',
  'src/research/loop-remarks.ts',
  'src/research/review-reason.ts',
  'src/research/review-report.ts',
  'src/run/cost-words.ts',
  'src/run/limits.ts',
  'src/run/review.ts',
  'src/run/stop-reason.ts',
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
      /\b(?:l10n\.t|translated)\(\s*('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")?/g,
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
];

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
