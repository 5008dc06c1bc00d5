// Runs test/host/ inside a VS Code: the server of scripts/vscode-host.mjs or, with --electron, the desktop application, of
// the oldest version that is supported and of the newest. Expects test/support/ to be bundled.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { main } from './setup.mjs';

const TEST_TIMEOUT_MS = 8 * 60_000;

async function inServer(testsPath, workspace, dataDir) {
  const { runHostTests } = await import('../out/support/run-host-tests.mjs');
  return [await runHostTests(testsPath, { workspace, dataDir, timeoutMs: TEST_TIMEOUT_MS })];
}

async function inElectron(testsPath, workspace, dataDir) {
  const { runTests } = await import('@vscode/test-electron');
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8'));
  const results = [];
  for (const version of [engines.vscode.replace('^', ''), 'stable']) {
    const resultFile = path.join(dataDir, `${version}.json`);
    console.log(`VS Code ${version}`);
    await runTests({
      version,
      extensionDevelopmentPath: process.cwd(),
      extensionTestsPath: testsPath,
      extensionTestsEnv: { HOST_TEST_RESULT: resultFile },
      launchArgs: [workspace, '--user-data-dir', path.join(dataDir, version), '--disable-workspace-trust'],
    }).catch((error) => console.log(error.message));
    results.push(JSON.parse(readFileSync(resultFile, 'utf8')));
  }
  return results;
}

async function runAll() {
  const { bundleHostTests } = await import('../out/support/run-host-tests.mjs');
  const testsPath = await bundleHostTests();
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-host-'));
  const [workspace, dataDir] = ['workspace', 'data'].map((name) => path.join(root, name));
  for (const folder of [workspace, dataDir]) mkdirSync(folder);
  try {
    const results = await (process.argv.includes('--electron') ? inElectron : inServer)(testsPath, workspace, dataDir);
    for (const { name, message } of results.flatMap((result) => result.failures))
      console.log(`✖ ${name}\n    ${message}`);
    const sum = (figure) => results.reduce((total, result) => total + result[figure], 0);
    console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

await main(runAll);
