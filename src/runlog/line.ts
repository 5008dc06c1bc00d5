import { createHash } from 'node:crypto';
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
const BODY_AT = PREFIX.length + 8 + HASH_KEY.length + 64 + BODY_KEY.length;

export function chainHash(previousHash: string, body: string | Uint8Array): string {
  return createHash('sha256').update(previousHash).update(body).digest('hex');
}

/** JSON with everything outside printable ASCII escaped: U+2028, NUL and lone surrogates break no line, and no editor asks about them. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export function formatLine(previousHash: string, body: string): { line: string; hash: string } {
  const hash = chainHash(previousHash, body);
  const checksum = crc32(body).toString(16).padStart(8, '0');
  return { line: `${PREFIX}${checksum}${HASH_KEY}${hash}${BODY_KEY}${body}}\n`, hash };
}

export interface ParsedLine {
  readonly body: Buffer;
  readonly hash: string;
}

/** The line without its newline, taken apart, or null unless its form and checksum are right. */
export function parseLine(line: Buffer): ParsedLine | null {
  if (line.length < BODY_AT + 3 || line[line.length - 1] !== 0x7d) return null;
  const head = line.toString('latin1', 0, BODY_AT);
  if (!HEAD.test(head)) return null;
  const body = line.subarray(BODY_AT, line.length - 1);
  if (crc32(body) !== Number.parseInt(head.slice(PREFIX.length, PREFIX.length + 8), 16)) return null;
  const hashAt = PREFIX.length + 8 + HASH_KEY.length;
  return { body, hash: head.slice(hashAt, hashAt + 64) };
}

const HEAD = /^\{"c":"[0-9a-f]{8}","h":"[0-9a-f]{64}","e":$/;
