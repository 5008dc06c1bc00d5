import * as vscode from 'vscode';
import type { EndedRuns, Experiment } from '../research/experiment.ts';
import { wordsOf } from '../run/translate.ts';
import { nodeDisk } from '../runlog/disk.ts';
import { runFolder } from '../runlog/folder.ts';
import { processTable } from '../runlog/machine.ts';
import { isOwned } from '../runlog/owner-file.ts';
import type { AtWork, ExperimentBrief, ExperimentStatus, TrialBrief } from './experiment-brief.ts';
import { ExperimentControl } from './experiment-control.ts';
import { experimentsDirectoryOf } from './experiments-directory.ts';
import { l10n } from './panel-l10n.ts';
import type { World } from './run-world.ts';
import type { Runs } from './runs.ts';
import { localFolders } from './workspace.ts';

/** Experiments of one folder that are listed; older ones are in the folder. */
const LISTED = 50;
const LOOK_MS = 1000;
/** Nobody is at it; it is over. */
const IDLE_MS = 3000;
const OVER_MS = 30_000;
/** Reading logs takes at most this part of the host's time. */
const HOST_SHARE = 20;

/** An experiment that is listed. */
export interface ExperimentEntry {
  readonly directory: string;
  /** Null where it cannot be read. */
  readonly brief: ExperimentBrief | null;
  /** Why not. */
  readonly problem: string | null;
}

interface Followed {
  entry: ExperimentEntry;
  readonly ended: EndedRuns;
  /** As it was read last. */
  before: Experiment | null;
  /** Monotonic milliseconds: not to be read again before. */
  notBefore: number;
}

/** The experiments of the workspace, as their folders have them: whoever works on one, here or elsewhere, writes there. */
export class Experiments implements vscode.Disposable {
  readonly control: ExperimentControl;
  private readonly changed = new vscode.EventEmitter<ExperimentEntry | null>();
  /** One is to be shown anew; null: the list. */
  readonly onDidChange = this.changed.event;
  /** Experiments in the folders that are not listed, because there are too many. */
  older = 0;
  private readonly world: World;
  private readonly runs: Runs;
  private readonly byDirectory = new Map<string, Followed>();
  private looking: Promise<void> | null = null;
  private readonly timer: NodeJS.Timeout;
  private readonly subscriptions: vscode.Disposable[];
  private isWatched = false;

  /** `storage`: where the extension keeps which experiments are its own. */
  constructor(world: World, runs: Runs, storage: string) {
    this.world = world;
    this.runs = runs;
    this.control = new ExperimentControl(world, runs, storage);
    this.timer = setInterval(() => {
      if (this.isWatched || this.control.isWorking) void this.look();
    }, LOOK_MS);
    this.subscriptions = [this.control.onDidChange((directory) => void this.lookAgain(([at]) => at === directory))];
  }

  /** Newest first. */
  get entries(): readonly ExperimentEntry[] {
    return [...this.byDirectory.values()]
      .map(({ entry }) => entry)
      .sort((one, other) => (nameOf(one) < nameOf(other) ? 1 : -1));
  }

  entry(directory: string): ExperimentEntry | undefined {
    return this.byDirectory.get(directory)?.entry;
  }

  /** Somebody looks at the list: it is kept as the folders are. */
  watch(isWatched: boolean): void {
    this.isWatched = isWatched;
    if (isWatched) void this.look();
  }

  /** The list as the folders have it now. */
  async scan(): Promise<readonly ExperimentEntry[]> {
    await this.lookAgain(() => true);
    return this.entries;
  }

  /** Also where one of these was only just read. */
  private async lookAgain(isMeant: (known: [directory: string, Followed]) => boolean): Promise<void> {
    while (this.looking !== null) await this.looking;
    for (const known of [...this.byDirectory].filter(isMeant)) known[1].notBefore = 0;
    await this.look();
  }

  /** The folder of the run that a trial of some experiment has. */
  async findTrial(runId: string): Promise<string | null> {
    return (await this.trial((trial) => trial.runId === runId))?.directory ?? null;
  }

