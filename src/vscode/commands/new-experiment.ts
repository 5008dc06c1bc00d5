import * as vscode from 'vscode';
import { formatUsd, MAX_USD, picoFromUsd, usdFromPico } from '../../budget/money.ts';
import type { ExperimentFile } from '../../research/experiment-file.ts';
import type { App } from '../app.ts';
import { type Configured, limitsIn } from '../settings.ts';
import { askPick, askText, BACK, runSteps } from '../steps.ts';
import { tellProblem } from '../tell.ts';
import { askFolder, settingsOf } from '../workspace.ts';
import { limitOf, modelIn, newDraft, numberOf } from './run-draft.ts';
import { askObjective } from './run-objective.ts';
import { askLimitText, type Where, whereOf } from './run-questions.ts';

/** What the variants differ in. */
type Contrast = 'strategy' | 'model';

interface Draft {
  objective: string;
  hypothesis: string;
  contrast: Contrast;
  readonly model: string;
  otherModel: string;
  trials: string;
  readonly limits: { max_iterations: string; max_cost_usd: string };
  total: string;
}

const VARIANTS = 2;
const MOST_TRIALS = 1000;
const SEED = 42;
const TITLE = () => vscode.l10n.t('New Experiment File');

/** Asks for what an experiment is made of, writes it down as a file, and opens that: nothing is started. */
export async function newExperiment(app: App): Promise<void> {
  const folder = await askFolder();
  if (!folder) return;
  const configured = settingsOf(folder);
  const { DEFAULTS, DEFAULT_LIMITS } = await import('../run-world.ts');
  const model = modelIn(configured) ?? DEFAULTS.model;
  const { limits } = newDraft('', '', model, configured, DEFAULT_LIMITS);
  const { max_iterations, max_cost_usd } = limits;
  const draft: Draft = {
    objective: '',
    hypothesis: '',
    contrast: 'strategy',
    model,
    otherModel: '',
    trials: '10',
    limits: { max_iterations, max_cost_usd },
    total: '',
  };
  const steps = [
    () => askObjective(draft, TITLE(), totalOf(draft)),
    () => askHypothesis(draft),
    () => askContrast(draft),
    () => askOtherModel(draft),
    () => askTrials(draft),
    () => askLimit(draft, 'max_iterations', 5),
    () => askLimit(draft, 'max_cost_usd', 6),
    () => askTotal(draft),
  ];
  if (!(await runSteps(steps))) return;
  try {
    const file = fileOf(draft, configured);
    const uri = await freeUri(folder.uri, file.name);
    await vscode.workspace.fs.writeFile(uri, Buffer.from(`${JSON.stringify(file, null, 2)}\n`));
    await vscode.window.showTextDocument(uri);
    const run = vscode.l10n.t('Run Experiment…');
    const message = vscode.l10n.t('The experiment is written down: read it, change what you like, then run it.');
    if ((await vscode.window.showInformationMessage(message, run)) === run) {
      const { runExperiment } = await import('./run-experiment.ts');
      await runExperiment(app, uri);
    }
  } catch (error) {
    await tellProblem(app, vscode.l10n.t('The experiment file was not written.'), error);
  }
}

function totalOf({ contrast }: Draft): number {
  return contrast === 'model' ? 8 : 7;
}

/** The place of a step behind the one that only another model needs. */
function place(draft: Draft, step: number): { title: string; step: number; totalSteps: number } {
  return { title: TITLE(), step: draft.contrast === 'model' ? step : step - 1, totalSteps: totalOf(draft) };
}

async function askHypothesis(draft: Draft): Promise<Where> {
  const answer = await askText({
    title: TITLE(),
    step: 2,
    totalSteps: totalOf(draft),
    prompt: vscode.l10n.t('What do you expect? It is written down before anything runs. Leave empty for nothing.'),
    placeholder: vscode.l10n.t('Optional, for example: Guarded costs less per useful result'),
    value: draft.hypothesis,
    problem: (text) => (text.trim().length > 8000 ? vscode.l10n.t('It is longer than 8000 characters.') : null),
  });
  if (typeof answer !== 'string') return whereOf(answer);
  draft.hypothesis = answer.trim();
  return 'next';
}

async function askContrast(draft: Draft): Promise<Where> {
  const items: (vscode.QuickPickItem & { contrast: Contrast })[] = [
    {
      label: vscode.l10n.t('Classic against guarded'),
      description: vscode.l10n.t('the original loop, and the one without its known flaws'),
      contrast: 'strategy',
    },
    {
      label: vscode.l10n.t('Another model'),
      description: vscode.l10n.t('{0} against one that you name', draft.model),
      contrast: 'model',
    },
  ];
  const answer = await askPick({
    title: TITLE(),
    step: 3,
    totalSteps: totalOf(draft),
    placeholder: vscode.l10n.t('What is compared? The first variant is the baseline; more can be added in the file.'),
    items,
    active: items.find(({ contrast }) => contrast === draft.contrast),
  });
  if (answer === undefined || answer === BACK) return whereOf(answer);
  draft.contrast = answer.contrast;
  return 'next';
}

