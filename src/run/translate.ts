/** A sentence with `{0}`, `{1}` … replaced, in the reader's language where the caller has it. */
export type Translate = (message: string, ...values: readonly (string | number)[]) => string;

/** For files and terminals. */
export const inEnglish: Translate = (message, ...values) =>
  message.replace(/\{(\d)\}/g, (place, index) => String(values[Number(index)] ?? place));
