/** A sentence with `{0}`, `{1}` … replaced, in the reader's language where the caller has it. */
export type Translate = (message: string, ...values: readonly (string | number)[]) => string;

/** A sentence that was written elsewhere, as in a log: as it is where it is no known one. */
export const known = (sentence: string, translated: Translate): string => translated(sentence);

/** For files and terminals. */
export const inEnglish: Translate = (message, ...values) =>
  message.replace(/\{(\d)\}/g, (place, index) => String(values[Number(index)] ?? place));
