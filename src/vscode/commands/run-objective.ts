import * as vscode from 'vscode';
import { formatUsd, picoFromUsd } from '../../budget/money.ts';
import type { LimitName } from '../../run/limits.ts';
import type { RawSettings } from '../../run/settings.ts';
import { needsKey } from '../../safety/origin.ts';
import type { App } from '../app.ts';
import { SECTION } from '../ids.ts';
import { inMessage, inQuickPick } from '../labels.ts';
import { asking, type LanguageModelChoice, languageModelChoices, NO_MONEY } from '../lm-choices.ts';
import { l10n } from '../panel-l10n.ts';
import { type Configured, limitsIn, SETTING_OF_LIMIT } from '../settings.ts';
import { askPick, askText, BACK, runSteps } from '../steps.ts';
import { openSettings, setApiKey as setApiKeyAction, tellProblem } from '../tell.ts';
import { askFolder, settingsOf } from '../workspace.ts';
import { launch, requestOf } from './launch.ts';
import { setApiKey } from './api-key.ts';

/** What a person typed so far; limits as text, so that going back shows what was there. */
interface Draft {
  objective: string;
  criteria: string;
  model: string;
  /** A model of VS Code, where one is chosen instead of one at the server. */
  languageModel: LanguageModelChoice | null;
  limits: Record<AskedLimit, string>;
  saveLimits: boolean;
}

const ASKED = ['max_iterations', 'max_cost_usd', 'max_requests', 'max_tokens', 'max_wall_time_minutes'] as const;
type AskedLimit = (typeof ASKED)[number];

/** Steps before the first limit. */
const BEFORE_LIMITS = 3;
const OPENAI = 'https://api.openai.com';
/** Offered beside the configured one where requests go to OpenAI; any other name can be typed. */
const OPENAI_MODELS = [
  'gpt-4.1-mini-2025-04-14',
  'gpt-4.1-nano-2025-04-14',
  'gpt-4.1-2025-04-14',
  'gpt-4o-mini-2024-07-18',
];

/** Shown while nothing is typed; never taken by itself. */
const EXAMPLE: Record<AskedLimit, string> = {
  max_iterations: '20',
  max_cost_usd: '0.50',
  max_requests: '60',
  max_tokens: '120000',
  max_wall_time_minutes: '60',
};

/** An iteration is two requests, now and then one more to repair a reply; the answer is one. */
const REQUESTS_EACH = 3;
/** What an iteration uses as a rule, and what the last requests reserve beside it. */
const TOKENS_EACH = 5_000;
const TOKENS_BESIDE = 20_000;

type Where = 'next' | 'back' | 'cancel' | number;

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

  const draft: Draft = {
    objective: objectiveIn(argument),
    criteria: '',
    model: typeof configured.raw.model === 'string' ? configured.raw.model : DEFAULTS.model,
    languageModel: null,
    limits: {
      max_iterations: prefilled(configured, 'max_iterations'),
      max_cost_usd: prefilled(configured, 'max_cost_usd'),
      max_requests: prefilled(configured, 'max_requests'),
      max_tokens: prefilled(configured, 'max_tokens'),
      max_wall_time_minutes:
        prefilled(configured, 'max_wall_time_minutes') || String(DEFAULT_LIMITS.max_wall_time_minutes),
    },
    saveLimits: false,
  };
  const steps = [
    () => askObjective(draft, vscode.l10n.t('Run Objective'), totalOf(draft)),
    () => askCriteria(draft),
    () => askModel(draft, baseUrl, choices, keyless),
    ...ASKED.map((limit) => () => askLimit(draft, limit, configured)),
    () => confirm(draft, baseUrl, (signal) => forecastOf(app, draft, configured, folder, signal)),
  ];
  if (!(await runSteps(steps))) return;

  const checked = checkSettings(rawOf(draft, configured), l10n.t);
  if ('problems' in checked) return tellSettings(checked.problems);
  if (draft.saveLimits) await saveLimits(draft);
  await launch(app, { ...asking(draft.languageModel, checked.settings), configured, folder });
}

