// Writes the token ranks of each encoding as one compact binary file, `<encoding>.ranks`:
//
//   4 bytes   'BPE1', name and version of the format
//   4 bytes   little-endian length of the header
//   header    JSON: {"name", "pattern", "count"}; pattern is a JavaScript regular expression for the flags `gu`
//   count     one byte per rank: how many bytes its token has
//   the rest  the bytes of all tokens, in order of rank

import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import cl100k from 'js-tiktoken/ranks/cl100k_base';
import o200k from 'js-tiktoken/ranks/o200k_base';

/** sha256 is of the `.tiktoken` file that OpenAI publishes: the package must hold exactly those ranks. */
const ENCODINGS = [
  {
    name: 'o200k_base',
    source: o200k,
    sha256: '446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d',
  },
  {
    name: 'cl100k_base',
    source: cl100k,
    sha256: '223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7',
  },
];

/**
 * Writes `<outDirectory>/<encoding>.ranks` for every encoding and returns the paths.
 * Throws if the package does not hold the published ranks or a token does not fit the format.
 */
export async function buildRanks(outDirectory) {
  await mkdir(outDirectory, { recursive: true });
  const paths = [];
  for (const { name, source, sha256 } of ENCODINGS) {
    const tokens = readTokens(source.bpe_ranks);
    const published = tokens.map((token, rank) => `${token.toString('base64')} ${rank}\n`).join('');
    if (createHash('sha256').update(published).digest('hex') !== sha256) {
      throw new Error(`js-tiktoken does not hold the published ranks of ${name}; pin a version of it that does.`);
    }
    const path = join(outDirectory, `${name}.ranks`);
    await writeFile(path, encodeRanks(name, unicodeWhiteSpace(source.pat_str), tokens));
    paths.push(path);
  }
  return paths;
}

/** Each line of the package's text is `<anything> <first rank> <base64 token> <base64 token> ...`. */
function readTokens(text) {
  const tokens = [];
  for (const line of text.split('\n').filter(Boolean)) {
    const [, firstRank, ...encoded] = line.split(' ');
    encoded.forEach((token, index) => {
      tokens[Number(firstRank) + index] = Buffer.from(token, 'base64');
    });
  }
  return tokens;
}

function encodeRanks(name, pattern, tokens) {
  const tooLong = tokens.findIndex((token) => token.length > 255);
  if (tooLong !== -1) throw new Error(`${name}: token ${tooLong} has over 255 bytes; the format must be changed.`);
  // Throws here rather than at the user's if this is not a pattern in JavaScript.
  new RegExp(pattern, 'gu');
  const header = Buffer.from(JSON.stringify({ name, pattern, count: tokens.length }));
  const start = Buffer.alloc(8, 'BPE1');
  start.writeUInt32LE(header.length, 4);
  return Buffer.concat([start, header, Buffer.from(tokens.map((token) => token.length)), ...tokens]);
}

/** JavaScript's \s counts U+FEFF in and U+0085 out; the Unicode property, which tiktoken means, does the opposite. */
function unicodeWhiteSpace(pattern) {
  return pattern
    .replaceAll(String.raw`\s`, String.raw`\p{White_Space}`)
    .replaceAll(String.raw`\S`, String.raw`\P{White_Space}`);
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const outDirectory = process.argv[2] ?? 'dist';
  for (const path of await buildRanks(outDirectory)) process.stdout.write(`${path}\n`);
}
