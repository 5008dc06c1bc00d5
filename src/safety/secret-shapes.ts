import { KEY_KINDS, SECRET_WORDS } from './secret-names.ts';

/**
 * Secrets known by their shape alone. All shapes are one regular expression, so that a text is read once, and in time
 * linear in its length: every quantifier is bounded or runs over one character class, and no character is read again by
 * the same shape more than a bounded number of times.
 */
interface Shape {
  readonly rule: string;
  /** Stays in the text, like a header's or parameter's name. */
  readonly prefix?: string;
  readonly value: string;
  /** How many characters of `value` are secret; 0 where the match is ordinary text. Default: all. */
  readonly accept?: (value: string, prefix: string) => number;
}

/** A secret: characters from `start` to `end` of the text. What gives it away (a parameter's name) begins at `from`. */
export interface ShapeMatch {
  readonly rule: string;
  readonly from: number;
  readonly start: number;
  readonly end: number;
}

// The character before a token may also be the end of an escape sequence: "\nsk-…" in JSON, "%20sk-…", a colour code.
const WORD_START = '(?:^|[^A-Za-z0-9_-]|\\\\[bfnrtv]|\\\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2}|\\x1b\\[[0-9;]{0,8}m)';
const SLASH = '(?:\\\\{0,3}/|%2[Ff])';
const QUOTE = '["\'`]';
// Between the lines of a key: a line break, as such or escaped, or what joins string literals in code. Never what
// separates two strings of JSON, so that a redacted line of JSON stays JSON.
const PEM_GAP = `(?:\\s|\\\\{1,4}[nrt]|\\\\{0,3}${QUOTE}\\s{0,40}\\+\\s{0,40}\\\\{0,3}${QUOTE})+`;
const MAX_VALUE = 128;
const VALUE_CHARACTER = '[^\\s"\'`\\\\<>]';

/** A literal at the start of a word, and what must follow. Several may be one shape: each shape costs time everywhere. The literal comes first because engines look for it fast. */
const token = (literal: string, rest: string): string => `${literal}(?<=${WORD_START}${literal})${rest}`;

/** Letters in either case; most shapes depend on the case, so there is no flag for it. */
const anyCase = (words: string): string => words.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);

/** name=value, name: value, "name":"value", name%3Dvalue */
const named = (name: string): string =>
  `${name}(?:\\\\{0,3}${QUOTE})?\\s{0,4}(?:=>|:=|[:=]|%3[ADad])\\s{0,4}(?:\\\\{0,3}${QUOTE})?`;
const PLAIN_VALUE = `${VALUE_CHARACTER}{6,${MAX_VALUE}}`;

/** Any of the words. Those that begin alike share their beginning, so that few are tried for each character. */
function oneOf(words: readonly string[]): string {
  const letters = [...new Set(words.map((word) => word.charAt(0)))];
  const rests = (letter: string) => words.flatMap((word) => (word.startsWith(letter) ? [word.slice(1)] : []));
  const some = (ends: readonly string[]): string =>
    ends.length === 1 ? (ends[0] ?? '') : ends.includes('') ? `${oneOf(ends.filter(Boolean))}?` : oneOf(ends);
  return `(?:${letters.map((letter) => letter + some(rests(letter))).join('|')})`;
}

const SECRET_NAME = anyCase(`(?:${oneOf(SECRET_WORDS)}|${oneOf(KEY_KINDS)}[_-]?key)`);

