import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { EventDraft } from '../../../src/run/events.ts';
import { FoldError } from '../../../src/run/fold-error.ts';
import { fold } from '../../../src/run/fold.ts';
import { settledCall } from '../../../src/run/state.ts';
import {
  answered,
  ended,
  epochOpened,
  events,
  failedIteration,
  iteration,
  makeConfig,
  reserved,
  startOfRun,
  task,
  unanswered,
} from '../../support/run-events.ts';

const NO_TAIL = { segment: 1, cut_at: 0, tail_bytes: 0, tail: 'none' } as const;

/** A history that a run could have: choices are numbers, read as what is possible at each point. */
function history(choices: readonly number[]): EventDraft[] {
  const drafts: EventDraft[] = startOfRun();
  const pending = ['t1'];
  const blocked = new Set<string>();
  let made = 1;
  let rounds = 0;
  let calls = 0;
  const create = (by: 'loop' | 'user', choice: number) => {
    const before = choice % 3 === 0 ? (pending[choice % Math.max(1, pending.length)] ?? null) : null;
    const id = by === 'user' ? `u${(made += 1)}` : `t${(made += 1)}`;
    drafts.push(task(id, `Task ${id}`, { by, before }));
    pending.splice(before === null ? pending.length : pending.indexOf(before), 0, id);
  };
  for (const choice of choices) {
    const first = pending.find((id) => !blocked.has(id));
    switch (choice % 11) {
      case 0:
      case 1:
        if (first === undefined) break;
        pending.splice(pending.indexOf(first), 1);
        rounds += 1;
        drafts.push(...iteration(rounds, first, `Result ${rounds}`));
        break;
      case 2:
        if (first === undefined) break;
        pending.splice(pending.indexOf(first), 1);
        rounds += 1;
        drafts.push(...failedIteration(rounds, first, 'It did not work'));
        break;
      case 3:
        create('loop', choice);
        break;
      case 4:
        create('user', choice);
        break;
      case 5: {
        const target = pending[choice % Math.max(1, pending.length)];
        if (target === undefined) break;
        pending.splice(pending.indexOf(target), 1);
        blocked.delete(target);
        drafts.push({ type: 'task.removed', task_id: target, by: 'user', why: 'test' });
        break;
      }
      case 6: {
        const named = pending.filter((_, index) => (choice >> index) % 2 === 0).reverse();
        const places = pending.flatMap((id, index) => (named.includes(id) ? [index] : []));
        places.forEach((place, index) => (pending[place] = named[index] ?? ''));
        drafts.push({ type: 'tasks.prioritized', order: named, by: 'loop', call_id: null });
        break;
      }
      case 7: {
        const target = pending[choice % Math.max(1, pending.length)];
        if (target === undefined) break;
        if (blocked.delete(target)) drafts.push({ type: 'task.unblocked', task_id: target, by: 'user' });
        else {
          blocked.add(target);
          drafts.push({ type: 'task.blocked', task_id: target, by: 'user', why: 'test' });
        }
        break;
      }
      case 8:
        drafts.push(...unanswered(`f${(calls += 1)}`, choice % 2 === 0 ? 'held' : 'released', 'It failed'));
        break;
      case 9:
        drafts.push(...answered(`a${(calls += 1)}`, 'Answer'));
        break;
      default:
        drafts.push(epochOpened(NO_TAIL));
    }
  }
  return drafts;
}

