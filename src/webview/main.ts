import { l10n, type Texts } from '../vscode/panel-l10n.ts';
import {
  PANEL_ACTIONS,
  PANEL_TABS,
  REVIEW_DECISIONS,
  type CallDetail,
  type PanelAnswer,
  type PanelReply,
  type PanelRequest,
  type PanelSections,
  type PanelView,
  TASK_FILTERS,
  type TaskDetail,
} from '../vscode/panel-messages.ts';
import type { Hover } from './charts.ts';
import { merge } from './dom.ts';
import { panel } from './panel.ts';
import { tabAfterKey } from './tabs.ts';
import { fold, restoreUiState, type UiState } from './ui-state.ts';

declare function acquireVsCodeApi(): {
  postMessage(message: PanelRequest): void;
  getState(): unknown;
  setState(state: UiState): void;
};

const api = acquireVsCodeApi();
const runId = document.body.dataset['runId'] ?? '';
const texts = JSON.parse(document.body.dataset['texts'] ?? 'null') as Texts | null;
l10n.use(texts ?? undefined, document.documentElement.lang);
const root = document.createElement('main');
document.body.append(root);

let ui = restoreUiState(api.getState(), runId);
let sections: Partial<PanelSections> = {};
let answer: PanelAnswer | null = null;
let problem: string | null = null;
/** Why the run is not there to be shown; empty where nobody knows. */
let gone: string | null = null;
let hover: Hover | null = null;
let progressAt = performance.now();
let restored = false;
/** Of the tasks and calls that are unfolded: the version of the row that the detail belongs to. */
const asked = new Map<string, string>();
const details = new Map<string, TaskDetail>();
const callDetails = new Map<string, CallDetail>();
let frame = 0;

function draw(): void {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    const focused = document.activeElement;
    merge(
      root,
      panel({
        ui,
        sections,
        details,
        callDetails,
        answer,
        problem,
        gone,
        hover,
        sinceMs: performance.now() - progressAt,
      }),
    );
    // A row that has moved in its list loses the focus.
    if (focused instanceof HTMLElement && focused.isConnected && focused !== document.activeElement) {
      focused.focus({ preventScroll: true });
    }
    if (!restored && sections.head) {
      restored = true;
      window.scrollTo(0, ui.scroll);
    }
  });
}

function save(changes: Partial<UiState>): void {
  ui = { ...ui, ...changes };
  api.setState(ui);
}

function receive(reply: PanelReply): void {
  switch (reply.type) {
    case 'sections':
      if (reply.sections.progress) progressAt = performance.now();
      if (reply.sections.head?.end && !sections.head?.end && ui.view.tab === 'answer') askAnswer();
      gone = null;
      sections = { ...sections, ...reply.sections };
      askDetails();
      break;
    case 'task':
      // The history comes later: until then the one from before is shown.
      details.set(reply.detail.taskId, withHistory(reply.detail));
      break;
    case 'call': {
      const { callId, request } = reply.detail;
      // A request never changes: the one that was made before is shown until it is made anew.
      callDetails.set(callId, { ...reply.detail, request: request ?? callDetails.get(callId)?.request ?? null });
      break;
    }
    case 'answer':
      answer = reply.answer;
      break;
    case 'problem':
      problem = reply.text;
      break;
    case 'gone':
      gone = reply.why ?? '';
      break;
  }
  draw();
}

function withHistory(detail: TaskDetail): TaskDetail {
  return { ...detail, history: detail.history ?? details.get(detail.taskId)?.history ?? null };
}

/** Asks for what is unfolded and on this page, and not known as it is now. */
function askDetails(): void {
  for (const { taskId, version } of sections.tasks?.rows ?? []) {
    if (taskId !== null && isToAsk(`task/${taskId}`, version)) api.postMessage({ type: 'task', runId, taskId });
  }
  for (const { id, status } of sections.calls?.rows ?? []) {
    if (isToAsk(`call/${id}`, status)) api.postMessage({ type: 'call', runId, callId: id });
  }
}

