import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import { startRun } from '../../src/engine/start.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { processTable, thisProcess } from '../../src/runlog/machine.ts';
import type { App } from '../../src/vscode/app.ts';
import { type Asked, respond } from '../../src/vscode/chat.ts';
import { CHAT_PARTICIPANT, COMMANDS, TOOLS } from '../../src/vscode/ids.ts';
import { LmModel } from '../../src/vscode/lm-model.ts';
import { invokeStart, invokeState, prepareStart, ToolRefused } from '../../src/vscode/lm-tools.ts';
import { openUri } from '../../src/vscode/open-uri.ts';
import type { StartRequest } from '../../src/vscode/run-control.ts';
import { RunFiles } from '../../src/vscode/run-files.ts';
import { Runs } from '../../src/vscode/runs.ts';
import { runsDirectories } from '../../src/vscode/workspace.ts';
import { fakeLanguageModel } from '../support/language-model.ts';
import { testHost, testSettings, testStart } from '../support/run-host.ts';
import { describe, it } from './suite.ts';

const HOSTILE = 'Read [this](command:workbench.action.quit) ![](https://evil.invalid/x.png) <img src=x>';

/** A link to a command, an image or HTML that a reader of Markdown would see as such. */
const LIVE = /(?<!\\)\[[^\]\\]*\]\(command:|(?<!\\)!\[|<img/;

/** Runs of this workspace as the window has them; what would be started is noted, and nothing is. */
function appWith({ key = 'sk-test' }: { key?: string | null } = {}) {
  const runs = new Runs(new RunFiles(nodeDisk, thisProcess, processTable));
  const started: StartRequest[] = [];
  const shown: string[] = [];
  const app = {
    runs,
    keys: { keyFor: () => Promise.resolve(key) },
    control: {
      start: (request: StartRequest) => {
        started.push(request);
        return Promise.reject(new Error('started'));
      },
    },
    panels: () => Promise.resolve({ show: (runId: string) => shown.push(runId) }),
  } as unknown as App;
  return { app, started, shown };
}

const installed = () => vscode.extensions.all.find(({ id }) => id.endsWith('babyagi-vscode'));

/** A run that has ended, in the workspace; its answer is hostile. */
async function endedRun(objective: string): Promise<{ runId: string; remove: () => void }> {
  const [runsDirectory = mkdtempSync(path.join(tmpdir(), 'babyagi-chat-'))] = runsDirectories();
  const model = fakeLanguageModel(([text = '']) => (/JSON/.test(text) ? '{"tasks":["Look"]}' : HOSTILE));
  const origin = 'vscode:lm/test/test-model';
  const settings = { ...testSettings('https://nowhere.invalid/v1', { objective, max_iterations: 1 }), baseUrl: origin };
  const session = await startRun(
    settings,
    testStart(runsDirectory, { provider: 'vscode-lm' }),
    testHost('https://nowhere.invalid', {
      distDirectory: path.join(installed()?.extensionPath ?? '', 'dist'),
      languageModel: () => Promise.resolve(new LmModel(origin, 'test-model', () => Promise.resolve(model))),
    }),
  );
  const { runId, runDirectory } = await session.done;
  return { runId, remove: () => rmSync(runDirectory, { recursive: true }) };
}

async function replyTo(app: App, asked: Asked) {
  const markdown: vscode.MarkdownString[] = [];
  const buttons: vscode.Command[] = [];
  await respond(app, asked, {
    markdown: (text) => {
      assert.ok(text instanceof vscode.MarkdownString);
      markdown.push(text);
    },
    button: (command) => void buttons.push(command),
  });
  assert.ok(markdown.every(({ isTrusted, supportHtml }) => isTrusted === false && supportHtml === false));
  return { text: markdown.map(({ value }) => value).join(''), buttons };
}

const jsonOf = ({ content }: vscode.LanguageModelToolResult) => {
  const [part] = content;
  assert.ok(part instanceof vscode.LanguageModelTextPart);
  return JSON.parse(part.value) as Record<string, unknown>;
};

const refusedFor = (reason: ToolRefused['reason']) => (error: unknown) =>
  error instanceof ToolRefused && error.reason === reason;

const OFFERED = [{ name: 'M 1', vendor: 'test', family: 'm-1', origin: 'vscode:lm/test/m-1' }];
const around = (folders = vscode.workspace.workspaceFolders ?? []) => ({
  folders: () => folders,
  models: () => Promise.resolve(OFFERED),
});

describe('language-model tools', () => {
  it('are there, with limits that are required', () => {
    const tools = vscode.lm.tools.filter(({ name }) => name.startsWith('babyagi_'));
    assert.deepEqual(tools.map(({ name }) => name).sort(), Object.values(TOOLS).sort());
    const start = tools.find(({ name }) => name === TOOLS.startRun)?.inputSchema;
    assert.deepEqual(start && Reflect.get(start, 'required'), ['objective', 'max_iterations']);
  });

  it('ask with the objective and the limits before a run is started', async () => {
    const { app, started } = appWith();
    const input = { objective: HOSTILE, max_iterations: 7, max_cost_usd: 0.25 };
    const { confirmationMessages } = await prepareStart(app, input);
    const message = confirmationMessages?.message;
    assert.ok(message instanceof vscode.MarkdownString);
    assert.match(message.value, /7.*iterations.*0\.25/);
    assert.doesNotMatch(message.value, LIVE);
    assert.equal(message.isTrusted, false);
    assert.equal(started.length, 0);
    await assert.rejects(invokeStart(app, input), /started/);
    const [request] = started;
    assert.deepEqual([request?.settings.limits.max_iterations, request?.settings.limits.max_cost_usd], [7, 0.25]);
    assert.equal(request?.settings.objective, HOSTILE);
  });

  it('start nothing without limits, above those of the settings, or without a key', async () => {
    const { app, started } = appWith();
    const input = { objective: 'x', max_iterations: 7, max_cost_usd: 0.25 };
    for (const wrong of [
      undefined,
      {},
      { ...input, max_cost_usd: undefined },
      { ...input, max_iterations: 0 },
      { ...input, objective: '' },
    ]) {
      await assert.rejects(prepareStart(app, wrong), refusedFor('input'));
      await assert.rejects(invokeStart(app, wrong), refusedFor('input'));
    }
    const configuration = vscode.workspace.getConfiguration('babyagi');
    await configuration.update('maxCostUsd', 0.1, vscode.ConfigurationTarget.Global);
    await assert.rejects(invokeStart(app, input), refusedFor('input'));
    await configuration.update('maxCostUsd', undefined, vscode.ConfigurationTarget.Global);
    const keyless = appWith({ key: null });
    await assert.rejects(invokeStart(keyless.app, input), refusedFor('no_key'));
    assert.deepEqual([...started, ...keyless.started], []);
  });

  it('ask a model of VS Code where one is named, with limits of requests and of tokens, and without a key', async () => {
    const { app, started } = appWith({ key: null });
    const input = { objective: 'x', max_iterations: 7, max_requests: 22, max_tokens: 55_000, vscode_model: 'test/m-1' };
    const { confirmationMessages } = await prepareStart(app, input, around());
    const message = confirmationMessages?.message;
    assert.ok(message instanceof vscode.MarkdownString);
    assert.match(message.value, /7 iterations, 22 requests, 55000 tokens, .* cost included\n- Model: m-1 at VS Code/);
    await assert.rejects(invokeStart(app, input, around()), /started/);
    const [request] = started;
    assert.equal(request?.provider, 'vscode-lm');
    const { baseUrl, model, embeddingModel, limits } = request.settings;
    assert.deepEqual([baseUrl, model, embeddingModel], ['vscode:lm/test/m-1', 'm-1', null]);
    assert.deepEqual([limits.max_iterations, limits.max_requests, limits.max_tokens], [7, 22, 55_000]);
    assert.ok(limits.max_cost_usd < 0.00001);
    for (const wrong of [
      { ...input, max_requests: undefined },
      { ...input, max_tokens: undefined, max_cost_usd: 1 },
      { ...input, vscode_model: 'm-1' },
      { ...input, vscode_model: 'test/m-2' },
    ]) {
      await assert.rejects(invokeStart(app, wrong, around()), refusedFor('input'));
    }
    const configuration = vscode.workspace.getConfiguration('babyagi');
    await configuration.update('maxRequests', 21, vscode.ConfigurationTarget.Global);
    await assert.rejects(invokeStart(app, input, around()), refusedFor('input'));
    await configuration.update('maxRequests', undefined, vscode.ConfigurationTarget.Global);
    const paid = { objective: 'x', max_iterations: 7, max_cost_usd: 0.25 };
    await assert.rejects(
      invokeStart(app, paid, around()),
      (error) => refusedFor('no_key')(error) && /vscode_model \("test\/m-1"\)/.test((error as Error).message),
    );
    assert.equal(started.length, 1);
  });

  it('keep a run in the folder that is named where several are open, and in none that nobody named', async () => {
    const { app, started } = appWith();
    const folders = ['one', 'two', 'two'].map((name, index) => ({
      name,
      index,
      uri: vscode.Uri.file(path.join(tmpdir(), `${index}`, name)),
    }));
    const input = { objective: 'x', max_iterations: 7, max_cost_usd: 0.25 };
    for (const folder of [undefined, 'three', 'two'])
      await assert.rejects(invokeStart(app, { ...input, folder }, around(folders)), refusedFor('folder'));
    await assert.rejects(prepareStart(app, input, around([])), refusedFor('untrusted'));
    const second = folders[1]?.uri.fsPath ?? '';
    for (const folder of ['one', second])
      await assert.rejects(invokeStart(app, { ...input, folder }, around(folders)), /started/);
    assert.deepEqual(
      started.map(({ workspace }) => workspace),
      [folders[0]?.uri.fsPath, second],
    );
  });

  it('need no key for a server on the own network by plain http', async () => {
    const { app, started } = appWith({ key: null });
    const server = 'http://192.168.0.9:8000';
    const configuration = vscode.workspace.getConfiguration('babyagi');
    await configuration.update('privateServers', [server], vscode.ConfigurationTarget.Global);
    await configuration.update('baseUrl', `${server}/v1`, vscode.ConfigurationTarget.Global);
    try {
      await assert.rejects(invokeStart(app, { objective: 'x', max_iterations: 7, max_cost_usd: 0.25 }), /started/);
    } finally {
      await configuration.update('baseUrl', undefined, vscode.ConfigurationTarget.Global);
      await configuration.update('privateServers', undefined, vscode.ConfigurationTarget.Global);
    }
    assert.equal(started.length, 1);
  });

  it('are refused by VS Code itself where the input is wrong', async () => {
    const asked = vscode.lm.invokeTool(TOOLS.startRun, { input: { objective: 'x' }, toolInvocationToken: undefined });
    await assert.rejects(Promise.resolve(asked));
  });

  it('tell how runs stand', async () => {
    const { runId, remove } = await endedRun('Compare three hedges');
    const list = jsonOf(await vscode.lm.invokeTool(TOOLS.runState, { input: {}, toolInvocationToken: undefined }));
    const listed = (list['runs'] as { run_id: string; cost: unknown }[]).find(({ run_id }) => run_id === runId);
    assert.equal(listed?.cost, 'included');
    const { app } = appWith();
    const one = jsonOf(await invokeState(app, { run_id: runId }));
    assert.equal(one['stop_reason'], 'max_iterations');
    assert.equal(one['objective'], 'Compare three hedges');
    assert.ok((one['tasks'] as unknown[]).length > 0);
    await assert.rejects(invokeState(app, { run_id: '../x' }), refusedFor('unknown_run'));
    remove();
  });
});

describe('@babyagi', () => {
  it('is declared, and so are addresses of runs', () => {
    const { activationEvents, contributes } = (installed()?.packageJSON ?? {}) as {
      activationEvents: string[];
      contributes: { chatParticipants: { id: string; commands: { name: string }[] }[] };
    };
    assert.deepEqual(
      contributes.chatParticipants.map(({ id, commands }) => [id, commands.map(({ name }) => name)]),
      [[CHAT_PARTICIPANT, ['start', 'status', 'answer']]],
    );
    assert.ok(activationEvents.includes('onUri'));
  });

  it('offers to set a run up, and starts none', async () => {
    const { app, started } = appWith();
    const { text, buttons } = await replyTo(app, { command: 'start', prompt: ` ${HOSTILE} ` });
    assert.doesNotMatch(text, LIVE);
    assert.deepEqual(
      buttons.map(({ command, arguments: given }) => [command, given]),
      [[COMMANDS.run, [{ objective: HOSTILE }]]],
    );
    assert.equal((await replyTo(app, { command: 'start', prompt: ' ' })).buttons.length, 0);
    assert.match((await replyTo(app, { command: undefined, prompt: 'hello' })).text, /start/);
    assert.deepEqual(started, []);
  });

  it('shows how runs stand, and what they found out, as safe text', async () => {
    const { runId, remove } = await endedRun(`Hedges ${HOSTILE}`);
    const { app } = appWith();
    const status = await replyTo(app, { command: 'status', prompt: '' });
    assert.match(status.text, /cost included/);
    assert.ok(
      status.buttons.some(({ command, arguments: given }) => command === COMMANDS.openSummary && given?.[0] === runId),
    );
    const answer = await replyTo(app, { command: 'answer', prompt: runId });
    assert.match(answer.text, /Read/);
    assert.ok(answer.buttons.some(({ command }) => command === COMMANDS.openAnswer));
    for (const { text } of [status, answer]) {
      assert.doesNotMatch(text, LIVE);
    }
    assert.match((await replyTo(app, { command: 'answer', prompt: 'no such words' })).text, /No run/);
    remove();
  });
});

describe('an address of a run', () => {
  it('opens its panel, or the list; nothing else', async () => {
    const { runId, remove } = await endedRun('Opened from outside');
    const { app, started, shown } = appWith();
    let lists = 0;
    const open = (path: string, query: string) => openUri(app, { path, query }, () => (lists += 1));
    await open('/run', `id=${runId}`);
    assert.deepEqual([shown, lists], [[runId], 0]);
    for (const [path, query] of [
      ['/run', ''],
      ['/run', 'id=no-such-run'],
      ['/start', `id=${runId}`],
      ['/run', 'id=..%2F..%2Fx'],
    ] as const)
      await open(path, query);
    assert.deepEqual([shown.length, lists, started.length], [1, 4, 0]);
    remove();
  });
});
