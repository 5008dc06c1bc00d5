import { createInterface } from 'node:readline';
import { aheadWords, happenedWords, reviewReport } from '../research/review-report.ts';
import type { LimitName } from '../run/limits.ts';
import { reviewDigest, reviewPlace, waitingFiles } from '../run/review.ts';
import type { RunState } from '../run/state.ts';
import { SteerError, type Steering } from '../run/steer.ts';
import { printable } from '../safety/text.ts';

const SHOWN = 20;
const HELP = `a approve · s stop · + <text> add · e <task> <text> edit · d <task> delete
u <task> to the front · m <task> <other> in front of the other · g <text> guidance
b <task> <why> block · f <task> unblock
l iterations|usd|requests|tokens|minutes <value> raise a limit, or add one of requests or tokens`;
const LIMITS: Readonly<Record<string, LimitName>> = {
  iterations: 'max_iterations',
  usd: 'max_cost_usd',
  requests: 'max_requests',
  tokens: 'max_tokens',
  minutes: 'max_wall_time_minutes',
};

/**
 * Asks for a review on the terminal, until it is decided one way or the other. `left`: the person ended the input, by
 * Ctrl+C or Ctrl+D, which the question keeps from the process.
 */
export async function askReview(
  state: RunState,
  steering: Steering,
  streams: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream },
  signal: AbortSignal,
): Promise<'answered' | 'left'> {
  const { output } = streams;
  const reader = createInterface({ ...streams, prompt: '> ', signal });
  // Lines that are sent at once wait here for their turns.
  const lines = reader[Symbol.asyncIterator]();
  try {
    while (state.review) {
      const shown = reviewDigest(state);
      const report = reviewReport(state);
      output.write(`\nCheckpoint review ${reviewPlace(state.review)}: ${printable(state.review.why, 500)}\n`);
      output.write(`Since the last one: ${happenedWords(report).join('; ')}.\nAhead: ${aheadWords(report.ahead)}.\n`);
      if (state.review.firstUse) {
        output.write('Files that wait to be written (v shows them):\n');
        for (const { name } of waitingFiles(state)) output.write(`  ${printable(name, 200)}\n`);
      }
      output.write(state.pending.length === 0 ? 'No task is waiting.\n' : 'Next:\n');
      for (const id of state.pending.slice(0, SHOWN))
        output.write(`  ${id}  ${blockedMark(state, id)}${printable(state.tasks.get(id)?.text ?? '', 100)}\n`);
      if (state.pending.length > SHOWN) output.write(`  … and ${state.pending.length - SHOWN} more\n`);
      output.write(`${HELP}\n`);
      reader.prompt();
      const line = await lines.next();
      // Or else the run was stopped while the question stood.
      if (line.done === true) return signal.aborted ? 'answered' : 'left';
      const answer = line.value.trim();
      if (answer === 'v') {
        for (const { name, content } of waitingFiles(state)) output.write(fileText(name, content));
        continue;
      }
      try {
        apply(steering, state, answer, shown);
      } catch (error) {
        if (!(error instanceof SteerError)) throw error;
        output.write(`${error.message}\n`);
      }
    }
  } finally {
    reader.close();
  }
  return 'answered';
}

/** As it is, but for characters that a terminal would obey. */
function fileText(name: string, content: string): string {
  const lines = content.trimEnd().split('\n');
  return `${printable(name, 200)}\n${lines.map((line) => `  | ${line.replaceAll(/\p{C}/gu, ' ')}\n`).join('')}`;
}

function blockedMark(state: RunState, id: string): string {
  const task = state.tasks.get(id);
  if (task?.state !== 'blocked') return '';
  return task.blockedWhy === null ? '(blocked) ' : `(blocked: ${printable(task.blockedWhy, 60)}) `;
}

function apply(steering: Steering, state: RunState, answer: string, shown: string): void {
  const [verb = '', first = '', ...rest] = answer.split(/\s+/);
  const tail = answer.slice(verb.length).trim();
  switch (verb) {
    case 'a':
      return steering.decideReview('approve', shown, 'terminal');
    case 's':
      return steering.decideReview('stop', shown, 'terminal');
    case '+':
      steering.addTask(tail);
      return;
    case 'e':
      return steering.editTask(first, rest.join(' '));
    case 'd':
      return steering.removeTask(first);
    case 'b':
      return steering.blockTask(first, rest.join(' '));
    case 'f':
      return steering.unblockTask(first);
    case 'u':
      return steering.moveTask(first, state.pending[0] ?? null);
    case 'm':
      return steering.moveTask(first, rest.join(' '));
    case 'l': {
      const limit = LIMITS[first];
      if (limit === undefined)
        throw new SteerError('bad_limit', () => `Name a limit: ${Object.keys(LIMITS).join(', ')}.`);
      return steering.raiseLimit(limit, Number(rest.join(' ') || Number.NaN));
    }
    case 'g':
      return steering.guide(tail);
    default:
      throw new SteerError('bad_text', () => `"${answer}" is none of these.`);
  }
}
