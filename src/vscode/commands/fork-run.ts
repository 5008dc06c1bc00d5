import * as vscode from 'vscode';
import type { Parent } from '../../engine/fork.ts';
import { STRATEGIES } from '../../run/format.ts';
import type { RawSettings } from '../../run/settings.ts';
import { nodeDisk } from '../../runlog/disk.ts';
import type { App } from '../app.ts';
import { inQuickPick } from '../labels.ts';
import { languageModelChoices } from '../lm-choices.ts';
import { l10n } from '../panel-l10n.ts';
import { pickRun } from '../pick-run.ts';
import { askPick, askText, BACK, runSteps } from '../steps.ts';
import { tellProblem } from '../tell.ts';
import { folderOf, mayRun, pickFolder, settingsOf } from '../workspace.ts';
import { launch } from './launch.ts';
import { ASKED, askedOf, limitOf, modelIn, newDraft, rawOf, type RunDraft, saveLimits, totalOf } from './run-draft.ts';
import { accessTo } from './run-objective.ts';
import { askLimit, askModel, confirm, forecastWords, tellSettings, type Where, whereOf } from './run-questions.ts';

interface Fork extends RunDraft {
  readonly parent: Parent;
  /** That the other run has completed. */
  readonly completed: number;
  /** The last one that is taken over. */
  iteration: number;
  strategy: Parent['config']['strategy'];
}

/**
 * Starts a new run from the state of another one after an iteration. It is as the other one was, but for what is asked; the
 * server and the reviews are those of the settings, as a run may come from anywhere.
 */
export async function forkRun(app: App, argument: unknown): Promise<void> {
  if (!(await mayRun())) return;
  const title = vscode.l10n.t('Fork Run');
  const entry = await pickRun(app, argument, title, ({ brief }) => brief.iterations > 0);
  const folder = entry && (folderOf(entry.directory) ?? (await pickFolder()));
  if (!entry || !folder) return;
  try {
    await forkFrom(app, entry.directory, title, folder);
  } catch (error) {
    await tellProblem(app, vscode.l10n.t('The run was not started.'), error);
  }
}

/** Throws EngineError and ServerRefused. */
async function forkFrom(app: App, directory: string, title: string, folder: vscode.WorkspaceFolder): Promise<void> {
  const configured = settingsOf(folder);
  if (configured.problems.length > 0) return tellSettings(configured.problems);
  const [{ DEFAULTS, DEFAULT_LIMITS, checkSettings, originOf }, { completedIn, readParent, settingsOfRun }] =
    await Promise.all([import('../run-world.ts'), import('../../engine/fork.ts')]);
  const parent = await readParent(nodeDisk, directory);
  const completed = completedIn(parent);
  if (completed === 0) {
    void vscode.window.showInformationMessage(
      vscode.l10n.t('The run has completed no iteration that another one could begin after.'),
    );
    return;
  }
  const { config } = parent;
  const baseUrl = typeof configured.raw.baseUrl === 'string' ? configured.raw.baseUrl : DEFAULTS.baseUrl;
  const origin = originOf(baseUrl, configured);
  const choices = languageModelChoices();
  const wasRehearsal = config.model.provider === 'rehearsal';
  const access = wasRehearsal ? 'server' : await accessTo(app, origin, choices);
  if (access === null) return;

  const isOfVsCode = config.model.provider === 'vscode-lm';
  const model = isOfVsCode ? modelIn(configured) : config.model.requested;
  const draft: Fork = {
    ...newDraft(title, config.objective, model ?? DEFAULTS.model, configured, DEFAULT_LIMITS),
    parent,
    completed,
    iteration: completed,
    strategy: config.strategy,
    languageModel: (await choices).find(({ origin: lm }) => isOfVsCode && lm === config.model.base_url) ?? null,
    rehearsal: wasRehearsal,
  };
  const raw = (): RawSettings => ({
    ...rawOf(draft, configured),
    ...inherited(draft, settingsOfRun(parent), baseUrl),
  });
  // What is taken over costs nothing again.
  const ahead = () => ({ ...raw(), max_iterations: limitOf(draft.limits.max_iterations) - draft.iteration });
  const offline = wasRehearsal ? config.model.requested : null;
  const steps = [
    () => askIteration(draft),
    () => askStrategy(draft),
    () => askModel(draft, { baseUrl, choices, keyless: access === 'language_model', offline }),
    ...ASKED.map((limit) => () => askLimit(draft, limit, configured, draft.iteration)),
    () =>
      confirm(draft, {
        baseUrl,
        answers: answersOf(draft),
        forecast: (signal) => forecastWords(app, { draft, raw: ahead, configured, folder }, signal),
      }),
  ];
  if (!(await runSteps(steps))) return;
  if (!draft.rehearsal && draft.languageModel === null && (await accessTo(app, origin, choices)) !== 'server') return;

  const checked = checkSettings(raw(), l10n.t);
  if ('problems' in checked) return tellSettings(checked.problems);
  if (draft.saveLimits) await saveLimits(draft);
  const from = { parent, iteration: draft.iteration };
  await launch(app, { ...askedOf(draft, checked.settings), configured, folder, from });
}

