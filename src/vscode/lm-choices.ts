import * as vscode from 'vscode';
import type { RunSettings } from '../run/settings.ts';
import { originOfLanguageModel } from './lm-names.ts';

const ANSWERS_MS = 2000;

/** A language model that VS Code offers to extensions. */
export interface LanguageModelChoice {
  readonly name: string;
  readonly vendor: string;
  readonly family: string;
  /** `vscode:lm/<vendor>/<family>`. */
  readonly origin: string;
}

/** The lowest cost limit there is: no request of a run whose cost is included has a price, and none may come to have one. */
export const NO_MONEY = 0.000001;

/** What is to be asked: the server of the settings, or a model of VS Code. */
export function asking(
  languageModel: LanguageModelChoice | null,
  settings: RunSettings,
): { settings: RunSettings; provider: 'openai' | 'vscode-lm' } {
  if (languageModel === null) return { settings, provider: 'openai' };
  return { settings: { ...settings, baseUrl: languageModel.origin, embeddingModel: null }, provider: 'vscode-lm' };
}

/** The models that VS Code offers, one of each family; none where it does not answer soon. Never rejects. */
export async function languageModelChoices(): Promise<readonly LanguageModelChoice[]> {
  const none: readonly vscode.LanguageModelChat[] = [];
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof none>((resolve) => {
    timer = setTimeout(resolve, ANSWERS_MS, none);
  });
  const models = await Promise.race([askVsCode(none), late]);
  clearTimeout(timer);
  const choices = new Map<string, LanguageModelChoice>();
  for (const model of models) {
    const { name, vendor, family } = model;
    if (vendor === '' || family === '') continue;
    const origin = originOfLanguageModel(model);
    if (!choices.has(origin)) choices.set(origin, { name, vendor, family, origin });
  }
  return [...choices.values()];
}

async function askVsCode(none: readonly vscode.LanguageModelChat[]): Promise<readonly vscode.LanguageModelChat[]> {
  try {
    return await vscode.lm.selectChatModels();
  } catch {
    // No provider can be asked: the configured server is there.
    return none;
  }
}
