import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { KeyLedgerFile } from '../../../src/budget/key-ledger.ts';
import { picoFromUsd } from '../../../src/budget/money.ts';
import { EngineError } from '../../../src/engine/engine-error.ts';
import { explainRun } from '../../../src/research/explain.ts';
import { whyDocument } from '../../../src/vscode/why-document.ts';
import type { RunState } from '../../../src/run/state.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { verifyRun } from '../../../src/runlog/verify.ts';
import { brain } from '../../support/brain.ts';
import { type UsageLie, usageLies } from '../../support/model-faults.ts';
import type { ChatRequestSeen } from '../../support/model-server.ts';
import { bodies, oneRun, resumed } from '../../support/one-run.ts';
import { RecordedClock } from '../../support/recorded-clock.ts';
import { TEST_KEY, temporaryFolder, testHost } from '../../support/run-host.ts';

// gpt-4o and text-embedding-3-small, pico-dollars a token.
const PRICES = (line: { kind: string }) =>
  line.kind === 'chat'
    ? { inputPico: 2_500_000n, outputPico: 10_000_000n, cachedInputPico: 1_250_000n }
    : { inputPico: 20_000n, outputPico: 0n };

/** A limit that was raised or added, from what to what. */
const changeOf = (raise: RunState['raises'][number]) => [
  raise.limit,
  raise.type === 'limit.raised' ? raise.from : null,
  raise.to,
];

describe('the iteration limit', () => {
  it('ends the run after as many iterations, and not one request later', async (t) => {
    const { outcome, server, events } = await oneRun(t, {
      server: { reply: brain() },
      settings: { max_iterations: 2, synthesis: false },
    });
    assert.equal(outcome.stopReason, 'max_iterations');
    assert.equal(outcome.iterations, 2);
    assert.equal(server.requests.length, 6);
    assert.deepEqual(
      events.flatMap((event) => (event.type === 'limit.reached' ? [[event.limit, event.value, event.spent]] : [])),
      [['max_iterations', 2, 2]],
    );
  });

  it('can be raised, and the run goes on where it was', async (t) => {
    const { outcome, server } = await oneRun(t, {
      server: { reply: brain() },
      settings: { max_iterations: 2, synthesis: false },
    });
    const host = testHost(server.url);
    t.after(() => host.egress.close());
    const again = await resumed(t, outcome.runDirectory, host, { raise: { max_iterations: 3 } });
    assert.equal(again.outcome.stopReason, 'max_iterations');
    assert.equal(again.outcome.iterations, 3);
    assert.equal(server.requests.length, 9);
    assert.deepEqual(again.state.raises.map(changeOf), [['max_iterations', 2, 3]]);
  });
});

