import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { checkSettings } from '../../../src/run/settings.ts';
import type { SettingName } from '../../../src/vscode/ids.ts';
import { type Inspected, readSettings } from '../../../src/vscode/settings.ts';

const read = (values: Partial<Record<SettingName, Inspected>>) => readSettings((name) => values[name]);

describe('settings', () => {
  it('have the same defaults in the manifest as in a terminal', () => {
    const { contributes } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      contributes: { configuration: { properties: Record<string, { default: unknown }> }[] };
    };
    const properties = Object.assign({}, ...contributes.configuration.map((group) => group.properties)) as Record<
      string,
      { default: unknown }
    >;
    const { raw } = readSettings((name) => ({ defaultValue: properties[`babyagi.${name}`]?.default }));
    const asked = { objective: 'Plan a garden', max_iterations: 1, max_cost_usd: 1 };
    assert.deepEqual(checkSettings({ ...raw, ...asked }), checkSettings(asked));
  });

  it('takes a workspace value only where it lowers a limit', () => {
    const { limits } = read({
      maxCostUsd: { globalValue: 2, workspaceValue: 50 },
      maxIterations: { globalValue: 30, workspaceValue: 5 },
      maxRequests: { defaultValue: null, globalValue: 100, workspaceValue: 40 },
      maxTokens: { defaultValue: null, globalValue: 5000, workspaceValue: 6000 },
      maxWallTimeMinutes: { defaultValue: 480, workspaceValue: 1000, workspaceFolderValue: 60 },
      taskTimeoutSeconds: { defaultValue: 120, workspaceValue: 86_400 },
    });
    assert.deepEqual(limits.max_cost_usd, { value: 2, loweredByWorkspace: false });
    assert.deepEqual(limits.max_iterations, { value: 5, loweredByWorkspace: true });
    assert.deepEqual(limits.max_requests, { value: 40, loweredByWorkspace: true });
    assert.deepEqual(limits.max_tokens, { value: 5000, loweredByWorkspace: false });
    assert.deepEqual(limits.max_wall_time_minutes, { value: 60, loweredByWorkspace: true });
    assert.deepEqual(limits.task_timeout_seconds, { value: 120, loweredByWorkspace: false });
  });

  it('offers what a workspace sets where the user set nothing, and says where it is from', () => {
    const { limits } = read({
      maxCostUsd: { defaultValue: null, workspaceValue: 0.5 },
      maxIterations: { defaultValue: null },
    });
    assert.deepEqual(limits.max_cost_usd, { value: 0.5, loweredByWorkspace: true });
    assert.deepEqual([limits.max_iterations, limits.max_requests], [undefined, undefined]);
  });

  it('ignores a workspace value that is no number', () => {
    assert.equal(read({ maxCostUsd: { globalValue: 2, workspaceValue: '0' } }).limits.max_cost_usd?.value, 2);
  });

  it('gives a workspace no say in servers, prices and unattended reviews', () => {
    const workspaceValue = (value: unknown) => ({ workspaceValue: value, workspaceFolderValue: value });
    const { raw, prices, privateOrigins, localOnly } = read({
      baseUrl: { defaultValue: 'https://api.openai.com/v1', ...workspaceValue('https://elsewhere.example/v1') },
      prices: workspaceValue({ 'gpt-4o': { input: 0, output: 0 } }),
      freeServers: workspaceValue(['https://api.openai.com']),
      privateServers: workspaceValue(['http://192.168.1.1']),
      localOnly: { globalValue: true, ...workspaceValue(false) },
      unattendedReview: {
        defaultValue: { action: 'wait', afterMinutes: 0 },
        ...workspaceValue({ action: 'continue' }),
      },
    });
    assert.equal(raw.baseUrl, 'https://api.openai.com/v1');
    assert.deepEqual(prices, { overrides: [], freeOrigins: [] });
    assert.deepEqual(privateOrigins, []);
    assert.equal(localOnly, true);
    assert.deepEqual(raw.unattendedReview, { action: 'wait', after_minutes: 0 });
  });

  it('gives a workspace no say in the limit of the key and the watchdog', () => {
    const hostile = { workspaceValue: 4000, workspaceFolderValue: null };
    const one = read({
      maxKeyUsdPerDay: { globalValue: 2, ...hostile },
      watchdogSeconds: { defaultValue: 60, ...hostile },
    });
    assert.deepEqual([one.maxKeyUsdPerDay, one.watchdogSeconds], [2, 60]);
    assert.equal(read({ maxKeyUsdPerDay: { defaultValue: null, ...hostile } }).maxKeyUsdPerDay, null);
  });

  it('leaves nothing to spend where the limit of the key cannot be read', () => {
    for (const globalValue of ['2', -1, 0, 5000, Number.NaN]) {
      const { maxKeyUsdPerDay, problems } = read({ maxKeyUsdPerDay: { globalValue } });
      assert.equal(maxKeyUsdPerDay, 0);
      assert.match(problems.join(), /babyagi\.maxKeyUsdPerDay .* is not valid/);
    }
  });

  it('lets a workspace make reviews more frequent, never rarer', () => {
    const every = (globalValue: unknown, workspaceValue: unknown) =>
      read({ reviewEvery: { globalValue, workspaceValue } }).raw.reviewEvery;
    assert.equal(every(5, 2), 2);
    assert.equal(every(5, 10), 5);
    assert.equal(every(5, 0), 5);
    assert.equal(every(0, 3), 3);
    assert.equal(every(0, undefined), 0);
    const step = (globalValue: unknown, workspaceValue: unknown) =>
      read({ reviewEveryUsd: { globalValue, workspaceValue } }).raw.reviewEveryUsd;
    assert.deepEqual([step(0.5, 0.1), step(0.5, 2), step(0.5, 0), step(0, 0.3)], [0.1, 0.5, 0.5, 0.3]);
    const firstUse = (globalValue: unknown, workspaceValue: unknown) =>
      read({ reviewFirstUse: { globalValue, workspaceValue } }).raw.reviewFirstUse;
    assert.deepEqual([firstUse(true, false), firstUse(false, true), firstUse(false, undefined)], [true, true, false]);
  });

  it('lets a workspace choose model and strategy', () => {
    const { raw } = read({
      model: { globalValue: 'a', workspaceValue: 'b' },
      strategy: { defaultValue: 'guarded', workspaceFolderValue: 'classic' },
    });
    assert.equal(raw.model, 'b');
    assert.equal(raw.strategy, 'classic');
  });

  it('reads an empty embedding model as none', () => {
    assert.equal(read({ embeddingModel: { globalValue: '' } }).raw.embeddingModel, null);
    assert.equal(read({ embeddingModel: { defaultValue: 'x' } }).raw.embeddingModel, 'x');
  });

  it('keeps folders inside the workspace, unless the user names one', () => {
    const folder = (inspected: Inspected) => {
      const { runsFolder, problems } = read({ runsFolder: inspected });
      return [runsFolder, problems.length];
    };
    assert.deepEqual(folder({ workspaceValue: 'runs' }), ['runs', 0]);
    assert.deepEqual(folder({ workspaceValue: '../runs' }), ['.babyagi/runs', 1]);
    assert.deepEqual(folder({ workspaceValue: '/etc' }), ['.babyagi/runs', 1]);
    assert.deepEqual(folder({ globalValue: '/data/runs' }), ['/data/runs', 0]);
    assert.deepEqual(folder({ globalValue: '/data/runs', workspaceValue: '/other' }), ['.babyagi/runs', 1]);
  });

  it('reads prices and servers, and names what is wrong with them', () => {
    const { prices, privateOrigins, problems } = read({
      prices: {
        globalValue: { good: { input: 1, output: 2, cachedInput: 0.5 }, bad: { input: -1, output: 2 }, worse: null },
      },
      freeServers: { globalValue: ['http://localhost:11434/v1'] },
      privateServers: { globalValue: ['http://192.168.1.20:8000', 'not a server'] },
    });
    assert.deepEqual(prices.overrides, [{ model: 'good', input: 1, output: 2, cachedInput: 0.5 }]);
    assert.deepEqual(prices.freeOrigins, ['http://localhost:11434']);
    assert.deepEqual(privateOrigins, ['http://192.168.1.20:8000']);
    assert.equal(problems.length, 3);
    assert.match(problems.join(), /"bad".*"worse".*"not a server"/);
  });
});
