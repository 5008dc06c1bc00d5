/**
 * An upper bound of the tokens of `text` in any byte-level encoding, without a tokenizer: such an encoding never yields more
 * tokens than UTF-8 bytes. Some tokenizers normalise (NFKC) first, which can lengthen or shorten text, so the longer form counts.
 */
export function tokenUpperBound(text: string): number {
  return Math.max(Buffer.byteLength(text), Buffer.byteLength(text.normalize('NFKC')));
}
