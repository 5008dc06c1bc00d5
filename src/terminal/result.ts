/** The longest sentence that is shown, characters: it may quote what stands in a foreign run folder. */
export const SENTENCE = 2000;

/** Exit codes, which scripts rely on: ended by a named reason, an error, bad configuration, waits for a person. */
export const OK = 0;
export const FAILED = 1;
export const MISCONFIGURED = 2;
export const WAITS = 3;

/** Writes a line for whoever reads the result; gives the exit code that goes with it. */
export function say(text: string, code: number = OK): number {
  process.stdout.write(`${text}\n`);
  return code;
}
