import { formatUsd, type Pico, picoFromUsd, usdFromPico } from '../budget/money.ts';
import { counted } from '../run/allowance.ts';
import { isIncluded } from '../run/cost-words.ts';
import type { Agent, ErrorRecord } from '../run/events.ts';
import { type Call, type RunState, resultOf, stepKey } from '../run/state.ts';
import { explainStop, KEY_LIMIT, ONLY_BLOCKED, type StopReason } from '../run/stop-reason.ts';
import { continueWith } from '../runlog/summary.ts';
import { loopRemarks } from './loop-remarks.ts';

/** What the log cannot know. */
export interface Situation {
  /** The folder as a person would name it in a command. */
  readonly directory: string;
  /** A living process has the run in hand. */
  readonly owned: boolean;
  readonly imported: boolean;
}

export interface Explanation {
  readonly status: 'ended' | 'in_progress' | 'interrupted';
  readonly stopReason: StopReason | null;
  /** Why it stopped, or that it never did. */
  readonly why: string;
  readonly lastError: { readonly where: string; readonly error: ErrorRecord } | null;
  readonly lost: {
    readonly text: string;
    /** Requests of unknown outcome, and the money that is kept for them. */
    readonly calls: readonly LostCall[];
    readonly heldUsd: number;
  };
  readonly cost: { readonly text: string; readonly results: number; readonly perResultUsd: number | null };
  readonly next: { readonly text: string; readonly command: string | null };
  /** How the loop itself did; empty where nothing is worth a word. */
  readonly remarks: readonly string[];
}

export interface LostCall {
  readonly callId: string;
  readonly agent: Agent;
  readonly taskId: string | null;
  readonly iteration: number;
  readonly usd: number;
  readonly error: ErrorRecord | null;
  /** The same step was asked again, and answered. */
  readonly answeredLater: boolean;
}

/** Why a run stopped, what that cost, and what to do now, in plain words. */
export function explainRun(state: RunState, situation: Situation): Explanation {
  const status = situation.owned ? 'in_progress' : state.end === null ? 'interrupted' : 'ended';
  return {
    status,
    stopReason: status === 'ended' ? (state.end?.reason ?? null) : null,
    why: whyOf(state, status),
    lastError: lastErrorOf(state),
    lost: lostOf(state, status),
    cost: costOf(state),
    next: nextOf(state, status, situation),
    remarks: loopRemarks(state),
  };
}

/** The explanation as lines for a terminal. */
export function explanationLines({ why, lastError, lost, cost, next, remarks }: Explanation): string[] {
  return [
    why,
    ...(lastError ? [`Last error: ${lastError.where}: ${lastError.error.message} (${lastError.error.class})`] : []),
    `Lost: ${lost.text}`,
    ...lost.calls.map((call) => {
      const what = `${call.agent} in iteration ${call.iteration}${call.taskId === null ? '' : `, task ${call.taskId}`}`;
      return `  ${call.callId}  ${what}: ${formatUsd(picoFromUsd(call.usd))}${call.answeredLater ? ', answered by a later attempt' : ''}`;
    }),
    `Cost: ${cost.text}`,
    ...(remarks.length > 0 ? ['The loop:', ...remarks.map((remark) => `  ${remark}`)] : []),
    `Next: ${next.text}`,
    ...(next.command === null ? [] : [`  ${next.command}`]),
  ];
}

function whyOf(state: RunState, status: Explanation['status']): string {
  const { end, iteration, limits, review, pausedWhy } = state;
  const done = `${iteration} of ${limits.max_iterations} iterations are done.`;
  if (status === 'in_progress') {
    if (review) return `The run is in progress and waits for a checkpoint review: ${review.why}. ${done}`;
    return pausedWhy === null
      ? `The run is in progress. ${done}`
      : `The run is in progress and paused: ${pausedWhy} ${done}`;
  }
  if (status === 'interrupted' || end === null) {
    return `The run never ended: its process was killed, crashed or lost its power after ${state.updatedAt}. ${done}`;
  }
  const sentences = [
    `The run ended: ${end.reason}.`,
    explainStop(end.reason, end.error, state.review !== null).meaning,
    end.detail,
  ];
  if (end.error && end.error.message !== end.detail) sentences.push(end.error.message);
  return sentences.filter((sentence) => sentence !== '').join(' ');
}

