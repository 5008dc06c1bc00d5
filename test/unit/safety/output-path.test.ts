import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { OutputPathError, type OutputPathReason, parseOutputPath } from '../../../src/safety/output-path.ts';

function reasonOf(name: string, existing: string[] = []): OutputPathReason | null {
  try {
    parseOutputPath(name, existing);
    return null;
  } catch (error) {
    assert.ok(error instanceof OutputPathError);
    assert.match(error.message, /^[\x20-\x7e…]*$/, 'the message is plain text');
    return error.reason;
  }
}

const refused: Record<OutputPathReason, string[]> = {
  empty: [''],
  not_well_formed: ['a\ud800', '\udc00b/c', 'ok/\ud83d'],
  absolute: ['/etc/passwd', '//server/share/x', '/', '///'],
  backslash: ['\\\\server\\share\\x', '\\\\?\\C:\\x', 'a\\b', '..\\x', 'C:\\x', '\\x'],
  empty_segment: ['a//b', 'a/', 'a/b//'],
  dot_segment: ['.', '..', '../x', 'a/../../x', './x', 'a/.', 'a/..', '．．/x', '\u2024\u2024/x', '‥/x'],
  too_many_segments: [Array(17).fill('a').join('/'), Array(5000).fill('d').join('/')],
  segment_too_long: ['x'.repeat(121), `a/${'é'.repeat(61)}`, '😀'.repeat(31), 'x'.repeat(256)],
  control_character: ['a\u0000.txt', 'a\nb', 'a\rb', '\u007f', 'a\u0085b', 'a\u2028b', 'a\tb', '\u001b[31m'],
  invisible_character: [
    ...['a\u202etxt.exe', '.g\u200cit', 'a\u200db', '\ufeffa', 'a\u00adb', 'a\u2066b', '\u200e', 'a\u2060', 'a\u034fb'],
    ...['\ue000', 'a\uf03ab', 'a\ufe0f', 'a\u{e0001}', '\u3164', 'a\ufdd0', 'a\u0378', '👩\u200d🔬.md'],
  ],
  forbidden_character: [
    'a:b',
    'a:$DATA',
    'x.txt::$DATA',
    'C:rel',
    'a*',
    'a?',
    'a"b',
    '<a>',
    'a|b',
    'ａ：ｂ',
    'a／b',
    '＜',
    'a＼b',
  ],
  leading_dash: ['-rf', '--help', 'a/-x', '－x', '-'],
  trailing_dot_or_space: ['a.', 'a ', 'a/b./c', 'x .', 'a...', 'a\u00a0', 'a\u3000', ' ', 'a．'],
  short_name: ['GIT~1', 'PROGRA~1/x', 'a~2.txt', 'a～1', 'x~10'],
  device_name: [
    ...[
      'CON',
      'con',
      'Con.txt',
      'CON .txt',
      'nul',
      'NUL.tar.gz',
      'aux.h',
      'prn',
      'conin$',
      'CONOUT$',
      'clock$',
      'a/nul',
    ],
    ...['com0', 'lpt0', 'COM1', 'com9.log', 'lpt1', 'LPT9.x', 'COM¹', 'com².txt', 'LPT³', 'ＣＯＮ', 'ⅽon'],
  ],
  protected_name: [
    ...[
      '.git',
      '.git/config',
      'a/.GIT/hooks/x',
      '.gitignore',
      '.gitmodules',
      '.github/workflows/x.yml',
      '.ｇit',
      '.gıt',
    ],
    ...['.vscode/settings.json', '.VSCODE', '.env', '.env.local', '.Env.production', '.npmrc', '.ssh/id_rsa', 'x/.ssh'],
    ...['my.code-workspace', 'X.CODE-WORKSPACE', '.babyagi/x', '.sandbox-1.tmp', '.hg', 'desktop.ini', 'a/Desktop.INI'],
    ...['autorun.inf', 'readme.lnk', 'x.SCF', 'a.url', 'x.library-ms', '.trash/x', '.devcontainer/devcontainer.json'],
    ...['.devcontainer.json', '.idea/x', '.yarnrc.yml'],
  ],
  collision: [],
};

const allowed = [
  ...[
    'a',
    'a.txt',
    'notes/2026-11-22.md',
    'a b.txt',
    'a/b/c/d/e.csv',
    'résumé.pdf',
    '計画/概要.md',
    'x-y_z.tar.gz',
    '😀.txt',
  ],
  ...[
    'con1',
    'console.log',
    'auxiliary.md',
    'nullable.ts',
    'com10',
    'community.txt',
    'lpt',
    'git',
    'my.git.notes',
    'env',
  ],
  ...['x.env', '.eslintrc', '.editorconfig', '%2e%2e', "it's", 'a~b', 'a,b;c', '(draft)', 'a&b', '$HOME', '~', '#1'],
  ...['x'.repeat(120), Array(16).fill('a').join('/'), '__proto__', 'constructor', 'a..b', '..a', '...a'],
];

describe('parseOutputPath', () => {
  for (const [reason, names] of Object.entries(refused)) {
    if (names.length === 0) continue;
    it(`refuses ${reason}`, () => {
      for (const name of names) assert.equal(reasonOf(name), reason, JSON.stringify(name));
    });
  }

  it('allows ordinary names', () => {
    for (const name of allowed) assert.equal(reasonOf(name), null, JSON.stringify(name));
    assert.deepEqual(parseOutputPath('a/b c/d.md').segments, ['a', 'b c', 'd.md']);
  });

  it('returns names in NFC', () => {
    assert.deepEqual(parseOutputPath('cafe\u0301/a\u030a.txt').segments, ['caf\u00e9', '\u00e5.txt']);
  });

  it('refuses what some file system takes for an existing file or folder', () => {
    const cases: [string, string][] = [
      ['readme.md', 'README.md'],
      ['Docs/b.md', 'docs/a.md'],
      ['DOCS', 'docs/a.md'],
      ['caf\u00e9', 'cafe\u0301'],
      ['strasse', 'straße'],
      ['ﬁle', 'file'],
      ['\u212a.txt', 'k.txt'],
      ['ſ', 's'],
    ];
    for (const [name, other] of cases)
      assert.equal(reasonOf(name, ['x', other]), 'collision', `${name} against ${other}`);
  });

  it('takes the exact spelling of what exists', () => {
    assert.equal(reasonOf('docs/a.md', ['docs/a.md', 'docs']), null);
    assert.equal(reasonOf('docs/b.md', ['docs/a.md']), null);
    assert.equal(reasonOf('doc', ['docs/a.md']), null);
  });

  it('yields only plain segments, and the same ones when asked again', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom('..', '.', '/', '\\', 'con', '.git', ' ', ':', '~1', 'a', 'B', '\u200d', '．', '\u0301', 'COM¹'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const name = pieces.join('');
        if (reasonOf(name) !== null) return;
        const { segments } = parseOutputPath(name);
        assert.deepEqual(parseOutputPath(segments.join('/')).segments, segments);
        for (const segment of segments) {
          assert.match(segment, /^[^/\\:*?"<>|\p{C}]+$/u);
          assert.doesNotMatch(segment, /^\.{0,2}$|[. ]$/);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
