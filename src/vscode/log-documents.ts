import * as vscode from 'vscode';
import { wordsOf } from '../run/translate.ts';
import { nodeDisk } from '../runlog/disk.ts';
import { runFolder } from '../runlog/folder.ts';
import { readLog } from '../runlog/reader.ts';
import { LOG_SCHEME } from './ids.ts';
import { dayOf, logHeading, logLine, withDays } from './log-lines.ts';
import { l10n } from './panel-l10n.ts';
import type { RunChange } from './run-view.ts';
import type { Runs } from './runs.ts';

/** VS Code gives up its services for a document long before it shows it slowly; the newest events are shown. */
const MOST_LINES = 50_000;
const REFRESH_MS = 500;
/** A refresh may take this part of the host's time. */
const HOST_SHARE = 20;

/** A log that somebody looks at. */
interface OpenLog {
  readonly lines: { readonly day: string; readonly text: string }[];
  /** Its costs are accounted for elsewhere. */
  readonly included: boolean;
  lastSeq: number;
  /** The lines are not all, or not those of the file any more. */
  stale: boolean;
  damage: string | null;
  timer: NodeJS.Timeout | null;
  tookMs: number;
  /** Lines of the document as it is shown. */
  shown: number;
}

type LoggedRuns = Pick<Runs, 'locate' | 'onDidChange' | 'onDidChangeEntry'>;

/** The texts of `babyagi-log:` documents: read from the run folder once, then carried on with the events of the run. */
export class LogDocuments implements vscode.Disposable {
  private readonly runs: LoggedRuns;
  private readonly refresh: (runId: string) => void;
  private readonly open = new Map<string, OpenLog>();
  private readonly subscriptions: vscode.Disposable[];

  constructor(runs: LoggedRuns, refresh: (runId: string) => void) {
    this.runs = runs;
    this.refresh = refresh;
    this.subscriptions = [
      runs.onDidChange((change) => this.follow(change)),
      // Another process goes on with it, or has ended it.
      runs.onDidChangeEntry(({ runId, session }) => {
        if (session === null) this.reread(runId);
      }),
      vscode.workspace.onDidChangeTextDocument(({ document }) => this.keepEndInView(document)),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => {
        if (uri.scheme === LOG_SCHEME) this.forget(uri.query);
      }),
    ];
  }

  async text(runId: string): Promise<string> {
    const entry = await this.runs.locate(runId);
    if (entry === undefined) return `${vscode.l10n.t('This run is not there any more.')}\n`;
    const log = this.open.get(runId) ?? freshLog(entry.brief.included);
    this.open.set(runId, log);
    const started = performance.now();
    if (log.stale) await this.read(log, entry.directory);
    const newest = log.lines.slice(-MOST_LINES);
    const left = log.lines.length - newest.length;
    const older = left === 0 ? [] : [vscode.l10n.t('{0} older events are in the raw log only.', left)];
    const lines = [logHeading(), ...older, ...withDays(newest), ...(log.damage === null ? [] : [log.damage])];
    log.tookMs = performance.now() - started;
    if (log.shown === 0) log.shown = lines.length + 1;
    return `${lines.join('\n')}\n`;
  }

  private async read(log: OpenLog, directory: string): Promise<void> {
    log.stale = false;
    try {
      const { events, damage } = await readLog(nodeDisk, runFolder(directory));
      log.lines.length = 0;
      for (const event of events) log.lines.push(lineOf(event, log));
      log.lastSeq = events.at(-1)?.seq ?? 0;
      log.damage = damage === null ? null : vscode.l10n.t('The log is damaged from here on: {0}.', damage.what(l10n.t));
    } catch (error) {
      log.damage = wordsOf(error, l10n.t);
    }
  }

  private follow({ run, event }: RunChange): void {
    const log = this.open.get(run.runId);
    if (log === undefined) return;
    if (event !== null && !log.stale && event.seq === log.lastSeq + 1) {
      log.lines.push(lineOf(event, log));
      log.lastSeq = event.seq;
    } else if (event === null || event.seq > log.lastSeq) {
      log.stale = true;
    }
    this.soon(run.runId, log);
  }

  private reread(runId: string): void {
    const log = this.open.get(runId);
    if (log === undefined) return;
    log.stale = true;
    this.soon(runId, log);
  }

  private soon(runId: string, log: OpenLog): void {
    log.timer ??= setTimeout(
      () => {
        log.timer = null;
        this.refresh(runId);
      },
      Math.max(REFRESH_MS, HOST_SHARE * log.tookMs),
    );
  }

  /** Who looks at the end of the log goes on looking at the end. */
  private keepEndInView(document: vscode.TextDocument): void {
    const log = document.uri.scheme === LOG_SCHEME ? this.open.get(document.uri.query) : undefined;
    if (log === undefined) return;
    for (const editor of vscode.window.visibleTextEditors) {
      const lastInView = editor.visibleRanges.at(-1)?.end.line ?? 0;
      if (editor.document !== document || lastInView < log.shown - 2) continue;
      editor.revealRange(document.lineAt(document.lineCount - 1).range);
    }
    log.shown = document.lineCount;
  }

  private forget(runId: string): void {
    const timer = this.open.get(runId)?.timer;
    if (timer) clearTimeout(timer);
    this.open.delete(runId);
  }

  dispose(): void {
    for (const runId of [...this.open.keys()]) this.forget(runId);
    for (const subscription of this.subscriptions) subscription.dispose();
  }
}

function lineOf(event: Parameters<typeof logLine>[0], { included }: OpenLog): OpenLog['lines'][number] {
  return { day: dayOf(event), text: logLine(event, included) };
}

function freshLog(included: boolean): OpenLog {
  return { lines: [], included, lastSeq: 0, stale: true, damage: null, timer: null, tookMs: 0, shown: 0 };
}
