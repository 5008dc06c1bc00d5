import * as vscode from 'vscode';
import { needsKey } from '../safety/origin.ts';
import { Coalescer } from './coalesce.ts';
import { CONTEXT_KEYS, SECTION } from './ids.ts';
import type { Keys } from './keys.ts';
import type { RunBrief } from './run-brief.ts';
import type { RunsChoice } from './runs-choice.ts';
import { isFiltered, isShown } from './runs-filter.ts';
import type { Runs } from './runs.ts';

/** Keeps the keys of `when` clauses as the runs, the view and the API keys are. */
export function followContextKeys(runs: Runs, choice: RunsChoice, keys: Keys): vscode.Disposable {
  const known = new Map<string, boolean>();
  const refreshes = new Coalescer<void>(50, () => {
    const values = { ...keysOf(runs, choice), [CONTEXT_KEYS.keyMissing]: isKeyMissing(keys) };
    for (const [key, value] of Object.entries(values)) {
      if (known.get(key) === value) continue;
      known.set(key, value);
      void vscode.commands.executeCommand('setContext', key, value);
    }
  });
  const refresh = () => refreshes.add(undefined);
  refresh();
  return vscode.Disposable.from(
    refreshes,
    runs.onDidChangeEntry(refresh),
    runs.onDidChangeList(refresh),
    choice.onDidChange(refresh),
    keys.onDidChange(refresh),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration(`${SECTION}.baseUrl`)) refresh();
    }),
  );
}

function keysOf(runs: Runs, { arrangement }: RunsChoice): Record<string, boolean> {
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
    [CONTEXT_KEYS.runsFiltered]: isFiltered(arrangement),
    [CONTEXT_KEYS.runsHidden]: entries.length > 0 && !some((brief) => isShown(brief, arrangement)),
  };
}

function isKeyMissing(keys: Keys): boolean {
  const baseUrl = vscode.workspace.getConfiguration(SECTION).get('baseUrl');
  if (typeof baseUrl !== 'string' || !URL.canParse(baseUrl)) return true;
  return needsKey(baseUrl) && !keys.origins().includes(new URL(baseUrl).origin);
}
