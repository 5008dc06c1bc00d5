/** Every id that package.json and the code share. A test inside VS Code compares the two. */
export const COMMANDS = {
  run: 'babyagi.run',
  rehearse: 'babyagi.rehearse',
  pause: 'babyagi.pause',
  resume: 'babyagi.resume',
  stop: 'babyagi.stop',
  setApiKey: 'babyagi.setApiKey',
  removeApiKey: 'babyagi.removeApiKey',
  setUpNotices: 'babyagi.setUpNotices',
  openSummary: 'babyagi.openSummary',
  openSummaryDocument: 'babyagi.openSummaryDocument',
  openAnswer: 'babyagi.openAnswer',
  openLog: 'babyagi.openLog',
  openRawLog: 'babyagi.openRawLog',
  whyStopped: 'babyagi.whyStopped',
  replayRun: 'babyagi.replayRun',
  compareRuns: 'babyagi.compareRuns',
  forkRun: 'babyagi.forkRun',
  exportRun: 'babyagi.exportRun',
  importRun: 'babyagi.importRun',
  getStarted: 'babyagi.getStarted',
  revealRunFolder: 'babyagi.revealRunFolder',
  review: 'babyagi.review',
  addTask: 'babyagi.addTask',
  editTask: 'babyagi.editTask',
  deleteTask: 'babyagi.deleteTask',
  blockTask: 'babyagi.blockTask',
  unblockTask: 'babyagi.unblockTask',
  moveTaskUp: 'babyagi.moveTaskUp',
  moveTaskDown: 'babyagi.moveTaskDown',
  runTaskNext: 'babyagi.runTaskNext',
  continue: 'babyagi.continue',
  raiseLimit: 'babyagi.raiseLimit',
  filterRuns: 'babyagi.filterRuns',
  groupRuns: 'babyagi.groupRuns',
  showAllRuns: 'babyagi.showAllRuns',
  refresh: 'babyagi.refresh',
  showOutput: 'babyagi.showOutput',
} as const;

export type CommandName = keyof typeof COMMANDS;

/** Names of language-model tools. */
export const TOOLS = { startRun: 'babyagi_start_run', runState: 'babyagi_run_state' } as const;

export const CHAT_PARTICIPANT = 'babyagi.participant';

export const VIEW_CONTAINER = 'babyagi';
export const RUNS_VIEW = 'babyagi.runs';
/** The read-only editor of a run's summary.json. */
export const RUN_EDITOR = 'babyagi.runEditor';
/** Schemes of the read-only documents of virtual-documents.ts. */
export const LOG_SCHEME = 'babyagi-log';
export const WHY_SCHEME = 'babyagi-why';
/** With the publisher and name of the extension before it. */
export const WALKTHROUGH = 'babyagi-vscode.babyagi-vscode#babyagi.start';

/** Keys of `when` clauses, set by context-keys.ts. */
export const CONTEXT_KEYS = {
  /** Some run is listed. */
  hasRuns: 'babyagi.hasRuns',
  /** Some run is in progress, here or in another window. */
  hasLiveRun: 'babyagi.hasLiveRun',
  /** Some run in progress is neither paused nor ended. */
  canPause: 'babyagi.canPause',
  /** Some run is paused, interrupted or ended. */
  canResume: 'babyagi.canResume',
  /** Some run waits for a checkpoint review. */
  reviewPending: 'babyagi.reviewPending',
  /** A filter of the Runs view is chosen. */
  runsFiltered: 'babyagi.runsFiltered',
  /** There are runs, and the filter leaves none of them. */
  runsHidden: 'babyagi.runsHidden',
  /** The configured server is not on this machine, and no key was entered for it. */
  keyMissing: 'babyagi.keyMissing',
} as const;

/** Without the prefix `babyagi.`. */
export const SETTINGS = [
  'model',
  'embeddingModel',
  'baseUrl',
  'strategy',
  'maxIterations',
  'maxCostUsd',
  'maxRequests',
  'maxTokens',
  'maxWallTimeMinutes',
  'taskTimeoutSeconds',
  'maxKeyUsdPerDay',
  'watchdogSeconds',
  'checkpointEvery',
  'reviewEvery',
  'reviewEveryUsd',
  'reviewFirstUse',
  'unattendedReview',
  'maxNewTasksPerIteration',
  'recallTokens',
  'temperature',
  'seed',
  'initialTask',
  'synthesis',
  'runsFolder',
  'promptsFolder',
  'prices',
  'freeServers',
  'privateServers',
  'localOnly',
  'notices',
  'email',
  'pagerdutyUrl',
  'metricsPort',
  'otlpEndpoint',
] as const;

export type SettingName = (typeof SETTINGS)[number];

export const SECTION = 'babyagi';