const SHAPES: readonly Shape[] = [
  { rule: 'anthropic_key', value: token('sk-ant-', '[\\w-]{16,}') },
  { rule: 'openrouter_key', value: token('sk-or-', '[\\w-]{16,}') },
  { rule: 'langfuse_key', value: token('sk-lf-', '[\\w-]{16,}') },
  // OpenAI and those like it, Stripe, Fireworks.
  { rule: 'api_key', value: token('(?:sk-|[rs]k_(?:live|test)_|fw_)', '[\\w-]{16,}'), accept: acceptRandom },
  { rule: 'slack_token', value: token('x(?:ox[a-z]|app)-', '[A-Za-z0-9-]{10,}') },
  { rule: 'aws_key', value: token('A(?:KI|SI)A', '[A-Z0-9]{16}(?![A-Za-z0-9])') },
  { rule: 'github_token', value: token('g(?:h[opsur]|ithub_pat)_', '\\w{22,}') },
  { rule: 'gitlab_token', value: token('glpat-', '[\\w-]{20,}') },
  { rule: 'google_key', value: token('AIza', '[\\w-]{35,}') },
  { rule: 'huggingface_token', value: token('hf_', '[A-Za-z0-9]{30,}') },
  { rule: 'npm_token', value: token('npm_', '[A-Za-z0-9]{36,}') },
  { rule: 'sendgrid_key', value: token('SG\\.', '[\\w-]{16,32}\\.[\\w-]{32,64}') },
  // Groq, xAI, Perplexity, Replicate, Nvidia, Together, Cerebras, DigitalOcean, Google, webhooks.
  {
    rule: 'api_key',
    value: token('(?:gsk_|xai-|pplx-|r8_|nvapi-|tgp_v1_|csk-|do[opr]_v1_|ya29\\.|whsec_)', '[\\w-]{32,}'),
  },
  { rule: 'jwt', value: token('eyJ', '[\\w-]{8,}\\.eyJ[\\w-]{8,}(?:\\.[\\w-]*)?') },
  {
    rule: 'slack_webhook',
    prefix: `hooks\\.slack\\.com${SLASH}`,
    value: `[a-z]{4,12}${SLASH}(?:[\\w+-]|${SLASH}){16,128}`,
  },
  {
    rule: 'discord_webhook',
    prefix: `discord(?:app)?\\.com${SLASH}api${SLASH}(?:v\\d{1,2}${SLASH})?webhooks${SLASH}`,
    value: `\\d{5,24}${SLASH}[\\w-]{16,}`,
  },
  {
    rule: 'private_key',
    value:
      '-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----' +
      `(?:${PEM_GAP}[A-Za-z-]{4,20}: [^\\n\\r\\\\"]{0,120}){0,4}(?:${PEM_GAP}[A-Za-z0-9+/=]{24,})+` +
      // The end may be missing: a torn key is a secret too.
      `(?:(?:${PEM_GAP}[A-Za-z0-9+/=]{1,23})?${PEM_GAP}-----END [A-Z0-9 ]{0,50}-----)?`,
  },
  {
    rule: 'authorization',
    prefix: `${named(anyCase('authorization'))}(?:[A-Za-z][A-Za-z0-9-]{3,20}\\s{1,4})?`,
    value: PLAIN_VALUE,
    accept: (text, prefix) => credentialLength(text, prefix, 'named'),
  },
  {
    rule: 'bearer_token',
    prefix: `${anyCase('bearer')}(?:\\s{1,4}|%20|\\+)`,
    value: '[\\w.~+/=-]{16,}',
    accept: (text) => (looksRandom(text) ? text.length : 0),
  },
  {
    rule: 'basic_credentials',
    prefix: `${anyCase('basic')}(?:\\s{1,4}|%20|\\+)`,
    value: '[A-Za-z0-9+/]{8,}={0,2}',
    accept: (text) => (isUserAndPassword(text) ? text.length : 0),
  },
  {
    rule: 'url_userinfo',
    prefix: ':\\\\{0,3}/\\\\{0,3}/',
    value: `[^\\s/?#"'\`\\\\<>]{1,512}(?=@)`,
    accept: (text) => (isUserinfo(text) ? text.length : 0),
  },
  {
    rule: 'pagerduty_key',
    prefix: '[Pp]ager_?[Dd]uty[^\\n]{0,60}?(?<![A-Za-z0-9])',
    value: '[A-Za-z0-9]{32}(?![A-Za-z0-9])',
    accept: (text) => (looksRandom(text) ? text.length : 0),
  },
  {
    rule: 'secret_parameter',
    prefix: named(SECRET_NAME),
    value: PLAIN_VALUE,
    accept: (text, prefix) => credentialLength(text, prefix, 'named'),
  },
  {
    rule: 'secret_parameter',
    prefix: named(`(?<![A-Za-z0-9])(?:${anyCase('key')}|sig)`),
    value: PLAIN_VALUE,
    accept: (text, prefix) => credentialLength(text, prefix, 'key'),
  },
];

const COMBINED = new RegExp(SHAPES.map((shape) => `(${shape.prefix ?? ''})${shape.value}`).join('|'), 'g');
const REST_OF_VALUE = new RegExp(`${VALUE_CHARACTER}*`, 'y');

/** The names of all shape rules. */
export const SHAPE_RULES: ReadonlySet<string> = new Set(SHAPES.map((shape) => shape.rule));

