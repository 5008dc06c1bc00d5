import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface WebhookRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface WebhookServer {
  readonly origin: string;
  /** The secret address. */
  readonly url: string;
  /** All that arrived at the address or below it, oldest first. */
  readonly requests: readonly WebhookRequest[];
  /** The texts among them, as Slack takes them. */
  readonly texts: readonly string[];
  close(): Promise<void>;
}

/**
 * A webhook on this machine, which answers 200 unless `answer` does something else. `path` is what makes its address a
 * secret.
 */
export async function startWebhookServer(
  path: string,
  answer: (response: ServerResponse, count: number) => void = (response) => response.end('ok'),
): Promise<WebhookServer> {
  const requests: WebhookRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url = '', headers } = request;
      if (method !== 'POST' || !url.startsWith(path)) return void response.writeHead(404).end();
      requests.push({ path: url, headers, body: Buffer.concat(chunks).toString('utf8') });
      answer(response, requests.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    url: `${origin}${path}`,
    requests,
    get texts() {
      return requests.map(({ body }) => (JSON.parse(body) as { text: string }).text);
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
