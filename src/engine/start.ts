import { join } from 'node:path';
import type { Forecast } from '../research/forecast.ts';
import type { RunConfig } from '../run/config.ts';
import type { EventDraft } from '../run/events.ts';
import type { RunSettings } from '../run/settings.ts';
import { firstTask } from '../run/first-task.ts';
import { initialState } from '../run/state.ts';
import { type RunFolder, runFolder, runFolderName } from '../runlog/folder.ts';
import { keepReserve } from '../runlog/reserve.ts';
import { onDisk } from './engine-error.ts';
import type { Host, StartOptions } from './host.ts';
import { tokensFor } from './run-tokens.ts';
import { owning } from './owning.ts';
import { Session } from './session.ts';
import { nowhere, snapshotConfig } from './snapshot.ts';

/** Starts a new run; resolves once its folder and first events are on disk. */
export async function startRun(settings: RunSettings, options: StartOptions, host: Host): Promise<Session> {
  const config = await snapshotConfig(settings, options, host);
  return createRun(config, [firstTask(config)], options, host);
}

/** Makes the folder of a run that begins with these events. The configuration may hold secrets yet. */
export async function createRun(
  snapshot: RunConfig,
  first: readonly EventDraft[],
  options: Pick<StartOptions, 'runsDirectory' | 'paceMs'>,
  host: Host,
): Promise<Session> {
  return onDisk(options.runsDirectory, async () => {
    const { folder, config, bytes } = await makeRunFolder(snapshot, options.runsDirectory, host);
    return owning(folder, host, async (ownership) => {
      const session = await Session.open(host, folder, bytes, initialState(config), null, ownership, options.paceMs);
      session.begin(first);
      return session;
    });
  });
}

/** All that a run folder has before it has a log. Whoever makes it again, with the same configuration, changes nothing. */
export async function makeRunFolder(
  snapshot: RunConfig,
  runsDirectory: string,
  { disk, redactor }: Pick<Host, 'disk' | 'redactor'>,
): Promise<{ folder: RunFolder; config: RunConfig; bytes: string }> {
  const config = redactor.redactJson(snapshot);
  const name = runFolderName(Date.parse(config.created_at), config.objective, config.run_id);
  const folder = runFolder(join(runsDirectory, name));
  const bytes = `${JSON.stringify(config, null, 2)}\n`;
  await disk.makeDirectory(folder.log);
  await Promise.all([
    disk.replace(folder.config, bytes),
    disk.replace(join(folder.path, '.gitignore'), '*\n'),
    keepReserve(disk, folder),
  ]);
  return { folder, config, bytes };
}

/**
 * What a run with these settings would cost: rehearsed in memory, nothing is sent and nothing written. Throws EngineError
 * where startRun would, and the reason of the signal where that is aborted.
 */
export async function forecastRun(
  settings: RunSettings,
  options: Pick<StartOptions, 'provider' | 'prices' | 'promptOverrides'>,
  host: Pick<Host, 'clock' | 'redactor' | 'distDirectory' | 'workspace'>,
  signal: AbortSignal,
): Promise<Forecast> {
  const parts = { ...host, environment: nowhere };
  const config = await snapshotConfig(settings, { ...options, snapshot: {} }, parts);
  const { forecast } = await import('../research/forecast.ts');
  return forecast(config, { tokens: tokensFor(config, host.distDirectory), workspace: host.workspace, signal });
}
