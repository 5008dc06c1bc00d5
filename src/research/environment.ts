import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import type { RunConfig } from '../run/config.ts';

/** What a run was made with, for the config snapshot. */
export async function environmentSnapshot(options: {
  distDirectory: string;
  extensionVersion: string;
  vscodeVersion: string | null;
  workspace: string | null;
}): Promise<RunConfig['environment']> {
  const [packages, git] = await Promise.all([bundledPackages(options.distDirectory), gitState(options.workspace)]);
  return {
    extension_version: options.extensionVersion,
    vscode_version: options.vscodeVersion,
    node_version: process.version,
    platform: `${process.platform} ${release()} ${process.arch}`,
    packages,
    git,
  };
}

/** Written by the build: every package whose code is in the bundles. */
async function bundledPackages(distDirectory: string): Promise<Record<string, string>> {
  const text = await readFile(join(distDirectory, 'packages.json'), 'utf8');
  const packages = JSON.parse(text) as readonly { name: string; version: string }[];
  return Object.fromEntries(packages.map(({ name, version }) => [name, version]));
}

/** Commit and dirty flag of the workspace, or null outside a repository, without git, or where git would run programs of the repository. */
async function gitState(workspace: string | null): Promise<RunConfig['environment']['git']> {
  if (workspace === null || !(await isInRepository(workspace))) return null;
  try {
    const program = await gitProgram();
    if (program === null) return null;
    const [commit, filters] = await Promise.all([
      git(program, workspace, ['rev-parse', 'HEAD']),
      filterNames(program, workspace),
    ]);
    // With `-c`, a name ends at the first `=`: this filter could not be taken out.
    if (filters.some((name) => name.includes('='))) return null;
    const status = await git(program, workspace, [
      ...filters.flatMap((name) => ['-c', `filter.${name}.clean=`, '-c', `filter.${name}.process=`]),
      ...filters.flatMap((name) => ['-c', `filter.${name}.required=false`]),
      ...['status', '--porcelain', '--untracked-files=no', '--ignore-submodules=all'],
    ]);
    return { commit: commit.trim(), dirty: status.trim() !== '' };
  } catch {
    return null;
  }
}

async function isInRepository(folder: string): Promise<boolean> {
  for (let at = folder; ; at = dirname(at)) {
    const found = await access(join(at, '.git')).then(
      () => true,
      () => false,
    );
    if (found) return true;
    if (dirname(at) === at) return false;
  }
}

/** From the PATH alone: Windows would look into the folder first that the program is to run in, and that is the workspace. */
async function gitProgram(): Promise<string | null> {
  const name = process.platform === 'win32' ? 'git.exe' : 'git';
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (!isAbsolute(folder)) continue;
    const file = join(folder, name);
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return null;
}

/** The filters of all configurations that count here. To compare a file, git would run what they name. */
async function filterNames(program: string, workspace: string): Promise<string[]> {
  const listed = await git(program, workspace, ['config', '--null', '--name-only', '--list']);
  const names = listed.split('\0').flatMap((key) => /^filter\.(.*)\.[^.]*$/s.exec(key)?.[1] ?? []);
  return [...new Set(names)];
}

const GIT_TIMEOUT_MS = 3000;
/** A workspace's configuration must not run programs for us: no monitor, no hook, nothing that is fetched, no pager. */
const HARMLESS = ['--no-pager', '--no-optional-locks', '-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null'];

async function git(program: string, cwd: string, args: readonly string[]): Promise<string> {
  const { execFile } = await import('node:child_process');
  const env = { ...process.env, GIT_ALLOW_PROTOCOL: '', GIT_NO_LAZY_FETCH: '1' };
  return new Promise((resolve, reject) => {
    execFile(program, [...HARMLESS, ...args], { cwd, env, timeout: GIT_TIMEOUT_MS }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
  });
}

const SNAPSHOT_NAMES =
  /^(BABYAGI_|OPENAI_(TEMPERATURE|API_MODEL)$|OBJECTIVE$|INITIAL_TASK$|MAX_(ITERATIONS|COST_USD|WALL_TIME)$|EXECUTION_TIMEOUT$|SLEEP_INTERVAL$|WATCHDOG_INTERVAL$|HUMAN_CHECKPOINT_EVERY$)/;
const SECRET_NAMES = /KEY|TOKEN|SECRET|PASSWORD|WEBHOOK|DSN|AUTH|HEADERS|EMAIL|DEAD_MAN/i;

/** The variables that shaped the run; those whose name speaks of a secret, or of a person, are named without their value. */
export function variableSnapshot(variables: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const snapshot: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables)) {
    if (value !== undefined && SNAPSHOT_NAMES.test(name))
      snapshot[name] = SECRET_NAMES.test(name) ? '[not recorded]' : value;
  }
  return snapshot;
}