  /** The id of the run in this folder, where it is that of a trial. */
  async trialIn(runDirectory: string): Promise<string | null> {
    return (await this.trial((trial) => trial.directory === runDirectory))?.runId ?? null;
  }

  private async trial(isMeant: (trial: TrialBrief) => boolean): Promise<TrialBrief | undefined> {
    const find = (entries: readonly ExperimentEntry[]) =>
      entries.flatMap(({ brief }) => brief?.variants.flatMap(({ trials }) => trials) ?? []).find(isMeant);
    return find(this.entries) ?? find(await this.scan());
  }

  private look(): Promise<void> {
    this.looking ??= this.lookOnce()
      .catch((error: unknown) => this.world.output.error('The experiments could not be read.', error))
      .finally(() => {
        this.looking = null;
      });
    return this.looking;
  }

  private async lookOnce(): Promise<void> {
    const { EndedRuns, listExperiments } = await import('../research/experiment.ts');
    const lists = await Promise.all(directories().map((directory) => listExperiments(nodeDisk, directory)));
    const listed = lists.flatMap((list) => list.slice(0, LISTED));
    const older = lists.flat().length - listed.length;
    const gone = [...this.byDirectory.keys()].filter((directory) => !listed.includes(directory));
    for (const directory of gone) this.byDirectory.delete(directory);
    let changed = gone.length > 0 || older !== this.older;
    this.older = older;
    for (const directory of listed) {
      const known = this.byDirectory.get(directory);
      if (known && performance.now() < known.notBefore) continue;
      const ended = known?.ended ?? new EndedRuns();
      const started = performance.now();
      const { entry, before } = await this.read(directory, ended, known?.before ?? null);
      const shown = known?.entry;
      const notBefore = performance.now() + restOf(entry, performance.now() - started);
      if (known) Object.assign(known, { entry, before, notBefore });
      else this.byDirectory.set(directory, { entry, ended, before, notBefore });
      if (shown === undefined) changed = true;
      else if (JSON.stringify(shown) !== JSON.stringify(entry)) this.changed.fire(entry);
    }
    if (changed) this.changed.fire(null);
  }

  private async read(
    directory: string,
    ended: EndedRuns,
    before: Experiment | null,
  ): Promise<Pick<Followed, 'entry' | 'before'>> {
    try {
      const [{ readExperiment }, { experimentBrief }] = await Promise.all([
        import('../research/experiment.ts'),
        import('./experiment-brief.ts'),
      ]);
      const experiment = await readExperiment(nodeDisk, directory, ended, before);
      const at: AtWork = {
        here: this.control.worksOn(directory),
        imported: await nodeDisk.exists(experiment.folder.imported).catch(() => false),
        isOwn: (runId) => (this.runs.entry(runId)?.session ?? null) !== null,
        isOwned: (run) => isOwned(nodeDisk, runFolder(run), this.world.identity(), processTable).catch(() => false),
      };
      const brief = await experimentBrief(experiment, at);
      return { entry: { directory, brief, problem: null }, before: experiment };
    } catch (error) {
      const problem = wordsOf(error, l10n.t).replaceAll('\n', ' ');
      return { entry: { directory, brief: null, problem }, before: null };
    }
  }

  dispose(): void {
    clearInterval(this.timer);
    for (const subscription of this.subscriptions) subscription.dispose();
    this.control.dispose();
    this.changed.dispose();
  }
}

/** How long one may rest, milliseconds: what is over changes no more, but for what somebody does to its files. */
function restOf({ brief }: ExperimentEntry, took: number): number {
  return Math.max(brief === null ? IDLE_MS : restOfStatus(brief.status), HOST_SHARE * took);
}

function restOfStatus(status: ExperimentStatus): number {
  switch (status) {
    case 'working':
    case 'elsewhere':
      return 0;
    case 'incomplete':
    case 'short':
      return IDLE_MS;
    case 'completed':
    case 'imported':
      return OVER_MS;
    default:
      return status satisfies never;
  }
}

function directories(): string[] {
  return localFolders().map((folder) => experimentsDirectoryOf(folder));
}

/** It begins with the time. */
function nameOf({ directory }: ExperimentEntry): string {
  return directory.split(/[\\/]/).at(-1) ?? '';
}
