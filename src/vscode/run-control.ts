import * as vscode from 'vscode';
import type { Parent } from '../engine/fork.ts';
import type { Outcome, StartOptions } from '../engine/host.ts';
import type { ResumeOptions } from '../engine/resume-events.ts';
import type { Session } from '../engine/session.ts';
import type { Forecast } from '../research/forecast.ts';
import type { RunSettings } from '../run/settings.ts';
import { nodeDisk } from '../runlog/disk.ts';
import { ownerFile } from '../runlog/folder.ts';
import type { Egress } from '../safety/egress.ts';
import type { Redactor } from '../safety/redaction.ts';
import type { TraceExporter } from '../telemetry/trace-exporter.ts';
import type { KnownRuns } from './known-runs.ts';
import type { RunView } from './run-view.ts';
import type { NewExporter, World } from './run-world.ts';
import type { Runs } from './runs.ts';
import type { Configured } from './settings.ts';

/** Slows a rehearsal down so that a person can watch it, milliseconds a request. */
const REHEARSAL_PACE_MS = 250;

export interface StartRequest {
  readonly settings: RunSettings;
  readonly provider: StartOptions['provider'];
  readonly configured: Configured;
  readonly prices: StartOptions['prices'];
  /** The run, and its iteration, that this one is to go on from. */
  readonly from?: { readonly parent: Parent; readonly iteration: number };
  /** Absolute paths. */
  readonly workspace: string;
  readonly runsDirectory: string;
  readonly promptsDirectory: string;
}

/** All that is needed of a run to take it up. */
interface ResumedRun {
  readonly directory: string;
  readonly state: Pick<RunView['state'], 'config'>;
}

/** Starts, resumes and lets go of the runs of this window. */
export class RunControl {
  private readonly world: World;
  private readonly runs: Runs;
  private readonly known: KnownRuns;
  private readonly ended = new vscode.EventEmitter<{ run: RunView; outcome: Outcome }>();
  /** A run of this window ended, or another process goes on with it. */
  readonly onDidEnd = this.ended.event;
  private readonly followed = new Map<Session, { gate: Egress; exporter: TraceExporter | null; done: Promise<void> }>();
  private closing = false;
  readonly redactor: Redactor;

  constructor(world: World, runs: Runs, known: KnownRuns) {
    this.world = world;
    this.redactor = world.redactor;
    this.runs = runs;
    this.known = known;
  }

  /** Throws EngineError and ServerRefused; then nothing was started. */
  async start(request: StartRequest): Promise<RunView> {
    const { settings, provider, configured, prices, workspace, runsDirectory, from } = request;
    const [{ startRun }, { EngineError }, { hostFor, snapshotOf, folderProblems }] = await Promise.all([
      import('../engine/start.ts'),
      import('../engine/engine-error.ts'),
      import('./run-world.ts'),
    ]);
    const problems = await folderProblems(request);
    if (problems.length > 0) throw new EngineError('configuration', () => problems);
    const baseUrl = provider === 'rehearsal' ? null : settings.baseUrl;
    const { host, gate, newExporter } = await hostFor(this.world, configured, { baseUrl, workspace });
    const options = {
      runsDirectory,
      provider,
      prices,
      promptOverrides: await promptsFor(request),
      snapshot: snapshotOf(configured),
      ...(provider === 'rehearsal' && { paceMs: REHEARSAL_PACE_MS }),
    };
    const starting = async () => {
      if (from === undefined) return startRun(settings, options, host);
      const { forkRun } = await import('../engine/fork.ts');
      return forkRun(from.parent, from.iteration, settings, options, host);
    };
    return this.follow(await orClose(gate, starting()), gate, newExporter);
  }

  /** What a run would cost; nothing is sent or written. Throws EngineError, and the reason of the signal. */
  async forecast(request: StartRequest, signal: AbortSignal): Promise<Forecast> {
    const { settings, provider, prices, workspace } = request;
    const [{ forecastRun }, { forecastHost }] = await Promise.all([
      import('../engine/start.ts'),
      import('./run-world.ts'),
    ]);
    const options = { provider, prices, promptOverrides: await promptsFor(request) };
    return forecastRun(settings, options, forecastHost(this.world, workspace), signal);
  }

