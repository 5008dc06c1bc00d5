import { steadyServer } from './fault-run.ts';

/* The steady server as a process of its own. Prints its port; its bill goes to the file that is its argument. */
const [ledgerFile = ''] = process.argv.slice(2);
const server = await steadyServer({ ledgerFile, latency: { firstTokenMs: 10, embeddingsMs: 5 } });
process.stdout.write(`${new URL(server.url).port}\n`);
process.once('disconnect', () => process.exit());
