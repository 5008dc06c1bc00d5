import * as vscode from 'vscode';
import { formatUsd, picoFromUsd } from '../../budget/money.ts';
import type { LimitName } from '../../run/limits.ts';
import type { RawSettings } from '../../run/settings.ts';
import { isLoopback } from '../../safety/origin.ts';
import type { App } from '../app.ts';
import { SECTION } from '../ids.ts';
import { inMessage, inQuickPick } from '../labels.ts';
import { type Configured, SETTING_OF_LIMIT } from '../settings.ts';
import { askPick, askText, BACK, runSteps } from '../steps.ts';
import { openSettings, setApiKey as setApiKeyAction, tellProblem } from '../tell.ts';
import { askFolder, settingsOf } from '../workspace.ts';
import { launch } from './launch.ts';
import { setApiKey } from './api-key.ts';

/** What a person typed so far; limits as text, so that going back shows what was there. */
interface Draft {
  objective: string;
  criteria: string;
  model: string;
  limits: Record<AskedLimit, string>;
  saveLimits: boolean;
}

const ASKED = ['max_iterations', 'max_cost_usd', 'max_wall_time_minutes'] as const;
type AskedLimit = (typeof ASKED)[number];

const TOTAL = 7;
const OPENAI = 'https://api.openai.com';
/** Offered beside the configured one where requests go to OpenAI; any other name can be typed. */
const OPENAI_MODELS = [
  'gpt-4.1-mini-2025-04-14',
  'gpt-4.1-nano-2025-04-14',
  'gpt-4.1-2025-04-14',
  'gpt-4o-mini-2024-07-18',
];

/** Shown while nothing is typed; never taken by itself. */
const EXAMPLE: Record<AskedLimit, string> = { max_iterations: '20', max_cost_usd: '0.50', max_wall_time_minutes: '60' };

type Where = 'next' | 'back' | 'cancel' | number;

/** Asks for all that a run needs, shows it once more, and starts it. */
export async function runObjective(app: App): Promise<void> {
  const folder = await askFolder();
  if (!folder) return;
  const configured = settingsOf(folder);
  const { DEFAULTS, DEFAULT_LIMITS, checkSettings, originOf } = await import('../run-world.ts');
  const baseUrl = typeof configured.raw.baseUrl === 'string' ? configured.raw.baseUrl : DEFAULTS.baseUrl;
  try {
    if (!(await hasKey(app, originOf(baseUrl, configured)))) return;
  } catch (error) {
    return tellProblem(app, vscode.l10n.t('The run was not started.'), error);
  }
  if (configured.problems.length > 0) return tellSettings(configured.problems);

  const draft: Draft = {
    objective: '',
    criteria: '',
    model: typeof configured.raw.model === 'string' ? configured.raw.model : DEFAULTS.model,
    limits: {
      max_iterations: prefilled(configured, 'max_iterations'),
      max_cost_usd: prefilled(configured, 'max_cost_usd'),
      max_wall_time_minutes:
        prefilled(configured, 'max_wall_time_minutes') || String(DEFAULT_LIMITS.max_wall_time_minutes),
    },
    saveLimits: false,
  };
  const steps = [
    () => askObjective(draft, vscode.l10n.t('Run Objective'), TOTAL),
    () => askCriteria(draft),
    () => askModel(draft, baseUrl),
    ...ASKED.map((limit, index) => () => askLimit(draft, limit, configured, index + 4)),
    () => confirm(draft, baseUrl),
  ];
  if (!(await runSteps(steps))) return;

  const checked = checkSettings(rawOf(draft, configured));
  if ('problems' in checked) return tellSettings(checked.problems);
  if (draft.saveLimits) await saveLimits(draft);
  await launch(app, { settings: checked.settings, provider: 'openai', configured, folder });
}

