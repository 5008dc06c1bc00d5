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

/** A name from somebody else for a message: in quotes, cut, and all but plain ASCII escaped. */
export function quotedAscii(name: string): string {
  const shown = name.length > 80 ? `${name.slice(0, 80)}…` : name;
  return JSON.stringify(shown).replace(/[^\x20-\x7e…]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
