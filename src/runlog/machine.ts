import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { OwnerIdentity, ProcessTable } from './owner-file.ts';

/** This process, as it signs an owner file. */
export function thisProcess(): OwnerIdentity {
  return {
    host: hostname(),
    boot_id: bootId(),
    pid: process.pid,
    process_start: processStart(process.pid),
    nonce: randomBytes(8).toString('hex'),
  };
}

export const processTable: ProcessTable = {
  isAlive(pid, started) {
    try {
      process.kill(pid, 0);
    } catch (error) {
      // EPERM: it is there, and somebody else's.
      if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    }
    const now = processStart(pid);
    return started === '' || now === '' || now === started;
  },
};

/** Linux tells the boot and the process namespace; elsewhere the host name has to do. */
function bootId(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}/${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return `${process.platform}/${hostname()}`;
  }
}

/** Field 22 of /proc/<pid>/stat: clock ticks from boot to the start of the process (proc(5)). */
function processStart(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
