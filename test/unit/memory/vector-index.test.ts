import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { VectorIndex } from '../../../src/memory/vector-index.ts';

const TOLERANCE = 1e-5;

type Engine = Record<'validate' | 'Module' | 'Instance', unknown>;
type Change = { id: string; vector: Float32Array | null };

const engineHolder = globalThis as { WebAssembly?: Engine | undefined };
const present = engineHolder.WebAssembly;
assert.ok(present, 'These tests need an engine with WebAssembly.');

/** Engines on which the index has to do without SIMD. */
const LESSER_ENGINES: [name: string, engine: Engine | undefined][] = [
  ['without WebAssembly', undefined],
  ['without SIMD', { validate: () => false, Module: undefined, Instance: undefined }],
  [
    'without addresses to spare',
    {
      ...members(present),
      Instance: class {
        constructor() {
          throw new RangeError('WebAssembly.Instance(): Out of memory');
        }
      },
    },
  ],
];

/** The members of WebAssembly are not enumerable. */
function members(engine: Engine): Engine {
  const { validate, Module, Instance } = engine;
  return { validate, Module, Instance };
}

function withEngine<Result>(engine: Engine | undefined, action: () => Result): Result {
  engineHolder.WebAssembly = engine;
  try {
    return action();
  } finally {
    engineHolder.WebAssembly = present;
  }
}

function indexOf(dimensions: number, changes: readonly Change[]): VectorIndex {
  const index = new VectorIndex(dimensions);
  for (const { id, vector } of changes) {
    if (vector) index.set(id, vector);
    else index.delete(id);
  }
  return index;
}

/** Numbers in -1 … 1, the same for the same seed. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

function randomVectors(count: number, dimensions: number, seed = 1): Float32Array[] {
  const next = numbers(seed);
  return Array.from({ length: count }, () => Float32Array.from({ length: dimensions }, next));
}

function exactCosine(one: Float32Array, other: Float32Array): number {
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
  const lengths = Math.sqrt(dot(one, one)) * Math.sqrt(dot(other, other));
  return lengths === 0 ? 0 : dot(one, other) / lengths;
}

/** Checks a search against float64 arithmetic over all vectors; what is within TOLERANCE may stand in either order. */
function checkNearest(
  index: VectorIndex,
  vectors: Map<string, Float32Array>,
  query: Float32Array,
  count: number,
): void {
  const found = index.nearest(query, count);
  assert.equal(found.length, Math.min(count, vectors.size));
  assert.equal(new Set(found.map(({ id }) => id)).size, found.length);
  const order = [...vectors.keys()];
  const rest = new Map(vectors);
  for (const [rank, { id, similarity }] of found.entries()) {
    const vector = vectors.get(id);
    assert.ok(vector, `${id} is not stored`);
    assert.ok(Math.abs(similarity - exactCosine(query, vector)) <= TOLERANCE);
    assert.ok(similarity >= -1 && similarity <= 1);
    const before = found[rank - 1];
    if (before?.similarity === similarity) assert.ok(order.indexOf(before.id) < order.indexOf(id));
    else assert.ok(!before || before.similarity > similarity);
    rest.delete(id);
  }
  const last = found.at(-1);
  if (last)
    for (const vector of rest.values()) assert.ok(exactCosine(query, vector) <= last.similarity + 2 * TOLERANCE);
}

const scenario = fc.integer({ min: 1, max: 70 }).chain((dimensions) => {
  const length = { minLength: dimensions, maxLength: dimensions };
  const vector = fc.oneof(
    fc.float32Array({ ...length, noNaN: true, noDefaultInfinity: true }),
    fc.array(fc.integer({ min: -1, max: 1 }), length).map((values) => Float32Array.from(values)), // many ties
  );
  const change = fc.record({ id: fc.constantFrom(...'abcdefghijkl'), vector: fc.option(vector, { freq: 4 }) });
  return fc.record({
    dimensions: fc.constant(dimensions),
    changes: fc.array(change, { maxLength: 40 }),
    query: vector,
    count: fc.integer({ min: 0, max: 14 }),
  });
});

