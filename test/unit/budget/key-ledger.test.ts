import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { KeyLedgerError, KeyLedgerFile, type KeyLedgerFileParts } from '../../../src/budget/key-ledger.ts';
import { MAX_USD, type Pico, picoFromUsd, usdFromPico } from '../../../src/budget/money.ts';
import { TEST_KEY, temporaryFolder } from '../../support/run-host.ts';

const DAY = Date.UTC(2026, 4, 17, 12);

function ledgerIn(directory: string, limitPerDay: Pico, parts: Partial<KeyLedgerFileParts> = {}): KeyLedgerFile {
  return new KeyLedgerFile({ directory, key: () => Promise.resolve(TEST_KEY), limitPerDay, now: () => DAY, ...parts });
}

function onlyFile(directory: string): string {
  const [name = '', ...others] = readdirSync(directory);
  assert.deepEqual(others, []);
  return join(directory, name);
}

describe('the spending ledger of a key', () => {
  it('admits what the limit leaves, over all ledgers of the same key, and never counts what it refused', async () => {
    const directory = temporaryFolder();
    const [one, other] = [ledgerIn(directory, 100n), ledgerIn(directory, 100n)];
    assert.deepEqual(await one.reserve(60n, 'c1'), { admitted: true, free: 100n });
    assert.deepEqual(await other.reserve(50n, 'c1'), { admitted: false, free: 40n });
    assert.deepEqual(await other.reserve(40n, 'c2'), { admitted: true, free: 40n });
    assert.deepEqual(await one.reserve(1n, 'c2'), { admitted: false, free: 0n });
  });

  it('counts an outcome in place of its reservation, and an unknown one in full', async () => {
    const directory = temporaryFolder();
    const ledger = ledgerIn(directory, 100n);
    for (const id of ['settled', 'held', 'released', 'unknown']) await ledger.reserve(25n, id);
    await ledger.settle('settled', 'settled', 5n);
    await ledger.settle('held', 'held', 25n);
    await ledger.settle('released', 'released', 0n);
    assert.deepEqual(await ledgerIn(directory, 100n).reserve(46n, 'c1'), { admitted: false, free: 45n });
    assert.deepEqual(await ledgerIn(directory, 100n).reserve(45n, 'c1'), { admitted: true, free: 45n });
  });

  it('books what was used above a reservation, and an outcome once', async () => {
    const ledger = ledgerIn(temporaryFolder(), 100n);
    await ledger.reserve(10n, 'c1');
    await ledger.settle('c1', 'settled', 90n);
    await ledger.settle('c1', 'released', 0n);
    assert.deepEqual(await ledger.reserve(11n, 'c2'), { admitted: false, free: 10n });
  });

  it('starts anew with the day of UTC, where the outcome of an earlier day stays', async () => {
    const directory = temporaryFolder();
    let now = Date.UTC(2026, 4, 17, 23, 59, 59);
    const ledger = ledgerIn(directory, 100n, { now: () => now });
    await ledger.reserve(100n, 'c1');
    now = Date.UTC(2026, 4, 18);
    assert.deepEqual(await ledger.reserve(100n, 'c2'), { admitted: true, free: 100n });
    await ledger.settle('c1', 'settled', 1n);
    assert.equal((await ledger.reserve(1n, 'c3')).admitted, false);
    now = Date.UTC(2026, 4, 17, 23);
    assert.deepEqual(await ledger.reserve(99n, 'c4'), { admitted: true, free: 99n });
  });

  it('keeps the keys apart and holds none', async () => {
    const directory = temporaryFolder();
    await ledgerIn(directory, 100n).reserve(100n, 'c1');
    const other = ledgerIn(directory, 100n, { key: () => Promise.resolve('sk-another-key-0123456789') });
    assert.equal((await other.reserve(100n, 'c1')).admitted, true);
    const written = readdirSync(directory)
      .map((name) => name + readFileSync(join(directory, name), 'utf8'))
      .join('');
    assert.equal(readdirSync(directory).length, 2);
    assert.equal(written.includes(TEST_KEY.slice(3, 12)), false);
  });

  it('finds the file of an earlier version: its name does not change', async () => {
    const directory = temporaryFolder();
    await ledgerIn(directory, 100n).reserve(1n, 'c1');
    assert.deepEqual(readdirSync(directory), ['2ceeceba3b2f5992b701d9b0da7df388-2026-05-17.jsonl']);
  });

  it('takes limits up to the highest that can be set', async () => {
    const ledger = ledgerIn(temporaryFolder(), picoFromUsd(MAX_USD));
    assert.deepEqual(await ledger.reserve(1n, 'c1'), { admitted: true, free: picoFromUsd(MAX_USD) });
    assert.equal(ledger.limitPerDay, picoFromUsd(MAX_USD));
  });

  it('gives nothing back for an outcome told twice, nor for one that it does not know', async () => {
    const directory = temporaryFolder();
    const ledger = ledgerIn(directory, 100n);
    await ledger.reserve(60n, 'c1');
    const { id } = JSON.parse(readFileSync(onlyFile(directory), 'utf8')) as { id: string };
    const write = (type: string, usd: number) =>
      appendFileSync(onlyFile(directory), `\n${JSON.stringify({ type, id, usd })}\n`);
    write('forgiven', 0);
    assert.deepEqual(await ledgerIn(directory, 100n).reserve(41n, 'c2'), { admitted: false, free: 40n });
    write('settled', usdFromPico(50n));
    write('released', 0);
    assert.deepEqual(await ledgerIn(directory, 100n).reserve(51n, 'c3'), { admitted: false, free: 50n });
    await ledger.settle('c1', 'settled', 10n);
    await ledger.settle('c1', 'settled', 10n);
    assert.equal(readFileSync(onlyFile(directory), 'utf8').split('"usd":1e-11').length, 2, 'written once');
  });

  it('counts nothing where there is no key', async () => {
    const directory = temporaryFolder();
    const ledger = ledgerIn(directory, 1n, { key: () => Promise.resolve(null) });
    assert.equal((await ledger.reserve(5n, 'c1')).admitted, true);
    await ledger.settle('c1', 'settled', 5n);
    assert.deepEqual(readdirSync(directory), []);
  });

  it('goes by the limit of whoever reserved, so that all agree on the sum', async () => {
    const directory = temporaryFolder();
    const [low, high] = [ledgerIn(directory, 50n), ledgerIn(directory, 200n)];
    assert.equal((await high.reserve(60n, 'c1')).admitted, true);
    assert.deepEqual(await low.reserve(1n, 'c1'), { admitted: false, free: -10n });
    assert.deepEqual(await high.reserve(140n, 'c2'), { admitted: true, free: 140n });
  });

  it('reads past every torn line, wherever it was torn', async () => {
    const directory = temporaryFolder();
    await ledgerIn(directory, 100n).reserve(10n, 'c1');
    const file = onlyFile(directory);
    const whole = readFileSync(file);
    for (let cut = 1; cut < whole.length; cut += 1) {
      // Another process wrote so much of its line and died.
      writeFileSync(file, Buffer.concat([whole, whole.subarray(0, cut)]));
      const { admitted, free } = await ledgerIn(directory, 100n).reserve(90n, 'c1');
      assert.deepEqual({ cut, admitted, free }, { cut, admitted: true, free: 90n });
    }
    for (const rubbish of [
      '\0\0\0\0',
      '[]',
      'null',
      '{"type":"reserved","id":"x","usd":-5,"limit_usd":1}',
      '{"type":"settled","id":"x","usd":1e300}',
    ]) {
      writeFileSync(file, Buffer.concat([whole, Buffer.from(rubbish)]));
      assert.deepEqual(await ledgerIn(directory, 100n).reserve(90n, 'c1'), { admitted: true, free: 90n });
    }
  });

  it('refuses to go on where another program changes its file', async () => {
    const directory = temporaryFolder();
    const ledger = ledgerIn(directory, 100n);
    for (const id of ['c1', 'c2', 'c3']) await ledger.reserve(10n, id);
    truncateSync(onlyFile(directory), 5);
    await assert.rejects(
      ledger.reserve(10n, 'c4'),
      (error) => error instanceof KeyLedgerError && error.reason === 'damaged',
    );
  });

  it('refuses where it cannot write, and says so; an outcome that cannot be written is no error', async () => {
    const directory = temporaryFolder();
    writeFileSync(join(directory, 'file'), '');
    const ledger = ledgerIn(join(directory, 'file'), 100n);
    await assert.rejects(
      ledger.reserve(10n, 'c1'),
      (error) =>
        error instanceof KeyLedgerError && error.reason === 'unwritable' && /ENOTDIR|EEXIST/.test(error.message),
    );
    const gone = ledgerIn(join(directory, 'gone'), 100n);
    mkdirSync(join(directory, 'gone'));
    await gone.reserve(10n, 'c1');
    truncateSync(onlyFile(join(directory, 'gone')));
    await gone.settle('c1', 'settled', 1n);
    await gone.settle('never reserved', 'settled', 1n);
  });

  it('agrees with a simple model for any schedule of two ledgers', async () => {
    const step = fc.record({
      who: fc.nat(1),
      amount: fc.bigInt(0n, 40n),
      outcome: fc.constantFrom('settled', 'held', 'released', null),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const directory = temporaryFolder();
        const ledgers = [ledgerIn(directory, 100n), ledgerIn(directory, 100n)];
        let sum = 0n;
        for (const [index, { who, amount, outcome }] of steps.entries()) {
          const ledger = ledgers[who];
          assert.ok(ledger);
          const { admitted, free } = await ledger.reserve(amount, `c${index}`);
          assert.deepEqual({ admitted, free }, { admitted: sum + amount <= 100n, free: 100n - sum });
          if (!admitted) continue;
          const cost = outcome === 'settled' ? amount / 2n : outcome === 'released' ? 0n : amount;
          if (outcome !== null) await ledger.settle(`c${index}`, outcome, cost);
          sum += cost;
        }
      }),
      { numRuns: 40 },
    );
  });

  it('keeps amounts exact', async () => {
    const directory = temporaryFolder();
    const amount = 123_456_789_012n;
    const ledger = ledgerIn(directory, amount * 2n + 1n);
    await ledger.reserve(amount, 'c1');
    appendFileSync(
      onlyFile(directory),
      `\n${JSON.stringify({ type: 'reserved', id: 'x', usd: usdFromPico(amount), limit_usd: 1 })}\n`,
    );
    assert.deepEqual(await ledger.reserve(1n, 'c2'), { admitted: true, free: 1n });
  });
});
