/** No encoding makes more of a token; what goes on beyond that never ends, and need not be counted. */
const CHARACTERS_PER_TOKEN = 32;
/** It is counted each time that so many characters may have become too many tokens, and no more often than this. */
const LEAST_STEP = 64;

/**
 * Reads an answer until it ends or is longer than it may be: the API takes no limit of its length. `count` gives the
 * tokens of a text, null where they cannot be counted. `cut`: it was longer than `maxTokens`, by a piece at the most where
 * it could be counted.
 */
export async function readAnswer(
  pieces: AsyncIterable<string>,
  maxTokens: number,
  count: (text: string) => Promise<number | null>,
  givenUp: () => boolean,
): Promise<{ text: string; cut: boolean }> {
  let text = '';
  // A token is a character or more, nearly always.
  let countAt = maxTokens;
  for await (const piece of pieces) {
    text += piece;
    if (givenUp()) break;
    if (text.length > maxTokens * CHARACTERS_PER_TOKEN)
      return { text: text.slice(0, maxTokens * CHARACTERS_PER_TOKEN), cut: true };
    if (text.length <= countAt) continue;
    const tokens = await count(text);
    if (tokens !== null && tokens > maxTokens) return { text, cut: true };
    countAt = tokens === null ? Number.POSITIVE_INFINITY : text.length + Math.max(LEAST_STEP, maxTokens - tokens);
  }
  return { text, cut: false };
}
