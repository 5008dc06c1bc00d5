import type { RunLog } from '../run/ports.ts';
import { usdFromPico } from '../budget/money.ts';
import type { RunState } from '../run/state.ts';
import type { Disk } from './disk.ts';
import { checkpointFile, type RunFolder } from './folder.ts';

/** Older checkpoints say nothing that the log does not: this many are kept. */
const KEPT = 3;

/**
 * Saves the state as a file for people and scripts. A cache: the log is the truth, so a failure is only traced, and the
 * loop does not wait for the disk.
 */
export async function saveCheckpoint(disk: Disk, folder: RunFolder, log: RunLog, iteration: number, trace: (message: string) => void): Promise<void> {
  const file = checkpointFile(folder, iteration);
  const content = `${JSON.stringify(checkpointOf(log.state))}\n`;
  try {
    await disk.makeDirectory(folder.checkpoints);
    await disk.replace(file, content);
    const names = (await disk.list(folder.checkpoints)).filter((name) => /^\d{6}\.json$/.test(name)).sort();
    for (const name of names.slice(0, -KEPT)) await disk.remove(`${folder.checkpoints}/${name}`);
    log.append({ type: 'checkpoint.saved', iteration, file: file.slice(folder.path.length + 1) });
  } catch (error) {
    trace(`The checkpoint after iteration ${iteration} could not be saved: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The state as JSON: what is waiting whole, what is done by id (its text and result are in the log). */
export function checkpointOf(state: RunState): Record<string, unknown> {
  const { money } = state;
  return {
    format_version: 1,
    run_id: state.config.run_id,
    seq: state.lastSeq,
    epoch: state.epoch,
    iteration: state.iteration,
    status: state.status,
    limits: state.limits,
    money: { settled_usd: usdFromPico(money.settled), held_usd: usdFromPico(money.held), reserved_usd: usdFromPico(money.reserved) },
    pending: state.pending.map((id) => ({ task_id: id, text: state.tasks.get(id)?.text })),
    finished: [...state.tasks.values()].filter((task) => task.state !== 'pending').map((task) => ({ task_id: task.id, state: task.state, result_call_id: task.resultCallId })),
  };
}