  /** Throws EngineError and ServerRefused; then nothing was changed. */
  async resume(run: ResumedRun, configured: Configured, workspace: string, options: ResumeOptions): Promise<RunView> {
    const [{ resumeRun }, { hostFor }] = await Promise.all([import('../engine/resume.ts'), import('./run-world.ts')]);
    const { provider, base_url } = run.state.config.model;
    const rehearsal = provider === 'rehearsal';
    const where = { baseUrl: rehearsal ? null : base_url, workspace };
    const { host, gate, newExporter } = await hostFor(this.world, configured, where);
    const paced = { ...options, ...(rehearsal && { paceMs: REHEARSAL_PACE_MS }) };
    return this.follow(await orClose(gate, resumeRun(run.directory, paced, host)), gate, newExporter);
  }

  /** Lets go of all runs, so that the next window goes on with them. Uses nothing of VS Code. */
  async close(): Promise<void> {
    this.closing = true;
    const letGo = [...this.followed].map(async ([session, { gate, exporter, done }]) => {
      await session.abandon();
      gate.close();
      await exporter?.close();
      await done;
    });
    await Promise.allSettled(letGo);
  }

  private async follow(session: Session, gate: Egress, newExporter: NewExporter | null): Promise<RunView> {
    const exporter = newExporter?.() ?? null;
    exporter?.follow(session);
    const run = this.runs.attach(session);
    const unsubscribe = session.subscribe((event) => this.runs.tell(run, event));
    const looking = this.obey(run, session);
    const done = this.untilEnd(run, session).finally(() => {
      void looking.then(clearInterval);
      unsubscribe();
      gate.close();
      this.followed.delete(session);
      void exporter?.close();
    });
    this.followed.set(session, { gate, exporter, done });
    await this.known.put(run.runId, run.directory, true).catch((error: unknown) => {
      this.world.output.error('The run could not be noted: it will not go on by itself after a reload.', error);
    });
    return run;
  }

  /** Carries out what other windows ask of the run, as long as it is this window's. */
  private async obey(run: RunView, session: Session): Promise<NodeJS.Timeout> {
    const { carryOut, obey } = await import('./obey.ts');
    // One that hung and was taken over may be awake again: the command is for its successor.
    const isOurs = async () => !(await nodeDisk.exists(ownerFile(session.folder, session.state.epoch + 1)));
    return obey(this.world, run.runId, isOurs, (command) => carryOut(session, command));
  }

  private async untilEnd(run: RunView, session: Session): Promise<void> {
    const { output } = this.world;
    try {
      const outcome = await session.done;
      if (this.closing) return;
      output.info(`Run ${run.runId} ended: ${outcome.stopReason}. ${outcome.detail}`);
      const ended = session.state.status === 'ended';
      // Otherwise another process goes on with it, or its end could not be written and it is still to be taken up.
      if (ended) await this.known.put(run.runId, run.directory, false);
      await this.runs.detach(run);
      this.ended.fire({ run: this.runs.find(run.runId) ?? run, outcome });
    } catch (error) {
      output.error(`Run ${run.runId} ended unexpectedly.`, error);
      if (!this.closing) await this.runs.detach(run);
    }
  }
}

/** Those of the workspace; a run that goes on from another one keeps that one's. */
async function promptsFor({
  from,
  settings,
  promptsDirectory,
}: StartRequest): Promise<StartOptions['promptOverrides']> {
  if (from !== undefined) {
    const { promptsOfRun } = await import('../engine/fork.ts');
    return promptsOfRun(from.parent, settings.strategy);
  }
  const { promptFiles } = await import('./run-world.ts');
  return promptFiles(promptsDirectory);
}

async function orClose<T>(gate: Egress, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    gate.close();
    throw error;
  }
}
