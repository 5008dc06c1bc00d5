import * as vscode from 'vscode';
import { wordsOf } from '../run/translate.ts';
import { inMessage } from './labels.ts';
import { RUNS_VIEW } from './ids.ts';
import { l10n } from './panel-l10n.ts';
import type { Row } from './rows.ts';
import type { Runs } from './runs.ts';
import type { RunsTree } from './runs-tree.ts';

const DRAGGED = `application/vnd.code.tree.${RUNS_VIEW}`;

/**
 * Drags a waiting task of a run in progress here to another place in the queue of that run. Dropped anywhere else, it stays
 * where it is.
 */
export class TaskDrag implements vscode.TreeDragAndDropController<Row> {
  readonly dragMimeTypes = [DRAGGED];
  readonly dropMimeTypes = [DRAGGED];
  private readonly runs: Pick<Runs, 'find'>;
  private readonly tree: Pick<RunsTree, 'row'>;

  constructor(runs: Pick<Runs, 'find'>, tree: Pick<RunsTree, 'row'>) {
    this.runs = runs;
    this.tree = tree;
  }

  handleDrag(source: readonly Row[], transfer: vscode.DataTransfer): void {
    const [row] = source;
    if (row?.kind !== 'task') return;
    const run = this.runs.find(row.runId);
    if (!run?.session?.state.pending.includes(row.taskId)) return;
    transfer.set(DRAGGED, new vscode.DataTransferItem(row.id));
  }

  async handleDrop(target: Row | undefined, transfer: vscode.DataTransfer): Promise<void> {
    const id = await transfer.get(DRAGGED)?.asString();
    const dragged = id === undefined ? undefined : this.tree.row(id);
    if (dragged?.kind !== 'task' || target?.runId !== dragged.runId) return;
    const session = this.runs.find(dragged.runId)?.session;
    if (!session) return;
    const before = placeBefore(session.state.pending, dragged.taskId, target);
    if (before === undefined || before === dragged.taskId) return;
    try {
      session.steering.moveTask(dragged.taskId, before);
    } catch (error) {
      // A SteerError: the task began meanwhile.
      void vscode.window.showWarningMessage(inMessage(wordsOf(error, l10n.t), 300));
    }
  }
}

/** The task that the dragged one comes before; null: none, it comes last. Undefined: it cannot be dropped there. */
function placeBefore(pending: readonly string[], dragged: string, target: Row): string | null | undefined {
  if (target.kind === 'run') return null;
  const to = target.kind === 'task' ? pending.indexOf(target.taskId) : -1;
  if (to < 0) return undefined;
  // Into the place of the target, whichever side it came from.
  const from = pending.indexOf(dragged);
  return pending[from >= 0 && from < to ? to + 1 : to] ?? null;
}
