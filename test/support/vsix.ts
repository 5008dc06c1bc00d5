import { spawnSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';

/** The absolute path of the VSIX of this extension, as users install it: the one that was made for all tests, or a new one. */
export function packaged(): string {
  const made = process.env['TEST_VSIX'];
  if (made !== undefined) return made;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/package.mjs'], { encoding: 'utf8' });
  const [, file] = /^(out\/\S+\.vsix): /m.exec(stdout) ?? [];
  if (status !== 0 || file === undefined) throw new Error(`${stdout}${stderr}`);
  return path.resolve(file);
}

/** Makes the VSIX of an extension with one file of code in a folder, and returns its path. It is a zip with all below `extension/`. */
export async function vsixOf(
  folder: string,
  { name, ...manifest }: { readonly name: string } & Readonly<Record<string, unknown>>,
  code: string,
): Promise<string> {
  const whole = { name, publisher: 'test', version: '1.0.0', main: './main.js', ...manifest };
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(JSON.stringify(whole)), 'extension/package.json');
  zip.addBuffer(Buffer.from(code), 'extension/main.js');
  zip.end();
  const file = path.join(folder, `${name}.vsix`);
  await pipeline(zip.outputStream, createWriteStream(file));
  return file;
}
