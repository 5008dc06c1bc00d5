import { type Translate, TranslatableError, type Words, wordsOf } from '../run/translate.ts';
import { OriginError, parseOrigin } from '../safety/origin.ts';
import { isSecretName } from '../safety/secret-names.ts';

/** Where spans go to. */
export interface Collector {
  readonly url: string;
  readonly origin: string;
  /** Whether it may be on the own network. */
  readonly allowPrivate: boolean;
  /** Secrets, mostly. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What is given cannot be used. The message quotes neither the address nor a header. */
export class CollectorError extends TranslatableError {
  readonly reason: 'endpoint' | 'headers';
  constructor(reason: CollectorError['reason'], words: Words) {
    super(words);
    this.name = 'CollectorError';
    this.reason = reason;
  }
}

const PATH = '/v1/traces';

/** `endpoint`: what the collector's addresses begin with, as OTEL_EXPORTER_OTLP_ENDPOINT has it. Throws CollectorError. */
export function collectorOf(endpoint: string, headers: string | null, allowPrivate: boolean): Collector {
  const origin = originOf(endpoint, allowPrivate);
  const url = new URL(endpoint);
  const base = url.pathname.replace(/\/+$/, '');
  // Some give all of it.
  url.pathname = base.endsWith(PATH) ? base : `${base}${PATH}`;
  url.hash = '';
  return { url: url.href, origin, allowPrivate, headers: headersOf(headers ?? '') };
}

/** Throws CollectorError. */
export function originOf(endpoint: string, allowPrivate: boolean): string {
  try {
    return parseOrigin(endpoint, { allowPrivate }).text;
  } catch (error) {
    if (!(error instanceof OriginError)) throw error;
    throw new CollectorError('endpoint', (translated: Translate) =>
      error.reason === 'invalid_url'
        ? translated('The endpoint for traces is not a complete URL. Write it like {0}.', 'http://localhost:4318')
        : translated('The endpoint for traces cannot be used: {0}', wordsOf(error, translated)),
    );
  }
}

const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
const VALUE = /^[\x20-\x7e]+$/;

/** `name=value`, with commas between, as OTEL_EXPORTER_OTLP_HEADERS has it. Throws CollectorError. */
export function headersOf(given: string): Record<string, string> {
  return Object.fromEntries(
    pairsOf(given).map(([name, value]) => {
      const decoded = decodedOf(value);
      if (!NAME.test(name) || decoded === null || !VALUE.test(decoded)) {
        // No example of a login: that would be replaced like one.
        throw new CollectorError('headers', (translated: Translate) =>
          translated(
            'The headers for traces are not valid: write them like {0}, with commas between and {1} for a space.',
            'name=value',
            '%20',
          ),
        );
      }
      return [name.toLowerCase(), decoded];
    }),
  );
}

/** A tenant's name is an ordinary word, which must not vanish from all texts. */
const LONGER_THAN_WORDS = 16;
/** Shorter ones stand in ordinary text, too. */
const LEAST_SECRET = 6;

/** What of headers is to be replaced wherever it appears: all as given, values as given and as sent, and what follows a scheme. */
export function secretsIn(given: string): string[] {
  const values = pairsOf(given)
    .filter(([name, value]) => isSecretName(name) || value.length >= LONGER_THAN_WORDS)
    .flatMap(([, value]) => [value, decodedOf(value) ?? '']);
  const parts = values.map((value) => value.slice(value.lastIndexOf(' ') + 1));
  return [...new Set([given.trim(), ...values, ...parts])].filter((secret) => secret.length >= LEAST_SECRET);
}

function pairsOf(given: string): [name: string, value: string][] {
  return given
    .split(',')
    .filter((pair) => pair.trim() !== '')
    .map((pair) => {
      const at = pair.indexOf('=');
      return at === -1 ? [pair.trim(), ''] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    });
}

function decodedOf(value: string): string | null {
  try {
    return decodeURIComponent(value);
  } catch {
    return null;
  }
}
