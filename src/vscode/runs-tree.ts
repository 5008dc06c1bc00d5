import * as vscode from 'vscode';
import type { RunState } from '../run/state.ts';
import { CallLists } from './call-lists.ts';
import { callItem, callsItem } from './call-item.ts';
import { Coalescer } from './coalesce.ts';
import { RUNS_VIEW } from './ids.ts';
import { KeyFocus } from './key-focus.ts';
import {
  type CallsOf,
  callsRowId,
  type GroupRow,
  type Row,
  rowsOfMore,
  rowsOfRun,
  rowsOfTask,
  runRow,
  taskRowId,
} from './rows.ts';
import type { RunChange } from './run-view.ts';
import { arrangementWords } from './run-words.ts';
import type { RunsChoice } from './runs-choice.ts';
import { arranged, groupOf, isFiltered, isShown, localDay } from './runs-filter.ts';
import type { RunEntry, Runs } from './runs.ts';
import { touchedBy } from './touched.ts';
import { groupItem, moreItem, noteItem, runItem, taskItem } from './tree-items.ts';

const REFRESH_MS = 100;
/** The elapsed time of runs in progress grows without an event. */
const TICK_MS = 5000;

/** The Runs view: run → tasks → calls. Rows are made when they are shown, and a page of them at a time. */
export class RunsTree implements vscode.TreeDataProvider<Row>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<Row | Row[] | undefined>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly runs: Runs;
  private readonly choice: RunsChoice;
  private readonly calls = new CallLists();
  /** VS Code knows a row by its object: one for each id. */
  private readonly rows = new Map<string, Row>();
  /** Where each run was when the list was last shown: the group, or null where it is in none. */
  private readonly places = new Map<string, string | null>();
  /** Ids of rows; null: the list. */
  private readonly refreshes: Coalescer<string | null>;
  private readonly subscriptions: vscode.Disposable[];
  private readonly focus = new KeyFocus<Row>();
  private view: vscode.TreeView<Row> | null = null;

  constructor(runs: Runs, choice: RunsChoice) {
    this.runs = runs;
    this.choice = choice;
    this.refreshes = new Coalescer(REFRESH_MS, (ids) => this.refresh(ids));
    const tick = setInterval(() => this.tick(), TICK_MS);
    this.subscriptions = [
      runs.onDidChangeList(() => this.refreshes.add(null)),
      runs.onDidChange((change) => this.follow(change)),
      // Of a run in progress here every change is an event.
      runs.onDidChangeEntry(({ runId, session }) => {
        if (session === null) this.refreshes.add(runId);
      }),
      choice.onDidChange(() => this.refreshes.add(null)),
      new vscode.Disposable(() => clearInterval(tick)),
    ];
  }

  register(dragAndDropController: vscode.TreeDragAndDropController<Row>): vscode.Disposable {
    this.view = vscode.window.createTreeView<Row>(RUNS_VIEW, {
      treeDataProvider: this,
      dragAndDropController,
      showCollapseAll: true,
    });
    this.showChoice();
    const following = this.view.onDidChangeSelection(({ selection }) => this.focus.change(selection));
    return vscode.Disposable.from(this.view, following);
  }

  /**
   * The row that a key was pressed on. VS Code tells its focus to no extension, and the selection may be elsewhere; so the
   * keys of package.json first toggle whether that row is selected. Then it alone is selected.
   */
  focused(): Row | undefined {
    const { view } = this;
    const row = this.focus.take() ?? view?.selection[0];
    if (view && row) {
      this.focus.expect(row);
      view.reveal(row, { select: true, focus: true, expand: false }).then(undefined, () => {});
    }
    return row;
  }

  /** The row with this id, where it was shown once. */
  row(id: string): Row | undefined {
    return this.rows.get(id);
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
      case 'group':
        return groupItem(row, localDay(new Date()));
      case 'run': {
        const entry = this.runs.entry(row.runId);
        return entry === undefined ? new vscode.TreeItem('') : runItem(row, entry);
      }
      case 'task': {
        const run = this.runs.find(row.runId);
        const task = run?.state.tasks.get(row.taskId);
        if (run === undefined || task === undefined) return new vscode.TreeItem('');
        return taskItem(row, run.state, task, this.calls.of(run.state, task.id).length, {
          live: this.isLive(row.runId),
          here: run.session !== null,
        });
      }
      case 'call': {
        const state = this.runs.find(row.runId)?.state;
        const call = state?.calls.get(row.callId);
        if (state === undefined || call === undefined) return new vscode.TreeItem('');
        return callItem(row, state, call, this.isLive(row.runId));
      }
      case 'calls':
        return callsItem(row);
      case 'more':
        return moreItem(row);
      case 'note':
        return noteItem(row, row.runId === null ? null : (this.runs.entry(row.runId)?.problem ?? null));
      default:
        return row satisfies never;
    }
  }

  /** Tooltips are made when somebody hovers, and what makes them is read then. */
  async resolveTreeItem(item: vscode.TreeItem, row: Row): Promise<vscode.TreeItem> {
    const { callTooltip, runTooltip, taskTooltip } = await import('./tooltips.ts');
    const state = row.runId === null ? undefined : this.runs.find(row.runId)?.state;
    if (row.kind === 'run') {
      const entry = this.runs.entry(row.runId);
      if (entry) item.tooltip = runTooltip(entry);
    } else if (row.kind === 'task') {
      const task = state?.tasks.get(row.taskId);
      if (state && task) item.tooltip = taskTooltip(state, task, this.isLive(row.runId));
    } else if (row.kind === 'call') {
      const call = state?.calls.get(row.callId);
      if (state && call) item.tooltip = callTooltip(state, call, this.isLive(row.runId));
    }
    return item;
  }

  async getChildren(row?: Row): Promise<Row[]> {
    if (row === undefined) return this.keepAll(this.rootRows());
    if (row.kind === 'group') return this.keepAll(this.runsOf(row));
    if (row.kind === 'call' || row.kind === 'note') return [];
    const run = await this.runs.open(row.runId);
    if (run === undefined) {
      const problem: Row = { kind: 'note', id: `${row.runId}/problem`, runId: row.runId, note: 'problem', count: 0 };
      return this.keepAll([problem]);
    }
    const { state } = run;
    return this.keepAll(rowsBelow(row, state, (taskId) => this.calls.of(state, taskId)));
  }

  /** Asked for rows that are to be revealed, which are runs. */
  getParent(row: Row): Row | undefined {
    if (row.kind === 'group' || row.runId === null) return undefined;
    if (row.kind !== 'run') return this.keep(runRow(row.runId));
    const group = this.places.get(row.runId);
    return typeof group === 'string' ? this.rows.get(groupId(group)) : undefined;
  }

  private rootRows(): Row[] {
    const { arrangement } = this.choice;
    const { entries, older } = this.runs;
    const groups = arranged(entries, arrangement);
    this.places.clear();
    for (const { key, entries: members } of groups) for (const { runId } of members) this.places.set(runId, key);
    const rows = groups.flatMap(({ key, entries: members }): Row[] =>
      key === null
        ? members.map(({ runId }) => runRow(runId))
        : [{ kind: 'group', id: groupId(key), runId: null, key, count: members.length }],
    );
    // An empty list is explained by the view's welcome.
    if (older > 0 && (rows.length > 0 || !isFiltered(arrangement)))
      rows.push({ kind: 'note', id: 'older', runId: null, note: 'older', count: older });
    return rows;
  }

  private runsOf({ key }: GroupRow): Row[] {
    const group = arranged(this.runs.entries, this.choice.arrangement).find((each) => each.key === key);
    return (group?.entries ?? []).map(({ runId }) => runRow(runId));
  }

  /** What a run does is refreshed where it shows, and nowhere else. */
  private follow({ run: { runId }, event }: RunChange): void {
    const touched = event === null ? 'run' : touchedBy(event);
    if (touched === 'run') this.refreshes.add(runId);
    if (touched !== 'calls' || event === null || !('task_id' in event)) return;
    const { task_id } = event;
    if (task_id !== null) this.refreshes.add(taskRowId(runId, task_id));
    // The row for these comes with the first of them.
    else this.refreshes.add(this.rows.has(callsRowId(runId)) ? callsRowId(runId) : runId);
  }

  private refresh(ids: readonly (string | null)[]): void {
    this.showBadge();
    const moved = ids.some((id) => id === null || this.hasMoved(id));
    if (moved) {
      this.showChoice();
      this.forgetGone();
      this.changed.fire(undefined);
      return;
    }
    const rows = ids.flatMap((id) => (id === null ? [] : (this.rows.get(id) ?? [])));
    // With a run come all rows below it.
    const runs = new Set(rows.flatMap((row) => (row.kind === 'run' ? row.runId : [])));
    const least = rows.filter((row) => row.kind === 'run' || row.runId === null || !runs.has(row.runId));
    if (least.length > 0) this.changed.fire(least);
  }

  /** The run belongs elsewhere in the list than it was shown. */
  private hasMoved(rowId: string): boolean {
    const entry = this.runs.entry(rowId);
    if (entry === undefined || entry.isTrial) return false;
    const { arrangement } = this.choice;
    const shown = isShown(entry.brief, arrangement);
    if (shown !== this.places.has(rowId)) return true;
    return shown && groupOf(entry.brief, arrangement) !== this.places.get(rowId);
  }

  private forgetGone(): void {
    for (const [id, { runId }] of this.rows)
      if (runId !== null && this.runs.entry(runId) === undefined) this.rows.delete(id);
  }

  private tick(): void {
    if (!this.view?.visible) return;
    for (const { entry } of this.runs.live()) if (entry.brief.status === 'running') this.refreshes.add(entry.runId);
  }

  private showBadge(): void {
    if (!this.view) return;
    const waits = ({ brief }: RunEntry) => brief.status === 'review' || brief.status === 'review_elsewhere';
    const waiting = this.runs.entries.filter(waits).length;
    const tooltip =
      waiting === 1 ? vscode.l10n.t('1 run waits for review') : vscode.l10n.t('{0} runs wait for review', waiting);
    this.view.badge = waiting === 0 ? undefined : { value: waiting, tooltip };
  }

  /** Says what is left out, where anything is; where all is, the welcome does. */
  private showChoice(): void {
    if (!this.view) return;
    const { arrangement } = this.choice;
    const { entries } = this.runs;
    const words = arrangementWords(arrangement);
    this.view.description = words;
    const shown = entries.filter(({ brief }) => isShown(brief, arrangement)).length;
    const partly = isFiltered(arrangement) && shown > 0;
    this.view.message = partly ? vscode.l10n.t('{0} of {1} runs: {2}', shown, entries.length, words) : '';
  }

  private isLive(runId: string): boolean {
    const entry = this.runs.entry(runId);
    return entry !== undefined && (entry.session !== null || entry.isElsewhere);
  }

  private keepAll(rows: readonly Row[]): Row[] {
    return rows.map((row) => this.keep(row));
  }

  /** The object that VS Code knows for this row; a row that counts others changes with them. */
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

function rowsBelow(
  row: Exclude<Row, { readonly kind: 'group' | 'call' | 'note' }>,
  state: RunState,
  callsOf: CallsOf,
): Row[] {
  switch (row.kind) {
    case 'run':
      return rowsOfRun(state, callsOf);
    case 'task':
      return rowsOfTask(row, callsOf);
    case 'calls':
      return rowsOfTask({ runId: row.runId, taskId: null }, callsOf);
    case 'more':
      return rowsOfMore(state, row, callsOf);
    default:
      return row satisfies never;
  }
}

function groupId(key: string): string {
  return `group/${key}`;
}
