import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resumeRun } from '../../../src/engine/resume.ts';
import { startRun } from '../../../src/engine/start.ts';
import { Egress } from '../../../src/safety/egress.ts';
import { Redactor } from '../../../src/safety/redaction.ts';
import { Keys } from '../../../src/vscode/keys.ts';
import { brain } from '../../support/brain.ts';
import { startModelServer } from '../../support/model-server.ts';
import { temporaryFolder, TEST_KEY, testHost, testSettings, testStart } from '../../support/run-host.ts';

const ORIGIN = 'https://models.example';

/** Leads requests for a server that needs a key to one on this machine. */
class Detour extends Egress {
  private readonly to: string;
  constructor(to: string) {
    super({ allowedOrigins: [to] });
    this.to = to;
  }
  override request(request: Parameters<Egress['request']>[0]): ReturnType<Egress['request']> {
    return super.request({ ...request, url: request.url.replace(ORIGIN, this.to) });
  }
}

type Get = (values: ReadonlyMap<string, string>, key: string) => Promise<string | undefined>;

function keysWith(behaviour: { get: Get }): Keys {
  const values = new Map<string, string>();
  const known = new Map<string, unknown>();
  const secrets = {
    keys: () => Promise.resolve([...values.keys()]),
    get: (key: string) => behaviour.get(values, key),
    store: (key: string, value: string) => Promise.resolve(void values.set(key, value)),
    delete: (key: string) => Promise.resolve(void values.delete(key)),
    onDidChange: () => ({ dispose: () => {} }),
  };
  const memento = {
    keys: () => [...known.keys()],
    get: <T>(key: string, fallback?: T) => (known.get(key) as T | undefined) ?? fallback,
    update: (key: string, value: unknown) => Promise.resolve(void known.set(key, value)),
  };
  return new Keys(secrets, memento, new Redactor(), 20);
}

const KEYRINGS: Record<string, Get> = {
  'is empty': () => Promise.resolve(undefined),
  'does not answer': () => new Promise(() => {}),
  fails: () => Promise.reject(new Error('Canceled')),
  throws: () => {
    throw new Error('no keyring');
  },
};

describe('a run whose key cannot be read', () => {
  for (const [name, get] of Object.entries(KEYRINGS)) {
    it(`waits for the key where the keyring ${name}, and goes on when it is set`, async (t) => {
      const server = await startModelServer({ reply: brain(), key: TEST_KEY });
      const egress = new Detour(server.url);
      t.after(async () => {
        egress.close();
        await server.close();
      });
      const behaviour = { get };
      const keys = keysWith(behaviour);
      const host = testHost(server.url, { egress, keyFor: (origin) => keys.keyFor(origin) });
      const settings = testSettings(`${ORIGIN}/v1`, { max_iterations: 1 });
      const session = await startRun(settings, testStart(temporaryFolder()), host);
      const waiting = await session.done;
      assert.equal(waiting.stopReason, 'waiting_for_key');
      assert.equal(server.requests.length, 0);
      assert.equal(waiting.costUsd, 0);
      await keys.setKey(ORIGIN, TEST_KEY);
      behaviour.get = (values, key) => Promise.resolve(values.get(key));
      const resumed = await resumeRun(waiting.runDirectory, { raise: {}, byPerson: true }, host);
      assert.equal((await resumed.done).stopReason, 'max_iterations');
      assert.ok(server.bill.length > 0);
    });
  }
});

describe('headers for traces', () => {
  it('are bound to the origin that they were entered for, and can be removed', async () => {
    const keys = keysWith({ get: (values, key) => Promise.resolve(values.get(key)) });
    await keys.setTraceHeaders(ORIGIN, 'authorization=Bearer%20letmein99');
    assert.equal(await keys.traceHeaders(ORIGIN), 'authorization=Bearer%20letmein99');
    assert.equal(await keys.traceHeaders('https://other.example'), null);
    await keys.setTraceHeaders(ORIGIN, null);
    assert.equal(await keys.traceHeaders(ORIGIN), null);
  });
});
