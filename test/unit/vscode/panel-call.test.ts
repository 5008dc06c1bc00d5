import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startRun } from '../../../src/engine/start.ts';
import type { RunState } from '../../../src/run/state.ts';
import { CallReader } from '../../../src/vscode/call-reader.ts';
import { callDetail, callRequest } from '../../../src/vscode/panel-call.ts';
import { brain } from '../../support/brain.ts';
import { type ChatRequestSeen, startModelServer } from '../../support/model-server.ts';
import { oneRun } from '../../support/one-run.ts';
import { temporaryFolder, testHost, testSettings, testStart } from '../../support/run-host.ts';

function callOf(state: RunState, agent: string) {
  const call = [...state.calls.values()].find((each) => each.agent === agent && each.status === 'settled');
  assert.ok(call, agent);
  return call;
}

describe('a call in the panel', () => {
  it('shows the messages as they were sent, the parameters, the proof and the answer', async (t) => {
    const { state, outcome, server } = await oneRun(t, {
      server: { reply: brain(), fault: (_, index) => (index === 0 ? { kind: 'usage', lie: 'missing' } : null) },
      settings: { max_iterations: 2, objective: 'Plan *a* <b>garden</b>\u202e' },
    });
    const reader = new CallReader('dist');
    const call = callOf(state, 'execution');
    const { again, usageNote } = await reader.of(state, outcome.runDirectory, call.id);
    const { proof, parts, parameters } = callRequest(again, call);
    const [first] = server.requests as ChatRequestSeen[];
    assert.equal(proof, 'same');
    assert.deepEqual(
      parts.map(({ text }) => text),
      first?.messages.map(({ content }) => content.replace('\u202e', '')),
      'as they are, without what could turn the text around them',
    );
    assert.match(parts[1]?.text ?? '', /Plan \*a\* <b>garden<\/b>/);
    assert.deepEqual(parameters, ['model gpt-4o', 'max_tokens 2000', 'temperature 0', 'top_p 1', 'seed 42']);
    assert.match(usageNote ?? '', /no usable usage/);
    const detail = callDetail(state, call.id);
    assert.equal(detail?.answer?.markdown, true);
    assert.equal(detail?.answer?.text, call.answer);
    const planning = callOf(state, 'planning');
    const plan = callRequest((await reader.of(state, outcome.runDirectory, planning.id)).again, planning);
    assert.ok(plan.parameters.includes('response_format json_schema'));
    assert.equal(callDetail(state, planning.id)?.answer?.markdown, false, 'JSON is shown as it is');
  });

  it('names the texts of an embedding request, and counts its vectors', async (t) => {
    const { state, outcome } = await oneRun(t, { server: { reply: brain() }, settings: { max_iterations: 1 } });
    const call = callOf(state, 'embedding');
    const { again } = await new CallReader('dist').of(state, outcome.runDirectory, call.id);
    assert.deepEqual(
      callRequest(again, call).parts.map(({ title }) => title),
      ['Task t2', 'Result of t1', 'Task t1', 'Objective'],
    );
    assert.deepEqual(callDetail(state, call.id)?.notes, ['4 vectors.']);
  });

  it('is shown while it is under way, and says what became of one without an answer', async (t) => {
    const server = await startModelServer({
      reply: brain(),
      fault: (_, index) => (index === 0 ? { kind: 'status', status: 500 } : { kind: 'hang' }),
    });
    const host = testHost(server.url);
    const session = await startRun(testSettings(server.baseUrl), testStart(temporaryFolder()), host);
    t.after(async () => {
      session.stop();
      await session.done;
      host.egress.close();
      await server.close();
    });
    await new Promise<void>((resolve) => {
      session.subscribe((event) => {
        if (event.type === 'call.reserved' && event.attempt === 2) resolve();
      });
    });
    const { state } = session;
    assert.match(callDetail(state, 'c1')?.error ?? '', /500/);
    assert.deepEqual(callDetail(state, 'c1')?.notes, ['There was no answer.']);
    const open = callDetail(state, 'c2');
    assert.deepEqual([open?.status, open?.answer, open?.notes], ['reserved', null, ['There is no answer yet.']]);
    const { again } = await new CallReader('dist').of(state, session.folder.path, 'c2');
    assert.equal(again.outcome, 'same', 'the log of a run in progress is read as it is');
  });

  it('is cut to what a page can show', async (t) => {
    const long = 'word '.repeat(40_000);
    const { state, outcome } = await oneRun(t, {
      server: { reply: () => long, countTokens: () => 100 },
      settings: { max_iterations: 1, strategy: 'classic', sleepSeconds: 0 },
    });
    const execution = callOf(state, 'execution');
    const detail = callDetail(state, execution.id);
    assert.equal(detail?.answer?.text.length, 60_000);
    assert.deepEqual(detail?.notes, ['It is longer; the whole is in the log.']);
    const embedding = callOf(state, 'embedding');
    const { again } = await new CallReader('dist').of(state, outcome.runDirectory, embedding.id);
    const [part] = callRequest(again, embedding).parts;
    assert.deepEqual([part?.text.length, part?.cut], [60_000, true]);
  });

  it('says why its request cannot be shown', async (t) => {
    const { state } = await oneRun(t, { server: { reply: brain() }, settings: { max_iterations: 1 } });
    const call = callOf(state, 'execution');
    const { again } = await new CallReader('dist').of(state, temporaryFolder(), call.id);
    const request = callRequest(again, call);
    assert.equal(request.proof, 'not_possible');
    assert.match(request.words, /^The request could not be made again: the log does not come to this call/);
    assert.equal(callDetail(state, 'c99'), null);
  });

  it('is given to each of many that ask at the same time', async (t) => {
    const { state, outcome } = await oneRun(t, { server: { reply: brain() }, settings: { max_iterations: 3 } });
    const reader = new CallReader('dist');
    const ids = [...state.calls.keys()];
    const all = await Promise.all(ids.map((id) => reader.of(state, outcome.runDirectory, id)));
    assert.deepEqual(new Set(all.map(({ again }) => again.outcome)), new Set(['same']));
  });
});
