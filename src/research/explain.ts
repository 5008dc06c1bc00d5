import { formatUsd, type Pico, picoFromUsd, usdFromPico } from '../budget/money.ts';
import { counted } from '../run/drawn.ts';
import { isIncluded } from '../run/cost-words.ts';
import type { Agent, ErrorRecord } from '../run/events.ts';
import { type Call, paidResults, type RunState, stepKey } from '../run/state.ts';
import { endDetail, explainStop, isKeyLimit, isOnlyBlocked, type StopReason } from '../run/stop-reason.ts';
import { inEnglish, known, type Translate } from '../run/translate.ts';
import { continueWith } from '../runlog/summary.ts';
import { loopRemarks } from './loop-remarks.ts';
import { reviewReason } from './review-reason.ts';

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

/** Why a run stopped, what that cost, and what to do now, in plain words of that language. */
export function explainRun(state: RunState, situation: Situation, translated: Translate = inEnglish): Explanation {
  const status = situation.owned ? 'in_progress' : state.end === null ? 'interrupted' : 'ended';
  return {
    status,
    stopReason: status === 'ended' ? (state.end?.reason ?? null) : null,
    why: whyOf(state, status, translated),
    lastError: lastErrorOf(state, translated),
    lost: lostOf(state, status, translated),
    cost: costOf(state, translated),
    next: nextOf(state, status, situation, translated),
    remarks: loopRemarks(state, translated),
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

function whyOf(state: RunState, status: Explanation['status'], translated: Translate): string {
  const { end, iteration, limits, review, pausedWhy } = state;
  const done = translated('Iterations done: {0} of {1}.', iteration, limits.max_iterations);
  if (status === 'in_progress') {
    if (review) {
      const reason = reviewReason(state, translated);
      return `${translated('The run is in progress and waits for a checkpoint review: {0}.', reason)} ${done}`;
    }
    return pausedWhy === null
      ? `${translated('The run is in progress.')} ${done}`
      : `${translated('The run is in progress and paused: {0}', known(pausedWhy, translated))} ${done}`;
  }
  if (status === 'interrupted' || end === null) {
    const crashed = translated(
      'The run never ended: its process was killed, crashed or lost its power after {0}.',
      state.updatedAt,
    );
    return `${crashed} ${done}`;
  }
  const sentences = [
    translated('The run ended: {0}.', end.reason),
    explainStop(end, review !== null, translated).meaning,
    endDetail(end, translated),
  ];
  // A limit is no error.
  if (end.error && !isKeyLimit(end) && end.error.message !== end.detail) sentences.push(end.error.message);
  return sentences.filter((sentence) => sentence !== '').join(' ');
}

/** The newest of: what ended the run, a request that failed, a task that failed. */
function lastErrorOf(state: RunState, translated: Translate): Explanation['lastError'] {
  // Neither a limit nor what people hold back is an error, and it was said already.
  if (isKeyLimit(state.end) || isOnlyBlocked(state.end)) return null;
  if (state.end?.error) return { where: translated('at the end'), error: state.end.error };
  const call = [...state.calls.values()].findLast(({ error }) => error !== null);
  const task = state.iterations.findLast(({ failed }) => failed);
  const failed = task && state.tasks.get(task.taskId);
  if (failed?.error && (call === undefined || (failed.iteration ?? 0) >= call.iteration)) {
    return { where: translated('task {0}, iteration {1}', failed.id, failed.iteration ?? 0), error: failed.error };
  }
  if (!call?.error) return null;
  const where = translated('{0} request {1}, iteration {2}', known(call.agent, translated), call.id, call.iteration);
  return { where, error: call.error };
}

function lostOf(state: RunState, status: Explanation['status'], translated: Translate): Explanation['lost'] {
  // What a dead process had under way is held as soon as somebody takes the run up.
  const unknown = [...state.calls.values()].filter(
    (call) => call.status === 'held' || (call.status === 'reserved' && status !== 'in_progress'),
  );
  const held = unknown.reduce<Pico>((sum, call) => sum + call.reserved, 0n);
  const calls = unknown.map((call) => lostCall(state, call));
  const reserved =
    status === 'in_progress' && state.money.reserved > 0n
      ? ` ${translated('{0} is reserved for what is under way.', formatUsd(state.money.reserved))}`
      : '';
  if (calls.length === 0) return { text: `${translated('nothing.')}${reserved}`, calls, heldUsd: 0 };
  const requests =
    calls.length === 1
      ? translated('the answer of 1 request is unknown.')
      : translated('the answers of {0} requests are unknown.', calls.length);
  const billed = translated(
    'Whether they were billed is unknown too, so {0} of the limit is held for that. Everything that was answered is kept.',
    formatUsd(held),
  );
  return { text: `${requests} ${billed}${reserved}`, calls, heldUsd: usdFromPico(held) };
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

function costOf(state: RunState, translated: Translate): Explanation['cost'] {
  const { settled, held } = state.money;
  const results = paidResults(state);
  const resultWords =
    results === 0
      ? translated('no result')
      : results === 1
        ? translated('1 result')
        : translated('{0} results', results);
  const drawnWords = counted(state)
    .map(({ limit, used, cap }) =>
      limit === 'max_requests'
        ? translated('; {0} of {1} requests', used, cap)
        : translated('; {0} of {1} tokens', used, cap),
    )
    .join('');
  if (isIncluded(state.config)) {
    const text = translated('included in what its provider is paid for, {0}.', `${resultWords}${drawnWords}`);
    return { text, results, perResultUsd: null };
  }
  const limit = formatUsd(picoFromUsd(state.limits.max_cost_usd));
  const money =
    held > 0n
      ? translated('{0} spent and {1} held of {2}', formatUsd(settled), formatUsd(held), limit)
      : translated('{0} spent of {1}', formatUsd(settled), limit);
  const isRehearsal = state.config.model.provider === 'rehearsal';
  const spent = `${isRehearsal ? translated('{0}, rehearsed: nothing was spent', money) : money}${drawnWords}`;
  if (results === 0) return { text: translated('{0}, for {1}.', spent, resultWords), results, perResultUsd: null };
  const each = (settled + held) / BigInt(results);
  const text = translated('{0}, for {1}: {2} each.', spent, resultWords, formatUsd(each));
  return { text, results, perResultUsd: usdFromPico(each) };
}

function nextOf(
  state: RunState,
  status: Explanation['status'],
  { directory, imported }: Situation,
  translated: Translate,
): Explanation['next'] {
  if (status === 'in_progress') {
    const text = translated('Nothing needs to be done; it can be stopped where it runs, and resumed later.');
    return { text, command: null };
  }
  if (imported)
    return {
      text: translated('The run came from an archive: it can be looked at and forked, not resumed.'),
      command: null,
    };
  const resume = continueWith(state, 'stopped_by_user', directory);
  if (status === 'interrupted' || state.end === null) {
    const text = translated('Resume it: what was answered is used again, never bought again.');
    return { text, command: resume };
  }
  const { next } = explainStop(state.end, state.review !== null, translated);
  return { text: next, command: continueWith(state, state.end.reason, directory) };
}
