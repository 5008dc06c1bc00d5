import { createHash } from 'node:crypto';
import { synthesize } from '../agents/synthesis.ts';
import { assemble } from '../engine/assembly.ts';
import { closesWithAnswer, endingOf } from '../engine/ending.ts';
import { readConfig, readEvents } from '../engine/read.ts';
import { resumeEvents } from '../engine/resume-events.ts';
import { tokensFor } from '../engine/run-tokens.ts';
import { RunMemory } from '../memory/run-memory.ts';
import { ReplayModel } from '../models/replay.ts';
import type { EventDraft, RunEvent } from '../run/events.ts';
import { firstTask } from '../run/first-task.ts';
import { runLoop } from '../run/loop.ts';
import type { Tokens } from '../run/ports.ts';
import { callsMade, initialState } from '../run/state.ts';
import { endingEvents } from '../run/stop.ts';
import type { StopReason } from '../run/stop-reason.ts';
import type { Disk } from '../runlog/disk.ts';
import { runFolder } from '../runlog/folder.ts';
import { redactDraft } from '../runlog/redact-draft.ts';
import { verifyRun } from '../runlog/verify.ts';
import { Redactor } from '../safety/redaction.ts';
import { OutputWriter } from '../tools/output.ts';
import { ReplayLog } from './replay-log.ts';
import { type ReplayDifference, ReplayEnded, ReplayScript } from './replay-script.ts';
import { ReplaySurroundings } from './replay-surroundings.ts';

export interface Replay {
  /** The loop does again what the log says that it did, and the files of the run are what the log gives. */
  readonly identical: boolean;
  /** Requests that were made again, byte by byte, and events that are in order; up to the first difference. Those of a fork are its own. */
  readonly calls: number;
  readonly events: number;
  readonly difference: ReplayDifference | null;
  /** The first file of the folder that is not what the log gives, or null. */
  readonly problem: string | null;
  readonly runId: string;
  /** How the run ended, or null: it is in progress, or its process ended. */
  readonly stopReason: StopReason | null;
  /** The versions of the program that wrote the log, oldest first; null: one that did not say. */
  readonly versions: readonly (string | null)[];
  readonly notes: readonly string[];
}

export interface ReplayParts {
  readonly disk: Disk;
  /** Where the token tables of the build are. */
  readonly distDirectory: string;
  readonly signal: AbortSignal;
}

/**
 * Runs the loop of a recorded run again: with the recorded answers and failures in place of the model, and what people did at
 * its recorded place. Nothing is sent, nothing is written. Throws EngineError where the folder cannot be read, and the
 * reason of the signal where that is aborted.
 */
export async function replayRun(directory: string, { disk, distDirectory, signal }: ReplayParts): Promise<Replay> {
  const folder = runFolder(directory);
  const { config, bytes } = await readConfig(disk, folder);
  const { events } = await readEvents(disk, folder);
  const script = new ReplayScript(initialState(config), events);
  const tokens = tokensFor(config, distDirectory);
  await tokens.ready();
  const replay = new Replaying(script, tokens, signal);
  checkConfig(script, events, bytes);
  while (!script.isDone && script.difference === null) await replay.epoch();
  const { difference, state } = script;
  const { checks, notes } = await verifyRun(disk, directory);
  const problem = checks.find(({ name, ok }) => !ok && !OF_THE_RUN.has(name));
  return {
    identical: difference === null && problem === undefined,
    calls: callsMade(state),
    events: state.lastSeq,
    difference,
    problem: problem === undefined ? null : `${problem.name}: ${problem.detail}`,
    runId: config.run_id,
    stopReason: state.end?.reason ?? null,
    versions: versionsOf(events),
    notes: [...notes, ...replay.notes, ...lineage(script)],
  };
}

/** Checks that judge what the run did, and not whether its folder says so. */
const OF_THE_RUN: ReadonlySet<string> = new Set(['money', 'counts']);

function lineage({ inherited, state }: ReplayScript): string[] {
  const from = state.config.forked_from;
  return from === undefined
    ? []
    : [`Events up to ${inherited} were taken over from run ${from.run_id}: replay that one to check them.`];
}

