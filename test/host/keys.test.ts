import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { extensions, version, window } from 'vscode';
import type { Outcome } from '../../src/engine/host.ts';
import { startRun } from '../../src/engine/start.ts';
import { checkSettings } from '../../src/run/settings.ts';
import { thisProcess } from '../../src/runlog/machine.ts';
import { Redactor } from '../../src/safety/redaction.ts';
import { Keys } from '../../src/vscode/keys.ts';
import { Output } from '../../src/vscode/output.ts';
import { hostFor } from '../../src/vscode/run-world.ts';
import { readSettings } from '../../src/vscode/settings.ts';
import { memoryMemento } from '../support/memento.ts';
import { memorySecrets } from '../support/memory-secrets.ts';
import { describe, it } from './suite.ts';

const KEY = 'sk-test-0123456789abcdefghijklmnop';

/** A run as this window would start it, against a server that cannot be reached. */
async function runWith(keys: Keys, redactor: Redactor, folder: string): Promise<Outcome> {
  const extension = extensions.all.find(({ id }) => id.endsWith('.babyagi-vscode'));
  assert.ok(extension);
  const channel = window.createOutputChannel('keys', { log: true });
  const world = {
    redactor,
    keys,
    output: new Output(channel, redactor),
    identity: thisProcess,
    ledgerDirectory: path.join(folder, 'keys'),
    inboxDirectory: path.join(folder, 'inbox'),
    distDirectory: path.join(extension.extensionPath, 'dist'),
    extensionVersion: '0.0.0',
    vscodeVersion: version,
  };
  const baseUrl = 'https://one.example/v1';
  const configured = readSettings((name) => (name === 'maxKeyUsdPerDay' ? { globalValue: 1 } : undefined));
  const { host, gate } = await hostFor(world, configured, { baseUrl, workspace: folder });
  // A request would end the run for another reason.
  gate.close();
  const checked = checkSettings({ objective: 'Wait', max_iterations: 1, max_cost_usd: 1, model: 'gpt-4o', baseUrl });
  assert.ok('settings' in checked);
  const session = await startRun(
    checked.settings,
    {
      runsDirectory: path.join(folder, 'runs'),
      provider: 'openai',
      prices: { overrides: [{ model: '*', input: 1, output: 1 }], freeOrigins: [] },
      promptOverrides: new Map(),
      snapshot: {},
    },
    host,
  );
  try {
    return await session.done;
  } finally {
    channel.dispose();
  }
}

describe('keys', () => {
  it('are bound to the origin that they were entered for', async () => {
    const secrets = memorySecrets();
    const keys = new Keys(secrets, memoryMemento(), new Redactor());
    await keys.setKey('https://one.example', KEY);
    assert.equal(await keys.keyFor('https://one.example'), KEY);
    assert.equal(await keys.keyFor('https://two.example'), null);
    assert.equal(await secrets.get('babyagi.key:https://one.example'), KEY);
    assert.deepEqual(keys.origins(), ['https://one.example']);
  });

  it('are redacted from the moment they are set or read', async () => {
    const secrets = memorySecrets();
    const setter = new Redactor();
    await new Keys(secrets, memoryMemento(), setter).setKey('https://one.example', KEY);
    assert.equal(setter.redact(`key ${KEY}`).includes(KEY), false);
    await secrets.store('babyagi.webhook', 'https://hooks.example/services/T0/B0/abcdefghij0123456789');
    const reader = new Redactor();
    assert.notEqual(await new Keys(secrets, memoryMemento(), reader).noticeSecret('slack_url'), null);
    assert.equal(
      reader.redact('to https://hooks.example/services/T0/B0/abcdefghij0123456789').includes('abcdefghij'),
      false,
    );
  });

  it('are forgotten when another window removes them', async () => {
    const secrets = memorySecrets();
    const keys = new Keys(secrets, memoryMemento(), new Redactor());
    const watching = keys.watch();
    await keys.setKey('https://one.example', KEY);
    await keys.keyFor('https://one.example');
    await secrets.delete('babyagi.key:https://one.example');
    assert.equal(await keys.keyFor('https://one.example'), null);
    watching.dispose();
  });

  it('are missing where the keyring does not answer', async () => {
    const keys = new Keys(memorySecrets(true), memoryMemento(), new Redactor());
    assert.equal(await keys.keyFor('https://one.example'), null);
  });

  for (const keyring of ['hangs', 'lost the key', 'fails'] as const) {
    it(`let a run wait that is under way while the keyring ${keyring}, and nothing is sent`, async () => {
      const secrets = memorySecrets(keyring === 'hangs');
      if (keyring === 'fails') secrets.get = () => Promise.reject(new Error('the keyring is locked'));
      const redactor = new Redactor();
      const keys = new Keys(secrets, memoryMemento(), redactor, 100);
      const folder = mkdtempSync(path.join(tmpdir(), 'babyagi-keys-'));
      const { stopReason, detail, costUsd } = await runWith(keys, redactor, folder);
      rmSync(folder, { recursive: true });
      assert.equal(stopReason, 'waiting_for_key', detail);
      assert.match(detail, /^There is no API key for https:\/\/one\.example: set it, then resume\.$/);
      assert.equal(costUsd, 0);
    });
  }
});
