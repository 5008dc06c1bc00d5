/** A registered secret in a text: characters from `start` to `end`. */
export interface ExactMatch<Secret> {
  readonly start: number;
  readonly end: number;
  readonly secret: Secret;
}

interface Needle<Secret> {
  readonly text: string;
  readonly secret: Secret;
}

const GRAM = 3;
const BUCKETS = 1 << 15;

/**
 * Known secrets, found in all their encodings, and also where a line break was put into them. One pass over the text:
 * a hash of the last three characters says where it is worth comparing.
 */
export class ExactSecrets<Secret> {
  readonly #seen = new Uint8Array(BUCKETS);
  readonly #needles = new Map<number, Needle<Secret>[]>();
  readonly #texts = new Set<string>();
  #longest = 0;

  /** Characters of the longest form. */
  get longest(): number {
    return this.#longest;
  }

  add(value: string, secret: Secret): void {
    for (const form of formsOf(value)) {
      const text = form.replace(/[\r\n][\r\n \t]*/g, '');
      if (text.length < GRAM * 2 || this.#texts.has(text)) continue;
      this.#texts.add(text);
      this.#longest = Math.max(this.#longest, text.length);
      let hash = 0;
      for (let i = 0; i < GRAM; i++) hash = ((hash << 5) ^ text.charCodeAt(i)) & (BUCKETS - 1);
      this.#seen[hash] = 1;
      const needles = [...(this.#needles.get(hash) ?? []), { text, secret }];
      this.#needles.set(
        hash,
        needles.sort((a, b) => b.text.length - a.text.length),
      );
    }
  }

  /** All places in order. Secrets that overlap are one match, named after the longest of those that begin first. */
  find(text: string): ExactMatch<Secret>[] {
    const matches: ExactMatch<Secret>[] = [];
    if (this.#texts.size === 0) return matches;
    let hash = 0;
    let last = 0; // where the last three characters that count began
    let beforeLast = 0;
    let folding = false;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === 10 || code === 13) {
        folding = true;
        continue;
      }
      if (folding && (code === 32 || code === 9)) continue;
      folding = false;
      hash = ((hash << 5) ^ code) & (BUCKETS - 1);
      if (this.#seen[hash] === 1) {
        const match = this.#compare(text, beforeLast, hash);
        const previous = matches.at(-1);
        if (match !== null && previous !== undefined && match.start < previous.end) {
          matches[matches.length - 1] = { ...previous, end: Math.max(previous.end, match.end) };
        } else if (match !== null) {
          matches.push(match);
        }
      }
      beforeLast = last;
      last = i;
    }
    return matches;
  }

  #compare(text: string, start: number, hash: number): ExactMatch<Secret> | null {
    for (const { text: needle, secret } of this.#needles.get(hash) ?? []) {
      const end = endOf(needle, text, start);
      if (end !== -1) return { start, end, secret };
    }
    return null;
  }
}

/** A line break with the indentation behind it; also one that became two characters in JSON or code. */
const FOLD = /(?:[\r\n][\r\n \t]*|\\{1,4}[nr][ \t]*)+/y;

/** Behind `needle` where `text` has it at `start`, line breaks left aside; else -1. */
function endOf(needle: string, text: string, start: number): number {
  let at = start;
  for (let i = 0; i < needle.length; i++, at++) {
    if (text.charCodeAt(at) === needle.charCodeAt(i)) continue;
    // The backslash of a break may have been taken for one of the secret.
    for (; needle.charAt(i - 1) === '\\'; i--) at--;
    FOLD.lastIndex = at;
    if (i === 0 || !FOLD.test(text)) return -1;
    at = FOLD.lastIndex;
    if (text.charCodeAt(at) !== needle.charCodeAt(i)) return -1;
  }
  return at;
}

