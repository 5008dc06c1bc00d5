import * as vscode from 'vscode';
import { printable } from '../safety/text.ts';
import { Coalescer } from './coalesce.ts';
import type { ExperimentBrief, TrialBrief, VariantBrief } from './experiment-brief.ts';
import { experimentFacets, trialFacets } from './experiment-facets.ts';
import { experimentIcon, trialIcon } from './experiment-icons.ts';
import { type ExperimentRow, experimentRow, olderRow, rowsBelow } from './experiment-rows.ts';
import {
  experimentDescription,
  spokenExperiment,
  trialDescription,
  trialStatusWords,
  variantDescription,
} from './experiment-words.ts';
import type { ExperimentEntry, Experiments } from './experiments.ts';
import { unreadableIcon } from './icons.ts';
import { COMMANDS, CONTEXT_KEYS } from './ids.ts';
import type { Runs } from './runs.ts';

const REFRESH_MS = 250;
/** Leaves room for the figures beside it in a narrow side bar; the tooltip has the whole. */
const LABEL = 20;
const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;

/** The Experiments view: experiment → variants → trials. */
export class ExperimentsTree {
  private readonly runs: Runs;
  private readonly experiments: Experiments;
  /** VS Code knows a row by its object: one for each id. */
  private readonly rows = new Map<string, ExperimentRow>();
  private isRead = false;

  /** Lives as long as the view. */
  constructor(
    runs: Runs,
    experiments: Experiments,
    view: vscode.TreeView<ExperimentRow>,
    changed: vscode.EventEmitter<ExperimentRow | undefined>,
  ) {
    this.runs = runs;
    this.experiments = experiments;
    const refreshes = new Coalescer<string | null>(REFRESH_MS, (ids) => {
      if (ids.includes(null)) return changed.fire(undefined);
      for (const id of ids) {
        const row = id === null ? undefined : this.rows.get(id);
        if (row) changed.fire(row);
      }
    });
    experiments.onDidChange((entry) => {
      this.tellTrials(experiments.entries);
      refreshes.add(entry?.directory ?? null);
    });
    // What a trial in this window does is known before its log is read again.
    runs.onDidChangeEntry(({ runId, isTrial }) => {
      if (!isTrial) return;
      for (const row of this.rows.values()) if (row.kind === 'trial' && row.runId === runId) refreshes.add(row.id);
    });
    view.onDidChangeVisibility(({ visible }) => experiments.watch(visible));
    experiments.watch(view.visible);
  }

  async getChildren(row?: ExperimentRow): Promise<ExperimentRow[]> {
    if (row === undefined) {
      if (!this.isRead) await this.experiments.scan();
      this.isRead = true;
      const { entries, older } = this.experiments;
      this.tellTrials(entries);
      const rows = entries.map(({ directory }) => experimentRow(directory));
      return [...rows, ...(older > 0 ? [olderRow(older)] : [])].map((each) => this.keep(each));
    }
    const brief = row.directory === null ? null : this.experiments.entry(row.directory)?.brief;
    return brief ? rowsBelow(row, brief).map((each) => this.keep(each)) : [];
  }

  getTreeItem(row: ExperimentRow): vscode.TreeItem {
    if (row.kind === 'older') return olderItem(row.count);
    const entry = this.experiments.entry(row.directory);
    const brief = entry?.brief;
    if (!entry || !brief) return row.kind === 'experiment' && entry ? unreadableItem(entry) : new vscode.TreeItem('');
    if (row.kind === 'experiment') return headItem(row.id, brief);
    const variant = brief.variants.find(({ name }) => name === row.variant);
    if (!variant) return new vscode.TreeItem('');
    if (row.kind === 'variant') return variantItem(row.id, variant, brief);
    const trial = variant.trials.find((each) => each.trial === row.trial);
    return trial ? this.trialItem(row, trial, variant) : new vscode.TreeItem('');
  }

