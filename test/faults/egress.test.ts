import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { getEventListeners, once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import tls from 'node:tls';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import {
  Egress,
  EgressError,
  type EgressErrorReason,
  type EgressOptions,
  type EgressRequest,
  type LookupAll,
} from '../../src/safety/egress.ts';
import { OriginError } from '../../src/safety/origin.ts';
import { selfSigned } from '../support/certificate.ts';

const CANARY = 'sk-canary-0123456789abcdef';
const LONG = 3_600_000;

/** A server that counts, and the means to end everything it holds. */
interface TestServer {
  readonly origin: string;
  readonly port: number;
  connections: number;
  /** HTTP requests whose head arrived. */
  requests: number;
  /** Everything received, as latin1. */
  received: string;
  /** Resolves when no connection is open any more. */
  idle(): Promise<void>;
}

const closers: (() => void)[] = [];
let egresses: Egress[] = [];

beforeEach(() => {
  egresses = [];
});
afterEach(() => {
  mock.restoreAll();
  for (const egress of egresses) egress.close();
  for (const close of closers.splice(0)) close();
});

async function listen(
  server: net.Server,
  scheme: 'http' | 'https',
  onSocket: 'connection' | 'secureConnection',
): Promise<TestServer> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    test.connections += 1;
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      open.delete(socket);
      server.emit('one-less');
    });
  });
  server.on(onSocket, (socket: Socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1');
      test.received += text;
      test.requests += text.match(/(GET|POST) \S+ HTTP\/1\.1/g)?.length ?? 0;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  const test: TestServer = {
    origin: `${scheme}://127.0.0.1:${port}`,
    port,
    connections: 0,
    requests: 0,
    received: '',
    idle: async () => {
      while (open.size > 0) await once(server, 'one-less');
    },
  };
  return test;
}

function serve(handler: http.RequestListener): Promise<TestServer> {
  return listen(http.createServer({ keepAliveTimeout: 0 }, handler), 'http', 'connection');
}

/** A server that runs `respond` once per connection, when the first bytes arrive. */
function serveRaw(respond: (socket: Socket) => void): Promise<TestServer> {
  const server = net.createServer((socket) => socket.once('data', () => respond(socket)));
  return listen(server, 'http', 'connection');
}

function gate(options: Partial<EgressOptions> & { allowedOrigins: Iterable<string> }): Egress {
  const egress = new Egress(options);
  egresses.push(egress);
  return egress;
}

function post(server: { origin: string }, more: Partial<EgressRequest> = {}): EgressRequest {
  return {
    url: `${server.origin}/v1/chat?secret=${CANARY}`,
    method: 'POST',
    headers: { authorization: `Bearer ${CANARY}`, 'content-type': 'application/json' },
    body: Buffer.from('{"ask":1}'),
    timeoutMs: LONG,
    ...more,
  };
}

async function failure(answer: Promise<unknown>): Promise<EgressError> {
  const outcome = await answer.then(
    () => assert.fail('the request should have failed'),
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof EgressError, String(outcome));
  const everything = `${outcome.message}${outcome.stack}${JSON.stringify(outcome)}`;
  assert.ok(!everything.includes(CANARY), 'an error must not quote a header, path or body');
  return outcome;
}

async function assertFails(answer: Promise<unknown>, reason: EgressErrorReason, neverSent: boolean): Promise<void> {
  const error = await failure(answer);
  assert.deepEqual({ reason: error.reason, neverSent: error.neverSent }, { reason, neverSent }, error.message);
}

function resolvesTo(...addresses: string[]): LookupAll & { calls: string[] } {
  const calls: string[] = [];
  const lookup: LookupAll = (hostname, _options, callback) => {
    calls.push(hostname);
    process.nextTick(
      callback,
      null,
      addresses.map((address) => ({ address, family: net.isIP(address) })),
    );
  };
  return Object.assign(lookup, { calls });
}

function openTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

describe('an answer', () => {
  it('comes back whole, with status and headers, for each status that is no redirect', async () => {
    for (const status of [200, 201, 400, 401, 404, 413, 422, 429, 500, 503]) {
      const server = await serve((_request, response) => {
        response.writeHead(status, { 'content-type': 'application/json', 'Retry-After': '7', 'set-cookie': 'a=b' });
        response.end(`{"status":${status}}`);
      });
      const answer = await gate({ allowedOrigins: [server.origin] }).request(post(server));
      assert.equal(answer.status, status);
      assert.equal(Buffer.from(answer.body).toString(), `{"status":${status}}`);
      assert.equal(answer.headers['content-type'], 'application/json');
      assert.equal(answer.headers['retry-after'], '7');
      assert.ok(!('set-cookie' in answer.headers));
      assert.equal(server.requests, 1);
    }
  });

  it('belongs to a request that arrived exactly as given', async () => {
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 256));
    const seen: {
      method?: string | undefined;
      url?: string | undefined;
      headers: http.IncomingHttpHeaders;
      body: Buffer;
    }[] = [];
    const server = await serve((request, response) => {
      const { method, url, headers } = request;
      const body: Buffer[] = [];
      request.on('data', (chunk: Buffer) => body.push(chunk));
      request.on('end', () => {
        seen.push({ method, url, headers, body: Buffer.concat(body) });
        response.end(bytes);
      });
    });
    const egress = gate({ allowedOrigins: [server.origin] });
    const answer = await egress.request(post(server, { url: `${server.origin}/a%20b?q=%C3%A4#f`, body: bytes }));
    await egress.request({ url: server.origin, method: 'GET', headers: {}, timeoutMs: LONG });

    assert.deepEqual(Buffer.from(answer.body), bytes);
    assert.equal(seen[0]?.url, '/a%20b?q=%C3%A4');
    assert.deepEqual(seen[0]?.body, bytes);
    assert.equal(seen[0]?.headers.host, `127.0.0.1:${server.port}`);
    assert.equal(seen[0]?.headers.authorization, `Bearer ${CANARY}`);
    assert.equal(seen[0]?.headers['content-length'], '70000');
    assert.equal(seen[0]?.headers['accept-encoding'], 'identity');
    assert.equal(seen[1]?.method, 'GET');
    assert.equal(seen[1]?.url, '/');
    assert.equal(seen[1]?.headers['content-length'], undefined);
  });

  it('never makes a cookie travel', async () => {
    const server = await serve((_request, response) => response.setHeader('set-cookie', 'id=1').end());
    const egress = gate({ allowedOrigins: [server.origin] });
    await egress.request(post(server));
    await egress.request(post(server));
    assert.doesNotMatch(server.received, /cookie/i);
  });

  it('is decompressed if the server compresses unasked', async () => {
    const text = 'x'.repeat(5_000);
    const encodings: [string, Buffer][] = [
      ['gzip', gzipSync(text)],
      ['x-gzip', gzipSync(text)],
      ['deflate', deflateSync(text)],
      ['br', brotliCompressSync(text)],
      ['Identity', Buffer.from(text)],
    ];
    for (const [encoding, body] of encodings) {
      const server = await serve((_request, response) => response.setHeader('content-encoding', encoding).end(body));
      const answer = await gate({ allowedOrigins: [server.origin] }).request(post(server));
      assert.equal(Buffer.from(answer.body).toString(), text, encoding);
      assert.ok(!('content-encoding' in answer.headers));
    }
  });

  it('may be empty', async () => {
    const server = await serve((_request, response) => response.writeHead(204, { 'content-encoding': 'gzip' }).end());
    const answer = await gate({ allowedOrigins: [server.origin] }).request(post(server));
    assert.deepEqual([answer.status, answer.body.byteLength], [204, 0]);
  });

  it('goes to the request it answers, 40 at once and one after another', async () => {
    const server = await serve((request, response) => response.end(request.url));
    const egress = gate({ allowedOrigins: [server.origin] });
    const warn = mock.method(process, 'emitWarning', () => {});
    const { signal } = new AbortController();
    const ask = async (i: number) => {
      const answer = await egress.request(post(server, { url: `${server.origin}/${i}`, signal }));
      assert.equal(Buffer.from(answer.body).toString(), `/${i}`);
    };
    await Promise.all(Array.from({ length: 40 }, (_, i) => ask(i)));
    const { connections } = server;
    for (let i = 0; i < 5; i++) await ask(i);
    assert.equal(server.connections, connections, 'an idle connection is used again');
    assert.equal(server.requests, 45);
    assert.equal(warn.mock.callCount(), 0);
  });

  it('may come through any of several addresses of the name', async () => {
    const server = await serve((_request, response) => response.end('ok'));
    const origin = `http://localhost:${server.port}`;
    const egress = gate({ allowedOrigins: [origin], lookup: resolvesTo('::1', '127.0.0.1') });
    assert.equal((await egress.request(post({ origin }))).status, 200);
    assert.equal(server.requests, 1);

    net.setDefaultAutoSelectFamily(false); // then one address is asked for, not all
    try {
      const single = gate({ allowedOrigins: [origin], lookup: resolvesTo('127.0.0.1', '::1') });
      assert.equal((await single.request(post({ origin }))).status, 200);
    } finally {
      net.setDefaultAutoSelectFamily(true);
    }
  });

  it('may come over a link slower than the quarter second that Node grants an address', async () => {
    const server = await serve((_request, response) => response.end());
    const original = http.request;
    const seen: net.TcpNetConnectOpts[] = [];
    mock.method(http, 'request', (options: http.RequestOptions & net.TcpNetConnectOpts) => {
      seen.push(options);
      return original(options);
    });
    await gate({ allowedOrigins: [server.origin] }).request(post(server));
    assert.ok((seen[0]?.autoSelectFamilyAttemptTimeout ?? 0) >= 1_000);
  });
});

