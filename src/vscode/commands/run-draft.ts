import * as vscode from 'vscode';
import type { LimitName } from '../../run/limits.ts';
import type { RawSettings, RunSettings } from '../../run/settings.ts';
import { SECTION } from '../ids.ts';
import { asking, type LanguageModelChoice, NO_MONEY } from '../lm-choices.ts';
import type { StartRequest } from '../run-control.ts';
import { type Configured, limitsIn, SETTING_OF_LIMIT } from '../settings.ts';

/** What a person typed so far of a run that is to start; limits as text, so that going back shows what was there. */
export interface RunDraft {
  /** Of the questions. */
  readonly title: string;
  objective: string;
  model: string;
  /** A model of VS Code, where one is chosen instead of one at the server. */
  languageModel: LanguageModelChoice | null;
  /** The built-in program plays the model. */
  rehearsal: boolean;
  limits: Record<AskedLimit, string>;
  saveLimits: boolean;
}

export const ASKED = ['max_iterations', 'max_cost_usd', 'max_requests', 'max_tokens', 'max_wall_time_minutes'] as const;
export type AskedLimit = (typeof ASKED)[number];
/** Steps before the first limit. */
export const BEFORE_LIMITS = 3;

/** The model of the settings, where it is a name. */
export function modelIn({ raw }: Configured): string | null {
  return typeof raw.model === 'string' ? raw.model : null;
}

/** With the limits of the settings, else with those that there are by default. */
export function newDraft(
  title: string,
  objective: string,
  model: string,
  configured: Configured,
  defaults: Partial<Record<LimitName, number>>,
): RunDraft {
  const prefilled = (limit: LimitName): string => {
    const value = configured.limits[limit]?.value ?? defaults[limit];
    return typeof value === 'number' ? String(value) : '';
  };
  const limits = Object.fromEntries(ASKED.map((limit) => [limit, prefilled(limit)])) as RunDraft['limits'];
  return { title, objective, model, languageModel: null, rehearsal: false, limits, saveLimits: false };
}

/** Where nothing has a price, requests and tokens are asked instead of the cost; else they may be settings. */
export function limitsOf({ languageModel }: Pick<RunDraft, 'languageModel'>): readonly AskedLimit[] {
  const other = languageModel === null ? ['max_requests', 'max_tokens'] : ['max_cost_usd'];
  return ASKED.filter((limit) => !other.includes(limit));
}
export function totalOf(draft: RunDraft): number {
  return BEFORE_LIMITS + limitsOf(draft).length + 1;
}

/** A decimal comma is one too. Undefined where the text is no number; then it is refused as it is. */
export function numberOf(text: string): number | string | undefined {
  const trimmed = text.trim().replace(/^\$/, '').replace(',', '.');
  if (trimmed === '') return undefined;
  const value = Number(trimmed);
  return Number.isFinite(value) ? value : text.trim();
}
export function limitOf(text: string): number {
  return Number(numberOf(text));
}
/** The limits and the model as settings; the others are as they are configured. */
export function rawOf(draft: RunDraft, configured: Configured): RawSettings {
  return {
    ...configured.raw,
    objective: draft.objective,
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

/** What is to be asked: the server of the settings, a model of VS Code, or nobody. */
export function askedOf(
  { languageModel, rehearsal }: RunDraft,
  settings: RunSettings,
): Pick<StartRequest, 'settings' | 'provider'> {
  return rehearsal ? { settings, provider: 'rehearsal' } : asking(languageModel, settings);
}

export async function saveLimits(draft: RunDraft): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  for (const limit of limitsOf(draft)) {
    const value = limitOf(draft.limits[limit]);
    await configuration.update(SETTING_OF_LIMIT[limit], value, vscode.ConfigurationTarget.Global);
  }
}
