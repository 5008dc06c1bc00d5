import * as vscode from 'vscode';
import { needsKey } from '../../safety/origin.ts';
import type { App } from '../app.ts';
import { type LanguageModelChoice, languageModelChoices } from '../lm-choices.ts';
import { l10n } from '../panel-l10n.ts';
import { askText, runSteps } from '../steps.ts';
import { openSettings, setApiKey as setApiKeyAction, tellProblem } from '../tell.ts';
import { askFolder, settingsOf } from '../workspace.ts';
import { setApiKey } from './api-key.ts';
import { launch } from './launch.ts';
import { ASKED, askedOf, modelIn, newDraft, rawOf, saveLimits, totalOf, type RunDraft } from './run-draft.ts';
import { askLimit, askModel, confirm, forecastWords, tellSettings, type Where, whereOf } from './run-questions.ts';

/** Asks for all that a run needs, shows it once more, and starts it. `argument` may prefill: `{objective}`. */
export async function runObjective(app: App, argument?: unknown): Promise<void> {
  const folder = await askFolder();
  if (!folder) return;
  const configured = settingsOf(folder);
  const { DEFAULTS, DEFAULT_LIMITS, checkSettings, originOf } = await import('../run-world.ts');
  const baseUrl = typeof configured.raw.baseUrl === 'string' ? configured.raw.baseUrl : DEFAULTS.baseUrl;
  const choices = languageModelChoices();
  let keyless = false;
  try {
    const access = await accessTo(app, originOf(baseUrl, configured), choices);
    if (access === null) return;
    keyless = access === 'language_model';
  } catch (error) {
    return tellProblem(app, vscode.l10n.t('The run was not started.'), error);
  }
  if (configured.problems.length > 0) return tellSettings(configured.problems);

  const title = vscode.l10n.t('Run Objective');
  const draft = {
    ...newDraft(title, objectiveIn(argument), modelIn(configured) ?? DEFAULTS.model, configured, DEFAULT_LIMITS),
    criteria: '',
  };
  const raw = () => ({ ...rawOf(draft, configured), acceptanceCriteria: criteriaOf(draft.criteria) });
  const steps = [
    () => askObjective(draft, title, totalOf(draft)),
    () => askCriteria(draft),
    () => askModel(draft, { baseUrl, choices, keyless, offline: null }),
    ...ASKED.map((limit) => () => askLimit(draft, limit, configured)),
    () =>
      confirm(draft, {
        baseUrl,
        answers: answersOf(draft),
        forecast: (signal) => forecastWords(app, { draft, raw, configured, folder }, signal),
      }),
  ];
  if (!(await runSteps(steps))) return;

  const checked = checkSettings(raw(), l10n.t);
  if ('problems' in checked) return tellSettings(checked.problems);
  if (draft.saveLimits) await saveLimits(draft);
  await launch(app, { ...askedOf(draft, checked.settings), configured, folder });
}

function answersOf({ objective, criteria }: { objective: string; criteria: string }): [string, string][] {
  const all = criteriaOf(criteria);
  return [
    [vscode.l10n.t('Objective'), objective],
    [vscode.l10n.t('Acceptance criteria'), all.length === 0 ? vscode.l10n.t('none') : all.join('; ')],
  ];
}

function objectiveIn(argument: unknown): string {
  const { objective } = typeof argument === 'object' && argument !== null ? (argument as { objective?: unknown }) : {};
  return typeof objective === 'string' ? objective.trim().slice(0, 8000) : '';
}

/**
 * How the run can be had: by requests to the origin, which are signed or need not be, or by a model of VS Code. Asks
 * where there is no key. Null: cancelled.
 */
export async function accessTo(
  app: App,
  origin: string,
  choices: Promise<readonly LanguageModelChoice[]>,
): Promise<'server' | 'language_model' | null> {
  if (!needsKey(origin) || (await app.keys.keyFor(origin)) !== null) return 'server';
  const action = setApiKeyAction(origin);
  const message = vscode.l10n.t(
    'There is no API key for {0}. Set it, then the run can be set up. It is kept in the secret storage and sent to that server only.',
    origin,
  );
  const other: vscode.MessageItem = { title: vscode.l10n.t('Use a Model of VS Code') };
  const others = (await choices).length > 0 ? [other] : [];
  const server: vscode.MessageItem = { title: vscode.l10n.t('Use Another Server') };
  const chosen = await vscode.window.showWarningMessage<vscode.MessageItem>(message, action, server, ...others);
  if (chosen === server) await openSettings('babyagi.baseUrl').run();
  if (chosen === other) return 'language_model';
  return chosen === action && (await setApiKey(app, origin)) ? 'server' : null;
}

/** Also asked by a rehearsal. */
export async function askObjective(draft: { objective: string }, title: string, totalSteps: number): Promise<Where> {
  const answer = await askText({
    title,
    step: 1,
    totalSteps,
    prompt: vscode.l10n.t('What is to be achieved? One sentence is enough.'),
    placeholder: vscode.l10n.t('For example: Find out which of our pages load slowly, and why'),
    value: draft.objective,
    problem: (text) => {
      if (text.trim() === '') return vscode.l10n.t('The objective is empty. Write what is to be achieved.');
      return text.trim().length > 8000 ? vscode.l10n.t('The objective is longer than 8000 characters.') : null;
    },
  });
  if (typeof answer !== 'string') return whereOf(answer);
  draft.objective = answer.trim();
  return 'next';
}

async function askCriteria(draft: RunDraft & { criteria: string }): Promise<Where> {
  const answer = await askText({
    title: draft.title,
    step: 2,
    totalSteps: totalOf(draft),
    prompt: vscode.l10n.t('When is it achieved? Acceptance criteria, separated by semicolons. Leave empty for none.'),
    placeholder: vscode.l10n.t('Optional, for example: Five pages are named; each has a cause'),
    value: draft.criteria,
    problem: (text) => (criteriaOf(text).length > 50 ? vscode.l10n.t('At most 50 criteria are allowed.') : null),
  });
  if (typeof answer !== 'string') return whereOf(answer);
  draft.criteria = answer;
  return 'next';
}

function criteriaOf(text: string): string[] {
  return text
    .split(';')
    .map((criterion) => criterion.trim())
    .filter((criterion) => criterion !== '');
}
