import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import { EngineError } from '../../src/engine/engine-error.ts';
import { resumeRun } from '../../src/engine/resume.ts';
import type { Session } from '../../src/engine/session.ts';
import { startRun } from '../../src/engine/start.ts';
import { type ChatRequest, ModelError } from '../../src/run/ports.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { verifyRun } from '../../src/runlog/verify.ts';
import { Redactor } from '../../src/safety/redaction.ts';
import { briefOfState, spentWords } from '../../src/vscode/run-brief.ts';
import { hostFor, ServerRefused, type World } from '../../src/vscode/run-world.ts';
import { readSettings } from '../../src/vscode/settings.ts';
import { languageModelChoices } from '../../src/vscode/lm-choices.ts';
import { LmModel } from '../../src/vscode/lm-model.ts';
import { languageModelOf, originOfLanguageModel } from '../../src/vscode/lm-names.ts';
import { type FakeLanguageModel, fakeLanguageModel } from '../support/language-model.ts';
import { testHost, testSettings, testStart } from '../support/run-host.ts';
import { describe, it } from './suite.ts';

const ORIGIN = 'vscode:lm/test/test-model';
const PATIENT = 60_000;

function chat(overrides: Partial<ChatRequest> = {}): ChatRequest {
  return {
    kind: 'chat',
    messages: [
      { role: 'system', content: 'You plan.' },
      { role: 'user', content: 'Plan a garden.' },
    ],
    maxOutputTokens: 100,
    schema: null,
    temperature: 0,
    topP: 1,
    seed: 42,
    ...overrides,
  };
}

function ask(
  model: FakeLanguageModel | undefined,
  request = chat(),
  { timeoutMs = PATIENT, signal = new AbortController().signal } = {},
) {
  const port = new LmModel(ORIGIN, 'test-model', () => Promise.resolve(model));
  return port.send(port.prepare(request), { timeoutMs, signal });
}

const failsWith = (reason: ModelError['reason']) => (error: unknown) =>
  error instanceof ModelError && error.reason === reason;

