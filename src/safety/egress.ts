import dns from 'node:dns';
import { setMaxListeners } from 'node:events';
// Default imports, called as `https.request(…)`: VS Code patches these module objects with the user's proxy and certificates.
import http from 'node:http';
import type https from 'node:https';
import net, { type LookupFunction, type Socket, type TcpSocketConnectOpts } from 'node:net';
import zlib from 'node:zlib';
import { isLoopback, mayConnect, type Origin, OriginError, parseMailServer, parseOrigin } from './origin.ts';

/** One HTTP request. */
export interface EgressRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  /** Headers about the connection, framing, encoding and cookies are the gate's own and refused here. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** For all of it: name look-up, connection, headers and body. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** A whole answer with any status but 3xx, of at most 20 MiB. */
export interface EgressResponse {
  readonly status: number;
  /** Lower-case names; never `set-cookie`. */
  readonly headers: Record<string, string>;
  /** Decompressed. */
  readonly body: Uint8Array;
}

/** What kept a request from being answered. */
export type EgressErrorReason =
  | 'origin_not_allowed'
  | 'redirect_refused'
  | 'dns_failed'
  | 'address_refused'
  | 'connect_failed'
  | 'tls_failed'
  | 'timeout'
  | 'aborted'
  /** The connection ended before an answer began; the server may have acted on the request. */
  | 'reset'
  /** An answer began but is not whole: cut off, not valid HTTP, or its compression is broken or unknown. */
  | 'truncated'
  | 'too_large'
  | 'bad_header';

const EXPLANATIONS: Record<EgressErrorReason, string> = {
  origin_not_allowed: 'may not be contacted. Allow it in your user settings if you trust it',
  redirect_refused:
    'answered with a redirect. Redirects are not followed, as they can carry a key elsewhere; set the final address',
  dns_failed: 'has a name that could not be resolved. Check the name and the network connection',
  address_refused:
    'resolves to an address that does not fit its name. Check the network, or allow it as a private server',
  connect_failed: 'could not be reached. Check that the server runs and the network is up',
  tls_failed: 'could not prove its identity or speak TLS. Check its certificate and the clock of this machine',
  timeout: 'did not answer in time',
  aborted: 'was not waited for: the request was aborted',
  reset: 'closed the connection without an answer; it may have received the request',
  truncated: 'sent an answer that is not whole',
  too_large: 'sent an answer larger than allowed',
  bad_header: 'was not contacted: a header cannot be sent',
};

/** A request without an answer. The message names the origin, never a header value, a body or a path. */
export class EgressError extends Error {
  override readonly name = 'EgressError';
  readonly reason: EgressErrorReason;
  /** True when provably no byte of the request left this machine, so that nobody can have billed it. */
  readonly neverSent: boolean;

  constructor(reason: EgressErrorReason, neverSent: boolean, where: string, detail?: string) {
    super(`${where} ${EXPLANATIONS[reason]}${detail === undefined ? '' : ` (${detail})`}.`);
    this.reason = reason;
    this.neverSent = neverSent;
  }
}

/** Resolves a name to all its addresses; `dns.lookup` is one. */
export type LookupAll = (
  hostname: string,
  options: dns.LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: dns.LookupAddress[]) => void,
) => void;

export interface EgressOptions {
  /** Origins (or URLs, of which the origin counts) that may be contacted. */
  readonly allowedOrigins: Iterable<string>;
  /** Further allowed origins, which may have private addresses and use plain http on them. */
  readonly privateOrigins?: Iterable<string>;
  /** Refuse everything but this machine, whatever is allowed. */
  readonly localOnly?: boolean;
  readonly lookup?: LookupAll;
}

// An idle socket that the server closes just as we write to it makes a reset of unknown outcome, and common servers
// close after 2 s. A new connection costs less than that.
const IDLE_SOCKET_MS = 1_500;
// For each address of a name. The default of 250 ms gives up on slow links.
const FAMILY_TIMEOUT_MS = 2_000;
// Longer delays overflow the timer and fire at once.
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Of a body, as received and as decompressed. */
const MAX_RESPONSE_BYTES = 20 * 1024 * 1024;

const OWN_HEADERS = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'cookie',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

// We ask for none, but some servers compress all the same, and such an answer is paid for.
const DECOMPRESSORS = new Map([
  ['gzip', zlib.gunzip],
  ['x-gzip', zlib.gunzip],
  ['deflate', zlib.inflate],
  ['br', zlib.brotliDecompress],
]);