/** The first secret of `text` that its shape gives away. */
export function findShape(text: string): ShapeMatch | null {
  COMBINED.lastIndex = 0;
  for (let match = COMBINED.exec(text); match !== null; match = COMBINED.exec(text)) {
    const groups: readonly (string | undefined)[] = match;
    const group = groups.findIndex((part, index) => index > 0 && part !== undefined);
    const shape = SHAPES[group - 1];
    const prefix = match[group] ?? '';
    if (shape === undefined) return null;
    const start = match.index + prefix.length;
    const found = match[0].slice(prefix.length);
    const length = shape.accept === undefined ? found.length : shape.accept(found, prefix);
    if (length > 0) {
      let end = start + length;
      if (length === MAX_VALUE && shape.value === PLAIN_VALUE) {
        REST_OF_VALUE.lastIndex = end;
        end += REST_OF_VALUE.exec(text)?.[0].length ?? 0;
      }
      return { rule: shape.rule, from: match.index, start, end };
    }
    // What was ordinary after this name may be a secret for another shape; a rejected token is behind us as a whole.
    COMBINED.lastIndex = prefix === '' ? start + found.length : start;
  }
  return null;
}

/** How many characters of a named parameter's value are a credential rather than code, prose or a placeholder. */
function credentialLength(text: string, prefix: string, kind: 'named' | 'key'): number {
  const quoted = /["'`]$/.test(prefix);
  const stop = quoted ? -1 : text.search(/[&;,(){}[\]|]/);
  // Called, indexed, interpolated: code, not a value.
  if (stop !== -1 && /[({[]/.test(text.charAt(stop))) return 0;
  const credential = quoted ? text : (stop === -1 ? text : text.slice(0, stop)).replace(/[.:!?]$/, '');
  if (/^(?:[$*%{.]|x{4,})/i.test(credential)) return 0;
  // After `name = ` or `name: ` an expression or a word of prose may follow.
  const loose = !quoted && /\s/.test(prefix);
  if (loose && /^[$A-Z_a-z][$\w]*(?:\.[$A-Z_a-z][$\w]*)+$/.test(credential)) return 0;
  // A plain "key" is more often the key of a map: there, digests and UUIDs are no secrets.
  if (kind === 'key') return looksRandom(credential, true) ? credential.length : 0;
  if (loose) return looksRandom(credential) && /\d.*\d/.test(credential) ? credential.length : 0;
  return credential.length >= 6 && /\d/.test(credential) && /[A-Za-z]/.test(credential) ? credential.length : 0;
}

/**
 * Long, with a run of letters and digits that changes between capitals, small letters and digits as no word, identifier,
 * version or path does. With `beyondHex` the run must be more than hexadecimal digits.
 */
export function looksRandom(text: string, beyondHex = false): boolean {
  if (text.length < 16) return false;
  let start = 0;
  let changes = 0;
  let digits = 0;
  let beyond = 0;
  let previous = OTHER;
  for (let i = 0; i <= text.length; i++) {
    const code = text.charCodeAt(i); // NaN at the end, which is of no kind
    const kind = kindOf(code);
    if (kind === OTHER) {
      const length = i - start;
      const mixed = digits > 0 && digits < length && changes >= length / 4;
      if (length >= 12 && mixed && (beyond > 0 || !beyondHex)) return true;
      start = i + 1;
      changes = digits = beyond = 0;
    } else {
      if (kind !== previous && previous !== OTHER) changes++;
      if (kind === DIGIT) digits++;
      else if ((code | 0x20) > 0x66) beyond++;
    }
    previous = kind;
  }
  return false;
}

const OTHER = 0;
const DIGIT = 1;
const UPPER = 2;
const LOWER = 3;

function kindOf(code: number): number {
  if (code >= 0x61 && code <= 0x7a) return LOWER;
  if (code >= 0x30 && code <= 0x39) return DIGIT;
  return code >= 0x41 && code <= 0x5a ? UPPER : OTHER;
}

/** All of it where what follows the prefix is more than words: "sk-learn-docs-v2" is no key. */
function acceptRandom(text: string): number {
  const pieces = text.match(/[A-Za-z0-9]{10,}/g);
  return pieces?.some((piece) => /\d/.test(piece) && /[A-Za-z]/.test(piece)) ? text.length : 0;
}

function isUserAndPassword(base64: string): boolean {
  return /^[\x20-\x7e]*:[\x20-\x7e]+$/.test(Buffer.from(base64, 'base64').toString('latin1'));
}

function isUserinfo(text: string): boolean {
  const colon = text.indexOf(':');
  if (colon === -1) return looksRandom(text);
  return !/^(?:[$*%{<].*|x{3,}|pass(?:word|wd)?|pwd|secret|token)?$/i.test(text.slice(colon + 1));
}