describe('the state of a run', () => {
  it('is the fold of its events: no prefix contradicts itself, no money is negative, no task is in two places', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000), { maxLength: 60 }), (choices) => {
        const log = events(...history(choices));
        const config = makeConfig();
        for (let length = 0; length <= log.length; length += 7) {
          const { money, pending, tasks, current } = fold(config, log.slice(0, length));
          assert.ok(money.settled >= 0n && money.held >= 0n && money.reserved >= 0n);
          assert.equal(new Set(pending).size, pending.length);
          const waiting = [...tasks.values()]
            .filter(({ state }) => state === 'pending' || state === 'blocked')
            .map(({ id }) => id);
          assert.deepEqual([...pending].sort(), waiting.sort());
          const running = [...tasks.values()].filter(({ state }) => state === 'running');
          assert.ok(running.length <= 1 && running.every(({ id }) => id === current?.taskId));
        }
        const whole = fold(config, log);
        assert.equal(whole.money.reserved, 0n, 'every reservation was taken back');
        const costs = [...whole.calls.values()].reduce((sum, call) => sum + call.cost, 0n);
        assert.equal(whole.money.settled + whole.money.held, costs);
        const rows = whole.iterations.reduce((sum, row) => sum + row.cost, whole.tally.cost);
        assert.equal(rows, costs, 'the rows of the charts hold all of it');
      }),
      { numRuns: 150 },
    );
  });

  it('has the tasks in the places that the history gave them', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000), { maxLength: 40 }), fc.nat(), (choices, seed) => {
        const before = fold(makeConfig(), events(...history(choices))).pending;
        const named = before.filter((_, index) => (seed >> (index % 30)) % 2 === 0).reverse();
        const after = fold(
          makeConfig(),
          events(...history(choices), {
            type: 'tasks.prioritized',
            order: [...named, 'nobody'],
            by: 'user',
            call_id: null,
          }),
        ).pending;
        assert.deepEqual([...after].sort(), [...before].sort());
        assert.deepEqual(
          after.filter((id) => named.includes(id)),
          named,
        );
        for (const [index, id] of before.entries()) if (!named.includes(id)) assert.equal(after[index], id);
      }),
      { numRuns: 100 },
    );
  });

  it('goes on through a pause, a review and an end', () => {
    const review: EventDraft = { type: 'review.requested', review_id: 'r1', iteration: 1, digest: 'd', why: 'test' };
    const decided: EventDraft = {
      type: 'review.decided',
      review_id: 'r1',
      digest: 'd',
      decision: 'approve',
      by: 'user',
      via: 'test',
    };
    const paused: EventDraft = { type: 'run.paused', by: 'user', why: 'test' };
    const statusAfter = (...drafts: EventDraft[]) => fold(makeConfig(), events(...startOfRun(), ...drafts)).status;
    assert.equal(statusAfter(), 'running');
    assert.equal(statusAfter(paused), 'paused');
    assert.equal(statusAfter(paused, { type: 'run.resumed', by: 'user' }), 'running');
    assert.equal(statusAfter(review), 'review');
    assert.equal(statusAfter(review, paused), 'review');
    assert.equal(statusAfter(review, paused, decided), 'paused');
    assert.equal(statusAfter(review, decided), 'running');
    assert.equal(statusAfter(ended('max_cost')), 'ended');
    assert.equal(statusAfter(ended('max_cost'), epochOpened(NO_TAIL)), 'running');
    assert.equal(statusAfter(review, ended('stopped_at_review'), epochOpened(NO_TAIL)), 'review');
    assert.equal(statusAfter(paused, epochOpened(NO_TAIL)), 'paused');
  });

  it('counts the active time of all epochs', () => {
    const log = events(...startOfRun(), ...iteration(1, 't1', 'x'), epochOpened(NO_TAIL), ...answered('a', 'b'));
    const state = fold(makeConfig(), log);
    assert.equal(state.earlierMs, log.filter(({ epoch }) => epoch === 1).at(-1)?.mono_ms);
    assert.equal(state.epochMs, 2000);
  });

  it('gives the settled answer of a step, and that of its last attempt only', () => {
    const step = { step: 'plan', iteration: 1 };
    const state = fold(
      makeConfig(),
      events(...startOfRun(), ...unanswered('a', 'held', 'x', step), ...answered('b', 'Yes', step)),
    );
    assert.equal(settledCall(state, 1, 'plan')?.answer, 'Yes');
    assert.equal(settledCall(state, 2, 'plan'), null);
    const open = fold(makeConfig(), events(...startOfRun(), reserved('a', step)));
    assert.equal(settledCall(open, 1, 'plan'), null);
  });

  it('forgets the vector of a task whose text was changed', () => {
    const drafts = [
      ...startOfRun(),
      ...answered('v', null, { agent: 'embedding', embeds: ['task/t1'], vectors: [new Float32Array([1, 0])] }),
    ];
    assert.deepEqual(fold(makeConfig(), events(...drafts)).vectors.get('task/t1'), { callId: 'v', index: 0 });
    const edited: EventDraft = { type: 'task.edited', task_id: 't1', text: 'Something else', by: 'user' };
    assert.equal(fold(makeConfig(), events(...drafts, edited)).vectors.has('task/t1'), false);
  });
});

