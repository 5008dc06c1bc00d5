import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';

/** Makes the VSIX, and dist/ before it, and returns its absolute path. */
export function packaged(): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/package.mjs'], { encoding: 'utf8' });
  const [, file] = /^(out\/\S+\.vsix): /m.exec(stdout) ?? [];
  assert.ok(status === 0 && file !== undefined, `${stdout}${stderr}`);
  return path.resolve(file);
}
