import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { TranslatableError, type Words } from '../run/translate.ts';

/** Why a URL cannot name a server that a key may be sent to. */
export type OriginErrorReason =
  | 'invalid_url'
  | 'scheme_not_allowed'
  | 'insecure'
  | 'userinfo'
  | 'trailing_dot'
  | 'address_not_allowed'
  | 'invalid_mail_server';

/** A refused URL. The message names at most the host: the rest of a URL may hold a secret. */
export class OriginError extends TranslatableError {
  override readonly name = 'OriginError';
  readonly reason: OriginErrorReason;

  constructor(reason: OriginErrorReason, words: Words) {
    super(words);
    this.reason = reason;
  }
}

/** An exact origin. Two URLs reach the same server for us only if their `text` is equal. */
export interface Origin {
  /** Normalised: lower case, punycode, default port left out, e.g. `https://api.openai.com`. */
  readonly text: string;
  readonly scheme: 'http' | 'https' | 'smtp' | 'smtps';
  /** Name or IP address, an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

/**
 * The exact origin of `url`; its path, query and fragment are ignored.
 * Plain http is for this machine only, unless `allowPrivate` (the user named a server on the own network).
 * Throws OriginError.
 */
export function parseOrigin(url: string, { allowPrivate = false }: { allowPrivate?: boolean } = {}): Origin {
  if (!URL.canParse(url)) {
    throw new OriginError('invalid_url', (translated) =>
      translated(
        'The address is not a complete URL. Write it like https://api.openai.com/v1 or http://localhost:11434/v1.',
      ),
    );
  }
  const parsed = new URL(url);
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:') {
    throw new OriginError('scheme_not_allowed', (translated) =>
      translated('The address must start with https:// (or http:// on this machine).'),
    );
  }
  const scheme = parsed.protocol === 'https:' ? 'https' : 'http';
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  if (parsed.username !== '' || parsed.password !== '') {
    throw new OriginError('userinfo', (translated) =>
      translated('The address of {0} holds a user name or password. Remove it; keys are entered on their own.', host),
    );
  }
  // "host." and "host" are one server to DNS but two origins to us: one spelling only.
  if (host.endsWith('.')) {
    throw new OriginError('trailing_dot', (translated) =>
      translated('The host {0} ends in a dot. Remove the dot.', host),
    );
  }
  const port = parsed.port === '' ? (scheme === 'https' ? 443 : 80) : Number(parsed.port);
  const origin: Origin = { text: parsed.origin, scheme, host, port };

  if (scheme === 'http' && !isLoopback(host) && !(allowPrivate && !isPublicAddress(host))) {
    throw new OriginError('insecure', (translated) =>
      translated('Plain http to {0} would show the key to the network. Use https.', host),
    );
  }
  if (familyOf(host) !== null && !mayConnect(origin, host, allowPrivate)) {
    throw new OriginError('address_not_allowed', (translated) =>
      translated(
        '{0} is not a public address. If it is a server on your own network, name it in your user settings.',
        host,
      ),
    );
  }
  return origin;
}

/**
 * The exact origin of a mail server: `smtp://host` (port 587, TLS by STARTTLS) or `smtps://host` (port 465, TLS at once).
 * It may be on the own network: it has to prove its name all the same. Throws OriginError.
 */
