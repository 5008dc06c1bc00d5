import type { RunBrief } from './run-brief.ts';

export const RUN_FILTERS = ['all', 'live', 'well', 'attention', 'imported'] as const;
/** Which runs are shown. `attention`: those that go on only when a person does something. */
export type RunFilter = (typeof RUN_FILTERS)[number];

export const GROUPINGS = ['none', 'state', 'day'] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** In this order they are shown. */
export const STANDINGS = ['attention', 'live', 'well', 'stopped', 'imported'] as const;
/** How a run stands, in one of a few words; each run has exactly one. */
export type Standing = (typeof STANDINGS)[number];

/** What a person chose to see of the runs, and how. */
export interface Arrangement {
  readonly filter: RunFilter;
  /** In the objective, whatever its case; empty: any. */
  readonly text: string;
  readonly grouping: Grouping;
}

export const PLAIN: Arrangement = { filter: 'all', text: '', grouping: 'none' };

export function isFiltered({ filter, text }: Arrangement): boolean {
  return filter !== 'all' || text !== '';
}

export function isShown(brief: RunBrief, { filter, text }: Arrangement): boolean {
  return fits(brief, filter) && brief.objective.toLowerCase().includes(text.toLowerCase());
}

function fits(brief: RunBrief, filter: RunFilter): boolean {
  switch (filter) {
    case 'all':
      return true;
    case 'live':
      return brief.status !== 'ended' && brief.status !== 'interrupted';
    case 'well':
      return outcomeOf(brief) === 'well';
    case 'attention':
    case 'imported':
      return standingOf(brief) === filter;
    default:
      return filter satisfies never;
  }
}

function standingOf(brief: RunBrief): Standing {
  return brief.imported ? 'imported' : outcomeOf(brief);
}

function outcomeOf({ status, stopReason, onlyBlocked }: RunBrief): Exclude<Standing, 'imported'> {
  switch (status) {
    case 'running':
    case 'elsewhere':
      return 'live';
    case 'paused':
    case 'review':
    case 'review_elsewhere':
    case 'interrupted':
      return 'attention';
    case 'ended':
      return onlyBlocked ? 'attention' : endOf(stopReason);
    default:
      return status satisfies never;
  }
}

function endOf(reason: RunBrief['stopReason']): 'well' | 'stopped' | 'attention' {
  switch (reason) {
    case 'objective_complete':
    case 'queue_empty':
    case 'max_iterations':
    case 'max_cost':
    case 'max_requests':
    case 'max_tokens':
    case 'max_wall_time':
      return 'well';
    case 'stopped_by_user':
    case 'stopped_at_review':
    case null:
      return 'stopped';
    case 'stalled':
    case 'waiting_for_key':
    case 'disk_full':
    case 'quarantined':
    case 'error':
      return 'attention';
    default:
      return reason satisfies never;
  }
}

/** The day a run began, by the clock of this machine: `2026-01-31`; `unknown` where its file does not say. */
function dayOf({ startedAt }: RunBrief): string {
  const at = new Date(startedAt);
  return Number.isNaN(at.getTime()) ? 'unknown' : localDay(at);
}

export function localDay(at: Date): string {
  const two = (number: number) => String(number).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** The group of a run: a day, or a standing. Null: it is in none. */
export function groupOf(brief: RunBrief, { grouping }: Arrangement): string | null {
  switch (grouping) {
    case 'none':
      return null;
    case 'state':
      return standingOf(brief);
    case 'day':
      return dayOf(brief);
    default:
      return grouping satisfies never;
  }
}

export interface Group<Entry> {
  /** Null: the runs are not grouped. */
  readonly key: string | null;
  readonly entries: readonly Entry[];
}

/** The runs that are shown, in their groups. Within a group they keep their order. */
export function arranged<Entry extends { readonly brief: RunBrief }>(
  entries: readonly Entry[],
  arrangement: Arrangement,
): Group<Entry>[] {
  const groups = new Map<string | null, Entry[]>();
  for (const entry of entries) {
    const { brief } = entry;
    if (!isShown(brief, arrangement)) continue;
    const key = groupOf(brief, arrangement);
    const group = groups.get(key);
    if (group) group.push(entry);
    else groups.set(key, [entry]);
  }
  const found = [...groups].map(([key, members]) => ({ key, entries: members }));
  // Days come as the runs do: the newest first.
  if (arrangement.grouping !== 'state') return found;
  const place = (key: string | null) => STANDINGS.findIndex((standing) => standing === key);
  return found.sort((a, b) => place(a.key) - place(b.key));
}

/** The arrangement in a value of the workspace's storage, which may be of another version. */
export function arrangementFrom(value: unknown): Arrangement {
  const { filter, text, grouping } = typeof value === 'object' && value !== null ? (value as Partial<Arrangement>) : {};
  return {
    filter: RUN_FILTERS.find((known) => known === filter) ?? PLAIN.filter,
    text: typeof text === 'string' ? text : PLAIN.text,
    grouping: GROUPINGS.find((known) => known === grouping) ?? PLAIN.grouping,
  };
}