describe('the cost limit', () => {
  for (const cap of [0.000001, 0.001, 0.02, 0.05]) {
    it(`of $${cap} is never exceeded by what the server bills`, async (t) => {
      const { outcome, server, state } = await oneRun(t, {
        server: { reply: brain() },
        settings: { max_cost_usd: cap, max_iterations: 50 },
      });
      assert.equal(outcome.stopReason, 'max_cost');
      assert.ok(server.billed(PRICES) <= picoFromUsd(cap));
      assert.ok(state.money.settled + state.money.held <= picoFromUsd(cap));
      assert.ok(state.money.settled >= server.billed(PRICES), 'what is booked covers the bill');
      assert.equal(state.money.reserved, 0n);
      assert.equal(server.requests.length === 0, cap < 0.01);
    });
  }

  it('shortens the answers when money runs short, down to the floor', async (t) => {
    const { server } = await oneRun(t, {
      server: { reply: brain() },
      settings: { max_cost_usd: 0.03, max_iterations: 50, synthesis: false },
    });
    const limits = bodies(server, 'chat/completions')
      .filter((body) => JSON.stringify(body).includes('You carry out'))
      .map((body) => body['max_tokens'] as number);
    assert.equal(limits[0], 2000);
    assert.ok(
      limits.some((limit) => limit < 2000),
      'some were clamped',
    );
    assert.ok(limits.every((limit) => limit >= 64));
  });

  it('keeps enough back for an answer', async (t) => {
    const { outcome, state } = await oneRun(t, {
      server: { reply: brain() },
      settings: { max_cost_usd: 0.05, max_iterations: 50 },
    });
    assert.equal(outcome.stopReason, 'max_cost');
    const synthesis = [...state.calls.values()].filter(({ agent }) => agent === 'synthesis');
    assert.deepEqual(
      synthesis.map(({ status }) => status),
      ['settled'],
    );
  });

  it('holds under failures that may have been billed', async (t) => {
    const fault = (_: unknown, index: number) => (index % 2 === 0 ? { kind: 'status' as const, status: 500 } : null);
    const { outcome, server, state } = await oneRun(t, {
      server: { reply: brain(), fault },
      settings: { max_cost_usd: 0.2, max_iterations: 50 },
      host: { clock: new RecordedClock() },
    });
    assert.equal(outcome.stopReason, 'max_cost');
    assert.ok(state.money.held > 0n);
    assert.ok(server.billed(PRICES) <= picoFromUsd(0.2));
    assert.ok(state.money.settled + state.money.held <= picoFromUsd(0.2));
    const sent = [...state.calls.values()].length;
    assert.equal(server.requests.length, sent, 'one reservation for each request');
  });

  for (const lie of Object.keys(usageLies) as UsageLie[]) {
    it(`is not fooled by usage that is ${lie.replaceAll('_', ' ')}`, async (t) => {
      const { outcome, server, state } = await oneRun(t, {
        server: { reply: brain(), fault: () => ({ kind: 'usage', lie }) },
        settings: { max_cost_usd: 0.05, max_iterations: 3, synthesis: false },
      });
      if (lie === 'completion_above_max') assert.equal(outcome.stopReason, 'error');
      else assert.ok(['max_iterations', 'max_cost'].includes(outcome.stopReason), outcome.detail);
      for (const call of state.calls.values()) {
        assert.ok(call.cost > 0n, `${call.agent} ${call.status}`);
        if (lie !== 'completion_above_max') assert.ok(call.cost <= call.reserved);
      }
      assert.ok(server.requests.length > 0);
    });
  }

  it('ends the run where usage goes beyond every measure, with what the log can hold on its books', async (t) => {
    const { outcome, state } = await oneRun(t, {
      server: { reply: () => ({ content: 'ok', usage: { prompt_tokens: 999_999_999, completion_tokens: 5 } }) },
    });
    assert.equal(outcome.stopReason, 'error');
    assert.match(outcome.detail, /used more tokens than the request allowed/);
    assert.equal(state.money.settled, 999_999_999n * 2_500_000n + 5n * 10_000_000n);
    const huge = await oneRun(t, {
      server: { reply: () => ({ content: 'ok', usage: { prompt_tokens: 500, completion_tokens: 999_999_999 } }) },
    });
    assert.equal(huge.outcome.stopReason, 'error');
    assert.match(huge.outcome.detail, /used more tokens than the request allowed/);
    assert.equal(huge.state.money.settled, picoFromUsd(4000));
  });

  it('bounds embeddings of texts for which the embedding model needs more tokens than the chat model', async (t) => {
    const hindi = 'पौधों को पानी और धूप की ज़रूरत होती है। '.repeat(10).trim();
    const countTokens = (text: string) => Math.ceil(Buffer.byteLength(text) * (text === hindi ? 0.4 : 0.08));
    const { outcome } = await oneRun(t, {
      server: { reply: brain({ result: () => hindi }), countTokens },
      settings: { max_iterations: 2, synthesis: false, model: 'gpt-4o' },
    });
    assert.equal(outcome.stopReason, 'max_iterations', outcome.detail);
  });
});