function versionsOf(events: readonly RunEvent[]): (string | null)[] {
  return [...new Set(events.flatMap((event) => (event.type === 'epoch.opened' ? [event.version ?? null] : [])))];
}

function checkConfig(script: ReplayScript, events: readonly RunEvent[], bytes: string): void {
  const [first] = events;
  if (first?.type !== 'run.created') return;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== first.config_sha256) script.differ(first, 'config_sha256', sha256, first.config_sha256);
  // What came from another run is not compared: so it must be what a fork takes over, and no more.
  const from = script.state.config.forked_from;
  if (from === undefined) return;
  const end = events.find((event) => event.type === 'iteration.completed' && event.iteration === from.iteration);
  if (end?.seq !== from.through) script.differ(end ?? first, '', `the end of what was taken over: ${from.through}`);
}

class Replaying {
  readonly notes = new Set<string>();
  private readonly script: ReplayScript;
  private readonly tokens: Tokens;
  private readonly signal: AbortSignal;
  private readonly redactor = new Redactor();

  constructor(script: ReplayScript, tokens: Tokens, signal: AbortSignal) {
    this.script = script;
    this.tokens = tokens;
    this.signal = signal;
  }

  /** Replays what one process did of the run. */
  async epoch(): Promise<void> {
    const { script } = this;
    const { state } = script;
    const isFirst = state.epoch === 0;
    try {
      script.openEpoch();
      const around = new ReplaySurroundings(script, () => this.turn());
      const redact = (draft: EventDraft) => redactDraft(this.redactor, draft);
      const log = new ReplayLog(script, redact, this.notes, () => this.turn());
      // Where the log ends with a failing disk, its end stands in an epoch of its own, in which nothing was begun.
      const begun = state.config.forked_from ? [] : [firstTask(state.config)];
      const first = isFirst ? begun : resumeEvents(state, NOBODY);
      if (script.following !== null) await Promise.race([this.run(log, around, first), around.over]);
    } catch (error) {
      if (!(error instanceof ReplayEnded)) throw error;
    }
    if (script.difference !== null) return;
    script.admit();
    const { following } = script;
    if (following !== null) script.differ(following, '', 'the end of what the loop does');
  }

  private async run(log: ReplayLog, around: ReplaySurroundings, first: readonly EventDraft[]): Promise<void> {
    const { state } = log;
    const { clock, stopping } = around;
    const { signal } = stopping;
    const memory = new RunMemory(state);
    log.subscribe((event) => memory.apply(event));
    const tokens = around.tokens(this.tokens);
    const model = new ReplayModel(state.config, () => around.outcome());
    const ledger = around.ledger();
    const { parts, strategy } = assemble({ log, model, tokens, clock, random: () => 0.5, signal, ledger }, memory);
    const output = new OutputWriter(log, around.output());
    log.append(...first);
    around.stopIfAsked();
    const ended = await runLoop({
      log,
      strategy,
      clock,
      signal,
      get attended() {
        return around.attended;
      },
      skipReviews: false,
      noticeOf: () => [],
      keepFiles: (task, result) => output.keep(task, result),
      saveCheckpoint: async (iteration) => {
        const { following } = this.script;
        // A cache, which a disk may fail to take.
        if (following?.type === 'checkpoint.saved')
          log.append({ type: 'checkpoint.saved', iteration, file: following.file });
      },
    }).catch((error: unknown) => error);
    if (ended instanceof ReplayEnded || this.signal.aborted) throw ended;
    const ending = this.redactor.redactJson(endingOf(ended, () => {}));
    if (ending === null) return;
    if (closesWithAnswer(state, ending, signal)) await synthesize(parts);
    log.append(...endingEvents(state, ending, log.activeMs()));
  }

  /** Lets everybody else have theirs. */
  private turn(): Promise<void> {
    this.signal.throwIfAborted();
    return new Promise((resolve) => setImmediate(resolve));
  }
}

/** What a new owner does by itself: all that a person asked for stands in the log. */
const NOBODY = { raise: {}, byPerson: false } as const;