/** Where nothing has a price, requests and tokens are asked instead of the cost; else they may be settings. */
function limitsOf({ languageModel }: Pick<Draft, 'languageModel'>): readonly AskedLimit[] {
  const other = languageModel === null ? ['max_requests', 'max_tokens'] : ['max_cost_usd'];
  return ASKED.filter((limit) => !other.includes(limit));
}

function totalOf(draft: Draft): number {
  return BEFORE_LIMITS + limitsOf(draft).length + 1;
}

function objectiveIn(argument: unknown): string {
  const { objective } = typeof argument === 'object' && argument !== null ? (argument as { objective?: unknown }) : {};
  return typeof objective === 'string' ? objective.trim().slice(0, 8000) : '';
}

/**
 * How the run can be had: by requests to the origin, which are signed or need not be, or by a model of VS Code. Asks
 * where there is no key. Null: cancelled.
 */
async function accessTo(
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

interface ModelItem extends vscode.QuickPickItem {
  readonly languageModel: LanguageModelChoice | null;
}

/** `keyless`: only models of VS Code can be asked. */
async function askModel(
  draft: Draft,
  baseUrl: string,
  choices: Promise<readonly LanguageModelChoice[]>,
  keyless: boolean,
): Promise<Where> {
  const known = new URL(baseUrl).origin === OPENAI ? OPENAI_MODELS : [];
  const names = keyless ? [] : [...new Set([draft.model, ...known])];
  const atServer = (label: string): ModelItem => ({ label, languageModel: null });
  const inVsCode = (await choices).map(
    (choice): ModelItem => ({
      label: inQuickPick(choice.name, 80),
      description: vscode.l10n.t('{0}, in VS Code: no key, cost included', inQuickPick(choice.vendor, 40)),
      languageModel: choice,
    }),
  );
  const items = [...names.map(atServer), ...inVsCode];
  const answer = await askPick({
    title: vscode.l10n.t('Run Objective'),
    step: 3,
    totalSteps: totalOf(draft),
    placeholder: vscode.l10n.t('The model at {0}: choose one, or type its name', new URL(baseUrl).host),
    items,
    active: items.find(({ languageModel }) => languageModel === draft.languageModel),
    ...(!keyless && { typed: atServer }),
  });
  if (answer === undefined || answer === BACK) return whereOf(answer);
  draft.languageModel = answer.languageModel;
  if (answer.languageModel === null) draft.model = answer.label;
  return 'next';
}

async function askLimit(draft: Draft, limit: AskedLimit, configured: Configured): Promise<Where | 'skip'> {
  const place = limitsOf(draft).indexOf(limit);
  if (place < 0) return 'skip';
  const answer = await askLimitText(limit, draft.limits[limit] || suggested(limit, draft.limits), {
    title: vscode.l10n.t('Run Objective'),
    step: BEFORE_LIMITS + 1 + place,
    totalSteps: totalOf(draft),
    note:
      configured.limits[limit]?.loweredByWorkspace === true
        ? vscode.l10n.t('The offered value is from the workspace settings.')
        : limit === 'max_requests'
          ? vscode.l10n.t('The cost is included, so this limits what is used; an iteration takes two or three.')
          : '',
  });
  if (typeof answer !== 'string') return whereOf(answer);
  draft.limits[limit] = answer;
  return 'next';
}

/** Offered to be confirmed, by the iterations that are asked before. */
function suggested(limit: AskedLimit, { max_iterations }: Draft['limits']): string {
  const iterations = limitOf(max_iterations);
  if (limit === 'max_requests') return String(REQUESTS_EACH * iterations + 1);
  return limit === 'max_tokens' ? String(TOKENS_EACH * iterations + TOKENS_BESIDE) : '';
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
    prompt: [limitQuestion(limit), vscode.l10n.t('Give {0}.', l10n.known(LIMIT_WORDS[limit].range)), note]
      .filter(Boolean)
      .join(' '),
    placeholder: vscode.l10n.t('For example: {0}', EXAMPLE[limit]),
    value,
    problem: (text) =>
      limitProblem(limit, numberOf(text) ?? '', l10n.t) ??
      (text.trim() === '' ? vscode.l10n.t('Give {0}.', l10n.known(LIMIT_WORDS[limit].range)) : null),
  });
}

