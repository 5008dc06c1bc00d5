import type { ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import type { Span } from '../../src/telemetry/otlp.ts';
import { decodedSpans } from './otlp.ts';
import { startWebhookServer, type WebhookServer } from './webhook-server.ts';

export interface CollectorServer extends Omit<WebhookServer, 'texts'> {
  /** Of all requests, oldest first; each request is checked to be what OpenTelemetry understands. */
  readonly spans: readonly Span[];
}

/** Takes spans as a collector does, unless `answer` does something else. */
export function taken(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"partialSuccess":{}}');
}

/** A collector on this machine, which ends with the test. */
export async function startCollector(
  t: TestContext,
  answer: (response: ServerResponse, count: number) => void = taken,
): Promise<CollectorServer> {
  const server = await startWebhookServer('/v1/traces', answer);
  t.after(() => server.close());
  return {
    origin: server.origin,
    url: server.origin,
    requests: server.requests,
    get spans() {
      return server.requests.flatMap(({ body }) => decodedSpans(body));
    },
    close: () => server.close(),
  };
}
