/** Longest stretch of work between two chances for everybody else, milliseconds. */
const SLICE_MS = 15;

/** A function to be called between pieces of long work: now and then it lets the event loop turn. */
export function pausing(): () => Promise<void> {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < SLICE_MS) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    since = performance.now();
  };
}
