/** What a JSON text says, or null where it is none. */
export function jsonOrNull(text: string | Buffer): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return null;
  }
}
