import { FIRST_VIEW, type PanelView, parsePanelView } from '../vscode/panel-messages.ts';

/** What the page itself keeps over a reload; everything else comes from the host. */
export interface UiState {
  readonly runId: string;
  readonly view: PanelView;
  /** What a person has unfolded: `task/<id>`, `table/<chart>`, `objective`. */
  readonly unfolded: readonly string[];
  readonly scroll: number;
}

const MAX_UNFOLDED = 500;

/** The state as it was saved, or a first one where nothing usable was saved for this run. */
export function restoreUiState(saved: unknown, runId: string): UiState {
  const first: UiState = { runId, view: FIRST_VIEW, unfolded: [], scroll: 0 };
  if (typeof saved !== 'object' || saved === null) return first;
  const fields: Readonly<Record<string, unknown>> = { ...saved };
  if (fields['runId'] !== runId) return first;
  const { unfolded, scroll } = fields;
  return {
    runId,
    view: parsePanelView(fields['view']) ?? FIRST_VIEW,
    unfolded: Array.isArray(unfolded) ? unfolded.filter((each) => typeof each === 'string').slice(0, MAX_UNFOLDED) : [],
    scroll: typeof scroll === 'number' && Number.isFinite(scroll) ? Math.max(0, scroll) : 0,
  };
}

/** With `what` unfolded, or folded again. */
export function fold(state: UiState, what: string, open: boolean): UiState {
  const rest = state.unfolded.filter((each) => each !== what);
  return { ...state, unfolded: open ? [...rest, what].slice(-MAX_UNFOLDED) : rest };
}