describe('a language model of VS Code', () => {
  it('gets the exact text that was prepared, in one request, and is counted', async () => {
    const model = fakeLanguageModel(() => 'A garden.');
    const schema = { name: 'plan', schema: { type: 'object', required: ['tasks'] } };
    const port = new LmModel(ORIGIN, 'test-model', () => Promise.resolve(model));
    const prepared = port.prepare(chat({ schema }));
    const reply = await port.send(prepared, { timeoutMs: PATIENT, signal: new AbortController().signal });
    const { messages } = JSON.parse(Buffer.from(prepared.body).toString()) as {
      messages: { role: string; content: string }[];
    };
    assert.deepEqual(model.requests, [messages.map(({ content }) => content)]);
    assert.deepEqual(
      messages.map(({ role }) => role),
      ['user'],
    );
    assert.match(
      messages[0]?.content ?? '',
      /^You plan\.\n\nPlan a garden\.\n\n.*JSON Schema[^]*"required":\["tasks"\]/,
    );
    assert.equal(prepared.origin, ORIGIN);
    assert.equal(reply.text, 'A garden.');
    assert.equal(reply.model, 'test-model-1');
    assert.deepEqual(reply.usage, {
      inputTokens: Math.ceil((messages[0]?.content.length ?? 0) / 4),
      cachedTokens: 0,
      outputTokens: 3,
    });
  });

  it('answers without usage where it does not count', async () => {
    const model = { ...fakeLanguageModel(() => 'Yes.'), countTokens: () => Promise.reject(new Error('not now')) };
    assert.equal((await ask(model)).usage, null);
  });

  it('is cut where it does not end', async () => {
    const reply = await ask(fakeLanguageModel(() => 'x'.repeat(100_000)));
    assert.equal(reply.finishReason, 'length');
    assert.ok((reply.text ?? '').length <= 100 * 32);
  });

  it('is cut where its answer is longer than it may be, by a piece at the most', async () => {
    const model = fakeLanguageModel(() => 'x'.repeat(100_000));
    const reply = await ask(model, chat({ maxOutputTokens: 1000 }));
    assert.equal(reply.finishReason, 'length');
    // Four characters a token, pieces of 1000 characters.
    assert.ok((reply.usage?.outputTokens ?? 0) > 1000 && (reply.usage?.outputTokens ?? 0) <= 1250);
    const whole = await ask(
      fakeLanguageModel(() => 'x'.repeat(3900)),
      chat({ maxOutputTokens: 1000 }),
    );
    assert.deepEqual([whole.finishReason, whole.text?.length], [null, 3900]);
    const uncounted = {
      ...fakeLanguageModel(() => 'x'.repeat(9000)),
      countTokens: () => Promise.reject(new Error('no')),
    };
    assert.equal((await ask(uncounted, chat({ maxOutputTokens: 1000 }))).text?.length, 9000);
  });

  it('says why it refuses', async () => {
    const { LanguageModelError } = vscode;
    const refusing = (error: Error) => ask(fakeLanguageModel(() => Promise.reject(error)));
    await assert.rejects(refusing(LanguageModelError.NoPermissions('no consent')), failsWith('no_key'));
    await assert.rejects(refusing(LanguageModelError.Blocked('off topic')), failsWith('content_refused'));
    await assert.rejects(
      refusing(LanguageModelError.Blocked('You have exceeded your quota.')),
      failsWith('rate_limited'),
    );
    await assert.rejects(refusing(LanguageModelError.NotFound('gone')), failsWith('model_not_found'));
    await assert.rejects(
      refusing(new Error('failed', { cause: new Error('429 Too Many Requests') })),
      failsWith('rate_limited'),
    );
    await assert.rejects(refusing(new Error('it broke')), failsWith('server_error'));
    await assert.rejects(ask(undefined), failsWith('model_not_found'));
  });

  it('is cancelled by the time and by a stop, also where it ignores the token', async () => {
    let cancelled = 0;
    const deaf = fakeLanguageModel((_texts, token) => {
      token.onCancellationRequested(() => (cancelled += 1));
      return new Promise<string>(() => {});
    });
    await assert.rejects(ask(deaf, chat(), { timeoutMs: 20 }), failsWith('timeout'));
    const stopping = new AbortController();
    const asked = ask(deaf, chat(), { signal: stopping.signal });
    stopping.abort();
    await assert.rejects(asked, failsWith('aborted'));
    assert.ok(cancelled >= 1, `${cancelled}`);
  });

  it('has an origin that tells vendor and family', () => {
    for (const named of [
      { vendor: 'copilot', family: 'gpt-4o' },
      { vendor: 'a/b', family: 'ä %' },
    ]) {
      assert.deepEqual(languageModelOf(originOfLanguageModel(named)), named);
    }
    for (const other of [
      'https://api.openai.com/v1',
      'vscode:lm/',
      'vscode:lm/a',
      'vscode:lm/a/b/c',
      'vscode:lm/%/b',
    ]) {
      assert.equal(languageModelOf(other), null, other);
    }
  });

  it('is offered by VS Code or not, without a wait for ever', async () => {
    assert.ok(Array.isArray(await languageModelChoices()));
  });
});

async function endOf(session: Session) {
  const outcome = await session.done;
  return { outcome, state: session.state };
}

