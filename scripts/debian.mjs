// Packages of Debian that only the tests need, installed the first time where that can be done.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Whether packages can be installed here: on Debian and its kin, as root. */
export function canInstall() {
  return existsSync('/etc/debian_version') && process.getuid?.() === 0;
}

/** Installs packages, one caller at a time. `what` is their name for a person. Throws one sentence where that fails. */
export function install(what, ...packages) {
  console.log(`Installing ${what} with apt-get …`);
  aptGet(what, 'update');
  aptGet(what, 'install', '-y', '--no-install-recommends', ...packages);
}

function aptGet(what, ...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Parts of the tests run beside each other, and apt-get gives up where another one is at work.
  const result = spawnSync('flock', ['/etc/debian_version', 'apt-get', '-qq', ...args], { encoding: 'utf8', env });
  if (result.status === 0) return;
  const reason =
    (result.stderr ?? '').trim().split('\n').at(-1) || result.error?.message || `exit code ${result.status}`;
  throw new Error(`${what} could not be installed: apt-get ${args[0]} failed (${reason}).`);
}
