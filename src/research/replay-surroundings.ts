import { createHash } from 'node:crypto';
import { REFUSED } from '../agents/synthesis.ts';
import { picoFromUsd } from '../budget/money.ts';
import type { CallOutcome, RecordedOutcome } from '../models/replay.ts';
import { STOPPED_UNDER_WAY } from '../run/call.ts';
import type { RunEvent, RunEventOf } from '../run/events.ts';
import type { Clock, KeyLedger, Tokens } from '../run/ports.ts';
import { stepKey } from '../run/state.ts';
import { KEY_LIMIT, type StopReason } from '../run/stop-reason.ts';
import { parseOutputPath } from '../safety/output-path.ts';
import type { Sandbox } from '../safety/sandbox.ts';
import { SandboxError, type SandboxErrorReason } from '../safety/sandbox-directory.ts';
import type { ReplayScript } from './replay-script.ts';

/** Ends of a run that a person who is there would have kept it from. */
const UNATTENDED: ReadonlySet<StopReason> = new Set(['stopped_at_review', 'stalled', 'queue_empty']);

/** Ends that may come between two attempts of a step. */
const BETWEEN_ATTEMPTS: ReadonlySet<StopReason> = new Set(['stopped_by_user', 'max_wall_time', 'error', ...REFUSED]);

const KEY_ERRORS: ReadonlySet<string> = new Set([KEY_LIMIT, 'key_ledger']);
const NO_ERROR = { error: null };

/** A loop that waits so often, and appends nothing, waits for something that its log does not tell of. */
const MOST_WAITS = 1000;

/**
 * The world around the loop during one epoch of a recorded run: clock, token tables, key, disk, and the person who stops it.
 * The log does not say when anything of this happened, but what came next: so each answers as what came next wants it.
 */
export class ReplaySurroundings {
  /** Aborted where a person stopped the run. */
  readonly stopping = new AbortController();
  /** Resolves where the loop waits for something that never came: its process ended, or the log is another run's. */
  readonly over: Promise<void>;
  readonly clock: Clock;
  private readonly script: ReplayScript;
  private readonly turn: () => Promise<void>;
  private leave: () => void = () => {};
  private waits = 0;
  /** Milliseconds of the epoch that used up the time of a step. */
  private elapsedMs = 0;

  constructor(script: ReplayScript, turn: () => Promise<void>) {
    this.script = script;
    this.turn = turn;
    this.over = new Promise((resolve) => {
      this.leave = resolve;
    });
    script.subscribe(() => {
      this.waits = 0;
    });
    this.clock = {
      now: () => Date.parse(script.state.updatedAt),
      monotonic: () => this.elapsedMs,
      sleep: (_ms, signal) => (signal?.aborted ? Promise.resolve() : this.wait()),
    };
  }

  /** Somebody is there, but where the loop ended because nobody was. */
  get attended(): boolean {
    const { following } = this.script;
    if (following?.type === 'call.reserved') return following.agent !== 'synthesis';
    return following?.type !== 'run.ended' || !UNATTENDED.has(following.stop_reason);
  }

  /** A person stopped the run before the loop did anything more. */
  stopIfAsked(): void {
    if (isStop(this.script.following)) this.stopping.abort();
  }

  /** What became of the request that was reserved last. */
  async outcome(): Promise<RecordedOutcome> {
    const { script } = this;
    const { following, afterFollowing: after, reserved: call, state } = script;
    if (following === null) return this.never();
    if (call === null || !isOutcome(following) || following.call_id !== call.call_id) {
      script.differ(following, '', `waits for the outcome of call ${call?.call_id}`);
      return this.never();
    }
    const { error } = following;
    if (error === null) return { outcome: following, feature: null, retryAfterMs: null };
    if (isStop(after) && after.detail === STOPPED_UNDER_WAY) this.stopping.abort();
    const isGivenUp = saysMessage(after, error.message);
    if (!isGivenUp && this.isOutOfTime(after, call)) this.elapsedMs += state.limits.task_timeout_seconds * 1000;
    return {
      outcome: following,
      feature: featureOf(following, after),
      // Whatever the server asked for: the loop tried again where it is on record.
      retryAfterMs: isGivenUp ? null : 1,
    };
  }

  /** The limit of the key that the run had, if it ever met it: what others left of it is told by what then fitted. */
  ledger(): KeyLedger | null {
    const { script } = this;
    const met = script.all.flatMap((event) =>
      event.type === 'call.released' && KEY_ERRORS.has(event.error?.class ?? '') ? (event.error?.message ?? '') : [],
    );
    if (met.length === 0) return null;
    let limitPerDay = 0n;
    return {
      limit: met.map((message) => / of (.*) is free\.$/.exec(message)?.[1]).find(Boolean) ?? '',
      get limitPerDay() {
        return limitPerDay;
      },
      reserve: (amount, callId) => {
        const { following, afterFollowing: after, reserved } = script;
        const { error } = following?.type === 'call.released' && following.call_id === callId ? following : NO_ERROR;
        if (error?.class === 'key_ledger') return Promise.reject(new Error(error.message));
        if (error?.class !== KEY_LIMIT) return Promise.resolve({ admitted: true, free: amount });
        const isShorter =
          after?.type === 'call.reserved' &&
          after.step === reserved?.step &&
          // The next closing answer that is tried is made from fewer results.
          (after.agent !== 'synthesis' || after.bound_input_tokens === reserved.bound_input_tokens);
        if (isShorter) return Promise.resolve({ admitted: false, free: picoFromUsd(after.reserved_usd) });
        for (const event of script.rest()) {
          if (event.type !== 'limit.reached' || event.limit !== 'max_key_usd_per_day') continue;
          limitPerDay = picoFromUsd(event.value);
          return Promise.resolve({ admitted: false, free: limitPerDay - picoFromUsd(event.spent) });
        }
        return Promise.resolve({ admitted: false, free: 0n });
      },
      settle: () => Promise.resolve(),
    };
  }

