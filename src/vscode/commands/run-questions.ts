import * as vscode from 'vscode';
import { formatUsd, picoFromUsd } from '../../budget/money.ts';
import type { RawSettings } from '../../run/settings.ts';
import type { App } from '../app.ts';
import { inMessage, inQuickPick } from '../labels.ts';
import type { LanguageModelChoice } from '../lm-choices.ts';
import { l10n } from '../panel-l10n.ts';
import type { Configured } from '../settings.ts';
import { askPick, askText, BACK } from '../steps.ts';
import { openSettings } from '../tell.ts';
import { requestOf } from './launch.ts';
import {
  ASKED,
  askedOf,
  type AskedLimit,
  BEFORE_LIMITS,
  limitOf,
  limitsOf,
  numberOf,
  type RunDraft,
  totalOf,
} from './run-draft.ts';

// The questions that every run is asked before it starts: the model, the limits, and whether all is right.

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
/** Where a person goes on. */
export type Where = 'next' | 'back' | 'cancel' | number;

export async function tellSettings(problems: readonly string[]): Promise<void> {
  const action = openSettings();
  const chosen = await vscode.window.showErrorMessage(inMessage(problems.join(' '), 1000), action);
  await chosen?.run();
}
interface ModelItem extends vscode.QuickPickItem {
  readonly languageModel: LanguageModelChoice | null;
  readonly rehearses: string | null;
}

interface ModelQuestion {
  readonly baseUrl: string;
  readonly choices: Promise<readonly LanguageModelChoice[]>;
  /** Only models of VS Code can be asked. */
  readonly keyless: boolean;
  /** The model that the built-in program may play, where that is offered. */
  readonly offline: string | null;
}

export async function askModel(draft: RunDraft, { baseUrl, choices, keyless, offline }: ModelQuestion): Promise<Where> {
  const known = new URL(baseUrl).origin === OPENAI ? OPENAI_MODELS : [];
  const names = keyless ? [] : [...new Set([draft.model, ...known])];
  const atServer = (label: string): ModelItem => ({ label, languageModel: null, rehearses: null });
  const rehearsal = (rehearses: string): ModelItem => ({
    label: vscode.l10n.t('Rehearsal'),
    description: vscode.l10n.t('offline, as {0}: nothing is spent', inQuickPick(rehearses, 40)),
    languageModel: null,
    rehearses,
  });
  const inVsCode = (await choices).map(
    (choice): ModelItem => ({
      label: inQuickPick(choice.name, 80),
      description: vscode.l10n.t('{0}, in VS Code: no key, cost included', inQuickPick(choice.vendor, 40)),
      languageModel: choice,
      rehearses: null,
    }),
  );
  const items = [...(offline === null ? [] : [rehearsal(offline)]), ...names.map(atServer), ...inVsCode];
  const answer = await askPick({
    title: draft.title,
    step: 3,
    totalSteps: totalOf(draft),
    placeholder: vscode.l10n.t('The model at {0}: choose one, or type its name', new URL(baseUrl).host),
    items,
    active: items.find(
      ({ languageModel, rehearses }) =>
        languageModel === draft.languageModel && (rehearses !== null) === draft.rehearsal,
    ),
    ...(!keyless && { typed: atServer }),
  });
  if (answer === undefined || answer === BACK) return whereOf(answer);
  draft.languageModel = answer.languageModel;
  draft.rehearsal = answer.rehearses !== null;
  if (answer.languageModel === null) draft.model = answer.rehearses ?? answer.label;
  return 'next';
}
/** `takenOver`: iterations that a fork begins with, which count. */
export async function askLimit(
  draft: RunDraft,
  limit: AskedLimit,
  configured: Configured,
  takenOver = 0,
): Promise<Where | 'skip'> {
  const place = limitsOf(draft).indexOf(limit);
  if (place < 0) return 'skip';
  const note = () => {
    if (limit === 'max_iterations' && takenOver > 0)
      return vscode.l10n.t('The {0} that it begins with count.', takenOver);
    if (configured.limits[limit]?.loweredByWorkspace === true)
      return vscode.l10n.t('The offered value is from the workspace settings.');
    return limit === 'max_requests'
      ? vscode.l10n.t('The cost is included, so this limits what is used; an iteration takes two or three.')
      : '';
  };
  const answer = await askLimitText(limit, draft.limits[limit] || suggested(limit, draft.limits, takenOver), {
    title: draft.title,
    step: BEFORE_LIMITS + 1 + place,
    totalSteps: totalOf(draft),
    note: note(),
    moreThan: limit === 'max_iterations' ? takenOver : 0,
  });
  if (typeof answer !== 'string') return whereOf(answer);
  draft.limits[limit] = answer;
  return 'next';
}

