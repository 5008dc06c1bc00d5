import { formatUsd, type Pico, picoFromUsd } from '../budget/money.ts';
import { counted } from '../run/drawn.ts';
import { isIncluded } from '../run/cost-words.ts';
import { aheadWords, happenedWords, reviewReport } from '../research/review-report.ts';
import { AGENTS } from '../run/format.ts';
import type { Agent } from '../run/events.ts';
import { firstReady, readyTasks } from '../run/queue.ts';
import { reviewDigest, waitingFiles } from '../run/review.ts';
import { type Call, ownCalls, type RunState, type Task } from '../run/state.ts';
import { endDetail, explainStop, isKeyLimit, isOnlyBlocked } from '../run/stop-reason.ts';
import { printable } from '../safety/text.ts';
import { chartPoints } from './panel-charts.ts';
import { l10n } from './panel-l10n.ts';
import { callsSection, tasksSection, visible } from './panel-lists.ts';
import { reviewReason } from '../research/review-reason.ts';
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
import { agentWord, amountWords, inWindow } from './panel-words.ts';
import { projectionWords } from './projection-words.ts';
import type { Whereabouts } from './run-registry.ts';

/** What the state of a run alone does not say. */
export interface Moment {
  /** Wall time, milliseconds. */
  readonly now: number;
  readonly activeMs: number;
  readonly where: Whereabouts;
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
      agents: agentsOf(state, ownCalls(state)),
    }),
    ...(view.tab === 'tasks' && { tasks: tasksSection(state, view) }),
    ...(view.tab === 'calls' && { calls: callsSection(state, calls, view) }),
  };
}

function headOf(state: RunState, moment: Moment): HeadSection {
  const { config, end } = state;
  return {
    objective: printable(config.objective, OBJECTIVE),
    criteria: config.acceptance_criteria.map((text, index) => ({
      text: printable(text, 400),
      met: state.judged?.met[index] ?? null,
    })),
    ...lookOf(state, moment),
    end: end && endingOf(end, state.review !== null, moment),
    facts: factsOf(state),
    actions: actionsOf(state, moment),
  };
}

function endingOf(end: NonNullable<RunState['end']>, waits: boolean, { where }: Moment): HeadSection['end'] {
  const { meaning, next } = explainStop(end, waits, l10n.t);
  // Nothing is said twice.
  const said = endDetail(end, inWindow());
  return {
    reason: end.reason,
    meaning,
    next: whyReadOnly(where) ?? next,
    detail: printable(said === meaning || end.reason === 'objective_complete' ? '' : said, 600),
    error: end.error && !isKeyLimit(end) && end.error.message !== end.detail ? printable(end.error.message, 600) : null,
  };
}

/** Why a run can only be looked at, or null where it can be gone on with. */
function whyReadOnly(where: Whereabouts): string | null {
  switch (where) {
    case 'imported':
      return l10n.t('The run came from an archive: it can be looked at and forked, not continued.');
    case 'trial':
    case 'trial_live':
      return l10n.t('The run is a trial of an experiment: it can be looked at; what goes on is the experiment.');
    case 'restricted':
      return l10n.t('This folder is in Restricted Mode: the run can be looked at. Trust the folder to go on with it.');
    case 'here':
    case 'elsewhere':
    case 'idle':
      return null;
    default:
      return where satisfies never;
  }
}

function factsOf({ config, epoch, raises }: RunState): string[] {
  const { provider, requested } = config.model;
  const model = provider === 'rehearsal' ? l10n.t('Rehearsal, no model asked') : printable(requested, 80);
  const facts = [model, l10n.t('{0} strategy', config.strategy)];
  if (epoch > 1) facts.push(epoch === 2 ? l10n.t('resumed once') : l10n.t('resumed {0} times', epoch - 1));
  const raised = raises.filter(({ type }) => type === 'limit.raised').length;
  if (raised > 0) facts.push(raised === 1 ? l10n.t('limits raised once') : l10n.t('limits raised {0} times', raised));
  const added = raises.length - raised;
  if (added > 0) facts.push(added === 1 ? l10n.t('1 limit added') : l10n.t('{0} limits added', added));
  return facts;
}

