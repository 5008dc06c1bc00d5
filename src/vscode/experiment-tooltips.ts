import type * as vscode from 'vscode';
import { printable } from '../safety/text.ts';
import type { ExperimentBrief, TrialBrief, VariantBrief } from './experiment-brief.ts';
import {
  capWords,
  countsOf,
  differenceWords,
  dollars,
  experimentStatusWords,
  trialStatusWords,
} from './experiment-words.ts';
import { untrusted } from './markdown-string.ts';
import { l10n } from './panel-l10n.ts';

/** What is told of a row of the Experiments view when somebody hovers over it. */

const EXCERPT = 600;

export function experimentTooltip(brief: ExperimentBrief): vscode.MarkdownString {
  const text = untrusted();
  const { results, trials } = countsOf(brief.variants);
  text.appendText(printable(brief.name, 200)).appendMarkdown('\n\n');
  if (brief.hypothesis !== null)
    text.appendText(l10n.t('Hypothesis: {0}', printable(brief.hypothesis, EXCERPT))).appendMarkdown('\n\n');
  append(text, [
    [l10n.t('State'), experimentStatusWords(brief.status)],
    [l10n.t('Objective'), printable(brief.objective, 200)],
    [l10n.t('Trials'), l10n.t('{0} of {1} have a result', results, trials)],
    [l10n.t('Cost'), l10n.t('{0} of at most {1} in all', dollars(brief.spentUsd), dollars(brief.totalUsd))],
    ...capRows(brief.variants),
  ]);
  text
    .appendMarkdown('\n')
    .appendText(`${l10n.t('What differs')}:`)
    .appendMarkdown('\n\n');
  append(
    text,
    brief.variants.map((variant, at) => [
      at === 0 ? l10n.t('{0} (baseline)', variant.name) : variant.name,
      differenceWords(variant),
    ]),
  );
  if (brief.rehearsal)
    text.appendMarkdown('\n').appendText(l10n.t('Rehearsal: costs are what the model would cost; nothing is spent.'));
  return text;
}

export function variantTooltip(variant: VariantBrief): vscode.MarkdownString {
  const text = untrusted();
  text.appendText(variant.name).appendMarkdown('\n\n');
  append(text, [
    [l10n.t('What differs'), differenceWords(variant)],
    [l10n.t('Model'), printable(variant.model, 80)],
    [l10n.t('Limits of each run'), capWords(variant.limits)],
  ]);
  return text;
}

export function trialTooltip(trial: TrialBrief, { name, limits }: VariantBrief): vscode.MarkdownString {
  const text = untrusted();
  text.appendText(l10n.t('Trial {0} of {1}', trial.trial, name)).appendMarkdown('\n\n');
  append(text, [
    [l10n.t('State'), trialStatusWords(trial)],
    [l10n.t('Sampling seed'), String(trial.seed)],
    [l10n.t('Iterations'), `${trial.iterations}/${limits.max_iterations}`],
    [l10n.t('Cost'), l10n.t('{0} of {1}', dollars(trial.spentUsd), dollars(limits.max_cost_usd))],
  ]);
  if (trial.status === 'no_result')
    text
      .appendMarkdown('\n')
      .appendText(
        l10n.t('It ended for a reason of the server, the machine or a person, which says nothing of its variant.'),
      );
  if (trial.problem !== null) text.appendMarkdown('\n').appendText(printable(trial.problem, EXCERPT));
  return text;
}

/** Once where all variants have the same. */
function capRows(variants: readonly VariantBrief[]): [string, string][] {
  const caps = variants.map(({ name, limits }) => [name, capWords(limits)] as const);
  const [first] = caps;
  if (first === undefined) return [];
  if (caps.every(([, words]) => words === first[1])) return [[l10n.t('Limits of each run'), first[1]]];
  return caps.map(([name, words]) => [l10n.t('Limits of each run of {0}', name), words]);
}

function append(text: vscode.MarkdownString, rows: readonly (readonly [string, string])[]): void {
  for (const [name, value] of rows) text.appendMarkdown('- ').appendText(`${name}: ${value}`).appendMarkdown('\n');
}
