import { formatUsd, picoFromUsd } from '../budget/money.ts';
import { INCLUDED } from '../run/cost-words.ts';
import type { RunEvent, UnknownEvent } from '../run/events.ts';
import { printable } from '../safety/text.ts';
import { reviewPlace } from '../run/review.ts';
import { l10n } from './panel-l10n.ts';

/** Characters of a column. */
const LONGEST = 240;

/** The line above all others: what stands where. */
export function logHeading(): string {
  return row(l10n.t('time (UTC)'), l10n.t('event'), l10n.t('task'), l10n.t('agent'), l10n.t('cost'), l10n.t('what'));
}

const STAMP = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d\.\d{3})Z$/;

/** The day of an event (UTC), as the log has it; empty where it has none. */
export function dayOf(event: RunEvent | UnknownEvent): string {
  const ts = event.type === 'unknown' ? event.raw['ts'] : event.ts;
  return (typeof ts === 'string' && STAMP.exec(ts)?.[1]) || '';
}

/** The lines with a line for each day above those of it: a time alone is short, and a run may go on for days. */
export function withDays(lines: readonly { readonly day: string; readonly text: string }[]): string[] {
  return lines.flatMap(({ day, text }, at) => (day === '' || day === lines[at - 1]?.day ? [text] : [day, text]));
}

/**
 * An event as one line: time, event, task, agent, cost, what happened. Money that is only reserved is in the last column.
 * `included`: somebody else accounts for the requests of the run, at a price that is not known here.
 */
export function logLine(event: RunEvent | UnknownEvent, included: boolean): string {
  if (event.type === 'unknown') {
    const { ts, type } = event.raw;
    const known = (value: unknown) => (typeof value === 'string' ? value : '');
    return row(timeOfDay(known(ts)), known(type), '', '', '', l10n.t('This event is of a later version.'));
  }
  const task = 'task_id' in event ? (event.task_id ?? '') : '';
  const agent = 'agent' in event ? event.agent : '';
  const cost = !('cost_usd' in event) ? '' : included ? l10n.known(INCLUDED) : usd(event.cost_usd);
  return row(timeOfDay(event.ts), event.type, task, agent, cost, whatOf(event, included));
}

export interface Fold {
  /** Line numbers from 0. */
  readonly first: number;
  readonly last: number;
}

/** One fold for each iteration: from the start of its task to the line before the next one starts. */
export function foldsOf(lines: readonly string[]): Fold[] {
  const starts = lines.flatMap((line, at) => (/^\S+ +task\.started /.test(line) ? [at] : []));
  const end = lines.findLastIndex((line) => line !== '');
  return starts
    .map((first, index) => ({ first, last: (starts[index + 1] ?? end + 1) - 1 }))
    .filter(({ first, last }) => last > first);
}

/** The line, from 0, with the outcome of a call, or else with its reservation; -1 where there is none. */
export function lineOfCall(lines: readonly string[], callId: string): number {
  const isOf = (line: string) => {
    // Only columns are two blanks apart.
    const what = line.slice(line.lastIndexOf('  ') + 2);
    return /^\S+ +call\./.test(line) && what.startsWith(callId) && /^[,:]/.test(what.slice(callId.length));
  };
  return lines.findLastIndex(isOf);
}

/** Characters of agent and cost together: the name of one agent is longer than the others, and its cost is moved for it. */
const AGENT_AND_COST = 24;

/** What happened stands last and has no end: the columns before it leave it room in a window of the usual width. */
function row(time: string, type: string, task: string, agent: string, cost: string, what: string): string {
  // The texts are of models and of files of a workspace: a line stays a line.
  const cell = (text: string, width: number) => printable(text, LONGEST).padEnd(width);
  const name = printable(agent, LONGEST);
  const amount = printable(cost, LONGEST);
  const gap = ' '.repeat(Math.max(amount === '' ? 0 : 1, AGENT_AND_COST - name.length - amount.length));
  const cells = [cell(time, 12), cell(type, 19), cell(task, 5), `${name}${gap}${amount}`, printable(what, LONGEST)];
  return cells.join('  ').trimEnd();
}

/** `09:41:07.312`; the day has a line of its own. */
function timeOfDay(ts: string): string {
  return STAMP.exec(ts)?.[2] ?? ts;
}