describe('the limits of requests and of tokens', () => {
  const UNPRICED = { prices: { overrides: [], freeOrigins: [] as string[] } };
  const ENDLESS = { max_iterations: 50, embeddingModel: null } as const;
  const answers = (state: { calls: ReadonlyMap<string, { agent: string; status: string }> }) =>
    [...state.calls.values()].filter(({ agent, status }) => agent === 'synthesis' && status === 'settled').length;

  for (const most of [1, 2, 3, 8]) {
    it(`lets no more than ${most} requests leave, of which one is kept for the answer`, async (t) => {
      const { outcome, server, state, events } = await oneRun(t, {
        server: { reply: brain() },
        settings: { ...ENDLESS, max_requests: most },
      });
      assert.equal(outcome.stopReason, 'max_requests', outcome.detail);
      assert.match(outcome.detail, new RegExp(`more than the limit of ${most} requests leaves`));
      assert.ok(server.requests.length <= most);
      // Of one request nothing can be kept.
      assert.equal(answers(state), most === 1 ? 0 : 1);
      assert.equal(server.requests.length, most);
      const reached = events.find((event) => event.type === 'limit.reached');
      assert.ok(reached?.type === 'limit.reached');
      assert.deepEqual([reached.limit, reached.value, reached.spent], ['max_requests', most, state.calls.size]);
    });
  }

  it('count a request that failed as one that left', async (t) => {
    const fault = (_: unknown, index: number) => (index % 2 === 0 ? { kind: 'status' as const, status: 429 } : null);
    const { outcome, server, state } = await oneRun(t, {
      server: { reply: brain(), fault },
      settings: { ...ENDLESS, max_requests: 9, synthesis: false },
      host: { clock: new RecordedClock() },
    });
    assert.equal(outcome.stopReason, 'max_requests', outcome.detail);
    assert.deepEqual([server.requests.length, state.calls.size], [9, 9]);
  });

  for (const most of [100, 20_000, 30_000]) {
    it(`let no more than ${most} tokens be used, and keep some for the answer`, async (t) => {
      const { outcome, server, state } = await oneRun(t, {
        server: { reply: brain() },
        settings: { ...ENDLESS, max_tokens: most },
      });
      assert.equal(outcome.stopReason, 'max_tokens', outcome.detail);
      assert.match(outcome.detail, new RegExp(`needs up to \\d+ tokens, and \\d+ of the limit of ${most} are free`));
      const used = server.billed(() => ({ inputPico: 1n, cachedInputPico: 1n, outputPico: 1n }));
      assert.ok(used <= BigInt(most), `${used}`);
      assert.ok(BigInt(state.tokens.settled + state.tokens.held) >= used);
      assert.ok(state.tokens.settled + state.tokens.held <= most);
      assert.equal(state.tokens.reserved, 0);
      assert.equal(server.requests.length === 0, most === 100);
      assert.equal(answers(state), most === 100 ? 0 : 1);
    });
  }

  it('shorten the answers when tokens run short, down to the floor', async (t) => {
    const { server } = await oneRun(t, {
      server: { reply: brain() },
      settings: { ...ENDLESS, max_tokens: 8000, synthesis: false },
    });
    const asked = bodies(server, 'chat/completions').map((body) => body['max_tokens'] as number);
    assert.equal(asked[0], 2000);
    assert.ok(asked.some((one) => one < 2000) && asked.every((one) => one >= 64), String(asked));
  });

  it('hold where nothing has a price, and under failures that may have been counted', async (t) => {
    const fault = (_: unknown, index: number) => (index % 2 === 0 ? { kind: 'status' as const, status: 500 } : null);
    const { outcome, server, state } = await oneRun(t, {
      server: { reply: brain(), fault },
      settings: { ...ENDLESS, max_tokens: 30_000 },
      start: { prices: { ...UNPRICED.prices, overrides: [{ model: 'gpt-4o', input: 0, output: 0 }] } },
      host: { clock: new RecordedClock() },
    });
    assert.equal(outcome.stopReason, 'max_tokens', outcome.detail);
    assert.equal(state.money.settled, 0n);
    assert.ok(state.tokens.held > 0);
    assert.ok(state.tokens.settled + state.tokens.held <= 30_000);
    assert.equal(server.requests.length, state.calls.size);
  });

  it('go on where a server used more than it was allowed, until no more fits', async (t) => {
    const { outcome, state } = await oneRun(t, {
      server: { reply: brain(), fault: () => ({ kind: 'usage', lie: 'completion_above_max' }) },
      settings: { ...ENDLESS, max_tokens: 30_000 },
      start: { prices: { overrides: [{ model: 'gpt-4o', input: 0, output: 0 }], freeOrigins: [] } },
    });
    assert.equal(outcome.stopReason, 'max_tokens', outcome.detail);
    const calls = [...state.calls.values()];
    assert.ok(
      calls.some((call) => call.outputTokens > call.maxOutputTokens),
      'booked as it was',
    );
    let before = 0;
    for (const call of calls) {
      assert.ok(before + call.boundInputTokens + call.maxOutputTokens <= 30_000, 'each left within the limit');
      before += call.inputTokens + call.outputTokens;
    }
  });

  it('can be raised, and the run goes on', async (t) => {
    const { outcome, server } = await oneRun(t, {
      server: { reply: brain() },
      settings: { ...ENDLESS, max_requests: 5, synthesis: false },
    });
    const host = testHost(server.url);
    t.after(() => host.egress.close());
    const again = await resumed(t, outcome.runDirectory, host, { add: { max_requests: 3 } });
    assert.equal(again.outcome.stopReason, 'max_requests');
    assert.equal(server.requests.length, 8);
    assert.deepEqual(again.state.raises.map(changeOf), [['max_requests', 5, 8]]);
  });

  it('can be added where a run was started without: by so much more than is used, with one kept for the answer', async (t) => {
    const { outcome, server, state } = await oneRun(t, {
      server: { reply: brain() },
      settings: { ...ENDLESS, max_iterations: 2, synthesis: true },
    });
    const used = server.requests.length;
    const tokens = state.tokens.settled;
    const host = testHost(server.url);
    t.after(() => host.egress.close());
    await assert.rejects(resumed(t, outcome.runDirectory, host, { raise: { max_tokens: 100 } }), (error) => {
      assert.ok(error instanceof EngineError && error.reason === 'configuration');
      const words = `The token limit cannot begin at 100, as ${tokens} are used or reserved already: give no less.`;
      assert.deepEqual(error.problems, [words]);
      return true;
    });
    const again = await resumed(t, outcome.runDirectory, host, {
      raise: { max_tokens: 9_000_000 },
      add: { max_requests: 4, max_iterations: 50 },
    });
    assert.equal(again.outcome.stopReason, 'max_requests', again.outcome.detail);
    assert.equal(server.requests.length, used + 4);
    assert.equal(answers(again.state), 2, 'one for each end');
    assert.deepEqual(again.state.raises.map(changeOf), [
      ['max_tokens', null, 9_000_000],
      ['max_requests', null, used + 4],
      ['max_iterations', 2, 52],
    ]);
    const file = readFileSync(path.join(outcome.runDirectory, 'summary.json'), 'utf8');
    const summary = JSON.parse(file) as {
      limit_raises: { limit: string; from: number | null }[];
      continue_with: string;
    };
    assert.deepEqual(summary.limit_raises[1]?.from, null);
    const explained = explainRun(again.state, { directory: 'folder', owned: false, imported: false });
    assert.equal(
      explained.next.command?.split(' folder ')[1]?.replace(/^--base-url \S+ /, ''),
      `--add-requests ${used + 4}`,
    );
    const verification = await verifyRun(nodeDisk, outcome.runDirectory);
    assert.equal(verification.firstProblem, null);
    const third = await resumed(t, outcome.runDirectory, host, { add: { max_requests: 2 } });
    assert.equal(server.requests.length, used + 6);
    assert.deepEqual(third.state.raises.map(changeOf).at(-1), ['max_requests', used + 4, used + 6]);
  });

  it('can be added in the middle of a run, which keeps some of it for the answer from then on', async (t) => {
    let used = 0;
    const { outcome, server, state } = await oneRun(t, {
      server: { reply: brain() },
      settings: { ...ENDLESS, synthesis: true },
      begun: (session) => {
        session.subscribe(({ type }) => {
          if (type !== 'iteration.completed' || session.state.iteration !== 2) return;
          used = session.state.calls.size;
          session.steering.raiseLimit('max_requests', used + 3);
        });
      },
    });
    assert.equal(outcome.stopReason, 'max_requests', outcome.detail);
    assert.ok(used > 0);
    assert.equal(server.requests.length, used + 3);
    assert.equal(answers(state), 1);
  });

  it('end the run by the cost where that is less', async (t) => {
    const { outcome } = await oneRun(t, {
      server: { reply: brain() },
      settings: { ...ENDLESS, max_cost_usd: 0.03, max_requests: 1000, max_tokens: 1_000_000 },
    });
    assert.equal(outcome.stopReason, 'max_cost');
  });
});

