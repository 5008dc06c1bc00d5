import * as vscode from 'vscode';
import type { Session } from '../engine/session.ts';
import type { RunEvent } from '../run/events.ts';
import type { RunState } from '../run/state.ts';
import { wordsOf } from '../run/translate.ts';
import { nodeDisk } from '../runlog/disk.ts';
import { l10n } from './panel-l10n.ts';
import { briefOfState, type RunBrief } from './run-brief.ts';
import type { FoundRun, RunFiles } from './run-files.ts';
import type { RunRegistry, Whereabouts } from './run-registry.ts';
import type { RunChange, RunView } from './run-view.ts';

/** Runs of one folder that are listed; older ones are in the folder. */
const LISTED = 200;

/** Trials that have ended and are kept, for panels that show them: an experiment may have thousands. */
const KEPT_TRIALS = 20;

/** A run that is listed: by its figures alone, or with its state once somebody looked or while it is in progress. */
export class RunEntry {
  readonly runId: string;
  readonly directory: string;
  /** It belongs to an experiment, which goes on with it; it is not listed. */
  readonly isTrial: boolean;
  view: RunView | null = null;
  /** Why its log cannot be shown. */
  problem: string | null = null;
  private found: RunBrief;

  constructor(directory: string, brief: RunBrief, isTrial = false) {
    this.runId = brief.runId;
    this.directory = directory;
    this.isTrial = isTrial;
    this.found = brief;
  }

  get brief(): RunBrief {
    const { view } = this;
    if (view === null) return this.found;
    if (!this.isElsewhere) {
      const brief = briefOfState(view.state, view.session !== null, view.session?.log.activeMs());
      return { ...brief, imported: this.found.imported };
    }
    const status = view.state.review === null ? 'elsewhere' : 'review_elsewhere';
    return { ...briefOfState(view.state, false), status, stopReason: null, stopWords: null, byKeyLimit: false };
  }

  /** Another process is at it. */
  get isElsewhere(): boolean {
    return this.session === null && this.found.status === 'elsewhere';
  }

  get session(): Session | null {
    return this.view?.session ?? null;
  }

  /** The figures as the folder has them now; true where they changed. */
  refind(brief: RunBrief): boolean {
    const changed = JSON.stringify(brief) !== JSON.stringify(this.found);
    this.found = brief;
    return changed;
  }
}

/**
 * All runs that this window knows of: in progress here, and those in the runs folders of the workspace; trials of experiments
 * once somebody looks at one.
 */
