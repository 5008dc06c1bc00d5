import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface WebhookServer {
  /** The secret address. */
  readonly url: string;
  /** The texts that arrived, oldest first. */
  readonly texts: readonly string[];
  close(): Promise<void>;
}

/** A Slack-compatible webhook on this machine. `path` is what makes its address a secret. */
export async function startWebhookServer(path: string): Promise<WebhookServer> {
  const texts: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const isIt = request.method === 'POST' && request.url === path;
      if (isIt) texts.push((JSON.parse(Buffer.concat(chunks).toString('utf8')) as { text: string }).text);
      response.writeHead(isIt ? 200 : 404).end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${path}`,
    texts,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