function limitQuestion(limit: AskedLimit): string {
  switch (limit) {
    case 'max_iterations':
      return vscode.l10n.t('After how many iterations does the run end at the latest?');
    case 'max_cost_usd':
      return vscode.l10n.t('What may the run cost at the most, in US dollars?');
    case 'max_requests':
      return vscode.l10n.t('How many requests may it send at the most, of all agents together?');
    case 'max_tokens':
      return vscode.l10n.t('How many tokens may it use at the most, of prompts and answers together?');
    case 'max_wall_time_minutes':
      return vscode.l10n.t('How many minutes may it take at the most?');
    default:
      return limit satisfies never;
  }
}

/** The name of a limit and what was answered. */
function limitAnswer(limit: AskedLimit, text: string): [string, string] {
  switch (limit) {
    case 'max_iterations':
      return [vscode.l10n.t('Iteration limit'), text];
    case 'max_cost_usd':
      return [vscode.l10n.t('Cost limit'), usd(text)];
    case 'max_requests':
      return [vscode.l10n.t('Request limit'), text];
    case 'max_tokens':
      return [vscode.l10n.t('Token limit'), text];
    case 'max_wall_time_minutes':
      return [vscode.l10n.t('Time limit'), vscode.l10n.t('{0} minutes', text)];
    default:
      return limit satisfies never;
  }
}

interface Choice extends vscode.QuickPickItem {
  readonly goes: Where;
  readonly save?: boolean;
}

