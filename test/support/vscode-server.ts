import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureHost } from '../../scripts/vscode-host.mjs';
import { listProcesses } from './processes.ts';
import { FOLLOW_SYSTEM_THEME } from './theme.ts';

/** Settings that keep the window quiet and offline; `userSettings` of a test go on top. */
const CALM_SETTINGS = {
  'chat.disableAIFeatures': true,
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': 'off',
  'extensions.ignoreRecommendations': true,
  'git.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'window.confirmBeforeClose': 'never',
  'workbench.enableExperiments': false,
  'workbench.reduceMotion': 'on',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  ...FOLLOW_SYSTEM_THEME,
};

/** Names the server's processes in their environment, so that detached children are found too. */
const MARKER = 'VSCODE_TEST_SERVER';

const START_TIMEOUT_MS = 60_000;

export interface VscodeServerOptions {
  /** Absolute path of the folder (or `.code-workspace` file) to open. */
  readonly workspace: string;
  /** Absolute path of this server's own data: settings, installed extensions, storage. Kept on `close`. */
  readonly dataDir: string;
  readonly userSettings?: Readonly<Record<string, unknown>>;
  /** Absolute paths of VSIX files to install before the start. */
  readonly extensions?: readonly string[];
  /**
   * Absolute path of an extension folder to load as it is, for tests inside the host. VS Code is then under its
   * smoke-test driver: it shows no notifications and does not start a killed extension host again.
   */
  readonly developmentPath?: string;
  /** Absolute path of a module that exports `run(): Promise<void>`; runs in the extension host, which then exits. */
  readonly testsPath?: string;
  /** `true` opens the folder in Restricted Mode, as a user sees an unknown folder. */
  readonly workspaceTrust?: boolean;
  /** Added to the environment of the server and so of the extension host. */
  readonly env?: Readonly<Record<string, string>>;
  /** 0, the default, takes a free port. */
  readonly port?: number;
}

export interface VscodeServer {
  /** Opens `workspace`, with the extension under development and the tests if there are any. */
  readonly url: string;
  /** All that the server and its children wrote to stdout and stderr. */
  logs(): string;
  /** Process ids of the live extension hosts: one for each open page, and hung ones of pages that are gone. */
  extensionHostPids(): number[];
  /** The user settings as they are on disk. */
  userSettings(): Record<string, unknown>;
  /** Changes user settings on disk: seen by windows that are opened or reloaded from now on. */
  updateUserSettings(settings: Readonly<Record<string, unknown>>): void;
  /** Kills the server and every process below it, detached ones included. */
  close(): Promise<void>;
}

/** Starts a real VS Code server and waits until it listens. Rejects with its output when it does not start. */
export async function startVscodeServer(options: VscodeServerOptions): Promise<VscodeServer> {
  const { node, server } = await ensureHost();
  const marker = randomUUID();
  // Without a gallery the server does not look for one on the network.
  const env = { ...inheritedEnvironment(), EXTENSIONS_GALLERY: '{}', ...options.env, [MARKER]: marker };
  const dataDir = ['--server-data-dir', options.dataDir];
  const settings = settingsFile(path.join(options.dataDir, 'data', 'User', 'settings.json'));
  const trust = { 'security.workspace.trust.enabled': options.workspaceTrust ?? false };
  settings.write({ ...CALM_SETTINGS, ...trust, ...options.userSettings });
  for (const vsix of options.extensions ?? []) {
    const install = [server, ...dataDir, '--install-extension', vsix, '--force'];
    const result = spawnSync(node, install, { env, encoding: 'utf8' });
    if (result.status !== 0 || !/successfully installed/.test(result.stdout)) {
      throw new Error(`VS Code could not install ${vsix}: ${result.stdout}${result.stderr}`);
    }
  }
  const develops = options.developmentPath !== undefined || options.testsPath !== undefined;
  const args = [
    ...[server, '--host', '127.0.0.1', '--port', String(options.port ?? 0)],
    ...['--without-connection-token', '--accept-server-license-terms', '--telemetry-level', 'off', ...dataDir],
    // A built VS Code ignores extensionDevelopmentPath, silently, unless it is under its smoke-test driver.
    ...(develops ? ['--enable-smoke-test-driver'] : []),
  ];
  const guardian = spawn(node, ['-e', GUARDIAN, marker, ...args], { env, detached: true, stdio: 'pipe' });
  const exited = new Promise<void>((resolve) => guardian.on('exit', () => resolve()));
  let output = '';
  const collect = (chunk: Buffer) => {
    output += chunk.toString('utf8');
  };
  guardian.stdout.on('data', collect);
  guardian.stderr.on('data', collect);
  const close = async () => {
    guardian.stdin.end();
    await exited;
  };
  const port = await listeningPort(() => output, exited);
  if (port === undefined) {
    await close();
    throw new Error(`The VS Code server did not start: ${output}`);
  }
  return {
    url: pageUrl(port, options),
    logs: () => output,
    extensionHostPids: () =>
      listProcesses()
        .filter((entry) => entry.group === guardian.pid && entry.command.includes('--type=extensionHost'))
        .map((entry) => entry.pid),
    userSettings: settings.read,
    updateUserSettings: (changes) => settings.write({ ...settings.read(), ...changes }),
    close,
  };
}

