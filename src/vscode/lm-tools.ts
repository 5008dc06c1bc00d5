import * as vscode from 'vscode';
import type { LimitName } from '../run/limits.ts';
import type { RunSettings } from '../run/settings.ts';
import { plainText } from '../runlog/markdown.ts';
import { summarize } from '../runlog/summary.ts';
import { needsKey } from '../safety/origin.ts';
import { printable } from '../safety/text.ts';
import type { App } from './app.ts';
import { requestOf } from './commands/launch.ts';
import { asking, type LanguageModelChoice, languageModelChoices, NO_MONEY } from './lm-choices.ts';
import { languageModelOf } from './lm-names.ts';
import { untrusted } from './markdown-string.ts';
import { closingAnswer } from './panel-lists.ts';
import { watchRun } from './progress.ts';
import { runIdOf } from './pick-run.ts';
import type { RunBrief } from './run-brief.ts';
import type { RunEntry } from './runs.ts';
import { type Configured, limitsIn } from './settings.ts';
import { localFolders, runsDirectories, settingsOf } from './workspace.ts';

// What a language model may do in a chat: start a run after a person confirmed it, and look at runs. Its words are data
// here; what it is told are facts about runs as JSON, in which texts of runs are only values.

const LISTED = 20;
const TASKS = 100;
const TEXT = 300;
const ANSWER = 12_000;

/** Limits that the chat may give. Of the others, and of those it need not give, the settings count. */
const GIVEN = ['max_iterations', 'max_cost_usd', 'max_requests', 'max_tokens'] as const;
const LIMITS = [...GIVEN, 'max_wall_time_minutes', 'task_timeout_seconds'] as const;

/** Why a tool does nothing, as a sentence that the model can pass on. */
export class ToolRefused extends Error {
  readonly reason: 'untrusted' | 'folder' | 'input' | 'no_key' | 'unknown_run';
  constructor(reason: ToolRefused['reason'], message: string) {
    super(message);
    this.name = 'ToolRefused';
    this.reason = reason;
  }
}

interface Start {
  readonly provider: 'openai' | 'vscode-lm';
  readonly settings: RunSettings;
  readonly configured: Configured;
  readonly folder: vscode.WorkspaceFolder;
}

/** What a run may be kept in, and whom else it may ask. */
interface Surroundings {
  folders(): readonly vscode.WorkspaceFolder[];
  models(): Promise<readonly LanguageModelChoice[]>;
}

const HERE: Surroundings = { folders: localFolders, models: languageModelChoices };

/** What a person is asked before the run is started. Throws ToolRefused where it would not be. */
export async function prepareStart(
  app: App,
  input: unknown,
  around: Surroundings = HERE,
): Promise<vscode.PreparedToolInvocation> {
  const { settings, provider, folder } = await startOf(app, input, around);
  const { objective, limits, model, baseUrl } = settings;
  const rows = [
    vscode.l10n.t('Objective: {0}', printable(objective, 1000)),
    provider === 'vscode-lm'
      ? vscode.l10n.t(
          'Limits: {0} iterations, {1} requests, {2} tokens, {3} minutes; cost included',
          limits.max_iterations,
          limits.max_requests ?? '',
          limits.max_tokens ?? '',
          limits.max_wall_time_minutes,
        )
      : vscode.l10n.t(
          'Limits: {0} iterations, {1} US dollars, {2} minutes',
          limits.max_iterations,
          limits.max_cost_usd,
          limits.max_wall_time_minutes,
        ),
    vscode.l10n.t('Model: {0} at {1}', printable(model, 100), placeOf(baseUrl)),
    vscode.l10n.t('Folder: {0}', printable(folder.name, 100)),
  ];
  const message = untrusted(rows.map((row) => `- ${plainText(row, 1200)}\n`).join(''));
  return {
    invocationMessage: vscode.l10n.t('Starting a BabyAGI run'),
    confirmationMessages: { title: vscode.l10n.t('Start a BabyAGI run?'), message },
  };
}

