import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 25;

/**
 * Reads again and again until `read` gives something else than `undefined` or `false`, and returns that.
 * Rejects after `timeoutMs` (default 30 s), saying what it waited for and why the last read failed.
 */
export async function eventually<T>(
  what: string,
  read: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let failure: unknown;
  do {
    try {
      const value = await read();
      if (value !== undefined && value !== false) return value;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    await delay(PAUSE_MS);
  } while (Date.now() < deadline);
  const reason = failure instanceof Error ? `: ${failure.message}` : '';
  throw new Error(`Waited ${timeoutMs} ms in vain for ${what}${reason}`, { cause: failure });
}