/**
 * Parent of the server and leader of its process group. When its stdin closes, by `close` or because the test
 * process died in whatever way, it kills all that carry the marker, and the group.
 */
const GUARDIAN = `
const { spawn } = require('node:child_process');
const { existsSync, readdirSync, readFileSync } = require('node:fs');
const [marker, ...args] = process.argv.slice(1);
const server = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
const marked = (pid) => {
  try { return readFileSync('/proc/' + pid + '/environ', 'latin1').includes(marker); } catch { return false; }
};
const end = () => {
  server.kill('SIGKILL');
  const pids = existsSync('/proc/self/environ') ? readdirSync('/proc').filter((name) => /^\\d+$/.test(name)) : [];
  for (const pid of pids.map(Number)) {
    if (pid !== process.pid && marked(pid)) try { process.kill(pid, 'SIGKILL'); } catch {}
  }
  if (process.platform === 'win32') process.exit();
  process.kill(0, 'SIGKILL');
};
process.stdin.on('end', end).on('error', end).resume();
server.on('exit', end);
`;

function settingsFile(file: string) {
  return {
    read: () => JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>,
    write: (settings: Readonly<Record<string, unknown>>) => {
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, `${JSON.stringify(settings, null, 2)}\n`);
    },
  };
}

/** The variables of a surrounding VS Code or test runner would change how the server and its children behave. */
function inheritedEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(VSCODE_|ELECTRON_|NODE_OPTIONS$|NODE_TEST_CONTEXT$|NODE_V8_COVERAGE$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

async function listeningPort(output: () => string, exited: Promise<void>): Promise<number | undefined> {
  let dead = false;
  void exited.then(() => {
    dead = true;
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!dead && Date.now() < deadline) {
    const match = /Extension host agent listening on (\d+)/.exec(output());
    if (match?.[1] !== undefined) return Number(match[1]);
    await delay(25);
  }
  return undefined;
}

function pageUrl(port: number, options: VscodeServerOptions): string {
  const remote = (file: string) => `vscode-remote://127.0.0.1:${port}${file}`;
  const payload: [string, string][] = [];
  if (options.developmentPath) payload.push(['extensionDevelopmentPath', remote(options.developmentPath)]);
  if (options.testsPath) payload.push(['extensionTestsPath', remote(options.testsPath)]);
  const query = new URLSearchParams();
  query.set(options.workspace.endsWith('.code-workspace') ? 'workspace' : 'folder', options.workspace);
  if (payload.length > 0) query.set('payload', JSON.stringify([...payload, ['skipWelcome', 'true']]));
  return `http://127.0.0.1:${port}/?${query.toString().replaceAll('+', '%20')}`;
}
