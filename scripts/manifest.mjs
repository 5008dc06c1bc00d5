// Checks package.json against what neither the compiler nor a linter sees.

import { existsSync, readFileSync } from 'node:fs';
import { main } from './setup.mjs';

const readJson = (file) => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {});

function checkManifest() {
  const manifest = readJson('package.json');
  const texts = readJson('package.nls.json');
  const strings = stringsIn(manifest);
  const keys = strings.flatMap((text) => /^%(.+)%$/.exec(text)?.[1] ?? []);
  const problems = [
    ...keys.filter((key) => !(key in texts)).map((key) => `package.nls.json lacks "${key}".`),
    ...Object.keys(texts)
      .filter((key) => !keys.includes(key))
      .map((key) => `package.nls.json has "${key}", which package.json does not use.`),
    ...strings
      .filter((text) => /^(\.\/)?media\/[^*]+$/.test(text) && !existsSync(text))
      .map((file) => `package.json names ${file}, which does not exist.`),
    ...Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
      .filter(([, version]) => !/^\d/.test(version))
      .map(([name, version]) => `${name} ${version}: pin one version.`),
  ];
  const [engine, types] = [manifest.engines.vscode, manifest.devDependencies['@types/vscode']];
  if (engine !== `^${types}`) problems.push(`engines.vscode is ${engine}, but @types/vscode is ${types}.`);
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

function stringsIn(value) {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsIn) : [];
}

await main(checkManifest);
