import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import type { RunEvent } from '../../../src/run/events.ts';
import { systemClock } from '../../../src/run/clock.ts';
import { apply } from '../../../src/run/fold.ts';
import { initialState } from '../../../src/run/state.ts';
import { collectorOf } from '../../../src/telemetry/collector.ts';
import type { Span } from '../../../src/telemetry/otlp.ts';
import { TraceExporter, type FollowedRun } from '../../../src/telemetry/trace-exporter.ts';
import { spansOf } from '../../../src/telemetry/traces.ts';
import { type CollectorServer, startCollector, taken } from '../../support/collector-server.ts';
import { eventually } from '../../support/eventually.ts';
import { ended, events, iteration, makeConfig, startOfRun, task } from '../../support/run-events.ts';

const HEADERS = 'authorization=Basic%20cGstbGYtMTIzNDpzay1sZi01Njc4,x-scope-orgid=me';

/** A run whose events are told one by one, and what its exporter says. */
function exporterTo(t: TestContext, url: string, everyMs = 20) {
  const state = initialState(makeConfig());
  const listeners = new Set<(event: RunEvent) => void>();
  const appended: unknown[] = [];
  const run: FollowedRun = {
    state,
    log: { append: (...drafts) => appended.push(...drafts) },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const said: string[] = [];
  const parts = { clock: systemClock, random: () => 0, trace: (message: string) => said.push(message) };
  const exporter = new TraceExporter(collectorOf(url, HEADERS, false), parts);
  t.after(() => exporter.close());
  exporter.follow(run, everyMs);
  const tell = (log: readonly RunEvent[]) => {
    for (const event of log) {
      apply(state, event);
      for (const listener of listeners) listener(event);
    }
  };
  /** What the state knows already. */
  const tellMore = (event: RunEvent) => {
    for (const listener of listeners) listener(event);
  };
  return { exporter, state, said, appended, tell, tellMore };
}

const FIRST = [...startOfRun(), ...iteration(1, 't1', 'Four.', task('t2', 'Two'))];
const ALL = events(...FIRST, ...iteration(2, 't2', 'Two.'), ended('queue_empty'));
const BEFORE = ALL.slice(0, FIRST.length);
const AFTER = ALL.slice(FIRST.length);

const ids = (spans: readonly Span[]) => spans.map(({ spanId }) => spanId).sort();

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Whatever it answers: the end takes no longer than this. */
const SHORT_MS = 2600;

describe('a trace exporter', () => {
  it('sends each span once, as soon as it is complete, and the run with its end', async (t) => {
    const collector = await startCollector(t);
    const { exporter, state, said, appended, tell } = exporterTo(t, collector.url);
    tell(BEFORE);
    await eventually('the first spans', () => Promise.resolve(collector.spans.length === 2));
    tell(AFTER);
    await exporter.close();
    assert.deepEqual(ids(collector.spans), ids(spansOf(state)));
    assert.deepEqual(said, []);
    assert.deepEqual(appended, [{ type: 'traces.started', origin: collector.origin }]);
    const [request] = collector.requests;
    assert.equal(request?.path, '/v1/traces');
    assert.equal(request.headers['content-type'], 'application/json');
    assert.equal(request.headers.authorization, 'Basic cGstbGYtMTIzNDpzay1sZi01Njc4');
    assert.equal(request.headers['x-scope-orgid'], 'me');
  });

  it('sends again what was refused for a while, not before it is asked to', async (t) => {
    const times: number[] = [];
    const collector = await startCollector(t, (response, count) => {
      times.push(performance.now());
      if (count > 1) return taken(response);
      response.writeHead(503, { 'retry-after': '1' }).end();
    });
    const { exporter, state, said, tell } = exporterTo(t, collector.url);
    tell(BEFORE);
    await eventually('another attempt', () => Promise.resolve(collector.requests.length === 2));
    const [first = 0, second = 0] = times;
    assert.ok(second - first > 950, `${second - first} ms`);
    tell(AFTER);
    await exporter.close();
    assert.deepEqual(ids(collector.spans.slice(2)), ids(spansOf(state)));
    assert.equal(said.length, 1);
  });

  it('asks once more at the end, whatever pause it made, but not before it is asked to', async (t) => {
    for (const [headers, arrives] of [
      [{}, true],
      [{ 'retry-after': '30' }, false],
    ] as const) {
      const collector = await startCollector(t, (response, count) =>
        count > 1 ? taken(response) : void response.writeHead(503, headers).end(),
      );
      const { exporter, state, tell } = exporterTo(t, collector.url);
      tell(BEFORE);
      await eventually('a refusal', () => Promise.resolve(collector.requests.length === 1));
      tell(AFTER);
      await exporter.close();
      assert.deepEqual(ids(collector.spans.slice(2)), arrives ? ids(spansOf(state)) : []);
    }
  });

  it('never sends again what was refused for good or taken in part', async (t) => {
    for (const [answer, why] of [
      [(response: ServerResponse) => response.writeHead(400).end(), / answered 400\. /],
      [
        (response: ServerResponse) => response.end('{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}'),
        / did not take 2 spans\. too old /,
      ],
    ] as const) {
      const collector = await startCollector(t, answer);
      const { exporter, said, tell } = exporterTo(t, collector.url);
      tell(BEFORE);
      await eventually('the first spans', () => Promise.resolve(said.length === 1));
      await exporter.close();
      assert.equal(collector.requests.length, 1);
      assert.match(said[0] ?? '', why);
    }
  });

  const hostile: [what: string, answer: (response: ServerResponse) => void, why: RegExp][] = [
    ['hangs', () => {}, / did not take them in time\. /],
    ['answers 503', (response) => response.writeHead(503, { 'retry-after': '600' }).end(), / answered 503\. /],
    ['answers 429 without an end', (response) => response.writeHead(429).write('{'), /(in time|not whole)/],
    [
      'answers with a page',
      (response) => response.end('<html>Sign in</html>'),
      / is no collector: check the endpoint\. /,
    ],
    ['answers with far too much', (response) => response.end(`{"a":"${'x'.repeat(1e6)}"}`), / is no collector/],
    [
      'answers with nonsense',
      (response) => response.end('{"partialSuccess":{"errorMessage":{"toString":1},"rejectedSpans":"9"}}'),
      / 9 spans/,
    ],
    ['redirects', (response) => response.writeHead(307, { location: 'http://127.0.0.1:9/' }).end(), / redirect/],
    ['resets', (response) => response.socket?.resetAndDestroy(), / closed the connection /],
    ['trickles', (response) => void setInterval(() => response.write(' '), 100).unref(), / in time/],
  ];
  for (const [what, answer, why] of hostile) {
    it(`says once that a collector ${what}, and holds up nothing`, async (t) => {
      const collector: CollectorServer = await startCollector(t, answer);
      const { exporter, said, tell } = exporterTo(t, collector.url);
      tell(BEFORE);
      await eventually('a request', () => Promise.resolve(collector.requests.length > 0));
      tell(AFTER);
      const took = await timed(() => exporter.close());
      assert.ok(took < SHORT_MS, `${took} ms`);
      assert.equal(said.length, 1, said.join('\n'));
      assert.match(said[0] ?? '', why);
      assert.ok(!said.join().includes('cGst'), 'no header is told');
    });
  }

  it('says that nobody is there, and lets go at once', async (t) => {
    const collector = await startCollector(t);
    await collector.close();
    const { exporter, said, tell } = exporterTo(t, collector.url);
    tell(ALL);
    assert.ok((await timed(() => exporter.close())) < 500);
    assert.equal(said.length, 1);
    assert.match(said[0] ?? '', /could not be reached/);
  });

  it('waits less for whoever stopped the run or closes the window', async (t) => {
    const collector = await startCollector(t, () => {});
    for (const log of [events(...FIRST, ended('stopped_by_user')), BEFORE]) {
      const { exporter, tell } = exporterTo(t, collector.url);
      tell(log);
      const took = await timed(() => exporter.close());
      assert.ok(took < 900, `${took} ms`);
    }
  });

  it('keeps no more than it can, and the end of the run rather than its beginning', async (t) => {
    let open = false;
    const collector = await startCollector(t, (response) => {
      if (open) taken(response);
      else response.writeHead(503).end();
    });
    const { exporter, state, tell, tellMore } = exporterTo(t, collector.url, 60_000);
    tell(BEFORE);
    const [call] = state.calls.values();
    const settled = BEFORE.find(({ type }) => type === 'call.settled');
    assert.ok(call && settled?.type === 'call.settled');
    for (let index = 0; index < 5000; index += 1) {
      state.calls.set(`y${index}`, { ...call, id: `y${index}` });
      tellMore({ ...settled, call_id: `y${index}` });
    }
    tell(AFTER);
    open = true;
    await exporter.close();
    const largest = Math.max(...collector.requests.map(({ body }) => body.length));
    assert.ok(largest < 1_000_000, `${largest}`);
    const { spans } = collector;
    assert.equal(spans.length, 4096);
    assert.ok(spans.some(({ name }) => name === 'invoke_workflow babyagi'));
  });
});
