import { formatUsd, type Pico, picoFromUsd } from '../budget/money.ts';
import { costWords, isIncluded } from '../run/cost-words.ts';
import { aheadWords, happenedWords, reviewReport } from '../research/review-report.ts';
import { AGENTS } from '../run/format.ts';
import { reviewDigest, reviewPlace, waitingFiles } from '../run/review.ts';
import type { Call, RunState, Task } from '../run/state.ts';
import { explainStop, type StopReason } from '../run/stop-reason.ts';
import { printable } from '../safety/text.ts';
import { chartPoints } from './panel-charts.ts';
import { callsSection, tasksSection, visible } from './panel-lists.ts';
import type {
  AgentRow,
  HeadSection,
  HealthSection,
  PanelAction,
  PanelSections,
  PanelView,
  ProgressSection,
  ReviewSection,
  SpendPart,
  StateKind,
  TaskGroup,
} from './panel-messages.ts';

/** What the state of a run alone does not say. */
export interface Moment {
  /** Wall time, milliseconds. */
  readonly now: number;
  readonly activeMs: number;
  /** The run is in progress in this window. */
  readonly here: boolean;
}

const LABEL = 160;
const OBJECTIVE = 2000;
const NEXT_SHOWN = 5;
/** Characters of a file that waits to be written. */
const FILE_SHOWN = 8000;
const HEALTH_WINDOW = 20;

/** All that the panel shows of a run in this view; lists that the view does not show are left out. */
export function panelSections(state: RunState, view: PanelView, moment: Moment): Partial<PanelSections> {
  const calls = [...state.calls.values()];
  return {
    head: headOf(state, moment),
    review: reviewOf(state, moment),
    progress: progressOf(state, calls, moment),
    ...(view.tab === 'overview' && {
      health: healthOf(state),
      iterations: chartPoints(state.iterations),
      agents: agentsOf(state, calls),
    }),
    ...(view.tab === 'tasks' && { tasks: tasksSection(state, view) }),
    ...(view.tab === 'calls' && { calls: callsSection(state, calls, view) }),
  };
}

function headOf(state: RunState, moment: Moment): HeadSection {
  const { config, end } = state;
  const { provider, requested } = config.model;
  const explained = end && explainStop(end.reason, end.error);
  return {
    objective: printable(config.objective, OBJECTIVE),
    criteria: config.acceptance_criteria.map((text, index) => ({
      text: printable(text, 400),
      met: state.judged?.met[index] ?? null,
    })),
    ...lookOf(state, moment),
    end: end &&
      explained && {
        reason: end.reason,
        ...explained,
        detail: printable(end.detail, 600),
        error: end.error && end.error.message !== end.detail ? printable(end.error.message, 600) : null,
      },
    facts: [
      provider === 'rehearsal' ? 'Rehearsal, no model asked' : printable(requested, 80),
      `${config.strategy} strategy`,
      ...(state.epoch > 1 ? [`taken up ${state.epoch - 1} ${state.epoch === 2 ? 'time' : 'times'}`] : []),
      ...(state.raises.length > 0
        ? [`limits raised ${state.raises.length} ${state.raises.length === 1 ? 'time' : 'times'}`]
        : []),
    ],
    actions: actionsOf(state, moment),
  };
}

function lookOf(state: RunState, { here }: Moment): Pick<HeadSection, 'kind' | 'state' | 'detail'> {
  if (state.end) return { ...endLook(state.end.reason), detail: '' };
  if (!here) {
    return {
      kind: 'stopped',
      state: 'Not in progress here',
      detail: 'It was interrupted, or another window goes on with it.',
    };
  }
  switch (state.status) {
    case 'created':
      return { kind: 'waiting', state: 'Starting', detail: '' };
    case 'review':
      return { kind: 'review', state: 'Waits for your review', detail: '' };
    case 'paused': {
      const why = state.pausedWhy ?? '';
      return state.money.reserved > 0n
        ? { kind: 'paused', state: 'Pausing', detail: `${why} The request under way is finished first.`.trim() }
        : { kind: 'paused', state: 'Paused', detail: why };
    }
    case 'running':
    case 'ended':
      return { kind: 'running', state: 'Running', detail: '' };
  }
}