function isToAsk(what: string, version: string): boolean {
  if (!ui.unfolded.includes(what) || asked.get(what) === version) return false;
  asked.set(what, version);
  return true;
}

/** What is folded is asked for anew when it is unfolded: requests and answers are long. */
function forget(what: string): void {
  if (!what.startsWith('call/') || ui.unfolded.includes(what)) return;
  asked.delete(what);
  callDetails.delete(what.slice('call/'.length));
}

function askAnswer(): void {
  api.postMessage({ type: 'answer', runId });
}

function changeView(changes: Partial<PanelView>): void {
  save({ view: { ...ui.view, ...changes } });
  api.postMessage({ type: 'view', runId, view: ui.view });
  if (changes.tab === 'answer') askAnswer();
  draw();
}

function act({ dataset }: HTMLElement): void {
  switch (dataset['do'] ?? '') {
    case 'action': {
      const action = PANEL_ACTIONS.find((each) => each === dataset['action']);
      problem = null;
      if (action) api.postMessage({ type: 'action', runId, action });
      break;
    }
    case 'decide': {
      const decision = REVIEW_DECISIONS.find((each) => each === dataset['decision']);
      problem = null;
      if (decision) api.postMessage({ type: 'decide', runId, decision, digest: dataset['digest'] ?? '' });
      break;
    }
    case 'tab': {
      const tab = PANEL_TABS.find((each) => each === dataset['tab']);
      if (tab) changeView({ tab });
      break;
    }
    case 'filter': {
      const taskFilter = TASK_FILTERS.find((each) => each === dataset['filter']);
      if (taskFilter) changeView({ taskFilter, taskPage: 0 });
      break;
    }
    case 'page': {
      const page = Number(dataset['page']);
      changeView(dataset['list'] === 'callPage' ? { callPage: page } : { taskPage: page });
      break;
    }
    case 'unfold': {
      const what = dataset['what'] ?? '';
      save(fold(ui, what, !ui.unfolded.includes(what)));
      forget(what);
      askDetails();
      break;
    }
    case 'dismiss':
      problem = null;
      break;
  }
  draw();
}

function pointAt(event: PointerEvent): void {
  const chart = event.target instanceof Element ? event.target.closest('[data-chart]') : null;
  const before = hover;
  if (chart) {
    const { left, width } = chart.getBoundingClientRect();
    hover = { chart: chart.getAttribute('data-chart') ?? '', at: (event.clientX - left) / width };
  } else {
    hover = null;
  }
  if (hover !== before) draw();
}

document.addEventListener('click', (event) => {
  const control = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-do]') : null;
  if (control && control.getAttribute('aria-disabled') !== 'true') act(control);
});
document.addEventListener('keydown', (event) => {
  const { dataset } = event.target instanceof HTMLElement ? event.target : document.body;
  const tab = PANEL_TABS.find((each) => each === dataset['tab']);
  const next = tab && tabAfterKey(tab, event.key);
  if (!next) return;
  event.preventDefault();
  changeView({ tab: next });
  document.getElementById(`tab-${next}`)?.focus();
});
document.addEventListener(
  'toggle',
  (event) => {
    if (!(event.target instanceof HTMLDetailsElement)) return;
    save(fold(ui, event.target.dataset['what'] ?? '', event.target.open));
    draw();
  },
  true,
);
document.addEventListener('pointermove', pointAt);
document.addEventListener('pointerleave', () => {
  hover = null;
  draw();
});
let saving = 0;
document.addEventListener('scroll', () => {
  window.clearTimeout(saving);
  saving = window.setTimeout(() => save({ scroll: window.scrollY }), 200);
});
// The host is the only one who can post here: the page has no frames and loads nothing.
window.addEventListener('message', (event: MessageEvent<PanelReply>) => receive(event.data));
setInterval(() => {
  if (sections.progress?.time.runs === true) draw();
}, 1000);

api.setState(ui);
api.postMessage({ type: 'ready', runId, view: ui.view });
if (ui.view.tab === 'answer') askAnswer();
draw();
