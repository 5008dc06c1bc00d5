// Makes a fresh clone ready to run: packages as the lock file says, then dist/. Needs nothing but Node and npm.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ensureNode24 } from './vscode-host.mjs';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const LOCK = path.join(ROOT, 'out', 'setup.lock');

/** Installs what is missing, builds dist/ and makes the root the working directory. Rejects with one clear sentence. */
export async function setUp() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 15)) {
    throw new Error(`Node 20.15 or newer is needed; this is Node ${process.versions.node}.`);
  }
  process.chdir(ROOT);
  await waitForLock();
  try {
    if (!packagesAreInstalled()) installPackages();
    const started = performance.now();
    const { build } = await import('../esbuild.mjs');
    await build();
    console.log(`Built dist/ in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
  } finally {
    rmSync(LOCK, { force: true });
  }
}

/** The Node for development tools: dependency-cruiser and vsce need 22, oxlint and knip a newer 20 than the product. */
export function toolNode() {
  const isNewEnough = Number(process.versions.node.split('.')[0]) >= 22;
  return isNewEnough ? Promise.resolve(process.execPath) : ensureNode24();
}

/** Runs a script's main function; a failure is told in one line and as exit code 1. */
export async function main(run) {
  try {
    await run();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}

/** npm keeps a copy of the lock file beside what it installed; only an optional package may be missing from it. */
function packagesAreInstalled() {
  const wanted = readPackages('package-lock.json');
  const installed = readPackages('node_modules/.package-lock.json');
  return Object.entries(wanted).every(
    ([folder, { version, optional }]) =>
      folder === '' || installed[folder]?.version === version || (optional && !installed[folder]),
  );
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return {};
  }
}

function installPackages() {
  console.log('Installing packages (npm ci) …');
  // Under `npm run`, npm names its own entry file; that avoids the shell that npm.cmd needs on Windows.
  const entry = process.env.npm_execpath;
  const [command, ...first] = entry?.endsWith('.js') ? [process.execPath, entry] : ['npm'];
  const args = [...first, 'ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const shell = command === 'npm' && process.platform === 'win32';
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', shell });
  if (status !== 0) throw new Error(`npm ci failed: ${error?.message ?? `${stdout}${stderr}`.trim()}`);
}

/** Two set-ups in one checkout take turns. The lock of a process that is gone is taken over. */
async function waitForLock() {
  mkdirSync(path.dirname(LOCK), { recursive: true });
  for (;;) {
    try {
      return writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (ownerIsGone()) rmSync(LOCK, { force: true });
    await delay(100);
  }
}

function ownerIsGone() {
  try {
    process.kill(Number(readFileSync(LOCK, 'utf8') || process.pid), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(setUp);
