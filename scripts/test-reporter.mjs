// Reporter for node:test: says nothing of what passes, tells failures whole, and ends with a line that can be parsed:
// `N passed, N failed` or `N passed, N failed, N skipped`. Suites are not counted, tests within tests are. The slowest
// tests are named, so that the whole stays quick.

import path from 'node:path';
import { inspect } from 'node:util';

/** Where all tests run in this process, so long a silence means that one hangs or left something open. */
const SILENCE_MS = 60_000;
const SLOW_MS = 1_000;

export default async function* report(events) {
  const names = [];
  const slow = [];
  let latest = 'none';
  let [passed, failed, skipped] = [0, 0, 0];
  const giveUp = () => {
    const open = process.getActiveResourcesInfo().join(', ');
    process.stdout.write(
      `✖ stopped. The test begun last is: ${latest}. Open: ${open}\n${passed} passed, ${failed + 1} failed\n`,
    );
    process.exit(1);
  };
  process.once('SIGTERM', giveUp);
  const silence = process.execArgv.includes('--test') ? undefined : setTimeout(giveUp, SILENCE_MS).unref();
  for await (const { type, data } of events) {
    silence?.refresh();
    if (type === 'test:dequeue') latest = data.name;
    if (type === 'test:start') names.splice(data.nesting, Infinity, data.name);
    if (type === 'test:stdout' || type === 'test:stderr') yield data.message;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const { duration_ms: duration, error, type: kind } = data.details;
    if (kind !== 'suite' && duration > SLOW_MS) slow.push({ name: data.name, duration });
    if (data.skip !== undefined || data.todo !== undefined) skipped += 1;
    else if (type === 'test:pass') passed += kind === 'suite' ? 0 : 1;
    else if (error.failureType !== 'subtestsFailed') {
      failed += 1;
      const title = [...names.slice(0, data.nesting), data.name].join(' › ');
      const where = data.file ? ` (${path.relative('', data.file)})` : '';
      yield `✖ ${title}${where}\n${describe(error.cause ?? error)}\n`;
    }
  }
  slow.sort((a, b) => b.duration - a.duration);
  for (const { name, duration } of slow.slice(0, 5)) yield `slow: ${(duration / 1000).toFixed(1)} s ${name}\n`;
  yield `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`;
}

function describe(cause) {
  const text = inspect(cause, { depth: 5 }).replaceAll(/^ +at .*node:internal.*\n?/gm, '');
  return text.replaceAll(/^(?=.)/gm, '    ');
}
