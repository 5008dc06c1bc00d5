import type * as vscode from 'vscode';
import type { RunChange, RunView } from './run-view.ts';

/**
 * Where a run is: in progress `here` or `elsewhere`, in another process; in no process and `idle`; or only to be looked at,
 * because it came from an archive (`imported`), because it is one of an experiment (`trial`; `trial_live`: in progress, here or elsewhere), or because the folder is not
 * trusted (`restricted`).
 */
export type Whereabouts = 'here' | 'elsewhere' | 'idle' | 'imported' | 'trial' | 'trial_live' | 'restricted';

/** The runs that are open in this window: in progress here, or read from their folders because somebody looks at them. */
export interface RunRegistry {
  /** Newest first. */
  readonly runs: readonly RunView[];
  readonly onDidChange: vscode.Event<RunChange>;
  find(runId: string): RunView | undefined;
  whereIs(runId: string): Whereabouts;
  /** Finds the run, and reads its folder where it is not open yet. Undefined where there is no such run to look at. */
  open(runId: string): Promise<RunView | undefined>;
  /** Why the run could not be read, for people; null where it could, or where there is none. */
  problemOf(runId: string): string | null;
}
