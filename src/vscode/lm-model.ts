import * as vscode from 'vscode';
import { type LanguageModelBody, languageModelBody } from '../models/request-body.ts';
import { messageOf } from '../run/message.ts';
import {
  type LanguageModel,
  ModelError,
  type ModelReply,
  type ModelRequest,
  type PreparedRequest,
  type Usage,
} from '../run/ports.ts';
import { readAnswer } from './lm-answer.ts';
import { languageModelOf } from './lm-names.ts';

/** After a start of the window its models are registered when their extensions are. */
const APPEARS_MS = 10_000;
/** Counting is a convenience: the answer is there. */
const COUNT_MS = 5_000;

export type FindModel = () => Promise<vscode.LanguageModelChat | undefined>;

/**
 * A language model that VS Code offers to extensions: no key and no price; the person allows its use in VS Code. It takes
 * neither a temperature nor a seed nor a limit of its answer.
 */
export class LmModel implements LanguageModel {
  private readonly origin: string;
  private readonly family: string;
  private readonly find: FindModel;

  /** `origin`: `vscode:lm/<vendor>/<family>`. */
  constructor(origin: string, family: string, find: FindModel = () => findModel(origin)) {
    this.origin = origin;
    this.family = family;
    this.find = find;
  }

  prepare(request: ModelRequest): PreparedRequest {
    return { request, model: this.family, origin: this.origin, body: languageModelBody(this.family, request) };
  }

