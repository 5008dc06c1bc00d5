import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import net from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { fold } from '../../../src/run/fold.ts';
import type { RunState } from '../../../src/run/state.ts';
import { EndpointError, serveMetrics } from '../../../src/telemetry/endpoint.ts';
import { parsedMetrics } from '../../support/metrics-text.ts';
import { events, makeConfig, startOfRun } from '../../support/run-events.ts';

async function endpoint(
  t: TestContext,
  states: () => readonly RunState[] = () => [fold(makeConfig(), events(...startOfRun()))],
) {
  const serving = await serveMetrics(0, states);
  t.after(() => serving.close());
  return serving.port;
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function ask(
  port: number,
  options: { path?: string; method?: string; host?: string; body?: string } = {},
): Promise<Answer> {
  const { path = '/metrics', method = 'GET', host = `127.0.0.1:${port}`, body } = options;
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers: { host }, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

describe('the metrics endpoint', () => {
  it('answers with the metrics as they are now', async (t) => {
    const state = fold(makeConfig(), events(...startOfRun()));
    const port = await endpoint(t, () => [state]);
    const { status, headers, body } = await ask(port);
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    const run = { run_id: state.config.run_id };
    assert.equal(parsedMetrics(body).value('babyagi_iterations_total', run), 0);
    state.iteration = 7;
    assert.equal(parsedMetrics((await ask(port)).body).value('babyagi_iterations_total', run), 7);
  });

  for (const host of ['localhost', '127.0.0.1:9464', '127.8.8.8', '[::1]:9464', 'LOCALHOST:1']) {
    it(`answers who asks for ${host}`, async (t) => {
      assert.equal((await ask(await endpoint(t), { host })).status, 200);
    });
  }

  for (const host of [
    'rebound.example',
    'localhost.example:9464',
    '10.0.0.1',
    '0.0.0.0',
    'localhost@evil.example',
    'evil.example#localhost',
  ]) {
    it(`says nothing to who asks for ${JSON.stringify(host)}`, async (t) => {
      const { status, body } = await ask(await endpoint(t), { host });
      assert.equal(status, 403);
      assert.doesNotMatch(body, /babyagi_/);
    });
  }

  it('says nothing to who does not say whom it asks', async (t) => {
    const socket = net.connect(await endpoint(t), '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    socket.write('GET /metrics HTTP/1.0\r\n\r\n');
    await once(socket, 'close');
    assert.match(text, /^HTTP\/1\.1 403 /);
  });

  it('is there on this machine only', async (t) => {
    const port = await endpoint(t);
    const elsewhere = Object.values((await import('node:os')).networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find(({ internal, family }) => !internal && family === 'IPv4');
    if (elsewhere === undefined) return;
    const socket = net.connect(port, elsewhere.address);
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNREFUSED');
  });

  it('takes nothing in, and has one page', async (t) => {
    const port = await endpoint(t);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      assert.equal((await ask(port, { method, body: 'x'.repeat(10_000) })).status, 405, method);
    for (const path of ['/', '/metrics/', '/Metrics', '/../metrics'])
      assert.equal((await ask(port, { path })).status, 404, path);
    assert.equal((await ask(port, { path: '/metrics?x=1' })).status, 200);
    const head = await ask(port, { method: 'HEAD' });
    assert.deepEqual([head.status, head.body], [200, '']);
  });

  it('outlives a state that cannot be shown, and whoever sends nonsense', async (t) => {
    let broken = true;
    const port = await endpoint(t, () => {
      if (broken) throw new Error('secret');
      return [];
    });
    const { status, body } = await ask(port);
    assert.equal(status, 500);
    assert.doesNotMatch(body, /secret/);
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.end('\u0000nonsense\r\n\r\n');
    await once(socket, 'close');
    broken = false;
    assert.equal((await ask(port)).status, 200);
  });

  it('says that its port is taken', async (t) => {
    const port = await endpoint(t);
    await assert.rejects(
      serveMetrics(port, () => []),
      (error) =>
        error instanceof EndpointError && error.reason === 'port_taken' && error.message.includes(String(port)),
    );
  });
});
