import { setTimeout as delay } from 'node:timers/promises';
import type { RunState } from '../run/state.ts';
import { nodeDisk } from '../runlog/disk.ts';
import { runFolder } from '../runlog/folder.ts';
import { readLog } from '../runlog/reader.ts';
import { taskHistories } from './panel-history.ts';

type Histories = ReturnType<typeof taskHistories>;

/** Reading logs takes at most this part of the host's time. */
const HOST_SHARE = 20;

/** What was done to the tasks of a run, from its log: the state knows only what came of it. */
export class HistoryReader {
  /** The last reading: up to which event, or null while it waits for its turn. */
  private last: { seq: number | null; lines: Promise<Histories> } | null = null;
  private notBefore = 0;

  /** The histories up to now. A log that cannot be read has none. */
  of(state: RunState, directory: string): Promise<Histories> {
    const { last } = this;
    if (last !== null && (last.seq === null || last.seq === state.lastSeq)) return last.lines;
    const reading = { seq: null as number | null, lines: Promise.resolve<Histories>(new Map()) };
    reading.lines = (async () => {
      await last?.lines;
      await delay(Math.max(0, this.notBefore - performance.now()));
      reading.seq = state.lastSeq;
      const started = performance.now();
      const log = await readLog(nodeDisk, runFolder(directory)).catch(() => null);
      const histories = taskHistories(state.config, log?.events ?? []);
      const ended = performance.now();
      this.notBefore = ended + HOST_SHARE * (ended - started);
      return histories;
    })();
    this.last = reading;
    return reading.lines;
  }
}