/** What is as it was; a vector of another server cannot be compared. */
function inherited({ parent, strategy, rehearsal }: Fork, was: RawSettings, baseUrl: string): RawSettings {
  const { model, strategy: before } = parent.config;
  const isSameServer = rehearsal ? model.provider === 'rehearsal' : model.base_url === baseUrl;
  const { acceptanceCriteria, initialTask, temperature, seed, maxNewTasks, recallTokens, synthesis } = was;
  const { sleepSeconds, embeddingModel, embeddingDimensions } = was;
  return {
    acceptanceCriteria,
    initialTask,
    strategy,
    temperature,
    seed,
    maxNewTasks,
    recallTokens,
    synthesis,
    ...(strategy === before && { sleepSeconds }),
    ...(isSameServer && { embeddingModel, embeddingDimensions }),
  };
}

async function askIteration(draft: Fork): Promise<Where> {
  const range = vscode.l10n.t('a whole number from 1 to {0}', draft.completed);
  const answer = await askText({
    title: draft.title,
    step: 1,
    totalSteps: totalOf(draft),
    prompt: vscode.l10n.t('After which iteration does the new run begin? Give {0}.', range),
    value: String(draft.iteration),
    problem: (text) =>
      /^\d+$/.test(text.trim()) && Number(text) >= 1 && Number(text) <= draft.completed
        ? null
        : vscode.l10n.t('Give {0}.', range),
  });
  if (typeof answer !== 'string') return whereOf(answer);
  draft.iteration = Number(answer);
  return 'next';
}

async function askStrategy(draft: Fork): Promise<Where> {
  const items = STRATEGIES.map((strategy) => ({
    label: strategy,
    description: [
      strategyWords(strategy),
      ...(strategy === draft.parent.config.strategy ? [vscode.l10n.t('as the other run')] : []),
    ].join(', '),
    strategy,
  }));
  const answer = await askPick({
    title: draft.title,
    step: 2,
    totalSteps: totalOf(draft),
    placeholder: vscode.l10n.t('How are tasks made and ordered from here on?'),
    items,
    active: items.find(({ strategy }) => strategy === draft.strategy),
  });
  if (answer === undefined || answer === BACK) return whereOf(answer);
  draft.strategy = answer.strategy;
  return 'next';
}

function strategyWords(strategy: Fork['strategy']): string {
  switch (strategy) {
    case 'guarded':
      return vscode.l10n.t('the loop without its known flaws');
    case 'classic':
      return vscode.l10n.t('the loop of the original BabyAGI');
    default:
      return strategy satisfies never;
  }
}

function answersOf({ iteration, completed, strategy, objective }: Fork): [string, string][] {
  const after = vscode.l10n.t('after iteration {0} of {1}: {2}', iteration, completed, inQuickPick(objective, 60));
  return [
    [vscode.l10n.t('Begins'), after],
    [vscode.l10n.t('Strategy'), strategy],
  ];
}
