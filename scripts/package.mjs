// `npm run package`: out/babyagi-vscode-<version>.vsix, what a user installs.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { main, setUp, toolNode } from './setup.mjs';

async function packageExtension() {
  await setUp();
  mkdirSync('out', { recursive: true });
  const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'));
  const file = `out/${name}-${version}.vsix`;
  // It lists the files itself.
  const args = [
    'package',
    '--no-dependencies',
    '--allow-missing-repository',
    '--no-rewrite-relative-links',
    '--out',
    file,
  ];
  const { status } = spawnSync(await toolNode(), ['node_modules/@vscode/vsce/vsce', ...args], { stdio: 'inherit' });
  if (status !== 0) throw new Error('vsce package failed.');
  console.log(`${file}: ${(statSync(file).size / 1024 / 1024).toFixed(2)} MB`);
}

await main(packageExtension);
