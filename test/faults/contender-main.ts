import { readRun } from '../../src/engine/read.ts';
import { resumeRun } from '../../src/engine/resume.ts';
import { systemClock } from '../../src/run/clock.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { testHost } from '../support/run-host.ts';

/*
 * A process that wants a run to get on, and cannot wait: at twenty times the pace it takes an owner for hung after half a
 * second without a beat, when the owner in truth is only slow. Its own event loop blocks now and then. Ends when the run has
 * ended. Arguments: the run folder, the server's URL, the pace.
 */
const [directory = '', url = '', pace = ''] = process.argv.slice(2);
const HASTE = Number(pace);
const clock = {
  now: () => systemClock.now(),
  monotonic: () => performance.now() * HASTE,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / HASTE, signal),
};

setInterval(() => {
  const until = performance.now() + 400 * Math.random() ** 3;
  while (performance.now() < until);
}, 150).unref();

while ((await readRun(nodeDisk, directory)).end === null) {
  const host = testHost(url, { clock });
  try {
    await (await resumeRun(directory, { raise: {}, byPerson: false }, host)).done;
  } catch {
    // Somebody else has the run, or was quicker.
    await clock.sleep(2000);
  }
  host.egress.close();
}
