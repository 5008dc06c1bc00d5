import { createHash } from 'node:crypto';
import type { RunState } from './state.ts';

/** What a person sees at a review, hashed: a decision holds for exactly this and nothing else. */
export function reviewDigest(state: RunState): string {
  const tasks = state.pending.map((id) => [id, state.tasks.get(id)?.text]);
  const seen = JSON.stringify([state.config.run_id, state.iteration, tasks, state.limits, state.guidance]);
  return createHash('sha256').update(seen).digest('hex');
}