/** The newest of: what ended the run, a request that failed, a task that failed. */
function lastErrorOf(state: RunState): Explanation['lastError'] {
  // Neither a limit nor what people hold back is an error, and it was said already.
  const ended = state.end?.error?.class;
  if (ended === KEY_LIMIT || ended === ONLY_BLOCKED) return null;
  if (state.end?.error) return { where: 'at the end', error: state.end.error };
  const call = [...state.calls.values()].findLast(({ error }) => error !== null);
  const task = state.iterations.findLast(({ failed }) => failed);
  const failed = task && state.tasks.get(task.taskId);
  if (failed?.error && (call === undefined || (failed.iteration ?? 0) >= call.iteration)) {
    return { where: `task ${failed.id}, iteration ${failed.iteration ?? 0}`, error: failed.error };
  }
  return call?.error
    ? { where: `${call.agent} request ${call.id}, iteration ${call.iteration}`, error: call.error }
    : null;
}

function lostOf(state: RunState, status: Explanation['status']): Explanation['lost'] {
  // What a dead process had under way is held as soon as somebody takes the run up.
  const unknown = [...state.calls.values()].filter(
    (call) => call.status === 'held' || (call.status === 'reserved' && status !== 'in_progress'),
  );
  const held = unknown.reduce<Pico>((sum, call) => sum + call.reserved, 0n);
  const calls = unknown.map((call) => lostCall(state, call));
  const reserved =
    status === 'in_progress' && state.money.reserved > 0n
      ? ` ${formatUsd(state.money.reserved)} is reserved for what is under way.`
      : '';
  if (calls.length === 0) return { text: `nothing.${reserved}`, calls, heldUsd: 0 };
  const requests = calls.length === 1 ? 'the answer of 1 request is' : `the answers of ${calls.length} requests are`;
  const text = `${requests} unknown. Whether they were billed is unknown too, so ${formatUsd(held)} of the limit is held for that. Everything that was answered is kept.${reserved}`;
  return { text, calls, heldUsd: usdFromPico(held) };
}

function lostCall(state: RunState, call: Call): LostCall {
  const attempts = state.attempts.get(stepKey(call.iteration, call.step)) ?? [];
  return {
    callId: call.id,
    agent: call.agent,
    taskId: call.taskId,
    iteration: call.iteration,
    usd: usdFromPico(call.reserved),
    error: call.error,
    answeredLater: attempts.some((id) => state.calls.get(id)?.status === 'settled'),
  };
}

function costOf(state: RunState): Explanation['cost'] {
  const { settled, held } = state.money;
  const results = [...state.tasks.values()].filter((task) => resultOf(state, task) !== null).length;
  const counts = counted(state)
    .map(({ limit, used, cap }) => `; ${used} of ${cap} ${limit === 'max_requests' ? 'requests' : 'tokens'}`)
    .join('');
  if (isIncluded(state.config)) {
    return {
      text: `included in what its provider is paid for, ${results} results${counts}.`,
      results,
      perResultUsd: null,
    };
  }
  const spent = `${formatUsd(settled)} spent${held > 0n ? ` and ${formatUsd(held)} held` : ''} of ${formatUsd(picoFromUsd(state.limits.max_cost_usd))}${counts}`;
  if (results === 0) return { text: `${spent}, for no result.`, results, perResultUsd: null };
  const each = (settled + held) / BigInt(results);
  return {
    text: `${spent}, for ${results === 1 ? '1 result' : `${results} results`}: ${formatUsd(each)} each.`,
    results,
    perResultUsd: usdFromPico(each),
  };
}

function nextOf(
  state: RunState,
  status: Explanation['status'],
  { directory, imported }: Situation,
): Explanation['next'] {
  if (status === 'in_progress')
    return { text: 'Nothing needs to be done; it can be stopped where it runs, and resumed later.', command: null };
  if (imported) return { text: 'The run came from an archive: it can be looked at, not resumed.', command: null };
  const resume = continueWith(state, 'stopped_by_user', directory);
  if (status === 'interrupted' || state.end === null) {
    return { text: 'Resume it: what was answered is used again, never bought again.', command: resume };
  }
  const { next } = explainStop(state.end.reason, state.end.error, state.review !== null);
  return { text: next, command: continueWith(state, state.end.reason, directory) };
}
