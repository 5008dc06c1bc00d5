// Checks the rules of .dependency-cruiser.cjs over src/. dependency-cruiser reads TypeScript by the compiler's API, which
// TypeScript 7 no longer has: so it is given src/ with the types erased, and every import, of types too, left in place.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cruise } from 'dependency-cruiser';
import extractDepcruiseOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import { transform } from 'esbuild';
import { main } from './setup.mjs';

const COPY = path.join('out', 'layers');

async function eraseTypes(file) {
  const text = readFileSync(path.join('src', file), 'utf8');
  if (/^import (?!type |\* as ).*from 'zod'/m.test(text)) {
    throw new Error(
      `src/${file}: write import * as z from 'zod'; any other form bundles all of it, five times as much.`,
    );
  }
  const source = text.replaceAll(/(^|;) *(import|export) type (?=[{*]|\w+ from\b)/gm, '$1$2 ');
  // `verbatimModuleSyntax` keeps imports that mix types and values.
  const { code } = await transform(source, {
    loader: 'ts',
    sourcefile: file,
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  });
  const target = path.join(COPY, 'src', file.replace(/\.ts$/, '.js'));
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, code.replaceAll(/(['"])(\.{1,2}\/[^'"]*)\.ts\1/g, '$1$2.js$1'));
}

async function checkLayers() {
  rmSync(COPY, { recursive: true, force: true });
  const files = readdirSync('src', { recursive: true }).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.d.ts'),
  );
  await Promise.all(files.map(eraseTypes));
  const options = await extractDepcruiseOptions('./.dependency-cruiser.cjs');
  const { output } = await cruise(['src'], { ...options, baseDir: path.resolve(COPY) });
  const seen = output.modules.filter((module) => /^src\/.*\.js$/.test(module.source) && !module.couldNotResolve).length;
  if (seen !== files.length) throw new Error(`${seen} modules were read, but src/ has ${files.length}.`);
  const violations = output.summary.violations.map((each) => tell(each, options.ruleSet.forbidden));
  if (violations.length > 0) throw new Error(violations.join('\n'));
  console.log(`${seen} modules, ${output.summary.totalDependenciesCruised} imports.`);
}

function tell({ from, to, rule, cycle }, rules) {
  const { comment } = rules.find(({ name }) => name === rule.name);
  const way = cycle ? [from, ...cycle.map((each) => each.name)].join(' → ') : `${from} → ${to}`;
  return `${way.replaceAll(/(src\/\S+)\.js\b/g, '$1.ts')}: ${rule.name}. ${comment}`;
}

await main(checkLayers);
