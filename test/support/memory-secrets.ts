import * as vscode from 'vscode';

/** A test has no extension context, so no SecretStorage of its own; this one holds, or hangs. */
export function memorySecrets(hangs = false): vscode.SecretStorage {
  const values = new Map<string, string>();
  const changed = new vscode.EventEmitter<vscode.SecretStorageChangeEvent>();
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
