import { writeFileSync } from 'node:fs';
import { startRun } from '../../src/engine/start.ts';
import { systemClock } from '../../src/run/clock.ts';
import { runFolder } from '../../src/runlog/folder.ts';
import { testHost, testSettings, testStart } from './run-host.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Nothing is sent there: a rehearsal needs no server. */
const NOWHERE = 'https://nowhere.invalid/v1';

/** Leaves a rehearsed run that has ended in a runs folder, and returns the path of its own. */
export async function seedRun(
  runsDirectory: string,
  objective: string,
  { iterations = 2, daysAgo = 0, imported = false } = {},
): Promise<string> {
  const clock = { ...systemClock, now: () => Date.now() - daysAgo * DAY_MS };
  const settings = testSettings(NOWHERE, { objective, max_iterations: iterations });
  const host = testHost('https://nowhere.invalid', { clock });
  const session = await startRun(settings, testStart(runsDirectory, { provider: 'rehearsal' }), host);
  const { runDirectory } = await session.done;
  if (imported) writeFileSync(runFolder(runDirectory).imported, '{}\n');
  host.egress.close();
  return runDirectory;
}
