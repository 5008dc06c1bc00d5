import { formatUsd, picoFromUsd } from '../budget/money.ts';
import { counted } from '../run/drawn.ts';
import { duration } from '../run/duration.ts';
import type { RunEvent } from '../run/events.ts';
import { readyTasks } from '../run/queue.ts';
import type { RunState } from '../run/state.ts';
import { printable } from '../safety/text.ts';
import { fitted } from './columns.ts';

/** What is drawn on, as far as progress needs it. */
export interface Screen {
  readonly isTTY: boolean;
  /** Now: a window may be made wider or narrower. */
  readonly columns: number;
  write(text: string): void;
}

/** Progress of a run: one line that is drawn over on a terminal, plain lines elsewhere. */
export class Progress {
  private readonly screen: Screen;
  private readonly state: RunState;
  private readonly activeMs: () => number;
  private timer: NodeJS.Timeout | null = null;
  private drawn = false;

  constructor(screen: Screen, state: RunState, activeMs: () => number) {
    this.screen = screen;
    this.state = state;
    this.activeMs = activeMs;
    this.resume();
  }

  /** Shows an event that a person cares for. */
  show(event: RunEvent): void {
    const line = lineOf(this.state, event, this.activeMs());
    if (line !== null) this.print(line);
  }

  print(line: string): void {
    this.clear();
    this.screen.write(`${line}\n`);
    this.draw();
  }

  close(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
    this.clear();
  }

  /** Takes the drawn line away, so that a question can be asked. */
  pause(): void {
    this.close();
  }

  /** Draws again, from the next moment on. */
  resume(): void {
    if (!this.screen.isTTY || this.timer !== null) return;
    this.timer = setInterval(() => this.draw(), 200);
    this.timer.unref();
  }

  private draw(): void {
    if (this.timer === null) return;
    const task = this.state.current && this.state.tasks.get(this.state.current.taskId);
    const head = `${counter(this.state, 1)}  ${spend(this.state)}  ${duration(this.activeMs())}  `;
    const text = head + fitted(task?.text ?? this.state.status, Math.max(10, this.screen.columns - head.length - 1));
    this.screen.write(`\r\u001b[2K${text}`);
    this.drawn = true;
  }

  private clear(): void {
    if (this.drawn) this.screen.write('\r\u001b[2K');
    this.drawn = false;
  }
}

const TEXT_LENGTH = 100;

function lineOf(state: RunState, event: RunEvent, activeMs: number): string | null {
  switch (event.type) {
    case 'task.started':
      return `${counter(state, 0, event.iteration)} ${event.task_id} ${printable(state.tasks.get(event.task_id)?.text ?? '', TEXT_LENGTH)}`;
    case 'task.failed':
      return `  failed: ${printable(event.error.message, 2 * TEXT_LENGTH)}`;
    case 'task.suppressed':
      return `  not added (${event.why.replace('_', ' ')}${event.duplicate_of ? ` as ${event.duplicate_of}` : ''}): ${printable(event.text, TEXT_LENGTH)}`;
    case 'iteration.completed':
      return `  ${spend(state)}  ${duration(activeMs)}  ${waiting(state)}`;
    case 'call.held':
    case 'call.released':
      return event.error ? `  ${event.agent}: ${printable(event.error.message, 2 * TEXT_LENGTH)}` : null;
    case 'reply.rejected':
      return `  the ${event.agent} reply was unusable (${event.strike} in a row): ${printable(event.why, TEXT_LENGTH)}`;
    case 'run.paused':
      return `  paused: ${printable(event.why, TEXT_LENGTH)}`;
    case 'review.requested':
      return `  review due: ${printable(event.why, 2 * TEXT_LENGTH)}`;
    case 'notice.failed':
      return `  notice not delivered by ${event.channel}: ${printable(event.error.message, TEXT_LENGTH)}`;
    default:
      return null;
  }
}

function waiting(state: RunState): string {
  const ready = readyTasks(state).length;
  const blocked = state.pending.length - ready;
  return `${ready} waiting${blocked > 0 ? `, ${blocked} blocked` : ''}`;
}

function counter(state: RunState, ahead: number, iteration = state.iteration + ahead): string {
  return `[${Math.min(iteration, state.limits.max_iterations)}/${state.limits.max_iterations}]`;
}

function spend(state: RunState): string {
  const { settled, held } = state.money;
  const counts = counted(state)
    .map(({ limit, used, cap }) => `  ${used}/${cap} ${limit === 'max_requests' ? 'requests' : 'tokens'}`)
    .join('');
  return `${formatUsd(settled)} of ${formatUsd(picoFromUsd(state.limits.max_cost_usd))}${held > 0n ? ` (+ ${formatUsd(held)} held)` : ''}${counts}`;
}
