import { createHmac, randomBytes } from 'node:crypto';
import { ExactSecrets } from './exact-secrets.ts';
import { isSecretName } from './secret-names.ts';
import { findShape, looksRandom, SHAPE_RULES } from './secret-shapes.ts';

/** How many secrets were replaced, in all and by rule: a shape's name or the name a secret was registered under. */
export interface RedactionCount {
  readonly total: number;
  readonly byRule: Readonly<Record<string, number>>;
}

export type RedactionErrorReason = 'too_short' | 'too_deep';

/** A secret that cannot be registered, or data that cannot be redacted. The message never quotes either. */
export class RedactionError extends Error {
  override readonly name = 'RedactionError';
  readonly reason: RedactionErrorReason;

  constructor(reason: RedactionErrorReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

interface Replacement {
  readonly rule: string;
  readonly text: string;
}

interface Hit {
  /** Where what gives the secret away begins: a parameter's name, or the secret itself. */
  readonly from: number;
  readonly start: number;
  readonly end: number;
  /** Null where the text holds a placeholder of ours already. */
  readonly replacement: Replacement | null;
}

const MIN_SECRET = 6;
/** Of a property like any other. */
const OWN = { configurable: true, enumerable: true, writable: true };
/** Characters of a text that is remembered once it was looked at, and how many of those. */
const SHORT = 48;
const MOST_HARMLESS = 1000;
const MAX_DEPTH = 200;
/** Longer texts are taken in pieces of this many characters. */
const WINDOW = 256 * 1024;
/** A secret that has not ended after so many characters is given up waiting for. */
const MAX_HELD = 4 * WINDOW;
/** More than any shape needs to show what it is. */
const SHAPE_CONTEXT = 1024;

const PROPERTY_RULE = 'secret_property';
const PLACEHOLDER = /\[REDACTED:([a-z0-9_]{1,40}):[0-9a-f]{8}:\d{1,9}\]/g;
const ONLY_SCHEME = /^(?:(?:Bearer|Basic|Token|Digest) )?$/;

/**
 * Replaces secrets by `[REDACTED:<rule>:<tag>:<length>]`. Equal secrets have equal tags within this process, whatever
 * their encoding, so that a reader can tell equal from different. Redacting twice changes nothing.
 */
export class Redactor {
  /** The tags depend on it: nobody can try secrets against them. */
  readonly #tagKey = randomBytes(32);
  readonly #secrets = new ExactSecrets<Replacement>();
  readonly #names = new Set([...SHAPE_RULES, PROPERTY_RULE]);
  readonly #counts = new Map<string, number>();
  /** Short texts without a secret: names of properties, words of a schema, which come with every event. */
  readonly #harmless = new Set<string>();
  /** Short names of properties without a secret, and whether they announce one. */
  readonly #properties = new Map<string, { readonly redacted: string; readonly isSecret: boolean }>();

  /** From now on every form of `secret` is replaced; of a URL also its secret parts alone. Throws RedactionError. */
  register(secret: string, name: string): void {
    const value = secret.trim();
    if (value.length < MIN_SECRET) {
      throw new RedactionError(
        'too_short',
        `The secret ${ruleName(name)} has ${value.length} characters. A secret needs at least ${MIN_SECRET}: shorter ones stand in ordinary text too.`,
      );
    }
    const rule = ruleName(name);
    this.#harmless.clear();
    this.#properties.clear();
    this.#names.add(rule);
    for (const part of [value, ...secretParts(value)]) this.#secrets.add(part, this.#replacement(rule, part));
  }

  redact(text: string): string {
    if (text.length > SHORT) return this.#redactLong(text);
    if (this.#harmless.has(text)) return text;
    const redacted = this.#redactLong(text);
    if (redacted === text) {
      if (this.#harmless.size >= MOST_HARMLESS) this.#harmless.clear();
      this.#harmless.add(text);
    }
    return redacted;
  }

  #redactLong(text: string): string {
    if (text.length <= WINDOW) return this.#replaced(text, this.#hits(text), text.length);
    const chunks = redactChunks(this);
    let out = '';
    for (let at = 0; at < text.length; at += WINDOW) out += chunks.push(text.slice(at, at + WINDOW));
    return out + chunks.end();
  }

  /**
   * Of a text that still grows (unless `complete`): what can no longer become part of a secret, redacted, and the rest,
   * to be handed in again with what follows.
   */
  redactSettled(text: string, complete: boolean): { readonly redacted: string; readonly rest: string } {
    let settled = text.length;
    if (!complete) settled -= SHAPE_CONTEXT + 2 * this.#secrets.longest;
    if (settled <= 0) return { redacted: '', rest: text };
    const hits = this.#hits(text);
    if (!complete) {
      settled = wordEnd(text, settled);
      settled = Math.min(settled, hits.find((hit) => hit.end > settled)?.from ?? settled);
      if (text.length - settled > MAX_HELD) settled = text.length;
    }
    return { redacted: this.#replaced(text, hits, settled), rest: text.slice(settled) };
  }

  /**
   * A deep copy of plain JSON data with every string redacted, property names included. All of a string is replaced
   * where its property's name says that it (or each of a list) is a secret. Throws RedactionError for data nested
   * deeper than 200.
   */
  redactJson<T>(value: T): T;
  redactJson(value: unknown): unknown {
    return this.#redactValue(value, false, 0);
  }

  get counts(): RedactionCount {
    const byRule = Object.fromEntries(this.#counts);
    return { total: [...this.#counts.values()].reduce((sum, count) => sum + count, 0), byRule };
  }

  #redactValue(value: unknown, secret: boolean, depth: number): unknown {
    if (depth > MAX_DEPTH) {
      throw new RedactionError('too_deep', `The data is nested deeper than ${MAX_DEPTH} levels, or contains itself.`);
    }
    if (typeof value === 'string') return secret ? this.#redactWhole(value) : this.redact(value);
    if (Array.isArray(value)) return value.map((item) => this.#redactValue(item, secret, depth + 1));
    if (typeof value !== 'object' || value === null) return value;
    const copy: Record<string, unknown> = {};
    for (const [name, item] of Object.entries(value)) {
      const { redacted, isSecret } = this.#property(name);
      const inner = this.#redactValue(item, isSecret, depth + 1);
      if (redacted === '__proto__') Object.defineProperty(copy, redacted, { ...OWN, value: inner });
      else copy[redacted] = inner;
    }
    return copy;
  }

  #property(name: string): { readonly redacted: string; readonly isSecret: boolean } {
    const known = this.#properties.get(name);
    if (known) return known;
    const property = { redacted: this.redact(name), isSecret: isSecretName(name) };
    // One that is replaced is counted each time.
    if (property.redacted === name && name.length <= SHORT) {
      if (this.#properties.size >= MOST_HARMLESS) this.#properties.clear();
      this.#properties.set(name, property);
    }
    return property;
  }

  #redactWhole(value: string): string {
    const hits = this.#hits(value);
    const [hit] = hits;
    if (value === '' || (hit?.end === value.length && ONLY_SCHEME.test(value.slice(0, hit.start)))) {
      return this.#replaced(value, hits, value.length);
    }
    this.#count(PROPERTY_RULE);
    return this.#replacement(PROPERTY_RULE, value).text;
  }

  #replaced(text: string, hits: readonly Hit[], end: number): string {
    let out = '';
    let at = 0;
    for (const hit of hits) {
      if (hit.start >= end) break;
      if (hit.replacement === null) continue;
      this.#count(hit.replacement.rule);
      out += text.slice(at, hit.start) + hit.replacement.text;
      at = hit.end;
    }
    return out + text.slice(at, end);
  }

  /**
   * All secrets in order. What stands between two of them (or between placeholders of an earlier redaction) was looked
   * at as if it stood alone; that makes a second redaction find nothing.
   */
  #hits(text: string): Hit[] {
    const hits: Hit[] = [];
    let at = 0;
    if (text.includes('[REDACTED:')) {
      for (const match of text.matchAll(PLACEHOLDER)) {
        // A made-up placeholder must not carry a secret out in its name.
        if (!this.#names.has(match[1] ?? '') && this.#secrets.find(match[0]).length > 0) continue;
        const end = match.index + match[0].length;
        this.#findExact(text, at, match.index, hits);
        hits.push({ from: match.index, start: match.index, end, replacement: null });
        at = end;
      }
    }
    this.#findExact(text, at, text.length, hits);
    return hits;
  }

  #findExact(text: string, from: number, to: number, hits: Hit[]): void {
    let at = from;
    for (const match of this.#secrets.find(text.slice(from, to))) {
      const start = from + match.start;
      this.#findShapes(text, at, start, hits);
      at = from + match.end;
      hits.push({ from: start, start, end: at, replacement: match.secret });
    }
    this.#findShapes(text, at, to, hits);
  }

  #findShapes(text: string, from: number, to: number, hits: Hit[]): void {
    let at = from;
    while (at < to) {
      const match = findShape(text.slice(at, to));
      if (match === null) return;
      const start = at + match.start;
      const end = at + match.end;
      this.#findShapes(text, at, start, hits);
      hits.push({
        from: at + match.from,
        start,
        end,
        replacement: this.#replacement(match.rule, text.slice(start, end)),
      });
      at = end;
    }
  }

  #replacement(rule: string, value: string): Replacement {
    const tag = createHmac('sha256', this.#tagKey).update(value).digest('hex').slice(0, 8);
    return { rule, text: `[REDACTED:${rule}:${tag}:${value.length}]` };
  }

  #count(rule: string): void {
    this.#counts.set(rule, (this.#counts.get(rule) ?? 0) + 1);
  }
}

/** Redacts a text that arrives in pieces, wherever it was cut. Holds back about 1 KB until `end`. */
export function redactChunks(redactor: Redactor): { push(chunk: string): string; end(): string } {
  let held = '';
  return {
    push(chunk) {
      const { redacted, rest } = redactor.redactSettled(held + chunk, false);
      held = rest;
      return redacted;
    },
    end() {
      const { redacted, rest } = redactor.redactSettled(held, true);
      held = rest;
      return redacted;
    },
  };
}

function ruleName(name: string): string {
  const words = name.toLowerCase().replace(/[^a-z0-9]+/g, '_');
  return words.replace(/^_+|_+$/g, '').slice(0, 40) || 'secret';
}

/** The parts of a URL that are secrets on their own: what a log line shows when it leaves the host out. */
function secretParts(secret: string): string[] {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(secret) || !URL.canParse(secret)) return [];
  const url = new URL(secret);
  const path = `${url.pathname}${url.search}`.slice(1);
  const pieces = [path, url.pathname.slice(1), ...url.pathname.split('/'), ...url.searchParams.values()];
  return [...pieces.filter((piece) => looksRandom(piece)), url.password].filter((piece) => piece.length >= MIN_SECRET);
}

/** The last place up to `at` that is no longer inside a word. A very long word is cut. */
function wordEnd(text: string, at: number): number {
  const first = Math.max(at - 256, 0);
  let end = at;
  while (end > first && !/[\s"',;]/.test(text.charAt(end - 1))) end--;
  return end > first || first === 0 ? end : at;
}
