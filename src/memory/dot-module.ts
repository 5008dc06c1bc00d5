/**
 * A WebAssembly module with 128-bit SIMD, assembled here: a memory of its own and, in it, the dot products of a float32
 * vector with several rows of its length that follow one another.
 *
 *   memory                                       exported; 0 pages of 64 KiB at first, no limit but the 4 GiB of all
 *   dots(vector, rows, length, results: i32)     exported; three addresses and a length, all in bytes
 *
 * Large indexes wait for the memory, not for the arithmetic. Several rows are read side by side because the processor
 * fetches ahead within each, which a single one does not keep busy.
 */

/** Float32 numbers in a SIMD register. Every length is a multiple of it and not 0. */
export const LANES = 4;

/** Rows that are taken at once, whether the last of them are in use or not. */
export const ROWS_AT_ONCE = 8;

const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;
const REGISTER_BYTES = LANES * FLOAT_BYTES;

// Types
const I32 = 0x7f;
const V128 = 0x7b;
const FUNCTION = 0x60;

// Parameters of `dots`, then its locals
const VECTOR = 0;
const ROWS = 1;
const LENGTH = 2;
const RESULTS = 3;
const VECTOR_END = 4;
const ROW = 5; // where the reading of the first row is; those of the others follow
const PART = ROW + ROWS_AT_ONCE; // the part of the vector that is multiplied
const SUM = PART + 1; // the sums of the first row, one in each lane; those of the others follow

// Instructions
const LOOP = [0x03, 0x40]; // without a result
const BRANCH_IF = [0x0d, 0]; // to the start of the innermost loop
const END = [0x0b];
const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const setAndKeep = (local: number) => [0x22, local];
const i32 = (value: number) => [0x41, ...signed(value)];
const I32_NOT_EQUAL = [0x47];
const I32_ADD = [0x6a];
const F32_ADD = [0x92];
const storeF32 = (offset: number) => [0x38, 2, ...unsigned(offset)]; // 2: aligned to 2 ** 2 bytes
const LOAD_V128 = [0xfd, ...unsigned(0x00), 4, 0]; // aligned to 2 ** 4 bytes, offset 0
const f32FromLane = (lane: number) => [0xfd, ...unsigned(0x1f), lane];
const F32X4_ADD = [0xfd, ...unsigned(0xe4)];
const F32X4_MULTIPLY = [0xfd, ...unsigned(0xe6)];

const rowNumbers = Array.from({ length: ROWS_AT_ONCE }, (_, number) => number);

const dotsCode = [
  // vectorEnd = vector + length
  [...get(VECTOR), ...get(LENGTH), ...I32_ADD, ...set(VECTOR_END)],
  // row[0] = rows; row[n] = row[n - 1] + length
  [...get(ROWS), ...set(ROW)],
  ...rowNumbers.slice(1).map((row) => [...get(ROW + row - 1), ...get(LENGTH), ...I32_ADD, ...set(ROW + row)]),
  LOOP,
  // part = *vector; sum[n] += part * *row[n]
  [...get(VECTOR), ...LOAD_V128, ...set(PART)],
  ...rowNumbers.flatMap((row) => [
    [...get(SUM + row), ...get(PART), ...get(ROW + row), ...LOAD_V128],
    [...F32X4_MULTIPLY, ...F32X4_ADD, ...set(SUM + row)],
  ]),
  // row[n] += a register; vector += a register; again unless vector is at its end
  ...rowNumbers.map((row) => [...get(ROW + row), ...i32(REGISTER_BYTES), ...I32_ADD, ...set(ROW + row)]),
  [...get(VECTOR), ...i32(REGISTER_BYTES), ...I32_ADD, ...setAndKeep(VECTOR)],
  [...get(VECTOR_END), ...I32_NOT_EQUAL, ...BRANCH_IF],
  END,
  // results[n] = the sum of the lanes of sum[n], one after another
  ...rowNumbers.flatMap((row) => [
    [...get(RESULTS), ...get(SUM + row), ...f32FromLane(0)],
    ...[1, 2, 3].map((lane) => [...get(SUM + row), ...f32FromLane(lane), ...F32_ADD]),
    storeF32(row * FLOAT_BYTES),
  ]),
  END,
].flat();

const signature = [FUNCTION, ...list([[I32], [I32], [I32], [I32]]), ...list([])];
const memory = [0x00, 0]; // no limit given; 0 pages
const exported = [
  [...name('memory'), 0x02, 0],
  [...name('dots'), 0x00, 0],
];
const locals = [
  [1 + ROWS_AT_ONCE, I32], // from VECTOR_END on
  [1 + ROWS_AT_ONCE, V128], // from PART on
];

/** The module, less than 600 bytes of the WebAssembly binary format. */
export const DOT_MODULE = Uint8Array.from(
  [
    [0x00, 0x61, 0x73, 0x6d], // '\0asm'
    [0x01, 0x00, 0x00, 0x00], // version 1
    section(1, list([signature])), // types
    section(3, list([[0]])), // functions: one of type 0
    section(5, list([memory])), // memories
    section(7, list(exported)), // exports
    section(10, list([sized([...list(locals), ...dotsCode])])), // code
  ].flat(),
);

/** LEB128, as all numbers in a module. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

/** LEB128 of a number that is not negative, where the format asks for a signed one. */
function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >>> 7)];
}

function sized(bytes: number[]): number[] {
  return [...unsigned(bytes.length), ...bytes];
}

function section(id: number, content: number[]): number[] {
  return [id, ...sized(content)];
}

function list(items: number[][]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function name(text: string): number[] {
  return sized([...Buffer.from(text, 'latin1')]);
}
