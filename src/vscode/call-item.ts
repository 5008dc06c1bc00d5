import * as vscode from 'vscode';
import { formatUsd } from '../budget/money.ts';
import { costWords, isIncluded } from '../run/cost-words.ts';
import type { Call, RunState } from '../run/state.ts';
import { callFacets, type Facet } from './facets.ts';
import { COMMANDS } from './ids.ts';
import { callIcon } from './icons.ts';
import type { CallRow, CallsRow } from './rows.ts';
import { agentWords, callOutcomeWords } from './run-words.ts';

/** `live`: the run is in progress, here or elsewhere. A click leads to the call's place in the log. */
export function callItem(row: CallRow, { config }: RunState, call: Call, live: boolean): vscode.TreeItem {
  const label = callName(call);
  const item = new vscode.TreeItem(label, vscode.TreeItemCollapsibleState.None);
  item.id = row.id;
  const description = [callOutcomeWords(call, live), ...figuresOf(call, config)].join(' · ');
  item.description = description;
  item.iconPath = callIcon(call.status, live);
  item.contextValue = callFacets(call);
  item.accessibilityInformation = { label: vscode.l10n.t('Call: {0}, {1}', label, description) };
  item.command = { command: COMMANDS.openLog, title: vscode.l10n.t('Open Log'), arguments: [row] };
  return item;
}

export function callsItem({ id, count }: CallsRow): vscode.TreeItem {
  const item = new vscode.TreeItem(
    vscode.l10n.t('Calls for the run as a whole'),
    vscode.TreeItemCollapsibleState.Collapsed,
  );
  item.id = id;
  item.description = String(count);
  item.iconPath = new vscode.ThemeIcon('list-unordered');
  item.contextValue = 'calls' satisfies Facet;
  return item;
}

export function callName({ agent, attempt }: Call): string {
  const name = agentWords(agent);
  return attempt > 1 ? vscode.l10n.t('{0}, attempt {1}', name, attempt) : name;
}

/** What matters most comes first: the rest may not fit. */
function figuresOf(call: Call, config: RunState['config']): string[] {
  return [
    isIncluded(config) ? costWords(config, 0n) : moneyWords(call),
    ...(hasUsage(call) ? [vscode.l10n.t('{0} + {1} tokens', call.inputTokens, call.outputTokens)] : []),
    ...(call.latencyMs === null ? [] : [secondsOf(call.latencyMs)]),
  ];
}

export function hasUsage({ status }: Call): boolean {
  return status === 'settled';
}

export function moneyWords({ status, cost, reserved }: Call): string {
  switch (status) {
    case 'reserved':
      return vscode.l10n.t('{0} reserved', formatUsd(reserved));
    case 'settled':
      return formatUsd(cost);
    case 'held':
      return vscode.l10n.t('{0} held', formatUsd(cost));
    case 'released':
      return vscode.l10n.t('{0} released', formatUsd(reserved));
    default:
      return status satisfies never;
  }
}

/** `0.8 s`. */
export function secondsOf(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
