import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { Session } from '../../src/engine/session.ts';
import type { EventDraft, RunEvent } from '../../src/run/events.ts';
import type { RunLog } from '../../src/run/ports.ts';
import { apply, fold } from '../../src/run/fold.ts';
import type { RunState } from '../../src/run/state.ts';
import { Steering } from '../../src/run/steer.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { processTable, thisProcess } from '../../src/runlog/machine.ts';
import { COMMANDS } from '../../src/vscode/ids.ts';
import { type MoreRow, PAGE, type Row } from '../../src/vscode/rows.ts';
import { RunFiles } from '../../src/vscode/run-files.ts';
import { Runs } from '../../src/vscode/runs.ts';
import { RunsChoice } from '../../src/vscode/runs-choice.ts';
import { RunsTree } from '../../src/vscode/runs-tree.ts';
import { TaskDrag } from '../../src/vscode/task-drag.ts';
import { memoryMemento } from '../support/memento.ts';
import { answered, events, makeConfig, reserved, startOfRun, task, unanswered } from '../support/run-events.ts';
import { describe, it } from './suite.ts';

/** Longer than the view waits before it shows what changed. */
const SETTLED_MS = 400;
const settled = () => new Promise((resolve) => setTimeout(resolve, SETTLED_MS));

/** A view, with runs in progress in it whose events come from the test. */
class View {
  readonly runs = new Runs(new RunFiles(nodeDisk, thisProcess, processTable));
  readonly choice = new RunsChoice(memoryMemento());
  readonly tree = new RunsTree(this.runs, this.choice);
  readonly drag = new TaskDrag(this.runs, this.tree);
  readonly fired: (string | undefined)[][] = [];
  /** Rows that were made, and items of them. */
  made = 0;

  constructor() {
    this.tree.onDidChangeTreeData((changed) => {
      const rows = Array.isArray(changed) ? changed : [changed];
      this.fired.push(rows.map((row) => row?.id));
    });
  }

