import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { nodeDisk } from '../runlog/disk.ts';
import { Egress } from '../safety/egress.ts';
import type { Channel, Message } from './channel.ts';
import { channelsFor } from './channels.ts';
import { type Finding, HangDetector, type Look } from './hang-detector.ts';
import type { WatchdogOrder } from './watchdog.ts';

/** The other thread of the watchdog: looks at the beats of the loop's thread, and says by itself that they stopped. */

const LOOK_MS = 250;
const ATTEMPTS = 5;

const order = workerData as WatchdogOrder;
const { limitMs, notices, localOnly = false, runDirectory, runId, objective } = order;
const cells = new BigInt64Array(order.shared);
const egress = new Egress({ allowedOrigins: [], localOnly });
const channels = channelsFor(notices, egress);

const detector = new HangDetector(limitMs, look());
let file: { readonly path: string; readonly content: Record<string, unknown> } | null = null;
let episodes = 0;
let stopping = false;
/** One thing after the other, so that "recovered" never comes first. */
let telling: Promise<void> = Promise.resolve();

const tellSoon = (finding: Finding | null) => {
  if (finding !== null) telling = telling.then(() => tell(finding));
};
const looking = setInterval(() => tellSoon(detector.look(look())), LOOK_MS);

parentPort?.once('message', () => {
  stopping = true;
  clearInterval(looking);
  tellSoon(detector.end(look()));
  void telling.finally(() => egress.close());
});

function look(): Look {
  const monotonic = process.hrtime.bigint();
  return {
    beats: Atomics.load(cells, 0),
    overdueMs: Number(monotonic - Atomics.load(cells, 1)) / 1e6,
    wallMs: Date.now(),
    monotonicMs: Number(monotonic / 1000n) / 1000,
  };
}

async function tell(finding: Finding): Promise<void> {
  if (finding.over === undefined) episodes += 1;
  await Promise.all([note(finding).catch(() => {}), alert(finding)]);
}

/** `hang-<n>.json` in the run folder: a side file, as the log belongs to the thread that is blocked. */
async function note({ what, over, ms }: Finding): Promise<void> {
  const now = new Date().toISOString();
  if (over === undefined) {
    const names = await nodeDisk.list(runDirectory);
    const number = Math.max(0, ...names.map((name) => Number(/^hang-(\d+)\.json$/.exec(name)?.[1] ?? 0))) + 1;
    const content = {
      what,
      run_id: runId,
      detected_at: now,
      after_ms: Math.round(ms),
      limit_ms: limitMs,
      recovered_at: null,
      lasted_ms: null,
    };
    file = { path: join(runDirectory, `hang-${number}.json`), content };
  } else if (file !== null) {
    file = { ...file, content: { ...file.content, recovered_at: now, lasted_ms: Math.round(ms) } };
  }
  if (file !== null) await nodeDisk.replace(file.path, `${JSON.stringify(file.content, null, 2)}\n`);
}

async function alert(finding: Finding): Promise<void> {
  const { what } = finding;
  const message: Message = {
    id: `${runId.slice(0, 8)}-${what}-${episodes}`,
    kind: what,
    text: `${sentence(finding)} Objective: ${objective}`,
    runId,
    at: new Date().toISOString(),
    standing: null,
  };
  // A channel that hangs holds up no other one.
  await Promise.all(channels.filter((channel) => channel.takes(what)).map((channel) => deliver(channel, message)));
}

async function deliver(channel: Channel, message: Message): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const failure = await channel.send(message, AbortSignal.timeout(60_000));
    if (failure === null || failure.permanent || stopping) return;
    await sleep(Math.max(1000 * 2 ** attempt, Math.min(failure.retryAfterMs ?? 0, 60_000)));
  }
}

function sentence({ what, over, ms }: Finding): string {
  const seconds = `${Math.round(ms / 1000)} s`;
  switch (what) {
    case 'hang':
      return `BabyAGI run hangs: its process has not reacted for ${seconds}. It sends nothing meanwhile. Next: if it stays so, end the process and resume the run.`;
    case 'overdue':
      return `BabyAGI run is past its time limit by ${seconds} and has not ended. Next: stop it, or end its process.`;
    case 'recovered':
      return over === 'overdue'
        ? `BabyAGI run has ended, or has got more time, ${seconds} after its time limit.`
        : `BabyAGI run reacts again, after ${seconds}.`;
  }
}
