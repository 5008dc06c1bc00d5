/** Longest stretch of work between two chances for everybody else, milliseconds. */
const SLICE_MS = 15;

/** A function to be called between pieces of long work: now and then it gives a promise, and time to everybody else. */
export function pausing(): () => Promise<void> | null {
  let since = performance.now();
  return () => {
    if (performance.now() - since < SLICE_MS) return null;
    return new Promise<void>((resolve) =>
      setImmediate(() => {
        since = performance.now();
        resolve();
      }),
    );
  };
}