  /** The tables of the tokenizer, which are read, for a loop that had yet to read them. */
  tokens(real: Tokens): Tokens {
    const { script } = this;
    let isRead = false;
    // A request that was counted by its bytes, and whether the next attempt was, too: both are bound alike then.
    let coarse: { readonly key: string; readonly bound: number } | null = null;
    const loaded = () => {
      const { following: next } = script;
      if (next?.type !== 'call.reserved') return isRead;
      const isCoarse = stepKey(next.iteration, next.step) === coarse?.key && next.bound_input_tokens === coarse.bound;
      return isRead && !isCoarse;
    };
    script.subscribe((event) => {
      if (event.type === 'call.reserved' && !isRead)
        coarse = { key: stepKey(event.iteration, event.step), bound: event.bound_input_tokens };
    });
    return {
      exact: real.exact,
      get loaded() {
        return loaded();
      },
      ready: () => {
        isRead = true;
        // Whoever waited here with a request in hand saw meanwhile what happened.
        script.admit();
        return real.ready();
      },
      count: (text) => real.count(text),
      excerpt: (text, tokens) => real.excerpt(text, tokens),
      head: (text, tokens) => real.head(text, tokens),
    };
  }

  /** The folder below which files were written: their names are judged again, and what became of them is on record. */
  output(): Pick<Sandbox, 'write'> {
    const { script } = this;
    const assertNotRefused = (name: string) => {
      const { following } = script;
      if (following?.type === 'file.refused' && following.name === name.slice(0, 200)) {
        const { class: reason, message } = following.error;
        throw new SandboxError(reason as SandboxErrorReason, message);
      }
    };
    return {
      async write(name, content, announce) {
        const path = parseOutputPath(name).segments.join('/');
        assertNotRefused(name);
        const sha256 = createHash('sha256').update(content).digest('hex');
        const file = { path, sha256, bytes: content.length };
        await announce?.(file);
        assertNotRefused(name);
        return file;
      },
    };
  }

  private async wait(): Promise<void> {
    const { script } = this;
    const { following } = script;
    if (following === null) return this.never();
    this.waits += 1;
    if (this.waits > MOST_WAITS) {
      script.differ(following, '', 'the loop waits');
      return this.never();
    }
    this.stopIfAsked();
    return this.turn();
  }

  /** Whether the attempts of the step had used up its time: neither another one nor what else keeps from it is on record. */
  private isOutOfTime(after: RunEvent | null, { agent, iteration, step }: RunEventOf<'call.reserved'>): boolean {
    switch (after?.type) {
      case undefined:
      case 'model.adapted':
        return false;
      case 'call.reserved':
        if (after.iteration === iteration && after.step === step) return false;
        return after.agent !== 'synthesis' || (agent === 'judge' && !this.endsBetweenAttempts());
      case 'limit.reached':
      case 'run.ended':
        // Only these fail and leave no event: the end is the same with and without them.
        return agent === 'synthesis' || (agent === 'judge' && !this.endsBetweenAttempts());
      default:
        return true;
    }
  }

  private endsBetweenAttempts(): boolean {
    for (const event of this.script.rest())
      if (event.type === 'run.ended') return BETWEEN_ATTEMPTS.has(event.stop_reason);
    return false;
  }

  private never(): Promise<never> {
    this.leave();
    return new Promise(() => {});
  }
}

function isOutcome(event: RunEvent): event is CallOutcome {
  return event.type === 'call.settled' || event.type === 'call.held' || event.type === 'call.released';
}

/** What the server would not take: it is told once, and for embeddings also by an end. */
function featureOf({ agent }: CallOutcome, after: RunEvent | null): RecordedOutcome['feature'] {
  if (after?.type === 'model.adapted') return after.feature;
  const isWithout = agent === 'embedding' && after?.type === 'run.ended' && after.error?.class === 'unsupported';
  return isWithout ? 'embeddings' : null;
}

function isStop(event: RunEvent | null): event is RunEventOf<'run.ended'> {
  return event?.type === 'run.ended' && event.stop_reason === 'stopped_by_user';
}

/** Whether the loop went on as after a failure that it does not try again. */
function saysMessage(after: RunEvent | null, message: string): boolean {
  switch (after?.type) {
    case 'task.failed':
    case 'run.ended':
      return after.error?.message === message;
    case 'reply.rejected':
      return after.why === message;
    default:
      return false;
  }
}