/** Starts the run; resolves once it is on disk. Throws ToolRefused, EngineError and ServerRefused. */
export async function invokeStart(
  app: App,
  input: unknown,
  around: Surroundings = HERE,
): Promise<vscode.LanguageModelToolResult> {
  const run = await app.control.start(requestOf(await startOf(app, input, around)));
  watchRun(app.runs, run);
  const { limits } = run.state;
  return result({ run_id: run.runId, status: 'running', limits, look: 'Ask babyagi_run_state for how it stands.' });
}

/** How runs stand: one with its tasks and answer, or the newest ones. Changes nothing. Throws ToolRefused. */
export async function invokeState(app: App, input: unknown): Promise<vscode.LanguageModelToolResult> {
  await app.runs.scan(runsDirectories());
  const runId = fieldOf(input, 'run_id');
  if (runId === undefined || runId === '') {
    const { entries, older } = app.runs;
    const runs = entries.slice(0, LISTED).map(({ brief }) => briefly(brief));
    return result({ runs, more: Math.max(0, entries.length - LISTED) + older });
  }
  const entry = app.runs.entry(runIdOf(runId) ?? '');
  if (entry === undefined) throw new ToolRefused('unknown_run', 'There is no run with this run_id in this workspace.');
  return result(await closely(app, entry));
}

async function startOf(app: App, input: unknown, around: Surroundings): Promise<Start> {
  if (!vscode.workspace.isTrusted) {
    throw new ToolRefused('untrusted', 'The workspace is in Restricted Mode: a person has to trust it first.');
  }
  const folder = folderIn(input, around.folders());
  const languageModel = await languageModelIn(input, around);
  const { DEFAULTS, checkSettings, originOf } = await import('./run-world.ts');
  const configured = settingsOf(folder);
  const checked = checkSettings({
    ...configured.raw,
    ...limitsIn(configured, LIMITS),
    ...limitsOf(input, languageModel),
    ...(languageModel !== null && { model: languageModel.family }),
    objective: fieldOf(input, 'objective'),
    acceptanceCriteria: fieldOf(input, 'acceptance_criteria') ?? [],
  });
  const problems = [...configured.problems, ...('problems' in checked ? checked.problems : [])];
  if ('problems' in checked || problems.length > 0) throw new ToolRefused('input', problems.join(' '));
  const { settings } = checked;
  for (const name of LIMITS) {
    // What a person set is the most that a model gets without one.
    const most = configured.limits[name]?.value;
    if (typeof most === 'number' && (settings.limits[name] ?? 0) > most) {
      throw new ToolRefused('input', `${name} is above ${most}, the limit in the settings of BabyAGI.`);
    }
  }
  const origin = originOf(settings.baseUrl || DEFAULTS.baseUrl, configured);
  if (languageModel === null && needsKey(origin) && (await app.keys.keyFor(origin)) === null) {
    const models = await around.models();
    const instead =
      models.length === 0
        ? ''
        : ` Without a key a model of VS Code will do: give vscode_model (${namesOf(models)}), max_requests and max_tokens, as the person says.`;
    throw new ToolRefused(
      'no_key',
      `There is no API key for ${origin}. A person can set one with "BabyAGI: Set API Key", or start a run with "BabyAGI: Run Objective".${instead}`,
    );
  }
  return { ...asking(languageModel, settings), configured, folder };
}

/** The folder that keeps the run: the only one, or the one that is named. Throws ToolRefused. */
function folderIn(input: unknown, folders: readonly vscode.WorkspaceFolder[]): vscode.WorkspaceFolder {
  if (folders.length === 0) throw new ToolRefused('untrusted', 'No folder on disk is open: a run is kept in one.');
  const named = fieldOf(input, 'folder');
  const meant =
    named === undefined ? folders : folders.filter(({ name, uri }) => named === name || named === uri.fsPath);
  const [folder] = meant;
  if (folder !== undefined && meant.length === 1) return folder;
  const all = folders.map(({ name, uri }) => `${JSON.stringify(name)} at ${JSON.stringify(uri.fsPath)}`).join(', ');
  throw new ToolRefused(
    'folder',
    `Say in folder, by name or path, which of these keeps the run, as the person says: ${all}.`,
  );
}