describe('a log that contradicts itself', () => {
  const settledTwice = answered('a', 'x')[1];
  const contradictions: Record<string, EventDraft[]> = {
    'a task made twice': [task('t1', 'again')],
    'a task started that is not there': [{ type: 'task.started', task_id: 't9', iteration: 1 }],
    'a task started twice': [
      { type: 'task.started', task_id: 't1', iteration: 1 },
      { type: 'task.started', task_id: 't1', iteration: 1 },
    ],
    'a task completed that waits': [
      ...answered('a', 'x'),
      { type: 'task.completed', task_id: 't1', iteration: 1, call_id: 'a' },
    ],
    'a task completed by a call that is not there': [
      { type: 'task.started', task_id: 't1', iteration: 1 },
      { type: 'task.completed', task_id: 't1', iteration: 1, call_id: 'nobody' },
    ],
    'a task failed that is done': [
      ...iteration(1, 't1', 'x'),
      { type: 'task.failed', task_id: 't1', iteration: 1, error: { class: 'x', message: 'x' } },
    ],
    'a done task edited': [...iteration(1, 't1', 'x'), { type: 'task.edited', task_id: 't1', text: 'y', by: 'user' }],
    'a done task removed': [...iteration(1, 't1', 'x'), { type: 'task.removed', task_id: 't1', by: 'user', why: 'x' }],
    'a blocked task started': [
      { type: 'task.blocked', task_id: 't1', by: 'user' },
      { type: 'task.started', task_id: 't1', iteration: 1 },
    ],
    'a task blocked twice': [
      { type: 'task.blocked', task_id: 't1', by: 'user' },
      { type: 'task.blocked', task_id: 't1', by: 'user' },
    ],
    'a task unblocked that is not blocked': [{ type: 'task.unblocked', task_id: 't1', by: 'user' }],
    'a done task blocked': [...iteration(1, 't1', 'x'), { type: 'task.blocked', task_id: 't1', by: 'user' }],
    'a done task put back in the list': [
      ...iteration(1, 't1', 'x'),
      { type: 'tasks.replaced', tasks: [{ task_id: 't1', label: '1', text: 'x' }], call_id: 'x1' },
    ],
    'a call reserved twice': [reserved('a'), reserved('a')],
    'a call settled twice': settledTwice ? [...answered('a', 'x'), settledTwice] : [],
    'a call settled that was never reserved': settledTwice ? [settledTwice] : [],
    'a result stored of a call that is not there': [
      { type: 'memory.stored', memory_id: 't1', task_id: 't1', call_id: 'nobody' },
    ],
    'a limit added that is below what is used': [
      ...answered('a', 'x', { inputTokens: 70, outputTokens: 30 }),
      { type: 'limit.added', limit: 'max_tokens', to: 99, by: 'user' },
    ],
    'a limit added twice': [
      { type: 'limit.added', limit: 'max_requests', to: 5, by: 'user' },
      { type: 'limit.added', limit: 'max_requests', to: 6, by: 'user' },
    ],
    'a limit added with no value that it can have': [
      { type: 'limit.added', limit: 'max_requests', to: 1.5, by: 'user' },
    ],
    'a review decided that nobody asked for': [
      { type: 'review.decided', review_id: 'r1', digest: 'd', decision: 'approve', by: 'user', via: 'x' },
    ],
  };
  for (const [what, drafts] of Object.entries(contradictions)) {
    it(`by ${what} is not folded`, () =>
      assert.throws(() => fold(makeConfig(), events(...startOfRun(), ...drafts)), FoldError));
  }

  it('by a gap in its numbers is not folded', () => {
    const log = events(...startOfRun(), ...iteration(1, 't1', 'x'));
    assert.throws(() => fold(makeConfig(), [...log.slice(0, 3), ...log.slice(4)]), FoldError);
  });
});
