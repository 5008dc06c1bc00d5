import { renameSync, writeFileSync } from 'node:fs';
import { runTests } from './suite.ts';

/**
 * The entry that VS Code calls (`extensionTestsPath`); the host exits when it settles. The result goes to the file that
 * HOST_TEST_RESULT names, since the host's output cannot be relied on. Rejects when a test failed or none was found.
 */
export async function run(): Promise<void> {
  const result = await runTests();
  const file = process.env['HOST_TEST_RESULT'];
  if (file !== undefined) {
    writeFileSync(`${file}.part`, JSON.stringify(result, null, 2));
    renameSync(`${file}.part`, file);
  }
  if (result.passed + result.failed === 0) throw new Error('There are no host tests.');
  if (result.failed > 0) throw new Error(`${result.failed} host tests failed: ${JSON.stringify(result.failures)}`);
}
