import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { EngineError } from '../../../src/engine/engine-error.ts';
import { forkRun, readParent, settingsOfRun } from '../../../src/engine/fork.ts';
import { readRun } from '../../../src/engine/read.ts';
import { tokensFor } from '../../../src/engine/run-tokens.ts';
import { exportArchive } from '../../../src/research/export-archive.ts';
import { explainRun } from '../../../src/research/explain.ts';
import { importArchive } from '../../../src/research/import-archive.ts';
import { projection } from '../../../src/research/projection.ts';
import { replayRun } from '../../../src/research/replay.ts';
import { replaySentences } from '../../../src/research/replay-words.ts';
import { requestAgain } from '../../../src/research/request-again.ts';
import { reviewReport } from '../../../src/research/review-report.ts';
import { figuresOf } from '../../../src/research/compare.ts';
import { usdFromPico } from '../../../src/budget/money.ts';
import { dueReview } from '../../../src/run/review.ts';
import type { RunEvent } from '../../../src/run/events.ts';
import { checkSettings, type RawSettings } from '../../../src/run/settings.ts';
import { fold } from '../../../src/run/fold.ts';
import { activeMs, type RunState } from '../../../src/run/state.ts';
import { exposition } from '../../../src/telemetry/exposition.ts';
import { metricsOf } from '../../../src/telemetry/metrics.ts';
import { panelSections } from '../../../src/vscode/panel-data.ts';
import { FIRST_VIEW } from '../../../src/vscode/panel-messages.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { verifyRun } from '../../../src/runlog/verify.ts';
import { brain } from '../../support/brain.ts';
import { parsedMetrics } from '../../support/metrics-text.ts';
import type { ModelServerOptions } from '../../support/model-server.ts';
import { bodies, eventsOf, type FinishedRun, oneRun, resumed } from '../../support/one-run.ts';
import { temporaryFolder, testHost, testStart } from '../../support/run-host.ts';

const ALONE = { directory: 'runs/one', owned: false, imported: false };
const LIMITS = { max_iterations: 6, max_cost_usd: 1 } as const;

async function forked(t: TestContext, directory: string, url: string, iteration: number, raw: RawSettings = {}) {
  const parent = await readParent(nodeDisk, directory);
  const checked = checkSettings({ ...settingsOfRun(parent), ...LIMITS, ...raw });
  assert.ok('settings' in checked, JSON.stringify(checked));
  const host = testHost(url);
  t.after(() => host.egress.close());
  const session = await forkRun(parent, iteration, checked.settings, testStart(temporaryFolder()), host);
  t.after(() => session.stop());
  const outcome = await session.done;
  const events = await eventsOf(outcome.runDirectory);
  return { outcome, state: session.state, events, directory: outcome.runDirectory, host };
}

/** Answers of both strategies, which depend on nothing but the request. */
function steady(): NonNullable<ModelServerOptions['reply']> {
  const think = brain({
    newTasks: (last) => [`After ${last}`.slice(0, 40), `Beside ${last}`.slice(0, 40), 'Look into soil'],
  });
  return (request, index) => {
    const { prompt } = request;
    if (prompt.startsWith('Carry out')) return `Result: ${prompt.length} words.`;
    if (prompt.startsWith('You are to create')) return `1. Task ${prompt.length}\n2. Other ${prompt.length}`;
    if (request.messages.length === 1) return `1. Sorted ${prompt.length}\n2. Second ${prompt.length}`;
    if (prompt.startsWith('You judge')) return '{"verdicts":[{"met":false,"task":""}]}';
    return think(request, index);
  };
}