  /** Tooltips are made when somebody hovers, and what makes them is read then. */
  async resolveTreeItem(item: vscode.TreeItem, row: ExperimentRow): Promise<vscode.TreeItem> {
    if (row.kind === 'older') return item;
    const entry = this.experiments.entry(row.directory);
    const { experimentTooltip, trialTooltip, variantTooltip } = await import('./experiment-tooltips.ts');
    const brief = entry?.brief;
    const variant = row.kind === 'experiment' ? null : brief?.variants.find(({ name }) => name === row.variant);
    if (brief && row.kind === 'experiment') item.tooltip = experimentTooltip(brief);
    if (variant && row.kind === 'variant') item.tooltip = variantTooltip(variant);
    const trial = row.kind === 'trial' ? variant?.trials.find((each) => each.trial === row.trial) : null;
    if (variant && trial) item.tooltip = trialTooltip(trial, variant);
    return item;
  }

  /** What opens a run is enabled where there is one. */
  private tellTrials(entries: readonly ExperimentEntry[]): void {
    const some = entries.some(({ brief }) =>
      brief?.variants.some(({ trials }) => trials.some(({ runId }) => runId !== null)),
    );
    if (some === this.hasTrials) return;
    this.hasTrials = some;
    void vscode.commands.executeCommand('setContext', CONTEXT_KEYS.hasTrials, some);
  }
  private hasTrials = false;

  private trialItem(
    row: Extract<ExperimentRow, { kind: 'trial' }>,
    trial: TrialBrief,
    { limits }: VariantBrief,
  ): vscode.TreeItem {
    const item = new vscode.TreeItem(vscode.l10n.t('Trial {0}', trial.trial), None);
    item.id = row.id;
    const own = row.runId === null ? undefined : this.runs.entry(row.runId);
    const live = own?.session ? own.brief : trial;
    item.description = trialDescription(trial, limits, live);
    item.iconPath = trialIcon(trial);
    item.contextValue = trialFacets(trial);
    item.accessibilityInformation = {
      label: vscode.l10n.t('Trial {0} of {1}, {2}', trial.trial, row.variant, trialStatusWords(trial)),
    };
    if (trial.runId !== null && trial.status !== 'claimed')
      item.command = { command: COMMANDS.openSummary, title: vscode.l10n.t('Open Summary'), arguments: [row] };
    return item;
  }

  /** The object that VS Code knows for this row; one that was not taken yet has a run later. */
  private keep(row: ExperimentRow): ExperimentRow {
    const known = this.rows.get(row.id);
    if (known !== undefined) return Object.assign(known, row);
    this.rows.set(row.id, row);
    return row;
  }
}

function headItem(id: string, brief: ExperimentBrief): vscode.TreeItem {
  // Only how it is first shown: what a person opens or closes stays so.
  const item = new vscode.TreeItem(printable(brief.name, LABEL), brief.status === 'working' ? Expanded : Collapsed);
  item.id = id;
  item.description = experimentDescription(brief);
  item.iconPath = experimentIcon(brief.status);
  item.contextValue = experimentFacets(brief);
  item.accessibilityInformation = { label: spokenExperiment(brief) };
  return item;
}

function variantItem(id: string, variant: VariantBrief, { status, variants }: ExperimentBrief): vscode.TreeItem {
  const item = new vscode.TreeItem(printable(variant.name, 60), status === 'working' ? Expanded : Collapsed);
  item.id = id;
  const description = variantDescription(variant, variant === variants[0]);
  item.description = description;
  item.iconPath = new vscode.ThemeIcon('versions');
  item.contextValue = 'variant';
  item.accessibilityInformation = { label: vscode.l10n.t('Variant {0}, {1}', variant.name, description) };
  return item;
}

function unreadableItem({ directory, problem }: ExperimentEntry): vscode.TreeItem {
  const name = directory.split(/[\\/]/).at(-1) ?? '';
  const item = new vscode.TreeItem(printable(name, 60), None);
  item.id = directory;
  item.description = vscode.l10n.t('cannot be read');
  item.iconPath = unreadableIcon();
  item.tooltip = printable(problem ?? '', 600);
  item.contextValue = 'experiment';
  return item;
}

function olderItem(count: number): vscode.TreeItem {
  const label = count === 1 ? vscode.l10n.t('1 older experiment') : vscode.l10n.t('{0} older experiments', count);
  const item = new vscode.TreeItem(label, None);
  item.iconPath = new vscode.ThemeIcon('history');
  item.tooltip = vscode.l10n.t('They are in the folder of the experiments; the newest are listed here.');
  return item;
}
