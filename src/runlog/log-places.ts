import type { Call, RunState } from '../run/state.ts';
import { sixDigits } from './folder.ts';

/** Where in the log of a run its parts stand, as links from the run folder: `log/000001.jsonl#L12`. */
export interface LogPlaces {
  /** The event that last changed a task, by the task's id. */
  readonly tasks: ReadonlyMap<string, string>;
  /** The requests that ended without an answer, oldest first. */
  readonly unanswered: readonly UnansweredCall[];
}

export type UnansweredCall = Pick<Call, 'id' | 'agent' | 'taskId' | 'iteration' | 'status' | 'error'> & {
  /** The event that ended it. */
  readonly link: string;
};

export function logPlaces(state: RunState): LogPlaces {
  const tasks = new Map(
    [...state.tasks.values()].map(({ id, changedSeq }) => [id, linkTo(state, changedSeq)] as const),
  );
  const unanswered = [...state.calls.values()].flatMap((call) => {
    const { id, agent, taskId, iteration, status, error, endedSeq } = call;
    if (endedSeq === null || status === 'settled') return [];
    return [{ id, agent, taskId, iteration, status, error, link: linkTo(state, endedSeq) }];
  });
  return { tasks, unanswered };
}

/** Events are numbered without a gap, and a segment holds those of one owner, one a line. */
function linkTo({ segments }: RunState, seq: number): string {
  const segment = segments.findLast(({ firstSeq }) => firstSeq <= seq);
  return segment === undefined ? 'log/' : `log/${sixDigits(segment.number)}.jsonl#L${seq - segment.firstSeq + 1}`;
}