export class Runs implements RunRegistry, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<RunChange>();
  private readonly listChanged = new vscode.EventEmitter<void>();
  private readonly entryChanged = new vscode.EventEmitter<RunEntry>();
  readonly onDidChange = this.changed.event;
  /** Runs came or went. */
  readonly onDidChangeList = this.listChanged.event;
  /** Something of one run is to be shown anew. */
  readonly onDidChangeEntry = this.entryChanged.event;
  /** Runs in the folders that are not listed, because there are too many. */
  older = 0;
  private readonly files: RunFiles;
  private readonly findTrial: (runId: string) => Promise<string | null>;
  private readonly byId = new Map<string, RunEntry>();
  /** The scan that is under way, and the one that comes after it. */
  private scanning: Promise<void> | null = null;
  private nextScan: Promise<void> | null = null;
  /** Runs that are being read: who asks meanwhile gets the same. */
  private readonly opening = new Map<string, Promise<RunView | undefined>>();

  /** `findTrial`: gives the folder of a run that an experiment has. */
  constructor(files: RunFiles, findTrial: Runs['findTrial'] = () => Promise.resolve(null)) {
    this.files = files;
    this.findTrial = findTrial;
  }

  /** Those that are listed, newest first. */
  get entries(): readonly RunEntry[] {
    return this.all.filter(({ isTrial }) => !isTrial);
  }

  /** With the trials that somebody looks at, or that are in progress here. */
  get all(): readonly RunEntry[] {
    return [...this.byId.values()].sort((a, b) => (a.brief.startedAt < b.brief.startedAt ? 1 : -1));
  }

  get runs(): readonly RunView[] {
    return this.all.flatMap(({ view }) => view ?? []);
  }

  entry(runId: string): RunEntry | undefined {
    return this.byId.get(runId);
  }

  find(runId: string): RunView | undefined {
    return this.byId.get(runId)?.view ?? undefined;
  }

  whereIs(runId: string): Whereabouts {
    const entry = this.byId.get(runId);
    if (entry?.isTrial === true) return entry.session !== null || entry.isElsewhere ? 'trial_live' : 'trial';
    if (entry?.session) return 'here';
    if (entry?.isElsewhere === true) return 'elsewhere';
    if (entry?.brief.imported === true) return 'imported';
    return vscode.workspace.isTrusted ? 'idle' : 'restricted';
  }

  problemOf(runId: string): string | null {
    return this.byId.get(runId)?.problem ?? null;
  }

  /** The runs that are in progress in this window, with their sessions. */
  live(): readonly { entry: RunEntry; session: Session }[] {
    return this.all.flatMap((entry) => (entry.session === null ? [] : [{ entry, session: entry.session }]));
  }

  /** The run, where it is listed or a trial of an experiment. */
  async locate(runId: string): Promise<RunEntry | undefined> {
    const known = this.byId.get(runId);
    const directory = known ? null : await this.findTrial(runId);
    if (directory === null) return known;
    const brief = await this.files.brief(directory);
    if (brief?.runId === runId && !this.byId.has(runId)) this.byId.set(runId, new RunEntry(directory, brief, true));
    return this.byId.get(runId);
  }

  async open(runId: string): Promise<RunView | undefined> {
    const entry = await this.locate(runId);
    if (entry === undefined || entry.view !== null) return entry?.view ?? undefined;
    const known = this.opening.get(runId);
    if (known !== undefined) return known;
    const opening = this.read(entry).finally(() => this.opening.delete(runId));
    this.opening.set(runId, opening);
    return opening;
  }

  private async read(entry: RunEntry): Promise<RunView | undefined> {
    try {
      const view = await readView(entry.directory);
      // It may have been started meanwhile.
      entry.view ??= view;
      entry.problem = null;
      this.changed.fire({ run: entry.view, event: null });
    } catch (error) {
      entry.problem = wordsOf(error, l10n.t).replaceAll('\n', ' ');
    }
    this.entryChanged.fire(entry);
    return entry.view ?? undefined;
  }

  /** Looks how a run stands that is in progress elsewhere; `withLog`: its log too. */
  async look(entry: RunEntry, withLog: boolean): Promise<void> {
    const brief = await this.files.brief(entry.directory);
    const changed = brief !== null && entry.refind(brief);
    const view = withLog ? await readView(entry.directory).catch(() => null) : null;
    // It may have been taken up here meanwhile.
    if (entry.session !== null || this.byId.get(entry.runId) !== entry || (view === null && !changed)) return;
    // What was read before it ended would say that it has not.
    if (view !== null || !entry.isElsewhere) entry.view = view;
    if (view !== null) this.changed.fire({ run: view, event: null });
    this.entryChanged.fire(entry);
  }

  /** Reads the lists of the folders again; runs in progress here stay as they are. */
  scan(runsDirectories: readonly string[]): Promise<void> {
    if (this.scanning === null) {
      this.scanning = this.scanOnce(runsDirectories).finally(() => {
        this.scanning = null;
      });
      return this.scanning;
    }
    // The one under way may have passed by what this one is for.
    this.nextScan ??= this.scanning.then(() => {
      this.nextScan = null;
      return this.scan(runsDirectories);
    });
    return this.nextScan;
  }

  private async scanOnce(runsDirectories: readonly string[]): Promise<void> {
    const lists = await Promise.all(runsDirectories.map((directory) => this.files.newest(directory, LISTED)));
    const older = lists.reduce((sum, list) => sum + list.older, 0);
    let changed = older !== this.older;
    this.older = older;
    const gone = new Set(this.byId.keys());
    for (const found of lists.flatMap((list) => list.found)) {
      gone.delete(found.brief.runId);
      if (this.note(found)) changed = true;
    }
    for (const runId of gone) {
      const entry = this.byId.get(runId);
      if (entry?.session !== null || entry.isTrial) continue;
      this.byId.delete(runId);
      changed = true;
    }
    if (changed) this.listChanged.fire();
  }

  /** True where the run is new. */
  private note({ directory, brief }: FoundRun): boolean {
    const known = this.byId.get(brief.runId);
    if (known === undefined) {
      this.byId.set(brief.runId, new RunEntry(directory, brief));
      return true;
    }
    if (known.session === null && known.refind(brief)) {
      // What was read has been continued elsewhere: it is read again when somebody looks.
      known.view = null;
      this.entryChanged.fire(known);
    }
    return false;
  }

  /** A session began in this window; `isTrial`: an experiment's. */
  attach(session: Session, isTrial = false): RunView {
    const directory = session.folder.path;
    const { state } = session;
    const view = new OpenRun(directory, state, session);
    const known = this.byId.get(view.runId);
    const entry = known ?? new RunEntry(directory, briefOfState(state, true), isTrial);
    entry.view = view;
    entry.problem = null;
    this.byId.set(view.runId, entry);
    const over = this.all.filter((each) => each.isTrial && each.session === null);
    for (const { runId } of over.slice(KEPT_TRIALS)) this.byId.delete(runId);
    if (known === undefined) this.listChanged.fire();
    this.tell(view, null);
    return view;
  }

  /** The session of the run ended, or let go of it. */
  async detach(view: RunView): Promise<void> {
    const entry = this.byId.get(view.runId);
    if (entry?.view !== view) return;
    const brief = await this.files.brief(view.directory);
    if (brief !== null) entry.refind(brief);
    entry.view = new OpenRun(view.directory, view.state, null);
    this.tell(entry.view, null);
  }

  /** Something happened in a run. */
  tell(run: RunView, event: RunEvent | null): void {
    this.changed.fire({ run, event });
    const entry = this.byId.get(run.runId);
    if (entry) this.entryChanged.fire(entry);
  }

  dispose(): void {
    this.changed.dispose();
    this.listChanged.dispose();
    this.entryChanged.dispose();
  }
}

class OpenRun implements RunView {
  readonly runId: string;
  readonly directory: string;
  readonly state: RunState;
  readonly session: Session | null;

  constructor(directory: string, state: RunState, session: Session | null) {
    this.runId = state.config.run_id;
    this.directory = directory;
    this.state = state;
    this.session = session;
  }
}

async function readView(directory: string): Promise<RunView> {
  const { readRun } = await import('../engine/read.ts');
  return new OpenRun(directory, await readRun(nodeDisk, directory), null);
}
