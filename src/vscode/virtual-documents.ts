import * as vscode from 'vscode';
import { printable } from '../safety/text.ts';
import { LOG_SCHEME, WHY_SCHEME } from './ids.ts';
import type { LogDocuments } from './log-documents.ts';
import type { RunEntry, Runs } from './runs.ts';

/** Read-only documents about runs, which are no files. Their query is the run id, or several; what makes them is read on first use. */
export class VirtualDocuments {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly runs: Runs;
  private logs: Promise<LogDocuments> | null = null;

  constructor(runs: Runs) {
    this.runs = runs;
  }

  register(): vscode.Disposable {
    const { workspace, languages } = vscode;
    return vscode.Disposable.from(
      this.changed,
      workspace.registerTextDocumentContentProvider(LOG_SCHEME, {
        onDidChange: this.changed.event,
        provideTextDocumentContent: async ({ query }) => (await this.loadedLogs()).text(query),
      }),
      workspace.registerTextDocumentContentProvider(WHY_SCHEME, {
        onDidChange: this.changed.event,
        provideTextDocumentContent: async ({ query }) => {
          const { aboutText } = await import('./about-text.ts');
          return aboutText(this.runs, query);
        },
      }),
      languages.registerFoldingRangeProvider(
        { scheme: LOG_SCHEME },
        {
          provideFoldingRanges: async (document) => {
            const { foldsOf } = await import('./log-lines.ts');
            return foldsOf(document.getText().split('\n')).map(
              ({ first, last }) => new vscode.FoldingRange(first, last),
            );
          },
        },
      ),
      // A window that comes back shows its documents before the runs are listed.
      this.runs.onDidChangeList(() => {
        for (const { uri } of workspace.textDocuments) if (this.isOurs(uri)) this.changed.fire(uri);
      }),
      new vscode.Disposable(() => void this.logs?.then((logs) => logs.dispose())),
    );
  }

  /** The log as one line for each event; it goes on while the run does. */
  log({ runId, brief }: RunEntry): vscode.Uri {
    // The folder gives it its language, which package.json knows by it.
    return uriOf(LOG_SCHEME, `babyagi-log/${nameOf(brief.objective)}.log`, runId);
  }

  /** Why the run stopped, made anew. */
  why({ runId, brief }: RunEntry): vscode.Uri {
    const uri = uriOf(WHY_SCHEME, `${vscode.l10n.t('Why it stopped – {0}', nameOf(brief.objective))}.md`, runId);
    this.changed.fire(uri);
    return uri;
  }

  private loadedLogs(): Promise<LogDocuments> {
    this.logs ??= import('./log-documents.ts').then(
      ({ LogDocuments }) => new LogDocuments(this.runs, (runId) => this.refreshLog(runId)),
    );
    return this.logs;
  }

  private refreshLog(runId: string): void {
    for (const { uri } of vscode.workspace.textDocuments) {
      if (uri.scheme === LOG_SCHEME && uri.query === runId) this.changed.fire(uri);
    }
  }

  private isOurs({ scheme }: vscode.Uri): boolean {
    return scheme === LOG_SCHEME || scheme === WHY_SCHEME;
  }
}

function uriOf(scheme: string, name: string, runId: string): vscode.Uri {
  return vscode.Uri.from({ scheme, path: `/${name}`, query: runId });
}

/** The objective as the name of a tab. */
function nameOf(objective: string): string {
  return printable(objective.replaceAll(/[\\/]/g, ' '), 40);
}
