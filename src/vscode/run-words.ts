import * as vscode from 'vscode';
import { duration } from '../run/duration.ts';
import type { Agent } from '../run/events.ts';
import type { Call, TaskState } from '../run/state.ts';
import { printable } from '../safety/text.ts';
import { type RunBrief, spentWords } from './run-brief.ts';
import { type Arrangement, type Grouping, localDay, type RunFilter } from './runs-filter.ts';
import { stopLabel } from './stop-label.ts';

/** `running`, `waits for review`, `ended: The iteration limit was reached.`: the state of a run in words. */
export function statusWords({ status, stopReason, byKeyLimit, onlyBlocked }: RunBrief): string {
  switch (status) {
    case 'running':
      return vscode.l10n.t('running');
    case 'paused':
      return vscode.l10n.t('paused');
    case 'review':
      return vscode.l10n.t('waits for review');
    case 'interrupted':
      return vscode.l10n.t('interrupted');
    case 'elsewhere':
      return vscode.l10n.t('in progress in another process');
    case 'review_elsewhere':
      return vscode.l10n.t('waits for review in another process');
    case 'ended':
      if (byKeyLimit) return vscode.l10n.t('daily limit of the API key');
      if (onlyBlocked) return vscode.l10n.t('only blocked tasks left');
      return stopReason === null ? vscode.l10n.t('ended') : stopLabel(stopReason);
    default:
      return status satisfies never;
  }
}

/** `paused · 3/20 · $0.0123 of $1.00`: how a run stands. */
export function standingWords(brief: RunBrief, live: boolean): string {
  return [statusWords(brief), ...figuresOf(brief, live)].join(' · ');
}

/** `3/20`, `$0.0123 of $1.00`, `12 min`; nothing where only the log would tell. */
export function figuresOf(brief: RunBrief, live: boolean): string[] {
  if (brief.activeMs === null) return [];
  return [
    vscode.l10n.t('{0}/{1}', brief.iterations, brief.maxIterations),
    spentWords(brief),
    ...(live ? [duration(brief.activeMs, 'coarse')] : []),
  ];
}

/** What a screen reader says of a run. */
export function spokenRun(brief: RunBrief, objective: string): string {
  if (brief.activeMs === null) return vscode.l10n.t('Run {0}, {1}.', objective, statusWords(brief));
  const ended = brief.stopWords === null ? '' : ` ${brief.stopWords.meaning}`;
  return vscode.l10n.t(
    'Run {0}, {1}.{2} Iteration {3} of {4}, {5}',
    objective,
    statusWords(brief),
    ended,
    brief.iterations,
    brief.maxIterations,
    brief.included ? spentWords(brief) : vscode.l10n.t('{0} spent', spentWords(brief)),
  );
}

/** `live`: its run is in progress; else the task in hand waits for it to be resumed. */
export function taskStateWords(state: TaskState, live = true): string {
  switch (state) {
    case 'pending':
      return vscode.l10n.t('waiting');
    case 'blocked':
      return vscode.l10n.t('blocked');
    case 'running':
      return live ? vscode.l10n.t('running') : vscode.l10n.t('begun');
    case 'done':
      return vscode.l10n.t('done');
    case 'failed':
      return vscode.l10n.t('failed');
    case 'removed':
      return vscode.l10n.t('removed');
    default:
      return state satisfies never;
  }
}

/** What an agent does, as the name of a call. */
export function agentWords(agent: Agent): string {
  switch (agent) {
    case 'execution':
      return vscode.l10n.t('Execution');
    case 'creation':
      return vscode.l10n.t('Task creation');
    case 'prioritization':
      return vscode.l10n.t('Prioritization');
    case 'planning':
      return vscode.l10n.t('Planning');
    case 'repair':
      return vscode.l10n.t('Repair of a reply');
    case 'judge':
      return vscode.l10n.t('Judging the objective');
    case 'synthesis':
      return vscode.l10n.t('Closing answer');
    case 'embedding':
      return vscode.l10n.t('Embedding');
    default:
      return agent satisfies never;
  }
}

/** `live`: the run of the call is in progress. */
export function callOutcomeWords(
  { status, finishReason }: Pick<Call, 'status' | 'finishReason'>,
  live: boolean,
): string {
  switch (status) {
    case 'reserved':
      return live ? vscode.l10n.t('under way') : vscode.l10n.t('without an outcome');
    case 'settled':
      return finishReason === 'length' ? vscode.l10n.t('answered, cut off') : vscode.l10n.t('answered');
    case 'held':
      return vscode.l10n.t('outcome unknown');
    case 'released':
      return vscode.l10n.t('failed');
    default:
      return status satisfies never;
  }
}

export function filterWords(filter: RunFilter): string {
  switch (filter) {
    case 'all':
      return vscode.l10n.t('All runs');
    case 'live':
      return vscode.l10n.t('In progress');
    case 'well':
      return vscode.l10n.t('Ended well');
    case 'attention':
      return vscode.l10n.t('Needs a person');
    case 'imported':
      return vscode.l10n.t('Imported');
    default:
      return filter satisfies never;
  }
}

export function groupingWords(grouping: Grouping): string {
  switch (grouping) {
    case 'none':
      return vscode.l10n.t('No groups');
    case 'state':
      return vscode.l10n.t('By state');
    case 'day':
      return vscode.l10n.t('By day');
    default:
      return grouping satisfies never;
  }
}

/** The name of a group of runs: how they stand, or the day on which they began. */
export function groupWords(key: string, today: string): string {
  switch (key) {
    case 'live':
    case 'well':
    case 'attention':
    case 'imported':
      return filterWords(key);
    case 'stopped':
      return vscode.l10n.t('Stopped');
    case 'unknown':
      return vscode.l10n.t('Of an unknown day');
    default:
      return dayWords(key, today);
  }
}

function dayWords(day: string, today: string): string {
  // Noon, where no clock change moves the day.
  const noon = (of: string) => new Date(`${of}T12:00:00`);
  if (day === today) return vscode.l10n.t('Today');
  const before = noon(today);
  before.setDate(before.getDate() - 1);
  if (day === localDay(before)) return vscode.l10n.t('Yesterday');
  return new Intl.DateTimeFormat(vscode.env.language, { dateStyle: 'full' }).format(noon(day));
}

/** `In progress · “garden” · By day`; empty where nothing was chosen. */
export function arrangementWords({ filter, text, grouping }: Arrangement): string {
  const parts = [
    ...(filter === 'all' ? [] : [filterWords(filter)]),
    ...(text === '' ? [] : [`“${printable(text, 40)}”`]),
    ...(grouping === 'none' ? [] : [groupingWords(grouping)]),
  ];
  return parts.join(' · ');
}
