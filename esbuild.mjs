// Bundles src/ into dist/ and test/ into out/. `node esbuild.mjs [--dev]` builds dist/.
//
// What several bundles of dist/ use lies in shared chunks, so that a class exists once and `instanceof` holds between
// bundles; what is reached only by `import()` is read on first use. esbuild splits ES modules only, and CommonJS is what
// VS Code loads: each file is split as ES module first and then turned into CommonJS by itself.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { runInNewContext } from 'node:vm';
import * as esbuild from 'esbuild';
import { compileSchemas } from './scripts/compile-schema.mjs';

const ROOT = path.dirname(fileURLToPath(import.meta.url));
const DIST = path.join(ROOT, 'dist');
const MODULES = path.join(ROOT, 'node_modules');
const { version } = readJson(path.join(ROOT, 'package.json'));
const PRICES = readJson(path.join(MODULES, '@pydantic', 'genai-prices', 'package.json'));

const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  define: {
    BABYAGI_VERSION: JSON.stringify(version),
    BABYAGI_BUILD: JSON.stringify(digestOf(['package-lock.json', ...filesBelow('src')])),
    BABYAGI_PRICE_LIST: JSON.stringify(`${PRICES.name} ${PRICES.version}`),
  },
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  write: false,
};

/** What both a worker and the program reach by `import()`: it needs nothing of ours, so each may read the same file. */
const ALONE = ['src/notify/mailer.ts'];

const alone = {
  name: 'alone',
  setup({ onResolve }) {
    onResolve({ filter: /^\.{1,2}\// }, ({ kind, path: file, resolveDir }) => {
      const source = path.relative(ROOT, path.join(resolveDir, file)).replaceAll(path.sep, '/');
      if (kind !== 'dynamic-import' || !ALONE.includes(source)) return undefined;
      return { path: `./${bundleName(source)}.js`, external: true };
    });
  },
};

/**
 * Builds dist/: a bundle for extension.ts, cli.ts, each `*.worker.ts` and each module reached by `import()`, named after
 * its source; the script of the webview; the token ranks; packages.json, `[{name, version}]` of what is bundled, and the
 * licences of those. Entries that do not exist are left out. Rejects on a build error and on two bundles of one name.
 */
export async function build({ dev = false } = {}) {
  const sources = filesBelow('src');
  const entries = sources.filter((file) => /^src\/(extension|cli)\.ts$/.test(file));
  const workers = sources.filter((file) => file.endsWith('.worker.ts'));
  const results = [await buildNode(entries, dev), await buildAlone([...workers, ...ALONE], dev)];
  if (sources.includes('src/webview/main.ts')) results.push(await buildWebview(dev));
  results.push(await buildRanks());

  const files = new Map(results.flatMap((result) => [...result.files]));
  const packages = describePackages(results.flatMap((result) => result.packages));
  files.set('packages.json', `${JSON.stringify(packages.map(({ name, version }) => ({ name, version })))}\n`);
  files.set('third-party-licenses.txt', packages.map((each) => each.license).join('\n'));
  replaceFolder(DIST, files);
}

async function buildNode(entries, dev) {
  // Identifiers stay: names and stack traces in a user's report can be read, for 2 % of the size of the VSIX.
  const size = { minifySyntax: !dev, minifyWhitespace: !dev, sourcemap: dev && 'inline', target: 'node20' };
  const options = {
    ...COMMON,
    ...size,
    // zod looks for a browser, and the getter of Node's own `navigator` warns in VS Code.
    define: { ...COMMON.define, navigator: 'undefined' },
    chunkNames: 'chunk-[hash]',
    external: ['vscode'],
    format: 'esm',
    outdir: DIST,
    platform: 'node',
    plugins: [alone, priceData, exactChecks],
    splitting: true,
  };
  const draft = await esbuild.build({ ...options, entryPoints: entries, logLevel: 'silent' });
  const entryPoints = new Map(entries.map((file) => [bundleName(file), file]));
  for (const { kind, path: file } of Object.values(draft.metafile.inputs).flatMap((input) => input.imports)) {
    if (kind !== 'dynamic-import' || !file.startsWith('src/')) continue;
    const other = entryPoints.get(bundleName(file)) ?? file;
    if (other !== file)
      throw new Error(`${other} and ${file} would both become dist/${bundleName(file)}.js; rename one.`);
    entryPoints.set(bundleName(file), file);
  }
  const { outputFiles, metafile } = await esbuild.build({ ...options, entryPoints: Object.fromEntries(entryPoints) });
  const toCommonJs = {
    ...size,
    format: 'cjs',
    // `import.meta` is empty in CommonJS; code that reads it must not get as far as a user.
    logOverride: { 'empty-import-meta': 'error' },
    platform: 'node',
    supported: { 'dynamic-import': false },
  };
  const files = await Promise.all(
    outputFiles.map(async (file) => {
      const sourcefile = path.basename(file.path);
      const { code } = await esbuild.transform(file.text, { ...toCommonJs, sourcefile });
      return [sourcefile, code.replaceAll('__toESM(require("vscode"))', 'require("vscode")')];
    }),
  );
  const exportsOf = new Map(
    Object.entries(metafile.outputs).map(([file, { exports }]) => [path.basename(file), exports]),
  );
  const terminal = [...entryPoints]
    .filter(([, file]) => /^src\/(cli\.ts|terminal\/)/.test(file))
    .map(([name]) => `${name}.js`);
  return { files: pack(new Map(files), exportsOf, terminal), packages: packagesIn(metafile) };
}

