import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { KeyLedgerFile } from '../../src/budget/key-ledger.ts';
import { temporaryFolder } from '../support/run-host.ts';

const MAIN = fileURLToPath(new URL('./key-ledger-main.mjs', import.meta.url));

interface Peer {
  readonly child: ChildProcess;
  /** How many it said were admitted. */
  readonly ended: Promise<number>;
  readonly ready: Promise<void>;
}

function peer(...args: (string | number | bigint)[]): Peer {
  const child = spawn(process.execPath, [MAIN, ...args.map(String)], { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  let isReady = () => {};
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    isReady();
  });
  const ended = new Promise<number>((resolve) =>
    child.on('close', () => resolve(said.split('\n').filter((line) => line.startsWith('admitted')).length)),
  );
  return { child, ready, ended };
}

async function race(peers: readonly Peer[]): Promise<number[]> {
  await Promise.all(peers.map(({ ready }) => ready));
  for (const { child } of peers) child.stdin?.write('go');
  return Promise.all(peers.map(({ ended }) => ended));
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

function probe(directory: string, limitPerDay: bigint): KeyLedgerFile {
  return new KeyLedgerFile({
    directory,
    key: () => Promise.resolve('sk-shared-0123456789abcdef'),
    limitPerDay,
    now: () => Date.UTC(2026, 4, 17),
  });
}

describe('one key in many processes', () => {
  for (const processes of [4, 8]) {
    it(`admits exactly 1000 of 2000 equal reservations of ${processes} processes`, async () => {
      const directory = temporaryFolder();
      const admitted = await race(
        Array.from({ length: processes }, () => peer(directory, 1000n * 7n, 7n, 2000 / processes, 'none')),
      );
      console.log(`key ledger: ${processes} processes, admitted by each: ${admitted.join(', ')}, 0 over the limit`);
      assert.equal(sum(admitted), 1000);
      assert.equal((await probe(directory, 7000n).reserve(1n, 'c1')).admitted, false);
    });
  }

  it('lets the difference be spent once outcomes are known, and never more than the limit', async () => {
    const directory = temporaryFolder();
    const admitted = await race(Array.from({ length: 4 }, () => peer(directory, 1000n, 10n, 100, 'half')));
    const { free } = await probe(directory, 1000n).reserve(0n, 'c1');
    assert.equal(free, 1000n - 5n * BigInt(sum(admitted)));
    assert.ok(sum(admitted) > 100, `${sum(admitted)}`);
  });

  it('holds what killed processes left open, every reservation that they were told of', async () => {
    const directory = temporaryFolder();
    const peers = Array.from({ length: 4 }, () => peer(directory, 1_000_000n, 1n, 100_000, 'none'));
    await Promise.all(peers.map(({ ready }) => ready));
    for (const { child } of peers) {
      child.stdin?.write('go');
      child.stdout?.on('data', () => {
        if (Math.random() < 0.01) child.kill('SIGKILL');
      });
    }
    const told = sum(await Promise.all(peers.map(({ ended }) => ended)));
    const { free } = await probe(directory, 1_000_000n).reserve(0n, 'c1');
    const [name = ''] = readdirSync(directory);
    const lines = readFileSync(join(directory, name), 'utf8')
      .split('\n')
      .filter((line) => line.includes('"reserved"')).length;
    console.log(`key ledger: killed processes told ${told}, ${1_000_000n - free} are counted, in ${lines} lines`);
    // Each process may have died between its line and the word of it.
    assert.ok(1_000_000n - free >= BigInt(told) && 1_000_000n - free <= BigInt(told + peers.length), `${told} ${free}`);
  });
});
