declare const BABYAGI_VERSION: string;

/** Of this program, as package.json has it. */
export const VERSION: string = BABYAGI_VERSION;
