// `node scripts/build-schemas.mjs` writes media/schemas/, JSON Schemas of the files in a run folder, from their zod schemas.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const FOLDER = path.join(ROOT, 'media', 'schemas');
const outfile = path.join(ROOT, 'out', 'schemas.mjs');

await esbuild.build({
  absWorkingDir: ROOT,
  entryPoints: ['src/research/schemas.ts'],
  bundle: true,
  format: 'esm',
  outfile,
  packages: 'external',
  platform: 'node',
});
const { jsonSchemas } = await import(pathToFileURL(outfile).href);
mkdirSync(FOLDER, { recursive: true });
for (const [name, content] of jsonSchemas()) writeFileSync(path.join(FOLDER, name), content);