/** Offered to be confirmed, by the iterations that are asked before. */
function suggested(limit: AskedLimit, { max_iterations }: RunDraft['limits'], takenOver: number): string {
  const iterations = limitOf(max_iterations) - takenOver;
  if (limit === 'max_requests') return String(REQUESTS_EACH * iterations + 1);
  return limit === 'max_tokens' ? String(TOKENS_EACH * iterations + TOKENS_BESIDE) : '';
}

/** Asks for a limit; the text that is resolved to is a number in its range. */
export async function askLimitText(
  limit: AskedLimit,
  value: string,
  {
    note = '',
    moreThan = 0,
    ...place
  }: { title: string; step: number; totalSteps: number; note?: string; moreThan?: number },
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
      (text.trim() === ''
        ? vscode.l10n.t('Give {0}.', l10n.known(LIMIT_WORDS[limit].range))
        : limitOf(text) > moreThan
          ? null
          : vscode.l10n.t('Give more than {0}.', moreThan)),
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
interface Confirmation {
  readonly baseUrl: string;
  /** To the questions before the model: what was asked, and the answer. */
  readonly answers: readonly (readonly [string, string])[];
  readonly forecast: (signal: AbortSignal) => Promise<string>;
}

/** The last step shows all answers; each can be gone back to. */
export async function confirm(draft: RunDraft, { baseUrl, answers, forecast }: Confirmation): Promise<Where> {
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
  const all: (readonly [string, string, number])[] = [
    ...answers.map(([label, value], step) => [label, value, step] as const),
    [vscode.l10n.t('Model'), modelWords(draft, baseUrl), answers.length],
    ...limitsOf(draft).map(
      (limit) => [...limitAnswer(limit, limits[limit]), BEFORE_LIMITS + ASKED.indexOf(limit)] as const,
    ),
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
    ...all.map(
      ([label, value, goes]): Choice => ({ label: `$(edit) ${label}`, description: inQuickPick(value, 90), goes }),
    ),
  ];
  const items = itemsWith(vscode.l10n.t('What it will probably cost is being worked out…'));
  const answer = await askPick({
    title: vscode.l10n.t('{0}: Start?', draft.title),
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
function modelWords({ model, languageModel, rehearsal }: RunDraft, baseUrl: string): string {
  if (rehearsal) return vscode.l10n.t('Rehearsal, as {0}', model);
  const where = languageModel === null ? new URL(baseUrl).host : vscode.l10n.t('VS Code ({0})', languageModel.vendor);
  return vscode.l10n.t('{0} at {1}', languageModel?.name ?? model, where);
}

interface Forecasted {
  readonly draft: RunDraft;
  /** What would be started. */
  readonly raw: () => RawSettings;
  readonly configured: Configured;
  readonly folder: vscode.WorkspaceFolder;
}

/** What the run would probably cost, as a sentence, or why that is not known. Never rejects. */
export async function forecastWords(
  app: App,
  { draft, raw, configured, folder }: Forecasted,
  signal: AbortSignal,
): Promise<string> {
  const { languageModel, rehearsal } = draft;
  if (rehearsal) return vscode.l10n.t('A rehearsal counts what the model would cost; nothing is spent.');
  const unknown =
    languageModel === null
      ? vscode.l10n.t('What it will probably cost is not known; the cost limit holds in any case.')
      : vscode.l10n.t('The cost is included in what the provider of the model is paid for; requests count there.');
  try {
    const { checkSettings, LIMIT_WORDS } = await import('../run-world.ts');
    const checked = checkSettings(raw());
    if ('problems' in checked) return unknown;
    const { expectedUsd, worstUsd, requests, tokens, iterations, endsAfter, endsBy } = await app.control.forecast(
      requestOf({ ...askedOf(draft, checked.settings), configured, folder }),
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
export function whereOf(answer: typeof BACK | undefined): Where {
  return answer === BACK ? 'back' : 'cancel';
}
function usd(text: string): string {
  return dollars(limitOf(text));
}
function dollars(amount: number): string {
  return formatUsd(picoFromUsd(amount));
}
