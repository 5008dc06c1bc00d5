import * as vscode from 'vscode';
import { Coalescer } from './coalesce.ts';
import { SECTION } from './ids.ts';
import type { Runs } from './runs.ts';
import { localFolders, runsDirectories, runsDirectoryOf, settingsOf } from './workspace.ts';

const SETTLE_MS = 500;
/** Nobody says when a watcher, or its watch of a new folder, is at work; what happened until then is told by nobody either. */
const AT_WORK_MS = 5000;

/**
 * Lists the runs once, then whenever folders, settings or the files of runs change. `beside` is called with each full
 * listing, and does not wait for it.
 */
export function followRunsFolders(runs: Runs, beside: () => void): vscode.Disposable {
  let watchers: vscode.Disposable[] = [];
  const scans = new Coalescer<void>(SETTLE_MS, () => void runs.scan(runsDirectories()));
  let again: NodeJS.Timeout | undefined;
  const onceMore = () => {
    clearTimeout(again);
    again = setTimeout(() => scans.add(undefined), AT_WORK_MS);
  };
  const watch = () => {
    for (const watcher of watchers) watcher.dispose();
    watchers = localFolders().flatMap((folder) => {
      const base = vscode.Uri.file(runsDirectoryOf(folder, settingsOf(folder)));
      const changed = () => {
        scans.add(undefined);
        onceMore();
      };
      return [
        // Written at the start and at the end of a run: by this window, another one, or a terminal.
        vscode.workspace.createFileSystemWatcher(new vscode.RelativePattern(base, '*/{config,summary}.json')),
        // What is written into a new folder before it is watched is told by nobody, the folder is; and a process that takes
        // a run up writes a file of its own, which then grows every second.
        vscode.workspace.createFileSystemWatcher(
          new vscode.RelativePattern(base, '{*,*/owner,*/owner/*}'),
          false,
          true,
          false,
        ),
      ].map((watcher) =>
        vscode.Disposable.from(
          watcher,
          watcher.onDidCreate(changed),
          watcher.onDidChange(changed),
          watcher.onDidDelete(changed),
        ),
      );
    });
  };
  const all = () => {
    watch();
    beside();
    void runs.scan(runsDirectories());
    onceMore();
  };
  // Nothing of this is to hold the activation.
  const first = setImmediate(all);
  return vscode.Disposable.from(
    new vscode.Disposable(() => {
      clearImmediate(first);
      clearTimeout(again);
      for (const watcher of watchers) watcher.dispose();
    }),
    scans,
    vscode.workspace.onDidChangeWorkspaceFolders(all),
    vscode.workspace.onDidGrantWorkspaceTrust(all),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration(`${SECTION}.runsFolder`)) all();
    }),
  );
}
