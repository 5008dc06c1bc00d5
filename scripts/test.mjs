// `npm test` runs everything, `npm test -- unit faults` only the parts named. The last line is `N passed, N failed`.
// A check (types, lint …) counts as one test. A part with tests of its own says how many by the last line of its output
// that reads `N passed, N failed` or `N passed, N failed, N skipped`.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { main, setUp, toolNode } from './setup.mjs';

const MINUTE = 60_000;
const POSIX = process.platform !== 'win32';

/**
 * In the order of their start: first what is long, and the cheap checks beside it. `command` resolves to what is run, or
 * to nothing when there is nothing to test yet. Tests run on the Node at hand, tools on the newer one that they need.
 */
const PARTS = [
  {
    name: 'e2e',
    tests: true,
    minutes: 20,
    command: e2eTests,
    again: (files) => [...NODE_TEST, '--test', '--test-concurrency=1', ...files],
  },
  { name: 'unit', tests: true, command: unitTests },
  { name: 'types', command: () => tool('typescript/bin/tsc', '--noEmit') },
  { name: 'types-webview', command: webviewTypes },
  { name: 'lint', command: () => tool('oxlint/bin/oxlint', '--format=unix') },
  { name: 'layers', command: async () => [await toolNode(), 'scripts/layers.mjs'] },
  { name: 'unused', command: () => tool('knip/bin/knip.js', '--no-progress') },
  { name: 'format', command: () => tool('@biomejs/biome/bin/biome', 'format', '--reporter=summary') },
  { name: 'manifest', command: async () => [process.execPath, 'scripts/manifest.mjs'] },
  { name: 'mutations', command: async () => [process.execPath, 'test/faults/mutations.mjs', '--check'] },
  { name: 'host', tests: true, minutes: 10, command: () => hostTests() },
  { name: 'faults', tests: true, minutes: 10, command: () => testFiles('faults') },
];
const ON_DEMAND = [
  { name: 'electron', tests: true, minutes: 20, command: () => hostTests('--electron') },
  { name: 'faults-long', tests: true, minutes: 240, env: { FAULTS_LONG: '1' }, command: () => testFiles('faults') },
];

const NODE_TEST = [
  process.execPath,
  '--enable-source-maps',
  '--disable-warning=ExperimentalWarning',
  '--test-reporter=./scripts/test-reporter.mjs',
];

async function unitTests() {
  const files = await buildTests('unit');
  return files.length > 0 && [...NODE_TEST, 'out/unit/all.mjs'];
}

async function testFiles(kind, ...options) {
  const files = await buildTests(kind);
  return files.length > 0 && [...NODE_TEST, '--test', ...options, ...files];
}

async function e2eTests() {
  // Once for all files, each of which installs it.
  const { output, problem } = await run(process.execPath, ['scripts/package.mjs'], undefined, 2 * MINUTE);
  const [, file] = /^(out\/\S+\.vsix): /m.exec(output) ?? [];
  if (problem !== undefined || file === undefined) throw new Error(`${output}\n${problem ?? ''}`);
  process.env.TEST_VSIX = path.resolve(file);
  return testFiles('e2e', '--test-concurrency=1');
}

async function hostTests(...options) {
  await buildTests('support');
  return existsSync('test/host/index.ts') && [process.execPath, 'scripts/host-tests.mjs', ...options];
}

async function webviewTypes() {
  return existsSync('src/webview/main.ts') && tool('typescript/bin/tsc', '--noEmit', '--project', 'src/webview');
}

async function buildTests(kind) {
  const esbuild = await import('../esbuild.mjs');
  return esbuild.buildTests(kind);
}

async function tool(file, ...args) {
  return [await toolNode(), `node_modules/${file}`, ...args];
}

const running = new Set();