const MAX_BODY = 20 * 1024 * 1024;

describe('one request per call, whatever the server does', () => {
  const ok = (head: string, body = '') => `HTTP/1.1 200 OK\r\n${head}\r\n${body}`;
  const torn = gzipSync('x'.repeat(1_000)).subarray(0, 20);
  const bomb = gzipSync(Buffer.alloc(MAX_BODY + 1));
  const cases: [name: string, reason: EgressErrorReason, respond: (socket: Socket) => void][] = [
    ['closes without an answer', 'reset', (socket) => socket.end()],
    ['resets without an answer', 'reset', (socket) => socket.resetAndDestroy()],
    ['closes inside the head', 'reset', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le')],
    [
      'switches protocols',
      'reset',
      (socket) => socket.end('HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    ],
    ['sends less than content-length', 'truncated', (socket) => socket.end(ok('content-length: 10\r\n', 'short'))],
    [
      'sends more than content-length',
      'truncated',
      (socket) => socket.end(ok('content-length: 3\r\n', 'far too much')),
    ],
    ['ends inside a chunk', 'truncated', (socket) => socket.end(ok('transfer-encoding: chunked\r\n', '5\r\nab'))],
    [
      'leaves out the last chunk',
      'truncated',
      (socket) => socket.end(ok('transfer-encoding: chunked\r\n', '2\r\nab\r\n')),
    ],
    ['sends bad chunk sizes', 'truncated', (socket) => socket.end(ok('transfer-encoding: chunked\r\n', 'zz\r\nab'))],
    [
      'resets inside the body',
      'truncated',
      (socket) => socket.write(ok('content-length: 10\r\n', 'half'), () => socket.resetAndDestroy()),
    ],
    ['speaks no HTTP', 'truncated', (socket) => socket.end('SSH-2.0-OpenSSH\r\n')],
    [
      'sends torn gzip',
      'truncated',
      (socket) => socket.end(Buffer.concat([Buffer.from(ok('content-encoding: gzip\r\n')), torn])),
    ],
    ['sends false gzip', 'truncated', (socket) => socket.end(ok('content-encoding: gzip\r\n', 'plain'))],
    ['uses an unknown encoding', 'truncated', (socket) => socket.end(ok('content-encoding: zstd\r\n', 'plain'))],
    ['declares too much', 'too_large', (socket) => socket.write(ok(`content-length: ${MAX_BODY + 1}\r\n`))],
    ['sends too much undeclared', 'too_large', (socket) => socket.write(ok('', 'x'.repeat(MAX_BODY + 1)))],
    ['sends a huge head', 'too_large', (socket) => socket.write(ok(`x: ${'y'.repeat(100_000)}\r\n`))],
    [
      'sends a gzip bomb',
      'too_large',
      (socket) => socket.end(Buffer.concat([Buffer.from(ok('content-encoding: gzip\r\n')), bomb])),
    ],
  ];
  for (const [name, reason, respond] of cases) {
    it(`${name}: ${reason}`, async () => {
      const server = await serveRaw(respond);
      const timers = openTimers();
      const egress = gate({ allowedOrigins: [server.origin] });
      await assertFails(egress.request(post(server)), reason, false);
      await server.idle();
      assert.deepEqual([server.requests, server.connections], [1, 1]);
      assert.equal(openTimers(), timers);
    });
  }

  it('a body of exactly the allowed size is fine, declared or not', async () => {
    for (const head of [`content-length: ${MAX_BODY}\r\n`, '']) {
      const server = await serveRaw((socket) => socket.end(ok(head, 'x'.repeat(MAX_BODY))));
      const answer = await gate({ allowedOrigins: [server.origin] }).request(post(server));
      assert.equal(answer.body.byteLength, MAX_BODY);
    }
  });

  it('an idle connection that dies under the next request is a reset, not a second request', async () => {
    let served = 0;
    const server = await serve((_request, response) => {
      served += 1;
      if (served === 1) response.end('first');
      else response.socket?.destroy();
    });
    const egress = gate({ allowedOrigins: [server.origin] });
    await egress.request(post(server));
    await assertFails(egress.request(post(server)), 'reset', false);
    assert.deepEqual([server.requests, server.connections], [2, 1]);
  });

  it('an idle connection is closed before common servers close it, a busy one is not', async () => {
    let answerSlow = () => {};
    const slowArrived = new Promise<void>((resolve) => {
      answerSlow = resolve;
    });
    const idle = await serve((_request, response) => response.end());
    const slow = await serve((_request, response) => {
      answerSlow();
      answerSlow = () => response.end('late');
    });
    const egress = gate({ allowedOrigins: [idle.origin, slow.origin] });
    const late = egress.request(post(slow));
    await slowArrived;
    await egress.request(post(idle));
    await idle.idle(); // only this side closes: the servers keep idle connections for ever
    answerSlow();
    assert.equal(Buffer.from((await late).body).toString(), 'late');
  });
});

describe('redirects', () => {
  for (const status of [300, 301, 302, 303, 304, 305, 307, 308, 399]) {
    it(`${status} is refused, to the same origin and to another`, async () => {
      const elsewhere = await serve((_request, response) => response.end());
      for (const base of [elsewhere.origin, '']) {
        const server = await serve((_request, response) =>
          response.writeHead(status, { location: `${base}/elsewhere?${CANARY}` }).end(),
        );
        const egress = gate({ allowedOrigins: [server.origin, elsewhere.origin] });
        await assertFails(egress.request(post(server)), 'redirect_refused', false);
        await server.idle();
        assert.equal(server.requests, 1);
      }
      assert.equal(elsewhere.connections, 0);
    });
  }
});

describe('timeout and abort', () => {
  // Time is stepped once the server has what it waits for, so that a slow machine changes nothing.
  async function assertTimesOut(egress: Egress, origin: string, reached: Promise<void>, neverSent: boolean) {
    mock.timers.enable({ apis: ['setTimeout'] });
    let ended = false;
    const answer = egress.request(post({ origin }, { timeoutMs: 30_000 })).finally(() => {
      ended = true;
    });
    answer.catch(() => {});
    await reached;
    mock.timers.tick(29_999);
    await Promise.resolve();
    assert.equal(ended, false);
    mock.timers.tick(1);
    await assertFails(answer, 'timeout', neverSent);
    mock.timers.reset();
  }
  function signalled(): { reached: Promise<void>; reach: () => void } {
    let reach = () => {};
    const reached = new Promise<void>((resolve) => {
      reach = resolve;
    });
    return { reached, reach };
  }

  it('a time-out ends the name look-up', async () => {
    const { reached, reach } = signalled();
    const egress = gate({ allowedOrigins: ['https://api.test'], lookup: reach });
    await assertTimesOut(egress, 'https://api.test', reached, true);
  });

  it('a time-out ends the TLS handshake', async () => {
    const { reached, reach } = signalled();
    const server = await serveRaw(reach);
    const origin = server.origin.replace('http:', 'https:');
    await assertTimesOut(gate({ allowedOrigins: [origin] }), origin, reached, true);
    await server.idle();
    assert.ok(!server.received.includes(CANARY));
  });

  it('a time-out ends the wait for an answer', async () => {
    const { reached, reach } = signalled();
    const server = await serveRaw(reach);
    await assertTimesOut(gate({ allowedOrigins: [server.origin] }), server.origin, reached, false);
    await server.idle();
    assert.equal(server.requests, 1);
  });

  it('a time-out ends a body that stalls, and one that drips for ever', async () => {
    for (const dripMs of [LONG, 1]) {
      const { reached, reach } = signalled();
      const server = await serveRaw((socket) => {
        const drip = setInterval(() => socket.write('x'), dripMs);
        socket.on('close', () => clearInterval(drip));
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nhalf', reach);
      });
      await assertTimesOut(gate({ allowedOrigins: [server.origin] }), server.origin, reached, false);
      await server.idle();
      assert.equal(server.requests, 1);
    }
  });

  it('a time-out longer than a timer can hold does not fire at once', async () => {
    const server = await serve((_request, response) => setImmediate(() => setImmediate(() => response.end('ok'))));
    for (const timeoutMs of [2 ** 31, 2 ** 40, Number.POSITIVE_INFINITY]) {
      const answer = await gate({ allowedOrigins: [server.origin] }).request(post(server, { timeoutMs }));
      assert.equal(answer.status, 200);
    }
  });

  it('an abort before the start contacts nobody', async () => {
    const server = await serve((_request, response) => response.end());
    const egress = gate({ allowedOrigins: [server.origin] });
    await assertFails(egress.request(post(server, { signal: AbortSignal.abort(CANARY) })), 'aborted', true);
    assert.equal(server.connections, 0);
  });

  it('an abort ends each later stage', async () => {
    const stages: [
      name: string,
      neverSent: boolean,
      start: (abort: () => void) => Promise<[TestServer | undefined, Egress, string]>,
    ][] = [
      [
        'resolving',
        true,
        async (abort) => {
          const lookup: LookupAll = (_hostname, _options, callback) => {
            abort();
            process.nextTick(callback, null, [{ address: '127.0.0.1', family: 4 }]);
          };
          return [undefined, gate({ allowedOrigins: ['http://localhost:1'], lookup }), 'http://localhost:1'];
        },
      ],
      [
        'securing',
        true,
        async (abort) => {
          const server = await listen(net.createServer(abort), 'https', 'connection');
          return [server, gate({ allowedOrigins: [server.origin] }), server.origin];
        },
      ],
      [
        'waiting',
        false,
        async (abort) => {
          const server = await serveRaw(abort);
          return [server, gate({ allowedOrigins: [server.origin] }), server.origin];
        },
      ],
      [
        'receiving',
        false,
        async (abort) => {
          const server = await serveRaw((socket) => {
            socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', abort);
          });
          return [server, gate({ allowedOrigins: [server.origin] }), server.origin];
        },
      ],
    ];
    for (const [name, neverSent, start] of stages) {
      const controller = new AbortController();
      const [server, egress, origin] = await start(() => controller.abort());
      const timers = openTimers();
      const error = await failure(egress.request(post({ origin }, { signal: controller.signal })));
      assert.deepEqual([error.reason, error.neverSent], ['aborted', neverSent], name);
      await server?.idle();
      assert.ok((server?.requests ?? 0) <= 1);
      assert.equal(openTimers(), timers, name);
    }
  });

  it('an abort after the answer changes nothing', async () => {
    const server = await serve((_request, response) => response.end('ok'));
    const egress = gate({ allowedOrigins: [server.origin] });
    const controller = new AbortController();
    await egress.request(post(server, { signal: controller.signal }));
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    controller.abort();
    assert.equal((await egress.request(post(server))).status, 200);
    assert.equal(server.connections, 1);
  });

  it('close aborts what runs, closes every connection and refuses what comes later', async () => {
    const hangs = await serveRaw(() => {});
    const quick = await serve((_request, response) => response.end());
    const timers = openTimers();
    const other = await serve((_request, response) => response.end());
    await gate({ allowedOrigins: [other.origin] }).request(post(other)); // its connection stays for the idle limit
    const egress = gate({ allowedOrigins: [hangs.origin, quick.origin] });
    await egress.request(post(quick));
    const first = egress.request(post(hangs));
    const second = egress.request(post(hangs));
    egress.close();
    await assertFails(first, 'aborted', true);
    await assertFails(second, 'aborted', true);
    await assertFails(egress.request(post(quick)), 'aborted', true);
    await hangs.idle();
    const sooner = await Promise.race([quick.idle().then(() => 'closed'), other.idle().then(() => 'left idle')]);
    assert.equal(sooner, 'closed');
    assert.equal(quick.requests, 1);
    assert.equal(openTimers(), timers);
  });
});

describe('allowed origins', () => {
  it('only an exact origin is contacted; nothing leaves for another spelling of trust', async () => {
    const server = await serve((_request, response) => response.end());
    const lookup = resolvesTo('127.0.0.1');
    const egress = gate({
      allowedOrigins: [server.origin, 'https://api.openai.com'],
      lookup,
    });
    const { port } = server;
    for (const url of [
      `http://localhost:${port}/`,
      `http://127.0.0.2:${port}/`,
      `http://127.0.0.1:${port + 1}/`,
      'http://127.0.0.1/',
      `https://127.0.0.1:${port}/`,
      `http://127.0.0.1:${port}@evil.example/`,
      `http://user:${CANARY}@127.0.0.1:${port}/`,
      `http://localhost.:${port}/`,
      `http://127.0.0.1.nip.example:${port}/`,
      'http://api.openai.com/',
      'https://api.openai.com./',
      'https://api.openai.com:8443/',
      'https://api.openai.com.evil.example/',
      'https://аpi.openai.com/',
      'https://api.openai.com@evil.example/',
      'https://evil.example/https://api.openai.com/',
      'https://169.254.169.254/',
      'file:///etc/passwd',
      `not a url ${CANARY}`,
      '',
    ]) {
      await assertFails(egress.request({ ...post(server), url }), 'origin_not_allowed', true);
    }
    assert.deepEqual([server.connections, lookup.calls], [0, []]);

    for (const url of [`HTTP://127.0.0.1:${port}/`, `http://127.1:${port}`, `http://0x7f000001:${port}/x`]) {
      assert.equal((await egress.request({ ...post(server), url })).status, 200);
    }
    assert.equal(server.requests, 3);
  });

  it('allow adds one, and refuses what can never be allowed', async () => {
    const server = await serve((_request, response) => response.end());
    const egress = gate({ allowedOrigins: [] });
    await assertFails(egress.request(post(server)), 'origin_not_allowed', true);
    egress.allow(`${server.origin}/v1`);
    assert.equal((await egress.request(post(server))).status, 200);
    assert.throws(() => egress.allow('http://192.168.0.9:8000'), OriginError);
    assert.throws(() => new Egress({ allowedOrigins: ['http://example.com'] }), OriginError);
  });

  it('localOnly keeps allowed origins elsewhere out', async () => {
    const server = await serve((_request, response) => response.end());
    const lookup = resolvesTo('127.0.0.1');
    const egress = gate({
      allowedOrigins: [server.origin, 'https://api.openai.com'],
      privateOrigins: ['http://llm.test', 'http://10.0.0.1'],
      localOnly: true,
      lookup,
    });
    for (const origin of ['https://api.openai.com', 'http://llm.test', 'http://10.0.0.1']) {
      await assertFails(egress.request(post({ origin })), 'origin_not_allowed', true);
    }
    assert.deepEqual(lookup.calls, []);
    assert.equal((await egress.request(post(server))).status, 200);
  });
});

describe('name resolution', () => {
  it('a name that leads, even in part, where it should not is refused before any connection', async () => {
    const server = await serve((_request, response) => response.end());
    const publicName = `https://api.test:${server.port}`;
    const localhost = `http://localhost:${server.port}`;
    const privateName = `http://llm.test:${server.port}`;
    const cases: [origin: string, addresses: string[]][] = [
      [publicName, ['127.0.0.1']],
      [publicName, ['1.1.1.1', '127.0.0.1']],
      [publicName, ['::ffff:127.0.0.1']],
      [publicName, ['10.0.0.1']],
      [publicName, ['2606:4700::1111', 'fd00::1']],
      [publicName, ['169.254.169.254']],
      [publicName, ['0.0.0.0']],
      [localhost, ['127.0.0.1', '192.168.0.1']],
      [localhost, ['1.1.1.1']],
      [privateName, ['127.0.0.1', '1.1.1.1']],
      [privateName, ['0.0.0.0']],
    ];
    for (const [origin, addresses] of cases) {
      const egress = gate({
        allowedOrigins: [publicName, localhost],
        privateOrigins: [privateName],
        lookup: resolvesTo(...addresses),
      });
      await assertFails(egress.request(post({ origin })), 'address_refused', true);
    }
    assert.equal(server.connections, 0);
  });

  it('the address that was checked is the one connected to: no second look-up', async () => {
    const server = await serve((request, response) => response.end(request.headers.host));
    let calls = 0;
    const rebinding: LookupAll = (_hostname, _options, callback) => {
      calls += 1;
      callback(null, [{ address: calls === 1 ? '127.0.0.1' : '127.0.0.2', family: 4 }]);
    };
    const origin = `http://llm.test:${server.port}`;
    const egress = gate({ allowedOrigins: [], privateOrigins: [origin], lookup: rebinding });
    const answer = await egress.request(post({ origin }));
    assert.equal(Buffer.from(answer.body).toString(), `llm.test:${server.port}`);
    assert.equal(calls, 1);
  });

  it('a name without an address is dns_failed', async () => {
    const broken: LookupAll = (_hostname, _options, callback) =>
      callback(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' }), []);
    for (const lookup of [broken, resolvesTo()]) {
      const egress = gate({ allowedOrigins: ['https://api.test'], lookup });
      await assertFails(egress.request(post({ origin: 'https://api.test' })), 'dns_failed', true);
    }
  });
});

describe('what never left', () => {
  it('a refused connection', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.close();
    await once(server, 'close');
    const timers = openTimers();
    const egress = gate({ allowedOrigins: [origin, origin.replace('http:', 'https:')] });
    await assertFails(egress.request(post({ origin })), 'connect_failed', true);
    await assertFails(egress.request(post({ origin: origin.replace('http:', 'https:') })), 'connect_failed', true);
    assert.equal(openTimers(), timers);
  });

  it('a header that cannot be sent, or is not the caller’s to set', async () => {
    const server = await serve((_request, response) => response.end());
    const egress = gate({ allowedOrigins: [server.origin] });
    for (const headers of [
      { authorization: `Bearer ${CANARY}\n` },
      { authorization: `Bearer ${CANARY}\r\nx-injected: 1` },
      { 'x-api-key': `${CANARY}\u0000` },
      { 'x-api-key': `${CANARY}\u007f` },
      { 'x-api-key': `${CANARY}\u2028` },
      { [`${CANARY} is not a name`]: 'x' },
      { '': CANARY },
      { Host: 'evil.example' },
      { 'Transfer-Encoding': 'chunked' },
      { 'content-length': '3' },
      { Cookie: CANARY },
      { 'accept-encoding': 'gzip' },
    ]) {
      await assertFails(egress.request(post(server, { headers })), 'bad_header', true);
    }
    assert.equal(server.connections, 0);
  });
});

describe('TLS', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const cert = selfSigned(pair, 'localhost');

  function serveSecure(respond: (socket: Socket) => void): Promise<TestServer> {
    const server = tls.createServer({ key, cert }, (socket) => socket.once('data', () => respond(socket)));
    server.on('tlsClientError', () => {});
    return listen(server, 'https', 'secureConnection');
  }
  /** Trusts the certificate by patching `https.request`, the way an editor adds certificates and proxies. */
  function trustCertificate(): void {
    const original = https.request;
    mock.method(https, 'request', (options: https.RequestOptions) => original({ ...options, ca: cert }));
  }

  /** Replaces the agent by one that connects as a proxy's does: it hands over a socket that is open already. */
  function connectThroughTunnel(ready: 'connect' | 'secureConnect', trusted: { ca?: string }): void {
    const original = https.request;
    mock.method(https, 'request', (options: https.RequestOptions) => {
      const agent = new https.Agent();
      const createConnection = (_: unknown, callback: (error: Error | null, socket: Socket) => void) => {
        const tunnel = net.connect(Number(options.port), '127.0.0.1', () => {
          const socket = tls.connect({ socket: tunnel, servername: 'localhost', ...trusted });
          if (ready === 'connect') callback(null, socket);
          else socket.once('secureConnect', () => callback(null, socket));
        });
      };
      return original({ ...options, agent: Object.assign(agent, { createConnection }) });
    });
  }

  it('behind a proxy, TLS that fails in the tunnel sent nothing, and what fails later may have been received', async () => {
    const server = await serveSecure((socket) => socket.destroy());
    const origin = `https://localhost:${server.port}`;
    const request = () => gate({ allowedOrigins: [origin] }).request(post({ origin }));
    connectThroughTunnel('connect', {});
    await assertFails(request(), 'tls_failed', true);
    assert.equal(server.requests, 0);
    for (const ready of ['connect', 'secureConnect'] as const) {
      mock.restoreAll();
      connectThroughTunnel(ready, { ca: cert });
      await assertFails(request(), 'reset', false);
    }
    assert.equal(server.requests, 2);
  });

  it('an untrusted certificate is tls_failed, and not a byte of the request is sent', async () => {
    const server = await serveSecure((socket) => socket.end());
    mock.method(process, 'emitWarning', () => {});
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; // must not weaken it
    try {
      const egress = gate({ allowedOrigins: [server.origin] });
      await assertFails(egress.request(post(server)), 'tls_failed', true);
      await server.idle();
      assert.deepEqual([server.connections, server.received], [1, '']);
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    }
  });

  it('a certificate for another name is tls_failed', async () => {
    const server = await serveSecure((socket) => socket.end());
    trustCertificate();
    await assertFails(gate({ allowedOrigins: [server.origin] }).request(post(server)), 'tls_failed', true);
    await server.idle();
    assert.equal(server.received, '');
  });

  it('a server that speaks no TLS, or hangs up in the handshake, is tls_failed', async () => {
    for (const respond of [
      (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
      (socket: Socket) => socket.resetAndDestroy(),
      (socket: Socket) => socket.end(),
    ]) {
      const { port } = await serveRaw(respond);
      const origin = `https://127.0.0.1:${port}`;
      await assertFails(gate({ allowedOrigins: [origin] }).request(post({ origin })), 'tls_failed', true);
    }
  });

  it('a trusted server gets the request through the patched module; a later reset counts as sent', async () => {
    const answering = await serveSecure((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
    const resetting = await serveSecure((socket) => socket.destroy());
    trustCertificate();
    const [first, second] = [answering, resetting].map(({ port }) => `https://localhost:${port}`);
    assert.ok(first !== undefined && second !== undefined);
    const egress = gate({ allowedOrigins: [first, second], lookup: resolvesTo('127.0.0.1') });
    assert.equal(Buffer.from((await egress.request(post({ origin: first }))).body).toString(), 'ok');
    await assertFails(egress.request(post({ origin: second })), 'reset', false);
    assert.deepEqual([answering.requests, resetting.requests], [1, 1]);
  });
});