/** A run with a failed task and a person in it, and its folder. */
function parentRun(t: TestContext, settings: RawSettings = {}): Promise<FinishedRun> {
  return oneRun(t, {
    server: { reply: steady(), dimensions: 16, fault: (_, index) => (index === 3 ? { kind: 'empty' } : null) },
    settings: { max_iterations: 5, sleepSeconds: 0, acceptanceCriteria: ['It has a plan'], ...settings },
    begun: (session) => {
      session.subscribe((event) => {
        const { steering, state } = session;
        if (event.type !== 'call.reserved' || event.agent !== 'execution' || event.iteration !== 2) return;
        steering.addTask('Of a person');
        if (state.config.strategy === 'guarded') steering.guide('Think of the neighbours.');
        steering.blockTask(state.pending[0] ?? '', 'later');
      });
    },
  });
}

function stateAfter(config: RunState['config'], events: readonly RunEvent[], iteration: number): RunState {
  const at = events.findIndex((event) => event.type === 'iteration.completed' && event.iteration === iteration);
  return fold(config, events.slice(0, at + 1));
}

/** What a fork takes over. */
function essence(state: RunState): unknown {
  const answer = (id: string | null) => (id === null ? null : state.calls.get(id)?.answer);
  return {
    tasks: [...state.tasks.values()].map(({ changedSeq: _seq, resultCallId, ...task }) => [task, answer(resultCallId)]),
    pending: state.pending,
    iteration: state.iteration,
    taskCounter: state.taskCounter,
    memory: [...state.memory.values()].map(({ id, taskId, callId }) => [id, taskId, answer(callId)]),
    vectors: [...state.vectors].map(([what, { callId, index }]) => [what, state.calls.get(callId)?.vectors?.[index]]),
    suppressed: state.suppressed.map(({ text, duplicate_of, why }) => [text, duplicate_of, why]),
    guidance: state.guidance,
    strikes: [state.strikes, state.failuresInARow],
  };
}

async function assertSound(directory: string): Promise<void> {
  const { ok, firstProblem } = await verifyRun(nodeDisk, directory);
  assert.ok(ok, String(firstProblem));
  const parts = { disk: nodeDisk, distDirectory: 'dist', signal: new AbortController().signal };
  const replay = await replayRun(directory, parts);
  assert.ok(replay.identical, replaySentences(replay).join('\n'));
}

