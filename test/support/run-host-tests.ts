import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import type { HostTestResult } from '../host/suite.ts';
import { eventually } from './eventually.ts';
import { startVscodeServer, type VscodeServer } from './vscode-server.ts';
import { openWorkbench, type Workbench } from './workbench.ts';

export interface HostTestOptions {
  /** The extension to load, as a folder; by default the checkout. Its bundle must be built. */
  readonly developmentPath?: string;
  /** The folder to open. */
  readonly workspace: string;
  readonly dataDir: string;
  readonly userSettings?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** For all tests together, the start of VS Code included. Default 120 s. */
  readonly timeoutMs?: number;
}

/**
 * Bundles host test files (default: `test/host/**\/*.test.ts`) with the runner into one module for `extensionTestsPath`
 * and returns its absolute path. The same module serves @vscode/test-electron.
 */
export async function bundleHostTests(files: readonly string[] = hostTestFiles()): Promise<string> {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const outfile = path.resolve('out', 'test', 'host', 'index.cjs');
  const imports = files.map((file) => `import ${JSON.stringify(path.resolve(file))};`);
  const contents = [...imports, `export { run } from './test/host/index.ts';`].join('\n');
  await build({
    stdin: { contents, resolveDir: process.cwd(), loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    define: {
      BABYAGI_VERSION: JSON.stringify(version),
      BABYAGI_BUILD: '"test"',
      BABYAGI_PRICE_LIST: '"list 0.0.0"',
    },
    external: ['vscode'],
    sourcemap: 'inline',
    logLevel: 'error',
  });
  return outfile;
}

/** Runs the bundle of `bundleHostTests` in a real extension host. Rejects when the host gives no result. */
export async function runHostTests(testsPath: string, options: HostTestOptions): Promise<HostTestResult> {
  const resultFile = path.join(options.dataDir, 'host-test-result.json');
  rmSync(resultFile, { force: true });
  const server = await startVscodeServer({
    workspace: options.workspace,
    dataDir: options.dataDir,
    developmentPath: options.developmentPath ?? process.cwd(),
    testsPath,
    userSettings: options.userSettings ?? {},
    env: { ...options.env, HOST_TEST_RESULT: resultFile },
  });
  try {
    const workbench = await openWorkbench(server);
    try {
      await hostIsDone(server, resultFile, options.timeoutMs ?? 120_000);
      if (!existsSync(resultFile)) throw new Error(`The host tests gave no result. ${evidence(server, workbench)}`);
      return JSON.parse(readFileSync(resultFile, 'utf8')) as HostTestResult;
    } finally {
      await workbench.close();
    }
  } finally {
    await server.close();
  }
}

function hostTestFiles(): string[] {
  const folder = path.join('test', 'host');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .sort()
    .map((file) => path.join(folder, file));
}

/** Returns when the result is there, or when the host that should have written it is gone. */
async function hostIsDone(server: VscodeServer, resultFile: string, timeoutMs: number): Promise<void> {
  let seen = false;
  const done = () => {
    const alive = server.extensionHostPids().length > 0;
    const gone = seen && !alive;
    seen ||= alive;
    return existsSync(resultFile) || gone;
  };
  await eventually('the host tests', done, timeoutMs).catch(() => undefined);
}

function evidence(server: VscodeServer, workbench: Workbench): string {
  return `Errors in the window: ${JSON.stringify(workbench.consoleErrors(), null, 2)}. Server: ${server.logs().slice(-2000)}`;
}
