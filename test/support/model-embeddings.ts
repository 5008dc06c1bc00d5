import { createHash } from 'node:crypto';

/** A unit vector of hashed words: equal texts give equal vectors, texts that share words are closer. */
export function embedWords(text: string, dimensions: number): number[] {
  const vector = new Float64Array(dimensions);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [text]) {
    const hash = createHash('sha256').update(word).digest();
    for (let at = 0; at < hash.length; at += 4) {
      const place = hash.readUInt32LE(at) % dimensions;
      vector[place] = (vector[place] ?? 0) + (at % 8 === 0 ? 1 : -1);
    }
  }
  // In few dimensions opposite signs can cancel out, and a zero vector has no direction.
  if (!vector.some((value) => value !== 0)) vector[0] = 1;
  return toUnit([...vector]);
}

/** Shortens a vector the way providers do: cut, then scaled back to length one. */
export function shorten(vector: number[], dimensions: number): number[] {
  return vector.length <= dimensions ? vector : toUnit(vector.slice(0, dimensions));
}

/** The wire form for `encoding_format: base64`: little-endian 32-bit floats. */
export function toBase64(vector: number[]): string {
  const bytes = Buffer.alloc(vector.length * 4);
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4));
  return bytes.toString('base64');
}

function toUnit(vector: number[]): number[] {
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map((value) => value / length);
}
