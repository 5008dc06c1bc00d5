import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { NoticeSettings } from './settings.ts';

export interface WatchdogSettings {
  /** The loop's thread may be blocked for so long before somebody is told, milliseconds. */
  readonly limitMs: number;
  /** Without any the file in the run folder is all. Holds secrets. */
  readonly notices: NoticeSettings;
  /** Tell only what is on this machine, whatever is set. */
  readonly localOnly?: boolean;
}

/** What the worker gets as `workerData`. */
export interface WatchdogOrder extends WatchdogSettings {
  /** Two bigints: beats, and the time limit on the clock of `process.hrtime`, nanoseconds. */
  readonly shared: SharedArrayBuffer;
  readonly runDirectory: string;
  readonly runId: string;
  /** Free of secrets. */
  readonly objective: string;
}

export interface WatchdogRun {
  readonly distDirectory: string;
  readonly runDirectory: string;
  readonly runId: string;
  readonly objective: string;
  /** What is left of the time limit, milliseconds; asked at every beat. */
  readonly remainingMs: () => number;
  readonly trace: (message: string) => void;
}

const BEAT_MS = 100;

/**
 * Watches the thread that it is created in from a worker thread, which can still tell somebody when this one is blocked.
 * It never kills anything: a blocked thread cannot spend money.
 */
export class Watchdog {
  private readonly worker: Worker;
  private readonly beating: NodeJS.Timeout;
  private readonly exited: Promise<void>;

  constructor(settings: WatchdogSettings, run: WatchdogRun) {
    const shared = new SharedArrayBuffer(16);
    const cells = new BigInt64Array(shared);
    const beat = () => {
      Atomics.store(cells, 1, process.hrtime.bigint() + BigInt(Math.round(run.remainingMs() * 1e6)));
      Atomics.add(cells, 0, 1n);
    };
    beat();
    this.beating = setInterval(beat, BEAT_MS);
    this.beating.unref();
    const { runDirectory, runId, objective } = run;
    const order: WatchdogOrder = { ...settings, shared, runDirectory, runId, objective };
    this.worker = new Worker(resolve(run.distDirectory, 'watchdog.worker.js'), { workerData: order, execArgv: [] });
    // Without it a run is as good as before; only nobody would be told of a hang.
    this.worker.on('error', (error) => run.trace(`The watchdog failed: ${error.message}`));
    this.worker.unref();
    this.exited = new Promise((resolve) => this.worker.once('exit', () => resolve()));
  }

  /** What it found is over: says so, and lets what is under way leave, for which it waits so long at the most. */
  async stop(atMostMs: number): Promise<void> {
    clearInterval(this.beating);
    this.worker.postMessage('stop');
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, atMostMs);
    });
    await Promise.race([this.exited, expired]);
    clearTimeout(timer);
  }
}
