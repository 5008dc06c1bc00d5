import { createInterface } from 'node:readline/promises';
import { formatUsd } from '../budget/money.ts';
import { reviewDigest } from '../run/review.ts';
import type { RunState } from '../run/state.ts';
import { SteerError, type Steering } from '../run/steer.ts';
import { printable } from '../safety/text.ts';

const SHOWN = 20;
const HELP =
  'a approve · + <text> add · e <task> <text> edit · d <task> delete · u <task> to the front · g <text> guide · s stop';

/** Asks for a review on the terminal, until it is decided one way or the other. */
export async function askReview(
  state: RunState,
  steering: Steering,
  streams: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream },
  signal: AbortSignal,
): Promise<void> {
  const { output } = streams;
  const reader = createInterface(streams);
  try {
    while (state.review) {
      const shown = reviewDigest(state);
      output.write(
        `\nCheckpoint review after iteration ${state.iteration}, ${formatUsd(state.money.settled)} spent. Next:\n`,
      );
      for (const id of state.pending.slice(0, SHOWN))
        output.write(`  ${id}  ${printable(state.tasks.get(id)?.text ?? '', 100)}\n`);
      if (state.pending.length > SHOWN) output.write(`  … and ${state.pending.length - SHOWN} more\n`);
      const answer = (await reader.question(`${HELP}\n> `, { signal })).trim();
      try {
        apply(steering, state, answer, shown);
      } catch (error) {
        if (!(error instanceof SteerError)) throw error;
        output.write(`${error.message}\n`);
      }
    }
  } catch (error) {
    // The run was stopped while the question stood, or the input ended: the loop knows what to do.
    if (!(error instanceof Error && (error.name === 'AbortError' || 'code' in error))) throw error;
  } finally {
    reader.close();
  }
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
    case 'u':
      return steering.moveTask(first, state.pending[0] ?? null);
    case 'g':
      return steering.guide(tail);
    default:
      throw new SteerError('bad_text', `"${answer}" is none of these.`);
  }
}