function lookOf(state: RunState, { where }: Moment): Pick<HeadSection, 'kind' | 'state' | 'detail'> {
  if (state.end) return { ...endLook(state.end), detail: '' };
  if (where === 'elsewhere') return elsewhereLook(state);
  if (where === 'trial_live') return { kind: 'running', state: l10n.t('Running'), detail: whyReadOnly(where) ?? '' };
  if (where !== 'here') {
    const detail =
      whyReadOnly(where) ?? l10n.t('Nobody is at it, and it has not ended. Resume it: no answer is bought twice.');
    return { kind: 'stopped', state: l10n.t('Interrupted'), detail };
  }
  switch (state.status) {
    case 'created':
      return { kind: 'waiting', state: l10n.t('Starting'), detail: '' };
    case 'review':
      return { kind: 'review', state: l10n.t('Waits for your review'), detail: '' };
    case 'paused': {
      const why = l10n.known(state.pausedWhy ?? '');
      if (state.money.reserved === 0n) return { kind: 'paused', state: l10n.t('Paused'), detail: why };
      const detail = `${why} ${l10n.t('The request under way is finished first.')}`.trim();
      return { kind: 'paused', state: l10n.t('Pausing'), detail };
    }
    case 'running':
    case 'ended':
      return { kind: 'running', state: l10n.t('Running'), detail: '' };
    default:
      return state.status satisfies never;
  }
}

function elsewhereLook({ status, pausedWhy }: RunState): Pick<HeadSection, 'kind' | 'state' | 'detail'> {
  const detail = l10n.t('It is in progress in another process.');
  if (status === 'review') return { kind: 'review', state: l10n.t('Waits for your review'), detail };
  if (pausedWhy !== null) return { kind: 'paused', state: l10n.t('Paused'), detail };
  return { kind: 'running', state: l10n.t('Running'), detail };
}

function endLook(end: NonNullable<RunState['end']>): { kind: StateKind; state: string } {
  switch (end.reason) {
    case 'objective_complete':
      return { kind: 'complete', state: l10n.t('Objective complete') };
    case 'queue_empty':
      return isOnlyBlocked(end)
        ? { kind: 'stopped', state: l10n.t('Only blocked tasks left') }
        : { kind: 'complete', state: l10n.t('All tasks done') };
    case 'max_iterations':
      return { kind: 'limit', state: l10n.t('Iteration limit reached') };
    case 'max_cost':
      return {
        kind: 'limit',
        state: isKeyLimit(end) ? l10n.t('Daily limit of the API key reached') : l10n.t('Cost limit reached'),
      };
    case 'max_requests':
      return { kind: 'limit', state: l10n.t('Request limit reached') };
    case 'max_tokens':
      return { kind: 'limit', state: l10n.t('Token limit reached') };
    case 'max_wall_time':
      return { kind: 'limit', state: l10n.t('Time limit reached') };
    case 'stopped_by_user':
      return { kind: 'stopped', state: l10n.t('Stopped') };
    case 'stopped_at_review':
      return { kind: 'stopped', state: l10n.t('Stopped at a review') };
    case 'stalled':
      return { kind: 'failed', state: l10n.t('Stalled') };
    case 'waiting_for_key':
      return { kind: 'failed', state: l10n.t('Waiting for an API key') };
    case 'disk_full':
      return { kind: 'failed', state: l10n.t('Disk full') };
    case 'quarantined':
      return { kind: 'failed', state: l10n.t('Quarantined') };
    case 'error':
      return { kind: 'failed', state: l10n.t('Ended by an error') };
    default:
      return end.reason satisfies never;
  }
}

