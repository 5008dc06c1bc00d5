import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { buildSync } from 'esbuild';
import fc from 'fast-check';
import * as cl100kOracle from 'gpt-tokenizer/encoding/cl100k_base';
import * as o200kOracle from 'gpt-tokenizer/encoding/o200k_base';
import { type EncodingName, encodingFor } from '../../../src/budget/encoding.ts';
import { RankFileError } from '../../../src/budget/token-ranks.ts';
import { tokenUpperBound } from '../../../src/budget/token-bound.ts';
import { Tokenizer } from '../../../src/budget/tokens.ts';

// Runs from the root of the repository.

const ORACLES = { o200k_base: o200kOracle, cl100k_base: cl100kOracle };
const NAMES: readonly EncodingName[] = ['o200k_base', 'cl100k_base'];
const LONE_HIGH = '\ud83d';
const LONE_LOW = '\udc00';

let directory: string;
let tokenizers: Record<EncodingName, Tokenizer>;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ranks-'));
  execFileSync(process.execPath, ['scripts/build-ranks.mjs', directory]);
  tokenizers = {
    o200k_base: await Tokenizer.load(directory, 'o200k_base'),
    cl100k_base: await Tokenizer.load(directory, 'cl100k_base'),
  };
});

after(() => rm(directory, { recursive: true, force: true }));

function expected(name: EncodingName, text: string): number {
  return ORACLES[name].countTokens(text, { disallowedSpecial: new Set() });
}

function assertSameCounts(text: string): void {
  for (const name of NAMES) {
    assert.equal(tokenizers[name].count(text), expected(name, text), `${name} ${JSON.stringify(text.slice(0, 200))}`);
  }
}

const fragment = fc.constantFrom(
  ...[
    'a',
    'B',
    'the',
    ' the',
    'Hello',
    ' World',
    'indistinguishable',
    "'s",
    "'RE",
    "'ll",
    "don't",
    'DON’T',
    'camelCase',
  ],
  ...[' ', '  ', '        ', '\t', '\n', '\r\n', '\r', '\n\n\n', '\u00a0', '\u3000', '\u2028', '\u200b', ' \n', '\n  '],
  ...[
    '1',
    '12',
    '2024',
    '1234567',
    '٣',
    '½',
    '!',
    '...',
    '?!',
    '/',
    '//',
    '{',
    '":',
    '}\n',
    '=> {\n',
    '/**\n',
    '-----',
  ],
  ...[
    'const x = ',
    'return;\n',
    '{"a": [1, null]}',
    '<|endoftext|>',
    '<|im_start|>',
    '<|fim_prefix|>',
    '<|endofprompt|>',
  ],
  ...['é', 'e\u0301', '\u0301', 'ñ', 'ß', 'ǅ', 'ʰ', 'Ω', 'Привет', 'ПРИВЕТ', '汉', '漢字テスト', '한국', '日本。', 'ﷺ'],
  ...[
    '🎉',
    '👩‍👩‍👧',
    '🏳️‍🌈',
    '🇫🇷',
    '𝒜',
    '𐐷',
    'עברית',
    'العربية',
    'हिन्दी',
    'ไทย',
    '\u0000',
    '\u007f',
    '\ufffd',
    LONE_HIGH,
    LONE_LOW,
  ],
);

/** The oracle drops U+FEFF when decoding and takes U+0085 for a letter; both have their own test below. */
const text = fc
  .array(fc.oneof({ weight: 5, arbitrary: fragment }, fc.string({ unit: 'binary', maxLength: 4 })), { maxLength: 24 })
  .map((parts) => parts.join('').replace(/[\ufeff\u0085]/g, ''));

/** Mostly white space, whose split depends most on where the text ends; not longer than head promises the longest cut for. */
const spacedText = fc
  .array(
    fc.tuple(fc.constantFrom(' ', '\n', '\t', '\r\n', '\u00a0', '\u3000', 'a', '!'), fc.integer({ min: 1, max: 12 })),
    {
      maxLength: 16,
    },
  )
  .map((runs) => runs.map(([unit, times]) => unit.repeat(times)).join(''))
  .map((sample) => sample.slice(0, 240));

