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

const HASH = /^[0-9a-f]{64}$/;

function checksumOf(body: string | Uint8Array): string {
  return crc32(body).toString(16).padStart(8, '0');
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
  return { line: `${PREFIX}${checksumOf(body)}${HASH_KEY}${chained}${BODY_KEY}${body}}\n`, hash: chained };
}

/** Whether bytes[start, end), without the newline, have the form of a line and a body that fits its checksum. */
export function isLine(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < BODY_AT + 3 || bytes[end - 1] !== 0x7d) return false;
  const head = bytes.toString('latin1', start, start + BODY_AT);
  return (
    head.startsWith(PREFIX) &&
    head.startsWith(HASH_KEY, HASH_AT - HASH_KEY.length) &&
    head.endsWith(BODY_KEY) &&
    HASH.test(head.slice(HASH_AT, HASH_AT + 64)) &&
    head.slice(PREFIX.length, PREFIX.length + 8) === checksumOf(bytes.subarray(start + BODY_AT, end - 1))
  );
}

/** The hash that a line gives. */
export function hashIn(bytes: Buffer, start: number): string {
  return bytes.toString('latin1', start + HASH_AT, start + HASH_AT + 64);
}

export function bodyIn(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('utf8', start + BODY_AT, end - 1);
}
