import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Session } from '../../../src/engine/session.ts';
import { explainRun } from '../../../src/research/explain.ts';
import { ONLY_BLOCKED_WAIT, readyTasks, replacedAround } from '../../../src/run/queue.ts';
import type { TaskState } from '../../../src/run/state.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { Summary } from '../../../src/runlog/summary.ts';
import { verifyRun } from '../../../src/runlog/verify.ts';
import { briefOfFiles, briefOfState } from '../../../src/vscode/run-brief.ts';
import { brain } from '../../support/brain.ts';
import { bodies, oneRun, resumed, tasksIn } from '../../support/one-run.ts';
import { testHost } from '../../support/run-host.ts';

/** Three tasks after the first one, and no more; the objective is never met. */
function three(): ReturnType<typeof brain> {
  const think = brain({ newTasks: (_last, index) => (index === 0 ? ['Dig', 'Sow', 'Rake'] : []) });
  return (request, index) =>
    request.messages[0]?.content.startsWith('You judge')
      ? JSON.stringify({ verdicts: [{ met: false, task: '' }] })
      : think(request, index);
}
const PLAIN = { max_iterations: 20, embeddingModel: null } as const;

const idOf = ({ state }: Session, text: string) =>
  [...state.tasks.values()].find((task) => task.text === text)?.id ?? 'nobody';

/** Does something once the iteration is complete: the next task may have been taken by then. */
function after(session: Session, iteration: number, act: () => void): void {
  session.subscribe((event) => {
    if (event.type === 'iteration.completed' && event.iteration === iteration) act();
  });
}

describe('the waiting tasks', () => {
  const queue = (...all: [string, TaskState][]) => ({
    pending: all.map(([id]) => id),
    tasks: new Map(all.map(([id, state]) => [id, { state }])),
  });

  it('are ready where nobody holds them back', () => {
    assert.deepEqual(readyTasks(queue(['a', 'blocked'], ['b', 'pending'], ['c', 'blocked'], ['d', 'pending'])), [
      'b',
      'd',
    ]);
  });

  it('that are blocked keep their places in a new list', () => {
    const before = queue(['a', 'blocked'], ['b', 'pending'], ['c', 'pending'], ['d', 'blocked']);
    assert.deepEqual(replacedAround(before, ['c', 'x', 'b']), ['a', 'c', 'x', 'd', 'b']);
    assert.deepEqual(replacedAround(before, []), ['a', 'd']);
  });
});