/** What can work now, and nothing else. */
function actionsOf(state: RunState, { where }: Moment): PanelAction[] {
  const readOnly = whyReadOnly(where) !== null;
  const fork: PanelAction[] = where === 'imported' && state.iteration > 0 ? ['forkRun'] : [];
  if (state.end) return [...fork, ...afterEnd(state, endLook(state.end).kind, readOnly), 'openLog'];
  if (readOnly) return [...fork, 'openLog'];
  if (where === 'idle') return ['resume', 'openLog'];
  // The review has a card with its own controls.
  if (state.review) return ['stop', 'openLog'];
  const raise: PanelAction[] = where === 'here' ? ['raiseLimit'] : [];
  return [state.pausedWhy === null ? 'pause' : 'resume', 'stop', ...raise, 'openLog'];
}

function afterEnd(state: RunState, kind: StateKind, readOnly: boolean): PanelAction[] {
  const documents: PanelAction[] = [...(state.memory.size > 0 ? ['openAnswer' as const] : []), 'openSummaryDocument'];
  if (kind === 'complete' || readOnly) return documents;
  // More for this run would not help against the limit of its key.
  const raises = kind === 'limit' && !isKeyLimit(state.end);
  return [raises ? 'continue' : 'resume', ...documents];
}

function reviewOf(state: RunState, { where }: Moment): ReviewSection | null {
  const { review } = state;
  if (!review || state.end) return null;
  const since = state.iterations.filter((record) => record.iteration > state.reviewedAt);
  const recent = since.slice(-NEXT_SHOWN).reverse();
  const ready = readyTasks(state);
  const next = ready.slice(0, NEXT_SHOWN);
  const report = reviewReport(state);
  return {
    digest: reviewDigest(state),
    title:
      review.reason === 'first_use'
        ? l10n.t('Checkpoint review in iteration {0}', review.iteration + 1)
        : l10n.t('Checkpoint review after iteration {0}', review.iteration),
    since: review.since,
    unattended: unattended(state),
    why: printable(reviewReason(state, l10n.t), 600),
    firstUse: waitingFiles(state).map(({ name, content }) => ({
      name: printable(name, 200),
      content: visible(content.length > FILE_SHOWN ? `${content.slice(0, FILE_SHOWN)}\n…` : content.trimEnd()),
    })),
    happened: [...happenedWords(report, l10n.t), aheadWords(report.ahead, l10n.t)],
    done: recent.map((record) => ({ ...labelOf(state, record.taskId), failed: record.failed })),
    doneMore: since.length - recent.length,
    next: next.map((id) => labelOf(state, id)),
    nextMore: ready.length - next.length,
    undecidable: whyUndecidable(where),
    elsewhere: where === 'elsewhere',
  };
}

function whyUndecidable(where: Whereabouts): string | null {
  if (where === 'here') return null;
  if (where === 'elsewhere') return l10n.t('The run is in progress in another process, which is asked.');
  return whyReadOnly(where) ?? l10n.t('Resume the run in this window to decide here.');
}

function unattended({ config }: RunState): string {
  const { action, after_minutes: minutes } = config.loop.unattended_review;
  switch (action) {
    case 'wait':
      return l10n.t('Nothing is spent until you answer.');
    case 'continue':
      return minutes === 1
        ? l10n.t('Without an answer it goes on after 1 minute.')
        : l10n.t('Without an answer it goes on after {0} minutes.', minutes);
    case 'stop':
      return minutes === 1
        ? l10n.t('Without an answer it is stopped after 1 minute.')
        : l10n.t('Without an answer it is stopped after {0} minutes.', minutes);
    default:
      return action satisfies never;
  }
}

function labelOf(state: RunState, id: string): { id: string; text: string } {
  return { id, text: printable(state.tasks.get(id)?.text ?? '', LABEL) };
}

