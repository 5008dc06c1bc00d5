import { encodingFor } from '../budget/encoding.ts';
import { Tokenizer } from '../budget/tokens.ts';
import { OpenAiModel } from '../models/openai.ts';
import type { RunConfig } from '../run/config.ts';
import type { LanguageModel, Tokens } from '../run/ports.ts';
import { EngineError } from './engine-error.ts';
import type { Host } from './host.ts';

/** A text is counted for the reservation, for the bill and for the next prompts: these many are remembered, up to a length. */
const MEMO_TEXTS = 100;
const MEMO_LENGTH = 20_000;

/** Counts as the model of the run does; the tables are read on first need. */
export function tokensFor(config: RunConfig, distDirectory: string): Tokens {
  const { name, exact } = encodingFor(config.model.requested);
  let loading: Promise<void> | null = null;
  let tokenizer: Tokenizer | null = null;
  const counted = new Map<string, number>();
  const load = async () => {
    tokenizer = await Tokenizer.load(distDirectory, name);
  };
  const loaded = (): Tokenizer => {
    if (tokenizer === null) throw new Error('the token tables were used before they were read');
    return tokenizer;
  };
  return {
    exact,
    get loaded() {
      return tokenizer !== null;
    },
    ready: () => (loading ??= load()),
    count: (text) => {
      const known = counted.get(text);
      if (known !== undefined) return known;
      const count = loaded().count(text);
      if (text.length <= MEMO_LENGTH) {
        if (counted.size >= MEMO_TEXTS) counted.clear();
        counted.set(text, count);
      }
      return count;
    },
    excerpt: (text, tokens) => loaded().middleOut(text, tokens, ' […] '),
    head: (text, tokens) => loaded().head(text, tokens),
  };
}

export function modelElsewhere(): EngineError {
  return new EngineError('configuration', [
    'This run asks a language model of VS Code: resume it there, with BabyAGI: Resume.',
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
