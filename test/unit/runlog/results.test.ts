import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import * as z from 'zod';
import type { EventDraft } from '../../../src/run/events.ts';
import { fold } from '../../../src/run/fold.ts';
import { ResultRow, resultsJson, storedResults } from '../../../src/runlog/results.ts';
import { answered, events, iteration, makeConfig, startOfRun, task } from '../../support/run-events.ts';

function rowsOf(drafts: readonly EventDraft[]): ResultRow[] {
  const state = fold(makeConfig(), events(...drafts));
  const json = [...resultsJson(storedResults(state))].join('');
  assert.match(json, /^[\n\x20-\x7e]*$/);
  return z.array(ResultRow).parse(JSON.parse(json));
}

function embedded(taskId: string, vector: Float32Array): EventDraft[] {
  const embeds = ['objective', `result/${taskId}`];
  const vectors = [new Float32Array([9, 9]), vector];
  return answered(`e-${taskId}`, null, { agent: 'embedding', model: 'text-embedding-3-small-v2', embeds, vectors });
}

describe('results.json', () => {
  it('is an array with a row for each stored result', () => {
    const hostile = '"quoted" \u2028 \ud800 </script>\n';
    const rows = rowsOf([
      ...startOfRun(),
      ...iteration(1, 't1', hostile, task('t2', 'Second'), ...embedded('t1', new Float32Array([0.1, -2]))),
      ...iteration(2, 't2', 'Two.'),
    ]);
    assert.deepEqual(rows, [
      {
        task_id: 't1',
        task_text: 'Develop a task list',
        result_text: hostile,
        embedding_vector: [Math.fround(0.1), -2],
        embedding_model: 'text-embedding-3-small-v2',
      },
      { task_id: 't2', task_text: 'Second', result_text: 'Two.', embedding_vector: null, embedding_model: null },
    ]);
    assert.deepEqual(rowsOf(startOfRun()), []);
  });

  it('has what is in memory at the end, where a later result took the place of an earlier one', () => {
    const [first, second] = [iteration(1, 't1', 'One.', task('t2', 'Second')), iteration(2, 't2', 'Two.')];
    const overwriting = second.map((draft) => (draft.type === 'memory.stored' ? { ...draft, memory_id: 't1' } : draft));
    assert.deepEqual(
      rowsOf([...startOfRun(), ...first, ...overwriting]).map((row) => row.result_text),
      ['Two.'],
    );
  });

  it('gives every float32 back bit for bit', () => {
    const vectors = fc.float32Array({ noNaN: true, noDefaultInfinity: true, minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(vectors, (vector) => {
        const [row] = rowsOf([...startOfRun(), ...iteration(1, 't1', 'One.', ...embedded('t1', vector))]);
        const numbers = row?.embedding_vector ?? [];
        assert.deepEqual(Buffer.from(new Float32Array(numbers).buffer), Buffer.from(vector.buffer));
        assert.deepEqual(numbers, [...vector], 'as numbers too, not only rounded');
      }),
      { numRuns: 100, examples: [[new Float32Array([-0, 0, 1e-45, 0.1])]] },
    );
  });
});
