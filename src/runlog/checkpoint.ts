import * as z from 'zod';
import { usdFromPico } from '../budget/money.ts';
import { Limits } from '../run/config.ts';
import { FORMAT_VERSION } from '../run/format.ts';
import { messageOf } from '../run/message.ts';
import type { RunLog } from '../run/ports.ts';
import type { RunState } from '../run/state.ts';
import type { Disk } from './disk.ts';
import { checkpointFile, type RunFolder } from './folder.ts';

/** checkpoints/NNNNNN.json. */
export const Checkpoint = z.object({
  format_version: z.literal(FORMAT_VERSION),
  run_id: z.string(),
  seq: z.int().describe('The event of the log that it was made after.'),
  epoch: z.int(),
  iteration: z.int(),
  status: z.enum(['created', 'running', 'paused', 'review', 'ended']),
  limits: Limits.describe('As last raised.'),
  money: z.object({ settled_usd: z.number(), held_usd: z.number(), reserved_usd: z.number() }),
  pending: z
    .array(z.object({ task_id: z.string(), text: z.string(), state: z.enum(['pending', 'blocked']) }))
    .describe('Waiting tasks, next one first; those that a person holds back are blocked.'),
  finished: z
    .array(
      z.object({
        task_id: z.string(),
        state: z.enum(['running', 'done', 'failed', 'removed']),
        result_call_id: z.string().nullable().describe('The call of the log whose answer is the result.'),
      }),
    )
    .describe('Tasks that do not wait any more.'),
});
export type Checkpoint = z.infer<typeof Checkpoint>;

/** Older checkpoints say nothing that the log does not: this many are kept. */
const KEPT = 3;

/**
 * Saves the state as a file for people and scripts. A cache: the log is the truth, so a failure is only traced.
 */
export async function saveCheckpoint(
  disk: Disk,
  folder: RunFolder,
  log: RunLog,
  iteration: number,
  trace: (message: string) => void,
): Promise<void> {
  const file = checkpointFile(folder, iteration);
  const content = `${JSON.stringify(checkpointOf(log.state))}\n`;
  try {
    await disk.makeDirectory(folder.checkpoints);
    await disk.replace(file, content);
    const names = (await disk.list(folder.checkpoints)).filter((name) => /^\d{6}\.json$/.test(name)).sort();
    for (const name of names.slice(0, -KEPT)) await disk.remove(`${folder.checkpoints}/${name}`);
    log.append({ type: 'checkpoint.saved', iteration, file: file.slice(folder.path.length + 1) });
  } catch (error) {
    trace(`The checkpoint after iteration ${iteration} could not be saved: ${messageOf(error)}`);
  }
}

/** The state as JSON: what is waiting whole, what is done by id (its text and result are in the log). */
export function checkpointOf(state: RunState): Checkpoint {
  const { money } = state;
  return {
    format_version: FORMAT_VERSION,
    run_id: state.config.run_id,
    seq: state.lastSeq,
    epoch: state.epoch,
    iteration: state.iteration,
    status: state.status,
    limits: state.limits,
    money: {
      settled_usd: usdFromPico(money.settled),
      held_usd: usdFromPico(money.held),
      reserved_usd: usdFromPico(money.reserved),
    },
    pending: state.pending.map((id) => {
      const task = state.tasks.get(id);
      return { task_id: id, text: task?.text ?? '', state: task?.state === 'blocked' ? 'blocked' : 'pending' };
    }),
    finished: [...state.tasks.values()].flatMap(({ id, state: how, resultCallId }) =>
      how === 'pending' || how === 'blocked' ? [] : [{ task_id: id, state: how, result_call_id: resultCallId }],
    ),
  };
}
