import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RunState } from '../run/state.ts';
import { type Translate, TranslatableError } from '../run/translate.ts';
import { isLoopback } from '../safety/origin.ts';
import { CONTENT_TYPE, exposition } from './exposition.ts';
import { metricsOf } from './metrics.ts';

export const METRICS_PATH = '/metrics';
const HERE = '127.0.0.1';
/** Whoever asks has this long for it; a scraper needs one connection. */
const PATIENCE_MS = 5000;
const MOST_CONNECTIONS = 16;

/** The port cannot be listened on. */
export class EndpointError extends TranslatableError {
  readonly reason: 'port_taken' | 'port_refused';
  constructor(reason: EndpointError['reason'], port: number, code: string) {
    super((translated: Translate) =>
      reason === 'port_taken'
        ? translated('The port {0} for metrics is in use: choose another one.', port)
        : translated('The port {0} for metrics cannot be used ({1}): choose another one.', port, code),
    );
    this.name = 'EndpointError';
    this.reason = reason;
  }
}

export interface Endpoint {
  readonly port: number;
  close(): void;
}

/**
 * Serves the metrics of `states` to this machine. It takes nothing in: it reads states and answers. Throws EndpointError.
 * `port` 0: any.
 */
export async function serveMetrics(port: number, states: () => readonly RunState[]): Promise<Endpoint> {
  const server = createServer({ headersTimeout: PATIENCE_MS, requestTimeout: PATIENCE_MS }, (request, response) =>
    answer(request, response, states),
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.maxRequestsPerSocket = 100;
  server.setTimeout(2 * PATIENCE_MS, (socket) => socket.destroy());
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(new EndpointError(taken ? 'port_taken' : 'port_refused', port, error.code ?? error.message));
    });
    server.listen({ port, host: HERE }, resolve);
  });
  server.on('error', () => {});
  // It holds nobody up.
  server.unref();
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, states: () => readonly RunState[]): void {
  request.resume();
  const say = (status: number, text: string, headers: Record<string, string> = {}) =>
    response
      .writeHead(status, {
        'content-type': 'text/plain; charset=utf-8',
        'content-length': Buffer.byteLength(text),
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        ...headers,
      })
      .end(request.method === 'HEAD' ? undefined : text);
  // A page in a browser may have a name of its own lead here; it cannot choose what the browser says it asked for.
  if (!isThisMachine(request.headers.host))
    return void say(403, 'Ask by the name localhost or the address 127.0.0.1.\n');
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return void say(405, 'Only GET.\n', { allow: 'GET, HEAD' });
  if (request.url?.split('?')[0] !== METRICS_PATH) return void say(404, `The metrics are at ${METRICS_PATH}.\n`);
  let text: string;
  try {
    text = exposition(metricsOf(states()));
  } catch {
    // The run is worth more than its figures.
    return void say(500, 'The metrics cannot be made.\n');
  }
  say(200, text, { 'content-type': CONTENT_TYPE });
}

function isThisMachine(host: string | undefined): boolean {
  const url = `http://${host}`;
  if (host === undefined || !/^[\w.:[\]-]+$/.test(host) || !URL.canParse(url)) return false;
  return isLoopback(new URL(url).hostname);
}
