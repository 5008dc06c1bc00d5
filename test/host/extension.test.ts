import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { COMMANDS, EXPERIMENTS_VIEW, RUNS_VIEW, SECTION, SETTINGS, VIEW_CONTAINER } from '../../src/vscode/ids.ts';
import { describe, it } from './suite.ts';

interface Manifest {
  readonly contributes: {
    readonly commands: readonly { command: string; category: string; enablement?: string }[];
    readonly configuration: readonly {
      properties: Record<string, { scope: string; order: number; markdownDescription: string }>;
    }[];
    readonly menus: Record<string, readonly { command: string; when: string }[]>;
    readonly views: Record<string, readonly { id: string }[]>;
  };
}

async function extension(): Promise<vscode.Extension<unknown>> {
  const found = vscode.extensions.all.find(
    ({ packageJSON }) => (packageJSON as { name?: string }).name === 'babyagi-vscode',
  );
  assert.ok(found, 'the extension is not installed');
  await found.activate();
  return found;
}

const manifest = async () => (await extension()).packageJSON as Manifest;

describe('the extension', () => {
  it('is started with the window, quickly', async () => {
    const started = performance.now();
    await extension();
    assert.ok(performance.now() - started < 5000);
    assert.equal((await extension()).isActive, true);
  });

  it('has the commands that the manifest declares, and no others', async () => {
    const ids = Object.values(COMMANDS).sort();
    const { contributes } = await manifest();
    assert.deepEqual(contributes.commands.map(({ command }) => command).sort(), ids);
    const registered = (await vscode.commands.getCommands(true)).filter((id) => /^babyagi\.[a-zA-Z]+$/.test(id));
    assert.deepEqual(registered.sort(), ids);
    for (const entry of Object.values(contributes.menus).flat())
      assert.ok((ids as string[]).includes(entry.command), entry.command);
  });

  it('has the views and settings that the manifest declares', async () => {
    const { contributes } = await manifest();
    assert.deepEqual(
      contributes.views[VIEW_CONTAINER]?.map(({ id }) => id),
      [RUNS_VIEW, EXPERIMENTS_VIEW],
    );
    const declared = contributes.configuration.flatMap(({ properties }) => Object.keys(properties)).sort();
    assert.deepEqual(declared, SETTINGS.map((name) => `${SECTION}.${name}`).sort());
  });

  it('keeps servers and prices out of the reach of a workspace', async () => {
    const { contributes } = await manifest();
    const properties = Object.assign({}, ...contributes.configuration.map((group) => group.properties)) as Record<
      string,
      { scope: string }
    >;
    const names = [
      ...['baseUrl', 'prices', 'freeServers', 'privateServers', 'localOnly', 'unattendedReview'],
      ...['notices', 'email', 'pagerdutyUrl', 'metricsPort', 'otlpEndpoint'],
    ];
    for (const name of names) {
      assert.equal(properties[`${SECTION}.${name}`]?.scope, 'machine', name);
      const configuration = vscode.workspace.getConfiguration(SECTION);
      await assert.rejects(async () => configuration.update(name, null, vscode.ConfigurationTarget.Workspace), name);
    }
  });

  it('answers a command for a run that is not there', async () => {
    // Resolves although nobody answers the message.
    await vscode.commands.executeCommand(COMMANDS.stop, 'no-such-run');
    await vscode.commands.executeCommand(COMMANDS.refresh);
  });
});
