import type { Experiments } from './experiments.ts';
import type { KnownRuns } from './known-runs.ts';
import type { Keys } from './keys.ts';
import type { Output } from './output.ts';
import type { RunControl } from './run-control.ts';
import type { Runs } from './runs.ts';
import type { RunsChoice } from './runs-choice.ts';
import type { RunsTree } from './runs-tree.ts';
import type { SummaryPanels } from './summary-panel.ts';
import type { VirtualDocuments } from './virtual-documents.ts';

/** What the commands work with; made once, in extension.ts. */
export interface App {
  readonly runs: Runs;
  readonly tree: RunsTree;
  readonly choice: RunsChoice;
  readonly control: RunControl;
  readonly known: KnownRuns;
  readonly keys: Keys;
  readonly output: Output;
  readonly documents: VirtualDocuments;
  /** Read from disk when first asked for. */
  readonly panels: () => Promise<SummaryPanels>;
  readonly experiments: () => Promise<Experiments>;
  /** The folder of this name that is kept for all workspaces. */
  readonly stored: (name: string) => string;
}
