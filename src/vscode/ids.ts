/** Every id that package.json and the code share. A test inside VS Code compares the two. */
const COMMAND_NAMES = [
  'run',
  'rehearse',
  'pause',
  'resume',
  'stop',
  'setApiKey',
  'removeApiKey',
  'setUpNotices',
  'openSummary',
  'openSummaryDocument',
  'openAnswer',
  'openLog',
  'openRawLog',
  'whyStopped',
  'replayRun',
  'compareRuns',
  'forkRun',
  'exportRun',
  'importRun',
  'getStarted',
  'revealRunFolder',
  'review',
  'addTask',
  'editTask',
  'deleteTask',
  'blockTask',
  'unblockTask',
  'moveTaskUp',
  'moveTaskDown',
  'runTaskNext',
  'continue',
  'raiseLimit',
  'filterRuns',
  'groupRuns',
  'showAllRuns',
  'refresh',
  'showOutput',
  'newExperiment',
  'runExperiment',
  'resumeExperiment',
  'stopExperiment',
  'openReport',
  'revealExperimentFolder',
  'exportExperiment',
] as const;

export type CommandName = (typeof COMMAND_NAMES)[number];

export const COMMANDS = Object.fromEntries(COMMAND_NAMES.map((name) => [name, `babyagi.${name}`])) as {
  readonly [Name in CommandName]: `babyagi.${Name}`;
};

/** Names of language-model tools. */
export const TOOLS = { startRun: 'babyagi_start_run', runState: 'babyagi_run_state' } as const;

export const CHAT_PARTICIPANT = 'babyagi.participant';

export const VIEW_CONTAINER = 'babyagi';
export const RUNS_VIEW = 'babyagi.runs';
export const EXPERIMENTS_VIEW = 'babyagi.experiments';
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
  /** Some trial of an experiment has a run; known once the Experiments view was open. */
  hasTrials: 'babyagi.hasTrials',
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
