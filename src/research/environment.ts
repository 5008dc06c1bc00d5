import { access, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
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

/** Commit and dirty flag of the workspace, or null outside a repository or without git. */
async function gitState(workspace: string | null): Promise<RunConfig['environment']['git']> {
  if (workspace === null || !(await isInRepository(workspace))) return null;
  try {
    const [commit, status] = await Promise.all([
      git(workspace, ['rev-parse', 'HEAD']),
      git(workspace, ['status', '--porcelain', '--untracked-files=no']),
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

const GIT_TIMEOUT_MS = 3000;

async function git(cwd: string, args: readonly string[]): Promise<string> {
  const { execFile } = await import('node:child_process');
  // No hooks, no file-system monitor: a workspace's git configuration must not run programs for us.
  const safe = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', ...args];
  return new Promise((resolve, reject) => {
    execFile('git', safe, { cwd, timeout: GIT_TIMEOUT_MS }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
  });
}

const SNAPSHOT_NAMES =
  /^(BABYAGI_|OPENAI_(TEMPERATURE|API_MODEL)$|OBJECTIVE$|INITIAL_TASK$|MAX_|EXECUTION_TIMEOUT$|SLEEP_INTERVAL$|WATCHDOG_INTERVAL$|HUMAN_CHECKPOINT_EVERY$)/;
const SECRET_NAMES = /KEY|TOKEN|SECRET|PASSWORD|WEBHOOK|DSN|AUTH/i;

/** The variables that shaped the run; those whose name speaks of a secret are named without their value. */
export function variableSnapshot(variables: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const snapshot: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables)) {
    if (value !== undefined && SNAPSHOT_NAMES.test(name))
      snapshot[name] = SECRET_NAMES.test(name) ? '[not recorded]' : value;
  }
  return snapshot;
}
