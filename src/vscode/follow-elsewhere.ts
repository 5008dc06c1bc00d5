import { join } from 'node:path';
import * as vscode from 'vscode';
import { nodeDisk } from '../runlog/disk.ts';
import { runFolder } from '../runlog/folder.ts';
import type { RunEntry, Runs } from './runs.ts';

const LOOK_MS = 1000;
/** Reading logs takes at most this part of the host's time. */
const HOST_SHARE = 20;
/** A window that reloads is at its run again before that. */
const NOBODY_MS = 30_000;

interface Followed {
  /** What the log looked like when it was last read. */
  stamp: string;
  /** Monotonic milliseconds: not to be read again before, and since when nobody is at the run. */
  notBefore: number;
  nobodySince: number | null;
}

/**
 * Keeps runs that are in progress in another process as their logs have them. `abandoned` is called where nobody has been
 * at such a run for a while, though it has not ended.
 */
export function followElsewhere(runs: Runs, abandoned: () => void): vscode.Disposable {
  const followed = new Map<string, Followed>();
  let busy = false;
  const look = async () => {
    const entries = runs.all.filter((entry) => entry.isElsewhere || followed.has(entry.runId));
    for (const entry of entries) {
      const known = followed.get(entry.runId) ?? { stamp: '', notBefore: 0, nobodySince: null };
      followed.set(entry.runId, known);
      await lookAt(runs, entry, known);
      const { isElsewhere, session, brief } = entry;
      if (session !== null || brief.status === 'ended') followed.delete(entry.runId);
      if (isElsewhere || session !== null || brief.status === 'ended') known.nobodySince = null;
      else known.nobodySince ??= performance.now();
      if (known.nobodySince === null || performance.now() - known.nobodySince < NOBODY_MS) continue;
      followed.delete(entry.runId);
      abandoned();
    }
  };
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    void look().finally(() => {
      busy = false;
    });
  }, LOOK_MS);
  return new vscode.Disposable(() => clearInterval(timer));
}

async function lookAt(runs: Runs, entry: RunEntry, known: Followed): Promise<void> {
  const stamp = await stampOf(entry.directory);
  const started = performance.now();
  const withLog = stamp !== known.stamp && started >= known.notBefore;
  await runs.look(entry, withLog);
  if (!withLog) return;
  const ended = performance.now();
  Object.assign(known, { stamp, notBefore: ended + HOST_SHARE * (ended - started) });
}

/** Changes with every event. */
async function stampOf(directory: string): Promise<string> {
  const { log } = runFolder(directory);
  const newest = (await nodeDisk.list(log).catch(() => [] as string[])).sort().at(-1);
  if (newest === undefined) return '';
  try {
    const { size } = await vscode.workspace.fs.stat(vscode.Uri.file(join(log, newest)));
    return `${newest} ${size}`;
  } catch {
    return newest;
  }
}
