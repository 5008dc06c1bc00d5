import * as vscode from 'vscode';
import type { App } from './app.ts';
import { CHAT_PARTICIPANT, RUNS_VIEW, TOOLS } from './ids.ts';

/** Registers what chats and addresses can ask of the runs; what it does is read from disk when it is first asked. */
export function registerChat(app: App): vscode.Disposable {
  const registrations = [
    () =>
      vscode.lm.registerTool(TOOLS.startRun, {
        prepareInvocation: async ({ input }) => (await tools()).prepareStart(app, input),
        invoke: async ({ input }) => (await tools()).invokeStart(app, input),
      }),
    () =>
      vscode.lm.registerTool(TOOLS.runState, {
        prepareInvocation: () => ({ invocationMessage: vscode.l10n.t('Looking at BabyAGI runs') }),
        invoke: async ({ input }) => (await tools()).invokeState(app, input),
      }),
    () =>
      vscode.chat.createChatParticipant(CHAT_PARTICIPANT, async (request, _context, stream) => {
        const { respond } = await import('./chat.ts');
        await respond(app, request, stream);
      }),
    () =>
      vscode.window.registerUriHandler({
        handleUri: async (uri) => {
          const { openUri } = await import('./open-uri.ts');
          await openUri(app, uri, () => vscode.commands.executeCommand(`${RUNS_VIEW}.focus`));
        },
      }),
  ];
  // An editor that has no chat still has runs.
  const registered = registrations.flatMap((register) => {
    try {
      return [register()];
    } catch (error) {
      app.output.error('A part of the chat could not be registered.', error);
      return [];
    }
  });
  return vscode.Disposable.from(...registered);
}

function tools() {
  return import('./lm-tools.ts');
}
