import type { App } from './app.ts';
import { removeApiKey, setApiKey } from './commands/api-key.ts';
import { exportRun, importRun } from './commands/archive.ts';
import { filterRuns, groupRuns, showAllRuns } from './commands/arrange-runs.ts';
import { compareRuns } from './commands/compare.ts';
import { continueRun, raiseLimit } from './commands/continue-run.ts';
import { pauseRun, resumeRun, stopRun } from './commands/control.ts';
import {
  openAnswer,
  openLog,
  openRawLog,
  openSummary,
  openSummaryDocument,
  revealRunFolder,
  whyStopped,
} from './commands/documents.ts';
import { forkRun } from './commands/fork-run.ts';
import { getStarted } from './commands/get-started.ts';
import { newExperiment } from './commands/new-experiment.ts';
import { rehearse } from './commands/rehearse.ts';
import { replayRun } from './commands/replay.ts';
import { reviewRun } from './commands/review.ts';
import { runObjective } from './commands/run-objective.ts';
import { addTask, blockTask, deleteTask, editTask, moveTask, runTaskNext, unblockTask } from './commands/tasks.ts';
import { setUpNotices } from './commands/set-up-notices.ts';
import type { CommandName } from './ids.ts';
import { runsDirectories } from './workspace.ts';

type Handler = (app: App, argument: unknown) => unknown;

/** Each is called with a tree row, a run id, or nothing. What it resolves to goes to who executed the command. */
export const HANDLERS: Readonly<Record<CommandName, Handler>> = {
  run: runObjective,
  rehearse: (app) => rehearse(app),
  pause: pauseRun,
  resume: resumeRun,
  stop: stopRun,
  setApiKey,
  removeApiKey: (app) => removeApiKey(app),
  setUpNotices: (app) => setUpNotices(app),
  openSummary,
  openSummaryDocument,
  openAnswer,
  openLog,
  openRawLog,
  whyStopped,
  replayRun,
  compareRuns,
  forkRun,
  exportRun,
  importRun: (app) => importRun(app),
  getStarted: () => getStarted(),
  revealRunFolder,
  review: reviewRun,
  addTask,
  editTask,
  deleteTask,
  blockTask,
  unblockTask,
  moveTaskUp: (app, argument) => moveTask(app, argument, -1),
  moveTaskDown: (app, argument) => moveTask(app, argument, 1),
  runTaskNext,
  continue: continueRun,
  raiseLimit,
  filterRuns: (app) => filterRuns(app),
  groupRuns: (app) => groupRuns(app),
  showAllRuns: (app) => showAllRuns(app),
  refresh: (app) => app.runs.scan(runsDirectories()),
  newExperiment: (app) => newExperiment(app),
  runExperiment: async (app, argument) => (await import('./commands/run-experiment.ts')).runExperiment(app, argument),
  resumeExperiment: async (app, argument) => (await experimentCommands()).resumeExperiment(app, argument),
  stopExperiment: async (app, argument) => (await experimentCommands()).stopExperiment(app, argument),
  openReport: async (app, argument) => (await experimentCommands()).openReport(app, argument),
  revealExperimentFolder: async (app, argument) => (await experimentCommands()).revealExperimentFolder(app, argument),
  exportExperiment: async (app, argument) => (await experimentCommands()).exportExperiment(app, argument),
  showOutput: (app) => app.output.show(),
};

/** With them comes the engine. */
function experimentCommands() {
  return import('./commands/experiment-commands.ts');
}
