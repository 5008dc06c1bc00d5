import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { tokensFor } from '../../../src/engine/run-tokens.ts';
import type { Session } from '../../../src/engine/session.ts';
import { startRun } from '../../../src/engine/start.ts';
import { languageModelBody } from '../../../src/models/request-body.ts';
import { requestAgain } from '../../../src/research/request-again.ts';
import type { RunConfig } from '../../../src/run/config.ts';
import type { RunEvent, RunEventOf, UnknownEvent } from '../../../src/run/events.ts';
import type { LanguageModel } from '../../../src/run/ports.ts';
import type { Fault } from '../../support/model-faults.ts';
import { brain } from '../../support/brain.ts';
import type { ChatRequestSeen, ModelServer, RequestSeen } from '../../support/model-server.ts';
import { eventsOf, oneRun, resumed } from '../../support/one-run.ts';
import { RecordedClock } from '../../support/recorded-clock.ts';
import { temporaryFolder, testHost, testSettings, testStart } from '../../support/run-host.ts';

const isPlanning = ({ prompt }: ChatRequestSeen) => prompt.startsWith('You keep a task list');
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

type Reserved = RunEventOf<'call.reserved'>;

function reservations(events: readonly RunEvent[]): Reserved[] {
  return events.filter((event) => event.type === 'call.reserved');
}

/** Makes every request of the log again and compares its bytes with those that came to the server. Gives the agents. */
async function everyCall(config: RunConfig, events: readonly RunEvent[], server?: ModelServer): Promise<Set<string>> {
  const tokens = tokensFor(config, 'dist');
  const calls = reservations(events);
  for (const call of calls) {
    const which = `${call.call_id}: ${call.agent} (${call.step}, attempt ${call.attempt})`;
    const again = await requestAgain(config, events, call.call_id, tokens);
    assert.equal(again.outcome, 'same', `${which} ${JSON.stringify(again).slice(0, 3000)}`);
    if (again.outcome !== 'same') continue;
    assert.equal(sha256(again.body), call.request_sha256, which);
    const sent = server?.requests.some(({ raw }) => raw.equals(again.body));
    assert.ok(sent ?? true, `${which} came to the server`);
  }
  return new Set(calls.map(({ agent }) => agent));
}

/** Calls `act` when so many calls of an agent are under way. */
function during(session: Session, agent: string, count: number, act: () => void): void {
  let seen = 0;
  session.subscribe((event) => {
    if (event.type === 'call.reserved' && event.agent === agent && ++seen === count) act();
  });
}

/** No text is like another. */
function unlike(text: string): number[] {
  return [...sha256(Buffer.from(text))].map((digit) => Number.parseInt(digit, 16) - 7.5);
}

/** Plans grow the list beyond what one request shows; the third cannot be read, the fifth is cut off. */
function wordy(): (request: ChatRequestSeen, index: number) => string | { content: string; finish_reason: string } {
  const think = brain({
    result: (task) => `About "${task}":\n\n${'soil\tand light, "quoted" — and 🌱 more. '.repeat(120)}`,
    newTasks: (_, index) =>
      [1, 2, 3, 4, 5, 6].map((each) => `Look into bed ${index}-${each} and ${'what grows '.repeat(12)}`),
    complete: (index) => index > 3,
  });
  let plans = 0;
  return (request, index) => {
    if (request.prompt.startsWith('You judge')) return '{"verdicts":[{"met":false,"task":""}]}';
    if (!isPlanning(request))
      return request.prompt.startsWith('The reply below') ? '1. Mended task' : think(request, index);
    plans += 1;
    if (plans === 3) return 'I would rather not say.';
    if (plans === 5) return { content: '{"new_tasks": ["cut', finish_reason: 'length' };
    return think(request, index);
  };
}

/** Every `every`-th request fails once, in a way that may be tried again. */
function now(every: number): (request: RequestSeen, index: number) => Fault | null {
  return (_, index) => (index % every === every - 1 ? { kind: 'status', status: index % 2 === 0 ? 503 : 429 } : null);
}

/** Answers of the classic agents; `empty`: some results are. */
function classicReplies(empty = false): (request: ChatRequestSeen, index: number) => string {
  return ({ prompt }, index) => {
    if (prompt.startsWith('Carry out'))
      return empty && index % 2 === 0 ? '' : `Result ${index}\nof many "words" ${'and more '.repeat(2500)}`;
    if (prompt.startsWith('You are to create')) return `1. Task ${index}, with more!\n2. Other ${index}\nno number`;
    return index % 2 === 0
      ? ''
      : `${index}1. Sorted ${index}\n2. Task ${index - 1} with more\n3. Third ${index}\n4. Fourth ${index}`;
  };
}

