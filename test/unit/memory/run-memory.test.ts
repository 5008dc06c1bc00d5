import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RunMemory } from '../../../src/memory/run-memory.ts';
import { normalized } from '../../../src/memory/text.ts';
import type { EventDraft } from '../../../src/run/events.ts';
import { apply, fold } from '../../../src/run/fold.ts';
import { initialState } from '../../../src/run/state.ts';
import { answered, events, iteration, makeConfig, startOfRun, task } from '../../support/run-events.ts';

/** The memory of a run as it grew, and as it is built anew from the same log. */
function memories(...drafts: EventDraft[]): { grown: RunMemory; rebuilt: RunMemory } {
  const log = events(...startOfRun(), ...drafts);
  const state = initialState(makeConfig());
  const grown = new RunMemory(state);
  for (const event of log) {
    apply(state, event);
    grown.apply(event);
  }
  return { grown, rebuilt: new RunMemory(fold(makeConfig(), log)) };
}

function embedded(callId: string, vectors: Record<string, number[]>): EventDraft[] {
  const embeds = Object.keys(vectors);
  return answered(callId, null, {
    agent: 'embedding',
    embeds,
    vectors: Object.values(vectors).map((vector) => Float32Array.from(vector)),
  });
}

const LOG: EventDraft[] = [
  task('t2', 'Study soil'),
  task('t3', 'Study light'),
  ...iteration(1, 't1', 'Where to start'),
  ...iteration(2, 't2', 'Soil is acid'),
  ...iteration(3, 't3', 'Light is bright'),
  task('t4', 'Return to soil'),
];
const VECTORS = embedded('v1', {
  objective: [0, 0, 1],
  'task/t4': [0.9, 0.1, 0],
  'result/t1': [0, 0.1, 1],
  'result/t2': [1, 0, 0],
  'result/t3': [0, 1, 0],
});

describe('the memory of a run', () => {
  it('recalls by the likeness of vectors, task and objective together', () => {
    for (const memory of Object.values(memories(...LOG, ...VECTORS))) {
      assert.deepEqual(memory.recall('t4', 3), ['t2', 't1', 't3']);
      assert.deepEqual(memory.recall('t4', 1), ['t2']);
      assert.deepEqual(memory.nearest('objective', 1), ['t1']);
    }
  });

  it('recalls by words where there are no vectors', () => {
    for (const memory of Object.values(memories(...LOG))) assert.equal(memory.recall('t4', 1)[0], 't2');
  });

  it('knows a task by its text, whatever its state, and not by a text that it no longer has', () => {
    const edit: EventDraft = { type: 'task.edited', task_id: 't4', text: 'Look at water', by: 'user' };
    for (const memory of Object.values(memories(...LOG, edit))) {
      assert.equal(memory.taskWithText(normalized('STUDY  soil!')), 't2');
      assert.equal(memory.taskWithText(normalized('look at water')), 't4');
      assert.equal(memory.taskWithText(normalized('Return to soil')), undefined);
      assert.equal(memory.taskWithText('nothing'), undefined);
    }
  });

  it('compares a proposal with tasks alone, not with earlier proposals that were refused', () => {
    const refused: EventDraft[] = Array.from({ length: 12 }, (_, index) => [
      ...embedded(`p${index}`, { [`task/x${index}`]: [1, 0.02, 0] }),
      {
        type: 'task.suppressed',
        text: `x${index}`,
        duplicate_of: 't4',
        similarity: 1,
        why: 'similar',
        parent_task_id: null,
        iteration: 4,
      } satisfies EventDraft,
    ]).flat();
    for (const memory of Object.values(
      memories(...LOG, ...VECTORS, ...refused, ...embedded('last', { 'task/x99': [1, 0.02, 0] })),
    )) {
      assert.equal(memory.mostSimilarTask('last', 0)?.taskId, 't4');
    }
  });

  it('compares an edited task by its new text only', () => {
    const edit: EventDraft = { type: 'task.edited', task_id: 't4', text: 'Soil and water', by: 'user' };
    const proposal = embedded('p', { 'task/x': [0.9, 0.1, 0] });
    for (const memory of Object.values(memories(...LOG, ...VECTORS, edit, ...proposal))) {
      assert.equal(memory.mostSimilarTask('p', 0), null);
      assert.deepEqual(memory.recall('t4', 1), ['t2'], 'by words until it has a vector again');
    }
  });

  it('of a strategy that overwrites has the last result in each place only', () => {
    const places: Record<string, string> = { t1: 'result_1', t2: 'result_2', t3: 'result_2' };
    // The vector of the result that is overwritten came before it was.
    const early = LOG.findIndex((draft) => draft.type === 'task.started' && draft.task_id === 't3');
    const vector = embedded('v0', { 'result/t2': [1, 0, 0] });
    const classic = [...LOG.slice(0, early), ...vector, ...LOG.slice(early), ...VECTORS].map((draft) =>
      draft.type === 'memory.stored' ? { ...draft, memory_id: places[draft.task_id] ?? '' } : draft,
    );
    for (const memory of Object.values(memories(...classic))) {
      assert.deepEqual(
        memory.recall('t4', 2),
        ['result_1', 'result_2'],
        'the overwritten result does not take a place',
      );
    }
  });

  it('leaves out vectors of another length, as after a change on the server', () => {
    const odd = embedded('odd', { 'result/t3': [1, 0], 'task/x': [1, 0] });
    for (const memory of Object.values(memories(...LOG, ...VECTORS, ...odd))) {
      assert.equal(memory.mostSimilarTask('odd', 1), null);
      assert.ok(memory.recall('t4', 3).includes('t2'));
    }
  });
});
