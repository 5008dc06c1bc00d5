import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import { startRun } from '../../src/engine/start.ts';
import { thisProcess } from '../../src/runlog/machine.ts';
import { Redactor } from '../../src/safety/redaction.ts';
import { SECTION } from '../../src/vscode/ids.ts';
import { Keys } from '../../src/vscode/keys.ts';
import { Output } from '../../src/vscode/output.ts';
import { hostFor, ServerRefused } from '../../src/vscode/run-world.ts';
import { settingsOf } from '../../src/vscode/workspace.ts';
import { memoryMemento } from '../support/memento.ts';
import { memorySecrets } from '../support/memory-secrets.ts';
import { testSettings, testStart } from '../support/run-host.ts';
import { startWebhookServer } from '../support/webhook-server.ts';
import { describe, it } from './suite.ts';

const SECRET = 'cGstbGYtMTIzNDU2Nzg6c2stbGYtODc2NTQzMjE';
const SETTING = 'otlpEndpoint';

describe('the setting for traces', () => {
  it('leads the spans of a run to its collector, with the headers that were entered for it alone', async () => {
    const extension = vscode.extensions.all.find(({ id }) => id.endsWith('.babyagi-vscode'));
    assert.ok(extension);
    const folder = mkdtempSync(path.join(tmpdir(), 'babyagi-traces-'));
    const redactor = new Redactor();
    const keys = new Keys(memorySecrets(), memoryMemento(), redactor);
    const channel = vscode.window.createOutputChannel('traces', { log: true });
    const world = {
      redactor,
      keys,
      output: new Output(channel, redactor),
      identity: thisProcess,
      ledgerDirectory: path.join(folder, 'keys'),
      inboxDirectory: path.join(folder, 'inbox'),
      distDirectory: path.join(extension.extensionPath, 'dist'),
      extensionVersion: '0.0.0',
      vscodeVersion: vscode.version,
    };
    const where = { baseUrl: null, workspace: folder };
    const set = (value: string | undefined) =>
      vscode.workspace.getConfiguration(SECTION).update(SETTING, value, vscode.ConfigurationTarget.Global);
    const servers = await Promise.all(
      [1, 2].map(() => startWebhookServer('/v1/traces', (response) => response.end('{}'))),
    );
    const [first, second] = servers;
    assert.ok(first && second);
    await keys.setTraceHeaders(first.origin, `authorization=Basic%20${SECRET}`);
    try {
      for (const { origin } of servers) {
        await set(origin);
        const { host, gate, newExporter } = await hostFor(world, settingsOf(), where);
        const exporter = newExporter?.();
        const settings = testSettings('https://api.openai.com/v1', { objective: `Learn ${SECRET}`, max_iterations: 1 });
        const runs = path.join(folder, 'runs');
        const session = await startRun(settings, testStart(runs, { provider: 'rehearsal' }), host);
        exporter?.follow(session);
        const { runDirectory } = await session.done;
        await exporter?.close();
        gate.close();
        const summary = readFileSync(path.join(runDirectory, 'summary.json'), 'utf8');
        assert.ok(summary.includes(origin) && !summary.includes(SECRET));
      }
      const sent = servers.map(({ requests }) => requests.map(({ headers }) => headers.authorization));
      assert.deepEqual(sent, [[`Basic ${SECRET}`], [undefined]]);
      const names = [...(first.requests[0]?.body ?? '').matchAll(/"name":"(\w+)/g)].map(([, name]) => name);
      assert.ok(
        names.includes('chat') && names.includes('iteration') && names.includes('invoke_workflow'),
        names.join(),
      );
      await set('https://collector.example');
      const local = await hostFor(world, { ...settingsOf(), localOnly: true }, where);
      local.gate.close();
      assert.equal(local.newExporter, null);
      await set('somewhere');
      await assert.rejects(hostFor(world, settingsOf(), where), (error) => {
        assert.ok(error instanceof ServerRefused && error.reason === 'traces');
        return true;
      });
      await set(undefined);
      const { gate, newExporter } = await hostFor(world, settingsOf(), where);
      gate.close();
      assert.equal(newExporter, null);
    } finally {
      await set(undefined);
      await Promise.all(servers.map((server) => server.close()));
      channel.dispose();
      rmSync(folder, { recursive: true });
    }
  });
});
