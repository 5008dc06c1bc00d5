/**
 * What the summary panel and the extension host say to each other: the one file that both sides share. The host holds
 * the truth and sends it in sections, formatted and small; the panel asks for a fixed set of things, by id.
 */

/** Controls of the panel; the host runs the command `babyagi.<action>` with the run id. */
export const PANEL_ACTIONS = [
  'pause',
  'resume',
  'stop',
  'review',
  'continue',
  'raiseLimit',
  'forkRun',
  'openAnswer',
  'openSummaryDocument',
  'openLog',
] as const;
export type PanelAction = (typeof PANEL_ACTIONS)[number];

export const REVIEW_DECISIONS = ['approve', 'stop'] as const;
export type ReviewDecision = (typeof REVIEW_DECISIONS)[number];

export const PANEL_TABS = ['overview', 'tasks', 'calls', 'answer'] as const;
export type PanelTab = (typeof PANEL_TABS)[number];

export const TASK_GROUPS = ['running', 'pending', 'blocked', 'done', 'failed', 'removed', 'suppressed'] as const;
export type TaskGroup = (typeof TASK_GROUPS)[number];

export const TASK_FILTERS = ['all', ...TASK_GROUPS] as const;
export type TaskFilter = (typeof TASK_FILTERS)[number];

/** What a person looks at. Pages count from 0; the host answers with the last page where there are fewer. */
export interface PanelView {
  readonly tab: PanelTab;
  readonly taskFilter: TaskFilter;
  readonly taskPage: number;
  readonly callPage: number;
}

export const FIRST_VIEW: PanelView = { tab: 'overview', taskFilter: 'all', taskPage: 0, callPage: 0 };

export type PanelRequest =
  /** The script runs, or runs again: everything is wanted. */
  | { readonly type: 'ready'; readonly runId: string; readonly view: PanelView }
  | { readonly type: 'view'; readonly runId: string; readonly view: PanelView }
  | { readonly type: 'action'; readonly runId: string; readonly action: PanelAction }
  /** Decides the pending review, for exactly the state whose digest was shown. */
  | { readonly type: 'decide'; readonly runId: string; readonly decision: ReviewDecision; readonly digest: string }
  | { readonly type: 'task'; readonly runId: string; readonly taskId: string }
  | { readonly type: 'call'; readonly runId: string; readonly callId: string }
  | { readonly type: 'answer'; readonly runId: string };

export type PanelReply =
  /** The sections that changed; all of them after `ready`. */
  | { readonly type: 'sections'; readonly sections: Partial<PanelSections> }
  | { readonly type: 'task'; readonly detail: TaskDetail }
  | { readonly type: 'call'; readonly detail: CallDetail }
  | { readonly type: 'answer'; readonly answer: PanelAnswer }
  /** Something that was asked for could not be done. */
  | { readonly type: 'problem'; readonly text: string }
  /** There is no such run in this workspace, or it cannot be read: why, where that is known. */
  | { readonly type: 'gone'; readonly why: string | null };

export interface PanelSections {
  readonly head: HeadSection;
  readonly review: ReviewSection | null;
  readonly progress: ProgressSection;
  readonly health: HealthSection;
  readonly iterations: IterationsSection;
  readonly agents: readonly AgentRow[];
  readonly tasks: TasksSection;
  readonly calls: CallsSection;
}

/** How the state looks; the words are in `state`. */
export type StateKind = 'waiting' | 'running' | 'paused' | 'review' | 'complete' | 'limit' | 'stopped' | 'failed';

export interface HeadSection {
  readonly objective: string;
  readonly criteria: readonly { readonly text: string; readonly met: boolean | null }[];
  readonly kind: StateKind;
  /** One or a few words. */
  readonly state: string;
  /** One sentence on what the state is about, or empty. */
  readonly detail: string;
  readonly end: {
    readonly reason: string;
    readonly meaning: string;
    readonly detail: string;
    readonly next: string;
    readonly error: string | null;
  } | null;
  /** What the run is made with and when it began, for one line. */
  readonly facts: readonly string[];
  /** What can be done now; the first is the main thing to do, unless that is to stop. */
  readonly actions: readonly PanelAction[];
}

