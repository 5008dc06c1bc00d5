import * as vscode from 'vscode';
import { Coalescer } from './coalesce.ts';
import { CONTEXT_KEYS } from './ids.ts';
import type { RunBrief } from './run-brief.ts';
import type { Runs } from './runs.ts';

/** Keeps the keys of `when` clauses as the runs are. */
export function followContextKeys(runs: Runs): vscode.Disposable {
  const known = new Map<string, boolean>();
  const refreshes = new Coalescer<void>(50, () => {
    for (const [key, value] of Object.entries(keysOf(runs))) {
      if (known.get(key) === value) continue;
      known.set(key, value);
      void vscode.commands.executeCommand('setContext', key, value);
    }
  });
  refreshes.add(undefined);
  return vscode.Disposable.from(
    refreshes,
    runs.onDidChangeEntry(() => refreshes.add(undefined)),
    runs.onDidChangeList(() => refreshes.add(undefined)),
  );
}

function keysOf(runs: Runs): Record<string, boolean> {
  const { entries } = runs;
  const some = (fits: (brief: RunBrief, live: boolean) => boolean) =>
    entries.some((entry) => fits(entry.brief, entry.session !== null || entry.isElsewhere));
  return {
    [CONTEXT_KEYS.hasRuns]: entries.length > 0,
    [CONTEXT_KEYS.hasLiveRun]: some((_, live) => live),
    [CONTEXT_KEYS.canPause]: some(({ status }) => status === 'running' || status === 'elsewhere'),
    [CONTEXT_KEYS.canResume]: some(
      ({ status }) => status === 'paused' || status === 'interrupted' || status === 'ended' || status === 'elsewhere',
    ),
    [CONTEXT_KEYS.reviewPending]: some(({ status }) => status === 'review' || status === 'review_elsewhere'),
  };
}
