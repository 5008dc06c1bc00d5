// What the fault tests use beside Node, on Linux: a library that steps the clock of a process, and a tracer that kills one in
// a system call. On Debian they are installed when they are missing; elsewhere a person does, and the test says so.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { canInstall, install } from './debian.mjs';

/** The path of libfaketime.so.1. Throws one sentence where it is not there and cannot be installed. */
export function ensureFaketime() {
  return ensure('libfaketime', 'faketime', libfaketime);
}

/** The path of strace, which must be allowed to trace. Throws one sentence where it cannot be used. */
export function ensureStrace() {
  const strace = ensure('strace', 'strace', () => onPath('strace'));
  const { status, stderr } = spawnSync(strace, ['-f', '-o', '/dev/null', 'true'], { encoding: 'utf8' });
  if (status === 0) return strace;
  throw new Error(`strace cannot trace a process here (${(stderr ?? '').trim()}): allow ptrace.`);
}

function ensure(what, debianPackage, find) {
  const found = find();
  if (found !== undefined) return found;
  if (canInstall()) {
    install(what, debianPackage);
    const fresh = find();
    if (fresh !== undefined) return fresh;
  }
  throw new Error(`${what} was not found: install the package ${debianPackage}.`);
}

function libfaketime() {
  const multiarch = existsSync('/usr/lib') ? readdirSync('/usr/lib').filter((name) => name.includes('-linux-')) : [];
  const roots = [...multiarch.map((name) => path.join('/usr/lib', name)), '/usr/lib64', '/usr/lib', '/usr/local/lib'];
  return roots.map((root) => path.join(root, 'faketime', 'libfaketime.so.1')).find((file) => existsSync(file));
}

function onPath(program) {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  return folders.map((folder) => path.join(folder, program)).find((file) => existsSync(file));
}