/**
 * Opening many small files is most of the time that a start takes: each of these bundles becomes one file together with the
 * chunks that it needs at once, of functions that run when what they define is first asked for. A chunk that several need
 * lies with the first of them.
 */
const PACKS = ['extension.js', 'start.js', 'cli.js'];

function pack(files, exportsOf, terminal) {
  const packOf = new Map();
  // Who runs in VS Code does not read the terminal program: what both need lies with the engine.
  const others = [...files.keys()].filter((name) => !terminal.includes(name) && !name.startsWith('chunk-'));
  const shared = new Set(others.flatMap((name) => [...chunksBelow(files, name)]));
  for (const bundle of PACKS) {
    for (const chunk of chunksBelow(files, bundle)) {
      if (!packOf.has(chunk)) packOf.set(chunk, bundle === 'cli.js' && shared.has(chunk) ? 'start.js' : bundle);
    }
    packOf.set(bundle, bundle);
  }
  const packed = new Map();
  const helpers = [...files.values()]
    .map((text) => HELPERS.exec(text)?.[0] ?? '')
    .sort((a, b) => b.length - a.length)[0];
  const numbers = new Map([...files.keys()].map((name, index) => [name, index.toString(36)]));
  for (const [name, text] of files) {
    const inside = packOf.get(name);
    const code = text.replaceAll(CHUNK, (whole, chunk) => {
      const where = packOf.get(chunk);
      const lookup = where === inside ? 'chunk' : `require("./${where}").chunk`;
      return where === undefined ? whole : `${lookup}(${JSON.stringify(chunk)})`;
    });
    if (inside === undefined) packed.set(name, code);
    else {
      const short = code
        .replace(HELPERS, '')
        .replaceAll(/import_chunk_([A-Z0-9]{8})/g, (_, hash) => `c_${numbers.get(`chunk-${hash}.js`)}`)
        // Only packed code reads it, by name.
        .replaceAll(/var (chunk_[A-Z0-9]{8}_exports)=\{\};__export\(\1,/g, '__export(exports,')
        .replaceAll(/module\.exports=__toCommonJS\(chunk_[A-Z0-9]{8}_exports\);/g, '')
        .replaceAll('import_node_', 'n_');
      packed.set(inside, `${packed.get(inside) ?? ''}${JSON.stringify(name)}(module,exports){${short}\n},\n`);
    }
  }
  for (const bundle of PACKS) {
    const names = JSON.stringify(exportsOf.get(bundle));
    const start = `chunk(${JSON.stringify(bundle)})`;
    packed.set(
      bundle,
      `${helpers}const made=new Map,chunks={${packed.get(bundle)}};function chunk(name){let module=made.get(name);` +
        'if(module===undefined){module={exports:{}};made.set(name,module);chunks[name](module,module.exports)}return module.exports}' +
        `module.exports={__esModule:!0,chunk};for(const name of ${names})` +
        `Object.defineProperty(module.exports,name,{enumerable:!0,get:()=>${start}[name]});` +
        // What exports nothing is run for what it does.
        (names === '[]' ? start : ''),
    );
  }
  return packed;
}

/** Every chunk begins with helpers of the bundler, of which the longest beginning has all: a pack needs that once. */
const HELPERS = /^(?:var __(?:(?!_exports=\{\}).)*;)(?=var \w+_exports=\{\};)/s;

const CHUNK = /require\("\.\/(chunk-\w+\.js)"\)/g;

/** The chunks that a bundle needs at once, without those that it reads later by `import()`. */
function chunksBelow(files, name, found = new Set()) {
  for (const [, chunk] of files.get(name).matchAll(CHUNK)) {
    if (!found.has(chunk)) chunksBelow(files, chunk, found.add(chunk));
  }
  return found;
}

/** A thread shares no class with another: each worker is one small file of its own, and so is what several threads reach. */
async function buildAlone(entryPoints, dev) {
  const { outputFiles, metafile } = await esbuild.build({
    ...COMMON,
    entryPoints,
    format: 'cjs',
    minifySyntax: !dev,
    minifyWhitespace: !dev,
    outdir: DIST,
    platform: 'node',
    plugins: [alone],
    sourcemap: dev && 'inline',
    supported: { 'dynamic-import': false },
    target: 'node20',
  });
  return {
    files: outputFiles.map((file) => [path.basename(file.path), file.text]),
    packages: packagesIn(metafile),
  };
}

async function buildWebview(dev) {
  const { outputFiles, metafile } = await esbuild.build({
    ...COMMON,
    entryPoints: { webview: 'src/webview/main.ts' },
    format: 'iife',
    minify: !dev,
    outdir: DIST,
    platform: 'browser',
    sourcemap: dev && 'inline',
    target: 'es2022',
  });
  return {
    files: outputFiles.map((file) => [path.basename(file.path), file.contents]),
    packages: packagesIn(metafile),
  };
}

/** The ranks take a second to make and change only with their package or their format: what dist/ has is used again. */
async function buildRanks() {
  const generator = path.join(ROOT, 'scripts', 'build-ranks.mjs');
  const source = path.join(MODULES, 'js-tiktoken');
  if (!existsSync(generator)) return { files: [], packages: [] };
  const newest = Math.max(...[generator, path.join(source, 'package.json')].map((file) => statSync(file).mtimeMs));
  const names = existsSync(DIST) ? readdirSync(DIST).filter((name) => name.endsWith('.ranks')) : [];
  let paths = names.map((name) => path.join(DIST, name));
  if (paths.length === 0 || paths.some((file) => statSync(file).mtimeMs < newest)) {
    const module = await import('./scripts/build-ranks.mjs');
    paths = await module.buildRanks(path.join(ROOT, 'out', 'ranks'));
  }
  return { files: paths.map((file) => [path.basename(file), readFileSync(file)]), packages: [source] };
}

/**
 * Prices come as one literal of 800 KB, of which a run needs the models of one provider: each provider's are a string of
 * JSON that is parsed when they are asked for (31 → 5 ms), and how to read usage out of replies is left out. If the data
 * is not where it was, the package is bundled as it is.
 */
const priceData = {
  name: 'price-data',
  setup({ onLoad }) {
    onLoad({ filter: /genai-prices[\\/]dist[\\/]index\.js$/ }, ({ path: file }) => {
      const text = readFileSync(file, 'utf8');
      const [statement, name, literal] = /^const (\w+) = (\[\n[^]*?\n\])/.exec(text) ?? [];
      if (statement === undefined) return undefined;
      const data = structuredClone(runInNewContext(literal));
      const providers = data.map(({ models: _models, extractors: _extractors, ...provider }) => provider);
      const models = data.map((provider) => JSON.stringify(provider.models));
      if (
        !isDeepStrictEqual(
          models.map((json) => JSON.parse(json)),
          data.map((provider) => provider.models),
        )
      )
        return undefined;
      const lazy = `const modelsOfProviders = ${JSON.stringify(models)};
const ${name} = ${JSON.stringify(providers)}.map((provider, index) => Object.defineProperty(provider, 'models', {
  configurable: true,
  get() {
    const value = JSON.parse(modelsOfProviders[index]);
    Object.defineProperty(provider, 'models', { value });
    return value;
  },
}))`;
      return { contents: `${lazy}${text.slice(statement.length)}` };
    });
  },
};

/** In place of src/run/exact.ts: functions that check the same without the schemas, and many times faster. */
export const exactChecks = {
  name: 'exact-checks',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]run[\\/]exact\.ts$/ }, async () => {
      const { RunConfig, RunEvent, toJSONSchema } = await schemasOfRuns();
      return {
        contents: compileSchemas({ isExactEvent: toJSONSchema(RunEvent), isExactConfig: toJSONSchema(RunConfig) }),
      };
    });
  },
};

