/** The words of a text as the rehearsal model compares them. No locale, no dictionary: the same on every machine. */

/** Of English, then of German, French, Spanish, Italian, Portuguese and Dutch. */
const FUNCTION_WORDS = new Set(
  `a about above after all also an and any are as at be been before below between both but by can could did do does done
  down each every few for from had has have he her his how i if in into is it its me more most must my no not of off on
  one only or other our out over own per shall she should so some such than that the their them then there these they
  this those through to too under until up upon us very via was we were what when where whether which while who whom why
  will with within without would yet you your
  aber alle als am auf aus bei bis das dass dem den der des die dies diese dieser doch ein eine einem einen einer eines
  er es für hat ich ihr im ist kann man mit nach nicht noch nur oder sein sich sie sind über um und uns unter vom von
  vor war was wie wir wird zu zum zur
  au aux avec ce ces cette dans de des du elle en est et être il ils je la le les leur lui mais ne nous ou où par pas
  plus pour qu que qui sa se ses son sont sous sur un une vous
  al como con cual del desde el ella ellos entre ese esta este ha hay las lo los más mi muy ni para pero por sin sobre
  su sus también todo una uno unos y ya
  agli alla anche che chi ci col cui da dal dalla degli dei del della delle di dove ed fra gli ho il nel nella non per
  più quando questo sono sul tra tutti vi
  ao aos às até com como da das dele do dos ela ele em essa esse eu foi isso já mais mas na nas nem no nos não os ou
  pela pelo quem sem ser seu sua são também tem um uma
  aan bij dat deze dit door een en geen heeft het hij hoe ik je maar meer met naar niet nog om onder ons ook op te tot
  uit van veel voor waar wat wel wij worden zal zich zijn zo`.split(/\s+/),
);

/** What objectives are written with and seldom about. */
const OBJECTIVE_STEMS = new Set(
  `add analyse analyze answer build carry change check code complete create criterion describe develop document explain
  file find first folder fully get give goal good help improve information keep lead list look make name need new note
  objective please plan possible prepare produce project propose read report repository result review say set short show shown
  source step suggest summarise summarize summary task tell text thing todo understand use useful well work workspace
  write`
    .split(/\s+/)
    .map(stem),
);

/** A word begins at a capital too: `retryAfterMs` holds retry, after and ms. */
const WORD = /\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{Lo}\p{Lm}\p{M}]+|\p{N}+/gu;
/** What is longer is encoded data. */
const MAX_LENGTH = 60;
/** Scripts that put no space between words: there every two characters count as one. */
const UNSPACED = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]+$/u;

/** All words that carry meaning, in order and as often as they occur, reduced to their stems. */
export function stems(text: string): string[] {
  return written(text).map(stem);
}

/** The words that say what a text is about, as written, each once; all words where nothing else is left. */
export function keyWords(text: string): string[] {
  const telling = tellingWords(text);
  return telling.length > 0 ? telling : distinct(text).map(([, word]) => word);
}

/** The words that say what a text is about, as written, each once; of "Develop a task list" none. */
export function tellingWords(text: string): string[] {
  return distinct(text).flatMap(([root, word]) => (OBJECTIVE_STEMS.has(root) || /^\p{N}+$/u.test(word) ? [] : [word]));
}

/** Stem and word as first written, of each word. */
function distinct(text: string): [string, string][] {
  const words = new Map<string, string>();
  for (const word of written(text)) if (!words.has(stem(word))) words.set(stem(word), word);
  return [...words];
}

function written(text: string): string[] {
  const found: string[] = [];
  for (const [match] of text.normalize('NFKC').matchAll(WORD)) {
    const word = match.toLowerCase();
    if (UNSPACED.test(word)) {
      const characters = [...word];
      const pairs = characters.slice(1).map((character, index) => `${characters[index]}${character}`);
      found.push(...(pairs.length > 0 ? pairs : characters));
    } else if (word.length > 1 && word.length <= MAX_LENGTH && !FUNCTION_WORDS.has(word)) found.push(word);
  }
  return found;
}

/** The word without the endings of English inflection: caches, cached and caching are one. */
export function stem(word: string): string {
  if (word.length < 4 || !/^[a-z]+$/.test(word)) return word;
  const bare = word
    .replace(/ie[sd]$/, 'y')
    .replace(/(?<=[aeiouy][a-z]{1,20})(?<=[a-z]{3})(?:ing|(?<!e)ed)$/, '')
    .replace(/(?<=sh|ch|x|ss)es$/, '')
    .replace(/(?<![su])s$/, '');
  const single = bare.length < word.length - 1 ? bare.replace(/([bdgmnprt])\1$/, '$1') : bare;
  return single.length > 3 ? single.replace(/e$/, '') : single;
}
