// `npm run test:mutate -- src/budget unit/budget,unit/run [seconds]`: changes one operator, constant or statement after the
// other in the files below the first folder (or in one file), and runs the tests below these folders of test/. A change that no test notices
// is printed: either a test is missing, or the code is not needed, or the change means nothing. Tried in random order,
// until the time (300 s) is over. The last line is `N killed, N survived`.

import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const OUT = path.join(ROOT, 'out', 'mutate', String(process.pid));
const LONGEST_TEST_MS = 60_000;

/** What is looked for, and what it becomes. A bare number becomes its neighbours. */
const OPERATORS = [
  [/(?<=[\w)\]] )(<=)(?= )/g, () => '<'],
  [/(?<=[\w)\]] )(>=)(?= )/g, () => '>'],
  [/(?<=[\w)\]] )(<)(?= [\w(])/g, () => '<='],
  [/(?<=[\w)\]] )(>)(?= [\w(])/g, () => '>='],
  [/(===)/g, () => '!=='],
  [/(!==)/g, () => '==='],
  [/( && )/g, () => ' || '],
  [/( \|\| )/g, () => ' && '],
  [/( \+ )/g, () => ' - '],
  [/(?<=[\w)\]])( - )/g, () => ' + '],
  [/( \* )/g, () => ' + '],
  [/\b(true)\b/g, () => 'false'],
  [/\b(false)\b/g, () => 'true'],
  [/\bMath\.(max)\b/g, () => 'min'],
  [/\bMath\.(min)\b/g, () => 'max'],
  [/(?<![\w.'"$\\-])(\d+)(?=n?\b)(?![\w.]*['"])/g, (digits) => String(BigInt(digits) + 1n)],
  [/\bif (\()(?=.*\) )/g, () => '(!'],
  [
    /^ +(?!return|const|let|if|for|while|throw|else|case|default|import|export|type|interface|readonly|private|static|\}|\/|\*)([\w.#?]+(?:\([^;{}]*\)| [+|-]?= [^;{}]*));$/gm,
    () => 'void 0',
  ],
];

function mutantsOf(file) {
  const text = readFileSync(file, 'utf8');
  const mutants = [];
  for (const [pattern, replace] of OPERATORS) {
    for (const match of text.matchAll(new RegExp(pattern, `${pattern.flags.replace('d', '')}d`))) {
      const [start, end] = match.indices[1];
      const line = text.slice(0, start).split('\n').length;
      const source = text.split('\n')[line - 1].trim();
      if (/^(?:\*|\/|import |export type|readonly |type |interface )/.test(source) || isText(text, start)) continue;
      const changed =
        replace === OPERATORS.at(-2)[1]
          ? negated(text, start)
          : text.slice(0, start) + replace(match[1]) + text.slice(end);
      if (changed !== null)
        mutants.push({ file, line, source, from: match[1].trim(), to: replace(match[1]).trim(), changed });
    }
  }
  return mutants;
}

/** Whether the place is in a string or comment of its line; a guess is enough. */
function isText(text, at) {
  const before = text.slice(text.lastIndexOf('\n', at) + 1, at);
  return (
    /\/\/|\/\*/.test(before) || (before.split("'").length - 1) % 2 === 1 || (before.split('`').length - 1) % 2 === 1
  );
}

/** `if (…)` with its condition negated, to the bracket that closes it. */
function negated(text, open) {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    if (text[at] === '(') depth += 1;
    if (text[at] === ')' && --depth === 0)
      return `${text.slice(0, open)}(!(${text.slice(open + 1, at)}))${text.slice(at + 1)}`;
  }
  return null;
}

function filesBelow(folder, pattern) {
  if (pattern.test(folder)) return [path.join(ROOT, folder)];
  const entries = readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

/** One bundle of all tests, with one source file changed. */
async function bundle(tests, mutant) {
  await esbuild.build({
    absWorkingDir: ROOT,
    bundle: true,
    define: {
      BABYAGI_VERSION: '"0.0.0"',
      BABYAGI_BUILD: '"00000000"',
      BABYAGI_PRICE_LIST: '"list 0.0.0"',
      __dirname: JSON.stringify(path.join(ROOT, 'dist')),
    },
    format: 'esm',
    logLevel: 'silent',
    outfile: path.join(OUT, 'all.mjs'),
    packages: 'external',
    platform: 'node',
    stdin: { contents: tests.map((file) => `import ${JSON.stringify(file)};`).join('\n'), resolveDir: ROOT },
    plugins: [
      {
        name: 'mutant',
        setup(build) {
          if (mutant)
            build.onLoad({ filter: /\.ts$/ }, ({ path: file }) =>
              file === mutant.file ? { contents: mutant.changed, loader: 'ts' } : undefined,
            );
        },
      },
    ],
  });
}

/** Whether all tests passed; one that does not end has not. The first that fails is enough. */
function passes() {
  return new Promise((resolve) => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn(process.execPath, ['--test-reporter=tap', path.join(OUT, 'all.mjs')], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      if (/^\s*not ok /m.test(output)) child.kill('SIGKILL');
      output = output.slice(output.lastIndexOf('\n') + 1);
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), LONGEST_TEST_MS);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve(code === 0);
    });
  });
}

/** First by the tests of the file's own name, which are the quickest, then by all. Rejects where it cannot be built. */
async function isNoticed(mutant) {
  const own = tests.filter((file) => path.basename(file, '.test.ts') === path.basename(mutant.file, '.ts'));
  for (const some of own.length > 0 ? [own, tests] : [tests]) {
    await bundle(some, mutant);
    if (!(await passes())) return true;
  }
  return false;
}

const [sources, testFolders, limit = '300'] = process.argv.slice(2);
if (sources === undefined || testFolders === undefined)
  throw new Error('Say what to change and which tests to run: npm run test:mutate -- src/budget unit/budget');
process.once('exit', () => rmSync(OUT, { recursive: true, force: true }));
mkdirSync(OUT, { recursive: true });
writeFileSync(path.join(OUT, 'package.json'), '{"type":"module"}');
const tests = testFolders.split(',').flatMap((folder) => filesBelow(path.join('test', folder), /\.test\.ts$/));
await bundle(tests, null);
if (!(await passes())) throw new Error('The tests fail without any change.');

const mutants = filesBelow(sources, /\.ts$/).flatMap(mutantsOf);
for (let at = mutants.length - 1; at > 0; at -= 1) {
  const other = Math.floor(Math.random() * (at + 1));
  [mutants[at], mutants[other]] = [mutants[other], mutants[at]];
}
const deadline = performance.now() + Number(limit) * 1000;
let [killed, survived, broken] = [0, 0, 0];
for (const mutant of mutants) {
  if (performance.now() > deadline) break;
  try {
    if (await isNoticed(mutant)) {
      killed += 1;
      continue;
    }
  } catch {
    broken += 1;
    continue;
  }
  survived += 1;
  const { file, line, from, to, source } = mutant;
  console.log(`survived  ${path.relative(ROOT, file)}:${line}  ${from} → ${to}   ${source.slice(0, 150)}`);
}
const left = mutants.length - killed - survived - broken;
console.log(
  `${mutants.length} changes, ${broken} that cannot be built, ${left} not tried\n${killed} killed, ${survived} survived`,
);
