import { join } from 'node:path';
import type { Outcome } from '../engine/host.ts';
import type { Session } from '../engine/session.ts';
import { explainStop } from '../run/stop-reason.ts';
import { printable } from '../safety/text.ts';
import type { Options } from './options.ts';
import { Progress } from './progress.ts';
import { FAILED, OK, say, SENTENCE, WAITS } from './result.ts';

/** Shows a run until it ends, lets Ctrl+C end it, and asks for reviews where there is somebody to ask. */
export async function follow(session: Session, options: Options): Promise<number> {
  const json = options.isSet('json');
  const stream = json ? process.stderr : process.stdout;
  const progress = new Progress(
    {
      isTTY: stream.isTTY,
      get columns() {
        return stream.columns || 80;
      },
      write: (text) => stream.write(text),
    },
    session.state,
    () => session.log.activeMs(),
  );
  progress.print(`Run ${session.state.config.run_id} in ${session.folder.path}`);
  if (session.state.config.model.provider === 'rehearsal') {
    progress.print(
      'Rehearsal: a built-in program answers, no language model. Costs are what the chosen model would cost; nothing is spent.',
    );
  }
  // What takes the question away again: its answer, also by the policy, and the end of the run.
  let over = new AbortController();
  session.subscribe((event) => {
    progress.show(event);
    if (event.type === 'review.requested') answerReview();
    if (event.type === 'review.decided') {
      over.abort();
      progress.resume();
    }
  });
  const answerReview = () => {
    if (!process.stdin.isTTY || options.isSet('skip-reviews')) return;
    progress.pause();
    over = new AbortController();
    const { signal } = over;
    void import('./review.ts')
      .then(({ askReview }) =>
        askReview(session.state, session.steering, { input: process.stdin, output: stream }, signal),
      )
      .then((how) => how === 'left' && session.stop());
  };
  if (session.state.review) answerReview();
  stopOnSignals(session);
  const outcome = await session.done;
  over.abort();
  progress.close();
  report(outcome, session, json, stream);
  return exitCodeOf(outcome, session);
}

function stopOnSignals(session: Session): void {
  let asked = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // Asked twice: leave at once. The log is good at any byte, and the run can be resumed.
      if (asked) process.exit(130);
      asked = true;
      session.stop(signal === 'SIGINT' ? 'person' : 'signal');
    });
  }
}

function report(outcome: Outcome, { state }: Session, json: boolean, stream: NodeJS.WriteStream): void {
  const words = state.end && explainStop(state.end, state.review !== null);
  // The detail may quote a server.
  const sentences = new Set([...(words ? [words.meaning] : []), printable(outcome.detail, SENTENCE)]);
  stream.write(`Ended: ${outcome.stopReason}. ${[...sentences].join(' ')}\n`);
  if (words) stream.write(`Next: ${words.next}\n`);
  stream.write(`Summary: ${join(outcome.runDirectory, 'summary.md')}\n`);
  if (!json) return;
  const { runId, runDirectory, stopReason, iterations, costUsd } = outcome;
  say(JSON.stringify({ run_id: runId, run_dir: runDirectory, stop_reason: stopReason, iterations, cost_usd: costUsd }));
}

function exitCodeOf(outcome: Outcome, session: Session): number {
  switch (outcome.stopReason) {
    case 'error':
    case 'disk_full':
      return FAILED;
    case 'waiting_for_key':
    case 'quarantined':
      return WAITS;
    case 'stopped_at_review':
      return session.state.review ? WAITS : OK;
    case 'objective_complete':
    case 'queue_empty':
    case 'max_iterations':
    case 'max_cost':
    case 'max_requests':
    case 'max_tokens':
    case 'max_wall_time':
    case 'stopped_by_user':
    case 'stalled':
      return OK;
  }
}
