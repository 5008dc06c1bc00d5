import type { Pico } from '../budget/money.ts';
import { costWords } from '../run/cost-words.ts';
import type { Agent } from '../run/events.ts';
import type { RunState } from '../run/state.ts';
import { inEnglish, type Translate } from '../run/translate.ts';
import { l10n } from './panel-l10n.ts';

/** For sentences that are made in shared rooms. */
export function inWindow(): Translate {
  return l10n.language === undefined ? inEnglish : l10n.t;
}

/** `$0.0123`, or `included`, in the language of the window. */
export function amountWords(config: RunState['config'], amount: Pico): string {
  return l10n.known(costWords(config, amount));
}

export function agentWord(agent: Agent): string {
  switch (agent) {
    case 'execution':
      return l10n.t('Execution');
    case 'creation':
      return l10n.t('Creation');
    case 'prioritization':
      return l10n.t('Prioritization');
    case 'planning':
      return l10n.t('Planning');
    case 'repair':
      return l10n.t('Repair');
    case 'judge':
      return l10n.t('Judge');
    case 'synthesis':
      return l10n.t('Closing answer');
    case 'embedding':
      return l10n.t('Embedding');
    default:
      return agent satisfies never;
  }
}