/** How far a request came; bytes of it leave this machine from `sent` on. */
type Stage = 'connecting' | 'securing' | 'sent' | 'answered';

/**
 * The only place that opens a connection: exact allowed origins, one HTTP request per call, no retry, no redirect, no
 * cookie; and connections to mail servers, on which others speak. Behind a proxy of the user the proxy resolves names, so
 * that only the checks of names hold there.
 */
export class Egress {
  readonly #allowed = new Map<string, { readonly allowPrivate: boolean }>();
  /** By URL: a run asks the same two or three all night. */
  readonly #origins = new Map<string, Origin>();
  readonly #running = new Set<() => void>();
  readonly #localOnly: boolean;
  readonly #lookup: LookupAll;
  readonly #httpAgent: http.Agent;
  readonly #agentOptions: https.AgentOptions = { keepAlive: true, scheduling: 'lifo', timeout: IDLE_SOCKET_MS };
  // TLS is loaded with the first request that needs it: it is the slowest of Node's modules.
  #secure: { module: typeof https; agent: https.Agent } | null = null;
  #closed = false;

  /** Throws OriginError for an origin that can never be allowed. */
  constructor(options: EgressOptions) {
    this.#localOnly = options.localOnly ?? false;
    this.#lookup = options.lookup ?? ((hostname, all, callback) => dns.lookup(hostname, all, callback));
    this.#httpAgent = new http.Agent(this.#agentOptions);
    for (const origin of options.allowedOrigins) this.allow(origin);
    for (const origin of options.privateOrigins ?? []) this.allow(origin, { allowPrivate: true });
  }

  /** Allows the origin of `url`; the last call for an origin decides on `allowPrivate`. Throws OriginError. */
  allow(url: string, { allowPrivate = false }: { allowPrivate?: boolean } = {}): void {
    this.#allowed.set(parseOrigin(url, { allowPrivate }).text, { allowPrivate });
  }

  /** Allows a mail server, of which only the name and the port count. Throws OriginError. */
  allowMailServer(server: string): void {
    this.#allowed.set(parseMailServer(server).text, { allowPrivate: true });
  }

