import { tokensFor } from '../engine/run-tokens.ts';
import { type RequestAgain, requestAgain } from '../research/request-again.ts';
import type { RunState } from '../run/state.ts';
import { nodeDisk } from '../runlog/disk.ts';
import { runFolder } from '../runlog/folder.ts';
import { type ReadLog, readLog } from '../runlog/reader.ts';

/** What only the log knows of a call. */
export interface LoggedCall {
  readonly again: RequestAgain;
  /** What was odd about the usage that the server reported. */
  readonly usageNote: string | null;
}

/** Reads calls from the log of a run, one after the other, so that together they hold the host up no longer than one. */
export class CallReader {
  private readonly distDirectory: string;
  private turn: Promise<unknown> = Promise.resolve();
  private waiting = 0;
  /** Kept while somebody waits for a call of it. */
  private log: Pick<ReadLog, 'events' | 'end'> | null = null;

  constructor(distDirectory: string) {
    this.distDirectory = distDirectory;
  }

  /** Where the log cannot be read there is no such call in it. */
  of(state: RunState, directory: string, callId: string): Promise<LoggedCall> {
    this.waiting += 1;
    const { lastSeq } = state;
    const read = this.turn
      .then(() => this.read(state, directory, lastSeq, callId))
      .finally(() => {
        this.waiting -= 1;
        if (this.waiting === 0) this.log = null;
      });
    this.turn = read.catch(() => undefined);
    return read;
  }

  private async read({ config }: RunState, directory: string, lastSeq: number, callId: string): Promise<LoggedCall> {
    if (this.log === null || this.log.end.seq < lastSeq)
      this.log = await readLog(nodeDisk, runFolder(directory)).catch(() => null);
    const events = this.log?.events ?? [];
    const settled = events.find((event) => event.type === 'call.settled' && event.call_id === callId);
    return {
      again: await requestAgain(config, events, callId, tokensFor(config, this.distDirectory)),
      usageNote: settled?.type === 'call.settled' ? (settled.usage_note ?? null) : null,
    };
  }
}