  begin(runId: string, drafts: readonly EventDraft[], objective = 'Plan a small garden'): RunState {
    const config = makeConfig({ run_id: runId, objective });
    const state = fold(config, events(...startOfRun(), ...drafts));
    const listeners = new Set<(event: RunEvent) => void>();
    const log: RunLog = {
      state,
      activeMs: () => 0,
      append: (...more) => {
        const at = new Date(Date.parse(state.updatedAt) + 1000).toISOString();
        for (const draft of more) {
          const event: RunEvent = {
            ...draft,
            v: 1,
            seq: state.lastSeq + 1,
            epoch: 1,
            ts: at,
            mono_ms: 0,
            run_id: runId,
          };
          apply(state, event);
          for (const listener of listeners) listener(event);
        }
      },
      barrier: () => Promise.resolve(),
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
    const session = { state, log, steering: new Steering(log), folder: { path: `/${runId}` } } as unknown as Session;
    const run = this.runs.attach(session);
    log.subscribe((event) => this.runs.tell(run, event));
    return state;
  }

  append(runId: string, ...drafts: readonly EventDraft[]): void {
    this.runs.find(runId)?.session?.log.append(...drafts);
  }

  async below(row?: Row): Promise<Row[]> {
    const rows = await this.tree.getChildren(row);
    this.made += rows.length;
    return rows;
  }

  item(row: Row): vscode.TreeItem {
    return this.tree.getTreeItem(row);
  }

  async labels(row?: Row): Promise<unknown[]> {
    return (await this.below(row)).map((each) => this.item(each).label);
  }

  async row(kind: Row['kind'], below?: Row): Promise<Row> {
    const found = (await this.below(below)).find((row) => row.kind === kind);
    assert.ok(found, `no row ${kind}`);
    return found;
  }

  async taskRow(taskId: string, runId = 'run'): Promise<Row> {
    const run = (await this.below()).find((row) => row.runId === runId);
    const found = (await this.below(run)).find((row) => row.kind === 'task' && row.taskId === taskId);
    assert.ok(found, taskId);
    return found;
  }

  async drop(source: Row, target: Row | undefined): Promise<void> {
    const transfer = new vscode.DataTransfer();
    this.drag.handleDrag([source], transfer);
    await this.drag.handleDrop(target, transfer);
  }

  dispose(): void {
    this.tree.dispose();
    this.choice.dispose();
    this.runs.dispose();
  }
}

const startedTask = (taskId = 't1', iteration = 1): EventDraft => ({
  type: 'task.started',
  task_id: taskId,
  iteration,
});

describe('calls in the runs view', () => {
  it('are below their task: agent, outcome, tokens, cost and latency in words, with an icon of their own', async () => {
    const view = new View();
    view.begin('run', [
      startedTask(),
      ...unanswered('c1', 'released', 'The server refused.', { taskId: 't1' }),
      ...unanswered('c2', 'held', 'The connection broke.', { taskId: 't1', reservedUsd: 0.02 }),
      ...answered('c3', 'Beds first.', { taskId: 't1', inputTokens: 812, outputTokens: 240, costUsd: 0.0012 }),
      reserved('c4', { taskId: 't1', agent: 'planning', reservedUsd: 0.04 }),
      ...answered('c5', 'All in all', { agent: 'synthesis' }),
    ]);
    const task1 = await view.taskRow('t1');
    assert.equal(view.item(task1).collapsibleState, vscode.TreeItemCollapsibleState.Collapsed);
    const calls = (await view.below(task1)).map((row) => ({ row, item: view.item(row) }));
    assert.deepEqual(
      calls.map(({ item }) => [item.label, item.description, (item.iconPath as vscode.ThemeIcon).id]),
      [
        ['Execution', 'failed · $0.0020 released', 'close'],
        ['Execution', 'outcome unknown · $0.020 held', 'question'],
        ['Execution', 'answered · $0.0012 · 812 + 240 tokens · 0.8 s', 'check'],
        ['Planning', 'under way · $0.040 reserved', 'loading~spin'],
      ],
    );
    assert.deepEqual(
      calls.map(({ item }) => item.contextValue),
      ['call released', 'call held', 'call settled', 'call reserved'],
    );
    const third = calls[2];
    assert.ok(third);
    assert.equal(
      third.item.accessibilityInformation?.label,
      'Call: Execution, answered · $0.0012 · 812 + 240 tokens · 0.8 s',
    );
    assert.deepEqual(third.item.command?.command, COMMANDS.openLog);
    assert.deepEqual(third.item.command?.arguments, [third.row]);
    const others = await view.row('calls', await view.row('run'));
    assert.equal(view.item(others).description, '1');
    assert.deepEqual(await view.labels(others), ['Closing answer']);
    view.dispose();
  });

  it('have a tooltip that does nothing, whatever the answer says', async () => {
    const view = new View();
    view.begin('run', [
      startedTask(),
      ...answered('c1', '[x](command:workbench.action.quit) <img src=x> ![](https://evil.invalid)', { taskId: 't1' }),
    ]);
    const row = await view.row('call', await view.taskRow('t1'));
    const { tooltip } = await view.tree.resolveTreeItem(view.item(row), row);
    assert.ok(tooltip instanceof vscode.MarkdownString);
    assert.equal(tooltip.isTrusted, false);
    assert.equal(tooltip.supportHtml, false);
    assert.doesNotMatch(tooltip.value, /(?<!\\)\[[^\]\\]*\]\(command:|(?<!\\)!\[/);
    const words = tooltip.value.replaceAll('&nbsp;', ' ');
    assert.match(words, /Tokens: 100 in, 50 out/);
    assert.match(words, /Begun: [A-Z][a-z]{2} \d, 2025, \d+:\d\d:\d\d\W[AP]M\n/);
    view.dispose();
  });

  it('are not said to be under way where nobody is at the run', async () => {
    const view = new View();
    const state = view.begin('run', [startedTask(), reserved('c1', { taskId: 't1' })]);
    const run = view.runs.find('run');
    assert.ok(run);
    const row = await view.row('call', await view.taskRow('t1'));
    assert.match(String(view.item(row).description), /^under way/);
    await view.runs.detach(run);
    assert.equal(state.calls.get('c1')?.status, 'reserved');
    assert.match(String(view.item(row).description), /^without an outcome/);
    view.dispose();
  });
});

describe('a run of ten thousand tasks', () => {
  const TASKS = 10_000;
  const CALLS = 3;

  function largeRun(view: View): RunState {
    const drafts: EventDraft[] = [];
    for (let number = 2; number <= TASKS; number += 1) drafts.push(task(`t${number}`, `Task ${number}`));
    for (let number = 1; number <= TASKS / 2; number += 1) {
      drafts.push(startedTask(`t${number}`, number));
      for (let call = 0; call < CALLS; call += 1)
        drafts.push(...answered(`c${number}.${call}`, 'x', { taskId: `t${number}`, iteration: number }));
      drafts.push({ type: 'task.completed', task_id: `t${number}`, iteration: number, call_id: `c${number}.0` });
    }
    return view.begin('run', drafts);
  }

  it('makes a page of rows at a time', async () => {
    const view = new View();
    largeRun(view);
    const run = await view.row('run');
    view.made = 0;
    const rows = await view.below(run);
    for (const row of rows) view.item(row);
    assert.ok(view.made <= 2 * (PAGE + 1), `${view.made} rows`);
    view.made = 0;
    const rest = rows.find((row): row is MoreRow => row.kind === 'more');
    assert.ok(rest);
    const pages = await view.below(rest);
    assert.deepEqual(
      pages.slice(0, 2).map((row) => view.item(row).label),
      ['101–200 waiting', '201–300 waiting'],
    );
    await view.below(pages[7]);
    assert.ok(view.made <= 2 * PAGE, `${view.made} rows`);
    view.dispose();
  });

  it('is refreshed where something happened, and once for many events', async () => {
    const view = new View();
    largeRun(view);
    await view.row('run');
    view.append('run', startedTask('t5001', 5001));
    const current = await view.taskRow('t5001');
    await settled();
    view.fired.length = 0;
    for (let call = 0; call < 500; call += 1)
      view.append('run', ...answered(`d${call}`, 'x', { taskId: 't5001', iteration: 5001 }));
    await settled();
    assert.deepEqual(view.fired, [[current.id]]);
    assert.equal((await view.below(current)).length, PAGE + 1);
    view.fired.length = 0;
    view.append('run', reserved('e1', { taskId: 't5001' }), {
      type: 'task.edited',
      task_id: 't6000',
      text: 'Other',
      by: 'user',
    });
    view.append('run', { type: 'checkpoint.saved', iteration: 5000, file: 'x.json' });
    await settled();
    // With a run come all rows below it.
    assert.deepEqual(view.fired, [['run']]);
    view.fired.length = 0;
    view.append('run', { type: 'checkpoint.saved', iteration: 5001, file: 'y.json' });
    await settled();
    assert.deepEqual(view.fired, []);
    view.dispose();
  });
});

describe('the filter and the groups of the runs view', () => {
  const ended: EventDraft = { type: 'run.ended', stop_reason: 'queue_empty', error: null, detail: '' };

  it('leave out what was not chosen, and follow what the runs do', async () => {
    const view = new View();
    view.begin('run', [], 'Plan a small garden');
    view.begin('other', [], 'Mend the shed');
    assert.equal((await view.below()).length, 2);
    await view.choice.choose({ text: 'garden' });
    assert.deepEqual(await view.labels(), ['Plan a small garden']);
    await view.choice.choose({ text: '', filter: 'live' });
    assert.equal((await view.below()).length, 2);
    await settled();
    view.fired.length = 0;
    view.append('run', ended);
    await settled();
    // It left the list, so the list is shown anew.
    assert.deepEqual(view.fired, [[undefined]]);
    assert.deepEqual(await view.labels(), ['Mend the shed']);
    await view.choice.choose({ filter: 'imported' });
    assert.deepEqual(await view.below(), []);
    view.dispose();
  });

  it('put a run below its group, where it can be revealed', async () => {
    const view = new View();
    view.begin('run', [], 'Plan a small garden');
    await view.choice.choose({ grouping: 'state' });
    const group = await view.row('group');
    assert.deepEqual([view.item(group).label, view.item(group).description], ['In progress', '1']);
    const run = await view.row('run', group);
    assert.equal(view.tree.getParent(run), group);
    await settled();
    view.append('run', { type: 'run.paused', by: 'user', why: 'x' });
    await settled();
    assert.deepEqual(await view.labels(), ['Needs a person']);
    await view.choice.choose({ grouping: 'day' });
    const [day] = await view.labels();
    assert.match(String(day), /^Thursday, January 2, 2025$/);
    view.dispose();
  });

  it('are kept, and taken up by the next window', async () => {
    const memento = memoryMemento();
    await new RunsChoice(memento).choose({ grouping: 'day', text: 'x' });
    assert.deepEqual(new RunsChoice(memento).arrangement, { filter: 'all', text: 'x', grouping: 'day' });
  });
});

describe('dragging tasks in the runs view', () => {
  const drafts = [
    startedTask(),
    reserved('c1', { taskId: 't1' }),
    ...answered('c2', 'x', { agent: 'synthesis' }),
    ...['t2', 't3', 't4', 't5'].map((id) => task(id, id)),
  ];

  it('moves a waiting task into the place of another, or to the end', async () => {
    const view = new View();
    const state = view.begin('run', drafts);
    await view.drop(await view.taskRow('t5'), await view.taskRow('t2'));
    assert.deepEqual(state.pending, ['t5', 't2', 't3', 't4']);
    await view.drop(await view.taskRow('t5'), await view.taskRow('t3'));
    assert.deepEqual(state.pending, ['t2', 't3', 't5', 't4']);
    await view.drop(await view.taskRow('t2'), await view.row('run'));
    assert.deepEqual(state.pending, ['t3', 't5', 't4', 't2']);
    view.dispose();
  });

  it('does nothing elsewhere, and loses nothing', async () => {
    const view = new View();
    const state = view.begin('run', drafts);
    const other = view.begin('other', drafts);
    const { lastSeq } = state;
    const t3 = await view.taskRow('t3');
    const run = (await view.below()).find(({ runId }) => runId === 'run');
    const targets = [
      await view.taskRow('t1'),
      await view.taskRow('t2', 'other'),
      (await view.below()).find(({ runId }) => runId === 'other'),
      await view.row('call', await view.taskRow('t1')),
      await view.row('calls', run),
      await view.taskRow('t3'),
      undefined,
    ];
    for (const target of targets) await view.drop(t3, target);
    for (const source of [await view.taskRow('t1'), targets[2], targets[3]]) {
      assert.ok(source);
      await view.drop(source, await view.taskRow('t5'));
    }
    assert.equal(state.lastSeq, lastSeq);
    assert.equal(other.lastSeq, lastSeq);
    assert.deepEqual(state.pending, ['t2', 't3', 't4', 't5']);
    // It began while it was in the air.
    const transfer = new vscode.DataTransfer();
    view.drag.handleDrag([await view.taskRow('t2')], transfer);
    view.append(
      'run',
      { type: 'task.failed', task_id: 't1', iteration: 1, error: { class: 'x', message: 'x' } },
      startedTask('t2', 2),
    );
    await view.drag.handleDrop(await view.taskRow('t4'), transfer);
    assert.deepEqual(state.pending, ['t3', 't4', 't5']);
    view.dispose();
  });
});