describe('a blocked task', () => {
  it('is passed over, is not shown to be placed, keeps its place, and is still known again', async (t) => {
    const again = brain({
      newTasks: (_last, index) => (index === 0 ? ['Dig', 'Sow', 'Rake'] : ['Dig']),
      // What is shown is turned around.
      priority: (text) => ['Rake', 'Sow', 'Dig'].indexOf(text),
    });
    const { outcome, state, events, server } = await oneRun(t, {
      server: { reply: again },
      settings: { ...PLAIN, max_iterations: 3, synthesis: false },
      begun: (session) =>
        after(session, 1, () => session.steering.blockTask(idOf(session, 'Dig'), ' The ground is frozen ')),
    });
    assert.equal(outcome.stopReason, 'max_iterations');
    assert.deepEqual(tasksIn(state, 'blocked'), ['Dig']);
    assert.deepEqual(
      events.flatMap((event) => (event.type === 'task.blocked' ? [[event.by, event.why]] : [])),
      [['user', 'The ground is frozen']],
    );
    assert.deepEqual(tasksIn(state, 'done').sort(), ['Develop a task list', 'Rake', 'Sow']);
    const plans = bodies(server, 'chat/completions')
      .map((body) => JSON.stringify(body))
      .filter((body) => body.includes('You keep a task list'));
    assert.ok(
      plans.slice(1).every((body) => !/t\d+ Dig/.test(body)),
      'it is no candidate',
    );
    assert.ok(state.suppressed.some(({ text, why }) => text === 'Dig' && why === 'same_text'));
  });

  it('is all that is left: a run that nobody attends ends, says so, answers, and goes on once it is unblocked', async (t) => {
    const { outcome, state, server, events } = await oneRun(t, {
      server: { reply: three() },
      settings: PLAIN,
      begun: (session) => after(session, 1, () => session.steering.blockTask(idOf(session, 'Sow'), '')),
    });
    assert.equal(outcome.stopReason, 'queue_empty');
    assert.equal(outcome.detail, 'After 3 iterations 1 blocked task is left, and no other one.');
    assert.deepEqual(state.end?.error?.class, 'only_blocked');
    assert.deepEqual(
      events.flatMap((event) => (event.type === 'task.blocked' ? [event.why] : [])),
      [undefined],
    );
    assert.ok(
      [...state.calls.values()].some(({ agent }) => agent === 'synthesis'),
      'the answer is written',
    );
    const text = (name: string) => readFileSync(join(outcome.runDirectory, name), 'utf8');
    const summary = Summary.parse(JSON.parse(text('summary.json')));
    assert.deepEqual([summary.task_counts.blocked, summary.task_counts.pending], [1, 0]);
    assert.equal(summary.meaning, 'Only blocked tasks were left.');
    assert.match(summary.next ?? '', /resume the run and unblock them/);
    assert.match(summary.continue_with ?? '', / resume .* --unblock-tasks$/);
    assert.match(text('summary.md'), /\| Sow \| \[blocked\]\(log\/000001\.jsonl#L\d+\), no\. 1 of the queue \|/);
    for (const brief of [
      briefOfState(state, false),
      briefOfFiles(JSON.parse(text('config.json')), JSON.parse(text('summary.json')), false),
    ])
      assert.equal(brief?.onlyBlocked, true);
    const explained = explainRun(state, { directory: 'runs/one', owned: false, imported: false });
    assert.match(explained.why, /Only blocked tasks were left\. After 3 iterations 1 blocked task is left/);
    assert.deepEqual([explained.lastError, explained.next.command?.endsWith('--unblock-tasks')], [null, true]);
    assert.ok((await verifyRun(nodeDisk, outcome.runDirectory)).ok);

    const host = testHost(server.url);
    t.after(() => host.egress.close());
    const sent = server.requests.length;
    const still = await resumed(t, outcome.runDirectory, host);
    assert.deepEqual([still.outcome.stopReason, still.state.end?.error?.class], ['queue_empty', 'only_blocked']);
    assert.equal(server.requests.length, sent, 'nothing is bought for it');
    const freed = await resumed(t, outcome.runDirectory, host, { unblockTasks: true });
    assert.deepEqual([freed.outcome.stopReason, freed.state.end?.error], ['queue_empty', null]);
    assert.ok(tasksIn(freed.state, 'done').includes('Sow'));
    assert.ok((await verifyRun(nodeDisk, outcome.runDirectory)).ok);
  });

  it('is all that is left: with a person there the run waits, and goes on by itself once it is unblocked', async (t) => {
    const whys: (string | null)[] = [];
    const { outcome, state, events } = await oneRun(t, {
      server: { reply: three() },
      settings: { ...PLAIN, synthesis: false },
      host: { attended: true },
      begun: (session) => {
        after(session, 1, () => {
          for (const text of ['Rake', 'Sow']) session.steering.blockTask(idOf(session, text), 'wait');
        });
        session.subscribe((event) => {
          if (event.type !== 'run.paused') return;
          whys.push(session.state.pausedWhy);
          session.steering.editTask(idOf(session, 'Sow'), 'Sow beans');
          session.steering.removeTask(idOf(session, 'Rake'));
          session.steering.unblockTask(idOf(session, 'Sow beans'));
        });
      },
    });
    assert.deepEqual(whys, [ONLY_BLOCKED_WAIT]);
    assert.deepEqual([outcome.stopReason, state.end?.error], ['queue_empty', null]);
    assert.ok(tasksIn(state, 'done').includes('Sow beans'));
    assert.deepEqual(
      events.flatMap((event) => (event.type === 'run.resumed' ? [event.by] : [])),
      ['loop'],
    );
  });

  it('is all that is left: whoever resumes the run without unblocking it ends the run', async (t) => {
    const { outcome, state } = await oneRun(t, {
      server: { reply: three() },
      settings: { ...PLAIN, synthesis: false },
      host: { attended: true },
      begun: (session) => {
        after(session, 1, () => session.steering.blockTask(idOf(session, 'Rake'), ''));
        session.subscribe((event) => void (event.type === 'run.paused' && session.steering.resume()));
      },
    });
    assert.deepEqual([outcome.stopReason, state.end?.error?.class], ['queue_empty', 'only_blocked']);
    assert.deepEqual(tasksIn(state, 'blocked'), ['Rake']);
  });

  it('waits on in a run that is taken up again, until it is unblocked', async (t) => {
    const { outcome, server } = await oneRun(t, {
      server: { reply: three() },
      settings: { ...PLAIN, synthesis: false },
      host: { attended: true },
      begun: (session) => {
        after(session, 1, () => session.steering.blockTask(idOf(session, 'Sow'), ''));
        session.subscribe((event) => void (event.type === 'run.paused' && session.abandon()));
      },
    });
    const host = testHost(server.url, { attended: true });
    t.after(() => host.egress.close());
    const { resumeRun } = await import('../../../src/engine/resume.ts');
    const session = await resumeRun(outcome.runDirectory, { raise: {}, byPerson: false }, host);
    t.after(() => session.stop());
    assert.deepEqual([session.state.status, session.state.pausedWhy], ['paused', ONLY_BLOCKED_WAIT]);
    session.steering.unblockTask(idOf(session, 'Sow'));
    const again = await session.done;
    assert.deepEqual([again.stopReason, session.state.end?.error], ['queue_empty', null]);
    assert.ok(tasksIn(session.state, 'done').includes('Sow'));
  });

  it('is passed over by the classic loop too, which neither reorders nor drops it', async (t) => {
    const reply = (request: { messages: readonly { content: string }[] }) => {
      const asked = request.messages[0]?.content ?? '';
      if (asked.startsWith('You are to put')) return '1. Rake\n2. Invented';
      return asked.includes('new tasks') ? '1. Dig\n2. Sow\n3. Rake' : 'Done.';
    };
    let blocked = '';
    const { state } = await oneRun(t, {
      server: { reply },
      settings: { max_iterations: 3, strategy: 'classic', sleepSeconds: 0, synthesis: false, initialTask: 'Dig' },
      begun: (session) => {
        const { steering } = session;
        blocked = steering.addTask('Mine');
        steering.blockTask(blocked, '');
      },
    });
    assert.equal(state.iteration, 3);
    assert.equal(state.tasks.get(blocked)?.state, 'blocked');
    assert.equal(state.pending[0], blocked, 'its place is the first one');
  });
});
