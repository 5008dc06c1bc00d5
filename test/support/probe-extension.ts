import { existsSync, readFileSync } from 'node:fs';
import { vsixOf } from './vsix.ts';

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
  engines: { vscode: '^1.101.0' },
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
export function makeProbeExtension(folder: string): Promise<string> {
  return vsixOf(folder, MANIFEST, MAIN);
}

/** What the probe noted so far. */
export function hostStarts(log: string): HostStart[] {
  if (!existsSync(log)) return [];
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as HostStart);
}