function endLook(reason: StopReason): { kind: StateKind; state: string } {
  switch (reason) {
    case 'objective_complete':
      return { kind: 'complete', state: 'Objective complete' };
    case 'queue_empty':
      return { kind: 'complete', state: 'All tasks done' };
    case 'max_iterations':
      return { kind: 'limit', state: 'Iteration limit reached' };
    case 'max_cost':
      return { kind: 'limit', state: 'Cost limit reached' };
    case 'max_wall_time':
      return { kind: 'limit', state: 'Time limit reached' };
    case 'stopped_by_user':
      return { kind: 'stopped', state: 'Stopped' };
    case 'stopped_at_review':
      return { kind: 'stopped', state: 'Stopped at a review' };
    case 'stalled':
      return { kind: 'failed', state: 'Stalled' };
    case 'waiting_for_key':
      return { kind: 'failed', state: 'Waiting for an API key' };
    case 'disk_full':
      return { kind: 'failed', state: 'Disk full' };
    case 'quarantined':
      return { kind: 'failed', state: 'Quarantined' };
    case 'error':
      return { kind: 'failed', state: 'Ended by an error' };
  }
}

function actionsOf(state: RunState, { here }: Moment): PanelAction[] {
  if (state.end) return [...afterEnd(endLook(state.end.reason).kind), 'openLog'];
  if (!here) return ['resume', 'openLog'];
  // The review has a card with its own controls.
  if (state.review) return ['stop', 'openLog'];
  return [state.pausedWhy === null ? 'pause' : 'resume', 'stop', 'openLog'];
}

function afterEnd(kind: StateKind): PanelAction[] {
  const documents: PanelAction[] = ['openAnswer', 'openSummaryDocument'];
  if (kind === 'complete') return documents;
  return [kind === 'limit' ? 'continue' : 'resume', ...documents];
}

function reviewOf(state: RunState, { here }: Moment): ReviewSection | null {
  const { review } = state;
  if (!review || state.end) return null;
  const since = state.iterations.filter((record) => record.iteration > state.reviewedAt);
  const recent = since.slice(-NEXT_SHOWN).reverse();
  const next = state.pending.slice(0, NEXT_SHOWN);
  const report = reviewReport(state);
  return {
    digest: reviewDigest(state),
    place: reviewPlace(review),
    since: review.since,
    unattended: unattended(state),
    why: printable(review.why, 600),
    firstUse: waitingFiles(state).map(({ name, content }) => ({
      name: printable(name, 200),
      content: visible(content.length > FILE_SHOWN ? `${content.slice(0, FILE_SHOWN)}\n…` : content.trimEnd()),
    })),
    happened: [...happenedWords(report), aheadWords(report.ahead)],
    done: recent.map((record) => ({ ...labelOf(state, record.taskId), failed: record.failed })),
    doneMore: since.length - recent.length,
    next: next.map((id) => labelOf(state, id)),
    nextMore: state.pending.length - next.length,
    decidable: here,
  };
}

function unattended({ config }: RunState): string {
  const { action, after_minutes: minutes } = config.loop.unattended_review;
  const time = `${minutes} ${minutes === 1 ? 'minute' : 'minutes'}`;
  switch (action) {
    case 'wait':
      return 'Nothing is spent until you answer.';
    case 'continue':
      return `Without an answer it goes on after ${time}.`;
    case 'stop':
      return `Without an answer it is stopped after ${time}.`;
  }
}

function labelOf(state: RunState, id: string): { id: string; text: string } {
  return { id, text: printable(state.tasks.get(id)?.text ?? '', LABEL) };
}

function progressOf(state: RunState, calls: readonly Call[], moment: Moment): ProgressSection {
  const { money, limits } = state;
  const cap = picoFromUsd(limits.max_cost_usd);
  const part = (name: SpendPart, amount: Pico) => ({
    part: name,
    amount: formatUsd(amount),
    share: shareOf(amount, cap),
  });
  return {
    spend: {
      cap: isIncluded(state.config) ? null : formatUsd(cap),
      spent: costWords(state.config, money.settled + money.held),
      parts: [
        part('settled', money.settled),
        part('held', money.held),
        part('reserved', money.reserved),
        part('free', freeOf(state, cap)),
      ],
    },
    iterations: { done: state.iteration, limit: limits.max_iterations },
    time: {
      activeMs: Math.round(moment.activeMs),
      limitMs: limits.max_wall_time_minutes * 60_000,
      runs: moment.here && !state.end,
    },
    queue: {
      waiting: state.pending.length,
      next: state.pending[0] === undefined ? null : printable(state.tasks.get(state.pending[0])?.text ?? '', LABEL),
    },
    activity: moment.here && !state.end ? activityOf(state, calls, moment.now) : null,
    counts: countTasks(state),
    calls: calls.length,
  };
}

