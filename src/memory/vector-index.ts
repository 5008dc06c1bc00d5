import { createDotMemory, type DotMemory } from './dot-kernel.ts';
import { LANES, ROWS_AT_ONCE } from './dot-module.ts';

// Where things lie in the memory of an index, counted in floats: the results of the moment, the query, the rows.
const RESULTS_START = 0;
const QUERY_START = RESULTS_START + ROWS_AT_ONCE;

/** A stored vector: its id, its place among the rows (0-based) and the number of its insertion. */
interface Row {
  readonly id: string;
  place: number;
  readonly insertion: number;
}

interface Candidate {
  readonly row: Row;
  readonly similarity: number;
}

/**
 * Vectors by id, searched exactly: float32 cosine against every row, with the same result on every machine. A row takes
 * 4 bytes per dimension, rounded up to 16; `delete` makes room for later rows but gives none back.
 */
export class VectorIndex {
  private readonly dimensions: number;
  /** Floats from the start of a row to that of the next. */
  private readonly stride: number;
  private readonly rowById = new Map<string, Row>();
  /** By place, without gaps. */
  private readonly rows: Row[] = [];
  private insertions = 0;
  private memory: DotMemory | undefined;

  /** Throws RangeError unless `dimensions` is a positive integer. */
  constructor(dimensions: number) {
    if (!Number.isSafeInteger(dimensions) || dimensions < 1) {
      throw new RangeError(`The dimensions of a vector index must be a positive integer, not ${dimensions}.`);
    }
    this.dimensions = dimensions;
    this.stride = Math.ceil(dimensions / LANES) * LANES;
  }

  /**
   * Stores a copy of the vector, scaled to length 1 (a zero vector as zeros). A stored id gets the new vector and keeps
   * its place in the order of insertion. Throws RangeError and changes nothing if the vector has another length than
   * the index, holds NaN or Infinity, or finds no memory left.
   */
  set(id: string, vector: Float32Array): void {
    const scale = this.unitScale(vector);
    const present = this.rowById.get(id);
    const row = present ?? { id, place: this.rows.length, insertion: this.insertions++ };
    this.memory ??= createDotMemory();
    this.memory.grow(this.rowStart(Math.ceil((row.place + 1) / ROWS_AT_ONCE) * ROWS_AT_ONCE));
    this.write(this.memory, this.rowStart(row.place), vector, scale);
    if (present) return;
    this.rowById.set(id, row);
    this.rows.push(row);
  }

  /** Forgets an id; one that is not stored is no error. */
  delete(id: string): void {
    const row = this.rowById.get(id);
    const last = this.rows.at(-1);
    if (!row || !last || !this.memory) return;
    this.memory.floats.copyWithin(this.rowStart(row.place), this.rowStart(last.place), this.rowStart(last.place + 1));
    this.rows[row.place] = last;
    last.place = row.place;
    this.rows.pop();
    this.rowById.delete(id);
  }

  /**
   * The ids most similar to the query by cosine (-1 to 1), at most `count`, best first, ties by insertion order. With a
   * zero vector every similarity is 0. Throws RangeError on a query that `set` would refuse and on a `count` that is no
   * integer of 0 or more.
   */
  nearest(query: Float32Array, count: number): { id: string; similarity: number }[] {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new RangeError(`The count of nearest vectors must be an integer of 0 or more, not ${count}.`);
    }
    const scale = this.unitScale(query);
    if (!this.memory) return [];
    this.write(this.memory, QUERY_START, query, scale);
    const best: Candidate[] = [];
    for (const [place, row] of this.rows.entries()) {
      const turn = place % ROWS_AT_ONCE;
      if (turn === 0) this.memory.dots(QUERY_START, this.rowStart(place), this.stride, RESULTS_START);
      // Rounding may leave the product of two unit vectors a little outside.
      const similarity = Math.max(-1, Math.min(1, this.memory.floats[RESULTS_START + turn] as number));
      const worst = best.at(-1);
      if (worst && best.length === count && !precedes(similarity, row, worst)) continue;
      best.splice(positionFor(similarity, row, best), 0, { row, similarity });
      if (best.length > count) best.pop();
    }
    return best.map(({ row, similarity }) => ({ id: row.id, similarity }));
  }

  private rowStart(place: number): number {
    return QUERY_START + (1 + place) * this.stride;
  }

  /** What a vector is multiplied by to have length 1; 0 for a zero vector. */
  private unitScale(vector: Float32Array): number {
    if (vector.length !== this.dimensions) {
      throw new RangeError(`The vector has ${vector.length} dimensions, the index has ${this.dimensions}.`);
    }
    let squares = 0;
    for (let index = 0; index < vector.length; index++) {
      const value = vector[index] as number;
      squares += value * value;
    }
    // Squares of finite float32 numbers can neither overflow nor vanish in float64.
    if (!Number.isFinite(squares)) throw new RangeError('The vector holds a number that is not finite.');
    return squares === 0 ? 0 : 1 / Math.sqrt(squares);
  }

  private write(memory: DotMemory, start: number, vector: Float32Array, scale: number): void {
    const { floats } = memory;
    for (let index = 0; index < vector.length; index++) floats[start + index] = (vector[index] as number) * scale;
  }
}

/** Whether a row comes before a candidate in the result. */
function precedes(similarity: number, row: Row, other: Candidate): boolean {
  if (similarity !== other.similarity) return similarity > other.similarity;
  return row.insertion < other.row.insertion;
}

/** Where in the sorted candidates a row belongs. */
function positionFor(similarity: number, row: Row, sorted: readonly Candidate[]): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (precedes(similarity, row, sorted[middle] as Candidate)) high = middle;
    else low = middle + 1;
  }
  return low;
}