describe('the limit of the key', () => {
  it('that ends a run is named as such, in the end, the advice, the limit and the way on; the run goes on with more', async (t) => {
    const directory = temporaryFolder();
    const ledgerOf = (usd: number) => () =>
      new KeyLedgerFile({
        directory,
        key: () => Promise.resolve(TEST_KEY),
        limitPerDay: picoFromUsd(usd),
        now: () => Date.UTC(2026, 4, 17, 12),
      });
    const { outcome, state, events, server } = await oneRun(t, {
      server: { reply: brain() },
      settings: { max_iterations: 12, max_cost_usd: 1, embeddingModel: null },
      host: { ledgerFor: ledgerOf(0.01) },
    });
    assert.equal(outcome.stopReason, 'max_cost');
    assert.match(outcome.detail, /of the limit of \$0\.010 a day \(UTC\) for this API key is free\.$/);
    assert.deepEqual(state.end?.error, { class: 'key_limit', message: outcome.detail });
    const reached = events.find((event) => event.type === 'limit.reached');
    assert.ok(reached?.type === 'limit.reached');
    assert.deepEqual([reached.limit, reached.value], ['max_key_usd_per_day', 0.01]);
    assert.ok(reached.spent > 0 && reached.spent <= 0.01, `${reached.spent}`);
    const { why, next, lastError } = explainRun(state, { directory: 'runs/one', owned: false, imported: false });
    assert.match(
      why,
      /^The run ended: max_cost\. The daily limit of the API key was reached: \$0\.0\d+ of \$0\.010 is spent or reserved today/,
    );
    assert.equal(lastError, null);
    assert.match(next.text, /^Resume after \d{4}-\d\d-\d\d 00:00 UTC, .*cost limit of the run was not reached\.$/);
    const summary = readFileSync(path.join(outcome.runDirectory, 'summary.md'), 'utf8');
    assert.match(
      summary,
      /of \\\$0\.010 is spent or reserved today .*\*\*Next:\*\* Resume after \d{4}-\d\d-\d\d 00:00 UTC/,
    );
    assert.match(next.command ?? '', /^node dist\/cli\.js resume runs\/one --base-url \S+$/);
    assert.match(whyDocument(state, { directory: '', owned: false, imported: false }), /`babyagi\.maxKeyUsdPerDay`/);

    const host = testHost(server.url, { ledgerFor: ledgerOf(1) });
    t.after(() => host.egress.close());
    assert.equal((await resumed(t, outcome.runDirectory, host)).outcome.stopReason, 'max_iterations');
  });

  it('is not blamed where the limit of the run itself leaves less', async (t) => {
    const { outcome, state, events } = await oneRun(t, {
      server: { reply: brain() },
      settings: { max_iterations: 30, max_cost_usd: 0.01, embeddingModel: null },
      host: {
        ledgerFor: () =>
          new KeyLedgerFile({
            directory: temporaryFolder(),
            key: () => Promise.resolve(TEST_KEY),
            limitPerDay: picoFromUsd(1),
            now: Date.now,
          }),
      },
    });
    assert.equal(outcome.stopReason, 'max_cost');
    assert.equal(state.end?.error, null);
    const reached = events.find((event) => event.type === 'limit.reached');
    assert.equal(reached?.type === 'limit.reached' && reached.limit, 'max_cost_usd');
  });
});