function freeOf({ money }: RunState, cap: Pico): Pico {
  const free = cap - money.settled - money.held - money.reserved;
  return free > 0n ? free : 0n;
}

function shareOf(amount: Pico, cap: Pico): number {
  return cap === 0n ? 0 : Math.min(1, Number((amount * 10_000n) / cap) / 10_000);
}

function activityOf(state: RunState, calls: readonly Call[], now: number): ProgressSection['activity'] {
  const since = (at: string) => Math.max(0, now - Date.parse(at));
  const open = calls.findLast(({ status }) => status === 'reserved');
  const task = state.current && state.tasks.get(state.current.taskId);
  const about = task ? `${task.id}: ${printable(task.text, LABEL)}` : '';
  if (open) {
    const attempt = open.attempt > 1 ? `, attempt ${open.attempt}` : '';
    return { text: join(`${sentence(open.agent)}${attempt}`, about), ms: since(open.reservedAt) };
  }
  if (state.status !== 'running') return null;
  const last = calls.at(-1);
  if (task && last?.error && last.iteration === state.current?.iteration && last.status !== 'settled') {
    return {
      text: join(`Waits before it tries ${last.agent} again`, printable(last.error.message, LABEL)),
      ms: since(state.updatedAt),
    };
  }
  return task ? { text: join('At work', about), ms: since(state.updatedAt) } : null;
}

function join(what: string, about: string): string {
  return about === '' ? what : `${what} · ${about}`;
}

function countTasks(state: RunState): Record<TaskGroup, number> {
  const counts = { running: 0, pending: 0, done: 0, failed: 0, removed: 0, suppressed: state.suppressed.length };
  for (const { state: group } of state.tasks.values() as Iterable<Task>) counts[group] += 1;
  return counts;
}

function healthOf(state: RunState): HealthSection {
  const recent = state.iterations.slice(-HEALTH_WINDOW);
  const figures = {
    window: recent.length,
    created: total(recent, (record) => record.created),
    done: recent.filter((record) => !record.failed).length,
    suppressed: total(recent, (record) => record.suppressed),
    repaired: recent.filter((record) => record.repaired).length,
    rejected: recent.filter((record) => record.rejected).length,
    failuresInARow: state.failuresInARow,
    strikes: state.strikes,
  };
  return { ...figures, ...verdictOn(figures) };
}

function verdictOn(health: Omit<HealthSection, 'verdict' | 'words'>): Pick<HealthSection, 'verdict' | 'words'> {
  if (health.failuresInARow >= 2) return { verdict: 'poor', words: `${health.failuresInARow} tasks failed in a row.` };
  if (health.strikes >= 2)
    return { verdict: 'poor', words: `${health.strikes} planning replies in a row were unusable.` };
  if (health.window < 3) return { verdict: 'unknown', words: 'Too early to say.' };
  if (health.repaired + health.rejected > health.window / 4) {
    return { verdict: 'watch', words: 'Many replies had to be repaired or were unusable.' };
  }
  if (health.suppressed > health.created)
    return { verdict: 'watch', words: 'Most new tasks repeat old ones: the loop turns in circles.' };
  if (health.created > 2 * health.done) return { verdict: 'watch', words: 'Tasks are made faster than they are done.' };
  return { verdict: 'good', words: 'The loop makes progress.' };
}

function agentsOf({ config }: RunState, calls: readonly Call[]): AgentRow[] {
  const sums = new Map<string, { calls: number; input: number; cached: number; output: number; cost: Pico }>();
  for (const call of calls) {
    let sum = sums.get(call.agent);
    if (!sum) {
      sum = { calls: 0, input: 0, cached: 0, output: 0, cost: 0n };
      sums.set(call.agent, sum);
    }
    sum.calls += 1;
    sum.input += call.inputTokens;
    sum.cached += call.cachedTokens;
    sum.output += call.outputTokens;
    sum.cost += call.cost;
  }
  return AGENTS.flatMap((agent) => {
    const sum = sums.get(agent);
    return sum ? [{ agent, ...sum, cost: costWords(config, sum.cost) }] : [];
  });
}

function total<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}

function sentence(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}