describe('a run with a language model of VS Code', () => {
  const settings = {
    ...testSettings('https://nowhere.invalid/v1', { max_iterations: 1, synthesis: false }),
    baseUrl: ORIGIN,
    model: 'test-model',
  };
  const hostWith = (model: FakeLanguageModel | undefined) =>
    testHost('https://nowhere.invalid', {
      // Everything that is read from the build: tests are bundled elsewhere.
      distDirectory: path.join(
        vscode.extensions.all.find(({ id }) => id.endsWith('babyagi-vscode'))?.extensionPath ?? '',
        'dist',
      ),
      keyFor: () => Promise.reject(new Error('no key is asked for')),
      languageModel: (config) =>
        Promise.resolve(new LmModel(config.model.base_url, config.model.requested, () => Promise.resolve(model))),
    });
  const folder = () => mkdtempSync(path.join(tmpdir(), 'babyagi-lm-'));

  it('needs no key and no price, keeps to its limits, and shows no amount', async () => {
    const runs = folder();
    const model = fakeLanguageModel(() => '{"tasks":["Choose the plants"],"objective_met":false}');
    const session = await startRun(settings, testStart(runs, { provider: 'vscode-lm' }), hostWith(model));
    const { outcome, state } = await endOf(session);
    assert.equal(outcome.stopReason, 'max_iterations', outcome.detail);
    assert.ok(model.requests.length > 0);
    const { config } = state;
    assert.deepEqual([config.model.provider, config.model.base_url, config.embedding], ['vscode-lm', ORIGIN, null]);
    assert.equal(config.prices.chat.source, 'included');
    assert.ok([...state.calls.values()].every(({ inputTokens }) => inputTokens > 0));
    assert.equal(spentWords(briefOfState(state, false)), 'cost included');
    const text = (name: string) => readFileSync(path.join(outcome.runDirectory, name), 'utf8');
    const summary = JSON.parse(text('summary.json')) as {
      cost: { note: string };
      hosts_contacted: { origin: string }[];
    };
    assert.equal(summary.cost.note, 'included');
    assert.deepEqual(
      summary.hosts_contacted.map(({ origin }) => origin),
      [ORIGIN],
    );
    for (const name of ['summary.md', 'answer.md']) assert.ok(!text(name).includes('$0.00'), text(name));
    assert.match(text('summary.md'), /\| Spent \| included \|/);
    const verified = await verifyRun(nodeDisk, outcome.runDirectory);
    assert.ok(verified.ok, verified.firstProblem ?? '');
    rmSync(runs, { recursive: true });
  });

  it('ends at its limits of requests and of tokens, and still answers', async () => {
    for (const limits of [{ max_requests: 6 }, { max_tokens: 20_000 }]) {
      const runs = folder();
      let bed = 0;
      const model = fakeLanguageModel(() => `{"tasks":["Dig bed ${(bed += 1)}"],"objective_met":false}`);
      const { limits: raised } = testSettings('https://nowhere.invalid/v1', { max_iterations: 100, ...limits });
      const capped = { ...settings, synthesis: true, limits: raised };
      const session = await startRun(capped, testStart(runs, { provider: 'vscode-lm' }), hostWith(model));
      const { outcome, state } = await endOf(session);
      assert.equal(outcome.stopReason, Object.keys(limits)[0], outcome.detail);
      if ('max_requests' in limits) assert.equal(model.requests.length, 6);
      else assert.ok(state.tokens.settled + state.tokens.held <= limits.max_tokens);
      assert.ok([...state.calls.values()].some(({ agent, status }) => agent === 'synthesis' && status === 'settled'));
      const verified = await verifyRun(nodeDisk, outcome.runDirectory);
      assert.ok(verified.ok, verified.firstProblem ?? '');
      rmSync(runs, { recursive: true });
    }
  });

  it('waits for permission, and goes on where VS Code has the model', async () => {
    const runs = folder();
    const refused = fakeLanguageModel(() => Promise.reject(vscode.LanguageModelError.NoPermissions()));
    const first = await endOf(await startRun(settings, testStart(runs, { provider: 'vscode-lm' }), hostWith(refused)));
    assert.equal(first.outcome.stopReason, 'waiting_for_key');
    const { languageModel: _none, ...elsewhere } = hostWith(undefined);
    const options = { raise: {}, byPerson: true };
    await assert.rejects(
      resumeRun(first.outcome.runDirectory, options, elsewhere),
      (error) => error instanceof EngineError && error.reason === 'configuration',
    );
    const model = fakeLanguageModel(() => '{"tasks":[]}');
    const second = await endOf(await resumeRun(first.outcome.runDirectory, options, hostWith(model)));
    assert.notEqual(second.outcome.stopReason, 'waiting_for_key');
    assert.ok(model.requests.length > 0);
    rmSync(runs, { recursive: true });
  });

  it('is refused where only servers on this machine may be contacted', async () => {
    const nothing = readSettings(() => undefined);
    const world = {
      identity: () => null,
      redactor: new Redactor(),
      keys: { noticeSecret: () => Promise.resolve(null) },
      output: { info: () => {} },
      distDirectory: '',
    } as unknown as World;
    const where = { baseUrl: ORIGIN, workspace: tmpdir() };
    const { gate, host } = await hostFor(world, nothing, where);
    assert.ok(host.languageModel);
    gate.close();
    await assert.rejects(
      hostFor(world, { ...nothing, localOnly: true }, where),
      (error) => error instanceof ServerRefused,
    );
  });
});
