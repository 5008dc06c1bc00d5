import * as vscode from 'vscode';

interface ProgressOptions {
  readonly signal: AbortSignal;
  readonly progress: (share: number) => void;
}

/** Shows work as a notification that can cancel it. Undefined: cancelled. */
export function withProgress<T>(
  title: string,
  work: (options: ProgressOptions) => Promise<T>,
): Thenable<T | undefined> {
  const location = vscode.ProgressLocation.Notification;
  return vscode.window.withProgress({ location, title, cancellable: true }, async (progress, token) => {
    const abort = new AbortController();
    token.onCancellationRequested(() => abort.abort());
    let percent = 0;
    const report = (share: number) => {
      const increment = Math.floor(share * 100) - percent;
      if (increment <= 0) return;
      percent += increment;
      progress.report({ increment });
    };
    try {
      return await work({ signal: abort.signal, progress: report });
    } catch (error) {
      // A refusal is told even where the notice of the progress was closed meanwhile.
      if (abort.signal.aborted && error instanceof Error && error.name === 'AbortError') return undefined;
      throw error;
    }
  });
}
