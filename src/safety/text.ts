export type SafetyErrorReason = 'empty' | 'too_large';

/** A text of the user or the model that is refused as a whole. The message names it by `what`, and never quotes it. */
export class SafetyError extends Error {
  override readonly name = 'SafetyError';
  readonly reason: SafetyErrorReason;

  constructor(reason: SafetyErrorReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

// Control, invisible format (bidi among them) and private-use characters, half surrogate pairs; but not the joiners and
// the variation selector that emoji and several scripts are made with.
const HIDDEN = /(?![\u200c\u200d\ufe0f])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Default_Ignorable_Code_Point}]/u;
const SPACE = /(?!\ufeff)\s/u;

/**
 * `text` on one line for a label: white space becomes single spaces, hidden and direction-changing characters go.
 * Longer than `max` code points, it is cut and ends in an ellipsis.
 */
export function printable(text: string, max: number): string {
  const kept: string[] = [];
  for (const character of text) {
    if (SPACE.test(character)) {
      if (kept.length > 0 && kept.at(-1) !== ' ') kept.push(' ');
    } else if (!HIDDEN.test(character)) {
      kept.push(character);
    }
    // One more than fits, and it is no space: there is text behind the cut.
    if (kept.length > max && kept.at(-1) !== ' ') break;
  }
  if (kept.at(-1) === ' ') kept.pop();
  if (kept.length <= max) return kept.join('');
  return `${kept
    .slice(0, Math.max(max - 1, 0))
    .join('')
    .trimEnd()}…`;
}

/** `text` as it is, if it is neither blank nor longer than `maxBytes` of UTF-8. Throws SafetyError; `what` names it. */
export function clampInput(text: string, maxBytes: number, what: string): string {
  if (text.trim() === '') throw new SafetyError('empty', `The ${what} is empty. Write at least one word.`);
  const bytes = Buffer.byteLength(text, 'utf8');
  if (bytes > maxBytes) {
    throw new SafetyError('too_large', `The ${what} has ${bytes} bytes; at most ${maxBytes} are allowed. Shorten it.`);
  }
  return text;
}
