import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import * as vscode from 'vscode';
import type { Session } from '../engine/session.ts';
import type { createExperiment } from '../research/create-experiment.ts';
import { experimentFolder } from '../research/experiment-folder.ts';
import type { ExperimentWorker, WorkerStop } from '../research/work-experiment.ts';
import { nodeDisk } from '../runlog/disk.ts';
import { processTable } from '../runlog/machine.ts';
import type { Egress } from '../safety/egress.ts';
import { ExperimentHolder } from './experiment-holder.ts';
import { KnownRuns } from './known-runs.ts';
import { obey } from './obey.ts';
import type { hostFor, NewExporter, World } from './run-world.ts';
import type { Runs } from './runs.ts';
import type { Configured } from './settings.ts';

/** Slows a rehearsal down so that the window stays at hand and a person can watch, milliseconds a request. */
const REHEARSAL_PACE_MS = 40;

/** What an experiment needs of this window to be worked on. */
export interface WorkRequest {
  readonly configured: Configured;
  /** The server of all its runs; null: a rehearsal. */
  readonly baseUrl: string | null;
  /** Absolute path. */
  readonly workspace: string;
  /** Trials at once. */
  readonly parallel: number;
}

export interface NewExperiment extends WorkRequest {
  readonly experimentsDirectory: string;
  readonly made: Parameters<typeof createExperiment>[1];
}

type Surroundings = Awaited<ReturnType<typeof hostFor>>;

interface Working {
  readonly id: string;
  readonly worker: ExperimentWorker;
  readonly gate: Egress;
  readonly done: Promise<void>;
}

export interface ExperimentEnd {
  readonly directory: string;
  readonly stop: WorkerStop;
  /** Why its folder could not be worked on; null: it could. */
  readonly problem: unknown;
}

/** Starts, goes on with and lets go of the experiments of this window. */
export class ExperimentControl implements vscode.Disposable {
  /** Which experiments go on by themselves after a reload, and which may be asked to stop by another window. */
  readonly known: KnownRuns;
  readonly holder: ExperimentHolder;
  private readonly world: World;
  private readonly runs: Runs;
  private readonly working = new Map<string, Working>();
  /** Folders that are about to be worked on. */
  private readonly beginning = new Set<string>();
  private readonly changed = new vscode.EventEmitter<string>();
  /** Something of the experiment in this folder changed by this window. */
  readonly onDidChange = this.changed.event;
  private readonly ended = new vscode.EventEmitter<ExperimentEnd>();
  /** A worker of this window came to an end. */
  readonly onDidEnd = this.ended.event;
  private closing = false;

  constructor(world: World, runs: Runs, storage: string) {
    this.world = world;
    this.runs = runs;
    this.known = new KnownRuns(nodeDisk, storage, (directory) => experimentFolder(directory).record);
    this.holder = new ExperimentHolder(nodeDisk, storage, world.identity, processTable);
  }

  get isWorking(): boolean {
    return this.working.size > 0;
  }

  worksOn(directory: string): boolean {
    return this.working.has(directory);
  }

  /** Makes the folder of an experiment and begins to work on it; gives the folder. Throws EngineError and ServerRefused. */
  async start({ experimentsDirectory, made, ...request }: NewExperiment): Promise<string> {
    const { createExperiment } = await import('../research/create-experiment.ts');
    const surroundings = await this.surroundingsFor(request);
    try {
      const directory = await createExperiment(experimentsDirectory, made, surroundings.host);
      await this.work(directory, surroundings, request.parallel);
      return directory;
    } catch (error) {
      surroundings.gate.close();
      throw error;
    }
  }

  /** Takes trials of an experiment that is there. Throws EngineError and ServerRefused. */
  async goOn(directory: string, request: WorkRequest): Promise<void> {
    // A window that has just opened may be told twice.
    if (this.working.has(directory) || this.beginning.has(directory)) return;
    this.beginning.add(directory);
    try {
      const surroundings = await this.surroundingsFor(request);
      await this.work(directory, surroundings, request.parallel).catch((error: unknown) => {
        surroundings.gate.close();
        throw error;
      });
    } finally {
      this.beginning.delete(directory);
    }
  }

