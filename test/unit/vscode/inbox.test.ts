import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { type Command, Inbox } from '../../../src/vscode/inbox.ts';

describe('commands between windows', () => {
  const root = mkdtempSync(join(tmpdir(), 'inbox-'));
  after(() => rmSync(root, { recursive: true, force: true }));
  let folder = '';
  let sender: Inbox;
  let owner: Inbox;
  let seen: Command[] = [];
  const act = (command: Command) => void seen.push(command);
  beforeEach(() => {
    folder = mkdtempSync(join(root, 'storage-'));
    sender = new Inbox(nodeDisk, folder);
    owner = new Inbox(nodeDisk, folder);
    seen = [];
  });

  it('are carried out once, by the window that the run is in', async () => {
    const id = await sender.send('one', { do: 'stop' });
    assert.deepEqual(await sender.fateOf('one', id), { kind: 'waiting' });
    await owner.take('another', act);
    assert.deepEqual(seen, []);
    await owner.take('one', act);
    await owner.take('one', act);
    assert.deepEqual(seen, [{ do: 'stop' }]);
    assert.deepEqual(await sender.fateOf('one', id), { kind: 'done' });
    assert.deepEqual(readdirSync(join(folder, 'one')), []);
  });

  it('have one effect where several take them at once', async () => {
    for (const digest of ['a', 'b', 'c', 'd']) await sender.send('one', { do: 'approve_review', digest });
    await Promise.all(Array.from({ length: 8 }, () => new Inbox(nodeDisk, folder).take('one', act)));
    assert.deepEqual(seen.map((command) => ('digest' in command ? command.digest : '')).sort(), ['a', 'b', 'c', 'd']);
  });

  it('tell why they were refused', async () => {
    const id = await sender.send('one', { do: 'approve_review', digest: 'old' });
    await owner.take('one', () => {
      throw new Error('The run changed since it was shown.');
    });
    assert.deepEqual(await sender.fateOf('one', id), { kind: 'refused', why: 'The run changed since it was shown.' });
    assert.deepEqual(readdirSync(join(folder, 'one')), []);
  });

  it('can be taken back until they are carried out', async () => {
    const first = await sender.send('one', { do: 'pause' });
    assert.equal(await sender.withdraw('one', first), true);
    await owner.take('one', act);
    assert.deepEqual(seen, []);
    const second = await sender.send('one', { do: 'resume' });
    await owner.take('one', act);
    assert.equal(await sender.withdraw('one', second), false);
    assert.deepEqual(seen, [{ do: 'resume' }]);
  });

  it('are not carried out again where their taker died over them', async () => {
    const id = await sender.send('one', { do: 'stop' });
    writeFileSync(join(folder, 'one', `${id}.taken`), '');
    await owner.take('one', act);
    assert.deepEqual(seen, []);
    assert.equal(await sender.withdraw('one', id), false);
  });

  it('are ignored where they are no commands', async () => {
    mkdirSync(join(folder, 'one'));
    for (const [index, text] of ['{"do":"stop"', 'null', '{"do":"buy"}', '{"do":"approve_review"}', '[]'].entries())
      writeFileSync(join(folder, 'one', `${index}.json`), text);
    await owner.take('one', act);
    assert.deepEqual(seen, []);
    await assert.rejects(() => sender.send('../elsewhere', { do: 'stop' }), /not the id of a run/);
  });
});
