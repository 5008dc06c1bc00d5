import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { build } from 'esbuild';

const MOST_BYTES = 120_000;

describe('start-up', () => {
  it('reads little, and nothing that only a run needs', async () => {
    assert.ok(existsSync('src/extension.ts'));
    const { metafile } = await build({
      entryPoints: ['src/extension.ts'],
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      external: ['vscode'],
      outdir: 'out/start-up',
      write: false,
      metafile: true,
      minifySyntax: true,
      minifyWhitespace: true,
      logLevel: 'silent',
    });
    const outputs = new Map(Object.entries(metafile.outputs));
    const first = [...outputs].find(([, { entryPoint }]) => entryPoint === 'src/extension.ts')?.[0];
    assert.ok(first);
    const read = new Set([first]);
    for (const file of read) {
      for (const { kind, path } of outputs.get(file)?.imports ?? [])
        if (kind === 'import-statement' && outputs.has(path)) read.add(path);
    }
    const bytes = [...read].reduce((sum, file) => sum + (outputs.get(file)?.bytes ?? 0), 0);
    const sources = [...read].flatMap((file) => Object.keys(outputs.get(file)?.inputs ?? {}));
    const heavy = sources.filter((source) =>
      /node_modules|src\/(engine\/|safety\/egress\.ts|vscode\/summary-panel\.ts)/.test(source),
    );
    assert.deepEqual(heavy, []);
    assert.ok(bytes <= MOST_BYTES, `${bytes} bytes are read at the start`);
  });
});
