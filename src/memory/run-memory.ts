import MiniSearch from 'minisearch';
import type { RunEvent } from '../run/events.ts';
import type { Memory } from '../run/ports.ts';
import type { RunState } from '../run/state.ts';
import { normalized } from './text.ts';
import { VectorIndex } from './vector-index.ts';

/** The objective's share in a recall query beside the task's own vector. */
const OBJECTIVE_WEIGHT = 0.5;

/**
 * Memory as a projection of the run: `apply` each event after the state took it. Likeness is exact cosine where there
 * are vectors, BM25 over words where there are none.
 */
export class RunMemory implements Memory {
  private readonly state: RunState;
  /** Tasks that have or had that normalised text. */
  private readonly tasksByText = new Map<string, string[]>();
  private readonly memoryByTask = new Map<string, string>();
  /** Of all vectors; one of another length, as after a change on the server, cannot be compared. */
  private dimensions: number | null = null;
  private results: VectorIndex | null = null;
  private tasks: VectorIndex | null = null;
  /** Only of what was stored when it was last asked: most runs never ask. */
  private readonly words = new MiniSearch<{ id: string; text: string }>({
    fields: ['text'],
    searchOptions: { combineWith: 'OR' },
  });
  /** Memory entries that are not among the words yet, or with an older result. */
  private readonly unread: Set<string>;

  constructor(state: RunState) {
    this.state = state;
    for (const task of state.tasks.values()) this.know(task.id, task.text);
    for (const entry of state.memory.values()) this.memoryByTask.set(entry.taskId, entry.id);
    for (const what of state.vectors.keys()) this.index(what);
    this.unread = new Set(state.memory.keys());
  }

  apply(event: RunEvent): void {
    switch (event.type) {
      case 'task.created':
      case 'task.edited':
        this.know(event.task_id, event.text);
        // An edited task lost the vector of its old text; a new one may have got its own before it was accepted.
        this.tasks?.delete(event.task_id);
        this.index(`task/${event.task_id}`);
        return;
      case 'tasks.replaced':
        for (const task of event.tasks) this.know(task.task_id, task.text);
        return;
      case 'call.settled': {
        const call = this.state.calls.get(event.call_id);
        for (const what of call?.inputs.embeds ?? []) this.index(what);
        return;
      }
      case 'memory.stored':
        this.forgetOthers(event.memory_id, event.task_id);
        this.memoryByTask.set(event.task_id, event.memory_id);
        this.unread.delete(event.memory_id);
        this.unread.add(event.memory_id);
        return;
      default:
        return;
    }
  }

  taskWithText(text: string): string | undefined {
    return this.tasksByText.get(text)?.find((id) => normalized(this.state.tasks.get(id)?.text ?? '') === text);
  }

  recall(taskId: string, count: number): readonly string[] {
    const task = this.vector(`task/${taskId}`);
    if (task === null || this.results === null) {
      const text = this.state.tasks.get(taskId)?.text ?? '';
      return this.byWords(`${text} ${this.state.config.objective}`, count);
    }
    const objective = this.vector('objective');
    const query = objective ? task.map((value, index) => value + OBJECTIVE_WEIGHT * (objective[index] ?? 0)) : task;
    return this.memoryIds(this.results.nearest(query, count));
  }

  nearest(what: string, count: number): readonly string[] {
    const vector = this.vector(what);
    if (vector === null || this.results === null) return this.byWords(this.state.config.objective, count);
    return this.memoryIds(this.results.nearest(vector, count));
  }

  mostSimilarTask(callId: string, index: number): { taskId: string; similarity: number } | null {
    const encoded = this.state.calls.get(callId)?.vectors?.[index];
    if (encoded === undefined || this.tasks === null) return null;
    const own = this.state.calls.get(callId)?.inputs.embeds?.[index]?.slice('task/'.length);
    const vector = decodeVector(encoded);
    if (vector.length !== this.dimensions) return null;
    const found = this.tasks.nearest(vector, 2).find(({ id }) => id !== own);
    return found ? { taskId: found.id, similarity: found.similarity } : null;
  }

  private index(what: string): void {
    const vector = this.vector(what);
    if (vector === null) return;
    const [kind, id = ''] = splitOnce(what);
    // A proposal that was not accepted is no task: among many of them the task that they repeat would not be found.
    if (kind === 'task' && this.state.tasks.has(id)) {
      this.tasks ??= new VectorIndex(vector.length);
      this.tasks.set(id, vector);
    } else if (kind === 'result' && this.isStored(id)) {
      this.results ??= new VectorIndex(vector.length);
      this.results.set(id, vector);
    }
  }

  private vector(what: string): Float32Array | null {
    const place = this.state.vectors.get(what);
    const encoded = place && this.state.calls.get(place.callId)?.vectors?.[place.index];
    if (encoded === undefined) return null;
    const vector = decodeVector(encoded);
    this.dimensions ??= vector.length;
    return vector.length === this.dimensions ? vector : null;
  }

  private isStored(taskId: string): boolean {
    return this.state.memory.get(this.memoryByTask.get(taskId) ?? '')?.taskId === taskId;
  }

  private know(id: string, text: string): void {
    const key = normalized(text);
    const known = this.tasksByText.get(key);
    if (known?.includes(id)) return;
    if (known) known.push(id);
    else this.tasksByText.set(key, [id]);
  }

  /** `classic` overwrites: the result that was stored there before is gone. */
  private forgetOthers(memoryId: string, taskId: string): void {
    for (const [other, id] of this.memoryByTask) {
      if (id !== memoryId || other === taskId) continue;
      this.memoryByTask.delete(other);
      this.results?.delete(other);
    }
  }

  /** Results are indexed by task; a memory entry may since have been overwritten by another task's. */
  private memoryIds(found: readonly { id: string }[]): string[] {
    return found.flatMap(({ id }) => {
      const memoryId = this.memoryByTask.get(id);
      return memoryId !== undefined && this.state.memory.get(memoryId)?.taskId === id ? memoryId : [];
    });
  }

  private byWords(query: string, count: number): string[] {
    for (const id of this.unread) this.readWords(id);
    this.unread.clear();
    return this.words
      .search(query)
      .slice(0, count)
      .map(({ id }) => String(id));
  }

  private readWords(memoryId: string): void {
    const entry = this.state.memory.get(memoryId);
    if (!entry) return;
    const text = `${this.state.tasks.get(entry.taskId)?.text ?? ''}\n${this.state.calls.get(entry.callId)?.answer ?? ''}`;
    if (this.words.has(memoryId)) this.words.replace({ id: memoryId, text });
    else this.words.add({ id: memoryId, text });
  }
}

/** Base64 of little-endian float32, as the log keeps it, to numbers. */
export function decodeVector(encoded: string): Float32Array {
  const bytes = Buffer.from(encoded, 'base64');
  return new Float32Array(
    bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength - (bytes.byteLength % 4)),
  );
}

function splitOnce(what: string): [string, string?] {
  const slash = what.indexOf('/');
  return slash < 0 ? [what] : [what.slice(0, slash), what.slice(slash + 1)];
}
