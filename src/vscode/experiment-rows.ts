import type { ExperimentBrief } from './experiment-brief.ts';

/** A row of the Experiments view. `id` is stable over refreshes and reloads; `directory` is the folder of the experiment. */
export type ExperimentRow = HeadRow | VariantRow | TrialRow | OlderRow;

interface HeadRow {
  readonly kind: 'experiment';
  readonly id: string;
  readonly directory: string;
}

interface VariantRow {
  readonly kind: 'variant';
  readonly id: string;
  readonly directory: string;
  readonly variant: string;
}

interface TrialRow {
  readonly kind: 'trial';
  readonly id: string;
  readonly directory: string;
  readonly variant: string;
  readonly trial: number;
  /** By which commands know its run; null: it has none yet. */
  readonly runId: string | null;
}

/** How many experiments there are that are not listed. */
interface OlderRow {
  readonly kind: 'older';
  readonly id: string;
  readonly directory: null;
  readonly count: number;
}

export function experimentRow(directory: string): HeadRow {
  return { kind: 'experiment', id: directory, directory };
}

export function olderRow(count: number): OlderRow {
  return { kind: 'older', id: 'older', directory: null, count };
}

/** What is below a row: the variants of an experiment, the trials of a variant. */
export function rowsBelow(row: ExperimentRow, { variants }: ExperimentBrief): ExperimentRow[] {
  switch (row.kind) {
    case 'experiment':
      return variants.map(({ name }) => ({
        kind: 'variant',
        id: `${row.id}/variant/${name}`,
        directory: row.directory,
        variant: name,
      }));
    case 'variant': {
      const { directory, variant } = row;
      const trials = variants.find(({ name }) => name === variant)?.trials ?? [];
      return trials.map(({ trial, runId }) => ({
        kind: 'trial',
        id: `${row.id}/trial/${trial}`,
        directory,
        variant,
        trial,
        runId,
      }));
    }
    case 'trial':
    case 'older':
      return [];
    default:
      return row satisfies never;
  }
}
