import { createHash } from 'node:crypto';

/** A top-level text, or list of texts, of an event with more bytes than this lives in `blobs/<sha256>`; the event names it. */
export const BLOB_THRESHOLD = 32 * 1024;

export interface Blob {
  readonly sha256: string;
  readonly content: Buffer;
}

/** Moves large values out of an event: each becomes `{"blob":"<sha256>","bytes":n}`, the blob holds the value's JSON. */
export function extractBlobs(event: Readonly<Record<string, unknown>>): {
  slim: Record<string, unknown>;
  blobs: Blob[];
} {
  const blobs: Blob[] = [];
  const slim: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(event)) {
    if (byteLength(value) <= BLOB_THRESHOLD) {
      slim[key] = value;
      continue;
    }
    const content = Buffer.from(JSON.stringify(value), 'utf8');
    const sha256 = createHash('sha256').update(content).digest('hex');
    blobs.push({ sha256, content });
    slim[key] = { blob: sha256, bytes: content.length };
  }
  return { slim, blobs };
}

function byteLength(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  return Array.isArray(value) ? value.reduce<number>((sum, item) => sum + byteLength(item), 0) : 0;
}

/** The blobs that an event names, by the key of the value. */
export function namedBlobs(raw: Readonly<Record<string, unknown>>): Map<string, string> {
  const found = new Map<string, string>();
  // Without a list of pairs: this is done for every event of a log.
  for (const key of Object.keys(raw)) {
    const value = raw[key];
    if (
      typeof value === 'object' &&
      value !== null &&
      'blob' in value &&
      typeof value.blob === 'string' &&
      /^[0-9a-f]{64}$/.test(value.blob)
    )
      found.set(key, value.blob);
  }
  return found;
}

/** The value in a blob. Throws where the content is not what its name says. */
export function blobValue(sha256: string, content: Buffer): unknown {
  const actual = createHash('sha256').update(content).digest('hex');
  if (actual !== sha256) throw new Error(`blob ${sha256} holds other bytes`);
  return JSON.parse(content.toString('utf8'));
}
