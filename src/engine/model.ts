import { OpenAiModel } from '../models/openai.ts';
import type { RunConfig } from '../run/config.ts';
import type { LanguageModel, Tokens } from '../run/ports.ts';
import { EngineError } from './engine-error.ts';
import type { Host } from './host.ts';

export function modelElsewhere(): EngineError {
  return new EngineError('configuration', (translated) => [
    translated('This run asks a language model of VS Code: resume it there, with BabyAGI: Resume.'),
  ]);
}

/** The model of the run. Throws EngineError. */
export async function modelFor(config: RunConfig, host: Host, tokens: Tokens, paceMs: number): Promise<LanguageModel> {
  if (config.model.provider === 'rehearsal') {
    const { RehearsalModel } = await import('../models/rehearsal.ts');
    return new RehearsalModel({
      workspace: host.workspace,
      tokens,
      clock: host.clock,
      paceMs,
      modelName: config.model.requested,
    });
  }
  if (config.model.provider === 'vscode-lm') {
    if (host.languageModel === undefined) throw modelElsewhere();
    return host.languageModel(config);
  }
  return new OpenAiModel({
    baseUrl: config.model.base_url,
    model: config.model.requested,
    embedding: config.embedding,
    key: host.keyFor,
    egress: host.egress,
    redact: (text) => host.redactor.redact(text),
  });
}
