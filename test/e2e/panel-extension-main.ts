import { appendFileSync } from 'node:fs';
import * as vscode from 'vscode';
import type { Session } from '../../src/engine/session.ts';
import type { EventDraft, RunEvent } from '../../src/run/events.ts';
import type { RunLog } from '../../src/run/ports.ts';
import { apply } from '../../src/run/fold.ts';
import { activeMs, type RunState } from '../../src/run/state.ts';
import { Steering } from '../../src/run/steer.ts';
import { l10n } from '../../src/vscode/panel-l10n.ts';
import { PANEL_ACTIONS } from '../../src/vscode/panel-messages.ts';
import type { RunRegistry } from '../../src/vscode/run-registry.ts';
import type { RunChange, RunView } from '../../src/vscode/run-view.ts';
import { registerSummaryPanel } from '../../src/vscode/summary-panel.ts';
import { events, iteration, task } from '../support/run-events.ts';
import { atEnd, atReview, atWork, followedBy, longRun, type MadeRun, stateOf } from './panel-runs.ts';
import type { PanelRun } from '../support/panel-window.ts';

/**
 * An extension that has nothing but the summary panel, over runs made by hand: `Panel: <run>` opens one, `Panel: Step`
 * brings the running one forward, `Panel: Live` does so by itself, and the commands of the panel's controls are written to `PANEL_LOG`.
 */
export function activate(context: vscode.ExtensionContext): void {
  l10n.use(vscode.l10n.bundle, vscode.env.language);
  const { registry, step } = fixtureRegistry();
  const panels = registerSummaryPanel(context, registry);
  const log = process.env['PANEL_LOG'] ?? '';
  const commands: readonly (readonly [string, (...args: unknown[]) => unknown])[] = [
    ...registry.runs.map(
      (run) => [`panel.${run.runId}`, () => panels.show(run.runId, run.state.config.objective)] as const,
    ),
    ['panel.step', step],
    ['panel.live', live(step)],
    ...PANEL_ACTIONS.map((action) => {
      return [
        `babyagi.${action}`,
        (...args: unknown[]) => {
          appendFileSync(log, `${JSON.stringify([action, ...args])}\n`);
          if (action === 'pause') registry.find(String(args[0]))?.session?.steering.pause();
          if (action === 'openLog') throw new Error('The log cannot be opened: the folder is gone.');
        },
      ] as const;
    }),
  ];
  for (const [id, run] of commands) context.subscriptions.push(vscode.commands.registerCommand(id, run));
}

/** Twenty steps a second, until it is called again. */
function live(step: () => void): () => void {
  let timer: NodeJS.Timeout | null = null;
  return () => {
    if (timer !== null) clearInterval(timer);
    timer = timer === null ? setInterval(step, 50) : null;
  };
}

const limits = (max_cost_usd: number, max_requests?: number) => ({
  limits: { max_iterations: 50, max_cost_usd, max_requests, max_wall_time_minutes: 480, task_timeout_seconds: 120 },
});

/** The names are those of PANEL_RUNS. */
const RUNS: Readonly<Record<PanelRun, MadeRun>> = {
  empty: atWork(longRun(0, 2)),
  running: atWork(longRun(24, 3)),
  paused: followedBy(longRun(20, 3), { type: 'run.paused', by: 'user', why: 'A person paused the run.' }),
  near: atWork(longRun(24, 3, limits(0.5, 132))),
  over: atWork(longRun(24, 3, limits(0.5, 80))),
  review: atReview(longRun(20, 3)),
  declined: atReview(longRun(20, 3)),
  capped: atEnd(longRun(50, 3), 'max_iterations', 'Iterations done: 50 of 50.'),
  complete: atEnd(longRun(12, 3), 'objective_complete', 'Every acceptance criterion is met.'),
  failed: atEnd(longRun(9, 3), 'error', 'The server refused the request: the model does not exist.'),
  imported: atEnd(longRun(8, 3), 'max_iterations', 'Iterations done: 8 of 8.'),
  long: atWork(longRun(1000, 10)),
};

function fixtureRegistry(): { registry: RunRegistry; step: () => void } {
  const changes = new vscode.EventEmitter<RunChange>();
  const views = Object.entries(RUNS).map(([name, made]) => viewOf(name, made, changes));
  const find = (runId: string) => views.find((view) => view.runId === runId);
  return {
    registry: {
      runs: views,
      onDidChange: changes.event,
      find,
      open: async (runId) => find(runId),
      problemOf: () => null,
      whereIs: (runId) => (runId === 'imported' ? 'imported' : find(runId)?.session ? 'here' : 'idle'),
    },
    step: () => {
      const run = find('running');
      if (!run?.session) return;
      const { current, iteration: done, pending } = run.state;
      const number = done + 1;
      run.session.log.append(
        ...(current
          ? failure(current.taskId, number)
          : [
              task(`n${number}`, `A task of step ${number}`, { iteration: done, before: pending[0] ?? null }),
              ...iteration(number, `n${number}`, 'Done.'),
            ]),
      );
    },
  };
}

function failure(taskId: string, number: number): EventDraft[] {
  return [
    { type: 'task.failed', task_id: taskId, iteration: number, error: { class: 'test', message: 'It was cut short.' } },
    { type: 'iteration.completed', iteration: number, task_id: taskId },
  ];
}

function viewOf(name: string, made: MadeRun, changes: vscode.EventEmitter<RunChange>): RunView {
  const state = stateOf({ ...made, config: { ...made.config, run_id: name } }, Date.now() - 8000);
  const session = state.end ? null : sessionOf(state, (event) => changes.fire({ run: view, event }));
  const view: RunView = { runId: name, directory: `/runs/${name}`, state, session };
  return view;
}

/** As much of a session as the panel knows of. */
function sessionOf(state: RunState, tell: (event: RunEvent) => void): Session {
  const log: Pick<RunLog, 'append' | 'activeMs' | 'state'> = {
    state,
    activeMs: () => activeMs(state),
    append: (...more) => {
      for (const [index, event] of events(...more).entries()) {
        const placed = {
          ...event,
          seq: state.lastSeq + 1,
          epoch: state.epoch,
          mono_ms: state.epochMs + index,
          ts: new Date().toISOString(),
        };
        apply(state, placed);
        tell(placed);
      }
    },
  };
  return { log, steering: new Steering(log as RunLog), state } as unknown as Session;
}
