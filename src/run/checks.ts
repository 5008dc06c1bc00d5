/**
 * Checks of what a person typed or configured. Plain functions, as all that runs before the first request: reading a schema
 * library would double the time from the command to that request. What comes from a disk is checked by schemas.
 */

/** Gives the value as it is used, or undefined where it is not valid. */
export type Check<T> = (value: unknown) => T | undefined;

/** A text without blanks around it, of at least one character. */
export function text(most: number): Check<string> {
  return (value) => {
    const trimmed = typeof value === 'string' ? value.trim() : '';
    return trimmed !== '' && trimmed.length <= most ? trimmed : undefined;
  };
}

export function number(least: number, most: number): Check<number> {
  return (value) => (typeof value === 'number' && value >= least && value <= most ? value : undefined);
}

export function whole(least: number = Number.MIN_SAFE_INTEGER, most: number = Number.MAX_SAFE_INTEGER): Check<number> {
  return (value) => (Number.isSafeInteger(value) ? number(least, most)(value) : undefined);
}

export function oneOf<T extends string>(words: readonly T[]): Check<T> {
  return (value) => words.find((word) => word === value);
}

export const yesOrNo: Check<boolean> = (value) => (typeof value === 'boolean' ? value : undefined);

export function listOf<T>(check: Check<T>, most: number): Check<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length > most) return undefined;
    const items = value.flatMap((item: unknown) => check(item) ?? []);
    return items.length === value.length ? items : undefined;
  };
}

/** Without blanks and line breaks, which a parser of addresses would leave out, and with the slashes it would make up. */
export const webAddress: Check<string> = (value) => {
  const address = typeof value === 'string' ? value.trim().replaceAll(/[\t\r\n]/g, '') : '';
  return /^https?:\/\//i.test(address) && URL.canParse(address) ? address : undefined;
};
