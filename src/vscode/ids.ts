/** Every id that package.json and the code share. A test inside VS Code compares the two. */
export const COMMANDS = {
  run: 'babyagi.run',
  rehearse: 'babyagi.rehearse',
  pause: 'babyagi.pause',
  resume: 'babyagi.resume',
  stop: 'babyagi.stop',
  setApiKey: 'babyagi.setApiKey',
  removeApiKey: 'babyagi.removeApiKey',
  setWebhook: 'babyagi.setWebhook',
  openSummary: 'babyagi.openSummary',
  openSummaryDocument: 'babyagi.openSummaryDocument',
  openAnswer: 'babyagi.openAnswer',
  openLog: 'babyagi.openLog',
  revealRunFolder: 'babyagi.revealRunFolder',
  review: 'babyagi.review',
  addTask: 'babyagi.addTask',
  editTask: 'babyagi.editTask',
  deleteTask: 'babyagi.deleteTask',
  moveTaskUp: 'babyagi.moveTaskUp',
  moveTaskDown: 'babyagi.moveTaskDown',
  continue: 'babyagi.continue',
  refresh: 'babyagi.refresh',
  showOutput: 'babyagi.showOutput',
} as const;

export type CommandName = keyof typeof COMMANDS;

export const VIEW_CONTAINER = 'babyagi';
export const RUNS_VIEW = 'babyagi.runs';

/** Keys of `when` clauses, set by context-keys.ts. */
export const CONTEXT_KEYS = {
  /** Some run is listed. */
  hasRuns: 'babyagi.hasRuns',
  /** Some run is in progress in this window. */
  hasLiveRun: 'babyagi.hasLiveRun',
  /** Some run in progress here is neither paused nor ended. */
  canPause: 'babyagi.canPause',
  /** Some run is paused, interrupted or ended. */
  canResume: 'babyagi.canResume',
  /** Some run in progress here waits for a checkpoint review. */
  reviewPending: 'babyagi.reviewPending',
} as const;

/** Without the prefix `babyagi.`. */
export const SETTINGS = [
  'model',
  'embeddingModel',
  'baseUrl',
  'strategy',
  'maxIterations',
  'maxCostUsd',
  'maxWallTimeMinutes',
  'taskTimeoutSeconds',
  'checkpointEvery',
  'reviewEvery',
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
] as const;

export type SettingName = (typeof SETTINGS)[number];

export const SECTION = 'babyagi';
