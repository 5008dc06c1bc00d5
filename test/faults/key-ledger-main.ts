import { KeyLedgerFile } from '../../src/budget/key-ledger.ts';

/*
 * One of several processes that draw on the same key. Arguments: directory, limit and amount (pico-dollars), number of
 * reservations, `outcome` of each (`none`: leave it open). Begins on a byte of stdin, prints `admitted N` and ends.
 */
const [directory = '', limit = '', amount = '', count = '', outcome = ''] = process.argv.slice(2);
const ledger = new KeyLedgerFile({
  directory,
  key: () => Promise.resolve('sk-shared-0123456789abcdef'),
  limitPerDay: BigInt(limit),
  now: () => Date.UTC(2026, 4, 17),
});
process.stdout.write('ready\n');
await new Promise((resolve) => process.stdin.once('data', resolve));
let admitted = 0;
for (let index = 0; index < Number(count); index += 1) {
  const answer = await ledger.reserve(BigInt(amount), `c${index}`);
  if (!answer.admitted) continue;
  admitted += 1;
  // Told one by one, as this process may be killed at any moment.
  process.stdout.write(`admitted ${admitted}\n`);
  if (outcome === 'half') await ledger.settle(`c${index}`, 'settled', BigInt(amount) / 2n);
}
process.stdout.write('done\n', () => process.exit());