describe('a fork', () => {
  for (const strategy of ['guarded', 'classic'] as const) {
    it(`of a ${strategy} run begins with its state after an iteration, and goes on as it did`, async (t) => {
      const parent = await parentRun(t, { strategy });
      const { runDirectory } = parent.outcome;
      const log = readFileSync(join(runDirectory, 'log', '000001.jsonl'), 'utf8');
      for (const iteration of [1, 3]) {
        const before = parent.server.requests.length;
        const fork = await forked(t, runDirectory, parent.server.url, iteration);
        const { forked_from } = fork.state.config;
        assert.ok(forked_from);
        const then = stateAfter(parent.state.config, parent.events, iteration);
        const now = fold(fork.state.config, fork.events.slice(0, forked_from.through));
        assert.deepEqual(essence(now), essence(then));
        assert.deepEqual(
          [now.money, now.tokens],
          [
            { settled: 0n, held: 0n, reserved: 0n },
            { settled: 0, held: 0, reserved: 0 },
          ],
        );
        assert.equal(now.origins.size, 0);
        assert.equal(now.calls.size, forked_from.calls);

        assert.deepEqual(
          [forked_from.run_id, forked_from.iteration, forked_from.seq],
          [parent.state.config.run_id, iteration, then.lastSeq],
        );
        assert.match(log.split('\n')[then.lastSeq - 1] ?? '', new RegExp(`"h":"${forked_from.hash}"`));
        // Nothing of what was answered is asked for again, and what comes next is what came next.
        const own = fork.events.filter((event) => event.seq > forked_from.through && event.type === 'call.reserved');
        assert.equal(parent.server.requests.length - before, own.length);
        const next = (events: readonly RunEvent[]) =>
          events.flatMap((event) =>
            event.type === 'call.reserved' && event.agent === 'execution' && event.iteration === iteration + 1
              ? event.request_sha256
              : [],
          );
        assert.deepEqual(next(fork.events), next(parent.events).slice(0, 1));
        assert.equal(fork.outcome.iterations, 6);
        const summary = JSON.parse(readFileSync(join(fork.directory, 'summary.json'), 'utf8')) as {
          requests: { made: number };
        };
        assert.equal(summary.requests.made, own.length);
        assert.match(
          readFileSync(join(fork.directory, 'summary.md'), 'utf8'),
          new RegExp(`^Forked from run \`${forked_from.run_id}\` after iteration ${iteration}: `, 'm'),
        );
        await assertSound(fork.directory);
      }
      assert.equal(readFileSync(join(runDirectory, 'log', '000001.jsonl'), 'utf8'), log, 'the other run is only read');
    });
  }

  it('may have another strategy, and makes its own vectors where the embedding model is another one', async (t) => {
    const parent = await parentRun(t);
    const { runDirectory } = parent.outcome;
    const classic = await forked(t, runDirectory, parent.server.url, 3, {
      strategy: 'classic',
      sleepSeconds: 0,
      max_iterations: 4,
    });
    assert.equal(classic.outcome.iterations, 4);
    assert.ok(classic.events.some(({ type }) => type === 'tasks.replaced' || type === 'iteration.completed'));
    await assertSound(classic.directory);
    const back = await forked(t, classic.directory, parent.server.url, 4, { strategy: 'guarded', max_iterations: 5 });
    assert.equal(back.outcome.iterations, 5);
    await assertSound(back.directory);

    const other = await forked(t, runDirectory, parent.server.url, 3, { embeddingModel: 'text-embedding-3-large' });
    const { forked_from } = other.state.config;
    assert.equal(fold(other.state.config, other.events.slice(0, forked_from?.through)).vectors.size, 0);
    assert.ok(other.state.vectors.size > 5);
    assert.ok(bodies(parent.server, 'embeddings').some(({ model }) => model === 'text-embedding-3-large'));
    await assertSound(other.directory);
  });

  it('draws on its own limits only, and has figures of its own', async (t) => {
    const parent = await parentRun(t);
    const fork = await forked(t, parent.outcome.runDirectory, parent.server.url, 4, { max_requests: 4 });
    assert.equal(fork.outcome.stopReason, 'max_requests');
    const { through, calls } = fork.state.config.forked_from ?? { through: 0, calls: 0 };
    const own = fork.events.filter((event) => event.type === 'call.reserved' && event.seq > through);
    assert.ok(own.length > 2 && own.length <= 4 && calls > 8);
    const figures = figuresOf(fork.state);
    assert.deepEqual([figures.iterationsTakenOver, figures.requests], [4, own.length]);
    const done = [...fork.state.tasks.values()].filter(
      ({ state, iteration }) => state === 'done' && (iteration ?? 0) > 4,
    );
    assert.equal(figures.results, done.length);
    const tokens = tokensFor(fork.state.config, 'dist');
    const first = await requestAgain(fork.state.config, fork.events, 'c1', tokens);
    assert.deepEqual(first, { outcome: 'not_possible', why: 'taken_over' });
    const last = await requestAgain(fork.state.config, fork.events, `c${calls + 1}`, tokens);
    assert.equal(last.outcome, 'same');
  });

  it('is reckoned by what it did itself, everywhere', async (t) => {
    const parent = await parentRun(t);
    const fork = await forked(t, parent.outcome.runDirectory, parent.server.url, 4, { reviewEvery: 2 });
    const { config } = fork.state;
    const { through = 0, calls: takenOver = 0 } = config.forked_from ?? {};
    const begun = fold(config, fork.events.slice(0, through));
    const panel = (state: RunState) =>
      panelSections(state, FIRST_VIEW, { now: Date.parse(state.updatedAt), activeMs: activeMs(state), where: 'here' });
    assert.equal(projection(begun), null, 'what was taken over took nothing of its limits');
    assert.equal(dueReview(begun), null, 'a fork does not begin with a review');
    assert.equal(reviewReport(begun).iterations, 0);
    assert.match(explainRun(begun, ALONE).cost.text, /no result/);
    assert.deepEqual(panel(begun).agents, []);
    assert.doesNotMatch(exposition(metricsOf([begun])), /babyagi_calls_total/);

    const { state } = fork;
    assert.equal(state.iteration, 6);
    const own = [...state.calls.values()].slice(takenOver);
    const cost = projection(state)?.courses.find(({ limit }) => limit === 'max_cost_usd');
    const spent = own.reduce((sum, call) => sum + (call.agent === 'synthesis' ? 0n : call.cost), 0n);
    assert.deepEqual([cost?.taken, cost?.by], [spent, 2n]);
    const { settled, held } = state.money;
    const { results, perResultUsd } = explainRun(state, ALONE).cost;
    assert.deepEqual(
      [results, perResultUsd],
      [figuresOf(state).results, usdFromPico((settled + held) / BigInt(results))],
    );
    const { value } = parsedMetrics(exposition(metricsOf([state])));
    const shown = panel(state).agents ?? [];
    assert.equal(
      shown.reduce((sum, { calls }) => sum + calls, 0),
      own.length,
    );
    for (const agent of new Set(own.map((call) => call.agent))) {
      const counted = ['settled', 'held', 'released'].map(
        (outcome) => value('babyagi_calls_total', { run_id: config.run_id, agent, outcome }) ?? 0,
      );
      const made = own.filter((call) => call.agent === agent).length;
      assert.equal(
        counted.reduce((sum, count) => sum + count),
        made,
        agent,
      );
    }
  });

  it('can be cut off and resumed, forked again, and made from an archive', async (t) => {
    const parent = await parentRun(t);
    const zip = join(temporaryFolder(), 'run.zip');
    await exportArchive(parent.outcome.runDirectory, zip, {});
    const { runDirectory } = await importArchive(zip, temporaryFolder(), { now: Date.now });
    const fork = await forked(t, runDirectory, parent.server.url, 2);
    const through = fork.state.config.forked_from?.through ?? 0;
    for (const count of [through, through + 4, fork.events.length - 3]) {
      const cut = cutAfter(fork.directory, count);
      const again = await resumed(t, cut, fork.host);
      assert.equal(again.outcome.iterations, 6);
      await assertSound(cut);
    }
    const second = await forked(t, fork.directory, parent.server.url, 4);
    assert.equal(second.state.config.forked_from?.run_id, fork.state.config.run_id);
    await assertSound(second.directory);
    for (const count of [2, through - 1]) {
      await assert.rejects(
        resumed(t, cutAfter(fork.directory, count), fork.host),
        (error) =>
          error instanceof EngineError && error.reason === 'damaged' && /fork that one again/.test(error.message),
      );
    }
  });

  it('is refused before anything is made where there is nothing to begin after, or no iteration is left', async (t) => {
    const parent = await parentRun(t);
    const refused = (pattern: RegExp) => (error: unknown) =>
      error instanceof EngineError && error.reason === 'configuration' && pattern.test(error.message);
    const { runDirectory } = parent.outcome;
    await assert.rejects(
      forked(t, runDirectory, parent.server.url, 6),
      refused(/has not completed iteration 6.*from 1 to 5/),
    );
    await assert.rejects(
      forked(t, runDirectory, parent.server.url, 5, { max_iterations: 5 }),
      refused(/counts the 5 iterations/),
    );
    const none = await oneRun(t, { begun: (session) => session.stop() });
    await assert.rejects(forked(t, none.outcome.runDirectory, parent.server.url, 1), refused(/completed no iteration/));
    await assert.rejects(readRun(nodeDisk, temporaryFolder()));
  });
});

/** A copy of a run folder whose log ends behind so many lines. */
function cutAfter(directory: string, count: number): string {
  const copy = join(temporaryFolder(), 'run');
  cpSync(directory, copy, { recursive: true });
  const file = join(copy, 'log', '000001.jsonl');
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, count);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return copy;
}
