// `npm run bench`: runs every file of test/bench/, one after the other. `npm run bench -- log` only those named like it.

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { main, setUp } from './setup.mjs';

async function bench([name = '']) {
  await setUp();
  const { buildTests } = await import('../esbuild.mjs');
  for (const file of (await buildTests('bench')).filter((each) => path.basename(each).includes(name))) {
    const { status } = spawnSync(process.execPath, ['--expose-gc', '--enable-source-maps', file], { stdio: 'inherit' });
    if (status !== 0) throw new Error(`${file} failed.`);
  }
}

await main(() => bench(process.argv.slice(2)));
