/** The path of libfaketime.so.1. Throws one sentence where it is not there and cannot be installed. */
export function ensureFaketime(): string;
/** The path of strace, which must be allowed to trace. Throws one sentence where it cannot be used. */
export function ensureStrace(): string;
