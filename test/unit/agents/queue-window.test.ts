import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HEAD, placement, queueWindow, SAMPLE } from '../../../src/agents/queue-window.ts';

const ids = (count: number) => Array.from({ length: count }, (_, index) => `t${index + 1}`);

describe('the window on the queue', () => {
  it('shows all of a short queue, in order', () => {
    assert.deepEqual(queueWindow(ids(HEAD + SAMPLE), 3), ids(HEAD + SAMPLE));
    assert.deepEqual(queueWindow([], 1), []);
  });

  it('shows the head and as many others whatever the length of the queue, each once and in order', () => {
    fc.assert(
      fc.property(fc.integer({ min: HEAD + SAMPLE + 1, max: 12_000 }), fc.nat(100_000), (length, iteration) => {
        const pending = ids(length);
        const shown = queueWindow(pending, iteration);
        assert.deepEqual(shown.slice(0, HEAD), pending.slice(0, HEAD));
        assert.equal(shown.length, HEAD + SAMPLE);
        const places = shown.map((id) => Number(id.slice(1)));
        assert.ok(places.every((place, index) => index === 0 || place > (places[index - 1] ?? 0)));
      }),
      { numRuns: 300 },
    );
  });

  it('reaches every task after a while', () => {
    fc.assert(
      fc.property(fc.integer({ min: HEAD + SAMPLE + 1, max: 600 }), fc.nat(10_000), (length, start) => {
        const pending = ids(length);
        const seen = new Set<string>();
        for (let iteration = start; iteration < start + length; iteration++)
          for (const id of queueWindow(pending, iteration)) seen.add(id);
        assert.equal(seen.size, length);
      }),
      { numRuns: 50 },
    );
  });
});

describe('the placement of a reply', () => {
  const queue = fc.integer({ min: 0, max: 40 }).map(ids);
  const word = fc.oneof(
    fc.integer({ min: 1, max: 45 }).map((n) => `t${n}`),
    fc.integer({ min: 1, max: 6 }).map((n) => `n${n}`),
    fc.string(),
  );

  it('is a permutation of what was shown, whatever the reply', () => {
    fc.assert(
      fc.property(queue, fc.nat(100), fc.nat(4), fc.array(word), (pending, iteration, newTasks, reply) => {
        const shown = queueWindow(pending, iteration);
        const { order, before, sequence } = placement(pending, shown, newTasks, reply);
        assert.deepEqual([...order].sort(), [...shown].sort());
        assert.equal(before.length, newTasks);
        assert.ok(before.every((id) => id === null || pending.includes(id)));
        assert.deepEqual(
          [...sequence].sort((a, b) => a - b),
          Array.from({ length: newTasks }, (_, index) => index),
        );
      }),
      { numRuns: 500 },
    );
  });

  /** The queue that comes of a placement, by the rules of the events. */
  function applied(
    pending: readonly string[],
    shown: readonly string[],
    newTasks: number,
    reply: readonly string[],
  ): string[] {
    const { order, before, sequence } = placement(pending, shown, newTasks, reply);
    let next = 0;
    const queue = pending.map((id) => (shown.includes(id) ? (order[next++] ?? id) : id));
    for (const index of sequence) {
      const at = queue.indexOf(before[index] ?? '');
      queue.splice(at < 0 ? queue.length : at, 0, `n${index + 1}`);
    }
    return queue;
  }

  it('is exactly the reply where the reply is complete', () => {
    const complete = fc.tuple(fc.integer({ min: 0, max: HEAD + SAMPLE }), fc.nat(4)).chain(([length, newTasks]) =>
      fc.tuple(
        fc.constant(ids(length)),
        fc.constant(newTasks),
        fc.shuffledSubarray([...ids(length), ...Array.from({ length: newTasks }, (_, index) => `n${index + 1}`)], {
          minLength: length + newTasks,
        }),
      ),
    );
    fc.assert(
      fc.property(complete, ([pending, newTasks, reply]) =>
        assert.deepEqual(applied(pending, pending, newTasks, reply), reply),
      ),
    );
  });

  it('leaves forgotten tasks where they are among the shown, and forgotten new ones at the end', () => {
    assert.deepEqual(applied(['a', 'b', 'c', 'd'], ['a', 'b', 'c', 'd'], 1, ['d', 'b']), ['a', 'd', 'c', 'b', 'n1']);
    assert.deepEqual(applied(['a', 'b'], ['a', 'b'], 2, ['n2', 'b', 'a']), ['n2', 'b', 'a', 'n1']);
  });

  it('leaves tasks that were not shown where they are', () => {
    assert.deepEqual(applied(['a', 'x', 'b', 'y'], ['a', 'b'], 1, ['b', 'n1', 'a']), ['b', 'n1', 'x', 'a', 'y']);
  });
});