describe('Tokenizer.count', () => {
  it('agrees with an independent tokenizer on random text', () => {
    fc.assert(fc.property(text, assertSameCounts), { numRuns: 4000 });
  });

  it('agrees on long pieces, repeated and random', () => {
    const run = fc
      .tuple(fc.oneof(fragment, fc.string({ unit: fc.constantFrom(...'abcdeЖあ漢'), minLength: 1 })), fc.nat(300))
      .map(([part, times]) => part.repeat(Math.min(times, Math.ceil(600 / part.length))));
    const word = fc.string({ unit: fc.constantFrom(...'etaoinshrdlu漢字あЖé'), minLength: 90, maxLength: 400 });
    fc.assert(fc.property(fc.oneof(run, word), assertSameCounts), { numRuns: 600 });
  });

  it('knows the tokens of the whole vocabulary', () => {
    for (const [name, size] of [
      ['o200k_base', 199_998],
      ['cl100k_base', 100_256],
    ] as const) {
      for (let rank = 0; rank < size; rank += 3) {
        const token = ORACLES[name].decode([rank]).replace(/[\ufeff\u0085]/g, '');
        const count = tokenizers[name].count(token);
        if (count !== 1) assert.equal(count, expected(name, token), `${name} ${rank}`);
      }
    }
  });

  it('is not misled by text whose hash is that of a token', () => {
    for (const sample of ['bzymejpo', 'xawymhqf', 'zytxaxel', 'tnrxfvlb']) assertSameCounts(sample);
  });

  it('follows tiktoken where the independent tokenizer does not', () => {
    // Counted with tiktoken 0.14.0.
    const cases: [text: string, o200k: number, cl100k: number][] = [
      ['\ufeff', 1, 1],
      ['\ufeffHello world', 3, 3],
      ['a \ufeff!', 3, 3],
      ['\ufeff\ufeff#!/bin/sh', 4, 5],
      ['a \u0085!', 5, 5],
      ['a \t\u0085', 4, 4],
      ['one\u0085two', 4, 4],
      ['text\n  ', 3, 3],
      ['<|endoftext|>', 7, 7],
    ];
    for (const [sample, o200k, cl100k] of cases) {
      assert.equal(tokenizers.o200k_base.count(sample), o200k, JSON.stringify(sample));
      assert.equal(tokenizers.cl100k_base.count(sample), cl100k, JSON.stringify(sample));
    }
  });

  it('stays exact where text is longer than a window', () => {
    const words = 'Indistinguishable tokenization,\nuncharacteristically 1234567 (straightforwardness) '.repeat(14_000);
    assert.ok(words.length > 2 ** 20);
    for (const shift of ['', 'x yz.']) {
      const sample = shift + words;
      assert.equal(tokenizers.o200k_base.count(sample), expected('o200k_base', sample));
    }
  });

  it('gets through hostile input without running out of time or stack', () => {
    const bundle = join(directory, 'tokens.mjs');
    buildSync({
      entryPoints: ['src/budget/tokens.ts'],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: bundle,
      logLevel: 'error',
    });
    const program = `
      const { Tokenizer } = await import(${JSON.stringify(pathToFileURL(bundle).href)});
      const tokenizer = await Tokenizer.load(${JSON.stringify(directory)}, 'o200k_base');
      const emoji = String.fromCodePoint(0x1f389);
      const counts = [
        'a'.repeat(1_000_000), ' '.repeat(20_000), '-'.repeat(100_000), '\\n'.repeat(100_000), '!\\n'.repeat(50_000),
        '\\u6f22\\u5b57'.repeat(100_000), emoji.repeat(50_000), '\\u0416'.repeat(5_000_000), 'xq'.repeat(100_000),
      ].map((text) => tokenizer.count(text));
      const long = 'a'.repeat(1_000_000);
      counts.push(tokenizer.head(long, 1000).length, tokenizer.count(tokenizer.middleOut(long, 1000)));
      process.stdout.write(JSON.stringify(counts));
    `;
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 120_000 });
    const counts = JSON.parse(output.toString()) as number[];
    assert.equal(counts[0], 125_000);
    assert.ok(counts.every((count) => count > 0 && count <= 5_000_000));
    assert.deepEqual(counts.slice(-2), [8000, 1000]);
  });
});

/** Every index of `sample` that is not inside a surrogate pair. */
function cutsOf(sample: string): number[] {
  const cuts = [0];
  for (const point of sample) cuts.push((cuts.at(-1) ?? 0) + point.length);
  return cuts;
}

/** Whether half of a surrogate pair stands alone. */
function torn(sample: string): boolean {
  return /\p{Surrogate}/u.test(sample);
}

