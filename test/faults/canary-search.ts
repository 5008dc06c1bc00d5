import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a secret was found, and how it was written there. Never the secret. */
export interface Leak {
  readonly where: string;
  readonly secret: string;
  readonly form: string;
}

/** Looks for secrets in all their encodings. It shares no code with the redactor that it tests. */
export class CanarySearch {
  private readonly needles: { readonly secret: string; readonly form: string; readonly text: string }[];

  /** `secrets`: by the name under which a leak is reported. */
  constructor(secrets: Readonly<Record<string, string>>) {
    this.needles = Object.entries(secrets).flatMap(([secret, value]) =>
      Object.entries(encodings(value)).map(([form, text]) => ({ secret, form, text })),
    );
  }

  /** How many texts are looked for. */
  get size(): number {
    return this.needles.length;
  }

  in(where: string, text: string | Buffer): Leak[] {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text;
    const haystack = bytes.toString('latin1');
    // Line breaks may stand in the middle of a secret, as such or escaped.
    const unfolded = haystack.replace(/(?:[\r\n]|\\+[rn])[ \t]*/g, '');
    return this.needles.flatMap(({ secret, form, text: needle }) => {
      const raw = Buffer.from(needle).toString('latin1');
      return haystack.includes(raw) || unfolded.includes(raw) ? [{ where, secret, form }] : [];
    });
  }

  /** In every file below the folders, and in the names of all files and folders. */
  below(...folders: readonly string[]): { leaks: Leak[]; files: number; bytes: number } {
    const leaks: Leak[] = [];
    let files = 0;
    let bytes = 0;
    for (const folder of folders) {
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        leaks.push(...this.in(`the name of an entry of ${folder}`, entry.name));
        if (!entry.isFile()) continue;
        const path = join(entry.parentPath, entry.name);
        const content = readFileSync(path);
        files += 1;
        bytes += content.length;
        leaks.push(...this.in(path, content));
      }
    }
    return { leaks, files, bytes };
  }
}

function encodings(value: string): Record<string, string> {
  const bytes = Buffer.from(value);
  const hex = bytes.toString('hex');
  const json = JSON.stringify(value).slice(1, -1);
  const percent = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const html = value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const quoted = html.replaceAll('"', '&quot;');
  return {
    raw: value,
    'json-escaped': json,
    'json-escaped twice': JSON.stringify(json).slice(1, -1),
    'url-encoded': encodeURIComponent(value),
    'url-encoded, every byte': percent,
    'url-encoded, every byte, upper case': percent.toUpperCase(),
    hex,
    'hex, upper case': hex.toUpperCase(),
    'html-escaped': html,
    'html-escaped, with quotes': quoted,
    'html-escaped, with apostrophes': quoted.replaceAll("'", '&#39;'),
    reversed: [...value].reverse().join(''),
    ...Object.fromEntries([0, 1, 2].flatMap((offset) => base64At(bytes, offset))),
  };
}

/** The characters of base64 that depend on the value alone, with `offset` bytes of something else before it. */
function base64At(bytes: Buffer, offset: number): [string, string][] {
  const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
  const first = Math.ceil((offset * 4) / 3);
  const last = Math.floor((padded.length * 4) / 3);
  return (['base64', 'base64url'] as const).map((encoding) => [
    `${encoding} at ${offset}`,
    padded.toString(encoding).slice(first, last),
  ]);
}

/** How a model, a server or a tool might write a secret down. */
export function disguises(value: string): string[] {
  const { raw = '', ...others } = encodings(value);
  const half = Math.ceil(raw.length / 2);
  return [
    raw,
    ...Object.values(others),
    `${raw.slice(0, half)}\n${raw.slice(half)}`,
    `${raw.slice(0, half)}\r\n    ${raw.slice(half)}`,
    Buffer.from(`Bearer ${raw}`).toString('base64'),
    Buffer.from(`x${raw}`).toString('base64').replace(/.{20}/g, '$&\n'),
  ];
}