  /** Sends exactly one HTTP request and gives the whole answer, whatever its status but 3xx. Throws EgressError. */
  async request(request: EgressRequest): Promise<EgressResponse> {
    const { origin, allowPrivate } = this.#admit(() => this.#originOf(request.url));
    checkHeaders(origin, request.headers);
    if (this.#closed || request.signal?.aborted) throw new EgressError('aborted', true, origin.text);

    const secure = origin.scheme === 'https' ? await this.#tls() : null;
    return this.#exchange(origin, request, this.#checkedLookup(origin, allowPrivate), secure);
  }

  /**
   * A connection to an allowed mail server, with verified TLS at once where its scheme is `smtps`; whoever gets it has to see to
   * STARTTLS where it is `smtp`, and to end it. Throws EgressError.
   */
  async connect(
    server: string,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Socket> {
    const { origin, allowPrivate } = this.#admit(() => parseMailServer(server));
    const tls = origin.scheme === 'smtps' ? (await import('node:tls')).default : null;
    if (this.#closed || signal?.aborted) throw new EgressError('aborted', true, origin.text);
    const options = {
      host: origin.host,
      port: origin.port,
      lookup: this.#checkedLookup(origin, allowPrivate),
      autoSelectFamilyAttemptTimeout: FAMILY_TIMEOUT_MS,
    };
    return new Promise((resolve, reject) => {
      let stage: Stage = 'connecting';
      const socket =
        tls === null
          ? net.connect(options)
          : tls.connect({
              ...options,
              // An address is no name to ask for.
              ...(net.isIP(origin.host) === 0 && { servername: origin.host }),
              rejectUnauthorized: true,
            });
      const end = () => socket.destroy();
      this.#running.add(end);
      socket.once('close', () => this.#running.delete(end));

      const settle = (error: EgressError | null) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        socket.off('error', failed).off('close', closed);
        // Who speaks on it listens too; an error that nobody listens to would end the process.
        socket.on('error', () => {});
        if (error === null) return resolve(socket);
        socket.destroy();
        reject(error);
      };
      const fail = (reason: EgressErrorReason, detail?: string) =>
        settle(new EgressError(reason, true, origin.text, detail));
      const failed = (error: Error) => (error instanceof EgressError ? settle(error) : fail(...classify(stage, error)));
      const closed = () => fail(this.#closed ? 'aborted' : stage === 'securing' ? 'tls_failed' : 'connect_failed');
      const abort = () => fail('aborted');
      const timer = setTimeout(() => fail('timeout', `${timeoutMs} ms`), Math.min(timeoutMs, MAX_TIMER_MS));
      signal?.addEventListener('abort', abort, { once: true });
      socket.on('error', failed).on('close', closed);
      socket.once('connect', () => (tls === null ? settle(null) : (stage = 'securing')));
      socket.once('secureConnect', () => settle(null));
    });
  }

  /** Aborts what is running and closes all connections; later requests are refused as aborted. */
  close(): void {
    this.#closed = true;
    for (const abort of [...this.#running]) abort();
    this.#httpAgent.destroy();
    this.#secure?.agent.destroy();
  }

  async #tls(): Promise<{ module: typeof https; agent: https.Agent }> {
    const { default: module } = await import('node:https');
    this.#secure ??= { module, agent: new module.Agent(this.#agentOptions) };
    return this.#secure;
  }

  #originOf(url: string): Origin {
    const origin = this.#origins.get(url) ?? parseOrigin(url, { allowPrivate: true });
    this.#origins.set(url, origin);
    return origin;
  }

  #admit(parse: () => Origin): { origin: Origin; allowPrivate: boolean } {
    let origin: Origin;
    try {
      origin = parse();
    } catch (error) {
      if (!(error instanceof OriginError)) throw error;
      throw new EgressError('origin_not_allowed', true, 'The server', error.message);
    }
    const entry = this.#allowed.get(origin.text);
    if (entry === undefined) throw new EgressError('origin_not_allowed', true, origin.text);
    if (this.#localOnly && !isLoopback(origin.host)) {
      throw new EgressError('origin_not_allowed', true, origin.text, 'only servers on this machine are allowed now');
    }
    return { origin, allowPrivate: entry.allowPrivate };
  }

  /** Resolves once, refuses the name if any of its addresses does not fit it, and hands on the addresses it checked. */
  #checkedLookup(origin: Origin, allowPrivate: boolean): LookupFunction {
    return (hostname, options, callback) => {
      this.#lookup(hostname, { ...options, all: true }, (error, addresses) => {
        const refuse = (reason: EgressErrorReason, detail?: string) =>
          callback(new EgressError(reason, true, origin.text, detail), '');
        if (error) return refuse('dns_failed', error.code);
        const [first] = addresses;
        if (first === undefined) return refuse('dns_failed', 'no address');
        const misfit = addresses.find(({ address }) => !mayConnect(origin, address, allowPrivate));
        if (misfit !== undefined) refuse('address_refused', misfit.address);
        else if (options.all) callback(null, addresses);
        else callback(null, first.address, first.family);
      });
    };
  }