/** Runs one part and prints what it said. Never rejects. */
async function runPart({ name, tests = false, minutes = 5, env, command, again }) {
  const started = performance.now();
  const result = { name, passed: 0, failed: 0, skipped: 0, output: '' };
  try {
    const [program, ...args] = (await command()) || [];
    if (program === undefined) result.output = 'There is nothing to test yet.';
    else Object.assign(result, judge(tests, await run(program, args, env, minutes * MINUTE)));
    if (again && result.failed > 0) await runAgain(result, again, minutes * MINUTE);
  } catch (error) {
    Object.assign(result, { failed: 1, output: error.message });
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
  result.title = `── ${name}: ${result.passed} passed, ${result.failed} failed${skipped} (${seconds} s)`;
  console.log([result.title, result.output].filter(Boolean).join('\n'));
  return result;
}

/**
 * A click may be lost in a window on a busy machine. The files of tests that failed run once more: what fails again has
 * failed; what passes then is named as unsteady, with how it failed, so that it is mended.
 */
async function runAgain(result, again, timeoutMs) {
  const tests = [...result.output.matchAll(/^✖ (.+) \((test\/\S+)\.ts\)$/gm)];
  if (tests.length !== result.failed) return;
  const files = [...new Set(tests.map(([, , file]) => `${file.replace(/^test/, 'out')}.mjs`))];
  const [program, ...args] = again(files);
  const second = judge(true, await run(program, args, undefined, timeoutMs));
  if (second.failed > 0) {
    result.output += `\n── and once more:\n${second.output}`;
    return;
  }
  result.output += tests.map(([, title]) => `\nunsteady, passed when run once more: ${title}`).join('');
  Object.assign(result, { passed: result.passed + result.failed, failed: 0 });
}

/** Resolves when the process has ended, to all its output and why it counts as failed, if it does. */
function run(program, args, env, timeoutMs) {
  return new Promise((resolve) => {
    // A process group of its own, so that what a part has started ends with it.
    const child = spawn(program, args, {
      detached: POSIX,
      env: { ...process.env, NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let timedOut = false;
    const collect = (chunk) => {
      output += chunk;
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    running.add(child);
    const timer = setTimeout(() => {
      timedOut = true;
      stop(child);
      setTimeout(stop, 5_000, child, 'SIGKILL').unref();
    }, timeoutMs);
    child.on('error', (error) => resolve({ output, problem: `It did not start: ${error.message}` }));
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      const ended = code === 0 ? undefined : `It ended with ${signal ?? `exit code ${code}`}.`;
      resolve({ output, problem: timedOut ? `It was stopped after ${timeoutMs / MINUTE} minutes.` : ended });
    });
  });
}

/** A process that failed has a failed test, whatever it says of itself; a part that tested nothing has failed. */
function judge(tests, { output, problem }) {
  const figures = [...output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)].at(-1) ?? [];
  let [passed = 0, failed = 0, skipped = 0] = figures.slice(1).map((figure) => Number(figure ?? 0));
  if (!tests) [passed, failed, skipped] = [problem ? 0 : 1, 0, 0];
  const complaint = problem ?? (passed + failed === 0 ? 'No test was run.' : '');
  if (complaint && failed === 0) failed = 1;
  return { passed, failed, skipped, output: `${output.trimEnd()}\n${complaint}`.trim() };
}

function stop(child, signal = 'SIGTERM') {
  try {
    process.kill(POSIX ? -child.pid : child.pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

async function test(names) {
  const unknown = names.filter((name) => ![...PARTS, ...ON_DEMAND].some((part) => part.name === name));
  const known = [...PARTS, ...ON_DEMAND].map((part) => part.name).join(', ');
  if (unknown.length > 0) throw new Error(`There is no part ${unknown.join(', ')}. The parts are: ${known}.`);
  await setUp();
  useTemporaryFolder();

  const queue = names.length > 0 ? [...PARTS, ...ON_DEMAND].filter((part) => names.includes(part.name)) : [...PARTS];
  const results = [];
  const lane = async () => {
    for (let part = queue.shift(); part !== undefined; part = queue.shift()) results.push(await runPart(part));
  };
  await Promise.all(Array.from({ length: Math.min(Math.max(availableParallelism(), 2), 4) }, lane));

  const failures = results.length > 1 ? results.filter((result) => result.failed > 0) : [];
  if (failures.length > 0) console.log(`\nFailed: ${failures.map((result) => result.name).join(', ')}`);
  for (const { title, output } of failures) console.log(`${title}\n${output}`);
  const sum = (figure) => results.reduce((total, result) => total + result[figure], 0);
  if (sum('failed') > 0) process.exitCode = 1;
  console.log(`\n${sum('passed')} passed, ${sum('failed')} failed`);
}

/** What the tests leave behind, killed processes above all, goes with the folder. */
function useTemporaryFolder() {
  const folder = mkdtempSync(path.join(tmpdir(), 'babyagi-tests-'));
  for (const name of ['TMPDIR', 'TEMP', 'TMP']) process.env[name] = folder;
  process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const child of running) stop(child);
    process.exit(1);
  });
}

await main(() => test(process.argv.slice(2)));
