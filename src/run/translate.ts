import { messageOf } from './message.ts';

/** A sentence with `{0}`, `{1}` … replaced, in the reader's language where the caller has it. */
export type Translate = (message: string, ...values: readonly (string | number)[]) => string;

/** A sentence that is made when its language is known. */
export type Words = (translated: Translate) => string;

/** A sentence that was written elsewhere, as in a log: as it is where it is no known one. */
export const known = (sentence: string, translated: Translate): string => translated(sentence);

/** What an error says, in the reader's language as far as the error has it. */
export function wordsOf(error: unknown, translated: Translate): string {
  return error instanceof TranslatableError ? error.words(translated) : known(messageOf(error), translated);
}

/** For files and terminals. */
export const inEnglish: Translate = (message, ...values) =>
  message.replace(/\{(\d)\}/g, (place, index) => String(values[Number(index)] ?? place));

/** An error for people: made of words in any language, so that none of its figures is lost; its message is English. */
export abstract class TranslatableError extends Error {
  readonly words: Words;

  constructor(words: Words) {
    super(words(inEnglish));
    this.words = words;
  }
}
