import { promptRecords } from '../agents/prompts.ts';
import { historyUntil } from '../research/fork-history.ts';
import type { RunConfig } from '../run/config.ts';
import type { RunEvent } from '../run/events.ts';
import type { RawSettings, RunSettings } from '../run/settings.ts';
import type { Disk } from '../runlog/disk.ts';
import { chainAt } from '../runlog/chain-at.ts';
import { type RunFolder, runFolder } from '../runlog/folder.ts';
import { EngineError } from './engine-error.ts';
import type { Host, StartOptions } from './host.ts';
import { readConfig, readEvents } from './read.ts';
import type { Session } from './session.ts';
import { snapshotConfig } from './snapshot.ts';
import { createRun } from './start.ts';

/** A run that another one may begin from. */
export interface Parent {
  readonly folder: RunFolder;
  readonly config: RunConfig;
  readonly events: readonly RunEvent[];
}

/** Throws EngineError. */
export async function readParent(disk: Disk, directory: string): Promise<Parent> {
  const folder = runFolder(directory);
  const { config } = await readConfig(disk, folder);
  const { events } = await readEvents(disk, folder);
  return { folder, config, events };
}

/** How many iterations it has completed. */
export function completedIn({ events }: Pick<Parent, 'events'>): number {
  const last = events.findLast(({ type }) => type === 'iteration.completed');
  return last?.type === 'iteration.completed' ? last.iteration : 0;
}

/** What a run was started with, as settings of another one; its limits are not among them. */
export function settingsOfRun({ config }: Pick<Parent, 'config'>): RawSettings {
  const { model, embedding, parameters, loop } = config;
  return {
    objective: config.objective,
    acceptanceCriteria: config.acceptance_criteria,
    initialTask: config.initial_task,
    strategy: config.strategy,
    model: model.requested,
    embeddingModel: embedding?.model ?? null,
    embeddingDimensions: embedding?.dimensions ?? null,
    ...(model.provider === 'openai' ? { baseUrl: model.base_url } : {}),
    temperature: parameters.temperature,
    seed: parameters.seed,
    checkpointEvery: loop.checkpoint_every,
    reviewEvery: loop.review_every,
    reviewEveryUsd: loop.review_every_usd,
    reviewFirstUse: loop.review_first_use,
    unattendedReview: loop.unattended_review,
    maxNewTasks: loop.max_new_tasks_per_iteration,
    recallTokens: loop.recall_tokens,
    sleepSeconds: loop.sleep_seconds,
    synthesis: loop.synthesis,
  };
}

/** The prompts of a run that are not the built-in ones, for another one with this strategy. */
export function promptsOfRun(
  { config }: Pick<Parent, 'config'>,
  strategy: RunConfig['strategy'],
): StartOptions['promptOverrides'] {
  if (config.strategy !== strategy) return new Map();
  const builtIn = promptRecords(strategy, new Map());
  return new Map(
    Object.entries(config.prompts).flatMap(([name, { text, source }]) =>
      Object.hasOwn(builtIn, name) && builtIn[name]?.text !== text
        ? [[name, { text, file: source === 'built-in' ? `run ${config.run_id}` : source }] as const]
        : [],
    ),
  );
}

/**
 * Starts a new run from the state of another one after an iteration: with its tasks, results and vectors, and nothing of its
 * money. The other run is only read. Throws EngineError.
 */
export async function forkRun(
  parent: Parent,
  iteration: number,
  settings: RunSettings,
  options: StartOptions,
  host: Host,
): Promise<Session> {
  const snapshot = await snapshotConfig(settings, options, host);
  const { config: from } = parent;
  const isSameServer =
    snapshot.model.base_url === from.model.base_url && snapshot.model.provider === from.model.provider;
  const history = historyUntil(parent.events, iteration, {
    vectors: isSameServer && JSON.stringify(snapshot.embedding) === JSON.stringify(from.embedding),
    adaptations: isSameServer && snapshot.model.requested === from.model.requested,
  });
  if (history === null) throw noSuchIteration(parent, iteration);
  if (settings.limits.max_iterations <= iteration)
    throw new EngineError('configuration', (translated) => [
      translated(
        'The iteration limit counts the {0} iterations that the fork begins with, too: give more than that.',
        iteration,
      ),
    ]);
  const forked_from = {
    run_id: from.run_id,
    iteration,
    seq: history.last.seq,
    hash: await chainAt(host.disk, parent.folder, history.last),
    // Behind run.created and epoch.opened.
    through: 2 + history.drafts.length,
    calls: history.calls,
  };
  return createRun({ ...snapshot, forked_from }, history.drafts, options, host);
}

function noSuchIteration(parent: Parent, iteration: number): EngineError {
  const { folder } = parent;
  const most = completedIn(parent);
  return new EngineError('configuration', (translated) => [
    most === 0
      ? translated('The run in {0} has completed no iteration that another one could begin after.', folder.path)
      : translated(
          'The run in {0} has not completed iteration {1}: give a whole number from 1 to {2}.',
          folder.path,
          iteration,
          most,
        ),
  ]);
}