/** The last step shows all answers; each can be gone back to. */
async function confirm(
  draft: Draft,
  baseUrl: string,
  forecast: (signal: AbortSignal) => Promise<string>,
): Promise<Where> {
  const { limits, languageModel } = draft;
  const ends =
    languageModel === null
      ? vscode.l10n.t(
          'at most {0}, {1} iterations, {2} min',
          usd(limits.max_cost_usd),
          limits.max_iterations,
          limits.max_wall_time_minutes,
        )
      : vscode.l10n.t(
          'at most {0} iterations, {1} requests, {2} tokens, {3} min; cost included',
          limits.max_iterations,
          limits.max_requests,
          limits.max_tokens,
          limits.max_wall_time_minutes,
        );
  const where = languageModel === null ? new URL(baseUrl).host : vscode.l10n.t('VS Code ({0})', languageModel.vendor);
  const criteria = criteriaOf(draft.criteria);
  const answers: [string, string, number][] = [
    [vscode.l10n.t('Objective'), draft.objective, 0],
    [vscode.l10n.t('Acceptance criteria'), criteria.length === 0 ? vscode.l10n.t('none') : criteria.join('; '), 1],
    [vscode.l10n.t('Model'), vscode.l10n.t('{0} at {1}', languageModel?.name ?? draft.model, where), 2],
    ...limitsOf(draft).map((limit): [string, string, number] => [
      ...limitAnswer(limit, limits[limit]),
      BEFORE_LIMITS + ASKED.indexOf(limit),
    ]),
  ];
  const itemsWith = (cost: string): Choice[] => [
    { label: `$(play) ${vscode.l10n.t('Start')}`, description: ends, detail: inQuickPick(cost), goes: 'next' },
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
  const items = itemsWith(vscode.l10n.t('What it will probably cost is being worked out…'));
  const answer = await askPick({
    title: vscode.l10n.t('Run Objective: Start?'),
    step: totalOf(draft),
    totalSteps: totalOf(draft),
    placeholder: inQuickPick(draft.objective, 90),
    items,
    active: items[0],
    // Nobody has to wait for it.
    later: (show, signal) => void forecast(signal).then((cost) => show(itemsWith(cost))),
  });
  if (answer === undefined || answer === BACK) return whereOf(answer);
  draft.saveLimits = answer.save ?? false;
  return answer.goes;
}

/** What the run would probably cost, as a sentence, or why that is not known. Never rejects. */
async function forecastOf(
  app: App,
  draft: Draft,
  configured: Configured,
  folder: vscode.WorkspaceFolder,
  signal: AbortSignal,
): Promise<string> {
  const { languageModel } = draft;
  const unknown =
    languageModel === null
      ? vscode.l10n.t('What it will probably cost is not known; the cost limit holds in any case.')
      : vscode.l10n.t('The cost is included in what the provider of the model is paid for; requests count there.');
  try {
    const { checkSettings, LIMIT_WORDS } = await import('../run-world.ts');
    const checked = checkSettings(rawOf(draft, configured));
    if ('problems' in checked) return unknown;
    const { expectedUsd, worstUsd, requests, tokens, iterations, endsAfter, endsBy } = await app.control.forecast(
      requestOf({ ...asking(draft.languageModel, checked.settings), configured, folder }),
      signal,
    );
    const endsEarly =
      endsAfter === null || endsBy === null
        ? []
        : [
            vscode.l10n.t(
              'the {0} probably ends it after {1} of {2} iterations',
              l10n.known(LIMIT_WORDS[endsBy].name),
              endsAfter,
              iterations,
            ),
          ];
    if (languageModel !== null) {
      const about = vscode.l10n.t(
        'Forecast: about {0} requests and {1} tokens for {2} iterations; the cost is included',
        requests,
        tokens,
        iterations,
      );
      return [about, ...endsEarly].join('; ');
    }
    const [expected, worst] = [dollars(expectedUsd), dollars(worstUsd)];
    const about =
      endsBy === 'max_cost_usd'
        ? vscode.l10n.t('Forecast: about {0}, up to {1} if no request has to be repeated', expected, worst)
        : vscode.l10n.t(
            'Forecast: about {0} for {1} iterations, up to {2} if no request has to be repeated',
            expected,
            iterations,
            worst,
          );
    return [about, ...endsEarly].join('; ');
  } catch (error) {
    if (!signal.aborted) app.output.error('The cost of the run could not be forecast.', error);
    return unknown;
  }
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
  return dollars(limitOf(text));
}

function dollars(amount: number): string {
  return formatUsd(picoFromUsd(amount));
}

function rawOf(draft: Draft, configured: Configured): RawSettings {
  return {
    ...configured.raw,
    objective: draft.objective,
    acceptanceCriteria: criteriaOf(draft.criteria),
    model: draft.languageModel?.family ?? draft.model,
    max_iterations: limitOf(draft.limits.max_iterations),
    max_cost_usd: draft.languageModel === null ? limitOf(draft.limits.max_cost_usd) : NO_MONEY,
    ...(draft.languageModel === null
      ? limitsIn(configured, ['max_requests', 'max_tokens'])
      : { max_requests: limitOf(draft.limits.max_requests), max_tokens: limitOf(draft.limits.max_tokens) }),
    max_wall_time_minutes: limitOf(draft.limits.max_wall_time_minutes),
    ...limitsIn(configured, ['task_timeout_seconds']),
  };
}

async function saveLimits(draft: Draft): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  for (const limit of limitsOf(draft)) {
    const value = limitOf(draft.limits[limit]);
    await configuration.update(SETTING_OF_LIMIT[limit], value, vscode.ConfigurationTarget.Global);
  }
}