function progressOf(state: RunState, calls: readonly Call[], moment: Moment): ProgressSection {
  const { money, limits } = state;
  const cap = picoFromUsd(limits.max_cost_usd);
  const next = firstReady(state);
  const part = (name: SpendPart, amount: Pico) => ({
    part: name,
    // What is left is never more than it seems.
    amount: formatUsd(amount, name === 'free' ? 'down' : 'nearest'),
    share: shareOf(amount, cap),
  });
  return {
    spend: {
      cap: isIncluded(state.config) ? null : formatUsd(cap),
      spent: amountWords(state.config, money.settled + money.held),
      parts: [
        part('settled', money.settled),
        part('held', money.held),
        part('reserved', money.reserved),
        part('free', freeOf(state, cap)),
      ],
      rehearsed: state.config.model.provider === 'rehearsal',
    },
    projection: projectionWords(state, moment.activeMs),
    drawn: counted(state),
    iterations: { done: state.iteration, limit: limits.max_iterations },
    time: {
      activeMs: Math.round(moment.activeMs),
      limitMs: limits.max_wall_time_minutes * 60_000,
      runs: isAtWork(state, moment),
    },
    queue: {
      waiting: readyTasks(state).length,
      next: next === undefined ? null : printable(state.tasks.get(next)?.text ?? '', LABEL),
    },
    activity: isAtWork(state, moment) ? activityOf(state, calls, moment.now) : null,
    counts: countTasks(state),
    calls: calls.length,
  };
}

function isAtWork({ end }: RunState, { where }: Moment): boolean {
  return end === null && (where === 'here' || where === 'trial_live');
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
    const agent = agentWord(open.agent);
    const doing = open.attempt > 1 ? l10n.t('{0}, attempt {1}', agent, open.attempt) : agent;
    return { text: join(doing, about), ms: since(open.reservedAt) };
  }
  if (state.status !== 'running') return null;
  const last = calls.at(-1);
  if (task && last?.error && last.iteration === state.current?.iteration && last.status !== 'settled') {
    return {
      text: join(
        l10n.t('Waits before it tries again: {0}', agentWord(last.agent)),
        printable(last.error.message, LABEL),
      ),
      ms: since(state.updatedAt),
    };
  }
  return task ? { text: join(l10n.t('At work'), about), ms: since(state.updatedAt) } : null;
}

function join(what: string, about: string): string {
  return about === '' ? what : `${what} · ${about}`;
}

function countTasks(state: RunState): Record<TaskGroup, number> {
  const suppressed = state.suppressed.length;
  const counts = { running: 0, pending: 0, blocked: 0, done: 0, failed: 0, removed: 0, suppressed };
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
  const { failuresInARow, strikes } = health;
  if (failuresInARow >= 2) return { verdict: 'poor', words: l10n.t('{0} tasks failed in a row.', failuresInARow) };
  if (strikes >= 2) return { verdict: 'poor', words: l10n.t('{0} planning replies in a row were unusable.', strikes) };
  if (health.window < 3) return { verdict: 'unknown', words: l10n.t('Too early to say.') };
  if (health.repaired + health.rejected > health.window / 4)
    return { verdict: 'watch', words: l10n.t('Many replies had to be repaired or were unusable.') };
  if (health.suppressed > health.created)
    return { verdict: 'watch', words: l10n.t('Most new tasks repeat old ones: the loop turns in circles.') };
  if (health.created > 2 * health.done)
    return { verdict: 'watch', words: l10n.t('Tasks are made faster than they are done.') };
  return { verdict: 'good', words: l10n.t('The loop makes progress.') };
}

function agentsOf({ config }: RunState, calls: readonly Call[]): AgentRow[] {
  const sums = new Map<Agent, { calls: number; input: number; cached: number; output: number; cost: Pico }>();
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
    return sum ? [{ agent: agentWord(agent), ...sum, cost: amountWords(config, sum.cost) }] : [];
  });
}

function total<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}
