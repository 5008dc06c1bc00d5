import { setTimeout } from 'node:timers/promises';
import * as vscode from 'vscode';
import { nodeDisk } from '../../runlog/disk.ts';
import type { App } from '../app.ts';
import { type Command, Inbox } from '../inbox.ts';
import { inMessage } from '../labels.ts';
import type { RunEntry } from '../runs.ts';

const LOOK_MS = 200;
/** The window that the run is in looks twice a second. */
const PATIENCE_MS = 5000;

type Asked = Pick<App, 'known' | 'stored'>;
/** A run, or an experiment, by its id. */
type Owned = Pick<RunEntry, 'runId' | 'directory'>;

/** Asks the window that a run is in progress in to do something to it; tells where that was not done. */
export async function askOwner(app: Asked, entry: Owned, command: Command, failed: string): Promise<void> {
  const why = await refusalOf(app, entry, command);
  if (why !== null) void vscode.window.showErrorMessage(inMessage(`${failed} ${why}`, 500));
}

async function refusalOf(
  { known, stored }: Asked,
  { runId, directory }: Owned,
  command: Command,
): Promise<string | null> {
  if (!(await known.vouchesFor(runId, directory)))
    return vscode.l10n.t('It is in progress in a process that is no window of VS Code: do it there.');
  const inbox = new Inbox(nodeDisk, stored('inbox'));
  const id = await inbox.send(runId, command);
  for (const since = performance.now(); performance.now() - since < PATIENCE_MS; ) {
    await setTimeout(LOOK_MS);
    const fate = await inbox.fateOf(runId, id);
    if (fate.kind === 'refused') return fate.why;
    if (fate.kind === 'done') return null;
  }
  if (!(await inbox.withdraw(runId, id))) return null;
  return vscode.l10n.t(
    'The window that the run is in does not answer. Reload it: the run then goes on within some seconds.',
  );
}
