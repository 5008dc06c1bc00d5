import * as z from 'zod';
import { decodeVector } from '../memory/run-memory.ts';
import type { RunState } from '../run/state.ts';
import { asciiJson } from './line.ts';

/** One row of results.json: a memory entry as it was at the end. */
export const ResultRow = z.object({
  task_id: z.string(),
  task_text: z.string(),
  result_text: z.string(),
  embedding_vector: z.array(z.number()).nullable().describe('Exact float32 values. Null: the result has no vector.'),
  embedding_model: z.string().nullable().describe('The model that the server says made the vector.'),
});
export type ResultRow = z.infer<typeof ResultRow>;

/** A row whose vector is still base64 of float32, as the log has it: as numbers it takes five times the room. */
export type StoredResult = Omit<ResultRow, 'embedding_vector'> & { readonly vector: string | null };

/** The rows of results.json, in the order in which they were stored. */
export function storedResults(state: RunState): StoredResult[] {
  return [...state.memory.values()].map(({ taskId, callId }) => {
    const place = state.vectors.get(`result/${taskId}`);
    const embedding = place && state.calls.get(place.callId);
    return {
      task_id: taskId,
      task_text: state.tasks.get(taskId)?.text ?? '',
      result_text: state.calls.get(callId)?.answer ?? '',
      vector: (place && embedding?.vectors?.[place.index]) ?? null,
      embedding_model: embedding?.model ?? null,
    };
  });
}

/** The file, in pieces of one row each. */
export function* resultsJson(results: readonly StoredResult[]): Generator<string> {
  let before = '[';
  for (const { task_id, task_text, result_text, vector, embedding_model } of results) {
    const text = asciiJson({ task_id, task_text, result_text }).slice(0, -1);
    const numbers = vector === null ? 'null' : vectorJson(vector);
    yield `${before}\n${text},"embedding_vector":${numbers},"embedding_model":${asciiJson(embedding_model)}}`;
    before = ',';
  }
  yield results.length === 0 ? '[]\n' : '\n]\n';
}

/** JSON.stringify drops the sign of -0. */
function vectorJson(encoded: string): string {
  return `[${Array.from(decodeVector(encoded), (value) => (Object.is(value, -0) ? '-0' : JSON.stringify(value))).join(',')}]`;
}