async function cutAndResumed(t: TestContext, folder: string, count: number, url: string) {
  const copy = join(temporaryFolder(), 'run');
  cpSync(folder, copy, { recursive: true });
  const file = join(copy, 'log', '000001.jsonl');
  const lines = readFileSync(file, 'utf8').split('\n');
  writeFileSync(file, `${lines.slice(0, count).join('\n')}\n`);
  const host = testHost(url);
  t.after(() => host.egress.close());
  const { state } = await resumed(t, copy, host);
  return { config: state.config, events: await eventsOf(copy) };
}

describe('a request made again from the log', () => {
  it('has the same bytes for every call of a guarded run, whatever a person did meanwhile', async (t) => {
    const { state, events, server } = await oneRun(t, {
      server: { reply: wordy(), embed: unlike },
      settings: {
        max_iterations: 9,
        maxNewTasks: 5,
        acceptanceCriteria: ['It has a plan', 'It has a list'],
        recallTokens: 300,
      },
      begun: (session) => {
        const { steering } = session;
        during(session, 'execution', 1, () => steering.guide('Think of the neighbours.'));
        during(session, 'execution', 3, () => {
          const [first = '', second = '', third = ''] = session.state.pending;
          steering.editTask(first, 'Edited\nwhile something else ran');
          steering.removeTask(second);
          steering.blockTask(third, 'not yet');
          steering.addTask('A task of a person');
        });
        during(session, 'planning', 4, () => {
          steering.guide('And of the birds.');
          const [first = '', second = ''] = session.state.pending;
          steering.removeTask(first);
          steering.editTask(second, 'Edited while it was ordered');
        });
        during(session, 'embedding', 5, () => steering.editTask(session.state.pending[0] ?? '', 'Edited once more'));
      },
    });
    assert.ok(state.pending.length > 12, 'the queue is longer than what a request shows');
    const agents = await everyCall(state.config, events, server);
    assert.deepEqual([...agents].sort(), ['embedding', 'execution', 'judge', 'planning', 'repair', 'synthesis']);
  });

  it('has the same bytes where the server wants less in a request, and where attempts fail', async (t) => {
    const { state, events, server } = await oneRun(t, {
      server: {
        reply: wordy(),
        embed: unlike,
        structuredOutputs: 'none',
        rejectParameters: ['seed', 'top_p'],
        requireMaxCompletionTokens: true,
        fault: now(4),
      },
      settings: { max_iterations: 6 },
      host: { clock: new RecordedClock() },
      begun: (session) => {
        let given = 0;
        session.subscribe((event) => {
          // Between two attempts: the second is still the request of before.
          if ((event.type === 'call.held' || event.type === 'call.released') && given < 8)
            session.steering.guide(`Guidance ${++given}`);
        });
      },
    });
    assert.deepEqual([...state.adaptations].sort(), ['json_object', 'json_schema', 'max_tokens', 'seed', 'top_p']);
    await everyCall(state.config, events, server);
    const later = reservations(events).filter(({ inputs }) => inputs.state_seq !== undefined);
    assert.ok(later.some(({ attempt, agent }) => attempt > 1 && agent === 'planning'));
    assert.ok(
      later.every(({ attempt }) => attempt > 1),
      'the event is named only where it says something',
    );
  });

  it('has the same bytes without embeddings, with prompts of a person, and with other parameters', async (t) => {
    const text =
      'Mine: {{task}} for {{objective}}{{#results}}\nEarlier: {{results}}{{/results}}{{#guidance}}{{/guidance}}';
    const { state, events, server } = await oneRun(t, {
      server: { reply: wordy(), embeddings: false },
      settings: { max_iterations: 4, temperature: 0.7, seed: 7, recallTokens: 30, embeddingDimensions: 64 },
      start: { promptOverrides: new Map([['execution', { text, file: 'execution.md' }]]) },
    });
    assert.ok(state.adaptations.has('embeddings'));
    assert.equal(state.config.prompts['execution']?.source, 'execution.md');
    await everyCall(state.config, events, server);
  });

  it('has the same bytes where the closing answer had to do with fewer results', async (t) => {
    const think = brain({ result: (task) => `About ${task}: ${'a lot of words. '.repeat(400)}` });
    const { state, events, server } = await oneRun(t, {
      server: { reply: think },
      settings: { max_iterations: 30, max_tokens: 20_000, embeddingModel: null },
    });
    assert.equal(state.end?.reason, 'max_tokens', state.end?.detail);
    const [closing] = reservations(events).filter(({ agent }) => agent === 'synthesis');
    assert.ok(closing && closing.bound_input_tokens < 5000, 'the closing answer is from parts of the results');
    await everyCall(state.config, events, server);
  });

  it('has the same bytes for every call of a classic run, with its long prompts', async (t) => {
    const { state, events, server } = await oneRun(t, {
      server: {
        reply: classicReplies(),
        embed: unlike,
        fault: ({ path }, index) =>
          path.endsWith('completions') && index % 9 === 8 ? { kind: 'status', status: 429 } : null,
      },
      settings: { strategy: 'classic', sleepSeconds: 0, max_iterations: 7 },
      host: { clock: new RecordedClock() },
      begun: (session) => {
        during(session, 'creation', 3, () => {
          const [first = '', second = ''] = session.state.pending;
          session.steering.editTask(first, 'Edited while tasks were made');
          session.steering.removeTask(second);
          session.steering.addTask('Of a person, to be blocked');
        });
        during(session, 'creation', 4, () => session.steering.blockTask(session.state.pending.at(-1) ?? '', 'later'));
        during(session, 'prioritization', 2, () =>
          session.steering.editTask(session.state.pending[0] ?? '', 'Edited while the list was put in order'),
        );
      },
    });
    const agents = await everyCall(state.config, events, server);
    assert.deepEqual([...agents].sort(), ['creation', 'embedding', 'execution', 'prioritization', 'synthesis']);

    const bare = await oneRun(t, {
      server: { reply: classicReplies(true) },
      settings: { strategy: 'classic', sleepSeconds: 0, max_iterations: 7, embeddingModel: null },
    });
    await everyCall(bare.state.config, bare.events, bare.server);
    const results = [...bare.state.memory.values()].map(({ callId }) => bare.state.calls.get(callId)?.answer);
    assert.ok(results.includes('') && results.some(Boolean), 'some results are empty');
  });

  it('has the same bytes for every call of runs that were cut off anywhere and resumed', async (t) => {
    for (const strategy of ['guarded', 'classic'] as const) {
      const reply = strategy === 'guarded' ? wordy() : classicReplies();
      const settings = { strategy, max_iterations: 3, sleepSeconds: 0 };
      const whole = await oneRun(t, { server: { reply, embed: unlike }, settings });
      const folder = whole.outcome.runDirectory;
      for (let count = 2; count < whole.events.length - 1; count += 3) {
        const { config, events } = await cutAndResumed(t, folder, count, whole.server.url);
        await everyCall(config, events, whole.server);
      }
    }
  });

  it('has the same bytes for a rehearsal and for a language model of VS Code', async (t) => {
    const rehearsal = await oneRun(t, { start: { provider: 'rehearsal' }, settings: { max_iterations: 3 } });
    await everyCall(rehearsal.state.config, rehearsal.events);
    const model: LanguageModel = {
      prepare: (request) => {
        return { request, model: 'gpt-x', origin: 'vscode:lm/a/gpt-x', body: languageModelBody('gpt-x', request) };
      },
      send: () =>
        Promise.resolve({
          model: 'gpt-x',
          fingerprint: null,
          finishReason: null,
          text: '1. ok',
          vectors: null,
          usage: null,
        }),
    };
    const settings = testSettings('https://nowhere.invalid/v1', { max_iterations: 2, model: 'gpt-x' });
    const host = testHost('https://nowhere.invalid', { languageModel: () => Promise.resolve(model) });
    t.after(() => host.egress.close());
    const start = testStart(temporaryFolder(), { provider: 'vscode-lm' });
    const session = await startRun({ ...settings, baseUrl: 'vscode:lm/a/gpt-x' }, start, host);
    const { runDirectory } = await session.done;
    const agents = await everyCall(session.state.config, await eventsOf(runDirectory));
    assert.ok(agents.has('planning'));
  });

  it('is told from another one', async (t) => {
    const { state, events } = await oneRun(t, { server: { reply: brain() }, settings: { max_iterations: 2 } });
    const { config } = state;
    const tokens = tokensFor(config, 'dist');
    const calls = reservations(events);
    const other = { ...config, objective: `${config.objective}!` };
    for (const { call_id: id, agent } of calls) {
      const again = await requestAgain(other, events, id, tokens);
      if (agent !== 'embedding') assert.equal(again.outcome, 'different', id);
    }
    const last = calls.at(-1)?.call_id ?? '';
    const why = async (from: readonly (RunEvent | UnknownEvent)[], id = last, by = config) => {
      const again = await requestAgain(by, from, id, tokens);
      return again.outcome === 'not_possible' ? again.why : again.outcome;
    };
    assert.equal(await why(events, 'c999'), 'no_such_call');
    const changed = (change: (event: RunEvent) => RunEvent | UnknownEvent) => events.map(change);
    const unknown = changed((event) => (event.seq === 3 ? { type: 'unknown', seq: 3, raw: {} } : event));
    assert.equal(await why(unknown), 'newer_version');
    const isLast = (event: RunEvent): event is Reserved => event.type === 'call.reserved' && event.call_id === last;
    assert.equal(await why(changed((event) => (isLast(event) ? { ...event, step: 'dream' } : event))), 'newer_version');
    assert.equal(await why(events.filter(({ type }) => type !== 'task.started')), 'inconsistent');
    assert.equal(await why(events, last, { ...config, prompts: {} }), 'inconsistent');
    const lost = changed((event) =>
      event.type === 'call.reserved' && event.agent === 'execution' ? { ...event, task_id: 't99' } : event,
    );
    assert.equal(await why(lost, calls[0]?.call_id), 'inconsistent');
  });
});