export interface ReviewSection {
  readonly digest: string;
  readonly title: string;
  readonly since: string;
  /** What happens if nobody answers. */
  readonly unattended: string;
  /** The reason in words. */
  readonly why: string;
  /** Files that wait to be written, where that is the reason. */
  readonly firstUse: readonly { readonly name: string; readonly content: string }[];
  /** Since the last review, and what it costs until the next one. */
  readonly happened: readonly string[];
  readonly done: readonly { readonly id: string; readonly text: string; readonly failed: boolean }[];
  readonly doneMore: number;
  readonly next: readonly { readonly id: string; readonly text: string }[];
  readonly nextMore: number;
  /** Null: it can be decided here. Else why not, or where. */
  readonly undecidable: string | null;
  /** In progress in another window, which can be asked. */
  readonly elsewhere: boolean;
}

export type SpendPart = 'settled' | 'held' | 'reserved' | 'free';

export interface ProgressSection {
  readonly spend: {
    /** Null where the provider accounts for the requests: then there is no amount. */
    readonly cap: string | null;
    readonly spent: string;
    /** `share` is the part of the cap, 0 to 1. */
    readonly parts: readonly { readonly part: SpendPart; readonly amount: string; readonly share: number }[];
    /** The amounts are what the model would cost. */
    readonly rehearsed: boolean;
  };
  /** Where the run goes: whether it fits into its limits, in words too. Null: it has ended, or nothing is known yet. */
  readonly projection: { readonly level: 'ok' | 'near' | 'over'; readonly text: string } | null;
  /** Of the limits that count requests and tokens, those that the run has. */
  readonly drawn: readonly {
    readonly limit: 'max_requests' | 'max_tokens';
    readonly used: number;
    readonly cap: number;
  }[];
  readonly iterations: { readonly done: number; readonly limit: number };
  /** Active time of the run when this was sent, milliseconds; `runs` says whether it goes on. */
  readonly time: { readonly activeMs: number; readonly limitMs: number; readonly runs: boolean };
  readonly queue: { readonly waiting: number; readonly next: string | null };
  /** What is being done right now, and for how long when this was sent. */
  readonly activity: { readonly text: string; readonly ms: number } | null;
  readonly counts: Readonly<Record<TaskGroup, number>>;
  readonly calls: number;
}

export interface HealthSection {
  /** How many iterations the figures are of. */
  readonly window: number;
  readonly created: number;
  readonly done: number;
  readonly suppressed: number;
  readonly repaired: number;
  readonly rejected: number;
  readonly failuresInARow: number;
  readonly strikes: number;
  readonly verdict: 'good' | 'watch' | 'poor' | 'unknown';
  /** The verdict in one sentence. */
  readonly words: string;
}

/** A stretch of iterations, `from` to `to`. Amounts are US dollars, times milliseconds. */
export interface IterationPoint {
  readonly from: number;
  readonly to: number;
  readonly cost: number;
  readonly costMax: number;
  readonly latency: number;
  readonly latencyMax: number;
  /** Tasks waiting after the last of them. */
  readonly queue: number;
  readonly failed: number;
}

export interface IterationsSection {
  /** At most MAX_POINTS, oldest first. Each is of `per` iterations; the last may be of fewer. */
  readonly points: readonly IterationPoint[];
  readonly per: number;
}

export interface AgentRow {
  readonly agent: string;
  readonly calls: number;
  readonly input: number;
  /** Part of `input`. */
  readonly cached: number;
  readonly output: number;
  readonly cost: string;
}

export interface TaskRow {
  /** Unique in the list; for a task its id. */
  readonly key: string;
  /** Null: suppressed, so it never became a task. */
  readonly taskId: string | null;
  readonly group: TaskGroup;
  readonly text: string;
  /** Who made it, in which iteration, and what became of it, in words. */
  readonly lineage: string;
  /** When it was made, UTC ISO 8601. */
  readonly at: string;
  /** Why it failed, was removed or was suppressed. */
  readonly why: string | null;
  /** Changes when what is behind the row does. */
  readonly version: string;
}

export interface TasksSection {
  readonly filter: TaskFilter;
  readonly total: number;
  readonly page: number;
  readonly pages: number;
  readonly rows: readonly TaskRow[];
}

