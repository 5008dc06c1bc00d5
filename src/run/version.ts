declare const BABYAGI_VERSION: string;
declare const BABYAGI_BUILD: string;

/** Of this program, as package.json has it. */
export const VERSION: string = BABYAGI_VERSION;

/**
 * The program that wrote an epoch of a log, by a digest of its sources: what it left is compared byte by byte by itself, and
 * by its facts by any other, also by the next build of the same version.
 */
export const BUILD = `${BABYAGI_VERSION}+${BABYAGI_BUILD}`;