/** Whether requests to the origin can be signed, or need not be. Asks for the key where it is missing. */
async function hasKey(app: App, origin: string): Promise<boolean> {
  if (isLoopback(new URL(origin).hostname) || (await app.keys.keyFor(origin)) !== null) return true;
  const action = setApiKeyAction(origin);
  const message = vscode.l10n.t(
    'There is no API key for {0}. Set it, then the run can be set up. It is kept in the secret storage and sent to that server only.',
    origin,
  );
  const chosen = await vscode.window.showWarningMessage(message, action);
  return chosen === action && (await setApiKey(app, origin));
}

/** Also used by a rehearsal. */
export async function tellSettings(problems: readonly string[]): Promise<void> {
  const action = openSettings();
  const chosen = await vscode.window.showErrorMessage(inMessage(problems.join(' '), 1000), action);
  await chosen?.run();
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

async function askCriteria(draft: Draft): Promise<Where> {
  const answer = await askText({
    title: vscode.l10n.t('Run Objective'),
    step: 2,
    totalSteps: TOTAL,
    prompt: vscode.l10n.t('When is it achieved? Acceptance criteria, separated by semicolons. Leave empty for none.'),
    placeholder: vscode.l10n.t('Optional, for example: Five pages are named; each has a cause'),
    value: draft.criteria,
    problem: (text) => (criteriaOf(text).length > 50 ? vscode.l10n.t('At most 50 criteria are allowed.') : null),
  });
  if (typeof answer !== 'string') return whereOf(answer);
  draft.criteria = answer;
  return 'next';
}

async function askModel(draft: Draft, baseUrl: string): Promise<Where> {
  const known = new URL(baseUrl).origin === OPENAI ? OPENAI_MODELS : [];
  const names = [...new Set([draft.model, ...known])];
  const items = names.map((label): vscode.QuickPickItem => ({ label }));
  const answer = await askPick({
    title: vscode.l10n.t('Run Objective'),
    step: 3,
    totalSteps: TOTAL,
    placeholder: vscode.l10n.t('The model at {0}: choose one, or type its name', new URL(baseUrl).host),
    items,
    active: items[0],
    typed: (label) => ({ label }),
  });
  if (answer === undefined || answer === BACK) return whereOf(answer);
  draft.model = answer.label;
  return 'next';
}

async function askLimit(draft: Draft, limit: AskedLimit, configured: Configured, step: number): Promise<Where> {
  const answer = await askLimitText(limit, draft.limits[limit], {
    title: vscode.l10n.t('Run Objective'),
    step,
    totalSteps: TOTAL,
    note:
      configured.limits[limit]?.loweredByWorkspace === true
        ? vscode.l10n.t('The offered value is from the workspace settings.')
        : '',
  });
  if (typeof answer !== 'string') return whereOf(answer);
  draft.limits[limit] = answer;
  return 'next';
}

/** Asks for a limit; the text that is resolved to is a number in its range. */
export async function askLimitText(
  limit: AskedLimit,
  value: string,
  { note = '', ...place }: { title: string; step: number; totalSteps: number; note?: string },
) {
  const { LIMIT_WORDS, limitProblem } = await import('../run-world.ts');
  return askText({
    ...place,
    prompt: [limitQuestion(limit), vscode.l10n.t('Give {0}.', LIMIT_WORDS[limit].range), note]
      .filter(Boolean)
      .join(' '),
    placeholder: vscode.l10n.t('For example: {0}', EXAMPLE[limit]),
    value,
    problem: (text) =>
      limitProblem(limit, numberOf(text) ?? '') ??
      (text.trim() === '' ? vscode.l10n.t('Give {0}.', LIMIT_WORDS[limit].range) : null),
  });
}

function limitQuestion(limit: AskedLimit): string {
  switch (limit) {
    case 'max_iterations':
      return vscode.l10n.t('After how many iterations does the run end at the latest?');
    case 'max_cost_usd':
      return vscode.l10n.t('What may the run cost at the most, in US dollars?');
    case 'max_wall_time_minutes':
      return vscode.l10n.t('How many minutes may it take at the most?');
    default:
      return limit satisfies never;
  }
}

interface Choice extends vscode.QuickPickItem {
  readonly goes: Where;
  readonly save?: boolean;
}

/** The last step shows all answers; each can be gone back to. */
async function confirm(draft: Draft, baseUrl: string): Promise<Where> {
  const { limits } = draft;
  const ends = vscode.l10n.t(
    'at most {0}, {1} iterations, {2} min',
    usd(limits.max_cost_usd),
    limits.max_iterations,
    limits.max_wall_time_minutes,
  );
  const criteria = criteriaOf(draft.criteria);
  const answers: [string, string, number][] = [
    [vscode.l10n.t('Objective'), draft.objective, 0],
    [vscode.l10n.t('Acceptance criteria'), criteria.length === 0 ? vscode.l10n.t('none') : criteria.join('; '), 1],
    [vscode.l10n.t('Model'), vscode.l10n.t('{0} at {1}', draft.model, new URL(baseUrl).host), 2],
    [vscode.l10n.t('Iteration limit'), limits.max_iterations, 3],
    [vscode.l10n.t('Cost limit'), usd(limits.max_cost_usd), 4],
    [vscode.l10n.t('Time limit'), vscode.l10n.t('{0} minutes', limits.max_wall_time_minutes), 5],
  ];
  const items: Choice[] = [
    { label: `$(play) ${vscode.l10n.t('Start')}`, description: ends, goes: 'next' },
    {
      label: `$(save) ${vscode.l10n.t('Save limits as settings and start')}`,
      description: vscode.l10n.t('offered the next time'),
      goes: 'next',
      save: true,
    },
    { label: vscode.l10n.t('Change'), kind: vscode.QuickPickItemKind.Separator, goes: 'cancel' },
    ...answers.map(
      ([label, value, goes]): Choice => ({ label: `$(edit) ${label}`, description: inQuickPick(value, 90), goes }),
    ),
  ];
  const answer = await askPick({
    title: vscode.l10n.t('Run Objective: Start?'),
    step: TOTAL,
    totalSteps: TOTAL,
    placeholder: inQuickPick(draft.objective, 90),
    items,
    active: items[0],
  });
  if (answer === undefined || answer === BACK) return whereOf(answer);
  draft.saveLimits = answer.save ?? false;
  return answer.goes;
}

function whereOf(answer: typeof BACK | undefined): Where {
  return answer === BACK ? 'back' : 'cancel';
}

function criteriaOf(text: string): string[] {
  return text
    .split(';')
    .map((criterion) => criterion.trim())
    .filter((criterion) => criterion !== '');
}

function prefilled({ limits }: Configured, limit: LimitName): string {
  const value = limits[limit]?.value;
  return typeof value === 'number' ? String(value) : '';
}

/** A decimal comma is one too. Undefined where the text is no number; then it is refused as it is. */
function numberOf(text: string): number | string | undefined {
  const trimmed = text.trim().replace(/^\$/, '').replace(',', '.');
  if (trimmed === '') return undefined;
  const value = Number(trimmed);
  return Number.isFinite(value) ? value : text.trim();
}

export function limitOf(text: string): number {
  return Number(numberOf(text));
}

function usd(text: string): string {
  return formatUsd(picoFromUsd(limitOf(text)));
}

function rawOf(draft: Draft, { raw, limits }: Configured): RawSettings {
  const timeout = limits.task_timeout_seconds?.value;
  return {
    ...raw,
    objective: draft.objective,
    acceptanceCriteria: criteriaOf(draft.criteria),
    model: draft.model,
    max_iterations: limitOf(draft.limits.max_iterations),
    max_cost_usd: limitOf(draft.limits.max_cost_usd),
    max_wall_time_minutes: limitOf(draft.limits.max_wall_time_minutes),
    ...(timeout !== undefined && { task_timeout_seconds: timeout }),
  };
}

async function saveLimits({ limits }: Draft): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  for (const limit of ASKED) {
    await configuration.update(SETTING_OF_LIMIT[limit], limitOf(limits[limit]), vscode.ConfigurationTarget.Global);
  }
}