  #exchange(
    origin: Origin,
    request: EgressRequest,
    lookup: LookupFunction,
    secure: { module: typeof https; agent: https.Agent } | null,
  ): Promise<EgressResponse> {
    const { pathname, search } = new URL(request.url);
    const timeoutMs = Math.min(request.timeoutMs, MAX_TIMER_MS);
    const options: https.RequestOptions & Pick<TcpSocketConnectOpts, 'autoSelectFamilyAttemptTimeout'> = {
      hostname: origin.host,
      port: origin.port,
      path: pathname + search,
      method: request.method,
      headers: {
        ...request.headers,
        'accept-encoding': 'identity',
        ...(request.method === 'POST' ? { 'content-length': request.body?.byteLength ?? 0 } : {}),
      },
      agent: secure?.agent ?? this.#httpAgent,
      // On the request and not on the agent: with proxy support on, VS Code uses an agent of its own.
      lookup,
      rejectUnauthorized: true, // whatever NODE_TLS_REJECT_UNAUTHORIZED says
      autoSelectFamilyAttemptTimeout: FAMILY_TIMEOUT_MS,
    };

    return new Promise((resolve, reject) => {
      const outgoing = secure ? secure.module.request(options) : http.request(options);
      let stage: Stage = 'connecting';

      const neverSent = () => stage === 'connecting' || stage === 'securing';
      const fail = (reason: EgressErrorReason, detail?: string) =>
        settle(new EgressError(reason, neverSent(), origin.text, detail));
      const abort = () => fail('aborted');
      const timer = setTimeout(() => fail('timeout', `${request.timeoutMs} ms`), timeoutMs);
      let settled = false;
      const settle = (outcome: EgressError | EgressResponse) => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        request.signal?.removeEventListener('abort', abort);
        this.#running.delete(abort);
        if (outcome instanceof EgressError) {
          reject(outcome);
          outgoing.destroy();
        } else resolve(outcome);
      };
      if (request.signal !== undefined) setMaxListeners(0, request.signal); // one signal may stop many parallel requests
      request.signal?.addEventListener('abort', abort, { once: true });
      this.#running.add(abort);

      outgoing.on('socket', (socket) => {
        // Node holds the request back until the socket is connected and, with TLS, the server is verified.
        if (!socket.connecting && !isSecuring(socket)) stage = 'sent';
        else if (!secure) socket.once('connect', () => (stage = 'sent'));
        else {
          if (!socket.connecting) stage = 'securing';
          else socket.once('connect', () => (stage = 'securing'));
          socket.once('secureConnect', () => (stage = 'sent'));
        }
      });
      outgoing.on('error', (error) => {
        if (error instanceof EgressError) settle(error);
        else fail(...classify(stage, error));
      });
      outgoing.on('close', () => {
        if (stage !== 'answered') fail('reset'); // Node ends a protocol switch without an error
      });
      outgoing.on('response', (incoming) => {
        stage = 'answered';
        incoming.on('error', (error) => fail(...classify('answered', error)));
        const status = incoming.statusCode ?? 0;
        if (status >= 300 && status < 400) return fail('redirect_refused', `status ${status}`);
        const tooLarge = () => fail('too_large', `more than ${MAX_RESPONSE_BYTES} bytes`);
        if (Number(incoming.headers['content-length']) > MAX_RESPONSE_BYTES) return tooLarge();

        const chunks: Buffer[] = [];
        let size = 0;
        incoming.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_RESPONSE_BYTES) tooLarge();
          else chunks.push(chunk);
        });
        incoming.on('end', () => {
          const { 'content-encoding': declared = 'identity', ...rest } = incoming.headers;
          const encoding = declared.toLowerCase();
          const headers: Record<string, string> = {};
          for (const [name, value] of Object.entries(rest)) if (typeof value === 'string') headers[name] = value;
          const received = Buffer.concat(chunks);
          if (encoding === 'identity' || size === 0) return settle({ status, headers, body: received });

          const decompress = DECOMPRESSORS.get(encoding);
          if (decompress === undefined) return fail('truncated', 'unknown content-encoding');
          decompress(received, { maxOutputLength: MAX_RESPONSE_BYTES }, (error: NodeJS.ErrnoException | null, body) => {
            if (error === null) settle({ status, headers, body });
            else if (error.code === 'ERR_BUFFER_TOO_LARGE') tooLarge();
            else fail('truncated', error.code);
          });
        });
      });
      // The look-up ran already: what it aborted fired no event here.
      if (this.#closed || request.signal?.aborted) abort();
      else outgoing.end(request.body);
    });
  }
}

function checkHeaders(origin: Origin, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    const refuse = (why: string) => new EgressError('bad_header', true, origin.text, why);
    try {
      http.validateHeaderName(name);
    } catch {
      throw refuse('a header name is not valid');
    }
    if (OWN_HEADERS.has(name.toLowerCase())) throw refuse(`${name} cannot be set by a caller`);
    try {
      http.validateHeaderValue(name, value);
    } catch {
      throw refuse(`the value of ${name} holds a line break or another character that is not allowed`);
    }
  }
}

/** Whether TLS on `socket` is still being set up; a proxy hands over sockets that are connected but not secured. */
function isSecuring(socket: Socket): boolean {
  return 'secureConnecting' in socket && socket.secureConnecting === true;
}

function classify(stage: Stage, error: NodeJS.ErrnoException): [reason: EgressErrorReason, detail: string | undefined] {
  const { code } = error;
  switch (stage) {
    case 'connecting':
      return ['connect_failed', code];
    case 'securing':
      return ['tls_failed', code];
    case 'sent':
      // HPE_… are errors of the HTTP parser: something came back.
      if (code?.startsWith('HPE_')) return [code === 'HPE_HEADER_OVERFLOW' ? 'too_large' : 'truncated', code];
      return ['reset', code];
    case 'answered':
      return ['truncated', code];
    default:
      return stage satisfies never;
  }
}