  async send(
    { request, body }: PreparedRequest,
    { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
  ): Promise<ModelReply> {
    if (request.kind === 'embedding') {
      const message = 'Models of VS Code give no embeddings.';
      throw new ModelError('unsupported', message, { unbilled: true, feature: 'embeddings' });
    }
    const { messages } = JSON.parse(new TextDecoder().decode(body)) as LanguageModelBody;
    const cancellation = new vscode.CancellationTokenSource();
    const end = ending(timeoutMs, signal, cancellation);
    try {
      // What the API gives may ignore the token: the race does not.
      return await Promise.race([this.exchange(messages, request.maxOutputTokens, cancellation.token), end.failed]);
    } catch (error) {
      throw error instanceof ModelError ? error : this.errorOf(error);
    } finally {
      end.clear();
      cancellation.cancel();
      cancellation.dispose();
    }
  }

  private async exchange(
    messages: LanguageModelBody['messages'],
    maxOutputTokens: number,
    token: vscode.CancellationToken,
  ): Promise<ModelReply> {
    const givenUp = () => token.isCancellationRequested;
    const model = await this.find();
    if (givenUp()) throw new ModelError('aborted', 'The request was given up.', { unbilled: true });
    if (model === undefined) {
      throw new ModelError(
        'model_not_found',
        `VS Code does not offer the model ${this.family} (${this.origin}) here. Sign in to its provider or enable its extension, then resume.`,
        { unbilled: true },
      );
    }
    const sent = messages.map(({ content }) => vscode.LanguageModelChatMessage.User(content));
    const response = await model.sendRequest(sent, { justification: 'BabyAGI works on an objective.' }, token);
    const count = (text: string) => countOf(model, [text], token).then((counts) => counts?.[0] ?? null);
    const { text, cut } = await readAnswer(response.text, maxOutputTokens, count, givenUp);
    return {
      model: model.id,
      fingerprint: model.version === '' ? null : model.version,
      finishReason: cut ? 'length' : null,
      text,
      vectors: null,
      usage: await usageOf(model, messages, text, token),
    };
  }

  private errorOf(error: unknown): ModelError {
    const said = messageOf(error);
    const because = said === '' ? '' : `: ${said.slice(0, 300)}`;
    const where = `The model ${this.family} of VS Code`;
    // A limit of the rate has no code of its own: the provider's error is the cause, or the message tells.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : null;
    const about = [nameOf(error), said, nameOf(cause), cause?.message ?? ''].join(' ');
    if (/rate.?limit|too many requests|quota|\b429\b/i.test(about)) {
      return new ModelError('rate_limited', `${where} refuses requests for now, by rate or quota${because}.`, {
        unbilled: true,
      });
    }
    switch (error instanceof vscode.LanguageModelError ? error.code : '') {
      case 'NoPermissions':
        return new ModelError(
          'no_key',
          `${where} may not be used by BabyAGI${because}. Allow it in VS Code (Accounts, Manage Language Model Access), then resume.`,
          { unbilled: true },
        );
      case 'Blocked':
        return new ModelError('content_refused', `${where} refused the request${because}.`, { unbilled: false });
      case 'NotFound':
        return new ModelError('model_not_found', `${where} is not there any more${because}.`, { unbilled: true });
      default:
        return new ModelError('server_error', `${where} failed${because}.`, { unbilled: false });
    }
  }
}

/** The model with that origin, as soon as it is there. Undefined where it does not appear. */
async function findModel(origin: string): Promise<vscode.LanguageModelChat | undefined> {
  const named = languageModelOf(origin);
  if (named === null) return undefined;
  const [model] = await vscode.lm.selectChatModels(named);
  if (model !== undefined) return model;
  return new Promise((resolve) => {
    const finish = (found: vscode.LanguageModelChat | undefined) => {
      clearTimeout(timer);
      changes.dispose();
      resolve(found);
    };
    const timer = setTimeout(() => finish(undefined), APPEARS_MS);
    const changes = vscode.lm.onDidChangeChatModels(() => {
      vscode.lm.selectChatModels(named).then(
        ([appeared]) => appeared && finish(appeared),
        () => finish(undefined),
      );
    });
  });
}

/** Counted by the model's own tokenizer, as the API reports no usage. Null where it does not count. */
async function usageOf(
  model: vscode.LanguageModelChat,
  messages: LanguageModelBody['messages'],
  answer: string,
  token: vscode.CancellationToken,
): Promise<Usage | null> {
  const counts = await countOf(model, [answer, ...messages.map(({ content }) => content)], token);
  if (counts === null) return null;
  const [outputTokens = 0, ...input] = counts;
  return { inputTokens: input.reduce((sum, count) => sum + count, 0), cachedTokens: 0, outputTokens };
}

async function countOf(
  model: vscode.LanguageModelChat,
  texts: readonly string[],
  token: vscode.CancellationToken,
): Promise<number[] | null> {
  const late = new Promise<null>((resolve) => {
    setTimeout(resolve, COUNT_MS, null).unref();
  });
  const counting = Promise.all(texts.map((text) => model.countTokens(text, token)));
  const counts = await Promise.race([counting, late]).catch(() => null);
  return counts?.every((count) => Number.isSafeInteger(count) && count >= 0) ? counts : null;
}

/** Fails when the time is over or the run is stopped, and cancels what is under way. */
function ending(timeoutMs: number, signal: AbortSignal, cancellation: vscode.CancellationTokenSource) {
  let clear = () => {};
  const failed = new Promise<never>((_resolve, reject) => {
    const giveUp = (error: ModelError) => {
      reject(error);
      cancellation.cancel();
    };
    const stop = () => giveUp(new ModelError('aborted', 'The request was stopped.', { unbilled: false }));
    const late = () =>
      giveUp(
        new ModelError('timeout', `The model gave no answer within ${Math.round(timeoutMs / 1000)} s.`, {
          unbilled: false,
        }),
      );
    // A timer above 2^31 ms would fire at once.
    const timer = setTimeout(late, Math.min(timeoutMs, 2 ** 31 - 1));
    signal.addEventListener('abort', stop, { once: true });
    clear = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    };
    if (signal.aborted) stop();
  });
  return { failed, clear: () => clear() };
}

function nameOf(error: unknown): string {
  return error instanceof Error ? `${error.name} ${'code' in error ? String(error.code) : ''}` : '';
}
