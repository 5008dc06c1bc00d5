import type * as vscode from 'vscode';

export interface FakeLanguageModel extends vscode.LanguageModelChat {
  /** The texts of each request, in the order in which they came. */
  readonly requests: readonly (readonly string[])[];
}

/** A language model as VS Code hands it to extensions; `answer` gives the text, or throws, or never resolves. */
export function fakeLanguageModel(
  answer: (texts: readonly string[], token: vscode.CancellationToken) => string | Promise<string>,
): FakeLanguageModel {
  const requests: (readonly string[])[] = [];
  return {
    name: 'Test Model',
    id: 'test-model-1',
    vendor: 'test',
    family: 'test-model',
    version: '1',
    maxInputTokens: 100_000,
    requests,
    countTokens: (text) => Promise.resolve(Math.ceil(textOf(text).length / 4)),
    sendRequest: async (messages, _options, token) => {
      const texts = messages.map(textOf);
      requests.push(texts);
      if (!token) throw new Error('a request without a token cannot be cancelled');
      const text = await answer(texts, token);
      return { text: inPieces(text), stream: inPieces(text) };
    },
  };
}

async function* inPieces(text: string): AsyncIterable<string> {
  for (let at = 0; at < text.length; at += 1000) yield await Promise.resolve(text.slice(at, at + 1000));
}

function textOf(message: string | vscode.LanguageModelChatMessage): string {
  if (typeof message === 'string') return message;
  return message.content.map((part) => ('value' in part && typeof part.value === 'string' ? part.value : '')).join('');
}
