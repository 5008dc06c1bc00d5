// The tests here run inside VS Code's extension host, beside everything else that lives there. node:test's own
// runner never comes to its end in that process, so this is the part of it that the tests need.

type Body = () => void | Promise<void>;

interface Test {
  readonly name: string;
  readonly body: Body;
  readonly timeoutMs: number;
}

/** The outcome of all tests; also the JSON that is written for who started VS Code. */
export interface HostTestResult {
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly { readonly name: string; readonly message: string }[];
  readonly tests: readonly { readonly name: string; readonly duration_ms: number }[];
}

const TEST_TIMEOUT_MS = 20_000;

const tests: Test[] = [];
let titles: string[] = [];

/** Groups tests: the title is put before their names. */
export function describe(title: string, body: () => void): void {
  const outer = titles;
  titles = [...outer, title];
  body();
  titles = outer;
}

/** A test: fails when its body throws, rejects, or takes longer than `timeoutMs` (default 20 s). */
export function it(title: string, body: Body, { timeoutMs = TEST_TIMEOUT_MS }: { timeoutMs?: number } = {}): void {
  tests.push({ name: [...titles, title].join(' › '), body, timeoutMs });
}

/** Runs every test that was declared, in that order, one at a time. Never rejects. */
export async function runTests(): Promise<HostTestResult> {
  const failures: { name: string; message: string }[] = [];
  const durations: { name: string; duration_ms: number }[] = [];
  for (const test of tests) {
    const started = performance.now();
    try {
      await withTimeout(test);
    } catch (error) {
      failures.push({
        name: test.name,
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
    durations.push({ name: test.name, duration_ms: Math.round(performance.now() - started) });
  }
  return { passed: tests.length - failures.length, failed: failures.length, failures, tests: durations };
}

async function withTimeout(test: Test): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Not done after ${test.timeoutMs} ms.`)), test.timeoutMs);
  });
  try {
    await Promise.race([test.body(), expired]);
  } finally {
    clearTimeout(timer);
  }
}
