import { isLoopback } from '../safety/origin.ts';
import { originOf } from './configuration.ts';
import { UsageError } from './options.ts';

/** A run folder may name any server: the key reaches it only where the person names it, too. Throws UsageError. */
export function assertKeyStays(key: string | null, keyOrigin: string, baseUrl: string): void {
  const runOrigin = originOf(baseUrl);
  if (runOrigin === keyOrigin) return;
  if (!isLoopback(new URL(baseUrl).hostname)) {
    throw new UsageError([
      `This run sends its requests, and so the API key, to ${baseUrl}. If that is right, say so with --base-url ${baseUrl}.`,
    ]);
  }
  if (key !== null) {
    process.stderr.write(
      `The API key is for ${keyOrigin}, so ${runOrigin} is asked without it. If it needs the key, say so with --base-url ${baseUrl}.\n`,
    );
  }
}