function whatOf(event: RunEvent, included: boolean): string {
  switch (event.type) {
    case 'run.created':
      return `format ${event.format_version}`;
    case 'epoch.opened': {
      const { owner, previous } = event;
      const cut =
        previous === null || previous.tail === 'none' ? '' : `, ${l10n.t('behind a cut ({0})', previous.tail)}`;
      return `${l10n.t('process {0} on {1}', String(owner.pid), owner.host)}${cut}`;
    }
    case 'run.paused':
      return l10n.known(event.why);
    case 'run.resumed':
      return by(event.by);
    case 'run.ended':
      return `${event.stop_reason}: ${event.detail}`;
    case 'call.reserved': {
      const again = event.attempt > 1 ? `, ${l10n.t('attempt {0}', event.attempt)}` : '';
      const cost = included ? l10n.t('cost included') : l10n.t('{0} reserved', usd(event.reserved_usd));
      return `${event.call_id}${again}: ${cost}`;
    }
    case 'call.settled': {
      const tokens = `${event.input_tokens ?? '?'} + ${event.output_tokens ?? '?'} tokens`;
      const answer = event.answer === undefined ? '' : `: ${event.answer}`;
      return `${event.call_id}, ${tokens}${event.latency_ms === null ? '' : `, ${Math.round(event.latency_ms)} ms`}${answer}`;
    }
    case 'call.held':
    case 'call.released':
      return `${event.call_id}: ${event.error?.message ?? l10n.t('no answer')}`;
    case 'model.adapted':
      return l10n.t('without {0}: {1}', event.feature, event.why);
    case 'task.created':
      return event.by === 'user' ? `${by(event.by)}: ${event.text}` : event.text;
    case 'task.started':
    case 'task.completed':
    case 'iteration.completed':
      return l10n.t('iteration {0}', event.iteration);
    case 'task.failed':
      return `${l10n.t('iteration {0}', event.iteration)}: ${event.error.message}`;
    case 'task.edited':
    case 'guidance.given':
      return `${by(event.by)}: ${event.text}`;
    case 'task.blocked':
      return event.why === undefined ? by(event.by) : `${by(event.by)}: ${event.why}`;
    case 'task.unblocked':
      return by(event.by);
    case 'task.removed':
      return `${by(event.by)}: ${l10n.known(event.why)}`;
    case 'task.suppressed':
      return `${event.why}${event.duplicate_of === null ? '' : ` as ${event.duplicate_of}`}: ${event.text}`;
    case 'tasks.prioritized':
      return `${by(event.by)}: ${event.order.join(' ')}`;
    case 'tasks.replaced':
      return event.tasks.map(({ task_id }) => task_id).join(' ');
    case 'reply.rejected':
      return `${l10n.t('{0} in a row', event.strike)}: ${event.why}`;
    case 'memory.stored':
      return event.memory_id;
    case 'checkpoint.saved':
      return event.file;
    case 'objective.judged': {
      const met = event.met.filter(Boolean).length;
      const words = l10n.t('{0} of {1} criteria met', met, event.met.length);
      return event.complete ? `${words}, ${l10n.t('complete')}` : words;
    }
    case 'review.requested':
      return `${reviewPlace({ ...event, reason: event.reason ?? 'iterations' }, l10n.t)}: ${event.why}`;
    case 'review.decided':
      return `${event.decision} ${by(event.by)} (${event.via})`;
    case 'limit.reached':
      return `${event.limit} ${event.value}, ${l10n.t('{0} spent', event.spent)}`;
    case 'limit.raised':
      return `${event.limit} ${event.from} → ${event.to} ${by(event.by)}`;
    case 'limit.added':
      return `${event.limit} → ${event.to} ${by(event.by)}`;
    case 'notice.queued':
      return `${event.kind}: ${event.text}`;
    case 'notice.sent':
      return `${event.channel} → ${event.origin}`;
    case 'notice.failed':
      return `${event.channel}: ${event.error.message}`;
    case 'traces.started':
      return event.origin;
    case 'file.intended':
    case 'file.written':
      return `${event.name}, ${l10n.t('{0} bytes', event.bytes)}`;
    case 'file.refused':
      return `${event.name}: ${event.error.message}`;
    default:
      return event satisfies never;
  }
}

function by(who: string): string {
  return l10n.t('by {0}', who);
}

function usd(amount: number): string {
  return formatUsd(picoFromUsd(amount));
}
