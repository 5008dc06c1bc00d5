import { printable } from '../safety/text.ts';

/** Characters that take two columns: East Asian wide ones and emoji (Unicode, UAX #11). */
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;

/** `text` as `printable` shows it, in at most that many columns of a terminal. */
export function fitted(text: string, columns: number): string {
  const characters = [...printable(text, columns)];
  const width = (character: string) => (WIDE.test(character) ? 2 : 1);
  let room = columns - characters.reduce((sum, character) => sum + width(character), 0);
  if (room >= 0) return characters.join('');
  // For the ellipsis.
  room -= 1;
  while (room < 0) room += width(characters.pop() ?? '');
  return `${characters.join('')}…`;
}
