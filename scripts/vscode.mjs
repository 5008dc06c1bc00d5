// npm run vscode [-- <folder>]: the extension from this checkout in VS Code. Uses the `code` on the PATH, and where there
// is none a VS Code server from the npm registry, to be opened in a browser. The extension must be built.
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder, ensureHost } from './vscode-host.mjs';

/** A range, so that a second window finds a port; a usual one, so that the browser finds its stored state again. */
const PORTS = '8420-8439';

const FIRST_SETTINGS = {
  'chat.disableAIFeatures': true,
  'extensions.autoUpdate': 'off',
  'telemetry.telemetryLevel': 'off',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'none',
};

const checkout = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '');
const folder = path.resolve(process.argv[2] ?? '.');
const shell = process.platform === 'win32';

try {
  requireFolders();
  if (spawnSync('code', ['--version'], { shell, stdio: 'ignore' }).status === 0) openDesktop();
  else await serve();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

function requireFolders() {
  if (!existsSync(folder)) throw new Error(`There is no folder ${folder}.`);
  if (!existsSync(path.join(checkout, 'dist', 'extension.js'))) {
    throw new Error('The extension is not built: dist/extension.js is missing. Run `npm run build` first.');
  }
}

function openDesktop() {
  const args = [`--extensionDevelopmentPath=${checkout}`, folder];
  const child = spawn('code', shell ? args.map((arg) => `"${arg}"`) : args, { shell, stdio: 'inherit' });
  child.on('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}

async function serve() {
  const { node, server } = await ensureHost();
  const dataDir = path.join(cacheFolder(), 'data');
  const settings = path.join(dataDir, 'data', 'User', 'settings.json');
  if (!existsSync(settings)) writeJson(settings, FIRST_SETTINGS);
  registerExtension(path.join(dataDir, 'extensions', 'extensions.json'));
  const token = randomBytes(16).toString('hex');
  const args = [
    ...[server, '--host', '127.0.0.1', '--port', PORTS, '--connection-token', token],
    ...['--accept-server-license-terms', '--telemetry-level', 'off', '--server-data-dir', dataDir],
  ];
  const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let url;
  const read = (chunk) => {
    if (url !== undefined) return;
    output += chunk;
    const port = /Extension host agent listening on (\d+)/.exec(output)?.[1];
    if (port === undefined) return;
    url = pageUrl(port, token);
    console.log(`VS Code with the extension, until you press Ctrl+C:\n\n  ${url}\n`);
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  child.on('exit', () => {
    if (url !== undefined) return;
    console.error(`VS Code did not start: ${output}`);
    process.exitCode = 1;
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill());
}

/**
 * Lists the checkout itself as an installed extension: a reload of the window takes a new build. (A server ignores
 * `extensionDevelopmentPath` unless it is under its smoke-test driver, and there it shows no notifications.)
 */
function registerExtension(registry) {
  const { publisher, name, version } = JSON.parse(readFileSync(path.join(checkout, 'package.json'), 'utf8'));
  const installed = existsSync(registry) ? JSON.parse(readFileSync(registry, 'utf8')) : [];
  const id = `${publisher}.${name}`;
  const entry = { identifier: { id }, version, location: { $mid: 1, scheme: 'file', path: asUrlPath(checkout) } };
  writeJson(registry, [...installed.filter((other) => other.identifier?.id !== id), entry]);
}

function writeJson(file, value) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

function pageUrl(port, token) {
  const query = new URLSearchParams({ tkn: token, folder: asUrlPath(folder) });
  return `http://127.0.0.1:${port}/?${query.toString().replaceAll('+', '%20')}`;
}

/** `C:\a b` is `/C:/a b` in a URL. */
function asUrlPath(file) {
  const slashes = file.replaceAll('\\', '/');
  return slashes.startsWith('/') ? slashes : `/${slashes}`;
}
