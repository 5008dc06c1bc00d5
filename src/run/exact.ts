import { isDeepStrictEqual } from 'node:util';
import type * as z from 'zod';
import { RunConfig } from './config.ts';
import { RunEvent } from './events.ts';

/**
 * Whether a value is what a schema gives back unchanged: valid, and with no key and no default to take away or add. What is
 * not exact may still be valid: then the schema has the last word.
 *
 * A log has thousands of events, and reading the schema library takes longer than checking them. So the build puts
 * functions in place of these that are compiled from the same schemas (`exactChecks` in esbuild.mjs).
 */
export const isExactEvent = (value: unknown): value is RunEvent => isExactly(RunEvent, value);
export const isExactConfig = (value: unknown): value is RunConfig => isExactly(RunConfig, value);

function isExactly(schema: z.ZodType, value: unknown): boolean {
  return isDeepStrictEqual(schema.safeParse(value).data, value);
}
