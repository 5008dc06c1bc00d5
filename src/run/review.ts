import { createHash } from 'node:crypto';
import { type OutputFile, outputFiles } from '../agents/output-files.ts';
import { formatUsd, picoFromUsd } from '../budget/money.ts';
import type { EventDraft, FirstUse } from './events.ts';
import type { Call, RunState, Task } from './state.ts';
import { inEnglish, type Translate } from './translate.ts';

type ReviewRequest = Extract<EventDraft, { type: 'review.requested' }>;

/** Names of files that a request lists, that its reason names, and characters of each. */
const MOST_FILES = 50;
const NAMED = 3;
const LONGEST_NAME = 200;

/** What a person sees at a review, hashed: a decision holds for exactly this and nothing else. */
export function reviewDigest(state: RunState, firstUse: FirstUse | null = state.review?.firstUse ?? null): string {
  const tasks = state.pending.map((id) => {
    const task = state.tasks.get(id);
    return [id, task?.text, ...(task?.state === 'blocked' ? ['blocked'] : [])];
  });
  // The answer of a call never changes, so its id stands for the files.
  const use = firstUse === null ? [] : [firstUse.tool, firstUse.call_id];
  const seen = JSON.stringify([state.config.run_id, state.iteration, tasks, state.limits, state.guidance, ...use]);
  return createHash('sha256').update(seen).digest('hex');
}

/** The request for a review that is due before the next iteration, or null. */
export function dueReview(state: RunState): ReviewRequest | null {
  const { review_every: every, review_every_usd: step } = state.config.loop;
  if (state.review || state.current || state.iteration <= state.reviewedAt) return null;
  const request = (reason: 'iterations' | 'cost', why: string): ReviewRequest => ({
    type: 'review.requested',
    review_id: `r${state.iteration}`,
    iteration: state.iteration,
    digest: reviewDigest(state),
    reason,
    why,
  });
  const spent = state.money.settled + state.money.held - state.reviewedSpend;
  if (step > 0 && spent >= picoFromUsd(step)) {
    const since = state.reviews.length === 0 ? 'the start' : 'the last review';
    return request(
      'cost',
      `${formatUsd(spent)} spent since ${since}, with a review at each ${formatUsd(picoFromUsd(step))}`,
    );
  }
  if (every > 0 && state.iteration % every === 0)
    return request('iterations', every === 1 ? 'every iteration' : `every ${every} iterations`);
  return null;
}

/** The request for a review of the files that an answer hands over, where they would be the first ones of the run, or null. */
export function firstUseReview(state: RunState, task: Task, result: Call): ReviewRequest | null {
  if (!state.config.loop.review_first_use || state.review || state.approvedTools.has('write_files')) return null;
  const names = new Set(outputFiles(result.answer ?? '').map(({ name }) => shownName(name)));
  if (names.size === 0) return null;
  const files = [...names].slice(0, MOST_FILES);
  const firstUse: FirstUse = { tool: 'write_files', task_id: task.id, call_id: result.id, files };
  return {
    type: 'review.requested',
    // Asked again after a stop: so not by the iteration.
    review_id: `f${state.reviews.length + 1}`,
    iteration: state.iteration,
    digest: reviewDigest(state, firstUse),
    reason: 'first_use',
    why: `first use of a tool: task ${task.id} wants to write ${filesInWords(files)}`,
    first_use: firstUse,
  };
}

/** The files that wait for the pending review, in the order of the answer that hands them over. */
export function waitingFiles({ review, calls }: RunState): OutputFile[] {
  const answer = review?.firstUse ? calls.get(review.firstUse.call_id)?.answer : null;
  return outputFiles(answer ?? '')
    .slice(0, MOST_FILES)
    .map(({ name, content }) => ({ name: shownName(name), content }));
}

/** `after iteration 4`, or `in iteration 5` where one is in hand. */
export function reviewPlace(
  { iteration, reason }: Pick<NonNullable<RunState['review']>, 'iteration' | 'reason'>,
  translated: Translate = inEnglish,
): string {
  return reason === 'first_use'
    ? translated('in iteration {0}', iteration + 1)
    : translated('after iteration {0}', iteration);
}

/** `a.md, b.md, c.md and 2 more`. */
export function filesInWords(files: readonly string[], translated: Translate = inEnglish): string {
  const named = files.slice(0, NAMED).join(', ');
  const more = files.length - NAMED;
  return more > 0 ? translated('{0} and {1} more', named, more) : named;
}

/** A model made the name: it goes to terminals and messages, so without characters that do more than show. */
function shownName(name: string): string {
  return name.slice(0, LONGEST_NAME).replaceAll(/\p{C}/gu, '\uFFFD');
}