describe('the time limit', () => {
  it('ends the run between iterations, by a clock that only counts active time', async (t) => {
    const clock = new RecordedClock();
    const think = brain();
    const reply = (request: ChatRequestSeen, index: number) => {
      clock.advance(60_000);
      return think(request, index);
    };
    const { outcome } = await oneRun(t, {
      server: { reply },
      settings: { max_wall_time_minutes: 5, synthesis: false },
      host: { clock },
    });
    assert.equal(outcome.stopReason, 'max_wall_time');
    assert.equal(outcome.iterations, 2);
  });

  it('ends a wait for a server that says to come back much later', async (t) => {
    const clock = new RecordedClock();
    const fault = (_: unknown, index: number) =>
      index === 1 ? { kind: 'status' as const, status: 429, headers: { 'retry-after': '86400' } } : null;
    const { outcome, server } = await oneRun(t, {
      server: { reply: brain(), fault },
      settings: { max_wall_time_minutes: 10 },
      host: { clock },
    });
    assert.equal(outcome.stopReason, 'max_wall_time');
    assert.equal(
      clock.slept.reduce((sum, ms) => sum + ms, 0),
      600_000,
    );
    assert.equal(server.requests.length, 2);
  });
});

describe('the task timeout', () => {
  it('fails the task that a hanging server does not answer, and the run goes on', async (t) => {
    const think = brain({ newTasks: (_last, index) => (index === 0 ? ['Hangs', 'Works'] : []) });
    const fault = (request: { body?: Record<string, unknown> }) =>
      JSON.stringify(request.body ?? {}).includes('Task t2: Hangs') ? { kind: 'hang' as const } : null;
    const { outcome, state } = await oneRun(t, {
      server: { reply: think, fault },
      settings: { task_timeout_seconds: 0.3, max_iterations: 3, synthesis: false },
    });
    assert.equal(outcome.stopReason, 'max_iterations', outcome.detail);
    assert.equal(state.tasks.get('t2')?.state, 'failed');
    assert.equal(state.tasks.get('t2')?.error?.class, 'timeout');
    assert.equal(state.tasks.get('t3')?.state, 'done');
    assert.ok(state.money.held > 0n, 'what the server may bill is held');
  });

  it('holds for all attempts together', async (t) => {
    const clock = new RecordedClock();
    const fault = (request: { body?: Record<string, unknown> }) => {
      if (!JSON.stringify(request.body ?? {}).includes('Task t2: ')) return null;
      clock.advance(50_000);
      return { kind: 'status' as const, status: 500 };
    };
    const { state } = await oneRun(t, {
      server: { reply: brain(), fault },
      settings: { max_iterations: 2, synthesis: false },
      host: { clock },
    });
    assert.equal(
      [...state.calls.values()].filter(({ iteration, agent }) => iteration === 2 && agent === 'execution').length,
      3,
    );
    assert.equal(state.tasks.get('t2')?.error?.class, 'timeout');
  });
});
