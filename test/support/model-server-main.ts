import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { Fault } from './model-faults.ts';
import { startModelServer, type ModelServerOptions } from './model-server.ts';

/*
 * The model server as a process of its own; prints its port and runs until a signal or, if it was started with an IPC
 * channel, until its parent is gone.
 * --port N --key KEY --ledger FILE --reply TEXT --first-token-ms N --per-token-ms N --embeddings-ms N
 * --faults JSON    array of faults (or null), one for each request in order
 * --options FILE   ES module whose export `options` holds any other options of the server
 */
const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    port: text,
    key: text,
    ledger: text,
    reply: text,
    'first-token-ms': text,
    'per-token-ms': text,
    'embeddings-ms': text,
    faults: text,
    options: text,
  },
});

const faults = JSON.parse(values.faults ?? '[]') as Array<Fault | null>;
const { reply = 'ok' } = values;
const module =
  values.options && ((await import(pathToFileURL(values.options).href)) as { options: ModelServerOptions });
const server = await startModelServer({
  port: Number(values.port ?? 0),
  reply: () => reply,
  fault: (_request, index) => faults[index] ?? null,
  latency: {
    firstTokenMs: Number(values['first-token-ms'] ?? 0),
    perTokenMs: Number(values['per-token-ms'] ?? 0),
    embeddingsMs: Number(values['embeddings-ms'] ?? 0),
  },
  ...(values.key === undefined ? {} : { key: values.key }),
  ...(values.ledger === undefined ? {} : { ledgerFile: values.ledger }),
  ...(module ? module.options : {}),
});
process.stdout.write(`${new URL(server.url).port}\n`);

async function stop(): Promise<void> {
  await server.close();
  process.exit();
}
for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.once(event, () => void stop());
