import { encodingFor } from '../budget/encoding.ts';
import { Tokenizer } from '../budget/tokens.ts';
import type { RunConfig } from '../run/config.ts';
import type { Tokens } from '../run/ports.ts';

/**
 * A text is counted for the reservation, for the bill and for the next prompts, and a result is shown again and again: these
 * many are remembered, up to a length.
 */
const MEMO_TEXTS = 200;
const MEMO_LENGTH = 20_000;

/** Counts as the model of the run does; the tables are read on first need. */
export function tokensFor(config: RunConfig, distDirectory: string): Tokens {
  const { name, exact } = encodingFor(config.model.requested);
  let loading: Promise<void> | null = null;
  let tokenizer: Tokenizer | null = null;
  const counted = remembering<number>();
  const cut = remembering<string>();
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
    count: (text) => counted(text, () => loaded().count(text)),
    excerpt: (text, tokens) => cut(`${tokens} ${text}`, () => loaded().middleOut(text, tokens, ' […] ')),
    head: (text, tokens) => loaded().head(text, tokens),
  };
}

/** What was made for a text, made once while it is remembered. */
function remembering<Made>(): (text: string, make: () => Made) => Made {
  const memo = new Map<string, Made>();
  return (text, make) => {
    const known = memo.get(text);
    if (known !== undefined) return known;
    const made = make();
    if (text.length <= MEMO_LENGTH) {
      if (memo.size >= MEMO_TEXTS) memo.clear();
      memo.set(text, made);
    }
    return made;
  };
}