export function parseMailServer(server: string): Origin {
  const [, named, place = ''] = /^(smtps?):\/\/([^/?#]+)\/?$/i.exec(server.trim()) ?? [];
  // The parser of URLs normalises the hosts of the web's schemes only.
  const web = `http://${place}`;
  if (named === undefined || !URL.canParse(web)) {
    throw new OriginError('invalid_mail_server', (translated) =>
      translated(
        'The mail server is not complete. Write it like smtp://mail.example.com:587 or smtps://mail.example.com.',
      ),
    );
  }
  const { host } = parseOrigin(web.replace('http:', 'https:'), { allowPrivate: true });
  const scheme = named.toLowerCase() === 'smtps' ? 'smtps' : 'smtp';
  const port = Number(/:(\d+)$/.exec(place)?.[1] ?? (scheme === 'smtps' ? 465 : 587));
  return { text: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`, scheme, host, port };
}

/**
 * Whether a connection for `origin` may go to the IP address `address`, a literal or an answer of DNS.
 * Keeps DNS rebinding out: a public name must not lead into the own network or to this machine, nor `localhost` out of it.
 */
export function mayConnect(origin: Origin, address: string, allowPrivate: boolean): boolean {
  const range = rangeOf(address);
  switch (range) {
    case 'loopback':
      return allowPrivate || isLoopback(origin.host);
    case 'private':
      return allowPrivate && !isLoopback(origin.host);
    case 'public':
      return origin.scheme !== 'http' && !isLoopback(origin.host);
    case 'unusable':
      return false;
    default:
      return range satisfies never;
  }
}

/** `localhost`, 127.0.0.0/8 or ::1 (with or without brackets). */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === 'localhost' || rangeOf(host.replace(/^\[|\]$/g, '')) === 'loopback';
}

/** Whether a server is asked without a key only by mistake: all but those on this machine, and those on the own network by plain http. */
export function needsKey(baseUrl: string): boolean {
  const { protocol, hostname } = new URL(baseUrl);
  return protocol === 'https:' && !isLoopback(hostname);
}

/** Whether `ip` is an address of the public internet; false for anything that is no IP address. */
export function isPublicAddress(ip: string): boolean {
  return rangeOf(ip) === 'public';
}

type AddressRange = 'loopback' | 'private' | 'public' | 'unusable';

const LOOPBACK_V4 = ['127.0.0.0/8'];
// Private, link-local (cloud metadata among them), carrier-grade NAT, and the range local proxies answer names with.
const PRIVATE_V4 = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
  '198.18.0.0/15',
];
// "This host", protocol assignments, documentation, 6to4 relay, multicast, reserved and broadcast.
const UNUSABLE_V4 = [
  '0.0.0.0/8',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
const NAT64 = '64:ff9b::'; // an IPv4 address behind a translator: what public names resolve to on IPv6-only networks

// A BlockList matches an IPv4 range for the IPv4-mapped form (::ffff:10.0.0.1) too.
// Made when they are first asked for: a run against this machine needs only the first.
const loopback = ranges(() => [...LOOPBACK_V4, '::1/128']);
const privateRanges = ranges(() => [...PRIVATE_V4, 'fc00::/7', 'fe80::/10']);
const unusable = ranges(() => [
  ...UNUSABLE_V4,
  ...behindNat64([...LOOPBACK_V4, ...PRIVATE_V4, ...UNUSABLE_V4]),
  '2001::/23', // protocol assignments, Teredo
  '2001:db8::/32',
  '2002::/16', // 6to4: leads to any IPv4 address
  '3fff::/20',
]);
const allocated = ranges(() => ['0.0.0.0/0', ...behindNat64(['0.0.0.0/0']), '2000::/3']);

function rangeOf(address: string): AddressRange {
  const family = familyOf(address);
  if (family === null) return 'unusable';
  if (loopback().check(address, family)) return 'loopback';
  if (privateRanges().check(address, family)) return 'private';
  if (unusable().check(address, family) || !allocated().check(address, family)) return 'unusable';
  return 'public';
}

/** Null for what is no IP address. The pattern of IPv6 takes 4 ms to compile: nothing without a colon is tried. */
function familyOf(address: string): 'ipv4' | 'ipv6' | null {
  if (!address.includes(':')) return isIPv4(address) ? 'ipv4' : null;
  return isIPv6(address) ? 'ipv6' : null;
}

function ranges(subnets: () => readonly string[]): () => BlockList {
  let list: BlockList | null = null;
  return () => {
    if (list !== null) return list;
    list = new BlockList();
    for (const subnet of subnets()) {
      const [address = '', bits] = subnet.split('/');
      list.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4');
    }
    return list;
  };
}

function behindNat64(subnets: readonly string[]): string[] {
  return subnets.map((subnet) => {
    const [address, bits] = subnet.split('/');
    return `${NAT64}${address}/${96 + Number(bits)}`;
  });
}

/** Why a text cannot be an API key. */
export type KeyErrorReason = 'empty' | 'forbidden_character' | 'wrong_length';

/** A refused API key. The message never quotes it. */
export class KeyError extends TranslatableError {
  override readonly name = 'KeyError';
  readonly reason: KeyErrorReason;

  constructor(reason: KeyErrorReason, words: Words) {
    super(words);
    this.reason = reason;
  }
}

/** The API key in `text`, trimmed: 8 to 512 printable ASCII characters without spaces. Throws KeyError. */
export function parseApiKey(text: string): string {
  const key = text.trim();
  if (key === '') throw new KeyError('empty', (translated) => translated('The API key is empty. Paste the whole key.'));
  if (!/^[\x21-\x7e]*$/.test(key)) {
    throw new KeyError('forbidden_character', (translated) =>
      translated(
        'The API key has a space, a line break or a non-ASCII character inside. Copy it again, the key alone.',
      ),
    );
  }
  if (key.length < 8 || key.length > 512) {
    throw new KeyError('wrong_length', (translated) =>
      translated('The API key has {0} characters; a key has 8 to 512. Copy it again.', key.length),
    );
  }
  return key;
}