/** The model of VS Code that is named, or null: the model of the settings, at their server. Throws ToolRefused. */
async function languageModelIn(input: unknown, around: Surroundings): Promise<LanguageModelChoice | null> {
  const named = fieldOf(input, 'vscode_model');
  if (named === undefined) return null;
  const models = await around.models();
  const model = models.find((each) => named === idOf(each));
  if (model !== undefined) return model;
  const there = models.length === 0 ? 'VS Code offers none' : `VS Code offers ${namesOf(models)}`;
  throw new ToolRefused('input', `There is no such vscode_model: ${there}.`);
}

/** The limits that were given: all that the kind of model needs. Throws ToolRefused where one is missing. */
function limitsOf(input: unknown, languageModel: LanguageModelChoice | null): Partial<Record<LimitName, unknown>> {
  const given = Object.fromEntries(
    GIVEN.flatMap((name) => {
      const value = fieldOf(input, name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const needed: readonly LimitName[] =
    languageModel === null ? ['max_iterations', 'max_cost_usd'] : ['max_iterations', 'max_requests', 'max_tokens'];
  const missing = needed.filter((name) => !(name in given));
  if (missing.length > 0) throw new ToolRefused('input', `Ask the person for ${missing.join(' and ')}.`);
  return languageModel === null ? given : { ...given, max_cost_usd: NO_MONEY };
}

function idOf({ vendor, family }: LanguageModelChoice): string {
  return `${vendor}/${family}`;
}

function namesOf(models: readonly LanguageModelChoice[]): string {
  return models
    .slice(0, LISTED)
    .map((model) => JSON.stringify(printable(idOf(model), 100)))
    .join(', ');
}

function placeOf(baseUrl: string): string {
  const named = languageModelOf(baseUrl);
  return named === null ? new URL(baseUrl).host : vscode.l10n.t('VS Code ({0})', printable(named.vendor, 100));
}

function briefly(brief: RunBrief) {
  const { runId, objective, startedAt, rehearsal, status, stopReason, iterations, maxIterations, spentUsd, capUsd } =
    brief;
  return {
    run_id: runId,
    objective: printable(objective, TEXT),
    started_at: startedAt,
    rehearsal,
    status,
    stop_reason: stopReason,
    iterations: { done: iterations, limit: maxIterations },
    cost: brief.included ? 'included' : { spent_usd: spentUsd, limit_usd: capUsd },
  };
}

async function closely(app: App, entry: RunEntry) {
  const run = await app.runs.open(entry.runId);
  if (run === undefined) return { ...briefly(entry.brief), problem: entry.problem };
  const { cost, detail, meaning, next, task_counts, tasks } = summarize(run.state);
  const answer = closingAnswer(run.state, [...run.state.calls.values()]).markdown;
  return {
    ...briefly(entry.brief),
    cost: cost.note ?? cost,
    detail,
    meaning,
    next,
    task_counts,
    tasks: tasks.slice(0, TASKS).map((task) => ({
      task_id: task.task_id,
      text: printable(task.text, TEXT),
      state: task.state,
      iteration: task.iteration,
      error: task.error && printable(task.error.message, TEXT),
    })),
    more_tasks: Math.max(0, tasks.length - TASKS),
    summary: answer === null ? null : answer.slice(0, ANSWER),
  };
}

function fieldOf(input: unknown, name: string): unknown {
  return typeof input === 'object' && input !== null ? (input as Record<string, unknown>)[name] : undefined;
}

function result(value: object): vscode.LanguageModelToolResult {
  return new vscode.LanguageModelToolResult([new vscode.LanguageModelTextPart(JSON.stringify(value, null, 1))]);
}
