import { DOT_MODULE, LANES, ROWS_AT_ONCE } from './dot-module.ts';

/** Growing room for float32 numbers, all 0 at first, and dot products over it. Places and lengths count floats. */
export interface DotMemory {
  /** The room itself: another array after a `grow`. */
  readonly floats: Float32Array;
  /** Makes room for at least so many floats and keeps what is there. Throws RangeError when the memory is used up. */
  grow(length: number): void;
  /**
   * Stores at `results` the float32 dot products of the vector at one place with each of ROWS_AT_ONCE rows that follow
   * one another from another place on. All lie at multiples of LANES; `length` is such a multiple above 0.
   */
  dots(vector: number, rows: number, length: number, results: number): void;
}

/** An empty memory with the fastest dot products there are. Fast or not, the results are the same to the last bit. */
export function createDotMemory(): DotMemory {
  // Absent where the engine may not compile at run time (`--jitless`).
  const { WebAssembly } = globalThis as { WebAssembly?: WebAssemblyEngine };
  if (!WebAssembly?.validate(DOT_MODULE)) return createPlainMemory();
  try {
    return createSimdMemory(WebAssembly);
  } catch (error) {
    // The engine reserves gigabytes of addresses for a module's memory; `ulimit -v` may forbid that.
    if (error instanceof RangeError) return createPlainMemory();
    throw error;
  }
}

/** What is used of WebAssembly: the type declarations of Node 20 lack it. */
interface WebAssemblyEngine {
  validate(bytes: Uint8Array): boolean;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: DotExports };
}

interface DotExports {
  memory: { buffer: ArrayBuffer; grow(pages: number): number };
  dots(vector: number, rows: number, length: number, results: number): void;
}

const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;
const PAGE_FLOATS = 65_536 / FLOAT_BYTES;
const GROWTH = 1.5;

let compiled: object | undefined;

function createSimdMemory(engine: WebAssemblyEngine): DotMemory {
  compiled ??= new engine.Module(DOT_MODULE);
  const { exports } = new engine.Instance(compiled);
  const { memory } = exports;
  let floats = new Float32Array(memory.buffer);
  return {
    get floats() {
      return floats;
    },
    grow(length) {
      if (length <= floats.length) return;
      const present = floats.length / PAGE_FLOATS;
      const needed = Math.ceil(length / PAGE_FLOATS);
      memory.grow(Math.max(needed, Math.ceil(present * GROWTH)) - present);
      floats = new Float32Array(memory.buffer);
    },
    dots: (vector, rows, length, results) =>
      exports.dots(vector * FLOAT_BYTES, rows * FLOAT_BYTES, length * FLOAT_BYTES, results * FLOAT_BYTES),
  };
}

function createPlainMemory(): DotMemory {
  let floats = new Float32Array(0);
  return {
    get floats() {
      return floats;
    },
    grow(length) {
      if (length <= floats.length) return;
      const grown = new Float32Array(Math.max(length, Math.ceil(floats.length * GROWTH)));
      grown.set(floats);
      floats = grown;
    },
    dots(vector, rows, length, results) {
      for (let row = 0; row < ROWS_AT_ONCE; row++) {
        floats[results + row] = plainDot(floats, vector, rows + row * length, length);
      }
    },
  };
}

/** Rounds and adds in the order of the module: a sum for each lane, then those one after another. */
function plainDot(floats: Float32Array, first: number, second: number, length: number): number {
  let total = 0;
  for (let lane = 0; lane < LANES; lane++) {
    let sum = 0;
    for (let index = lane; index < length; index += LANES) {
      const product = (floats[first + index] as number) * (floats[second + index] as number);
      sum = Math.fround(sum + Math.fround(product));
    }
    total = Math.fround(total + sum);
  }
  return total;
}