export interface CallRow {
  readonly id: string;
  readonly at: string;
  readonly agent: string;
  readonly taskId: string | null;
  readonly iteration: number;
  readonly attempt: number;
  readonly model: string;
  readonly input: number | null;
  readonly output: number | null;
  readonly latencyMs: number | null;
  readonly cost: string;
  readonly status: 'reserved' | 'settled' | 'held' | 'released';
  readonly outcome: string;
}

export interface CallsSection {
  readonly total: number;
  readonly page: number;
  readonly pages: number;
  /** Newest first. */
  readonly rows: readonly CallRow[];
}

export interface CallDetail {
  readonly callId: string;
  /** The one that the rest belongs to. */
  readonly status: CallRow['status'];
  /** Null: it is still being made again from the log. */
  readonly request: CallRequest | null;
  /** `markdown`: a model wrote it as such. */
  readonly answer: { readonly text: string; readonly markdown: boolean } | null;
  readonly error: string | null;
  /** What else is to be said about the answer, in sentences. */
  readonly notes: readonly string[];
}

export interface CallRequest {
  readonly proof: 'same' | 'different' | 'not_possible';
  /** The proof in one sentence. */
  readonly words: string;
  /** `temperature 0`, in the words of the API. */
  readonly parameters: readonly string[];
  /** The texts of the request, in the order sent; `cut`: there is more. */
  readonly parts: readonly { readonly title: string; readonly text: string; readonly cut: boolean }[];
}

export interface TaskDetail {
  readonly taskId: string;
  readonly text: string;
  /** Markdown that a model wrote. */
  readonly result: string | null;
  /** Where the result was cut. */
  readonly note: string | null;
  /** What was done to the task, oldest first; null: it is still being read from the log. */
  readonly history: readonly HistoryLine[] | null;
}

export interface HistoryLine {
  /** UTC ISO 8601. */
  readonly at: string;
  readonly text: string;
}

export interface PanelAnswer {
  /** Markdown that a model wrote; null: none yet. */
  readonly markdown: string | null;
  readonly note: string;
}

/** The request, or null where it is not one: whatever else a page sends is dropped. */
export function parsePanelRequest(message: unknown): PanelRequest | null {
  const fields = record(message);
  const runId = fields && id(fields['runId']);
  if (fields === null || runId === null) return null;
  switch (fields['type']) {
    case 'ready':
    case 'view': {
      const view = parsePanelView(fields['view']);
      return view && { type: fields['type'], runId, view };
    }
    case 'action': {
      const action = oneOf(PANEL_ACTIONS, fields['action']);
      return action && { type: 'action', runId, action };
    }
    case 'decide': {
      const { digest } = fields;
      const decision = oneOf(REVIEW_DECISIONS, fields['decision']);
      if (decision === null || typeof digest !== 'string' || !/^[0-9a-f]{64}$/.test(digest)) return null;
      return { type: 'decide', runId, decision, digest };
    }
    case 'task': {
      const taskId = id(fields['taskId']);
      return taskId === null ? null : { type: 'task', runId, taskId };
    }
    case 'call': {
      const callId = id(fields['callId']);
      return callId === null ? null : { type: 'call', runId, callId };
    }
    case 'answer':
      return { type: 'answer', runId };
    default:
      return null;
  }
}

export function parsePanelView(value: unknown): PanelView | null {
  const fields = record(value);
  if (fields === null) return null;
  const tab = oneOf(PANEL_TABS, fields['tab']);
  const taskFilter = oneOf(TASK_FILTERS, fields['taskFilter']);
  const taskPage = pageNumber(fields['taskPage']);
  const callPage = pageNumber(fields['callPage']);
  if (tab === null || taskFilter === null || taskPage === null || callPage === null) return null;
  return { tab, taskFilter, taskPage, callPage };
}

function record(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
}

function id(value: unknown): string | null {
  return typeof value === 'string' && /^[\w.-]{1,64}$/.test(value) ? value : null;
}

function oneOf<Name extends string>(names: readonly Name[], value: unknown): Name | null {
  return names.find((name) => name === value) ?? null;
}

function pageNumber(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 1e6 ? value : null;
}