async function askOtherModel(draft: Draft): Promise<Where | 'skip'> {
  if (draft.contrast !== 'model') return 'skip';
  const answer = await askText({
    ...place(draft, 4),
    prompt: vscode.l10n.t('The model that {0} is compared with, as the server names it.', draft.model),
    value: draft.otherModel,
    problem: (text) => {
      if (text.trim() === '') return vscode.l10n.t('Give the name of a model.');
      return text.trim() === draft.model ? vscode.l10n.t('It is the same model: name another one.') : null;
    },
  });
  if (typeof answer !== 'string') return whereOf(answer);
  draft.otherModel = answer.trim();
  return 'next';
}

async function askTrials(draft: Draft): Promise<Where> {
  const range = vscode.l10n.t('a whole number from 1 to {0}', MOST_TRIALS);
  const answer = await askText({
    ...place(draft, 5),
    prompt: vscode.l10n.t('How often does each variant run? Each trial has a sampling seed. Give {0}.', range),
    value: draft.trials,
    problem: (text) =>
      /^\d+$/.test(text.trim()) && Number(text) >= 1 && Number(text) <= MOST_TRIALS
        ? null
        : vscode.l10n.t('Give {0}.', range),
  });
  if (typeof answer !== 'string') return whereOf(answer);
  draft.trials = answer.trim();
  return 'next';
}

async function askLimit(draft: Draft, limit: keyof Draft['limits'], step: number): Promise<Where> {
  const note = vscode.l10n.t('This is for each of the {0} runs.', runsOf(draft));
  const answer = await askLimitText(limit, draft.limits[limit], { ...place(draft, step + 1), note });
  if (typeof answer !== 'string') return whereOf(answer);
  draft.limits[limit] = answer;
  return 'next';
}

async function askTotal(draft: Draft): Promise<Where> {
  const each = limitOf(draft.limits.max_cost_usd);
  const all = Math.min(MAX_USD, usdFromPico(picoFromUsd(each) * BigInt(Math.min(runsOf(draft), 1e6))));
  const range = vscode.l10n.t('US dollars, from {0} to {1}', dollars(each), dollars(MAX_USD));
  const answer = await askText({
    ...place(draft, 8),
    prompt: vscode.l10n.t(
      'What may all {0} runs together cost at the most? With {1} all of them fit. Give {2}.',
      runsOf(draft),
      dollars(all),
      range,
    ),
    value: draft.total === '' ? String(all) : draft.total,
    problem: (text) => {
      const value = numberOf(text);
      const fits = typeof value === 'number' && value >= each && value <= MAX_USD;
      return fits ? null : vscode.l10n.t('Give {0}.', range);
    },
  });
  if (typeof answer !== 'string') return whereOf(answer);
  draft.total = answer;
  return 'next';
}

function runsOf({ trials }: Draft): number {
  return VARIANTS * Number(trials);
}

function dollars(usd: number): string {
  return formatUsd(picoFromUsd(usd));
}

function fileOf(draft: Draft, configured: Configured): ExperimentFile {
  const { contrast, model, otherModel, limits, hypothesis } = draft;
  const { embeddingModel } = configured.raw;
  const { max_requests: requests, max_tokens: tokens } = limitsIn(configured, ['max_requests', 'max_tokens']);
  return {
    name: contrast === 'strategy' ? 'Classic against guarded' : `${model} against ${otherModel}`,
    ...(hypothesis !== '' && { hypothesis }),
    objective: draft.objective,
    trials: Number(draft.trials),
    seed: SEED,
    limits: {
      max_iterations: limitOf(limits.max_iterations),
      max_cost_usd: limitOf(limits.max_cost_usd),
      ...(typeof requests === 'number' && { max_requests: requests }),
      ...(typeof tokens === 'number' && { max_tokens: tokens }),
    },
    max_total_cost_usd: limitOf(draft.total),
    common: {
      ...(contrast === 'strategy' && { model }),
      ...(embeddingModel === null && { embedding_model: 'none' }),
      ...(typeof embeddingModel === 'string' && { embedding_model: embeddingModel }),
      // The original waits five seconds after each iteration, which would be a difference of time alone.
      ...(contrast === 'strategy' && { sleep_interval: 0 }),
    },
    variants:
      contrast === 'strategy'
        ? [
            { name: 'classic', settings: { strategy: 'classic' } },
            { name: 'guarded', settings: { strategy: 'guarded' } },
          ]
        : namesOf(model, otherModel).map(([name, each]) => ({ name, settings: { model: each } })),
  };
}

/** Models under names that variants may have, which differ. */
function namesOf(...models: readonly string[]): [name: string, model: string][] {
  const names = models.map((model) => {
    const name = model.replaceAll(/[^\p{L}\p{N} ._+()-]/gu, '-').replace(/^[^\p{L}\p{N}]+/u, '');
    return name.slice(0, 56) || 'model';
  });
  const isTwice = new Set(names.map((name) => name.toLowerCase())).size < names.length;
  return models.map((model, at) => [isTwice ? `${names[at] ?? ''} ${at + 1}` : (names[at] ?? ''), model]);
}

/** `classic-against-guarded.experiment.json` in the folder, with a number where that is there already. */
async function freeUri(folder: vscode.Uri, name: string): Promise<vscode.Uri> {
  const words = name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '-');
  const slug = words.slice(0, 60).replaceAll(/^-|-$/g, '') || 'new';
  for (let number = 1; ; number++) {
    const uri = vscode.Uri.joinPath(folder, `${slug}${number === 1 ? '' : `-${number}`}.experiment.json`);
    const isThere = await vscode.workspace.fs.stat(uri).then(
      () => true,
      () => false,
    );
    if (!isThere) return uri;
  }
}