/** The secret as it may stand in JSON, URLs, HTML, base64 (at any place of a longer text, once or twice), hex, or backwards. */
function formsOf(secret: string): Set<string> {
  const bytes = Buffer.from(secret, 'utf8');
  const little = Buffer.from(secret, 'utf16le');
  const wide = [little, Buffer.from(little).swap16()];
  const plain = [
    secret,
    ...jsonForms(secret),
    ...urlForms(bytes),
    ...htmlForms(secret),
    ...escapedForms(secret, bytes),
    [...secret].reverse().join(''),
  ];
  const once = base64Forms(bytes);
  const base64 = [
    ...once.flatMap((form) => [form, ...urlForms(Buffer.from(form))]),
    ...[...once, bytes.toString('base64')].flatMap((form) => base64Forms(Buffer.from(form))),
    ...wide.flatMap(base64Forms),
  ];
  const hex = [bytes, ...wide].flatMap((each) => hexForms(each));
  return new Set([...plain, ...base64, ...hex].flatMap((form) => [form, form.replaceAll('/', '\\/')]));
}

/** Every character as an escape: of JSON and JavaScript, of many languages, of HTML. */
function escapedForms(text: string, bytes: Uint8Array): string[] {
  const characters = [...text].map((character) => character.codePointAt(0) ?? 0);
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
  const inCase = (cased: (digits: string) => string) => {
    const hex = (code: number, digits: number) => cased(code.toString(16).padStart(digits, '0'));
    const escapes = (mark: string) => [
      units.map((code) => `${mark}u${hex(code, 4)}`).join(''),
      Array.from(bytes, (byte) => `${mark}x${hex(byte, 2)}`).join(''),
    ];
    return [...['\\', '\\\\'].flatMap(escapes), characters.map((code) => `&#x${hex(code, 0)};`).join('')];
  };
  return [
    characters.map((code) => `&#${code};`).join(''),
    ...inCase((digits) => digits),
    ...inCase((digits) => digits.toUpperCase()),
  ];
}

/** Digits in pairs, as dumps show them. */
function hexForms(bytes: Uint8Array): string[] {
  const pairs = [...bytes].map((byte) => byte.toString(16).padStart(2, '0'));
  return ['', ' ', ':'].map((between) => pairs.join(between)).flatMap((form) => [form, form.toUpperCase()]);
}

function jsonForms(text: string): string[] {
  const quoted = (value: string): string => JSON.stringify(value).slice(1, -1);
  const ascii = (value: string, upper: boolean): string =>
    value.replace(/[^\x20-\x7e]/g, (character) => {
      const code = character.charCodeAt(0).toString(16).padStart(4, '0');
      return `\\u${upper ? code.toUpperCase() : code}`;
    });
  const once = [quoted(text), ascii(quoted(text), false), ascii(quoted(text), true)];
  return [...once, ...once.map(quoted)];
}

function urlForms(bytes: Uint8Array): string[] {
  const encode = (kept: RegExp): string =>
    Array.from(bytes, (byte) => {
      const character = String.fromCharCode(byte);
      return kept.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    }).join('');
  // As strict as RFC 3986, as encodeURIComponent, as encodeURI, and every byte.
  const strict = [/[\w.~-]/, /[\w.~!*'()-]/, /[\w.~!*'();/?:@&=+$,#-]/, /[^\s\S]/].map(encode);
  return strict
    .flatMap((form) => [form, form.replaceAll('%20', '+')])
    .flatMap((form) => [form, form.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())]);
}

function htmlForms(text: string): string[] {
  const markup = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const attribute = markup.replaceAll('"', '&quot;');
  return [markup, attribute, ...['&#39;', '&#x27;', '&apos;'].map((quote) => attribute.replaceAll("'", quote))];
}

/** What base64 shows of the bytes whatever stands around them: their place in the groups of three decides the letters. */
function base64Forms(bytes: Uint8Array): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const shifted = Buffer.concat([Buffer.alloc(offset), bytes]);
    const cut = (text: string): string => text.slice(Math.ceil((offset * 8) / 6), Math.floor((shifted.length * 8) / 6));
    return [cut(shifted.toString('base64')), cut(shifted.toString('base64url'))];
  });
}
