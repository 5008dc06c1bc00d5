import { usdFromPico } from '../budget/money.ts';
import type { RunConfig } from '../run/config.ts';
import type { EventDraft } from '../run/events.ts';
import { firstTask } from '../run/first-task.ts';
import { inEnglish, type Translate, wordsOf } from '../run/translate.ts';
import type { LimitName } from '../run/limits.ts';
import { raisedTo, raiseProblem, usedWithout } from '../run/raise.ts';
import type { RunState } from '../run/state.ts';
import { runFolder } from '../runlog/folder.ts';
import { keepReserve } from '../runlog/reserve.ts';
import { OriginError, parseOrigin } from '../safety/origin.ts';
import { EngineError, onDisk } from './engine-error.ts';
import type { Host } from './host.ts';
import { modelElsewhere } from './model.ts';
import { owning } from './owning.ts';
import { readConfig, readState } from './read.ts';
import { Session } from './session.ts';

export interface ResumeOptions {
  /** New values of limits, also of such as the run has not got; one that is not above the old value changes nothing. */
  readonly raise: Readonly<Partial<Record<LimitName, number>>>;
  /** The same by amounts to add: to the limit, or to what is used where the run has none. */
  readonly add?: Readonly<Partial<Record<LimitName, number>>>;
  /** A person says that the pending review is approved. */
  readonly approveReview?: boolean;
  /** A person says that no task is blocked any more. */
  readonly unblockTasks?: boolean;
  /** A person asked for it; false where a window picks up what it ran before. */
  readonly byPerson: boolean;
  /** Leaves a run alone that has ended meanwhile: `has_ended`. */
  readonly unlessEnded?: boolean;
  readonly paceMs?: number;
}

/** Takes a run folder up where its log ends. Throws EngineError where it cannot go on; then nothing was changed. */
export async function resumeRun(directory: string, options: ResumeOptions, host: Host): Promise<Session> {
  const { disk } = host;
  const folder = runFolder(directory);
  const { config, bytes } = await readConfig(disk, folder);
  checkServer(config, host);
  return onDisk(directory, async () => {
    if (await disk.exists(folder.imported))
      throw new EngineError('imported', (translated) => [
        translated('{0} came from an archive: the run can be looked at, not resumed.', directory),
      ]);
    return owning(folder, host, async (ownership) => {
      const { state, end } = await readState(disk, folder, config);
      // Perhaps only just now, while its owner was waited for: what a person stopped does not go on by itself.
      if (state.status === 'ended' && options.unlessEnded)
        throw new EngineError('has_ended', (translated) => [
          translated('The run in {0} has ended: a person may go on with it.', directory),
        ]);
      const raises = raisesOf(state, options);
      const problems = (translated: Translate) =>
        raises.flatMap(([limit, to]) => raiseProblem(state, limit, to, translated) ?? []);
      if (problems(inEnglish).length > 0) throw new EngineError('configuration', problems);
      await keepReserve(disk, folder);
      const session = await Session.open(host, folder, bytes, state, end, ownership, options.paceMs);
      session.begin(resumeEvents(session.state, options));
      return session;
    });
  });
}

/** A folder may come from anywhere, and so may the address in it. */
function checkServer(
  { model: { provider, base_url } }: RunConfig,
  { languageModel }: Pick<Host, 'languageModel'>,
): void {
  if (provider === 'rehearsal') return;
  if (provider === 'vscode-lm') {
    if (languageModel === undefined) throw modelElsewhere();
    return;
  }
  try {
    parseOrigin(base_url, { allowPrivate: true });
  } catch (error) {
    if (error instanceof OriginError)
      throw new EngineError('damaged', (translated) => [
        translated('The server of this run cannot be used: {0}', wordsOf(error, translated)),
      ]);
    throw error;
  }
}

/** The limits that are to be raised, with their new values. */
function raisesOf(state: RunState, { raise, add = {} }: ResumeOptions): [LimitName, number][] {
  const added = (Object.entries(add) as [LimitName, number][]).map(([limit, more]): [LimitName, number] => [
    limit,
    (state.limits[limit] ?? usedWithout(state, limit) ?? 0) + more,
  ]);
  return [...(Object.entries(raise) as [LimitName, number][]), ...added];
}

/** What a new owner says first: calls of unknown outcome are held, limits raised, and a person's go-ahead noted. */
export function resumeEvents(state: RunState, options: ResumeOptions): EventDraft[] {
  const events: EventDraft[] = [];
  for (const call of state.calls.values()) {
    if (call.status !== 'reserved') continue;
    events.push({
      type: 'call.held',
      call_id: call.id,
      agent: call.agent,
      task_id: call.taskId,
      iteration: call.iteration,
      model: call.model,
      attempt: call.attempt,
      input_tokens: null,
      cached_tokens: null,
      output_tokens: null,
      latency_ms: null,
      cost_usd: usdFromPico(call.reserved),
      system_fingerprint: null,
      error: { class: 'interrupted_by_crash', message: 'The process ended before the outcome was known.' },
    });
  }
  for (const [limit, to] of raisesOf(state, options)) {
    const raised = raisedTo(state, limit, to);
    if (raised !== null) events.push(raised);
  }
  for (const { id, state: how } of options.unblockTasks ? state.tasks.values() : []) {
    if (how === 'blocked') events.push({ type: 'task.unblocked', task_id: id, by: 'user' });
  }
  if (options.byPerson) events.push({ type: 'run.resumed', by: 'user' });
  if (options.approveReview && state.review) {
    const { id, digest } = state.review;
    events.push({ type: 'review.decided', review_id: id, digest, decision: 'approve', by: 'user', via: 'resume' });
  }
  if (state.tasks.size === 0) {
    // The first owner died between opening the log and putting in the first task.
    events.push(firstTask(state.config));
  }
  return events;
}
