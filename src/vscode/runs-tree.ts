import * as vscode from 'vscode';
import { Coalescer } from './coalesce.ts';
import { inMessage } from './labels.ts';
import { RUNS_VIEW } from './ids.ts';
import { type Row, rowsOfMore, rowsOfRun, runRow, type TaskRow } from './rows.ts';
import type { Runs } from './runs.ts';
import { moreItem, noteItem, runItem, runTooltip, taskItem, taskTooltip } from './tree-items.ts';

const REFRESH_MS = 100;
/** The elapsed time of runs in progress grows without an event. */
const TICK_MS = 5000;
const DRAGGED = `application/vnd.code.tree.${RUNS_VIEW}`;

/** The Runs view: run → tasks. */
export class RunsTree
  implements vscode.TreeDataProvider<Row>, vscode.TreeDragAndDropController<Row>, vscode.Disposable
{
  readonly dragMimeTypes = [DRAGGED];
  readonly dropMimeTypes = [DRAGGED];
  private readonly changed = new vscode.EventEmitter<Row | undefined>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly runs: Runs;
  /** VS Code knows a row by its object: one for each id. */
  private readonly rows = new Map<string, Row>();
  private readonly refreshes: Coalescer<string | null>;
  private readonly subscriptions: vscode.Disposable[];
  private view: vscode.TreeView<Row> | null = null;

  constructor(runs: Runs) {
    this.runs = runs;
    this.refreshes = new Coalescer(REFRESH_MS, (ids) => this.refresh(ids));
    const tick = setInterval(() => this.tick(), TICK_MS);
    this.subscriptions = [
      runs.onDidChangeList(() => this.refreshes.add(null)),
      runs.onDidChangeEntry(({ runId }) => this.refreshes.add(runId)),
      new vscode.Disposable(() => clearInterval(tick)),
    ];
  }

  register(): vscode.Disposable {
    this.view = vscode.window.createTreeView<Row>(RUNS_VIEW, {
      treeDataProvider: this,
      dragAndDropController: this,
      showCollapseAll: true,
    });
    return this.view;
  }

  /** Shows the run, open. The view comes to the front. */
  async reveal(runId: string): Promise<void> {
    const row = this.keep(runRow(runId));
    const show = () => Promise.resolve(this.view?.reveal(row, { expand: true, focus: false, select: true }));
    // VS Code rejects where the list is read anew at this moment; a row that stays closed is no reason to complain.
    await show()
      .catch(() => show())
      .catch(() => {});
  }

  getTreeItem(row: Row): vscode.TreeItem {
    switch (row.kind) {
      case 'run': {
        const entry = this.runs.entry(row.runId);
        return entry === undefined ? new vscode.TreeItem('') : runItem(row, entry);
      }
      case 'task': {
        const run = this.runs.find(row.runId);
        const task = run?.state.tasks.get(row.taskId);
        if (run === undefined || task === undefined) return new vscode.TreeItem('');
        return taskItem(row, run.state, task, run.session !== null);
      }
      case 'more':
        return moreItem(row);
      case 'note':
        return noteItem(row, row.runId === null ? null : (this.runs.entry(row.runId)?.problem ?? null));
      default:
        return row satisfies never;
    }
  }

  /** Tooltips are made when somebody hovers. */
  resolveTreeItem(item: vscode.TreeItem, row: Row): vscode.TreeItem {
    if (row.kind === 'run') {
      const entry = this.runs.entry(row.runId);
      if (entry) item.tooltip = runTooltip(entry);
    } else if (row.kind === 'task') {
      const state = this.runs.find(row.runId)?.state;
      const task = state?.tasks.get(row.taskId);
      if (state && task) item.tooltip = taskTooltip(state, task);
    }
    return item;
  }

  async getChildren(row?: Row): Promise<Row[]> {
    if (row === undefined) return this.keepAll(this.rootRows());
    if (row.kind === 'task' || row.kind === 'note') return [];
    const run = await this.runs.open(row.runId);
    if (run === undefined) {
      const problem: Row = { kind: 'note', id: `${row.runId}/problem`, runId: row.runId, note: 'problem', count: 0 };
      return this.keepAll([problem]);
    }
    return this.keepAll(row.kind === 'run' ? rowsOfRun(run.state) : rowsOfMore(run.state, row));
  }

  getParent(row: Row): Row | undefined {
    return row.kind === 'run' || row.runId === null ? undefined : this.keep(runRow(row.runId));
  }

  handleDrag(source: readonly Row[], transfer: vscode.DataTransfer): void {
    const [row] = source;
    if (row?.kind !== 'task' || !this.runs.find(row.runId)?.session) return;
    transfer.set(DRAGGED, new vscode.DataTransferItem(row.id));
  }

  async handleDrop(target: Row | undefined, transfer: vscode.DataTransfer): Promise<void> {
    const id = await transfer.get(DRAGGED)?.asString();
    const dragged = id === undefined ? undefined : this.rows.get(id);
    if (dragged?.kind !== 'task' || target?.runId !== dragged.runId) return;
    try {
      this.move(dragged, target);
    } catch (error) {
      // A SteerError: the task began meanwhile, or never was waiting.
      void vscode.window.showWarningMessage(inMessage(error instanceof Error ? error.message : String(error), 300));
    }
  }

  private move(dragged: TaskRow, target: Row): void {
    const run = this.runs.find(dragged.runId);
    if (!run?.session) return;
    const { pending } = run.state;
    const to = target.kind === 'task' ? pending.indexOf(target.taskId) : -1;
    if (target.kind === 'task' && to < 0) return;
    // Dropped on a run: to the end. Dropped on a task: into its place, whichever side it came from.
    const down = to >= 0 && pending.indexOf(dragged.taskId) < to;
    const before = to < 0 ? null : (pending[down ? to + 1 : to] ?? null);
    if (before !== dragged.taskId) run.session.steering.moveTask(dragged.taskId, before);
  }

  private rootRows(): Row[] {
    const rows: Row[] = this.runs.entries.map(({ runId }) => runRow(runId));
    const { older } = this.runs;
    if (older > 0) rows.push({ kind: 'note', id: 'older', runId: null, note: 'older', count: older });
    return rows;
  }

  /** `null`: the list; else the id of a run. */
  private refresh(ids: readonly (string | null)[]): void {
    this.showBadge();
    if (ids.includes(null)) {
      this.changed.fire(undefined);
      return;
    }
    for (const id of ids) {
      const row = id === null ? undefined : this.rows.get(id);
      if (row) this.changed.fire(row);
    }
  }

  private tick(): void {
    if (!this.view?.visible) return;
    for (const { entry } of this.runs.live()) if (entry.brief.status === 'running') this.refreshes.add(entry.runId);
  }

  private showBadge(): void {
    if (!this.view) return;
    const waiting = this.runs.live().filter(({ entry }) => entry.brief.status === 'review').length;
    const tooltip =
      waiting === 1 ? vscode.l10n.t('1 run waits for review') : vscode.l10n.t('{0} runs wait for review', waiting);
    this.view.badge = waiting === 0 ? undefined : { value: waiting, tooltip };
  }

  private keepAll(rows: readonly Row[]): Row[] {
    return rows.map((row) => this.keep(row));
  }

  /** The object that VS Code knows for this row; a "more" row changes with what is behind it. */
  private keep<Kind extends Row>(row: Kind): Kind {
    const known = this.rows.get(row.id);
    if (known !== undefined) {
      Object.assign(known, row);
      return known as Kind;
    }
    this.rows.set(row.id, row);
    return row;
  }

  dispose(): void {
    this.refreshes.dispose();
    for (const subscription of this.subscriptions) subscription.dispose();
    this.changed.dispose();
  }
}
