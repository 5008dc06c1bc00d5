import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type * as z from 'zod';
import { RunConfig } from '../../../src/run/config.ts';
import { RunEvent } from '../../../src/run/events.ts';
import { isExactConfig, isExactEvent } from '../../../src/run/exact.ts';
import { runFolder, segmentFile } from '../../../src/runlog/folder.ts';
import { writeHostileRun } from '../../support/hostile-run.ts';

// The tests are built as the product is: these are the compiled functions.

let folder: string;
let events: Record<string, unknown>[];
let config: Record<string, unknown>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'babyagi-exact-'));
  const { directory, types } = await writeHostileRun(folder, { names: false, ended: true });
  const lines = (await readFile(segmentFile(runFolder(directory), 1), 'utf8')).trim();
  const all = lines.split('\n').map((line) => (JSON.parse(line) as { e: Record<string, unknown> }).e);
  // One of each kind, and of each with other keys.
  events = [...new Map(all.map((event) => [Object.keys(event).join(), event])).values()];
  config = JSON.parse(await readFile(runFolder(directory).config, 'utf8')) as Record<string, unknown>;
  assert.ok(types.size > 30);
});
after(() => rm(folder, { recursive: true }));

/** What the compiled functions must say. */
function exact(schema: z.ZodType, value: unknown): boolean {
  return isDeepStrictEqual(schema.safeParse(value).data, value);
}

it('takes events and configurations as they are written', () => {
  for (const event of events) assert.ok(isExactEvent(event), JSON.stringify(event));
  assert.ok(isExactConfig(config));
});

it('says the same as the schema of whatever an event or a configuration may be changed into', () => {
  const seen = { true: 0, false: 0 };
  const value = fc.oneof(
    fc.json({ maxDepth: 1 }).map((text): unknown => JSON.parse(text)),
    fc.constantFrom<unknown>(0, -1, 0.5, 2 ** 53, 1e300, '', 'loop', 'user', 'a'.repeat(64), null, true, [], {}, [1]),
  );
  const change = fc.record({ place: fc.nat(), how: fc.constantFrom('set', 'remove', 'add', 'swap'), value });
  fc.assert(
    fc.property(fc.nat(), change, (which, { place, how, value: other }) => {
      const isConfig = which % 5 === 0;
      const one = structuredClone(isConfig ? config : events[which % events.length]) as Record<string, unknown>;
      const nodes = nodesOf(one);
      const node = nodes[place % nodes.length] ?? one;
      const keys = Object.keys(node);
      const key = keys[Math.floor(place / nodes.length) % Math.max(1, keys.length)] ?? '0';
      if (how === 'set') node[key] = other;
      else if (how === 'remove') delete node[key];
      else if (how === 'add') node[`${key}_more`] = other;
      else Object.assign(node, { type: events[place % events.length]?.['type'] });
      // An array with a hole is no JSON.
      const changed: unknown = JSON.parse(JSON.stringify(one));
      const expected = exact(isConfig ? RunConfig : RunEvent, changed);
      seen[`${expected}`] += 1;
      assert.equal(isConfig ? isExactConfig(changed) : isExactEvent(changed), expected, JSON.stringify(changed));
    }),
    { numRuns: 4000 },
  );
  assert.ok(seen.true > 100 && seen.false > 100);
});

it('takes no number that is too large to be one', () => {
  const [event] = events;
  assert.equal(isExactEvent({ ...event, mono_ms: JSON.parse('1e999') as number }), false);
  assert.equal(RunEvent.safeParse({ ...event, mono_ms: JSON.parse('1e999') as number }).success, false);
});

it('takes nothing that is no object', () => {
  for (const one of [null, undefined, 1, 'text', [], [events[0]]]) {
    assert.equal(isExactEvent(one), false);
    assert.equal(isExactConfig(one), false);
  }
});

function nodesOf(value: object): Record<string, unknown>[] {
  const inner = Object.values(value).filter((each): each is object => typeof each === 'object' && each !== null);
  return [value as Record<string, unknown>, ...inner.flatMap(nodesOf)];
}
