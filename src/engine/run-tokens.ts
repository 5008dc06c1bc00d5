import { encodingFor } from '../budget/encoding.ts';
import { Tokenizer } from '../budget/tokens.ts';
import type { RunConfig } from '../run/config.ts';
import type { Tokens } from '../run/ports.ts';

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
