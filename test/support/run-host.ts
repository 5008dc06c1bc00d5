import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host, StartOptions } from '../../src/engine/host.ts';
import type { Channel } from '../../src/notify/channel.ts';
import { systemClock } from '../../src/run/clock.ts';
import { checkSettings, type RawSettings, type RunSettings } from '../../src/run/settings.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { processTable, thisProcess } from '../../src/runlog/machine.ts';
import { Egress } from '../../src/safety/egress.ts';
import { Redactor } from '../../src/safety/redaction.ts';

export const TEST_KEY = 'sk-test-0123456789abcdefghijklmnop';

/** A host on this machine for tests: real disk, real clock, real gate to the given server. */
export function testHost(baseUrl: string, overrides: Partial<Host> = {}): Host {
  const redactor = new Redactor();
  redactor.register(TEST_KEY, 'api_key');
  return {
    clock: systemClock,
    random: () => 0.5,
    disk: nodeDisk,
    identity: thisProcess(),
    processes: processTable,
    egress: new Egress({ allowedOrigins: [baseUrl] }),
    redactor,
    channels: [] as Channel[],
    keyFor: () => Promise.resolve(TEST_KEY),
    distDirectory: 'dist',
    environment: () =>
      Promise.resolve({
        extension_version: '0.0.0',
        vscode_version: null,
        node_version: process.version,
        platform: 'test',
        packages: {},
        git: null,
      }),
    workspace: { list: () => Promise.resolve([]), read: () => Promise.resolve(null) },
    attended: false,
    trace: () => {},
    ...overrides,
  };
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'babyagi-test-'));
}

/** Settings for a run against a test server; limits are generous unless given. */
export function testSettings(baseUrl: string, raw: RawSettings = {}): RunSettings {
  const checked = checkSettings({
    objective: 'Plan a small garden',
    max_iterations: 10,
    max_cost_usd: 1,
    model: 'gpt-4o',
    baseUrl,
    ...raw,
  });
  if ('problems' in checked) throw new Error(checked.problems.join('\n'));
  return checked.settings;
}

export function testStart(runsDirectory: string, overrides: Partial<StartOptions> = {}): StartOptions {
  return {
    runsDirectory,
    provider: 'openai',
    prices: { overrides: [], freeOrigins: [] },
    promptOverrides: new Map(),
    snapshot: {},
    ...overrides,
  };
}
