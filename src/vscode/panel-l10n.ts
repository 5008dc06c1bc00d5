/**
 * The texts of the panel in the language of the window. The page knows no API of VS Code and what its host computes is
 * tested without it, so both get the bundle that VS Code has loaded handed to them, once.
 */
export type Texts = Readonly<Record<string, string>>;

let texts: Texts = {};
let language: string | undefined;

export const l10n = {
  /** From now on texts are in this language; those without a translation stay English. */
  use(bundle: Texts | undefined, tag: string): void {
    texts = bundle ?? {};
    // Who reads English may write dates and numbers in another way.
    language = bundle === undefined ? undefined : tag;
  },

  /** For numbers and dates; undefined: as the person's system has it. */
  get language(): string | undefined {
    return language;
  },

  /** The text for this English one, with `{0}`, `{1}` … replaced by the values. */
  t: (message: string, ...values: readonly (string | number)[]): string =>
    l10n.known(message).replace(/\{(\d)\}/g, (place, index) => String(values[Number(index)] ?? place)),

  /** The same for a sentence that is written elsewhere; as it is where the bundle does not have it. */
  known(sentence: string): string {
    return Object.hasOwn(texts, sentence) ? (texts[sentence] ?? sentence) : sentence;
  },
};