describe('VectorIndex', () => {
  it('agrees with exact arithmetic after any changes', () => {
    fc.assert(
      fc.property(scenario, ({ dimensions, changes, query, count }) => {
        const index = indexOf(dimensions, changes);
        // A Map keeps the order promised here: a replaced entry stays where it is, a deleted one comes back at the end.
        const vectors = new Map<string, Float32Array>();
        for (const { id, vector } of changes) {
          if (vector) vectors.set(id, vector);
          else vectors.delete(id);
        }
        checkNearest(index, vectors, query, count);
      }),
    );
  });

  it('agrees with exact arithmetic on embeddings, while its memory grows page by page', () => {
    const vectors = new Map<string, Float32Array>();
    const index = new VectorIndex(1536);
    const [query = new Float32Array(), ...rows] = randomVectors(301, 1536);
    for (const [number, row] of rows.entries()) {
      vectors.set(`row ${number}`, row);
      index.set(`row ${number}`, row);
      if (number % 50 === 0) checkNearest(index, vectors, query, 5);
    }
    checkNearest(index, vectors, query, 300);
    for (const [id, row] of vectors) assert.equal(index.nearest(row, 1)[0]?.id, id);
  });

  it('ranks ties by insertion, also when rows were moved by a deletion', () => {
    const same = Float32Array.of(3, -1, 2);
    const changes = [...'abcdef'].map((id) => ({ id, vector: same }));
    const index = indexOf(3, [...changes, { id: 'a', vector: null }, { id: 'c', vector: same }]);
    const ids = (count: number) => index.nearest(same, count).map(({ id }) => id);
    assert.deepEqual(ids(9), [...'bcdef']);
    assert.deepEqual(ids(2), [...'bc']);
    index.set('a', same);
    assert.deepEqual(ids(9), [...'bcdefa']);
  });

  it('gives a zero vector the similarity 0 to everything', () => {
    const index = indexOf(2, [
      { id: 'against', vector: Float32Array.of(0, -2) },
      { id: 'zero', vector: Float32Array.of(-0, 0) },
      { id: 'along', vector: Float32Array.of(0, 5) },
    ]);
    assert.deepEqual(index.nearest(Float32Array.of(0, 1), 3), [
      { id: 'along', similarity: 1 },
      { id: 'zero', similarity: 0 },
      { id: 'against', similarity: -1 },
    ]);
    assert.deepEqual(
      index.nearest(new Float32Array(2), 2),
      ['against', 'zero'].map((id) => ({ id, similarity: 0 })),
    );
  });

  it('keeps what an id had no more out of its new vector and out of the rows after it', () => {
    const index = indexOf(2, [
      { id: 'a', vector: Float32Array.of(1, 1) },
      { id: 'a', vector: new Float32Array(2) },
    ]);
    assert.deepEqual(index.nearest(Float32Array.of(1, 1), 1), [{ id: 'a', similarity: 0 }]);
    index.delete('a');
    index.delete('a');
    assert.deepEqual(index.nearest(Float32Array.of(1, 1), 1), []);
    index.set('b', Float32Array.of(0, 1));
    assert.deepEqual(index.nearest(Float32Array.of(0, 1), 1), [{ id: 'b', similarity: 1 }]);
  });

  it('copies: neither side sees changes of the other', () => {
    const vector = Float32Array.of(3, 4);
    const index = indexOf(2, [{ id: 'a', vector }]);
    index.nearest(vector, 1);
    assert.deepEqual(vector, Float32Array.of(3, 4));
    const before = index.nearest(Float32Array.of(3, 4), 1);
    vector.fill(-1);
    assert.deepEqual(index.nearest(Float32Array.of(3, 4), 1), before);
  });

  it('never exceeds 1, whatever rounding does', () => {
    const index = new VectorIndex(24);
    for (const vector of randomVectors(300, 24)) {
      index.set('self', vector);
      assert.ok((index.nearest(vector, 1)[0]?.similarity ?? 2) <= 1);
      index.set(
        'self',
        vector.map((value) => -value),
      );
      assert.ok((index.nearest(vector, 1)[0]?.similarity ?? -2) >= -1);
    }
  });

  it('gives the very same numbers on every machine and for every history', () => {
    const [query = new Float32Array(), one = query, two = query, three = query] = randomVectors(4, 100);
    const straight = indexOf(100, [
      { id: 'one', vector: one },
      { id: 'two', vector: two },
      { id: 'three', vector: three },
    ]);
    assert.deepEqual(straight.nearest(query, 3), [
      { id: 'one', similarity: 0.03172468766570091 },
      { id: 'two', similarity: 0.010232366621494293 },
      { id: 'three', similarity: -0.15958309173583984 },
    ]);
    const winding = indexOf(100, [
      { id: 'gone', vector: query },
      { id: 'one', vector: two },
      { id: 'two', vector: two },
      { id: 'gone', vector: null },
      { id: 'one', vector: one },
      { id: 'three', vector: three },
    ]);
    assert.deepEqual(winding.nearest(query, 3), straight.nearest(query, 3));
  });

  it('refuses what it cannot rank, and stays as it was', () => {
    const index = indexOf(2, [{ id: 'a', vector: Float32Array.of(1, 0) }]);
    const before = index.nearest(Float32Array.of(1, 0), 9);
    const refused = [[], [1], [1, 0, 0], [1, Number.NaN], [Infinity, 1], [0, -Infinity]];
    for (const vector of refused.map((values) => Float32Array.from(values))) {
      assert.throws(() => index.set('a', vector), RangeError);
      assert.throws(() => index.set('b', vector), RangeError);
      assert.throws(() => index.nearest(vector, 1), RangeError);
    }
    for (const count of [-1, 1.5, Number.NaN, Infinity]) {
      assert.throws(() => index.nearest(Float32Array.of(1, 0), count), RangeError);
    }
    for (const dimensions of [0, -1, 1.5, Number.NaN, Infinity]) {
      assert.throws(() => new VectorIndex(dimensions), RangeError);
    }
    assert.deepEqual(index.nearest(Float32Array.of(1, 0), 9), before);
  });
});