describe('Tokenizer.head', () => {
  it('is the longest prefix that fits', () => {
    fc.assert(
      fc.property(fc.oneof(text, spacedText), fc.nat(30), fc.constantFrom(...NAMES), (sample, tokens, name) => {
        const tokenizer = tokenizers[name];
        const fitting = cutsOf(sample).filter((cut) => tokenizer.count(sample.slice(0, cut)) <= tokens);
        assert.equal(tokenizer.head(sample, tokens), sample.slice(0, fitting.at(-1)));
      }),
      { numRuns: 1000 },
    );
  });

  it('takes a whole token however long', () => {
    const { decode } = o200kOracle;
    const words = Array.from({ length: 199_998 }, (_, rank) => decode([rank])).filter((word) =>
      /^ ?[a-z]{16,}$/.test(word),
    );
    assert.ok(words.length > 10);
    for (const word of words) assert.equal(tokenizers.o200k_base.head(`${word} and so on`, 1), word);
    assert.equal(tokenizers.o200k_base.head('-'.repeat(100), 1), '-'.repeat(96));
  });

  it('uses up the tokens inside a piece of thousands of characters', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('a', 'é', '漢字', '🎉', ' ', '-', '🎉 '),
        fc.integer({ min: 1, max: 400 }),
        (unit, tokens) => {
          const sample = `Title\n${unit.repeat(6000)}`;
          const head = tokenizers.o200k_base.head(sample, tokens);
          assert.ok(sample.startsWith(head) && !torn(head));
          const count = tokenizers.o200k_base.count(head);
          const most = Math.min(tokens, tokenizers.o200k_base.count(sample));
          assert.ok(count <= most && count > most - 4, `${count} of ${most}`);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('gives nothing for no tokens and everything for enough', () => {
    const tokenizer = tokenizers.o200k_base;
    for (const tokens of [0, -1, Number.NaN]) assert.equal(tokenizer.head('text', tokens), '');
    assert.equal(tokenizer.head('some text', Number.POSITIVE_INFINITY), 'some text');
    assert.equal(tokenizer.head('', 5), '');
  });
});

describe('Tokenizer.middleOut', () => {
  it('leaves alone what fits, and otherwise keeps both ends within the limit', () => {
    const marker = '\n[cut]\n';
    fc.assert(
      fc.property(fc.array(text, { maxLength: 8 }), fc.nat(60), fc.constantFrom(...NAMES), (parts, tokens, name) => {
        const sample = parts.join(' ');
        const tokenizer = tokenizers[name];
        const result = tokenizer.middleOut(sample, tokens, marker);
        if (tokenizer.count(sample) <= tokens) {
          assert.equal(result, sample);
          return;
        }
        assert.ok(tokenizer.count(result) <= tokens);
        const ends = result.split(marker);
        if (tokens > tokenizer.count(marker) + 12) {
          assert.equal(ends.length, 2);
          const [head = '', tail = ''] = ends;
          assert.ok(head.length > 0 && sample.startsWith(head), 'head');
          assert.ok(tail.length > 0 && sample.endsWith(tail), 'tail');
          assert.ok(head.length + tail.length <= sample.length);
          assert.ok(torn(sample) || !torn(result), 'torn');
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('spends nearly all tokens, half on each end, also in one endless word', () => {
    const tokenizer = tokenizers.o200k_base;
    for (const sample of ['The quick brown fox jumps. '.repeat(20_000), '漢字'.repeat(20_000), 'ab1'.repeat(30_000)]) {
      const result = tokenizer.middleOut(sample, 1000, '[cut]');
      const [head = '', tail = ''] = result.split('[cut]');
      assert.ok(tokenizer.count(result) <= 1000 && tokenizer.count(result) >= 980, `${tokenizer.count(result)}`);
      assert.ok(Math.abs(tokenizer.count(head) - tokenizer.count(tail)) <= 20);
    }
  });

  it('cuts rather than repeats where head and tail nearly meet', () => {
    const part = fc.constantFrom(
      'token',
      'ization',
      'un',
      'character',
      'istically',
      '漢',
      '🎉',
      ' ',
      'the',
      '--',
      '\n',
      'x',
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 2, maxLength: 12 }), fc.integer({ min: 1, max: 3 }), (parts, less) => {
        const sample = parts.join('');
        const tokens = tokenizers.o200k_base.count(sample) - less;
        assert.ok(tokenizers.o200k_base.middleOut(sample, tokens, '').length < sample.length);
      }),
      { numRuns: 2000 },
    );
  });

  it('cuts at the last token that fits, also within words of several tokens', () => {
    const tokenizer = tokenizers.o200k_base;
    for (let tokens = 10; tokens < 40; tokens++) {
      const result = tokenizer.middleOut(' bzymejpo xawymhqf'.repeat(50), tokens, '\n\n');
      const [head = '', tail = ''] = result.split('\n\n');
      assert.equal(tokenizer.count(head), Math.ceil((tokens - 1) / 2));
      assert.equal(tokenizer.count(tail), Math.floor((tokens - 1) / 2));
    }
  });

  it('gives the head alone where the marker does not fit', () => {
    const tokenizer = tokenizers.o200k_base;
    const sample = 'one two three four five six seven eight';
    assert.equal(tokenizer.middleOut(sample, 3), 'one two three');
    assert.match(tokenizer.middleOut(sample.repeat(30), 40), /^one .*\n\[.+\]\n.* eight$/s);
  });
});

describe('Tokenizer.load', () => {
  it('says whether the rank file is missing or damaged', async () => {
    const good = await readFile(join(directory, 'cl100k_base.ranks'));
    const headerEnd = 8 + good.readUInt32LE(4);
    const zeroLength = Buffer.from(good);
    zeroLength[headerEnd] = 0;
    zeroLength[headerEnd + 1] = 2;
    const damaged: Buffer[] = [
      Buffer.alloc(0),
      Buffer.from('BPE1'),
      Buffer.from('{"not": "ranks"}'),
      good.subarray(0, headerEnd - 10),
      good.subarray(0, headerEnd + 50),
      good.subarray(0, -1),
      Buffer.concat([good, Buffer.from('x')]),
      zeroLength,
      Buffer.concat([Buffer.from('BPE1\x04\0\0\0null'), good.subarray(headerEnd)]),
    ];
    const broken = await mkdtemp(join(directory, 'broken-'));
    await assert.rejects(Tokenizer.load(broken, 'cl100k_base'), { name: 'RankFileError', reason: 'missing' });
    for (const content of damaged) {
      await writeFile(join(broken, 'cl100k_base.ranks'), content);
      await assert.rejects(Tokenizer.load(broken, 'cl100k_base'), (error) => {
        assert.ok(error instanceof RankFileError, String(error));
        assert.equal(error.reason, 'damaged');
        return true;
      });
    }
  });
});

describe('tokenUpperBound', () => {
  it('is never below the count of either encoding', () => {
    fc.assert(
      fc.property(text, (sample) => {
        for (const name of NAMES) assert.ok(tokenizers[name].count(sample) <= tokenUpperBound(sample));
      }),
      { numRuns: 1000 },
    );
  });

  it('counts bytes of the longer of the text and its compatibility form', () => {
    assert.equal(tokenUpperBound(''), 0);
    assert.equal(tokenUpperBound('abc'), 3);
    assert.equal(tokenUpperBound('ａ'), 3);
    assert.equal(tokenUpperBound('ﷺ'), Buffer.byteLength('صلى الله عليه وسلم'));
    assert.equal(tokenUpperBound(LONE_HIGH), 3);
  });
});

describe('encodingFor', () => {
  it('knows the models of the table, through vendor prefixes and fine-tune forms', () => {
    const table: Record<EncodingName, string[]> = {
      o200k_base: [
        ...[
          'gpt-4o',
          'gpt-4o-mini',
          'gpt-4o-2024-11-20',
          'gpt-4.1-nano',
          'gpt-4.5-preview',
          'gpt-5',
          'gpt-5.4-mini',
          'gpt-6-pro',
        ],
        ...[
          'o1',
          'o3-mini',
          'o4-mini-2025-04-16',
          'chatgpt-4o-latest',
          'gpt-oss-120b',
          'gpt-oss:20b',
          'openai/gpt-oss-20b',
        ],
        ...[
          'openai/gpt-4o',
          'openrouter/openai/gpt-5',
          'ft:gpt-4o-mini:org::id',
          'ft:gpt-4.1-2025-04-14:org:name:id',
          'GPT-4o',
        ],
      ],
      cl100k_base: [
        ...['gpt-4', 'gpt-4-turbo', 'gpt-4-32k-0613', 'gpt-3.5-turbo', 'gpt-35-turbo', 'azure/gpt-35-turbo-16k'],
        ...[
          'text-embedding-3-small',
          'text-embedding-3-large',
          'text-embedding-ada-002',
          'ft:gpt-3.5-turbo-0125:org::id',
        ],
      ],
    };
    for (const name of NAMES) {
      for (const model of table[name]) assert.deepEqual(encodingFor(model), { name, exact: true }, model);
    }
  });

  it('takes anything else for an estimate', () => {
    for (const model of [
      'llama3.3:70b',
      'qwen/qwen3-32b',
      'mistral-o3',
      'text-embedding-004',
      'my-gpt-4o',
      'gpt4all',
      '',
    ]) {
      assert.deepEqual(encodingFor(model), { name: 'o200k_base', exact: false }, model);
    }
  });
});
