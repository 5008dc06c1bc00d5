import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';

/** When an extension host came to start its extensions. */
export interface HostStart {
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly processAt: number;
  readonly activatedAt: number;
}

/** Blocks the thread that all extensions of a window share for so many seconds. */
export const BLOCK_COMMAND = 'Probe: Block';

const MANIFEST = {
  name: 'probe',
  publisher: 'test',
  version: '1.0.0',
  engines: { vscode: '^1.101.0' },
  main: './main.js',
  extensionKind: ['workspace'],
  activationEvents: ['onStartupFinished'],
  capabilities: { untrustedWorkspaces: { supported: true } },
  contributes: { commands: [{ command: 'probe.block', title: BLOCK_COMMAND }] },
};

const MAIN = `
const { appendFileSync } = require('node:fs');
const vscode = require('vscode');
exports.activate = (context) => {
  const activatedAt = Date.now();
  const start = { pid: process.pid, processAt: activatedAt - process.uptime() * 1000, activatedAt };
  appendFileSync(process.env.PROBE_LOG, JSON.stringify(start) + '\\n');
  context.subscriptions.push(vscode.commands.registerCommand('probe.block', () => {
    const until = Date.now() + 1000 * Number(process.env.PROBE_BLOCK_SECONDS ?? 4);
    while (Date.now() < until);
  }));
};
`;

/**
 * An extension beside ours, as a VSIX: it notes in the file that the variable PROBE_LOG of its host names when the host
 * started its extensions, and blocks the host on demand. Returns the path of the VSIX.
 */
export async function makeProbeExtension(folder: string): Promise<string> {
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(JSON.stringify(MANIFEST)), 'extension/package.json');
  zip.addBuffer(Buffer.from(MAIN), 'extension/main.js');
  zip.end();
  const file = path.join(folder, 'probe.vsix');
  await pipeline(zip.outputStream, createWriteStream(file));
  return file;
}

/** What the probe noted so far. */
export function hostStarts(log: string): HostStart[] {
  if (!existsSync(log)) return [];
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as HostStart);
}
