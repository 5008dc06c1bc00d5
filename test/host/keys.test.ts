import assert from 'node:assert/strict';
import type * as vscode from 'vscode';
import { EventEmitter } from 'vscode';
import { Redactor } from '../../src/safety/redaction.ts';
import { Keys } from '../../src/vscode/keys.ts';
import { memoryMemento } from '../support/memento.ts';
import { describe, it } from './suite.ts';

const KEY = 'sk-test-0123456789abcdefghijklmnop';

/** A test has no extension context, so no SecretStorage of its own; this one holds, or hangs. */
function secretStorage(hangs = false): vscode.SecretStorage {
  const values = new Map<string, string>();
  const changed = new EventEmitter<vscode.SecretStorageChangeEvent>();
  return {
    keys: () => Promise.resolve([...values.keys()]),
    get: (key: string) => (hangs ? new Promise<undefined>(() => {}) : Promise.resolve(values.get(key))),
    store: (key: string, value: string) => {
      values.set(key, value);
      changed.fire({ key });
      return Promise.resolve();
    },
    delete: (key: string) => {
      values.delete(key);
      changed.fire({ key });
      return Promise.resolve();
    },
    onDidChange: changed.event,
  } as vscode.SecretStorage;
}

describe('keys', () => {
  it('are bound to the origin that they were entered for', async () => {
    const secrets = secretStorage();
    const keys = new Keys(secrets, memoryMemento(), new Redactor());
    await keys.setKey('https://one.example', KEY);
    assert.equal(await keys.keyFor('https://one.example'), KEY);
    assert.equal(await keys.keyFor('https://two.example'), null);
    assert.equal(await secrets.get('babyagi.key:https://one.example'), KEY);
    assert.deepEqual(keys.origins(), ['https://one.example']);
  });

  it('are redacted from the moment they are set or read', async () => {
    const secrets = secretStorage();
    const setter = new Redactor();
    await new Keys(secrets, memoryMemento(), setter).setKey('https://one.example', KEY);
    assert.equal(setter.redact(`key ${KEY}`).includes(KEY), false);
    await secrets.store('babyagi.webhook', 'https://hooks.example/services/T0/B0/abcdefghij0123456789');
    const reader = new Redactor();
    assert.notEqual(await new Keys(secrets, memoryMemento(), reader).webhook(), null);
    assert.equal(
      reader.redact('to https://hooks.example/services/T0/B0/abcdefghij0123456789').includes('abcdefghij'),
      false,
    );
  });

  it('are forgotten when another window removes them', async () => {
    const secrets = secretStorage();
    const keys = new Keys(secrets, memoryMemento(), new Redactor());
    const watching = keys.watch();
    await keys.setKey('https://one.example', KEY);
    await keys.keyFor('https://one.example');
    await secrets.delete('babyagi.key:https://one.example');
    assert.equal(await keys.keyFor('https://one.example'), null);
    watching.dispose();
  });

  it('are missing where the keyring does not answer', async () => {
    const keys = new Keys(secretStorage(true), memoryMemento(), new Redactor());
    assert.equal(await keys.keyFor('https://one.example'), null);
  });
});