async function schemasOfRuns() {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: ROOT,
    bundle: true,
    format: 'esm',
    platform: 'node',
    stdin: {
      contents:
        "export { RunConfig } from './config.ts'; export { RunEvent } from './events.ts'; export { toJSONSchema } from 'zod'",
      resolveDir: path.join(ROOT, 'src', 'run'),
    },
    write: false,
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}

/** The folders of the packages that have code in the output. */
function packagesIn(metafile) {
  return Object.values(metafile.outputs)
    .flatMap((output) => Object.entries(output.inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .flatMap(([file]) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [])
    .map((folder) => path.join(ROOT, folder));
}

function describePackages(folders) {
  const packages = new Map();
  for (const folder of folders) {
    const { name, version, license } = readJson(path.join(folder, 'package.json'));
    const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
    const text = file ? readFileSync(path.join(folder, file), 'utf8') : `License: ${license}`;
    packages.set(`${name} ${version}`, { name, version, license: `${name} ${version}\n\n${text.trim()}\n` });
  }
  return [...packages.keys()].sort().map((key) => packages.get(key));
}

/**
 * Bundles the tests of test/<kind>/ into out/<kind>/ and returns their paths. Entries are `*.test.ts`, every file of
 * test/bench/, and what is started as a process: `*-main.ts` and run-host-tests.ts. In a bundle `__dirname` is dist/, as in the
 * product. test/host/ is bundled by test/support/run-host-tests.ts.
 */
export async function buildTests(kind) {
  const isEntry = kind === 'bench' ? /\.ts$/ : /(\.test|-main|\/run-host-tests)\.ts$/;
  const outdir = path.join(ROOT, 'out', kind);
  const { outputFiles } = await esbuild.build({
    ...COMMON,
    chunkNames: 'chunk-[hash]',
    define: { ...COMMON.define, __dirname: JSON.stringify(DIST) },
    entryPoints: filesBelow(`test/${kind}`).filter((file) => isEntry.test(file)),
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    outbase: `test/${kind}`,
    outdir,
    packages: 'external',
    platform: 'node',
    plugins: [exactChecks],
    sourcemap: 'linked',
    splitting: true,
    target: 'node20',
  });
  const outputs = new Map(outputFiles.map((file) => [path.relative(outdir, file.path), file.contents]));
  const isTest = kind === 'bench' ? /^(?!.*chunk-).*\.mjs$/ : /\.test\.mjs$/;
  const tests = [...outputs.keys()].filter((file) => isTest.test(file)).sort();
  if (kind === 'unit') outputs.set('all.mjs', importAll(tests));
  replaceFolder(outdir, outputs);
  return tests.map((file) => path.join(outdir, file));
}

/** One process for all files is many times faster than one for each; a file that cannot be loaded is a failed test. */
function importAll(tests) {
  const urls = tests.map((file) => `./${file.replaceAll(path.sep, '/')}`);
  return `import { it } from 'node:test';
for (const url of ${JSON.stringify(urls, null, 2)}) {
  await import(url).catch((error) => it(\`load \${url}\`, () => Promise.reject(error)));
}
`;
}

/** The same for the same sources, on every machine. */
function digestOf(files) {
  const hash = createHash('sha256');
  for (const file of files)
    hash.update(`${file}\n${readFileSync(path.join(ROOT, file), 'utf8').replaceAll('\r\n', '\n')}\n`);
  return hash.digest('hex').slice(0, 8);
}

/** Paths below a folder, relative to the root, with `/`; none if there is no such folder. */
function filesBelow(folder) {
  const absolute = path.join(ROOT, folder);
  if (!existsSync(absolute)) return [];
  const names = readdirSync(absolute, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return names
    .map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
    .sort();
}

/** Makes the folder hold exactly these files. Each is replaced whole: another process may be reading the old one. */
function replaceFolder(folder, files) {
  for (const [name, contents] of files) {
    const file = path.join(folder, name);
    if (existsSync(file) && readFileSync(file).equals(Buffer.from(contents))) continue;
    mkdirSync(path.dirname(file), { recursive: true });
    const staged = `${file}.${process.pid}.tmp`;
    writeFileSync(staged, contents);
    renameSync(staged, file);
  }
  for (const file of filesBelow(path.relative(ROOT, folder))) {
    const absolute = path.join(ROOT, file);
    if (!files.has(path.relative(folder, absolute)) && !file.endsWith('.tmp')) rmSync(absolute);
  }
}

function bundleName(file) {
  return path.basename(file, '.ts');
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build({ dev: process.argv.includes('--dev') });