  /** Ends the runs under way; who goes on with the experiment takes them up. False: this window is not at it. */
  stop(directory: string): boolean {
    const work = this.working.get(directory);
    work?.worker.stop('person');
    return work !== undefined;
  }

  /** The report as the folder has it now; gives the file. In a thread of its own, as the statistics take their time. */
  async report(directory: string): Promise<string> {
    const thread = join(this.world.distDirectory, 'report.worker.js');
    await new Promise<void>((resolve, reject) => {
      new Worker(thread, { workerData: directory, execArgv: [] }).once('error', reject).once('exit', () => resolve());
    });
    return experimentFolder(directory).reportMarkdown;
  }

  /** Lets go of all runs, so that the next window goes on with them. Uses nothing of VS Code. */
  async close(): Promise<void> {
    this.closing = true;
    const letGo = [...this.working.values()].map(async ({ id, worker, gate, done }) => {
      await worker.letGo();
      gate.close();
      await done;
      await this.holder.letGo(id);
    });
    await Promise.allSettled(letGo);
  }

  private async surroundingsFor({ configured, baseUrl, workspace }: WorkRequest): Promise<Surroundings> {
    const { hostFor } = await import('./run-world.ts');
    const { host, ...others } = await hostFor(this.world, configured, { baseUrl, workspace });
    // No experiment asks a model of VS Code, whatever its folder says.
    const { languageModel: _, ...parts } = host;
    // What a person does to one trial would be a difference between the variants.
    return { host: { ...parts, attended: false, skipReviews: true }, ...others };
  }

  private async work(directory: string, { host, gate, newExporter }: Surroundings, parallel: number): Promise<void> {
    const [{ ExperimentWorker }, { readRecord }] = await Promise.all([
      import('../research/work-experiment.ts'),
      import('../research/experiment.ts'),
    ]);
    const { experiment_id: id } = await readRecord(nodeDisk, experimentFolder(directory));
    const worker = new ExperimentWorker(directory, {
      host,
      parallel,
      paceMs: REHEARSAL_PACE_MS,
      began: (session) => void this.follow(directory, session, newExporter),
      told: () => this.changed.fire(directory),
    });
    await Promise.all([this.known.put(id, directory, true), this.holder.hold(id)]).catch((error: unknown) => {
      this.world.output.error('The experiment could not be noted: it will not go on by itself after a reload.', error);
    });
    const always = () => Promise.resolve(true);
    const looking = obey(this.world, id, always, (command) => {
      if (command.do === 'stop') worker.stop('person');
    });
    const done = this.untilEnd(directory, id, worker).finally(() => {
      clearInterval(looking);
      gate.close();
    });
    this.working.set(directory, { id, worker, gate, done });
    this.changed.fire(directory);
  }

  /** Shows a run of an experiment as what it is: in progress in this window. */
  private async follow(directory: string, session: Session, newExporter: NewExporter | null): Promise<void> {
    const exporter = newExporter?.();
    exporter?.follow(session);
    const run = this.runs.attach(session, true);
    const unsubscribe = session.subscribe((event) => this.runs.tell(run, event));
    this.changed.fire(directory);
    await session.done.catch((error: unknown) =>
      this.world.output.error(`Run ${run.runId} ended unexpectedly.`, error),
    );
    unsubscribe();
    void exporter?.close();
    if (this.closing) return;
    await this.runs.detach(run);
    this.changed.fire(directory);
  }

  private async untilEnd(directory: string, id: string, worker: ExperimentWorker): Promise<void> {
    const { output } = this.world;
    let stop: WorkerStop = 'error';
    let problem: unknown = null;
    try {
      stop = await worker.work();
      if (this.closing) return;
      output.info(`Experiment ${id}: ${stop}.`);
    } catch (error) {
      if (this.closing) return;
      problem = error;
    }
    // What a window had in hand when it closed goes on; what came to an end here waits for a person.
    await Promise.all([this.known.put(id, directory, false), this.holder.letGo(id)]).catch(() => {});
    await this.report(directory).catch((error: unknown) =>
      output.error('The report of the experiment could not be written.', error),
    );
    this.working.delete(directory);
    this.changed.fire(directory);
    this.ended.fire({ directory, stop, problem });
  }

  dispose(): void {
    this.changed.dispose();
    this.ended.dispose();
  }
}
