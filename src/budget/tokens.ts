import { join } from 'node:path';
import type { EncodingName } from './encoding.ts';
import { PieceCounter } from './token-pieces.ts';
import { RankTable } from './token-ranks.ts';
import { codePointStart } from './token-text.ts';

/** How much text is first looked at for a cut; more than ordinary text has. */
const CHARACTERS_PER_TOKEN = 16;
/** Up to this length of a piece a cut tries every code point; above it the cut is at the end of a token. */
const EXHAUSTIVE_CUT = 256;
const DEFAULT_MARKER = '\n[... middle left out ...]\n';

/**
 * Counts and cuts text in the tokens of one encoding. Special tokens such as <|endoftext|> are ordinary text here.
 * All methods are synchronous; a million characters take some 50 ms, in the worst case (one endless word) some 600 ms.
 */
export class Tokenizer {
  readonly #pieces: PieceCounter;

  private constructor(pieces: PieceCounter) {
    this.#pieces = pieces;
  }

  /** Reads `<directory>/<name>.ranks`; throws RankFileError. Takes some 5 ms and 5 MB, so keep the result. */
  static async load(directory: string, name: EncodingName): Promise<Tokenizer> {
    return new Tokenizer(new PieceCounter(await RankTable.load(join(directory, `${name}.ranks`))));
  }

  /** Number of tokens of `text`. */
  count(text: string): number {
    let total = 0;
    this.#pieces.forEach(text, (count) => {
      total += count;
      return true;
    });
    return total;
  }

  /**
   * The longest prefix of `text` with at most `tokens` tokens, cut between code points.
   * In a word or run of white space above 256 characters the cut is at the end of a token, which can be somewhat shorter.
   */
  head(text: string, tokens: number): string {
    if (!(tokens >= 1)) return '';
    // Only as much of a long text is looked at as the answer needs.
    for (let reach = CHARACTERS_PER_TOKEN * tokens; ; reach *= 4) {
      const part = text.slice(0, codePointStart(text, reach));
      const whole = part.length === text.length;
      const { over, safe, tokensToSafe } = this.#firstOver(part, tokens);
      if (over === -1 && whole) return text;
      if (whole || (over !== -1 && (over < part.length || over - safe > EXHAUSTIVE_CUT))) {
        return text.slice(0, safe) + this.#cut(text.slice(safe, over), tokens - tokensToSafe);
      }
    }
  }

  /**
   * `text` if it has at most `tokens` tokens; otherwise its head and tail, about equally long, with `marker` between,
   * together at most `tokens` tokens. Where the marker does not fit, the head alone.
   */
  middleOut(text: string, tokens: number, marker: string = DEFAULT_MARKER): string {
    if (this.head(text, tokens).length === text.length) return text;
    let budget = tokens - this.count(marker);
    while (budget >= 2) {
      const head = this.head(text, Math.ceil(budget / 2));
      const result = head + marker + this.#tail(text.slice(head.length), Math.floor(budget / 2));
      // Tokens can form differently where the parts meet.
      const excess = this.count(result) - tokens;
      if (excess <= 0) return result;
      budget -= excess;
    }
    return this.head(text, tokens);
  }

  /**
   * Where the piece that exceeds `tokens` ends, with the white space after it; -1 if none does. Cutting can change how the
   * white space before the cut is split, so the answer also names the last place up to which no cut changes anything.
   */
  #firstOver(text: string, tokens: number): { over: number; safe: number; tokensToSafe: number } {
    let total = 0;
    let over = -1;
    let safe = 0;
    let tokensToSafe = 0;
    this.#pieces.forEach(text, (count, end) => {
      total += count;
      if (total > tokens) {
        over = end;
      } else if (!isWhiteSpace(text, end - 1)) {
        safe = end;
        tokensToSafe = total;
      }
      return over === -1;
    });
    while (over !== -1 && isWhiteSpace(text, over)) over++;
    return { over, safe, tokensToSafe };
  }

  /** The longest prefix of a few pieces that fits; see head. */
  #cut(text: string, tokens: number): string {
    let end = text.length > EXHAUSTIVE_CUT ? this.#tokenEnd(text, Math.floor(tokens)) : text.length;
    while (this.count(text.slice(0, end)) > tokens) end = codePointStart(text, end - 1);
    return text.slice(0, end);
  }

  /** A suffix of about `tokens` tokens; the caller counts again. */
  #tail(text: string, tokens: number): string {
    for (let reach = CHARACTERS_PER_TOKEN * tokens; ; reach *= 4) {
      const part = text.slice(codePointStart(text, text.length - reach));
      const total = this.count(part);
      if (total > tokens) return part.slice(this.#tokenEnd(part, total - tokens));
      if (part.length === text.length) return text;
    }
  }

  /** Where token number `wanted` of `text` ends, rounded down to a code point. */
  #tokenEnd(text: string, wanted: number): number {
    let before = 0;
    let start = 0;
    let end = 0;
    this.#pieces.forEach(text, (count, pieceEnd) => {
      end = pieceEnd;
      if (before + count >= wanted) return false;
      before += count;
      start = pieceEnd;
      return true;
    });
    return start + this.#pieces.tokenEnd(text.slice(start, end), wanted - before);
  }
}

function isWhiteSpace(text: string, index: number): boolean {
  return /\p{White_Space}/u.test(text.charAt(index));
}
