import * as vscode from 'vscode';
import type { App } from './app.ts';
import { type CommandName, COMMANDS } from './ids.ts';

/** Registers all commands; what they do is read from disk when the first is executed. */
export function registerCommands(app: App): vscode.Disposable {
  const names = Object.keys(COMMANDS) as CommandName[];
  const commands = names.map((name) =>
    vscode.commands.registerCommand(COMMANDS[name], async (argument: unknown) => {
      try {
        const { HANDLERS } = await import('./command-handlers.ts');
        return await HANDLERS[name](app, meant(app, argument));
      } catch (error) {
        // Not awaited: a notification that nobody answers must not hold who executed the command.
        void tellFailure(app, error);
        return undefined;
      }
    }),
  );
  return vscode.Disposable.from(...commands);
}

/** A key press is about a row of the Runs view: VS Code hands over only what package.json says. */
function meant({ tree }: App, argument: unknown): unknown {
  const fromKey = typeof argument === 'object' && argument !== null && 'row' in argument && argument.row === 'focused';
  return fromKey ? tree.focused() : argument;
}

async function tellFailure(app: App, error: unknown): Promise<void> {
  const failed = vscode.l10n.t('The command failed.');
  try {
    const { tellProblem } = await import('./tell.ts');
    await tellProblem(app, failed, error);
  } catch {
    // An update may have removed the files of this version.
    app.output.error(failed, error);
    void vscode.window.showErrorMessage(failed);
  }
}
