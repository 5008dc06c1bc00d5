import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Watchdog, type WatchdogSettings } from '../../src/notify/watchdog.ts';

/*
 * A process with a watchdog whose thread is blocked. Arguments: run directory, settings (JSON), limit (ms), what happens:
 * `block N` for N ms · `idle N` · `overdue N`: the time limit is over 6 s ago, and the run goes on for N ms.
 */
const [runDirectory = '', settings = '{}', limitMs = '', what = '', ms = ''] = process.argv.slice(2);
const watchdog = new Watchdog(
  { limitMs: Number(limitMs), ...(JSON.parse(settings) as Omit<WatchdogSettings, 'limitMs'>) },
  {
    distDirectory: __dirname,
    runDirectory,
    runId: '01234567-89ab-4cde-8f01-23456789abcd',
    objective: 'Plan a small garden',
    remainingMs: () => (what === 'overdue' ? -6000 : 3_600_000),
    trace: (message) => process.stderr.write(`${message}\n`),
  },
);
const say = (text: string) => writeSync(1, `${text}\n`);
await delay(600);
say('begins');
if (what === 'block') {
  const end = performance.now() + Number(ms);
  while (performance.now() < end) Math.sqrt(end);
  say('reacts');
  await delay(1500);
} else {
  await delay(Number(ms));
}
await watchdog.stop(2000);
say('ends');
// What it has to say has left, or had its time.
process.exit(0);
