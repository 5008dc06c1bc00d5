import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * A log line is `{"c":"<crc32>","h":"<sha256>","e":<body>}\n`. `c` is the crc32 of the body's bytes, 8 lower-case hex
 * digits: it tells damage from anything else, line by line. `h` is the sha256 of the previous line's 64 digits followed
 * by the body: it proves order and completeness. The body is ASCII JSON, so no reader can split a line elsewhere.
 */
export const GENESIS_HASH = '0'.repeat(64);

const PREFIX = '{"c":"';
const HASH_KEY = '","h":"';
const BODY_KEY = '","e":';
const HASH_AT = PREFIX.length + 8 + HASH_KEY.length;
const BODY_AT = HASH_AT + 64 + BODY_KEY.length;

function headOf(checksum: number, chained: string): string {
  return `${PREFIX}${checksum.toString(16).padStart(8, '0')}${HASH_KEY}${chained}${BODY_KEY}`;
}

export function chainHash(previousHash: string, body: string): string {
  return hash('sha256', previousHash + body);
}

/** JSON with everything outside printable ASCII escaped: U+2028, NUL and lone surrogates break no line, and no editor asks about them. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export function formatLine(previousHash: string, body: string): { line: string; hash: string } {
  const chained = chainHash(previousHash, body);
  return { line: `${headOf(crc32(body), chained)}${body}}\n`, hash: chained };
}

export interface ParsedLine {
  readonly body: string;
  readonly hash: string;
}

/** The line without its newline, taken apart, or null unless its form and checksum are right. */
export function parseLine(line: Buffer): ParsedLine | null {
  if (line.length < BODY_AT + 3 || line[line.length - 1] !== 0x7d) return null;
  const head = line.toString('latin1', 0, BODY_AT);
  const body = line.subarray(BODY_AT, line.length - 1);
  const chained = head.slice(HASH_AT, HASH_AT + 64);
  if (head !== headOf(crc32(body), chained) || !HASH.test(chained)) return null;
  return { body: body.toString(), hash: chained };
}

const HASH = /^[0-9a-f]{64}$/;