describe('VectorIndex on the engine at hand', () => {
  it('computes with SIMD where the engine has it, in one module with a memory per index', () => {
    const built: string[] = [];
    const counting = Object.fromEntries(
      (['Module', 'Instance'] as const).map((kind) => [
        kind,
        function construct(argument: unknown) {
          built.push(kind);
          return Reflect.construct(present[kind] as new (argument: unknown) => object, [argument]);
        },
      ]),
    );
    withEngine({ ...members(present), ...counting }, () => {
      const first = new VectorIndex(2);
      const second = new VectorIndex(2);
      assert.deepEqual(built, []);
      first.set('first', Float32Array.of(1, 0));
      first.set('more', Float32Array.of(0, 1));
      second.set('second', Float32Array.of(0, 1));
      assert.equal(built.filter((kind) => kind === 'Instance').length, 2);
      assert.ok(built.filter((kind) => kind === 'Module').length <= 1);
      assert.deepEqual(first.nearest(Float32Array.of(1, 0), 1), [{ id: 'first', similarity: 1 }]);
      assert.deepEqual(second.nearest(Float32Array.of(1, 0), 9), [{ id: 'second', similarity: 0 }]);
    });
  });

  for (const [name, engine] of LESSER_ENGINES) {
    it(`gives the same result to the last bit ${name}`, () => {
      const changes = randomVectors(200, 384).map((vector, number) => ({ id: `row ${number}`, vector }));
      const [query = new Float32Array()] = randomVectors(1, 384, 2);
      const lesser = withEngine(engine, () => indexOf(384, changes));
      assert.deepEqual(lesser.nearest(query, 200), indexOf(384, changes).nearest(query, 200));
    });
  }

  it('gives the same result to the last bit after any changes', () => {
    fc.assert(
      fc.property(scenario, ({ dimensions, changes, query, count }) => {
        const lesser = withEngine(undefined, () => indexOf(dimensions, changes));
        assert.deepEqual(lesser.nearest(query, count), indexOf(dimensions, changes).nearest(query, count));
      }),
    );
  });
});
